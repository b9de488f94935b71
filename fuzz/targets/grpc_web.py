"""gRPC-Web's bodies: what we frame is read back, in base64 cut and padded anywhere; whatever comes has a bound."""

from __future__ import annotations

import struct
from base64 import b64encode

from fuzz.choices import Choices, cuts
from jina.wire import grpc_web
from jina.wire.buffered import Buffered
from jina.wire.grpc_messages import ENCODINGS, MessageError

MAX_BYTES = 1024
WORDS = (b"\0\0\0\0\5hello", b"AAAAAAA=", b"=", b"application/grpc-web-text+proto", b"\x80\0\0\0\0", b"\1\0\0\0\x14\x1f\x8b\x08\0")
_LIMIT = 5_000


def check(data: bytes) -> None:
    choices = Choices(data)
    encoding, in_text = choices.pick(ENCODINGS), choices.pick((False, True))
    sent = choices.rest()
    _check_type(sent.decode("latin-1"))
    found = _read(sent, encoding, in_text)
    if found is not None:
        assert sum(map(len, found)) <= _LIMIT
        if encoding == "identity" and not in_text:
            assert b"".join(map(grpc_web.message_frame, found)) == sent
    framed = grpc_web.message_frame(sent) * 2
    text = b"".join(b64encode(piece) for piece in cuts(framed))
    expected = None if 2 * len(sent) > _LIMIT else [sent, sent]
    assert _read(framed, encoding, False) == _read(text, encoding, True) == expected
    _check_trailers(sent.decode(errors="replace"))


def _read(body: bytes, encoding: str, in_text: bool) -> list[bytes] | None:
    buffered = Buffered()
    steps = grpc_web.read_messages(body, in_text=in_text, encoding=encoding, max_bytes=_LIMIT, buffered=buffered)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return list(end.value)
    except MessageError:
        return None
    finally:
        assert not buffered.n_bytes


def _check_type(text: str) -> None:
    if grpc_web.is_grpc_web(text):
        reply = grpc_web.reply_type(text, "")
        assert grpc_web.is_grpc_web(reply)
        assert grpc_web.is_text(reply) is grpc_web.is_text(text)
        assert reply.isascii()
        assert reply.isprintable()
    assert grpc_web.is_text(grpc_web.reply_type("application/grpc-web-text", text)) in (False, True)


def _check_trailers(text: str) -> None:
    frame = grpc_web.trailers_frame(5, text, ())
    flag, size = struct.unpack_from(">BI", frame)
    lines = frame[5:].split(b"\r\n")
    assert (flag, size, lines[0], lines[-1]) == (0x80, len(frame) - 5, b"grpc-status: 5", b"")
    assert len(lines) == (3 if text else 2)


def seeds() -> list[bytes]:
    bodies = (b"\0\0\0\0\5hello", b"\0\0\0\0\0" * 3, b"\x80\0\0\0\0")
    return [b"\0\0" + body for body in bodies] + [b"\0\1" + b64encode(body) for body in bodies] + [b"\1\0application/grpc-web+proto"]
