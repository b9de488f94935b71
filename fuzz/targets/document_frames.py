"""Docarray's stream of documents: read or refused, and written back to the very same bytes."""

from __future__ import annotations

from jina.docs.framing import join_frames, split_frames
from jina.errors import MalformedError

WORDS = (b"\2\0\0\0\0\0\0\0\1", b"\0\0\0\1a", b"\0\0\0\0", b"\xff\xff\xff\xff")


def check(data: bytes) -> None:
    assert split_frames(join_frames([data, b"", data])) == [data, b"", data]
    try:
        documents = split_frames(data)
    except MalformedError:
        return
    assert join_frames(documents) == data


def seeds() -> list[bytes]:
    return [join_frames([]), join_frames([b"a", b"", b"bcd"]), join_frames([bytes(300)])]
