"""gRPC over HTTP/2 for both roles, sans-IO: bytes in, event tuples out; the owner moves the bytes and knows the time.

    connection = ServerConnection(unary_paths=UNARY)        # or ClientConnection()
    transport.write(connection.take_output())               # the preface and SETTINGS: at once, for both roles
    for event in connection.receive(data, now):             # on every read; never raises, whatever the peer sends
        ...                                                 # reply(), send_message(), ...
    transport.write(connection.take_output())               # once a turn: everything that was sent since, in one piece

Events are tuples whose first element is one of the constants below; the second is the stream's number (an int), where there is one.
A method called for a stream that is gone (reset, cancelled, ended) does nothing: whoever answers late need not know.
While the transport cannot write (`pause_writing`), its owner stops reading too: what we must answer (PING, SETTINGS) is then bounded.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, Final

Event = tuple[Any, ...]
Metadata = Iterable[tuple[str, str | bytes]]

UNARY: Final = 1
"""Server: (UNARY, stream, head, data): a whole request of exactly one message; the only event of a call to one of `unary_paths`."""
CALL_STARTED: Final = 2
"""Server: (CALL_STARTED, stream, head): a call that is not complete yet, or has none or several messages."""
MESSAGE: Final = 3
"""Both: (MESSAGE, stream, data): one message, decompressed."""
HALF_CLOSED: Final = 4
"""Server: (HALF_CLOSED, stream): the caller sends no more messages."""
CANCELLED: Final = 5
"""Server: (CANCELLED, stream, code): the caller left (an HTTP/2 error code; 8 is CANCEL). Not given for calls never announced."""
WRITABLE: Final = 6
"""Both: (WRITABLE, stream): what was queued for this stream has left; given once after `is_writable` was False."""
PING_ACK: Final = 7
"""Both: (PING_ACK, data): the peer answered `ping(data)`."""
CLOSED: Final = 8
"""Both: (CLOSED, code, reason): the connection is over; write `take_output()`, then close the transport. Last event, given once."""
UNARY_REPLY: Final = 9
"""Client: (UNARY_REPLY, stream, data, trailers, head): an OK reply of exactly one message to `call()`."""
HEAD: Final = 10
"""Client: (HEAD, stream, head): the initial metadata of a call begun by `start()`."""
ENDED: Final = 11
"""Client: (ENDED, stream, status, message, trailers, is_unprocessed): the call is over; `status` is a gRPC status number (0 only
after `start()`); `is_unprocessed`: the peer says that it never began it, so that it may be sent again."""
GOAWAY: Final = 12
"""Client: (GOAWAY, code, text): no new calls on this connection; those that the peer will still answer go on, the others got ENDED.
Server: the client is about to leave; nothing to do."""


class ServerConnection:
    """One client's connection.

    Args:
        limits: An `http2_limits.Limits`.
        max_message_bytes: A larger message (as sent, or decompressed) ends its call with RESOURCE_EXHAUSTED; None for no limit.
        unary_paths: Paths of methods that take exactly one message: their calls come as UNARY only, however they were cut, and what
            is not exactly one message is answered here.

    Attributes:
        is_closed: After CLOSED.
        is_drained: `goaway()` was called, and every call that the client may still hope for has ended: close the transport.
        n_streams: Calls that have not ended.
        n_buffered_bytes: What incomplete messages hold now.
    """

    def __init__(self, *, limits: Any = None, max_message_bytes: int | None = 1 << 30, unary_paths: Container[str] = ()) -> None:
        raise NotImplementedError

    is_closed: bool
    is_drained: bool
    n_streams: int
    n_buffered_bytes: int

    def receive(self, data: bytes, now: float = 0.0) -> list[Event]:
        """Take what was read. `now` (monotonic seconds) lets the caps on floods recover; without it they count over the whole life."""
        raise NotImplementedError

    def eof(self) -> list[Event]:
        """The transport is gone: CANCELLED for every call under way, then CLOSED."""
        raise NotImplementedError

    def take_output(self) -> bytes:
        """Give what is to be written, in one piece; empty if nothing is."""
        raise NotImplementedError

    def reply(self, stream: int, message: bytes, metadata: Metadata = ()) -> None:
        """Answer an unary call: headers, the message, status OK with trailing `metadata`."""
        raise NotImplementedError

    def send_headers(self, stream: int, metadata: Metadata = (), *, encoding: str = "identity") -> None:
        """Send initial metadata now (else the first message or the status does); later messages are compressed with `encoding`."""
        raise NotImplementedError

    def send_message(self, stream: int, message: bytes) -> None:
        """Send one message; it queues here as far as the peer's windows are shut (see `is_writable`)."""
        raise NotImplementedError

    def send_status(self, stream: int, status: int, message: str = "", metadata: Metadata = ()) -> None:
        """End a call. Where nothing was sent yet, this is a reply of trailers only."""
        raise NotImplementedError

    def is_writable(self, stream: int) -> bool:
        """Whether little is queued for the stream. If False, WRITABLE or CANCELLED comes."""
        raise NotImplementedError

    def hold(self, stream: int) -> None:
        """From now on the messages of this stream count against its window until `consumed`: a slow reader stops the sender."""
        raise NotImplementedError

    def consumed(self, stream: int, n_bytes: int) -> None:
        """Give back the window of messages of `n_bytes` together, after `hold`."""
        raise NotImplementedError

    def pause(self, stream: int) -> None:
        """Open the stream's window no further until `resume`."""
        raise NotImplementedError

    def resume(self, stream: int) -> None:
        """End `pause`."""
        raise NotImplementedError

    def reset(self, stream: int, code: int = 8) -> None:
        """End a call at once, without a status."""
        raise NotImplementedError

    def goaway(self) -> None:
        """Take no new calls, finish those under way; then `is_drained`."""
        raise NotImplementedError

    def ping(self, data: bytes = b"\0" * 8) -> None:
        """Ask for PING_ACK; 8 bytes."""
        raise NotImplementedError


