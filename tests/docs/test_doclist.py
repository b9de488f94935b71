# mypy: disable-error-code="misc,type-arg,valid-type,arg-type,list-item,comparison-overlap,no-untyped-call,unused-ignore,assignment"
"""DocList: a typed list with columns."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Optional

import msgspec
import numpy as np
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from jina.docs import AnyDoc, BaseDoc, DocList, NdArray, TextDoc
from jina.errors import MalformedError


class Word(BaseDoc):
    text: str = ""
    count: int = 0


class Line(BaseDoc):
    words: DocList[Word] = DocList[Word]()
    first: Word = Word()
    maybe: Word | None = None


class Node(BaseDoc):
    name: str = ""
    children: Optional[DocList["Node"]] = None  # noqa: UP045, UP037


def words(*texts: str) -> DocList[Word]:
    return DocList[Word]([Word(text=text) for text in texts])


def test_there_is_one_class_for_each_document_class() -> None:
    """Subscribing again, or once more, gives the same."""
    assert DocList[Word] is DocList[Word]
    assert DocList[Word][Word] is DocList[Word]  # type: ignore[misc]
    assert DocList[Word].doc_type is Word
    assert DocList.doc_type is AnyDoc
    assert DocList[Word].__name__ == "DocList[Word]"
    assert isinstance(words(), DocList[Word])
    assert not isinstance(words(), DocList[Line])
    assert issubclass(DocList[Word], list)


@pytest.mark.parametrize("item", [int, 5, list[int], None])
def test_only_document_classes_can_be_listed(item: Any) -> None:
    """A list of ints is not a DocList."""
    with pytest.raises(TypeError, match="DocList needs a document class"):
        DocList[item]
    with pytest.raises(TypeError, match="a list of Word already"):
        DocList[Word][Line]  # type: ignore[misc]


def test_documents_of_another_class_are_refused() -> None:
    """Everywhere, and nothing is added by a call that fails."""
    docs, wrong = words("a"), Line()
    calls = [
        lambda: DocList[Word]([wrong]),
        lambda: docs.append(wrong),
        lambda: docs.insert(0, wrong),
        lambda: docs.extend([Word(), wrong]),
        lambda: docs.__setitem__(0, wrong),
        lambda: docs.__setitem__(slice(0, 1), [wrong]),
        lambda: docs.__setitem__([0], [wrong]),
        lambda: DocList(["text"]),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"expected a (Word|AnyDoc), got (Line|str)"):
            call()
    assert docs.text == ["a"]


def test_construct_does_not_look() -> None:
    """For documents that are known to be right."""
    assert len(DocList[Word].construct([1, 2])) == 2  # type: ignore[list-item]


def test_an_index_may_select_many() -> None:
    """Slices, lists of ints, masks, numpy arrays; each gives a list of the same class."""
    docs = words("a", "b", "c", "d")

    assert docs[1].text == "b"
    assert docs[-1].text == "d"
    assert docs[np.int64(1)].text == "b"
    for index in (slice(0, 3, 2), [0, 2], [0, -2], [True, False, True, False], np.array([0, 2]), np.array([True, False, True, False])):
        assert docs[index].text == ["a", "c"]
        assert type(docs[index]) is DocList[Word]
    assert docs[[]].text == []


@pytest.mark.parametrize(("index", "error"), [([9], IndexError), ([True], IndexError), (["a"], TypeError), ([0, True], TypeError)])
def test_a_wrong_index_is_refused(index: Any, error: type[Exception]) -> None:
    """A mask must have one element a document."""
    with pytest.raises(error):
        words("a", "b")[index]


def test_items_can_be_set_and_deleted_by_selection() -> None:
    """As many documents as places."""
    docs = words("a", "b", "c")
    docs[[0, 2]] = words("x", "y")
    assert docs.text == ["x", "b", "y"]
    docs[0:1] = words("p", "q")
    assert docs.text == ["p", "q", "b", "y"]
    docs[0] = Word(text="z")
    del docs[[1, -1]]
    assert docs.text == ["z", "b"]
    del docs[0]
    assert docs.text == ["b"]
    with pytest.raises(ValueError, match="2 documents for 1 places"):
        docs[[0]] = words("a", "b")


def test_sums_products_and_copies_stay_typed() -> None:
    """List arithmetic gives lists of the same class."""
    docs = words("a")

    assert type(docs + words("b")) is type(docs * 2) is type(docs.copy()) is type(copy.deepcopy(docs)) is DocList[Word]
    docs += words("b")
    assert docs.text == ["a", "b"]


def test_columns_are_read_and_assigned() -> None:
    """A field of the class is an attribute of the list, even one that list has a method for."""
    docs = words("a", "b")
    docs.text = ["x", "y"]
    docs.count = (1, 2)  # type: ignore[assignment]

    assert (docs.text, docs.count, docs[1].text) == (["x", "y"], [1, 2], "y")
    with pytest.raises(ValueError, match="1 values for field 'text' of 2 documents"):
        docs.text = ["z"]
    with pytest.raises(ValidationError):
        docs.count = ["no", 2]  # type: ignore[assignment]
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = docs.nope
    with pytest.raises(AttributeError, match="Word has no field 'nope'"):
        docs.nope = [1, 2]


def test_a_column_of_documents_is_a_list_of_them() -> None:
    """Where each has exactly one."""
    lines = DocList[Line]([Line(first=Word(text="a")), Line(first=Word(text="b"))])

    assert type(lines.first) is DocList[Word]
    assert lines.first.text == ["a", "b"]
    assert lines.maybe == [None, None]


def test_traverse_flat_flattens_on_the_way() -> None:
    """Values at a path, of all documents."""
    lines = DocList[Line]([Line(words=words("a", "b"), maybe=Word(text="m")), Line(words=words("c"))])

    assert lines.traverse_flat("words__text") == ["a", "b", "c"]
    assert type(lines.traverse_flat("words")) is DocList[Word]
    assert lines.traverse_flat("maybe__text") == ["m"]


def test_a_recursive_document_has_columns_too() -> None:
    """Its list's class is made before its fields are known."""
    tree = Node(children=DocList[Node]([Node(name="a"), Node(name="b")]))

    assert type(tree.children) is DocList[Node]
    assert tree.children.name == ["a", "b"]
    assert Node.from_json(tree.to_json()) == tree


