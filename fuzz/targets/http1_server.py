"""HTTP/1.1 in the server's role: however the bytes are cut, the same requests and the same refusal; bodies are counted to the byte."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fuzz.choices import cuts
from jina.wire.buffered import Buffered
from jina.wire.http import Limits, Refusal, ServerConnection

LIMITS = Limits(max_body_bytes=40_000, max_header_bytes=1000, max_header_fields=20, max_target_bytes=200)
HELD_FACTOR = 1000
WORDS = (
    *(b"GET ", b"POST ", b"HEAD ", b"OPTIONS * ", b"CONNECT h:1 ", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"http://h/", b"\r\n\r\n"),
    *(b"host: h\r\n", b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"expect: 100-continue\r\n", b"connection: close\r\n"),
    *(
        b"connection: upgrade\r\nupgrade: websocket\r\n",
        b"\r\n0\r\n\r\n",
        b"5\r\nhello\r\n",
        b";x=y",
        b"trailer: x\r\n",
        b"\r\n ",
        b"PRI * HTTP/2.0",
    ),
)


def check(data: bytes) -> None:
    whole, pieces = _feed([data]), _feed(cuts(data))
    assert whole == pieces, (whole, pieces)


def _feed(pieces: Iterable[bytes]) -> tuple[list[Any], bool]:
    buffered = Buffered()
    connection = ServerConnection(LIMITS, {}, 0.0, buffered)
    found: list[Any] = []
    for piece in pieces:
        for event in connection.receive(piece, 0.0):
            assert not isinstance(found[-1] if found else None, int), "an event after the refusal"
            if isinstance(event, Refusal):
                assert event.status in (400, 408, 413, 414, 417, 431, 501, 503, 505), event.status
                found.append(0)  # of several faults, which one is seen first depends on the cuts
                continue
            assert len(event.body) <= 40_000
            found.append((event.method, event.target, dict(event.head.headers), event.body, event.keep_alive, event.is_http_10))
            buffered.give_back(event.n_counted)
    connection.drop()
    assert not buffered.n_bytes
    return found, connection.is_closed


def seeds() -> list[bytes]:
    post = b"POST /a?b=c HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\nhello"
    chunked = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\ntrailer: x\r\n\r\n"
    upgrade = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n"
    old = b"GET http://h/a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
    return [
        post,
        post * 2,
        chunked + post,
        upgrade,
        old + post,
        b"POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\nx",
    ]
