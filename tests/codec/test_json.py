# mypy: disable-error-code="misc,type-arg,valid-type,arg-type,call-arg,unused-ignore,assignment"
"""Documents as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Optional, Union
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, Field

from jina.codec.ids import document_id
from jina.codec.json import JsonCodec
from jina.codec.schema import schema_of
from jina.docs import AnyDoc, AnyUrl, BaseDoc, BaseDocWithoutId, DocList, ImageBytes, NdArray, TextDoc
from jina.errors import InvalidInputError, MalformedError, UnencodableError


def codec(cls: type) -> JsonCodec:
    return JsonCodec(schema_of(cls))


class Color(Enum):
    RED = "red"


class Leaf(BaseDoc):
    n: int = 0


class Everything(BaseDoc):
    text: str = ""
    n: int = 0
    x: float = 0.0
    flag: bool = False
    blob: bytes = b""
    maybe_blob: bytes | None = None
    blobs: list[bytes] = []
    named_blobs: dict[str, bytes] = {}
    image: ImageBytes | None = None
    url: AnyUrl | None = None
    tensor: NdArray | None = None
    pair: NdArray[2] | None = None  # type: ignore[valid-type]
    leaf: Leaf | None = None
    leaves: DocList[Leaf] = DocList[Leaf]()
    tags: dict[str, Any] = {}
    words: list[str] = []
    when: datetime | None = None
    price: Decimal | None = None
    name: UUID | None = None
    color: Color | None = None
    mode: Literal["a", "b"] = "a"
    either: Union[int, str] = 0  # noqa: UP007
    couple: tuple[int, str] = (0, "")
    unique: set[int] = set()


class Tree(BaseDoc):
    t: NdArray[3] = None  # type: ignore[valid-type,assignment]
    leaf: Leaf | None = None
    leaves: DocList[Leaf] = DocList[Leaf]()
    by_name: dict[str, Leaf] = {}
    anything: Any = None


finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
tensors = st.sampled_from(["f4", "f8", "i8", "bool"]).flatmap(
    lambda dtype: st.lists(st.integers(0, 1) if dtype == "bool" else st.integers(-1000, 1000), min_size=1).map(
        lambda values: (
            np.array(values, dtype=dtype) / (1 if dtype in ("i8", "bool") else 7) if dtype[0] == "f" else np.array(values, dtype=dtype)
        )
    )
)
documents = st.builds(
    Everything,
    id=st.text(),
    text=st.text(),
    n=st.integers(-(2**70), 2**70),
    x=finite,
    flag=st.booleans(),
    blob=st.binary() | st.just(b"data:;base64,xx"),
    maybe_blob=st.none() | st.binary(),
    blobs=st.lists(st.binary(), max_size=3),
    named_blobs=st.dictionaries(st.text(), st.binary(), max_size=3),
    image=st.none() | st.binary(),
    url=st.none() | st.text(),
    tensor=st.none() | tensors,
    leaf=st.none() | st.builds(Leaf, n=st.integers()),
    leaves=st.lists(st.builds(Leaf, id=st.text(), n=st.integers()), max_size=3),
    tags=st.dictionaries(st.text(), json_values, max_size=3),
    words=st.lists(st.text(), max_size=3),
    when=st.none() | st.datetimes(),
    price=st.none() | st.decimals(allow_nan=False, allow_infinity=False),
    name=st.none() | st.uuids(),
    color=st.none() | st.just(Color.RED),
    mode=st.sampled_from(["a", "b"]),
    either=st.integers() | st.text().filter(lambda text: not text.strip().lstrip("+-").isdigit()),
    couple=st.tuples(st.integers(), st.text()),
    unique=st.sets(st.integers()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(documents, max_size=3))
def test_documents_come_back_as_they_were(docs: list[Everything]) -> None:
    """Every kind of field, ids included; the JSON is JSON to the standard library too."""
    known = codec(Everything)
    data = known.encode(docs)

    again = known.decode(data)
    assert again == docs
    assert [doc.id for doc in again] == [doc.id for doc in docs]
    assert [type(doc.leaves) for doc in again] == [DocList[Leaf]] * len(docs)
    assert [entry["id"] for entry in json.loads(data)] == [doc.id for doc in docs]
    for doc in docs:
        assert known.decode_one(known.encode_one(doc)) == doc


def test_no_bytes_are_no_documents() -> None:
    """An empty payload is an empty list; an empty single document is not JSON."""
    assert codec(Leaf).decode(b"") == []
    assert codec(Leaf).encode([]) == b"[]"
    with pytest.raises(MalformedError):
        codec(Leaf).decode_one(b"")


@pytest.mark.parametrize(
    ("data", "loc", "kind"),
    [
        (b'[{"n":"x"}]', (0, "n"), "int_parsing"),
        (b'[{},{"n":[]}]', (1, "n"), "int_type"),
        (b'[{"id":null}]', (0, "id"), "string_type"),
        (b"[5]", (0,), "model_type"),
        (b"{}", (), "list_type"),
        (b'[{"n":1.5}]', (0, "n"), "int_from_float"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(data: bytes, loc: tuple[Any, ...], kind: str) -> None:
    """Index first, then the field, with pydantic's words and types."""
    with pytest.raises(InvalidInputError, match="input does not fit 'Leaf'") as caught:
        codec(Leaf).decode(data)

    assert [(detail["loc"], detail["type"]) for detail in caught.value.details] == [(loc, kind)]
    assert set(caught.value.details[0]) == {"loc", "msg", "type"}