def test_a_list_field_reads_lists_and_keeps_lists() -> None:
    """JSON and dicts become documents; a DocList stays the object it is."""
    mine = words("a")

    assert Line(words=mine).words is mine
    assert type(Line(words=[Word()]).words) is DocList[Word]  # type: ignore[arg-type]
    assert type(Line.from_json('{"words":[{"text":"x"}]}').words) is DocList[Word]
    with pytest.raises(ValidationError) as caught:
        Line.model_validate({"words": [{"text": 5}]})
    assert caught.value.errors()[0]["loc"] == ("words", 0, "text")


def test_a_list_works_in_models_that_are_not_ours() -> None:
    """With a schema of references."""

    class Body(BaseModel):
        data: DocList[Word]

    assert Body.model_validate_json('{"data":[{"text":"a"}]}').data.text == ["a"]
    assert Body.model_json_schema()["properties"]["data"] == {"type": "array", "items": {"$ref": "#/$defs/Word"}, "title": "Data"}
    assert TypeAdapter(DocList[Word]).validate_python([{"text": "a"}]).text == ["a"]


def test_lists_of_plain_classes_have_columns() -> None:
    """Dataclasses, Structs and pydantic models need not be BaseDocs."""

    @dataclasses.dataclass
    class D:
        n: int

    class S(msgspec.Struct):
        n: int

    class M(BaseModel):
        n: int

    for cls in (D, S, M):
        docs = DocList[cls]([cls(n=1), cls(n=2)])  # type: ignore[valid-type]
        assert docs.n == [1, 2]
        assert docs.to_json() == '[{"n":1},{"n":2}]'


