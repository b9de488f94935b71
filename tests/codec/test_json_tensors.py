"""Tensors as JSON: what is written beside the document is where it belongs, and says what numpy says."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from pydantic import ConfigDict, field_serializer, model_serializer

from jina.codec import codec_for, json_tensors
from jina.docs import BaseDoc, DocList, NdArray
from jina.errors import InvalidInputError, UnencodableError

ARRAYS = [
    np.arange(6.0),
    np.arange(6, dtype=">i4"),
    np.arange(6, dtype=">f8") / 7,
    np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, ::2, ::-1] / 7,
    np.asfortranarray(np.arange(6.0).reshape(2, 3)) / 7,
    np.array([0.1, 6e4, 1e-4], dtype=np.float16),
    np.array([5e-324, 1.7976931348623157e308, 1e16, -0.0, 1e-7]),
    np.array([2**63 - 1, -(2**63)]),
    np.array([2**64 - 1], dtype=np.uint64),
    np.array([[True, False]]),
    np.array(0.1, dtype=np.float32),
    np.array(3),
    np.empty(0),
    np.empty((2, 0)),
    np.empty((0, 2)),
]

LONG = b',"more_text":"' + b"." * 5000 + b'"}'  # only what is short is parsed twice


class Doc(BaseDoc):
    text: str = ""
    tensor: NdArray = np.zeros(1)
    more: list[NdArray] = []
    either: str | NdArray | None = None


class Inner(BaseDoc):
    doc: Doc
    docs: DocList[Doc] = DocList[Doc]()


def without_orjson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_tensors, "orjson", None)


@pytest.fixture(params=["orjson", "msgspec"])
def writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "msgspec":
        without_orjson(monkeypatch)
    return str(request.param)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_numbers_are_those_of_tolist(writer: str, array: np.ndarray[Any, Any]) -> None:
    """Whatever the layout, and whether orjson is there or not: Python would write the same numbers."""
    codec = codec_for(Doc)
    text = codec.encode_json_one(Doc(tensor=array))

    assert json.dumps(json.loads(text)["tensor"]) == json.dumps(array.tolist())
    read = codec.decode_json_one(text).tensor
    assert read.tolist() == array.tolist()


def test_what_is_not_finite_is_null(writer: str) -> None:
    """In the middle of a row."""
    text = codec_for(Doc).encode_json_one(Doc(tensor=np.array([1.5, np.nan, np.inf, -np.inf])))

    assert json.loads(text)["tensor"] == [1.5, None, None, None]


def test_every_tensor_is_written_at_its_place(writer: str) -> None:
    """In lists, unions and documents within documents."""

    def doc(n: float) -> Doc:
        return Doc(tensor=np.full(2, n), more=[np.full(1, n + 0.25), np.full((1, 1), n + 0.5)], either=np.full(3, n + 0.75))

    docs = [Inner(doc=doc(n), docs=DocList[Doc]([doc(n + 1), doc(n + 2)])) for n in (0, 10)]
    read = json.loads(codec_for(Inner).encode_json(docs))

    for at, n in enumerate((0, 10)):
        for found, value in zip([read[at]["doc"], *read[at]["docs"]], (n, n + 1, n + 2), strict=True):
            assert found["tensor"] == [value] * 2
            assert found["more"] == [[value + 0.25], [[value + 0.5]]]
            assert found["either"] == [value + 0.75] * 3


def test_text_that_holds_the_mark_stays_text() -> None:
    """Nobody can guess the mark; whoever knows it changes nothing."""
    mark = json_tensors._MARK
    docs = [Doc(text=mark, tensor=np.array([1.5]), either=mark), Doc(text=f'"{mark}"', tensor=np.array([2.5]))]
    read = json.loads(codec_for(Doc).encode_json(docs))

    assert [one["text"] for one in read] == [mark, f'"{mark}"']
    assert (read[0]["either"], read[0]["tensor"], read[1]["tensor"]) == (mark, [1.5], [2.5])


class Rounded(BaseDoc):
    tensor: NdArray

    @field_serializer("tensor", mode="wrap")
    def shorten(self, value: Any, handler: Any) -> Any:
        return handler(value)[:2]


class Counted(BaseDoc):
    tensor: NdArray

    @model_serializer(mode="wrap")
    def count(self, handler: Any) -> Any:
        made = handler(self)
        return {**made, "n": len(made["tensor"])}


class Asking(BaseDoc):
    tensor: NdArray
    text: str = ""

    @field_serializer("text")
    def say(self, value: str, info: Any) -> str:
        return "context" if info.context else "none"


def test_serializers_of_the_users_see_lists() -> None:
    """They wrap what pydantic makes of the tensor, as ever."""
    tensor = np.arange(5.0)

    assert json.loads(codec_for(Rounded).encode_json_one(Rounded(tensor=tensor)))["tensor"] == [0.0, 1.0]
    assert json.loads(codec_for(Counted).encode_json_one(Counted(tensor=tensor)))["n"] == 5
    assert json.loads(codec_for(Asking).encode_json_one(Asking(tensor=tensor)))["text"] == "none"


def test_threads_do_not_mix_their_tensors() -> None:
    """Each writing collects its own."""

    def write(n: int) -> bool:
        docs = [Doc(tensor=np.full(100, n + at / 7)) for at in range(20)]
        read = json.loads(codec_for(Doc).encode_json(docs))
        return all(one["tensor"] == doc.tensor.tolist() for one, doc in zip(read, docs, strict=True))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(write, range(40)))


def test_numbers_keep_the_type_that_numpy_infers() -> None:
    """The short way takes floats only."""
    codec = codec_for(Doc)

    def read(text: str) -> np.ndarray[Any, Any]:
        return codec.decode_json_one(b'{"tensor":' + text.encode() + b"}").tensor  # type: ignore[no-any-return]

    assert [read(text).dtype.kind for text in ("[0.5,1.5]", "[1,2]", "[0.5,1]", "[1.0,2.0]", "[true]", "[[0.5]]", "[]")] == [*"fiffbff"]
    assert read("[0.5,1,2.25]").tolist() == [0.5, 1.0, 2.25]
    assert np.isnan(read("[0.5,null]")[1])
    read("[0.5,1.5]")[0] = 3  # the array is the user's to change


@pytest.mark.parametrize("text", ['[0.5,"1.5"]', "[0.5,[1.5]]", "[0.5,1e999]", "[1e999]", "[0.5,{}]"])
def test_what_is_no_tensor_is_refused(text: str) -> None:
    """Strings, ragged lists and numbers beyond float."""
    with pytest.raises(InvalidInputError, match="tensor"):
        codec_for(Doc).decode_json_one(b'{"tensor":' + text.encode() + LONG)


def test_complex_numbers_are_refused_by_name(writer: str) -> None:
    """JSON has none."""
    with pytest.raises(UnencodableError, match=r"field 'tensor' of document 0.*complex"):
        codec_for(Doc).encode_json([Doc(tensor=np.array([1j]))])


class Bare(BaseDoc):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    array: np.ndarray


def test_numpys_own_class_is_a_tensor_too(writer: str) -> None:
    """As an annotation: the same numbers, and the same refusal of one beyond float."""
    codec = codec_for(Bare)

    assert json.loads(codec.encode_json_one(Bare(array=np.array([0.5]))))["array"] == [0.5]
    with pytest.raises(InvalidInputError, match="finite"):
        codec.decode_json_one(b'{"array":[1e999]' + LONG)