def test_places_lead_into_nested_documents_and_name_all_findings() -> None:
    """And the text counts them."""
    with pytest.raises(InvalidInputError, match=r"0\.t: expected a tensor of shape \(3,\), got \(2,\) \(2 findings\)") as caught:
        codec(Tree).decode(b'[{"t":[1,2],"leaves":[{"n":1},{"n":"x"}]}]')

    assert [detail["loc"] for detail in caught.value.details] == [(0, "t"), (0, "leaves", 1, "n")]
    with pytest.raises(InvalidInputError) as caught:
        codec(Tree).decode_one(b'{"t":[1,2]}')
    assert caught.value.details[0]["loc"] == ("t",)


def test_a_flood_of_findings_is_cut() -> None:
    """A hundred are enough."""
    with pytest.raises(InvalidInputError, match="5000 findings") as caught:
        codec(Leaf).decode(b"[" + b",".join([b'{"n":"x"}'] * 5000) + b"]")

    assert len(caught.value.details) == 100


PADDING = b'{"n":1},' * 1000


@pytest.mark.parametrize("padding", [b"", PADDING])
@pytest.mark.parametrize("cls", [Leaf, Tree])
@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b'{"x":NaN}', "JSON has no NaN; send null or a number"),
        (b'{"x":-Infinity}', "JSON has no Infinity"),
        (b'{"id":"\xff"}', "invalid"),
        (b'{"id":"\\ud800"}', "not JSON"),
        (b"{", "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"n":01}', "not JSON"),
        (b'{"n":1,}', "not JSON"),
    ],
)
def test_what_is_not_json_is_malformed(cls: type, padding: bytes, document: bytes, text: str) -> None:
    """Whether there is little or much of it, and whether or not the class has fields for anything."""
    with pytest.raises(MalformedError, match=text):
        codec(cls).decode(b"[" + padding + document + b"]")


class Numbers(BaseDoc):
    x: float = 0.0
    t: NdArray | None = None


@pytest.mark.parametrize("padding", [b"", PADDING])
@pytest.mark.parametrize("document", [b'{"x":1e999}', b'{"t":[1e999,1]}', b'{"t":[[-1e400]]}', b'{"x":"inf"}'])
def test_numbers_beyond_float_are_refused(padding: bytes, document: bytes) -> None:
    """They would become infinities without a word."""
    with pytest.raises((InvalidInputError, MalformedError), match=r"finite|out of range"):
        codec(Numbers).decode(b"[" + padding + document + b"]")
    with pytest.raises(MalformedError, match="out of range"):
        codec(Tree).decode(b"[" + padding + b'{"anything":1e999}]')


def nested(depth: int) -> bytes:
    return b'[{"anything":' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"}]"


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        b',{"id":"\\"[["},{"id":"' + b"[" * 500 + b'\\\\"}',
        b"," + b",".join([b'{"by_name":{}}'] * 900),
        b',{"id":"["},{"id":"","name":"{["},' + b'{"id":"]["},' * 70 + b'{"id":"["}',
    ],
)
def test_nesting_ends_at_64(extra: bytes) -> None:
    """Brackets in strings and side by side do not count."""
    data = nested(64)[:-1] + extra + b"]"
    assert codec(Tree).decode(data)
    with pytest.raises(InvalidInputError, match="nested 65 deep; the limit is 64"):
        codec(Tree).decode(nested(65)[:-1] + extra + b"]")


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_deep_nesting_is_an_error_and_no_crash(data: bytes) -> None:
    """Even where it does not end."""
    with pytest.raises(InvalidInputError, match="100000 deep"):
        codec(Leaf).decode(data)


def test_of_duplicate_keys_the_last_counts() -> None:
    """Inside documents; the envelope is another matter."""
    assert codec(Leaf).decode(b'[{"n":1,"n":2}]')[0].n == 2


def test_nan_and_infinities_are_null_and_null_in_a_tensor_is_nan() -> None:
    """JSON has no others."""
    data = codec(Numbers).encode([Numbers(id="", x=float("nan"), t=np.array([1, np.nan, np.inf]))])

    assert data == b'[{"id":"","x":null,"t":[1.0,null,null]}]'
    again = codec(Numbers).decode(b'[{"t":[1.0,null]}]')[0].t
    assert again[0] == 1
    assert np.isnan(again[1])


def test_float32_comes_back_with_the_same_values() -> None:
    """Each value is written as the float64 that it equals."""
    t = np.random.default_rng(0).random((4, 192), dtype=np.float32)
    again = codec(Numbers).decode(codec(Numbers).encode([Numbers(t=t)]))[0].t

    assert again.dtype == np.float64
    assert np.array_equal(again, t)


