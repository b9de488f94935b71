"""The strict dialect against docarray itself: the same bytes out, the same documents in."""

# mypy: disable-error-code="type-arg, arg-type"
# Bare types and plain arrays in fields are what is tested here.

from __future__ import annotations

import warnings
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import jina.docs as ours
from jina.codec.proto import ProtoCodec
from jina.codec.schema import schema_of

pytestmark = [pytest.mark.docarray, pytest.mark.filterwarnings("ignore")]
docarray = pytest.importorskip("docarray")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from docarray import BaseDoc, DocList
    from docarray.proto import DocListProto, DocProto
    from docarray.typing import AnyTensor, ImageBytes, ImageUrl, NdArray, NdArrayEmbedding


class Sub(BaseDoc):
    x: int = 1
    s: str = "q"


class Wide(BaseDoc):
    text: str
    n: int
    f: float
    b: bool
    raw: bytes
    maybe: int | None
    any: AnyTensor
    a: Any
    tensor: NdArray
    three: NdArray[3]  # type: ignore[valid-type]
    no_tensor: NdArray | None
    embedding: NdArrayEmbedding
    url: ImageUrl
    image: ImageBytes
    sub: Sub
    maybe_sub: Sub | None
    subs: DocList[Sub]
    words: list[str]
    things: list
    counts: dict[str, int]
    nested: dict
    pair: tuple
    numbers: set
    union: int | str


QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
INT32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, 1, -1, 127, 128, 2**31 - 1, -(2**31)])
TEXT = st.text(max_size=12) | st.sampled_from(["", "a" * 127, "é" * 64, "x" * 300, "😀"])
FLOAT = st.floats(allow_nan=False)
BLOB = st.binary(max_size=12) | st.just(b"\xff" * 200)
LEAF = st.none() | st.booleans() | INT32 | FLOAT | TEXT | BLOB
TREE = st.recursive(LEAF, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=4), part, max_size=4), max_leaves=8)
DTYPES = st.sampled_from(["<f4", "<f8", "<i8", "|u1", "<i4", "<f2", ">f4", "|b1", "<c8"])
SHAPES = st.sampled_from([(3,), (768,), (2, 3), (1, 130, 2), (1,), ()])


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    shape, seed = draw(SHAPES), draw(st.integers(0, 2**16))
    array = np.random.default_rng(seed).random(shape) * 9
    array = np.asarray(array).astype(draw(DTYPES))
    return array[..., ::2] if draw(st.booleans()) and array.ndim and array.shape[-1] > 1 else array


SUBS = st.builds(Sub, x=INT32, s=TEXT)
WIDES = st.builds(
    Wide,
    text=TEXT,
    n=INT32,
    f=FLOAT,
    b=st.booleans(),
    raw=BLOB,
    maybe=st.none() | INT32,
    any=arrays(),
    a=TREE,
    tensor=arrays(),
    three=st.just(np.arange(3.0)),
    no_tensor=st.none() | arrays(),
    embedding=arrays(),
    url=st.just("http://x/y.png"),
    image=BLOB,
    sub=SUBS,
    maybe_sub=st.none() | SUBS,
    subs=st.lists(SUBS, max_size=3),
    words=st.lists(TEXT, max_size=3),
    things=st.lists(TREE, max_size=3),
    counts=st.dictionaries(st.text(max_size=5), INT32, max_size=4),
    nested=st.dictionaries(st.sampled_from(["a", "ab", "abc", "b", "", "é"]), TREE),
    pair=st.tuples(INT32, TEXT),
    numbers=st.sets(INT32, max_size=3),
    union=INT32 | TEXT,
)
CODEC = ProtoCodec(schema_of(Wide))


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down; ids and arrays' writability included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, BaseDoc):
        return list(left.__dict__) == list(right.__dict__) and all(same(left.__dict__[k], right.__dict__[k]) for k in left.__dict__)
    if isinstance(left, np.ndarray):
        same_form = left.dtype == right.dtype and left.shape == right.shape and left.flags.writeable == right.flags.writeable
        return bool(same_form) and left.tobytes() == right.tobytes()
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    return bool(left == right)


@QUICK
@given(st.lists(WIDES, max_size=2))
def test_bytes_equal_docarrays_deterministic_ones(docs: list[Wide]) -> None:
    """Whatever is in them, our bytes are those of docarray's deterministic form."""
    expected = DocList[Wide](docs).to_protobuf().SerializeToString(deterministic=True)

    assert CODEC.encode(docs) == expected
    assert CODEC.encode(docs, dialect="ours") == expected


