"""gRPC-Web's bodies: content types, base64, messages, trailers."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from jina.wire import grpc_web
from jina.wire.buffered import Buffered
from jina.wire.grpc_messages import MessageError, compress

NEEDED: dict[str, Any] = {"in_text": False, "encoding": "identity", "max_bytes": 1000}
FRAME = b"\0\0\0\0\3abc"


def read(body: bytes, **options: Any) -> list[bytes]:
    """Take all steps."""
    steps = grpc_web.read_messages(body, buffered=options.pop("buffered", Buffered()), **options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return list(end.value)


@pytest.mark.parametrize(
    ("kind", "in_text"),
    [
        ("application/grpc-web", False),
        ("application/grpc-web+proto", False),
        ("Application/GRPC-Web+json; charset=utf-8", False),
        ("application/grpc-web-text", True),
        ("application/grpc-web-text+proto", True),
    ],
)
def test_content_types_of_grpc_web(kind: str, in_text: bool) -> None:
    """With a kind of message or without, in bytes or in base64."""
    assert grpc_web.is_grpc_web(kind)
    assert grpc_web.is_text(kind) is in_text


@pytest.mark.parametrize("kind", ["", "application/grpc", "application/grpc+proto", "application/grpc-webx", "application/json"])
def test_other_content_types(kind: str) -> None:
    """gRPC itself is not gRPC-Web."""
    assert not grpc_web.is_grpc_web(kind)
    assert not grpc_web.is_text(kind)


@pytest.mark.parametrize(
    ("kind", "accept", "reply"),
    [
        ("application/grpc-web", "*/*", "application/grpc-web+proto"),
        ("application/grpc-web-text", "", "application/grpc-web-text+proto"),
        ("application/grpc-web+json", "application/grpc-web-text", "application/grpc-web-text+json"),
        ("application/grpc-web-text+proto", "application/json, application/grpc-web+proto", "application/grpc-web+proto"),
    ],
)
def test_reply_is_of_the_type_that_the_caller_accepts(kind: str, accept: str, reply: str) -> None:
    """Base64 if `accept` says so; else as the request."""
    assert grpc_web.reply_type(kind, accept) == reply


def test_head_is_that_of_a_grpc_call() -> None:
    """Path, deadline, metadata, without what is HTTP's; a request id is there in any case."""
    headers = {"content-type": "application/grpc-web", "grpc-timeout": "2S", "x-a-bin": "AAE", "connection": "close", "content-length": "3"}
    head = grpc_web.request_head("/a.B/C", headers, "given")
    assert (head.path, head.refusal, head.fault, head.timeout_s) == ("/a.B/C", 0, None, 2.0)
    assert head.metadata == (("x-a-bin", b"\0\1"), ("x-request-id", "given"))
    assert grpc_web.request_head("/a.B/C", {"x-request-id": "own"}, "given").headers == {"x-request-id": "own"}


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 100])
def test_base64_is_read_whichever_pieces_were_padded(cut: int) -> None:
    """A client encodes each of its pieces by itself."""
    body = FRAME * 3
    text = b"".join(b64encode(body[at : at + cut]) for at in range(0, len(body), cut))
    assert read(text, **{**NEEDED, "in_text": True}) == [b"abc"] * 3


def test_body_without_messages() -> None:
    """Nothing is no message, in either form."""
    assert read(b"", **NEEDED) == []
    assert read(b"", **{**NEEDED, "in_text": True}) == []


@pytest.mark.parametrize(
    ("body", "options", "status"),
    [
        (b"%%%%", {"in_text": True}, 13),
        (b"AAA", {"in_text": True}, 13),
        (FRAME[:-1], {}, 13),
        (FRAME[:3], {}, 13),
        (b"\x80\0\0\0\0", {}, 13),
        (b"\1\0\0\0\1a", {}, 13),
        (b"\0\0\0\3\xe9" + bytes(1001), {}, 8),
        (b"\1" + len(compress(bytes(1001), "gzip")).to_bytes(4, "big") + compress(bytes(1001), "gzip"), {"encoding": "gzip"}, 8),
    ],
)
def test_broken_and_large_messages_are_refused(body: bytes, options: dict[str, Any], status: int) -> None:
    """With the statuses that they have over HTTP/2."""
    with pytest.raises(MessageError) as caught:
        read(body, **{**NEEDED, **options})
    assert caught.value.status == status


MANY: list[tuple[bytes, dict[str, Any]]] = [
    (b"\0\0\0\0\0" * 10_001, {}),
    (b64encode(b"\0\0\0\0\0" + b"\0\0\0\0\0") * 10_001, {"in_text": True}),
    ((b"\0\0\0\3\xe8" + bytes(1000)) * 2, {}),
]


@pytest.mark.parametrize(("body", "options"), MANY, ids=["messages", "pieces of base64", "bytes together"])
def test_request_of_too_many_pieces_is_refused(body: bytes, options: dict[str, Any]) -> None:
    """A request comes whole, so that what it unfolds to must have a bound that no single message shows."""
    with pytest.raises(MessageError) as caught:
        read(body, **{**NEEDED, **options})
    assert caught.value.status == 8


def test_many_small_bombs_are_no_way_around_the_ratio() -> None:
    """A message may unfold to 1 MiB however small it came; a request of many of them may not."""
    packed = compress(bytes(1 << 20), "gzip")
    body = (b"\1" + len(packed).to_bytes(4, "big") + packed) * 200
    with pytest.raises(MessageError, match="together"):
        read(body, in_text=False, encoding="gzip", max_bytes=None)


def test_large_messages_are_read_across_steps() -> None:
    """Whatever the sizes, all come, in order."""
    parts = [b"a" * 200_000, b"", b"b" * 65_531, b"c"]
    body = b"".join(b"\0" + len(part).to_bytes(4, "big") + part for part in parts)
    assert read(body, in_text=False, encoding="identity", max_bytes=None) == parts


def test_compressed_messages_are_read() -> None:
    """grpc-encoding counts for messages whose flag is set."""
    packed = compress(b"x" * 900, "gzip")
    body = b"\1" + len(packed).to_bytes(4, "big") + packed + FRAME
    assert read(body, **{**NEEDED, "encoding": "gzip"}) == [b"x" * 900, b"abc"]


def test_trailers_are_lines_behind_a_flag() -> None:
    """The status, its text percent-encoded, and metadata; no line can be smuggled in."""
    lines = b"grpc-status: 5\r\ngrpc-message: n%C3%B6%0D%0A\r\nx-a: 1\r\nx-b-bin: AAE\r\n"
    assert grpc_web.trailers_frame(5, "nö\r\n", [("x-a", "1"), ("x-b-bin", b"\0\1")]) == b"\x80" + len(lines).to_bytes(4, "big") + lines


def test_pieces_in_base64_are_one_text() -> None:
    """Or bytes as they are."""
    pieces = (grpc_web.message_frame(b"abc"), grpc_web.trailers_frame(0, "", ()))
    assert grpc_web.encode(pieces, in_text=False) == b"".join(pieces)
    assert grpc_web.encode(pieces, in_text=True) == b64encode(b"".join(pieces))
