"""TLS of what listens and of what calls: certificates as files, version 1.2 or newer, ciphers without known weakness, words for errors.

A listener's files are looked at again when connections come, so that a renewed certificate needs no restart.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jina.errors import ConfigError
from jina.limits import FrontOptions

_log = logging.getLogger("jina.tls")
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption only; those of TLS 1.3 are all of this kind."""
_LOOK_S = 2.0

ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_HINTS = {
    "CERTIFICATE_VERIFY_FAILED": f"ssl_ca_certs (or {ROOTS}, or SSL_CERT_FILE) may name a file with the roots to trust",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a client certificate: give ssl_certfile and ssl_keyfile",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the authority of our client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not take our client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it may ask for a client certificate: give ssl_certfile and ssl_keyfile",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks only versions of TLS that are too old",
    "UNSUPPORTED_PROTOCOL": "it speaks only versions of TLS that are too old",
}
_VERIFY_HINTS = {
    9: "it is not valid yet; are the clocks right?",
    10: "it must be renewed",
    62: "call it by a name that its certificate holds",
    64: "call it by a name that its certificate holds",
}
"""By OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH."""
_NOT_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}


class TlsFiles(NamedTuple):
    """PEM files of one side.

    Attributes:
        certfile: Its certificate, and those between it and a root.
        keyfile: The private key of it, not encrypted; may be empty where `certfile` holds it too.
        ca_certs: Who may have signed the other side's. A listener that has them takes only callers with a certificate; a client without
            them trusts the roots of the system.
    """

    certfile: str = ""
    keyfile: str = ""
    ca_certs: str = ""


def listener_files(options: FrontOptions) -> TlsFiles | None:
    """Give the files of a service; None without TLS."""
    if not options.ssl_certfile:
        return None
    return TlsFiles(options.ssl_certfile, options.ssl_keyfile or "", options.ssl_ca_certs or "")


def check_files(options: FrontOptions) -> None:
    """Find a wrong certificate before anything starts.

    Raises:
        ConfigError: As `server_context`.
    """
    files = listener_files(options)
    if files is not None:
        server_context(files, ())


def server_context(files: TlsFiles, alpn: Sequence[str]) -> ssl.SSLContext:
    """Give the context of a listener, for the files as they are now.

    Args:
        files: A certificate and its key at least.
        alpn: The protocols to offer, best first. A caller that asks for none of them, or for nothing, is served all the same.

    Raises:
        ConfigError: A file cannot be read, or certificate and key do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(list(alpn))
    try:
        context.load_cert_chain(files.certfile, files.keyfile or None, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(f"TLS cannot start: {_fault(files, error)}") from error
    if files.ca_certs:
        try:
            context.load_verify_locations(files.ca_certs)
        except OSError as error:
            raise ConfigError(f"ssl_ca_certs {files.ca_certs!r}, by which callers are known, cannot be read: {error}") from error
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class RenewedContext(ssl.SSLContext):
    """A listener's context that gives each connection the one of its files as they are now.

    The files are looked at when a connection comes, at most every two seconds. Where the new ones cannot be used the old ones stay in
    use, and a line in the log says why; connections that exist keep what they have.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> RenewedContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: TlsFiles, alpn: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the files.

        Raises:
            ConfigError: As `server_context`.
        """
        self._files, self._alpn, self._clock = files, alpn, clock
        self._seen, self._looked_s = _states(files), clock()
        self._current = server_context(files, alpn)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a connection."""
        now_s = self._clock()
        if now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            self._look()
        return self._current.wrap_bio(*args, **kwargs)

    def _look(self) -> None:
        states = _states(self._files)
        if states == self._seen:
            return
        self._seen = states
        try:
            self._current = server_context(self._files, self._alpn)
        except ConfigError as error:
            _log.warning("the changed TLS files are not used, the old ones stay in use: %s", error)
        else:
            _log.info("TLS goes on with the changed files: certificate %r", self._files.certfile)


def _states(files: TlsFiles) -> list[Any]:
    """What changes with the files: a rename puts another file in place, an editor changes size or time."""
    found: list[Any] = []
    for path in filter(None, files):
        try:
            state = os.stat(path)
        except OSError as error:
            found.append(error.errno)
        else:
            found.append((state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns))
    return found


def _fault(files: TlsFiles, error: Exception) -> str:
    """Say which of the two files is wrong, where OpenSSL only says that one is."""
    both = "" if files.keyfile else "; give ssl_keyfile"
    key = ("ssl_keyfile", files.keyfile) if files.keyfile else ("ssl_certfile", files.certfile)
    for (option, path), wanted, other in (
        (("ssl_certfile", files.certfile), "certificate", "private key"),
        (key, "private key", "certificate"),
    ):
        try:
            content = Path(path).read_bytes().lower()
        except OSError as fault:
            return f"{option} {path!r} cannot be read: {fault.strerror}"
        if f"{wanted}-----".encode() not in content:
            found = f" but a {other}{both}" if f"{other}-----".encode() in content else " (PEM)"
            return f"{option} {path!r} holds no {wanted}{found}"
    if isinstance(error, ssl.SSLError) and error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return f"certificate {files.certfile!r} and key {files.keyfile!r} do not go together"
    return f"certificate {files.certfile!r} with key {files.keyfile!r}: {error}"


def _no_password() -> str:
    raise ValueError("the key is encrypted; give one without a password")


def client_context(files: TlsFiles, alpn: Sequence[str], *, is_pinned: bool = False) -> ssl.SSLContext:
    """Give the context of a client, which checks that the service's certificate is trusted and names the host that is called.

    With `is_pinned` the service's certificate is the one in `ca_certs`, whatever it names. Otherwise trusted are the roots in `ca_certs`;
    without it those in the file that `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH` names; without that the system's, or those in the file that
    `SSL_CERT_FILE` names.

    Raises:
        ConnectionError: A file cannot be read.
    """
    roots = files.ca_certs or os.environ.get(ROOTS) or None
    try:
        context = ssl.create_default_context(cafile=roots)
    except OSError as error:
        named = "ssl_ca_certs" if files.ca_certs else ROOTS
        raise ConnectionError(f"the roots in {roots!r}, which {named} names, cannot be read: {error}") from error
    if roots:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as before Python 3.13: private authorities leave out what that asks for
    if is_pinned:
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(alpn))
    if files.certfile:
        try:
            context.load_cert_chain(files.certfile, files.keyfile or None, password=_no_password)
        except (OSError, ValueError) as error:
            raise ConnectionError(f"the client certificate cannot be used: {_fault(files, error)}") from error
    return context


def explain(error: BaseException | None) -> str:
    """Say what a failed TLS connection means to a client; empty for what has nothing to do with TLS."""
    if not isinstance(error, ssl.SSLError):
        return ""
    reason = error.reason or ""
    if reason in _NOT_TLS:
        return f"it does not speak TLS: leave out tls=True, or the s of https://, grpcs:// or wss:// ({error})"
    verify_code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    hint = _VERIFY_HINTS.get(verify_code) or _HINTS.get(reason)
    return f"{error}; {hint}" if hint else str(error)
