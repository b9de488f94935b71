"""Each ready-made document can be made, changed and compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from jina.docs import AudioDoc, BaseDoc, DocList, ImageDoc, LegacyDocument, TextDoc, VideoDoc

_READY_MADE: list[tuple[type[BaseDoc], dict[str, Any]]] = [
    (TextDoc, {"text": "b", "url": "file.txt", "embedding": np.zeros(3), "bytes_": b"b"}),
    (ImageDoc, {"url": "cat.png", "tensor": np.zeros((2, 2, 3)), "embedding": np.zeros(3), "bytes_": b"b"}),
    (AudioDoc, {"url": "cat.wav", "tensor": np.zeros(4), "embedding": np.zeros(3), "bytes_": b"b", "frame_rate": 8000}),
    (VideoDoc, {"url": "cat.mp4", "audio": AudioDoc(frame_rate=1), "tensor": np.zeros((1, 2, 2, 3)), "key_frame_indices": np.zeros(1)}),
    (LegacyDocument, {"text": "b", "chunks": DocList[LegacyDocument]([LegacyDocument(text="c")]), "tags": {"a": 1}}),
]


@pytest.mark.parametrize(("cls", "fields"), _READY_MADE)
def test_every_field_of_a_ready_made_document_can_be_assigned(cls: type[BaseDoc], fields: dict[str, Any]) -> None:
    """A document that got its fields one by one equals one that was made with them."""
    doc = cls()
    for name, value in fields.items():
        setattr(doc, name, value)

    assert doc == cls(**fields)
    assert doc != cls()


@pytest.mark.parametrize(("cls", "fields"), _READY_MADE)
def test_subclasses_of_ready_made_documents_can_be_assigned_to(cls: type[BaseDoc], fields: dict[str, Any]) -> None:
    """A user's own document made of a ready-made one works as its base does."""

    class Own(cls):  # type: ignore[misc,valid-type]
        note: str = ""

    doc = Own(**fields)
    doc.note = "n"

    assert doc.note == "n"


def test_assigning_a_wrong_value_is_refused() -> None:
    """Assignments to ready-made documents are validated as those to others."""
    doc = AudioDoc()

    with pytest.raises(ValidationError, match="frame_rate"):
        doc.frame_rate = "fast"  # type: ignore[assignment]


def test_a_text_equals_its_string() -> None:
    """A TextDoc compares with a plain string by its text, as docarray's does."""
    doc = TextDoc("a")
    doc.text = "b"

    assert doc == "b"
    assert doc != "a"
    assert "b" in doc


def test_a_field_takes_bare_content_also_when_assigned() -> None:
    """A string for a TextDoc, an array for an ImageDoc, at making and at assigning."""

    class Page(BaseDoc):
        title: TextDoc
        picture: ImageDoc | None = None

    page = Page(title="one")  # type: ignore[arg-type]
    page.title = "two"  # type: ignore[assignment]
    page.picture = np.zeros((1, 1, 3))  # type: ignore[assignment]

    assert page.title.text == "two"
    assert page.picture is not None
    assert page.picture.tensor is not None


def test_json_does_not_take_bare_content() -> None:
    """In JSON a document is an object, so that what a schema says holds."""

    class Page(BaseDoc):
        title: TextDoc

    with pytest.raises(ValidationError):
        Page.model_validate_json('{"title": "hi"}')
