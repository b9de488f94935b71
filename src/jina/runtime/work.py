"""One call inside a worker: what it is, what comes of it, and its documents from bytes and back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol, cast

from msgspec.structs import replace

from jina.call import Call, Item, Payload, Status
from jina.codec import Codec, codec_for
from jina.codec.join import join_documents
from jina.codec.pieces import placed
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.endpoint import Endpoint
from jina.errors import Code, InvalidInputError, MalformedError
from jina.executor import BaseExecutor
from jina.parameters import RESULTS
from jina.runtime import invoke

REPLY, ITEM, END, PAUSED = range(4)
"""Kinds of outcome: the whole reply; there are `items` of a stream; its end; it waits for `resume`."""

COMPANY_S = 0.001
"""What was made waits for company no longer than this, if nothing slow comes in between."""
MAX_AHEAD, MAX_BYTES_AHEAD = 64, 1 << 20
"""Items, and bytes, that a stream may make before the owner has sent them; one item may be larger."""

Outcome = tuple["Work", int, Status | None, Payload | None, dict[str, Any] | None]


class Outlet(Protocol):
    """Takes outcomes from whatever thread they are made in, in the order in which each call's happen."""

    @property
    def stuck(self) -> Collection[object]:
        """What has not left yet of what was flushed; empty if all has. An attribute in fact."""

    def put(self, outcome: Outcome) -> None:
        """Take an outcome; it may wait for company until `flush`, but not for ever."""

    def flush(self) -> None:
        """Let leave what was put, now."""


class Inbox(Protocol):
    """Hands works to an executor thread; None ends it. A `queue.SimpleQueue` is one."""

    def put(self, turn: list[Work] | None) -> None:
        """Give works to do, in their order."""

    def get(self) -> list[Work] | None:
        """Wait for works."""

    def empty(self) -> bool:
        """Whether `get` would have to wait."""


class LoopOutlet:
    """Brings outcomes to an event loop, those of one turn together."""

    stuck: Collection[object] = ()

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[list[Outcome]], None]) -> None:
        """Call `deliver` on `loop`."""
        self._loop, self._deliver = loop, deliver
        self._waiting: deque[Outcome] = deque()
        self._is_waking = False

    def put(self, outcome: Outcome) -> None:
        """Take an outcome, and wake the loop unless that is under way."""
        self._waiting.append(outcome)
        if not self._is_waking:
            self._is_waking = True
            self._loop.call_soon_threadsafe(self._drain)

    def flush(self) -> None:
        """The loop is awake already."""

    def _drain(self) -> None:
        self._is_waking = False
        waiting, outcomes = self._waiting, []
        while waiting:
            outcomes.append(waiting.popleft())
        if outcomes:
            self._deliver(outcomes)


class Work:
    """One call inside a worker.

    Attributes:
        call: The call.
        owner: Whoever submitted it; ours to hand back, not to look into.
        stream: A number for the note of begun calls, unique among the calls in flight.
        is_gone: Nobody waits for the reply any more; set by `Local.cancel`.
        items: Those of a stream that are made and not taken by the owner, who is told of them if `is_told`.
        n_made, n_sent, n_bytes_made, n_bytes_sent: Items of a stream; each counted by one thread only, the maker's and the owner's.
    """

    __slots__ = (
        "call",
        "endpoint",
        "is_gone",
        "is_paused",
        "is_told",
        "items",
        "iterator",
        "n_bytes_made",
        "n_bytes_sent",
        "n_made",
        "n_sent",
        "owner",
        "room",
        "stream",
        "task",
    )

    def __init__(self, call: Call, owner: Any = None, stream: int = 0) -> None:
        self.call, self.owner, self.stream = call, owner, stream
        self.endpoint: Endpoint | None = None
        self.is_gone = False
        self.is_paused = self.is_told = False
        self.iterator: Iterator[Any] | None = None
        self.task: asyncio.Task[None] | None = None
        self.room: asyncio.Event | None = None
        self.n_made = self.n_sent = self.n_bytes_made = self.n_bytes_sent = 0
        self.items: deque[Item] = deque()

    def take_items(self) -> list[Item]:
        """Give the items that were made since; in the owner's thread."""
        self.is_told = False
        items = self.items
        return [items.popleft() for _ in range(len(items))]

    @property
    def is_far_ahead(self) -> bool:
        """Enough is made and not yet sent that making more should wait."""
        return self.n_made - self.n_sent >= MAX_AHEAD or self.n_bytes_made - self.n_bytes_sent >= MAX_BYTES_AHEAD

    @property
    def has_room(self) -> bool:
        """Enough has left that making may go on."""
        return self.n_made - self.n_sent < MAX_AHEAD // 2 and self.n_bytes_made - self.n_bytes_sent < MAX_BYTES_AHEAD // 2


def decode(codec: Codec, call: Call) -> list[Any]:
    payload = call.payload
    data = payload.data
    if not data:
        return _decode_branches(codec, call) if call.branches else []
    if payload.encoding == "json":
        try:
            return codec.decode_json(data, call.call_id)
        except MalformedError as error:
            raise _as_finding(error) from None
    whole, start = placed(data)
    return codec.decode_proto(whole, call.call_id, dialect=payload.encoding, start=start)


def _decode_branches(codec: Codec, call: Call) -> list[Any]:
    lists = {name: decode(codec, replace(call, payload=payload, branches=())) for name, payload in call.branches}
    return invoke.Branched(lists) if call.keeps_branches else join_documents(lists.values(), codec.schema)


def decode_one(codec: Codec, call: Call) -> Any:
    payload = call.payload
    if not payload.is_single:
        docs = decode(codec, call)
        if len(docs) != 1:
            text = f"endpoint {call.endpoint!r} streams the answer to one document, got {len(docs)}"
            raise InvalidInputError(text, [{"loc": (), "msg": text, "type": "list_length"}])
        return docs[0]
    if payload.encoding == "json":
        try:
            return codec.decode_json_one(payload.data, call.call_id)
        except MalformedError as error:
            raise _as_finding(error) from None
    whole, start = placed(payload.data)
    return codec.decode_proto_one(whole, call.call_id, dialect=payload.encoding, start=start)


def _as_finding(error: MalformedError) -> InvalidInputError:
    """The front has read the JSON around the documents already; what is no JSON within them is told in the same form as there."""
    return InvalidInputError(str(error), [{"loc": (), "msg": str(error), "type": "json_invalid"}])


def encode(executor: BaseExecutor, endpoint: Endpoint, docs: Any, wants: str) -> Payload:
    codec = codec_for(invoke.encoded_class(executor, endpoint, docs))
    if wants == "json":
        return Payload(codec.encode_json(docs), wants)
    return Payload(cast("bytes", codec.encode_pieces(docs, dialect=wants)), wants)


def plain(results: dict[str, Any]) -> dict[str, Any]:
    """What a method returned as a dict, as every protocol can carry it: JSON values, numbers as floats.

    Raises:
        UnencodableError: It holds something else (NaN, an array, a cycle), or is nested too deep.
    """
    carried: dict[str, Any] = struct_to_dict(dict_to_struct({RESULTS: {RESULTS: results}}))
    return carried[RESULTS][RESULTS]  # type: ignore[no-any-return]


def input_back(call: Call) -> Payload | None:
    """After a failure the caller gets its documents back, if they are in the encoding that it reads."""
    return call.payload if call.payload.encoding == call.wants else None


def too_late(call: Call) -> Status:
    return Status(Code.DEADLINE, f"the deadline of the call to {call.endpoint!r} passed while it waited for the executor")


def close_iterator(iterator: Iterator[Any]) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
