"""Pictures of graphs."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as xml

import pytest

from jina.flowchart import Box, mermaid, svg

DIAMOND = [
    Box(name="split", text="Splitter"),
    Box(name="left", needs=["split"], condition="price < 3"),
    Box(name="right", needs=["split"], is_external=True),
    Box(name="join", needs=["left", "right"]),
    Box(name="log", text='a "<b>"', needs=["split"], is_floating=True),
]
NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_mermaid_says_who_follows_whom() -> None:
    """Floating nodes hang on dashed arrows and lead nowhere, conditions stand on arrows, text cannot break out."""
    assert mermaid(DIAMOND) == (
        "flowchart LR\n"
        '  n0(["gateway"])\n'
        '  n1["split<br/>Splitter"]\n'
        '  n2["left"]\n'
        '  n3[["right"]]\n'
        '  n4["join"]\n'
        '  n5["log<br/>a &quot;&lt;b&gt;&quot;"]\n'
        '  n6(["gateway"])\n'
        "  n0 --> n1\n"
        '  n1 -->|"price &lt; 3"| n2\n'
        "  n1 --> n3\n"
        "  n2 --> n4\n"
        "  n3 --> n4\n"
        "  n1 -.-> n5\n"
        "  n4 --> n6\n"
    )
    assert mermaid(DIAMOND, is_vertical=True).startswith("flowchart TB\n")


@pytest.mark.parametrize("is_vertical", [False, True])
def test_svg_is_a_document_whose_boxes_lie_apart_and_within_it(is_vertical: bool) -> None:
    """Seven boxes, seven arrows."""
    root = xml.fromstring(svg(DIAMOND, is_vertical=is_vertical))
    boxes = [tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height")) for rect in root.iter(f"{NAMESPACE}rect")]
    arrows = [path for path in root.iter(f"{NAMESPACE}path") if "marker-end" in path.attrib]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])

    assert (len(boxes), len(arrows)) == (7, 7)
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
    for (x0, y0, w, h), (x1, y1, _, _) in itertools.combinations(boxes, 2):
        assert abs(x0 - x1) >= w or abs(y0 - y1) >= h


def test_svg_shows_names_and_texts() -> None:
    """What is too long for its box is cut; the title has all of it."""
    root = xml.fromstring(svg([Box(name="a_name_that_is_much_too_long", text="T")]))
    texts = [text.text for text in root.iter(f"{NAMESPACE}text")]
    titles = [title.text for title in root.iter(f"{NAMESPACE}title")]
    assert texts == ["gateway", "a_name_that_is_much…", "T", "gateway"]
    assert titles == ["gateway", "a_name_that_is_much_too_long T", "gateway"]
