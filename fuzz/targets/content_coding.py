"""Content codings undone: cuts change nothing, each step is bounded, the standard library agrees, and bombs are refused."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

from fuzz.choices import Choices, cuts
from jina.wire import content_coding as coding
from jina.wire.content_coding import CodingError

MAX_BYTES = 512
HELD_FACTOR = 2000
WORDS = (b"\x1f\x8b\x08\0\0\0\0\0\0\3", b"x\x9c", b"\3\0", b"\0\0\xff\xff", b"gzip", b"deflate", b"identity", b"x-gzip", b", ", b"zstd")
MAX_BODY, FREE = 100_000, 1000
_CODINGS = (("gzip",), ("deflate",), ("gzip", "deflate"), ("gzip", "gzip", "gzip"))


def check(data: bytes) -> None:
    choices = Choices(data)
    codings, is_folded = choices.pick(_CODINGS), choices.number(2)
    body = choices.rest()
    sent = body
    for name in codings if is_folded else ():
        sent = gzip.compress(sent, 1, mtime=0) if name == "gzip" else zlib.compress(sent, 1)
    whole, pieces = _unfold([sent], codings), _unfold(cuts(sent), codings)
    assert isinstance(whole, int) == isinstance(pieces, int), (whole, pieces)
    assert isinstance(whole, int) or whole == pieces
    assert not is_folded or whole in (body, 413), whole
    if len(codings) == 1 and not isinstance(whole, int) and sent:
        assert whole == (gzip.decompress(sent) if codings == ("gzip",) else _inflated(sent))
    try:
        assert len(coding.codings_of(data.decode("latin-1"))) <= 3
    except CodingError as error:
        assert error.status == 415  # noqa: PT017


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return zlib.decompress(data, -15)


def _unfold(pieces: Iterable[bytes], codings: tuple[str, ...]) -> bytes | int:
    """The body, or the status of its refusal."""
    unfolding, found = coding.Unfolding(codings, max_bytes=MAX_BODY, free_bytes=FREE), list[bytes]()
    try:
        for piece in pieces:
            for step in unfolding.feed(piece):
                assert len(step) <= 256 << 10
                found.append(step)
        unfolding.end()
    except CodingError as error:
        return error.status
    body = b"".join(found)
    assert len(body) <= MAX_BODY
    return body


def seeds() -> list[bytes]:
    text = b'{"data": [{"text": "a"}]}'
    gzipped, deflated = gzip.compress(text, mtime=0), zlib.compress(text)
    return [
        b"\0\0" + gzipped,
        b"\0\0" + gzipped * 2,
        b"\1\0" + deflated,
        b"\1\0" + deflated[2:-4],
        b"\2\1" + text,
        b"\3\1" + text,
        b"\0\0" + gzip.compress(bytes(4000), mtime=0),
    ]
