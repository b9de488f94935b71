"""The events of gRPC connections, as `grpc.py` says; both roles where nothing else stands."""

from __future__ import annotations

from typing import Any, Final

Event = tuple[Any, ...]

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
HTTP_BEGUN: Final = 13
"""Server that `takes_http`: (HTTP_BEGUN, stream, head): a request that is no gRPC, as its header block came."""
HTTP_DATA: Final = 14
"""The same: (HTTP_DATA, stream, data, is_end): a piece of its body; trailers are left out. Its end may come with an empty piece."""