class ClientConnection:
    """One connection to a server.

    Attributes:
        is_closed, n_streams, n_buffered_bytes: As in ServerConnection.
        can_start: A call may be begun now: not going away, stream numbers left, and fewer open than the peer allows.
        max_streams: How many calls at a time the peer allows.
        is_ready: The peer's SETTINGS came.
    """

    def __init__(self, *, limits: Any = None, max_message_bytes: int | None = 1 << 30) -> None:
        raise NotImplementedError

    is_closed: bool
    is_ready: bool
    can_start: bool
    max_streams: int
    n_streams: int
    n_buffered_bytes: int

    def receive(self, data: bytes, now: float = 0.0) -> list[Event]:
        """Take what was read; see ServerConnection."""
        raise NotImplementedError

    def eof(self) -> list[Event]:
        """The transport is gone: ENDED with UNAVAILABLE for every call under way, then CLOSED."""
        raise NotImplementedError

    def take_output(self) -> bytes:
        """Give what is to be written, in one piece; empty if nothing is."""
        raise NotImplementedError

    def call(self, head_block: bytes, message: bytes) -> int:
        """Begin an unary call and send its message; UNARY_REPLY or ENDED comes. `can_start` must be True."""
        raise NotImplementedError

    def start(self, head_block: bytes) -> int:
        """Begin a call of any kind: HEAD, MESSAGE... and ENDED come. `can_start` must be True."""
        raise NotImplementedError

    def send_message(self, stream: int, message: bytes) -> None:
        """Send one message; it queues here as far as the peer's windows are shut (see `is_writable`)."""
        raise NotImplementedError

    def half_close(self, stream: int) -> None:
        """Say that no more messages come."""
        raise NotImplementedError

    def cancel(self, stream: int) -> None:
        """Leave a call: the server hears of it, and no event of this stream comes any more."""
        raise NotImplementedError

    def is_writable(self, stream: int) -> bool:
        """See ServerConnection; also `hold`, `consumed`, `pause`, `resume`."""
        raise NotImplementedError

    def hold(self, stream: int) -> None:
        """See ServerConnection."""
        raise NotImplementedError

    def consumed(self, stream: int, n_bytes: int) -> None:
        """See ServerConnection."""
        raise NotImplementedError

    def pause(self, stream: int) -> None:
        """See ServerConnection."""
        raise NotImplementedError

    def resume(self, stream: int) -> None:
        """See ServerConnection."""
        raise NotImplementedError

    def goaway(self) -> None:
        """Tell the server that this client is leaving."""
        raise NotImplementedError

    def ping(self, data: bytes = b"\0" * 8) -> None:
        """Ask for PING_ACK; 8 bytes."""
        raise NotImplementedError


class RequestHead:
    """What a call's header block said; the same object for the same block, never changed.

    Attributes:
        path: e.g. `/jina.JinaRPC/Call`.
        authority: The `:authority` (or `host`), may be empty.
        metadata: (name, value) in order, names in lower case, values str, or bytes for names ending in `-bin`; without the protocol's own.
        headers: The same as a dict of str -> str (the last wins; `-bin` left out).
        timeout_s: From `grpc-timeout`; None for none.
        encoding: Of the request's messages, e.g. `gzip`.
    """

    path: str
    authority: str
    metadata: tuple[tuple[str, str | bytes], ...]
    headers: dict[str, str]
    timeout_s: float | None
    encoding: str


class ReplyHead:
    """A reply's initial metadata, or its trailers: `metadata` and `headers` as in RequestHead."""

    metadata: tuple[tuple[str, str | bytes], ...]
    headers: dict[str, str]


def request_block(
    path: str, authority: str = "localhost", metadata: Metadata = (), timeout_s: float | None = None, *, scheme: str = "http"
) -> bytes:
    """Encode the head of a request. Cache it; for a call with a deadline append `timeout_field(seconds)` to it.

    Raises:
        InvalidInputError: A name is not lower-case ASCII, or reserved, or a value holds a newline or other control character.
    """
    raise NotImplementedError


def timeout_field(timeout_s: float) -> bytes:
    """Encode `grpc-timeout` as a piece to append to a block."""
    raise NotImplementedError