def test_json_goes_out_and_in() -> None:
    """As text, as bytes, framed, compressed, in a file."""

    class Row(BaseDoc):
        t: NdArray
        b: bytes = b"\xff"

    docs = DocList[Row]([Row(t=[1.5, 2]), Row(t=[[1]])])
    assert DocList[Row].from_json(docs.to_json()) == docs
    for protocol in ("json-array", "json"):
        assert DocList[Row].from_bytes(docs.to_bytes(protocol, "gzip"), protocol, "gzip") == docs
        assert DocList[Row].from_base64(docs.to_base64(protocol), protocol) == docs
    with pytest.raises(MalformedError, match="ends inside document 1 of 2"):
        DocList[Row].from_bytes(docs.to_bytes("json")[:-1], "json")
    with pytest.raises(MalformedError, match="1 bytes follow"):
        DocList[Row].from_bytes(docs.to_bytes("json") + b"x", "json")


def test_binary_goes_out_and_in(tmp_path: Any) -> None:
    """One message or framed ones, as bytes or as anything with SerializeToString."""
    docs = words("a", "ä")
    for protocol in ("protobuf-array", "protobuf"):
        assert DocList[Word].from_bytes(docs.to_bytes(protocol), protocol) == docs
        docs.save_binary(tmp_path / "docs", protocol)
        assert DocList[Word].load_binary(tmp_path / "docs", protocol) == docs
    message = docs.to_protobuf()
    assert message.SerializeToString() == message
    assert DocList[Word].from_protobuf(message) == docs
    assert Word.from_protobuf(docs[0].to_protobuf()) == docs[0]
    with pytest.raises(TypeError, match="expected a protobuf message or its bytes, got int"):
        DocList[Word].from_protobuf(5)


def test_mixed_documents_keep_their_fields() -> None:
    """A list of any documents writes each by its own class."""
    assert (
        DocList([Word(id="1", text="a"), Line(id="2", first=Word(id="3"))])
        .to_json()
        .startswith('[{"id":"1","text":"a","count":0},{"id":"2","words":[]')
    )


def test_a_field_may_hold_a_list_of_any_documents() -> None:
    """They stay what they are; from JSON they are AnyDocs."""

    class Mixed(BaseDoc):
        parts: DocList = DocList()

    mixed = Mixed(id="0", parts=[Word(id="1", text="a"), {"id": "2", "x": 1}])
    assert [type(part) for part in mixed.parts] == [Word, AnyDoc]
    assert mixed.to_json() == '{"id":"0","parts":[{"id":"1","text":"a","count":0},{"id":"2","x":1}]}'
    assert Mixed.from_json(mixed.to_json()).parts.id == ["1", "2"]


def test_repr_shows_the_first_documents_and_stays_short() -> None:
    """A printed list tells what is in it, however much that is."""
    docs = DocList[TextDoc]([TextDoc(text=f"number {n} " + "x" * 1000) for n in range(1000)])

    shown = repr(docs)

    assert shown.startswith("<DocList[TextDoc] (length=1000): [TextDoc(")
    assert "number 0" not in repr(DocList[TextDoc]())
    assert len(shown) < 500
    assert repr(DocList[TextDoc]()) == "<DocList[TextDoc] (length=0)>"


def test_a_list_of_nothing_may_be_made_of_none() -> None:
    """As docarray's."""
    assert DocList[Word](None) == DocList[Word]() == []


def test_findings_of_a_list_are_titled_with_its_name() -> None:
    """Not with pydantic's inner workings."""
    with pytest.raises(ValidationError, match=r"^1 validation error for DocList\[Word\]\n0\.text\n"):
        DocList[Word].from_json('[{"text": 1}]')
