"""Ids of documents that come without one."""

from __future__ import annotations

from typing import Any

import pytest

from jina.codec.ids import document_id
from jina.codec.proto import ProtoCodec
from jina.codec.schema import schema_of
from jina.codec.varint import varint
from jina.docs import BaseDoc, DocList

CALL = bytes(range(16))


class Chunk(BaseDoc):
    text: str = ""


class Doc(BaseDoc):
    chunks: DocList[Chunk] = []  # type: ignore[assignment]
    best: Chunk | None = None


class Named(BaseDoc):
    id: str = "mine"
    n: int = 0


def without_ids(data: bytes) -> bytes:
    """The same documents, their `id` entries renamed to a key that nobody reads."""
    return data.replace(b"\n\x02id\x12", b"\n\x02xx\x12")


def decode(cls: type, docs: list[Any], call_id: bytes = CALL) -> list[Any]:
    codec = ProtoCodec(schema_of(cls))
    return codec.decode(without_ids(codec.encode(docs)), call_id)


def test_ids_are_digests_of_call_and_path() -> None:
    """Two processes that decode the same bytes of the same call agree, nested documents included."""
    docs = [Doc(), Doc(chunks=DocList[Chunk]([Chunk(), Chunk()]), best=Chunk())]
    first, second = decode(Doc, docs), decode(Doc, docs)

    assert [doc.id for doc in first] == [document_id(CALL, "0"), document_id(CALL, "1")]
    assert [chunk.id for chunk in first[1].chunks] == [document_id(CALL, "1.chunks.0"), document_id(CALL, "1.chunks.1")]
    assert first[1].best.id == document_id(CALL, "1.best")
    assert first[1].best.id == second[1].best.id


def test_ids_without_a_call_are_random() -> None:
    """32 hexadecimal digits, another one each time."""
    one, two = decode(Doc, [Doc(), Doc()], b"")

    assert one.id != two.id
    assert len(one.id) == len(document_id(b"", "0")) == 32


def test_paths_of_one_call_never_share_an_id() -> None:
    """Short paths are remembered, long ones are not; both name their document alone."""
    paths = [str(at) for at in range(200)] + [f"0.by_name.{'k' * at}" for at in range(100)]

    assert len({document_id(CALL, path) for path in paths}) == len(paths)
    assert document_id(CALL, paths[-1]) == document_id(CALL, paths[-1]) != document_id(bytes(16), paths[-1])


def test_a_single_document_has_index_0() -> None:
    """As if it were alone in a list."""
    codec = ProtoCodec(schema_of(Doc))
    doc = codec.decode_one(without_ids(codec.encode_one(Doc(best=Chunk()))), CALL)

    assert (doc.id, doc.best.id) == (document_id(CALL, "0"), document_id(CALL, "0.best"))


def test_a_default_of_the_users_own_stays() -> None:
    """The class says what an absent id is."""
    assert decode(Named, [Named(id="other")])[0].id == "mine"


def test_an_id_that_came_is_kept() -> None:
    """Of course."""
    codec = ProtoCodec(schema_of(Doc))

    assert codec.decode(codec.encode([Doc(id="a")]), CALL)[0].id == "a"


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2047, 2048, 2**32, 2**64 - 1])
def test_varints_are_minimal(value: int) -> None:
    """Seven bits a byte."""
    assert len(varint(value)) == max(1, -(-value.bit_length() // 7))
