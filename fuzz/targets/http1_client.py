"""HTTP/1.1 in the client's role: however the bytes are cut, the same responses or a refusal of both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fuzz.choices import cuts
from jina.wire import http_client
from jina.wire.http_client import BadResponseError, ResponseReader

HELD_FACTOR = 1000
WORDS = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 103 \r\n", b"HTTP/1.1 204 \r\n", b"HTTP/1.1 304 \r\n", b"\r\n\r\n"),
    *(b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"connection: close\r\n"),
    *(b"HTTP/1.1 101 x\r\n", b"connection: upgrade\r\nupgrade: x\r\n"),
)


def check(data: bytes) -> None:
    for may_upgrade in (False, True):
        _check(data, may_upgrade=may_upgrade)


def _check(data: bytes, *, may_upgrade: bool) -> None:
    whole, pieces = _feed([data], may_upgrade=may_upgrade), _feed(cuts(data), may_upgrade=may_upgrade)
    assert (whole is None) == (pieces is None) or _is_early(whole, pieces), (whole, pieces)
    if whole is not None and pieces is not None:
        assert whole == pieces, (whole, pieces)


def _is_early(whole: list[Any] | None, pieces: list[Any] | None) -> bool:
    """A second response in one read is refused, since nobody asked for it; one that comes later meets a reader that begins anew."""
    return whole is None and pieces is not None and [event[0] for event in pieces].count(http_client.END) > 0


def _feed(pieces: Iterable[bytes], *, may_upgrade: bool) -> list[Any] | None:
    reader, found = ResponseReader(10_000, may_upgrade=may_upgrade), list[Any]()
    try:
        for piece in pieces:
            for event in reader.feed(piece):
                if event[0] == http_client.BODY and found and found[-1][0] == http_client.BODY:
                    found[-1] = (http_client.BODY, found[-1][1] + event[1])
                elif event[0] == http_client.UPGRADED:
                    return [*found, event[:2]]
                else:
                    found.append(event)
        found += reader.eof()
    except BadResponseError:
        return None if not found or found[-1][0] != http_client.END else found
    return found


def seeds() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    return [
        head + b"content-length: 2\r\n\r\n{}",
        head + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        head + b"connection: close\r\n\r\nuntil the end",
        b"HTTP/1.1 100 Continue\r\n\r\n" + head + b"content-length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n\x82\0",
        b"\0\0\x12\4\0\0\0\0\0",
    ]
