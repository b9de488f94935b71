"""What `jina ping` asks a service of each protocol, over a bare socket.

HTTP services are asked `GET /`, a Flow and all over WebSocket `/dry_run`; gRPC ones the standard health service, and a Flow its dry
run. For gRPC the few bytes of HTTP/2 that one call needs are written here: the frame headers are read, header blocks are not, because an
answer with a message is a success and one without is a failure.
"""

from __future__ import annotations

import os
import socket
import time
from base64 import b64encode

_HEALTH = b"/grpc.health.v1.Health/Check"
_DRY_RUN = b"/jina.JinaGatewayDryRunRPC/dry_run"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # and empty SETTINGS (RFC 9113, 3.4)
_DATA, _HEADERS, _RST_STREAM, _PING, _GOAWAY = 0, 1, 3, 6, 7
_END_STREAM, _END_HEADERS = 1, 4
_CLOSE = 8  # opcode of a WebSocket's frame; those above it are pings and pongs (RFC 6455, 5.2)
_MAX_ANSWER = 1 << 20


class NotReadyError(Exception):
    """The service answered, but not that it is ready."""


class HealthRefusedError(NotReadyError):
    """It speaks HTTP/2 and did not answer the health check: perhaps it is no gRPC that it speaks over it."""


class StrangeError(NotReadyError):
    """What came, or that nothing did, fits a port that speaks something else: perhaps TLS."""


def read(connection: socket.socket, n_bytes: int, deadline: float) -> bytes:
    """Up to n bytes; empty when the peer has closed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    connection.settimeout(left)
    return connection.recv(n_bytes)


def _ask_http(connection: socket.socket, target: str, authority: str, deadline: float) -> None:
    path = "/dry_run" if target == "flow" else "/"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: jina-ping\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    while len(answer) < _MAX_ANSWER and (target == "flow" or b"\r\n" not in answer):
        chunk = read(connection, 4096, deadline)
        if not chunk:
            break
        answer += chunk
    _refuse_grpc(answer, "http")
    line = answer.partition(b"\r\n")[0].decode("latin-1")
    if not line.startswith("HTTP/1.1 200"):
        kind = NotReadyError if line.startswith("HTTP/") and " 400" not in line[:13] else StrangeError
        raise kind(f"GET {path} was answered with {line[:80]!r}")
    if target == "flow" and b'"code":1' in answer.replace(b" ", b""):
        raise NotReadyError("the dry run failed")


def _refuse_grpc(answer: bytes, scheme: str) -> None:
    if answer[:1] == b"\x00" and answer[3:4] == b"\x04":  # SETTINGS, the first frame of every HTTP/2 server
        raise NotReadyError(f"this is a gRPC port; leave out the {scheme}:// in front of the address")


def _ask_websocket(connection: socket.socket, target: str, authority: str, deadline: float) -> None:
    """Ask for a WebSocket on `/dry_run`, which is told one status as soon as it is there."""
    lines = f"Host: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = b64encode(os.urandom(16)).decode()
    connection.sendall(f"GET /dry_run HTTP/1.1\r\n{lines}Sec-WebSocket-Key: {key}\r\n\r\n".encode())
    answer = b""
    while len(answer) < _MAX_ANSWER:
        head, found, frame = answer.partition(b"\r\n\r\n")
        if found and not head.startswith(b"HTTP/1.1 101"):
            line = head.partition(b"\r")[0].decode("latin-1")
            raise StrangeError(f"this port speaks no WebSocket: it answered with {line[:80]!r}; for an HTTP port write http:// in front")
        message = _websocket_message(frame)
        if message is not None:
            if _first_field(message):
                raise NotReadyError("the dry run failed")
            return
        chunk = read(connection, 4096, deadline)
        if not chunk:
            raise StrangeError("the connection was closed without an answer")
        answer += chunk
        _refuse_grpc(answer, "ws")
    raise NotReadyError("the answer is too long")


def _websocket_message(frames: bytes) -> bytes | None:
    """The first message, of a long one the beginning; None as long as it is not there. Pings may come before it."""
    while len(frames) >= 2 and len(frames) >= (end := 2 + (frames[1] if frames[1] < 126 else 4)):
        opcode = frames[0] & 15
        if opcode == _CLOSE:
            raise NotReadyError(f"it closed the WebSocket with code {int.from_bytes(frames[2:4], 'big') if end >= 4 else 1005}")
        if opcode < _CLOSE:
            return frames[2 if frames[1] < 126 else 4 :]
        frames = frames[end:]
    return None


def _ask_grpc(connection: socket.socket, target: str, authority: str, deadline: float) -> None:
    connection.sendall(_PREFACE + _call(_DRY_RUN if target == "flow" else _HEALTH, authority.encode()))
    message = _answer(connection, deadline)
    status = _first_field(message)
    if target == "flow":
        if status:
            raise NotReadyError("the dry run failed")
    elif status != 1:
        raise NotReadyError("its health service does not say SERVING")


PROBES = {"GRPC": _ask_grpc, "HTTP": _ask_http, "WEBSOCKET": _ask_websocket}
"""By protocol: (connection, target, authority, deadline); each raises NotReadyError or OSError unless the service is ready."""


def _call(path: bytes, authority: bytes) -> bytes:
    """One gRPC call with an empty message on stream 1. Header fields are literals without indexing (RFC 7541, 6.2.2)."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", authority[:120]),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )
    block = b"".join(b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value for name, value in fields)
    return _frame(_HEADERS, _END_HEADERS, 1, block) + _frame(_DATA, _END_STREAM, 1, b"\x00" * 5)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _answer(connection: socket.socket, deadline: float) -> bytes:
    """The message of stream 1."""
    held, data = b"", b""
    while len(held) + len(data) < _MAX_ANSWER:
        while len(held) >= 9 and len(held) >= 9 + int.from_bytes(held[:3], "big"):
            end = 9 + int.from_bytes(held[:3], "big")
            kind, flags, payload, held = held[3], held[4], held[9:end], held[end:]
            if kind == _DATA:
                data += payload
                if len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[1:5], "big"):
                    return data[5:]
            elif kind in (_RST_STREAM, _GOAWAY) or (kind == _HEADERS and flags & _END_STREAM):
                raise HealthRefusedError("the service refused the health check")
            elif kind == _PING and not flags & 1:
                connection.sendall(_frame(_PING, 1, 0, payload))
        chunk = read(connection, 65536, deadline)
        if not chunk:
            raise StrangeError("the connection was closed without an answer; for an HTTP port write http:// in front")
        held += chunk
        if held[:5] == b"HTTP/":
            raise NotReadyError("this is an HTTP port; write http:// in front of the address")
    raise NotReadyError("the answer is too long")


def _first_field(message: bytes) -> int:
    """The value of field 1, an enum, in a protobuf message; 0 if it is not there."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
