"""The header fields of a client's requests over HTTP/1.1, those that become a WebSocket among them."""

from __future__ import annotations

from jina.errors import BadClientInput

_RESERVED = frozenset(("content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"))
_LONGEST_TIMEOUT_S = 1e9


def request_fields(own: dict[str, str], metadata: tuple[tuple[str, str | bytes], ...], timeout_s: float | None = None) -> dict[str, str]:
    """Give a request's own fields and those of the caller, who may replace them.

    Raises:
        BadClientInput: A name that belongs to the protocol.
    """
    found = dict(own)
    for name, value in metadata:
        if name in _RESERVED or name.startswith("sec-websocket-"):
            raise BadClientInput(f"metadata name {name!r} is reserved by the protocol; use another")
        found[name] = value if isinstance(value, str) else value.decode("latin-1")
    if timeout_s is not None and timeout_s < _LONGEST_TIMEOUT_S:
        found.setdefault("x-request-timeout", f"{timeout_s:g}")
    return found
