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


_PARTICULARS = """
import sys
from dataclasses import InitVar, dataclass, field
from typing import Annotated, ClassVar
import msgspec
from pydantic import TypeAdapter

@dataclass(frozen=True, slots=True)
class Frozen:
    a: int
    b: list[int] = field(default_factory=list)

@dataclass(order=True)
class Scaled:
    x: int
    scale: InitVar[int] = 2
    kind: ClassVar[str] = "k"

    def __post_init__(self, scale):
        self.x *= scale

class Tagged(msgspec.Struct, tag="s", tag_field="kind", omit_defaults=True, forbid_unknown_fields=True):
    v: int
    w: Annotated[int, msgspec.Meta(ge=0)] = 1
    K: ClassVar[int] = 5

    @property
    def double(self):
        return self.v * 2

    @classmethod
    def make(cls):
        return cls(v=1)

    def __repr__(self):
        return "mine: " + super().__repr__()

class Derived(Tagged, tag="t"):
    parts: list[Tagged] = []

    def __post_init__(self):
        self.w = 9

class Row(msgspec.Struct, array_like=True, frozen=True, order=True, cache_hash=True, kw_only=True):
    n: int = 1

def refuses(call):
    try:
        call()
    except Exception:
        return True
    return False

def check():
    assert Frozen(1).b == [] and refuses(lambda: setattr(Frozen(1), "a", 2))
    assert Scaled(3).x == 6 and Scaled.kind == "k" and Scaled(1) < Scaled(2)
    assert TypeAdapter(Scaled).validate_json(b'{"x": 2}').x == 4
    made = Tagged.make()
    assert made.double == 2 and Tagged.K == 5 and repr(made).startswith("mine: Tagged(")
    assert msgspec.json.encode(made) == b'{"kind":"s","v":1}'
    for bad in (b'{"kind":"s","v":1,"z":1}', b'{"kind":"s","v":1,"w":-1}', b'{"kind":"s","v":"x"}'):
        assert refuses(lambda: msgspec.json.decode(bad, type=Tagged)), bad
    derived = msgspec.json.decode(b'{"kind":"t","v":1,"parts":[{"kind":"s","v":2}]}', type=Derived)
    assert derived.w == 9 and derived.parts == [Tagged(v=2)]
    assert msgspec.json.encode(Row(n=3)) == b"[3]" and hash(Row()) == hash(Row()) and Row(n=1) < Row(n=2)

if __name__ == "__main__":
    from jina.process.travel import pack

    check()
    open(sys.argv[1], "wb").write(pack(check, what="check"))
"""


def test_particulars_of_such_classes_stay_what_they_are(tmp_path: Path) -> None:
    """Frozen, ordered, tagged, constrained, with slots, derived from each other: in a fresh interpreter as in the script."""
    script, packed = tmp_path / "service.py", tmp_path / "packed"
    script.write_text(_PARTICULARS)
    reader = f"import pickle; pickle.load(open({str(packed)!r}, 'rb'))()"

    subprocess.run([sys.executable, str(script), str(packed)], check=True)
    subprocess.run([sys.executable, "-c", reader], check=True)
