"""Documents that are bytes, put into the order of the request."""

from __future__ import annotations

import pytest

from jina.codec import codec_for
from jina.codec.order import in_order
from jina.docs import BaseDoc, DocList
from jina.errors import MalformedError

CODEC_ID = bytes(range(16))


class Text(BaseDoc):
    text: str = ""


CODEC = codec_for(Text)


def encoded(docs: list[Text], encoding: str) -> bytes:
    if encoding == "json":
        return CODEC.encode_json(DocList[Text](docs))
    return bytes(CODEC.encode_pieces(DocList[Text](docs), dialect=encoding))


def decoded(data: bytes, encoding: str) -> list[Text]:
    found: list[Text] = CODEC.decode_json(data) if encoding == "json" else CODEC.decode_proto(data, dialect=encoding)
    return found


@pytest.mark.parametrize("encoding", ["json", "strict", "ours"])
def test_documents_come_in_the_order_of_the_request(encoding: str) -> None:
    """New ones last, as they came; the documents themselves are not touched."""
    asked = [Text(id=name) for name in "cab"]
    made = [Text(id="n2", text="new"), Text(id="a", text="é"), Text(id="n1"), Text(id="b"), Text(id="c"), Text(id="a", text="again")]
    found = decoded(in_order(encoded(made, encoding), encoded(asked, encoding), encoding, CODEC_ID), encoding)
    assert [(doc.id, doc.text) for doc in found] == [("c", ""), ("a", "é"), ("a", "again"), ("b", ""), ("n2", "new"), ("n1", "")]


@pytest.mark.parametrize("asked", [b'[{"text":"x"},{"text":"y"},{"id":"z"}]', b'[ {} , {} , {"id" : "z"} ]'])
def test_documents_without_an_id_are_those_that_the_call_names(asked: bytes) -> None:
    """Whoever read them first has given them these ids."""
    named = CODEC.decode_json(asked, CODEC_ID)
    found = decoded(in_order(encoded(named[::-1], "json"), asked, "json", CODEC_ID), "json")
    assert [doc.id for doc in found] == [doc.id for doc in named]


@pytest.mark.parametrize("encoding", ["json", "strict"])
def test_nothing_is_in_order(encoding: str) -> None:
    """No documents on either side."""
    assert in_order(b"", b"", encoding, CODEC_ID) == (b"[]" if encoding == "json" else b"")


def test_what_are_no_documents_is_refused() -> None:
    """Of either side."""
    with pytest.raises(MalformedError):
        in_order(b"\x0a\x05a", b"", "strict", CODEC_ID)
