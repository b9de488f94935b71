"""A picture of a graph, as Mermaid text or as SVG; nothing is fetched or sent.

Both take nodes in graph order. The caller is `gateway` twice: where documents come in, and where they go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

IN, OUT = "gateway in", "gateway out"

_WIDTH, _HEIGHT, _GAP_ALONG, _GAP_ACROSS, _MARGIN = 150, 46, 70, 26, 20
_FILL: Final = {"": "#d9eefc", "external": "#fde9c9", "gateway": "#e4e4e4"}
_STYLE: Final = "font-family:sans-serif;font-size:13px"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A node of the picture.

    Attributes:
        name: As in `needs`.
        text: A second line, e.g. the class of the executor.
        needs: Names of the boxes before it; `gateway` is the caller.
        condition: What `when` says, in words; shown on its edges.
        is_external: It runs elsewhere.
        is_floating: Nobody waits for it.
    """

    name: str
    text: str = ""
    needs: Sequence[str] = ("gateway",)
    condition: str = ""
    is_external: bool = False
    is_floating: bool = False


@dataclass(frozen=True)
class _Edge:
    start: str
    end: str
    label: str = ""
    is_dashed: bool = False


def _edges(boxes: Sequence[Box]) -> list[_Edge]:
    needed = {name for box in boxes if not box.is_floating for name in box.needs}
    found = [_Edge(IN if name == "gateway" else name, box.name, box.condition, box.is_floating) for box in boxes for name in box.needs]
    return found + [_Edge(box.name, OUT) for box in boxes if box.name not in needed and not box.is_floating]


def mermaid(boxes: Sequence[Box], *, is_vertical: bool = False) -> str:
    """Write a Mermaid flowchart, from left to right or from top to bottom."""
    ids = {name: f"n{place}" for place, name in enumerate((IN, *(box.name for box in boxes), OUT))}
    lines = [f"flowchart {'TB' if is_vertical else 'LR'}", f'  {ids[IN]}(["gateway"])']
    for box in boxes:
        text = f"{box.name}<br/>{_quoted(box.text)}" if box.text else box.name
        start, end = ("[[", "]]") if box.is_external else ("[", "]")
        lines.append(f'  {ids[box.name]}{start}"{text}"{end}')
    lines.append(f'  {ids[OUT]}(["gateway"])')
    for edge in _edges(boxes):
        label = f'|"{_quoted(edge.label)}"|' if edge.label else ""
        lines.append(f"  {ids[edge.start]} {'-.->' if edge.is_dashed else '-->'}{label} {ids[edge.end]}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return escape(text, quote=True).replace("&#x27;", "'").replace("\n", " ")


def svg(boxes: Sequence[Box], *, is_vertical: bool = False) -> str:
    """Draw the same: a column (or a row) for each step, a box for each node."""
    edges = _edges(boxes)
    steps = _steps(boxes)
    columns: dict[int, list[str]] = {}
    for name, step in steps.items():
        columns.setdefault(step, []).append(name)
    widest = max(len(names) for names in columns.values())
    along, across = (_HEIGHT, _WIDTH) if is_vertical else (_WIDTH, _HEIGHT)
    places: dict[str, tuple[float, float]] = {}
    for step, names in columns.items():
        begin = _MARGIN + (widest - len(names)) * (across + _GAP_ACROSS) / 2
        for place, name in enumerate(names):
            at = (_MARGIN + step * (along + _GAP_ALONG), begin + place * (across + _GAP_ACROSS))
            places[name] = at[::-1] if is_vertical else at
    length, breadth = (
        2 * _MARGIN + len(columns) * along + (len(columns) - 1) * _GAP_ALONG,
        2 * _MARGIN + widest * across + (widest - 1) * _GAP_ACROSS,
    )
    width, height = (breadth, length) if is_vertical else (length, breadth)
    shown = {box.name: box for box in boxes}
    parts = [_arrow(edge, places, is_vertical) for edge in edges] + [_box(name, shown.get(name), *at) for name, at in places.items()]
    return "\n".join((_head(width, height), *parts, "</svg>")) + "\n"


def _steps(boxes: Iterable[Box]) -> dict[str, int]:
    """How many nodes come before each, on the longest way."""
    steps = {IN: 0}
    for box in boxes:
        steps[box.name] = 1 + max(steps[IN if name == "gateway" else name] for name in box.needs)
    return {**steps, OUT: 1 + max(steps.values())}


def _head(width: float, height: float) -> str:
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{_STYLE}">\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>'
    )


def _box(name: str, box: Box | None, x: float, y: float) -> str:
    fill = _FILL["gateway" if box is None else "external" if box.is_external else ""]
    dashes = ' stroke-dasharray="5 3"' if box is not None and box.is_floating else ""
    lines = [name if box is not None else "gateway", *([box.text] if box is not None and box.text else [])]
    middle, first = x + _WIDTH / 2, y + _HEIGHT / 2 + 5 - 9 * (len(lines) - 1)
    texts = "".join(
        f'<text x="{middle:g}" y="{first + 17 * at:g}" text-anchor="middle">{escape(_short(line))}</text>' for at, line in enumerate(lines)
    )
    frame = f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{fill}" stroke="#555"{dashes}/>'
    return f"<g><title>{escape(' '.join(lines))}</title>{frame}{texts}</g>"


def _short(text: str) -> str:
    return text if len(text) <= 20 else text[:19] + "…"


def _arrow(edge: _Edge, places: dict[str, tuple[float, float]], is_vertical: bool) -> str:
    (x0, y0), (x1, y1) = places[edge.start], places[edge.end]
    if is_vertical:
        start, end = (x0 + _WIDTH / 2, y0 + _HEIGHT), (x1 + _WIDTH / 2, y1)
        bend = (end[1] - start[1]) / 2
        curve = f"M{start[0]:g},{start[1]:g} C{start[0]:g},{start[1] + bend:g} {end[0]:g},{end[1] - bend:g} {end[0]:g},{end[1]:g}"
    else:
        start, end = (x0 + _WIDTH, y0 + _HEIGHT / 2), (x1, y1 + _HEIGHT / 2)
        bend = (end[0] - start[0]) / 2
        curve = f"M{start[0]:g},{start[1]:g} C{start[0] + bend:g},{start[1]:g} {end[0] - bend:g},{end[1]:g} {end[0]:g},{end[1]:g}"
    dashes = ' stroke-dasharray="5 3"' if edge.is_dashed else ""
    title = f"<title>{escape(edge.label)}</title>" if edge.label else ""
    return f'<path d="{curve}" fill="none" stroke="#555"{dashes} marker-end="url(#tip)">{title}</path>'
