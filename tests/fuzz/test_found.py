"""Finds of the fuzzer whose inputs alone do not show them: it matters where they are cut."""

from __future__ import annotations

from jina.wire import grpc, http2
from jina.wire import http2_frames as frames
from jina.wire.http import Limits, Request, ServerConnection
from jina.wire.http2_limits import Http2Limits

HELLO = frames.PREFACE + frames.settings({})
BLOCK = grpc.request_block("/a")


def test_requests_before_do_not_count_against_one_that_begins() -> None:
    """Many small requests and the beginning of another, all in one read: the last one's headers are not too large."""
    request = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
    connection = ServerConnection(Limits(max_header_bytes=1000, max_target_bytes=100), {}, 0.0)

    events = connection.receive(request * 200 + request[:10], 0.0) + connection.receive(request[10:], 0.0)

    assert [type(event) for event in events] == [Request] * 201


def test_wrong_preface_is_refused_at_its_first_wrong_byte() -> None:
    """Byte by byte, what is not HTTP/2 is refused as soon as it shows."""
    connection = http2_server()
    for byte in b"PRI * HTTP/3":
        assert not connection.is_closed
        connection.receive(bytes((byte,)))

    assert connection.is_closed


def test_padded_data_is_passed_on_as_it_comes() -> None:
    """Also where a read ends right behind the frame's header."""
    connection = http2_server()
    connection.receive(HELLO + frames.frame(frames.HEADERS, frames.END_HEADERS, 1, BLOCK))
    frame = frames.frame(frames.DATA, frames.PADDED, 1, b"\0" + b"x" * 10_000)

    events = [event for piece in (frame[:9], frame[9:5000]) for event in connection.receive(piece)]

    assert b"".join(bytes(event[2]) for event in events if event[0] == http2.DATA) == b"x" * 4990


def test_a_call_is_cancelled_once() -> None:
    """Its message is broken, then its stream is: one read brings both, and the handler hears of the end once."""
    connection = grpc.ServerConnection()
    connection.receive(HELLO + frames.frame(frames.HEADERS, frames.END_HEADERS, 1, BLOCK))
    connection.receive(frames.frame(frames.DATA, 0, 1, b"\0\0\0\0\1a"))

    bad_message, bad_frame = frames.frame(frames.DATA, 0, 1, b"\7\0\0\0\1a"), frames.window_update(1, 0)
    events = connection.receive(bad_message + bad_frame)

    assert [event[0] for event in events] == [grpc.CANCELLED]


def http2_server() -> http2.Connection:
    return http2.Connection(
        is_client=False, limits=Http2Limits(), build_head=lambda fields, _: fields, build_trailers=lambda fields, _: fields
    )
