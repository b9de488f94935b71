"""`jina ping`: is a service ready? Container probes run it every few seconds, so it imports next to nothing and speaks over a bare socket.

HTTP and WebSocket services are asked `GET /`; gRPC ones the standard health service, and a Flow its dry run. For gRPC the few bytes
of HTTP/2 that one call needs are written here: the frame headers are read, header blocks are not, because an answer with a message
is a success and one without is a failure.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from base64 import b64encode

from jina.errors import ConfigError
from jina.options.address import Address, in_url, parse_address, reachable, unix_path

_HEALTH = b"/grpc.health.v1.Health/Check"
_DRY_RUN = b"/jina.JinaGatewayDryRunRPC/dry_run"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # and empty SETTINGS (RFC 9113, 3.4)
_DATA, _HEADERS, _RST_STREAM, _PING, _GOAWAY = 0, 1, 3, 6, 7
_END_STREAM, _END_HEADERS = 1, 4
_MAX_ANSWER = 1 << 20
_PAUSE_S = 1.0
Files = tuple[str, str, str]
_NO_FILES = ("", "", "")


class NotReadyError(Exception):
    """The service answered, but not that it is ready."""


class _RefusedError(NotReadyError):
    """It speaks HTTP/2 and did not answer the health check: perhaps it is no gRPC that it speaks over it."""


class _StrangeError(NotReadyError):
    """What came, or that nothing did, fits a port that speaks something else: perhaps TLS."""


def ping(words: list[str]) -> int:
    """Exit code 0 if enough attempts found the service ready, else 1."""
    given = _parse(words)
    try:
        address = parse_address(given.host)
        if given.ssl_ca_certs and not address.tls:
            raise ConfigError(
                "--ssl-ca-certs was given for a service without TLS; write grpcs://, https:// or wss:// in front of the address"
            )
    except ConfigError as error:
        print(f"jina ping: {error}", file=sys.stderr)
        return 1
    n_good = 0
    for attempt in range(given.attempts):
        if attempt:
            time.sleep(_PAUSE_S)
        n_good += _attempt(given, address, attempt)
    enough = n_good >= given.min_successful_attempts
    print(f"{given.host}: ready in {n_good} of {given.attempts} attempt(s)", file=sys.stdout if enough else sys.stderr)
    return 0 if enough else 1


def check(target: str, address: Address, timeout_s: float, files: Files = _NO_FILES) -> None:
    """Ask once.

    Args:
        target: Of a Flow a dry run is asked for.
        address: The service.
        timeout_s: For all of it.
        files: PEM files: a client certificate and its key, for a service that asks for one, and roots to check the service's by.

    Raises:
        OSError: It cannot be reached, or did not answer in time.
        NotReadyError: It answered something else.
    """
    deadline = time.monotonic() + timeout_s
    authority = _place(address) if unix_path(address.host) is None else "localhost"
    try:
        with (
            _connection(address, timeout_s) as plain,
            _with_tls(plain, address, files) if address.tls else plain as connection,
        ):
            _CHECKS[_protocol(address)](connection, target, authority, deadline)
    except _RefusedError:
        if not _speaks_http(address, files, deadline):
            raise
        raise NotReadyError(f"this port refuses gRPC's health check, and speaks HTTP; {_write(address, 'http')}") from None
    except (_StrangeError, OSError) as error:
        words = _about_tls(address, error, deadline - time.monotonic())
        if not words:
            raise
        raise NotReadyError(words) from error


def _about_tls(address: Address, error: Exception, left_s: float) -> str:
    """Say what TLS has to do with a failure; empty if nothing is known of that."""
    if address.tls:
        from jina.transport.tls import explain

        return explain(error)
    if not isinstance(error, _StrangeError | ConnectionResetError | BrokenPipeError) or not _speaks_tls(address, left_s):
        return ""
    secure = {"GRPC": "grpcs", "HTTP": "https", "WEBSOCKET": "wss"}[_protocol(address)]
    return f"this port speaks TLS; write {secure}:// in front of the address"


def _write(address: Address, scheme: str) -> str:
    return f"write {scheme}{'s' if address.tls else ''}:// in front of the address"


def _protocol(address: Address) -> str:
    return address.protocol or "GRPC"


def _port(address: Address) -> int:
    return address.port if address.port is not None else (443 if address.tls else 80)


def _place(address: Address) -> str:
    """What is asked, as people read it: host and port, or the Unix socket."""
    return f"{in_url(address.host)}:{_port(address)}" if unix_path(address.host) is None else address.host


def _connection(address: Address, timeout_s: float) -> socket.socket:
    path = unix_path(address.host)
    if path is None:
        return socket.create_connection((reachable(address.host), _port(address)), timeout=timeout_s)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jina ping", description="Ask a running service whether it is ready. Exits with 0 if it is, else with 1.", allow_abbrev=False
    )
    parser.add_argument(
        "target",
        choices=("executor", "deployment", "gateway", "flow"),
        metavar="TARGET",
        help="executor, deployment, gateway or flow (a dry run)",
    )
    parser.add_argument("host", metavar="HOST", help="e.g. 127.0.0.1:54321 (gRPC), http://127.0.0.1:8080, grpcs://..., unix:/run/a.sock")
    parser.add_argument("--timeout", type=int, default=3000, metavar="MS", help="milliseconds for each attempt [3000]")
    parser.add_argument("--attempts", type=int, default=1, metavar="N", help="how often to ask, one second apart [1]")
    parser.add_argument(
        "--ssl-ca-certs",
        default="",
        metavar="FILE",
        help="roots (PEM) to check the service's certificate by; else it is not checked, as probes ask an address that it does not name",
    )
    parser.add_argument("--ssl-certfile", default="", metavar="FILE", help="client certificate (PEM), where the service asks for one")
    parser.add_argument("--ssl-keyfile", default="", metavar="FILE", help="its key (PEM), where the certificate's file does not hold it")
    parser.add_argument("--min-successful-attempts", type=int, default=1, metavar="N", help="how many must succeed [1]")
    given, unknown = parser.parse_known_args([word for word in words if not _is_odd(word)])
    if unknown:
        print(f"jina ping: ignored unknown argument(s) {', '.join(unknown)}", file=sys.stderr)
    return given


def _is_odd(word: str) -> bool:
    """Exported Kubernetes files hold `--timeout 9500` as one word; Jina ignores it."""
    return word.startswith("--timeout ")


def _attempt(given: argparse.Namespace, address: Address, attempt: int) -> bool:
    began = time.perf_counter()
    try:
        check(given.target, address, given.timeout / 1000, (given.ssl_certfile, given.ssl_keyfile, given.ssl_ca_certs))
    except (OSError, NotReadyError) as error:
        reason = str(error) or type(error).__name__
        print(f"attempt {attempt + 1}: {_place(address)} is not ready: {reason}", file=sys.stderr)
        return False
    print(f"attempt {attempt + 1}: ready in {(time.perf_counter() - began) * 1000:.1f} ms")
    return True


def _with_tls(plain: socket.socket, address: Address, files: Files = _NO_FILES) -> socket.socket:
    """TLS; without roots, without a look at the certificate: probes ask 127.0.0.1, which it seldom names, and nothing secret is sent."""
    import ssl

    alpn = ["h2" if _protocol(address) == "GRPC" else "http/1.1"]
    if files[2]:
        from jina.transport.tls import TlsFiles, client_context

        context = client_context(TlsFiles(*files), alpn)
    else:
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(alpn)
        if files[0]:
            context.load_cert_chain(files[0], files[1] or None)
    try:
        return context.wrap_socket(plain, server_hostname=reachable(address.host) if unix_path(address.host) is None else "localhost")
    except (ssl.SSLEOFError, ConnectionResetError, TimeoutError) as error:
        raise NotReadyError(
            f"it gave no answer to TLS; does this port speak it? If not, leave out the s of the scheme ({error})"
        ) from error


def _speaks_tls(address: Address, timeout_s: float) -> bool:
    try:
        with _connection(address, max(timeout_s, 0.1)) as plain, _with_tls(plain, address):
            return True
    except (OSError, NotReadyError):  # whatever it is, it is no TLS
        return False


def _speaks_http(address: Address, files: Files, deadline: float) -> bool:
    asked = address._replace(protocol="HTTP")
    try:
        with (
            _connection(asked, max(deadline - time.monotonic(), 0.1)) as plain,
            _with_tls(plain, asked, files) if asked.tls else plain as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return _read(connection, 4096, deadline).startswith(b"HTTP/1.1 ")
    except (OSError, NotReadyError):  # it does not answer this either
        return False


def _read(connection: socket.socket, n_bytes: int, deadline: float) -> bytes:
    """Up to n bytes; empty when the peer has closed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    connection.settimeout(left)
    return connection.recv(n_bytes)


