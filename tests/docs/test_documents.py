# mypy: disable-error-code="misc,type-arg,valid-type,arg-type,call-arg,unused-ignore,name-defined"
"""BaseDoc and the ready-made documents."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import ValidationError

import jina.docs
from jina.docs import AnyDoc, AudioDoc, BaseDoc, BaseDocWithoutId, DocList, ImageDoc, ImageUrl, LegacyDocument, NdArray, TextDoc, VideoDoc
from jina.errors import NotSupportedError, UnencodableError


class Leaf(BaseDoc):
    n: int = 0


class Tree(BaseDoc):
    name: str = ""
    blob: bytes = b""
    leaf: Leaf | None = None
    leaves: DocList[Leaf] = DocList[Leaf]()
    tags: set[str] = set()
    anything: Any = None


class Page(BaseDoc):
    title: TextDoc
    image: ImageDoc | None = None


class Point(BaseDocWithoutId):
    x: int


def test_every_public_name_is_importable() -> None:
    """`__all__` is exactly what the package offers."""
    offered = {
        n for n, v in vars(jina.docs).items() if not n.startswith("_") and isinstance(v, type) and v.__module__.startswith("jina.docs")
    }

    assert offered == set(jina.docs.__all__)


def test_an_id_is_drawn_unless_it_is_given() -> None:
    """Two documents have two ids of 32 hexadecimal digits."""
    ids = {Leaf().id for _ in range(1000)}

    assert len(ids) == 1000
    assert all(len(i) == 32 and int(i, 16) >= 0 for i in ids)
    assert Leaf(id="mine").id == "mine"


@pytest.mark.parametrize(("given", "kept"), [(5, "5"), (UUID(int=1), str(UUID(int=1))), (b"x", "x")])
def test_an_id_may_be_given_as_something_like_a_string(given: Any, kept: str) -> None:
    """Ints, UUIDs and bytes are turned into strings."""
    assert Leaf(id=given).id == kept


@pytest.mark.parametrize("given", [None, True, 1.5j, []])
def test_what_is_no_string_is_no_id(given: Any) -> None:
    """There is no document without an id."""
    with pytest.raises(ValidationError):
        Leaf(id=given)


def test_unknown_fields_are_ignored_and_assignments_checked() -> None:
    """As docarray's documents do."""
    doc = Leaf.model_validate({"n": 1, "zz": 2})

    assert not hasattr(doc, "zz")
    with pytest.raises(ValidationError):
        doc.n = "no"  # type: ignore[assignment]


def test_equality_compares_content_not_ids() -> None:
    """Arrays by their elements, nested documents likewise."""
    assert Leaf(n=1) == Leaf(n=1)
    assert Leaf(n=1) != Leaf(n=2)
    assert Leaf(n=1) != Tree()
    assert Tree(anything=np.arange(3)) == Tree(anything=np.arange(3))
    assert Tree(anything=np.arange(3)) != Tree(anything=np.arange(4))
    assert Tree(anything={"a": [np.arange(3)]}) == Tree(anything={"a": [np.arange(3)]})
    assert Tree(anything=np.arange(3)) != Tree(anything="text")


def test_any_doc_keeps_whatever_it_is_made_from() -> None:
    """Fields need no declaration."""
    doc = AnyDoc(text="hi", n=[1])  # type: ignore[call-arg]

    assert doc.text == "hi"  # type: ignore[attr-defined]
    assert AnyDoc.from_json(doc.to_json()) == doc
    assert doc != AnyDoc(text="ho")  # type: ignore[call-arg]


def test_a_document_without_an_id_has_none() -> None:
    """`BaseDocWithoutId` writes no id either."""
    assert Point(x=1).to_json() == '{"x":1}'


def test_update_takes_what_was_set() -> None:
    """Lists grow or meet by id, sets join, nested documents are updated."""
    doc = Tree(name="a", leaf=Leaf(n=1), leaves=DocList[Leaf]([Leaf(id="1", n=1)]), tags={"x"}, anything={"a": 1})
    doc.update(Tree(leaf=Leaf(n=2), leaves=DocList[Leaf]([Leaf(id="1", n=5), Leaf(id="2")]), tags={"y"}, anything={"b": 2}))

    assert (doc.name, doc.leaf, doc.tags, doc.anything) == ("a", Leaf(n=2), {"x", "y"}, {"a": 1, "b": 2})
    assert [(leaf.id, leaf.n) for leaf in doc.leaves] == [("1", 5), ("2", 0)]
    with pytest.raises(TypeError, match="needs another Tree, got Leaf"):
        doc.update(Leaf())


def test_bytes_that_are_no_text_are_data_urls_in_json() -> None:
    """Also where pydantic itself writes the document, and also inside `Any`."""
    doc = Tree(id="a", blob=b"\xff", anything=[b"\xfe", b"text"])

    assert '"blob":"data:;base64,/w=="' in doc.to_json()
    assert '"anything":["data:;base64,/g==","text"]' in doc.to_json()
    assert Tree.from_json(doc.to_json()).blob == b"\xff"
    assert '"blob":"data:;base64,/w=="' in Tree(blob=b"\xff").model_dump_json()