def test_bytes_are_text_or_data_urls_wherever_they_are() -> None:
    """In `Any` on the way out only: a string there stays a string on the way in."""
    doc = Tree(
        id="1", t=[1, 2, 3], anything=[b"a", b"\xff", {"k": (b"\xfe", Everything(id="2", blob=b"\xfd"))}, np.arange(2), np.float32(0.5)]
    )
    data = json.loads(codec(Tree).encode_one(doc))

    assert data["anything"][:2] == ["a", "data:;base64,/w=="]
    assert data["anything"][2]["k"][0] == "data:;base64,/g=="
    assert data["anything"][2]["k"][1]["blob"] == "data:;base64,/Q=="
    assert data["anything"][3:] == [[0, 1], 0.5]
    with pytest.raises(InvalidInputError, match=r"0\.blob: Data after 'data:;base64,' should be valid base64"):
        codec(Everything).decode(b'[{"blob":"data:;base64,a"}]')


def test_any_document_takes_and_gives_anything() -> None:
    """Bytes and tensors included."""
    doc = AnyDoc(id="1", b=b"\xff", t=np.arange(2), s="x")  # type: ignore[call-arg]

    assert codec(AnyDoc).encode([doc]) == b'[{"id":"1","b":"data:;base64,/w==","t":[0,1],"s":"x"}]'
    assert codec(AnyDoc).decode(b'[{"a":[1]}]')[0].a == [1]


@pytest.mark.parametrize("value", [object(), np.array([1j]), {1, object()}])
def test_a_value_without_a_json_form_is_named(value: Any) -> None:
    """Document, field and value."""
    docs = [Tree(t=[1, 2, 3]), Tree(t=[1, 2, 3], anything=value)]

    with pytest.raises(UnencodableError, match=r"field 'anything' of document 1 \(Tree\) has no JSON form"):
        codec(Tree).encode(docs)
    with pytest.raises(UnencodableError, match="field 'anything' of document 0"):
        codec(Tree).encode_one(docs[1])


CALL = bytes(range(16))


def test_documents_without_an_id_are_named_by_their_path() -> None:
    """The same in every process; those that have one keep it; without a call id they are random."""
    data = b'[{"id":"mine"},{"leaf":{},"leaves":[{"id":"x"},{}],"by_name":{"a":{}}}]'
    first, second = codec(Tree).decode(data, CALL)

    assert first.id == "mine"
    assert second.id == document_id(CALL, "1")
    assert second.leaf.id == document_id(CALL, "1.leaf")
    assert [leaf.id for leaf in second.leaves] == ["x", document_id(CALL, "1.leaves.1")]
    assert second.by_name["a"].id == document_id(CALL, "1.by_name.a")
    assert codec(Tree).decode_one(b"{}", CALL).id == document_id(CALL, "0")
    assert codec(Tree).decode(data)[1].id != codec(Tree).decode(data)[1].id


def test_an_own_default_of_the_id_is_kept() -> None:
    """What the user wrote wins."""

    class Own(BaseDoc):
        id: str = "own"  # type: ignore[assignment]

    class Made(BaseDoc):
        id: str = Field(default_factory=lambda: "made")  # type: ignore[assignment]

    assert codec(Own).decode(b"[{}]", CALL)[0].id == "own"
    assert codec(Made).decode(b"[{}]", CALL)[0].id == "made"


def test_classes_without_ids_get_none() -> None:
    """Their JSON has no `id`."""

    class Point(BaseDocWithoutId):
        x: int

    assert codec(Point).encode(codec(Point).decode(b'[{"x":1}]', CALL)) == b'[{"x":1}]'


def test_the_schema_of_a_document_is_at_the_top() -> None:
    """Also of one that contains itself; nested classes stand under $defs."""

    class Loop(BaseDoc):
        text: TextDoc
        again: Optional[Loop] = None  # noqa: UP045

    schema = codec(Loop).json_schema()
    assert set(schema["properties"]) == {"id", "text", "again"}
    assert set(schema["$defs"]) == {"Loop", "TextDoc"}
    assert codec(Tree).json_schema()["properties"]["t"]["tensor/array shape"] == "[3]"


@pytest.mark.parametrize("text", ["\\ud800", "\\ud800 and more text", "\\ud800\\ud800", "\\udc00"])
def test_half_a_surrogate_pair_is_named(text: str) -> None:
    """Nobody would guess from `truncated` what is wrong with a string that is whole."""
    with pytest.raises(MalformedError, match="half of a surrogate pair"):
        codec(Tree).decode(b'[{"id":"' + text.encode() + b'"}]')


def test_a_field_that_no_schema_describes_may_be_anything() -> None:
    """A class may hold what never travels; its service starts all the same."""

    class Holder(BaseDoc):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        n: int = 0
        call: Callable[[], int] | None = Field(None, exclude=True)
        lock: type | None = Field(None, exclude=True)

    described = codec(Holder).json_schema()["properties"]
    assert described["n"]["type"] == "integer"
    assert {"call", "lock"} <= described.keys()
    assert codec(Holder).decode(codec(Holder).encode([Holder(n=3, call=lambda: 1)]))[0].n == 3
