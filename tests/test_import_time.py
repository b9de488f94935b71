"""Importing is cheap, for heavy modules are imported where they are first used. We count modules, not seconds: a count does not drift."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "asyncio",
    "cloudpickle",
    "docarray",
    "fastapi",
    "google",
    "grpc",
    "httptools",
    "msgspec",
    "numpy",
    "pydantic",
    "torch",
    "uvloop",
    "yaml",
}


def modules_after(code: str) -> set[str]:
    """Names of the modules that `code` adds to a fresh interpreter."""
    script = f"import sys, json\nbefore = set(sys.modules)\n{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def heavy(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names} & HEAVY


def test_import_jina_loads_nothing_heavy() -> None:
    """`import jina` gives names that are filled when they are first used."""
    names = modules_after("import jina")

    assert heavy(names) == set()
    assert len([name for name in names if name.startswith("jina")]) <= 3
    assert len(names) < 30


def test_what_a_service_imports_leaves_servers_and_frameworks_out() -> None:
    """A file with an Executor and a Deployment loads documents, but no server, no model library and no foreign document library."""
    names = modules_after("from jina import Deployment, Executor, requests\nfrom jina.docs import BaseDoc, DocList")

    assert heavy(names) & {"docarray", "fastapi", "google", "grpc", "torch"} == set()
    assert not any(name.startswith(("jina.fronts", "jina.main", "jina.client")) for name in names)


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["ping", "--help"]])
def test_light_commands_do_not_load_documents(words: list[str]) -> None:
    """Health probes call `jina ping` every few seconds; it loads neither pydantic nor numpy."""
    names = modules_after(
        f"import io, contextlib\nfrom jina.cli import main\nwith contextlib.redirect_stdout(io.StringIO()): main({words!r})"
    )

    assert heavy(names) & {"docarray", "fastapi", "grpc", "numpy", "pydantic", "torch"} == set()


def test_only_what_speaks_websocket_loads_it() -> None:
    """The library that cuts its frames takes a tenth of a second, which no other service or client spends."""
    ports = "from jina.fronts.front import Front; Front(None, [], protocols=['http', 'grpc']).make_protocol"
    imports = "import jina.main.front, jina.fronts.http1_connection, jina.fronts.http2_connection, jina.fronts.http2_request"
    clients = "from jina import Client\nfrom jina.client.cores import make_core\n"
    clients += "for protocol in ('grpc', 'http'): make_core(Client(protocol=protocol).args)"
    assert not any(name.startswith("websockets") for name in modules_after(f"{imports}\n{ports}"))
    assert not any(name.startswith("websockets") for name in modules_after(clients))
    assert "websockets.frames" in modules_after(ports.replace("'grpc'", "'websocket'"))


def test_front_process_knows_no_documents() -> None:
    """The process that owns the ports passes documents on as bytes; without pydantic and numpy it starts fast and stays small."""
    names = modules_after("import jina.main.front, jina.fronts.http1_connection, jina.fronts.http2_request, jina.runtime.flow")

    assert heavy(names) & {"cloudpickle", "docarray", "fastapi", "grpc", "numpy", "pydantic", "torch"} == set()
    assert not any(name.startswith("jina.docs") for name in names)
