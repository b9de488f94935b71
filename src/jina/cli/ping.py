"""`jina ping`: is a service ready? Container probes run it every few seconds, so it imports next to nothing and speaks over a bare socket.

What a failure may come from, another protocol or TLS, is found out by asking once more.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time

from jina.cli.probes import PROBES, HealthRefusedError, NotReadyError, StrangeError, read
from jina.errors import ConfigError
from jina.options.address import Address, in_url, parse_address, reachable, unix_path

_PAUSE_S = 1.0
Files = tuple[str, str, str]
_NO_FILES = ("", "", "")


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
            PROBES[_protocol(address)](connection, target, authority, deadline)
    except HealthRefusedError:
        if not _speaks_http(address, files, deadline):
            raise
        raise NotReadyError(f"this port refuses gRPC's health check, and speaks HTTP; {_write(address, 'http')}") from None
    except (StrangeError, OSError) as error:
        words = _about_tls(address, error, deadline - time.monotonic())
        if not words:
            raise
        raise NotReadyError(words) from error


def _about_tls(address: Address, error: Exception, left_s: float) -> str:
    """Say what TLS has to do with a failure; empty if nothing is known of that."""
    if address.tls:
        from jina.transport.tls import explain

        return explain(error)
    if not isinstance(error, StrangeError | ConnectionResetError | BrokenPipeError) or not _speaks_tls(address, left_s):
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
            return read(connection, 4096, deadline).startswith(b"HTTP/1.1 ")
    except (OSError, NotReadyError):  # it does not answer this either
        return False
