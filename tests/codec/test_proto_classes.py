"""Which class a nested document becomes, where the wire does not name it; classes that pydantic alone can make."""

from __future__ import annotations

from typing import Any, Literal, Optional

import numpy as np
import pytest
from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass

from jina.codec import codec_for
from jina.docs import BaseDoc, DocList, LegacyDocument, NdArray
from jina.errors import InvalidInputError, UnencodableError


class Left(BaseDoc):
    x: int = 0


class Right(BaseDoc):
    y: int = 0


class Wide(Left):
    z: int = 0


class Cat(BaseDoc):
    kind: Literal["cat"] = "cat"
    n: int = 0


class Dog(BaseDoc):
    kind: Literal["dog"] = "dog"
    n: int = 0


class Either(BaseDoc):
    one: Left | Right
    many: list[Left | Right] = []
    by_name: dict[str, Left | Right] = {}
    maybe: Left | Right | None = None
    heir: Left | Wide = Left()
    pet: Cat | Dog = Cat()


class Point(BaseModel):
    lat: float = 0


class Mixed(BaseDoc):
    part: Left | Point | str = ""


class Lists(BaseDoc):
    docs: DocList[Left] | DocList[Right] = DocList[Left]()
    items: list[Left] | list[Right] = []
    by_name: dict[str, Left] | dict[str, Right] | dict[str, int] = {}
    any_of: DocList[Right] | Left | None = None


class Later(BaseDoc):
    name: str = ""
    kids: Optional[DocList["Later"]] = None  # noqa: UP045, UP037 - as docarray's own documents write it


@pytest.mark.parametrize("how", ["strict", "ours"])
def test_of_a_unions_documents_the_one_with_these_fields_is_made(how: str) -> None:
    """As pydantic does for JSON: all of them have defaults, so the first would take anything and lose it."""
    doc = Either(
        one=Right(y=1), many=[Left(x=2), Right(y=3)], by_name={"a": Right(y=4)}, maybe=Right(y=5), heir=Wide(x=6, z=7), pet=Dog(n=8)
    )
    codec = codec_for(Either)
    (read,) = codec.decode_proto(codec.encode_proto([doc], dialect=how), dialect=how)

    assert read == doc
    assert [type(one) for one in (read.one, *read.many, read.by_name["a"], read.maybe, read.heir, read.pet)] == [
        *(Right, Left, Right, Right, Right, Wide, Dog)
    ]


@pytest.mark.parametrize("how", ["strict", "ours"])
def test_of_a_unions_lists_the_one_of_these_documents_is_made(how: str) -> None:
    """An empty one is of the first."""
    codec = codec_for(Lists)
    docs = [
        Lists(docs=DocList[Right]([Right(y=1)]), items=[Right(y=2)], by_name={"a": Right(y=3)}, any_of=Left(x=4)),
        Lists(docs=DocList[Left]([Left(x=1)]), items=[Left(x=2)], by_name={"a": 3}, any_of=DocList[Right]([Right(y=4)])),
        Lists(),
    ]
    read = codec.decode_proto(codec.encode_proto(docs, dialect=how), dialect=how)

    assert read == docs
    assert [type(doc.docs) for doc in read] == [DocList[Right], DocList[Left], DocList[Left]]


def test_a_union_of_a_document_and_a_model_keeps_both() -> None:
    """Plain models have a form in our own dialect."""
    codec = codec_for(Mixed)
    docs = [Mixed(part=Point(lat=1.5)), Mixed(part=Left(x=2)), Mixed(part="text")]

    assert codec.decode_proto(codec.encode_proto(docs, dialect="ours"), dialect="ours") == docs


@pytest.mark.parametrize("how", ["json", "strict"])
@pytest.mark.parametrize("cls", [Later, LegacyDocument])
def test_lists_of_a_class_named_ahead_hold_that_class(cls: Any, how: str) -> None:
    """`DocList["Later"]`, which pydantic resolves, is the same as `DocList[Later]`."""
    name = "kids" if cls is Later else "chunks"
    codec = codec_for(cls)
    doc = cls(**{name: DocList[cls]([cls(**{name: DocList[cls]([cls()])})])})
    data = codec.encode_json([doc]) if how == "json" else codec.encode_proto([doc])
    (read,) = codec.decode_json(data) if how == "json" else codec.decode_proto(data)
    kids = getattr(read, name)

    assert (type(kids), type(kids[0]), type(getattr(kids[0], name)[0])) == (DocList[cls], cls, cls)
    assert read == doc


@dataclass
class Checked:
    n: int = Field(alias="N")
    text: str = Field("x", max_length=3)


def test_a_dataclass_of_pydantics_with_aliases_is_read_by_its_fields_names() -> None:
    """Aliases are for JSON."""
    codec = codec_for(Checked)
    docs = [Checked(N=3, text="abc")]  # type: ignore[call-arg,unused-ignore]

    assert codec.decode_proto(codec.encode_proto(docs)) == docs
    assert codec.decode_json(codec.encode_json(docs)) == docs


def test_findings_in_a_dataclass_of_pydantics_have_places() -> None:
    """Not one text of several lines."""

    class Loose(BaseDoc):
        n: int
        text: str

    data = codec_for(Loose).encode_proto([Loose(n=1, text="a"), Loose(n=2, text="too long")])
    with pytest.raises(InvalidInputError) as caught:
        codec_for(Checked).decode_proto(data)
    assert [(one["loc"], one["type"]) for one in caught.value.details] == [((1, "text"), "string_too_long")]


class Tensor(BaseDoc):
    tensor: NdArray


RECORDS = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])


def test_records_are_refused() -> None:
    """An array of them would come back as bytes, or as another array."""
    codec = codec_for(Tensor)

    with pytest.raises(UnencodableError, match=r"records.*docs\[0\].tensor"):
        codec.encode_proto([Tensor(tensor=RECORDS)])
    with pytest.raises(UnencodableError, match=r"field 'tensor' of document 0.*records"):
        codec.encode_json([Tensor(tensor=RECORDS)])


def test_long_doubles_are_written_as_doubles() -> None:
    """JSON's numbers are no longer than that."""
    codec = codec_for(Tensor)

    assert codec.decode_json_one(codec.encode_json_one(Tensor(tensor=np.array([0.5], dtype=np.longdouble)))).tensor.tolist() == [0.5]