def test_json_that_no_class_can_carry_is_refused_with_its_field() -> None:
    """The error names field and value."""
    with pytest.raises(UnencodableError, match="field 'anything' of document 0 \\(Tree\\) has no JSON form: <object"):
        Tree(anything=object()).to_json()


@pytest.mark.parametrize("compress", [None, "gzip", "zlib", "bz2", "lzma"])
def test_a_document_survives_being_bytes(compress: str | None) -> None:
    """JSON with each compression, and base64 of it."""
    doc = Tree(name="ä", blob=b"\x00\xff", leaf=Leaf(n=3))

    assert Tree.from_bytes(doc.to_bytes("json", compress), "json", compress) == doc
    assert Tree.from_base64(doc.to_base64("json", compress), "json", compress) == doc


def test_pickle_forms_are_refused() -> None:
    """They run code from the data."""
    with pytest.raises(NotSupportedError, match="runs code from the data; use 'protobuf'"):
        Leaf().to_bytes("pickle")
    with pytest.raises(NotSupportedError, match="runs code"):
        Leaf.from_bytes(b"", "pickle")
    with pytest.raises(ValueError, match="unknown protocol 'xml'"):
        Leaf().to_bytes("xml")
    with pytest.raises(NotSupportedError, match="compression 'lz4' is not supported; use one of gzip"):
        Leaf().to_bytes("json", "lz4")


def test_ready_made_documents_take_bare_content() -> None:
    """A field of type TextDoc takes a string, one of type ImageDoc an address, bytes or pixels."""
    assert TextDoc("hi") == "hi"
    assert "i" in TextDoc("hi")
    assert TextDoc("hi") == TextDoc(text="hi")
    assert Page(title="hi").title.text == "hi"  # type: ignore[arg-type]
    image = Page(title="", image="cat.png").image  # type: ignore[arg-type]
    assert image is not None
    assert type(image.url) is ImageUrl
    assert Page(title="", image=b"\x89PNG").image.bytes_ == b"\x89PNG"  # type: ignore[arg-type,union-attr]
    assert Page(title="", image=np.zeros((2, 2))).image.tensor.shape == (2, 2)  # type: ignore[arg-type,union-attr]


def test_ready_made_documents_have_docarrays_fields() -> None:
    """So that what is written for them reads ours."""
    assert list(AudioDoc.model_fields) == ["id", "url", "tensor", "embedding", "bytes_", "frame_rate"]
    assert list(VideoDoc.model_fields) == ["id", "url", "audio", "tensor", "key_frame_indices", "embedding", "bytes_"]
    nested = LegacyDocument(chunks=[LegacyDocument(text="inner")], tags={"a": 1})  # type: ignore[arg-type]
    assert type(nested.chunks) is DocList[LegacyDocument]
    assert LegacyDocument.from_json(nested.to_json()) == nested


def test_addresses_are_values_and_do_not_load() -> None:
    """The refusal names another way."""
    with pytest.raises(NotSupportedError, match=r"ImageUrl.load\(\) is not supported; open the file with `PIL.Image.open`"):
        ImageUrl("cat.png").load()


def test_summary_prints_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """Long values are cut to a line."""
    Tree(name="x" * 200).summary()

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Tree"
    assert all(len(line) < 120 for line in lines)


def test_json_schema_shows_tensors_bytes_and_lists() -> None:
    """As docarray's does."""

    Table = NdArray[2, "x"]  # type: ignore[valid-type,misc]

    class Shown(BaseDoc):
        t: Table
        b: bytes
        leaves: DocList[Leaf]

    properties = Shown.model_json_schema()["properties"]
    assert properties["t"] == {"type": "array", "items": {"type": "number"}, "tensor/array shape": "[2, x]", "title": "T"}
    assert properties["b"] == {"type": "string", "format": "binary", "title": "B"}
    assert properties["leaves"] == {"type": "array", "items": {"$ref": "#/$defs/Leaf"}, "title": "Leaves"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_forked_child_draws_other_ids_than_its_parent() -> None:
    """Ids are drawn many at a time; what is left of a draw is not given out on both sides."""
    code = (
        "import os; from jina.docs import BaseDoc; BaseDoc(); pid = os.fork()\n"
        "os.write(1, b''.join(BaseDoc().id.encode() for _ in range(1000)))\n"
        "os.waitpid(pid, 0) if pid else os._exit(0)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    ids = {out[at : at + 32] for at in range(0, len(out), 32)}

    assert (len(out), len(ids)) == (64_000, 2000)


def test_ids_drawn_in_several_threads_differ() -> None:
    """Threads may empty what is drawn at the same time."""
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda _: [BaseDoc().id for _ in range(2000)], range(4)))

    assert len({one for part in drawn for one in part}) == 8000
