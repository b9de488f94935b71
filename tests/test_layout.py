"""The code is in layers: a module imports only from its own line and from lines above it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jina

ROOT = Path(jina.__file__).parent

# From the foundation to what users call. Several names on a line are one layer; a name that is missing here fails the test.
LAYERS = """
jina docarray_repairs
errors enums constants warning
limits
options
codec
docs
call
core
wire
observe
plan flowchart
hints parameters caller endpoint executor
proto types
transport
process
runtime
fronts
client
yaml
main
engines
announcement own_client
orchestrator
deployment
flow
testing
cli __main__
serve clients excepts logging jaml helper parsers
"""

# Imports against the order, made when a function is called (or only for a type checker), each with its reason.
AT_CALL_TIME = {
    ("jina", "client"): "the public names, for type checkers; they are imported when first used",
    ("jina", "deployment"): "the same",
    ("jina", "docs"): "the same",
    ("jina", "flow"): "the same",
    ("jina", "executor"): "the same",
    ("codec.json_pydantic", "docs"): "arrays in JSON become the user's tensor class",
    ("codec.json_struct", "docs"): "the same for msgspec structs and dataclasses",
    ("executor.base", "deployment"): "Executor.serve is a shortcut for a Deployment",
    ("executor.base", "yaml"): "Executor.load_config and .save_config",
    ("executor.base", "logging"): "self.logger is a JinaLogger, made when it is first used",
    ("yaml.deployment", "deployment"): "a YAML file is turned into a Deployment",
    ("yaml.flow", "flow"): "the same of a Flow",
}


class Arrow(NamedTuple):
    importer: str
    imported: str
    is_at_call_time: bool


def modules() -> dict[str, Path]:
    """Every module of the package by its name without `jina.`; the package itself is `jina`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found[".".join(parts) or "jina"] = path
    return found


def arrows(name: str, path: Path, known: dict[str, Path]) -> Iterator[Arrow]:
    """The imports that a module makes inside the package."""
    for node, is_late in walk(ast.parse(path.read_text(encoding="utf-8")), is_late=False):
        for imported in imported_names(node, known):
            yield Arrow(name, imported, is_late)


def walk(node: ast.AST, *, is_late: bool) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes under `node`, each with whether it runs after the import (in a function) or never (for a type checker)."""
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        is_for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        late = is_late or is_function or is_for_types
        yield child, late
        yield from walk(child, is_late=late)


def imported_names(node: ast.AST, known: dict[str, Path]) -> Iterator[str]:
    """Names of our modules that one import statement loads; `from jina.codec import varint` loads `codec.varint`."""
    if isinstance(node, ast.Import):
        yield from (short(alias.name) for alias in node.names if alias.name.split(".")[0] == "jina")
    elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "jina":
        for alias in node.names:
            inner = short(f"{node.module}.{alias.name}")
            yield inner if inner in known else short(node.module)


def short(name: str) -> str:
    return name.removeprefix("jina.")


def layer_of(module: str) -> int:
    """The line of LAYERS that a module stands on."""
    first = module.split(".")[0]
    for number, line in enumerate(LAYERS.split("\n")):
        if first in line.split():
            return number
    raise AssertionError(f"no line of LAYERS has {first!r}; put it where what it imports stands above it")


def all_arrows() -> list[Arrow]:
    known = modules()
    return [arrow for name, path in known.items() for arrow in arrows(name, path, known)]


def test_no_module_imports_from_a_line_below_it() -> None:
    """Reading the code from top to bottom needs no look ahead, and the lower half can be taken out and used alone."""
    wrong = [
        f"{arrow.importer} -> {arrow.imported}"
        for arrow in all_arrows()
        if layer_of(arrow.imported) > layer_of(arrow.importer)
        and not (arrow.is_at_call_time and (arrow.importer, arrow.imported.split(".")[0]) in AT_CALL_TIME)
    ]

    assert wrong == []


def test_no_two_modules_of_the_client_know_each_other() -> None:
    """Not for a type checker either: each can be read, and changed, with what it imports alone."""
    known = {(arrow.importer, arrow.imported) for arrow in all_arrows() if arrow.importer.startswith("client.")}

    assert sorted(pair for pair in known if pair[::-1] in known and pair[0] != pair[1]) == []


def test_every_name_of_the_layers_is_a_module() -> None:
    """A line for what is gone, or not there yet, misleads whoever looks for the place of something new."""
    known = {name.split(".")[0] for name in modules()}

    assert sorted(set(LAYERS.split()) - known) == []


def test_table_of_late_imports_has_no_stale_line() -> None:
    """What stands in the table is really imported; a line that is no longer needed goes."""
    late = {(arrow.importer, arrow.imported.split(".")[0]) for arrow in all_arrows() if arrow.is_at_call_time}

    assert sorted(AT_CALL_TIME.keys() - late) == []


def test_old_import_paths_are_leaves() -> None:
    """Nothing of ours imports the paths that exist for Jina 3's users, so that they can go one day."""
    old = LAYERS.strip().split("\n")[-1].split()
    users = [arrow for arrow in all_arrows() if arrow.imported.split(".")[0] in old and arrow.importer.split(".")[0] not in old]

    assert [f"{a.importer} -> {a.imported}" for a in users if (a.importer, a.imported.split(".")[0]) not in AT_CALL_TIME] == []


def test_decisions_and_wire_code_do_no_io() -> None:
    """`core` and `wire` have no sockets, clocks, threads or async code: whoever drives them brings bytes and the time."""
    banned = {"asyncio", "socket", "selectors", "threading", "time", "uvloop", "subprocess", "ssl", "concurrent"}
    pure = {name: path for name, path in modules().items() if name.split(".")[0] in ("core", "wire")}
    found = []
    for name, path in pure.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [f"{name} imports {a.name}" for a in node.names if a.name.split(".")[0] in banned]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in banned:
                found.append(f"{name} imports {node.module}")
            elif isinstance(node, ast.AsyncFunctionDef):
                found.append(f"{name} has async def {node.name}")

    assert found == []