@QUICK
@given(st.lists(WIDES, max_size=2))
def test_documents_equal_those_that_docarray_reads(docs: list[Wide]) -> None:
    """From deterministic bytes, and from those in protobuf's own order, trusted or not."""
    proto = DocList[Wide](docs).to_protobuf()
    expected = list(DocList[Wide].from_protobuf(proto))

    for data in (proto.SerializeToString(deterministic=True), proto.SerializeToString()):
        assert same(CODEC.decode(data), expected)
        assert same(CODEC.decode(data, trusted=True), expected)


@QUICK
@given(WIDES)
def test_docarray_reads_what_we_write(doc: Wide) -> None:
    """A single document, through docarray and back through us."""
    read = Wide.from_protobuf(DocProto.FromString(CODEC.encode_one(doc)))

    assert same(CODEC.decode_one(CODEC.encode_one(doc)), read)


def test_a_plain_list_of_documents_comes_back() -> None:
    """docarray writes it and cannot read it; we do both."""

    class Doc(BaseDoc):
        subs: list[Sub]
        by_name: dict[str, Sub]

    codec, doc = ProtoCodec(schema_of(Doc)), Doc(subs=[Sub(x=3)], by_name={"a": Sub(x=4)})

    assert codec.encode_one(doc) == doc.to_protobuf().SerializeToString(deterministic=True)
    assert same(codec.decode_one(codec.encode_one(doc)), doc)


def test_an_empty_array_keeps_its_dtype() -> None:
    """docarray reads every empty array as float64, though the dtype is on the wire."""

    class Doc(BaseDoc):
        t: NdArray

    codec = ProtoCodec(schema_of(Doc))
    (doc,) = codec.decode(codec.encode([Doc(t=np.zeros((0, 4), "<f4"))]))

    assert doc.t.dtype == np.float32
    assert doc.t.shape == (0, 4)


def test_an_array_of_another_shape_is_refused_with_its_place() -> None:
    """A shape that the class asks for is checked for bytes from outside."""

    class Loose(BaseDoc):
        t: NdArray

    class Strict(BaseDoc):
        t: NdArray[4]  # type: ignore[valid-type]

    from jina.errors import InvalidInputError

    data = ProtoCodec(schema_of(Loose)).encode([Loose(t=np.zeros(4)), Loose(t=np.zeros(5))])
    with pytest.raises(InvalidInputError) as error:
        ProtoCodec(schema_of(Strict)).decode(data)

    assert error.value.details[0]["loc"][:2] == (1, "t")


def test_documents_of_a_subclass_keep_their_fields() -> None:
    """A list is encoded by what each document is."""

    class Base(BaseDoc):
        a: int = 1

    class Derived(Base):
        b: str = "b"

    docs = DocList[Base]([Base(), Derived(a=2)])

    assert ProtoCodec(schema_of(Base)).encode(docs) == docs.to_protobuf().SerializeToString(deterministic=True)


def test_extra_fields_travel_where_the_class_allows_them() -> None:
    """AnyDoc takes every key."""
    from docarray.base_doc import AnyDoc

    data = DocList[Sub]([Sub(x=5, s="é")]).to_protobuf().SerializeToString()
    (doc,) = ProtoCodec(schema_of(AnyDoc)).decode(data)

    assert (doc.x, doc.s) == (5, "é")
    assert DocListProto.FromString(ProtoCodec(schema_of(AnyDoc)).encode([doc])) == DocListProto.FromString(data)


@QUICK
@given(st.lists(WIDES, max_size=2))
def test_our_classes_read_and_write_the_same_bytes(docs: list[Wide]) -> None:
    """A class of jina.docs with the same fields takes docarray's documents and gives the same bytes again."""
    for doc in docs:
        doc.numbers = set(list(doc.numbers)[:1])  # a set's own order depends on how it was filled
    data = DocList[Wide](docs).to_protobuf().SerializeToString(deterministic=True)
    codec = ProtoCodec(schema_of(OurWide))

    assert codec.encode(codec.decode(data)) == data
    assert codec.encode(codec.decode(data, trusted=True)) == data


class OurSub(ours.BaseDoc):
    x: int = 1
    s: str = "q"


class OurWide(ours.BaseDoc):
    text: str
    n: int
    f: float
    b: bool
    raw: bytes
    maybe: int | None
    any: ours.AnyTensor
    a: Any
    tensor: ours.NdArray
    three: ours.NdArray[3]  # type: ignore[valid-type]
    no_tensor: ours.NdArray | None
    embedding: ours.NdArrayEmbedding
    url: ours.ImageUrl
    image: ours.ImageBytes
    sub: OurSub
    maybe_sub: OurSub | None
    subs: ours.DocList[OurSub]
    words: list[str]
    things: list
    counts: dict[str, int]
    nested: dict
    pair: tuple
    numbers: set
    union: int | str
