"""Documents of several branches as one list, on each of the three forms that they have."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any

import msgspec
import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.codec import codec_for
from jina.codec.join import join_documents
from jina.codec.join_json import join_json
from jina.codec.join_proto import join_proto
from jina.docs import BaseDoc, DocList, NdArray
from jina.errors import ConfigError, MalformedError


class Part(BaseDoc):
    text: str | None = None
    tags: list[str] = []


class Whole(BaseDoc):
    number: int = 0
    text: str | None = None
    tags: list[str] = []
    more: list[str] | None = None
    kinds: set[str] = set()
    pair: tuple[int, int] = (0, 0)
    notes: dict[str, Any] = {}
    tensor: NdArray | None = None
    when: datetime.datetime | None = None
    part: Part | None = None
    parts: DocList[Part] = DocList[Part]()


def on_documents(branches: list[list[Whole]]) -> list[Whole]:
    return join_documents([[doc.model_copy(deep=True) for doc in branch] for branch in branches], codec_for(Whole).schema)


def on_proto(branches: list[list[Whole]]) -> list[Any]:
    codec = codec_for(Whole)
    return codec.decode_proto(join_proto([codec.encode_proto(docs, dialect="ours") for docs in branches]), b"", dialect="ours")


def on_json(branches: list[list[Whole]]) -> list[Any]:
    codec = codec_for(Whole)
    return codec.decode_json(join_json([codec.encode_json(docs) for docs in branches], codec.json_schema()), b"")


FORMS = pytest.mark.parametrize("join", [on_documents, on_proto, on_json])


@FORMS
@pytest.mark.parametrize(
    ("first", "later", "joined"),
    [
        ({"number": 5}, {}, {"number": 0}),
        ({"text": "a"}, {}, {"text": "a"}),
        ({"text": "a"}, {"text": "b"}, {"text": "b"}),
        ({}, {"text": "b"}, {"text": "b"}),
        ({"tags": ["a", "b"]}, {"tags": ["b"]}, {"tags": ["a", "b", "b"]}),
        ({"more": ["a"]}, {"more": ["b"]}, {"more": ["a", "b"]}),
        ({"more": ["a"]}, {}, {"more": ["a"]}),
        ({"kinds": {"a"}}, {"kinds": {"a", "b"}}, {"kinds": {"a", "b"}}),
        ({"pair": (1, 1)}, {"pair": (2, 3)}, {"pair": (2, 3)}),
        ({"notes": {"a": 1, "b": {"x": 1}}}, {"notes": {"b": {"y": 1}}}, {"notes": {"a": 1, "b": {"y": 1}}}),
        ({"when": datetime.datetime(2020, 1, 1)}, {"when": datetime.datetime(2021, 1, 1)}, {"when": datetime.datetime(2021, 1, 1)}),
    ],
)
def test_a_later_branch_goes_over_an_earlier_one(join: Any, first: dict[str, Any], later: dict[str, Any], joined: dict[str, Any]) -> None:
    """As docarray's `update` does it, for each kind of field."""
    (doc,) = join([[Whole(id="1", **first)], [Whole(id="1", **later)]])

    assert doc == Whole(id="1", **joined)


@FORMS
def test_documents_within_documents_are_joined_alike(join: Any) -> None:
    """By their ids, at any depth."""
    first = Whole(id="1", part=Part(id="p", tags=["a"]), parts=DocList[Part]([Part(id="x", text="x"), Part(id="y", tags=["1"])]))
    later = Whole(id="1", part=Part(id="q", text="t"), parts=DocList[Part]([Part(id="y", text="y", tags=["2"]), Part(id="z")]))
    (doc,) = join([[first], [later]])

    assert (doc.part.id, doc.part.text, doc.part.tags) == ("q", "t", ["a"])
    assert [(part.id, part.text, part.tags) for part in doc.parts] == [("x", "x", []), ("y", "y", ["1", "2"]), ("z", None, [])]
    assert isinstance(doc.parts, DocList)


@FORMS
def test_a_tensor_is_replaced(join: Any) -> None:
    """It is one value, though JSON writes it as a list."""
    (doc,) = join([[Whole(id="1", tensor=np.zeros(2))], [Whole(id="1", tensor=np.ones(2))]])
    assert doc.tensor.tolist() == [1, 1]


