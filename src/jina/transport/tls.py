"""TLS for what listens: certificate and key as files, modern protocol versions only."""

from __future__ import annotations

import ssl

from jina.errors import ConfigError

_ALPN = {"grpc": "h2", "http": "http/1.1"}


def server_context(certfile: str, keyfile: str, protocol: str) -> ssl.SSLContext:
    """Give the context of a listener that speaks `protocol` (`grpc` or `http`) over TLS 1.2 or newer.

    Args:
        certfile: PEM file with the certificate, and those between it and a root.
        keyfile: PEM file with its private key, not encrypted.
        protocol: Decides which protocol is agreed on by ALPN.

    Raises:
        ConfigError: A file cannot be read, or the two do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([_ALPN[protocol]])
    try:
        context.load_cert_chain(certfile, keyfile, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(f"TLS with certificate {certfile!r} and key {keyfile!r} cannot start: {error}") from error
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted; give one without a password")
