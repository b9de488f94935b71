"""What callers may ask of a service, with the same meaning on every protocol, and what its front process is told beside."""

from __future__ import annotations

from dataclasses import dataclass, fields

from jina.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one port; None means no limit.

    Attributes:
        max_body_bytes: Of one HTTP request, after every coding is undone.
        max_message_bytes: Of one message over gRPC, gRPC-Web or WebSocket, unfolded.
        max_header_bytes: Names and values of one request's fields together, and 32 bytes a field (RFC 9113, 6.5.2).
        max_header_fields: Fields of one request, trailers included.
        max_target_bytes: Of a request's path and query.
        max_streams: Calls at once on one HTTP/2 connection.
        max_pipelined: Requests of one HTTP/1.1 connection that are held before reading from it stops.
        prefetch: Requests of one bidirectional stream that are worked on at once; 0 for no limit.
        header_timeout_s: From the first byte of a request to the end of its headers; for a preface and a handshake too.
        idle_timeout_s: A connection without requests on which nothing comes (a ping is something) for so long is closed.
        write_timeout_s: A caller that takes nothing of its reply for so long is cut off; over HTTP/2 a stream whose reader keeps its window
            shut, or whose message does not come to its end, is reset.
        min_body_bytes_per_s: Asked for after 5 s of a request's body.
    """

    max_body_bytes: int | None = 100 << 20
    max_message_bytes: int | None = 1 << 30
    max_header_bytes: int = 64 << 10
    max_header_fields: int = 100
    max_target_bytes: int = 64 << 10
    max_streams: int = 1000
    max_pipelined: int = 16
    prefetch: int = 1000
    header_timeout_s: float | None = 10.0
    idle_timeout_s: float | None = 60.0
    write_timeout_s: float | None = 60.0
    min_body_bytes_per_s: int | None = 1024

    def __post_init__(self) -> None:
        for field in fields(Limits):
            value = getattr(self, field.name)
            if value is None or value > 0 or (field.name == "prefetch" and value == 0):
                continue
            hint = "; use None for no limit" if "None" in str(field.type) else ""
            raise ConfigError(f"{field.name} must be above 0, got {value}{hint}")


@dataclass(frozen=True, kw_only=True)
class FrontOptions(Limits):
    """What can be set of all ports of a service: what callers may ask, what the API page says, TLS.

    Attributes:
        title, description, version: Of the API page.
        cors: Let browsers call from any origin.
        is_flow: Several nodes are behind it: replies over HTTP carry `header`, and there are `/dry_run`, `/status` and `/post`.
        ssl_certfile, ssl_keyfile: PEM files by their whole paths; None without TLS.
        ssl_ca_certs: The same, of who may have signed the callers' certificates; None takes callers without one.
        max_buffered_bytes: What all connections of all ports may hold; None for a quarter of the process's memory.
    """

    title: str | None = None
    description: str | None = None
    version: str = "0.1.0"
    cors: bool = False
    is_flow: bool = False
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_ca_certs: str | None = None
    max_buffered_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long one node's calls, and its workers, are waited for, in seconds; None is no limit.

    Attributes:
        timeout_send_s: A call, from its coming to its end; its own deadline may come sooner.
        max_wait_for_replica_s: A call while no worker is up.
        hang_timeout_s: A worker that answers nothing, until it is started anew.
    """

    timeout_send_s: float | None = None
    max_wait_for_replica_s: float | None = 60.0
    hang_timeout_s: float | None = 60.0
