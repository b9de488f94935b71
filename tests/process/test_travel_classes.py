"""Scripts that define their documents as dataclasses and msgspec.Structs beside the Executor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_DATACLASSES = """
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum

class Kind(Enum):
    small = "s"
    big = "b"

@dataclass
class Part:
    label: str
    tags: list[str] = field(default_factory=list)

@dataclass
class D:
    name: str
    _: KW_ONLY
    kind: Kind = Kind.small
    parts: list[Part] = field(default_factory=list)
    n: int = 3

    def __post_init__(self):
        self.n += 1

    def twice(self):
        return D(name=self.name * 2, kind=Kind.big, parts=[Part("x", ["y"])], n=self.n)

@dataclass
class Flat:
    name: str
    tags: list[str] = field(default_factory=lambda: ["new"])
"""

_STRUCTS = """
import enum
from typing import Optional
import msgspec

class Kind(enum.Enum):
    small = "s"
    big = "b"

class Part(msgspec.Struct, frozen=True):
    label: str
    tags: list[str] = []

class Named(msgspec.Struct):
    name: str

class D(Named, kw_only=True, rename="camel"):
    kind: Kind = Kind.small
    parts: list[Part] = []
    n: int = 3
    next_one: Optional["D"] = None

    def __post_init__(self):
        self.n += 1

    def twice(self):
        return D(name=self.name * 2, kind=Kind.big, parts=[Part("x", ["y"])], n=self.n)

class Flat(msgspec.Struct):
    name: str
    tags: list[str] = msgspec.field(default_factory=lambda: ["new"])
"""

_SERVICE = """
from jina import Client, Deployment, Executor, requests

class Twice(Executor):
    @requests(on="/twice")
    def twice(self, docs: list[D], **kwargs) -> list[D]:
        return [doc.twice() for doc in docs]

    @requests(on="/flat")
    def flat(self, docs: list[Flat], **kwargs) -> list[Flat]:
        return [Flat(doc.name * 2) for doc in docs]

if __name__ == "__main__":
    with Deployment(uses=Twice, protocol=["http", "grpc"]) as deployment:
        http, grpc = (Client(port=port, protocol=name) for port, name in zip(deployment.ports, ("http", "grpc")))
        got = http.post("/twice", [D(name="ab")], return_type=list[D])
        assert [doc.name for doc in got] == ["abab"], got
        assert got[0].kind is Kind.big and got[0].parts == [Part("x", ["y"])], got
        assert got[0].n > 5, got
        for client in (http, grpc):  # docarray's messages carry neither enums nor plain classes within each other
            assert client.post("/flat", [Flat("ab")], return_type=list[Flat]) == [Flat("abab", ["new"])]
    print("done")
"""


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"], ids=["plain", "annotations-as-strings"])
@pytest.mark.parametrize("documents", [_DATACLASSES, _STRUCTS], ids=["dataclass", "struct"])
def test_documents_of_a_script_work_over_both_protocols(documents: str, future: str, tmp_path: Path) -> None:
    """Defaults, nested documents, enums, methods and __post_init__ are in the worker what they are in the script."""
    script = tmp_path / "service.py"
    script.write_text(future + documents + _SERVICE)

    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "done"
