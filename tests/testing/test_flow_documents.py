"""Documents of every kind through two executors, over every protocol: each gets what was sent, and so does the caller."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from jina import Executor, requests
from jina.docs import BaseDoc, DocList, NdArray
from jina.testing import Service, serve


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    n: int = 0


class Leaf(BaseDoc):
    text: str = ""
    tensor: NdArray | None = None


FIELDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "text": (str, st.text()),
    "number": (int, st.integers()),
    "real": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "flag": (bool, st.booleans()),
    "raw": (bytes, st.binary()),
    "moment": (dt.datetime, st.datetimes(timezones=st.none() | st.just(dt.UTC))),
    "day": (dt.date, st.dates()),
    "clock": (dt.time, st.times()),
    "span": (dt.timedelta, st.timedeltas(dt.timedelta(days=-1000), dt.timedelta(days=1000))),
    "amount": (decimal.Decimal, st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=3)),
    "key": (uuid.UUID, st.uuids()),
    "color": (Color, st.sampled_from(Color)),
    "choice": (Literal["a", 1], st.sampled_from(["a", 1])),
    "either": (int | str, st.integers() | st.text()),
    "maybe": (int | None, st.none() | st.integers()),
    "part": (Part, st.builds(Part, n=st.integers())),
    "parts": (list[Part], st.lists(st.builds(Part, n=st.integers()), max_size=2)),
    "by_name": (dict[str, Part], st.dictionaries(st.text(), st.builds(Part, n=st.integers()), max_size=2)),
    "by_number": (dict[int, list[str]], st.dictionaries(st.integers(), st.lists(st.text(), max_size=2), max_size=2)),
    "pair": (tuple[int, str], st.tuples(st.integers(), st.text())),
    "words": (set[str], st.sets(st.text(), max_size=3)),
    "frozen": (frozenset[int], st.frozensets(st.integers(), max_size=3)),
    "anything": (Any, st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner, max_size=2))),
}
ANNOTATIONS = {name: annotation for name, (annotation, _) in FIELDS.items()}
tensors = st.builds(np.arange, st.integers(1, 3), dtype=st.sampled_from(["int64", "float32"]))
leaves = st.lists(st.builds(Leaf, id=st.text(min_size=1), text=st.text(), tensor=st.none() | tensors), max_size=2)

AsDoc: Any = type("AsDoc", (BaseDoc,), {"__annotations__": {**ANNOTATIONS, "leaves": DocList[Leaf]}, "__module__": __name__})
AsModel: Any = type("AsModel", (BaseModel,), {"__annotations__": ANNOTATIONS, "__module__": __name__})
AsDataclass: Any = dataclasses.make_dataclass("AsDataclass", ANNOTATIONS.items())
AsStruct: Any = msgspec.defstruct("AsStruct", ANNOTATIONS.items())
KINDS: dict[str, tuple[Any, Any]] = {
    "doc": (AsDoc, DocList[AsDoc]),
    "model": (AsModel, list[AsModel]),
    "dataclass": (AsDataclass, list[AsDataclass]),
    "struct": (AsStruct, list[AsStruct]),
}


def executor_of(documents: Any) -> type[Executor]:
    """One that keeps what it is given, and gives it on."""

    class Keeps(Executor):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.seen: list[Any] = []

        def keep(self, docs: Any, **kwargs: Any) -> Any:
            self.seen = list(docs)
            return docs

        keep.__annotations__.update({"docs": documents, "return": documents})
        keep = requests(on="/keep")(keep)

    return Keeps


@pytest.fixture(scope="module", params=KINDS)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any, Service, dict[str, Any]]]:
    cls, documents = KINDS[request.param]
    keeps = executor_of(documents)
    with serve([("a", keeps), ("b", keeps)]) as service:
        yield cls, documents, service, {protocol: service.make_client(protocol) for protocol in ("grpc", "http", "websocket")}


def shown(value: Any, protocol: str) -> Any:
    """What two values must have in common to be the same: types too, where == forgives. JSON has one kind of number for many of numpy's."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind if protocol == "http" else value.dtype, value.tolist()
    if isinstance(value, (list, tuple)):
        return isinstance(value, tuple), [shown(each, protocol) for each in value]
    if isinstance(value, BaseDoc):
        return {name: shown(getattr(value, name), protocol) for name in type(value).model_fields}
    return type(value), value


@settings(max_examples=10)
@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
@given(data=st.data())
def test_documents_of_every_kind_pass_unharmed(running: Any, protocol: str, data: st.DataObject) -> None:
    """Every field, of each way to write a document class."""
    cls, documents, service, clients = running
    fields = {name: values for name, (_, values) in FIELDS.items()} | (
        {"id": st.text(min_size=1), "leaves": leaves} if cls is AsDoc else {}
    )
    sent = data.draw(st.lists(st.fixed_dictionaries(fields), min_size=1, max_size=2))
    made = clients[protocol].post("/keep", documents([cls(**each) for each in sent]), return_type=documents)

    names = [name for name in fields if name != "leaves"]
    expected = [[shown(each[name], protocol) for name in names] for each in sent]
    for found in (service.executors["a"].seen, service.executors["b"].seen, list(made)):
        assert [[shown(getattr(doc, name), protocol) for name in names] for doc in found] == expected
        if cls is AsDoc:
            assert [shown(doc.leaves, protocol) for doc in found] == [shown(each["leaves"], protocol) for each in sent]