def _check_http(connection: socket.socket, target: str, authority: str, deadline: float) -> None:
    path = "/dry_run" if target == "flow" else "/"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: jina-ping\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    while len(answer) < _MAX_ANSWER and (target == "flow" or b"\r\n" not in answer):
        chunk = _read(connection, 4096, deadline)
        if not chunk:
            break
        answer += chunk
    _refuse_grpc(answer, "http")
    line = answer.partition(b"\r\n")[0].decode("latin-1")
    if not line.startswith("HTTP/1.1 200"):
        kind = NotReadyError if line.startswith("HTTP/") and " 400" not in line[:13] else _StrangeError
        raise kind(f"GET {path} was answered with {line[:80]!r}")
    if target == "flow" and b'"code":1' in answer.replace(b" ", b""):
        raise NotReadyError("the dry run failed")


def _refuse_grpc(answer: bytes, scheme: str) -> None:
    if answer[:1] == b"\x00" and answer[3:4] == b"\x04":  # SETTINGS, the first frame of every HTTP/2 server
        raise NotReadyError(f"this is a gRPC port; leave out the {scheme}:// in front of the address")


def _check_websocket(connection: socket.socket, target: str, authority: str, deadline: float) -> None:
    """Ask for a WebSocket on `/dry_run`, which is told one status as soon as it is there."""
    lines = f"Host: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = b64encode(os.urandom(16)).decode()
    connection.sendall(f"GET /dry_run HTTP/1.1\r\n{lines}Sec-WebSocket-Key: {key}\r\n\r\n".encode())
    answer = b""
    while len(answer) < _MAX_ANSWER:
        head, found, frame = answer.partition(b"\r\n\r\n")
        if found and not head.startswith(b"HTTP/1.1 101"):
            line = head.partition(b"\r")[0].decode("latin-1")
            raise _StrangeError(f"this port speaks no WebSocket: it answered with {line[:80]!r}; for an HTTP port write http:// in front")
        if len(frame) >= 2 and len(frame) >= 2 + (frame[1] if frame[1] < 126 else 4):  # of a longer one the beginning tells enough
            if _first_field(frame[2 if frame[1] < 126 else 4 :]):
                raise NotReadyError("the dry run failed")
            return
        chunk = _read(connection, 4096, deadline)
        if not chunk:
            raise _StrangeError("the connection was closed without an answer")
        answer += chunk
        _refuse_grpc(answer, "ws")
    raise NotReadyError("the answer is too long")


def _check_grpc(connection: socket.socket, target: str, authority: str, deadline: float) -> None:
    connection.sendall(_PREFACE + _call(_DRY_RUN if target == "flow" else _HEALTH, authority.encode()))
    message = _answer(connection, deadline)
    status = _first_field(message)
    if target == "flow":
        if status:
            raise NotReadyError("the dry run failed")
    elif status != 1:
        raise NotReadyError("its health service does not say SERVING")


_CHECKS = {"GRPC": _check_grpc, "HTTP": _check_http, "WEBSOCKET": _check_websocket}


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
                raise _RefusedError("the service refused the health check")
            elif kind == _PING and not flags & 1:
                connection.sendall(_frame(_PING, 1, 0, payload))
        chunk = _read(connection, 65536, deadline)
        if not chunk:
            raise _StrangeError("the connection was closed without an answer; for an HTTP port write http:// in front")
        held += chunk
        if held[:5] == b"HTTP/":
            raise NotReadyError("this is an HTTP port; write http:// in front of the address")
    raise NotReadyError("the answer is too long")


def _first_field(message: bytes) -> int:
    """The value of field 1, an enum, in a protobuf message; 0 if it is not there."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