@FORMS
def test_new_documents_follow_in_order(join: Any) -> None:
    """A document that the second and the third branch have is one; those of equal ids in one branch stay two."""
    docs = join(
        [[Whole(id="1")], [Whole(id="2", text="a"), Whole(id="2")], [Whole(id="3"), Whole(id="2", text="b"), Whole(id="1", number=1)]]
    )

    assert [(doc.id, doc.number, doc.text) for doc in docs] == [("1", 1, None), ("2", 0, "a"), ("2", 0, "b"), ("3", 0, None)]
    assert [doc.id for doc in join([[], [Whole(id="1")]])] == ["1"]
    assert join([[], []]) == []


wholes = st.lists(
    st.builds(
        Whole,
        id=st.sampled_from("abc"),
        number=st.integers(),
        text=st.none() | st.text(),
        tags=st.lists(st.text(), max_size=2),
        kinds=st.sets(st.sampled_from("xyz")),
        notes=st.dictionaries(st.text(), st.booleans() | st.text(), max_size=2),
        part=st.none() | st.builds(Part, id=st.sampled_from("pq"), text=st.none() | st.text()),
        parts=st.lists(st.builds(Part, id=st.sampled_from("pq"), tags=st.lists(st.text(), max_size=1)), max_size=3).map(DocList[Part]),
    ),
    max_size=3,
)


@given(st.lists(wholes, min_size=2, max_size=3))
def test_the_three_forms_agree(branches: list[list[Whole]]) -> None:
    """Whoever joins, and whatever the caller reads, the reply has the same documents."""
    on_each = [doc.model_dump() for doc in on_documents(branches)]

    assert [doc.model_dump() for doc in on_proto(branches)] == on_each
    assert [doc.model_dump() for doc in on_json(branches)] == on_each


class Model(pydantic.BaseModel, frozen=True, extra="allow"):
    id: str
    text: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    id: str
    text: str = ""


class Struct(msgspec.Struct, frozen=True):
    id: str
    text: str = ""


@pytest.mark.parametrize("cls", [Model, Data, Struct])
def test_every_kind_of_document_with_an_id_is_joined(cls: Any) -> None:
    """Frozen ones too: they have just been read, and nobody else has them."""
    docs = join_documents([[cls("1") if cls is not Model else Model(id="1")], [cls(id="1", text="a"), cls(id="2")]], codec_for(cls).schema)

    assert [(doc.id, doc.text) for doc in docs] == [("1", "a"), ("2", "")]


def test_keys_that_are_no_fields_are_kept() -> None:
    """Those of the later branch over those of the earlier."""
    (doc,) = join_documents([[Model(id="1", a=1, b=1)], [Model(id="1", b=2)]], codec_for(Model).schema)  # type: ignore[call-arg]
    assert json.loads(doc.model_dump_json()) == {"id": "1", "text": "", "a": 1, "b": 2}


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_what_is_no_document_is_one_kind_of_error(one: bytes, two: bytes) -> None:
    """Whatever somebody else's executor has sent."""
    for join in (join_proto, lambda lists: join_json(lists, {})):
        try:
            join([one, two])
        except MalformedError:
            continue


def test_documents_without_an_id_are_not_joined() -> None:
    """The error says what to do."""

    class Bare(pydantic.BaseModel):
        text: str

    with pytest.raises(ConfigError, match=r"'Bare' come from several nodes .* no field 'id'; give the class one, or pass no_reduce"):
        join_documents([[], []], codec_for(Bare).schema)


def test_what_has_no_id_in_it_is_united_with_nothing() -> None:
    """None names no document."""

    class Maybe(pydantic.BaseModel):
        id: str | None = None

    codec = codec_for(Maybe)
    assert len(join_documents([[Maybe()], [Maybe()]], codec.schema)) == 2
    assert join_json([b'[{"id":null}]', b"[{}]"], codec.json_schema()) == b'[{"id":null},{}]'
    assert len(codec.decode_proto(join_proto([codec.encode_proto([Maybe()], dialect="ours")] * 2), b"", dialect="ours")) == 2
