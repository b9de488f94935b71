"""One WebSocket: an owner around the sans-IO core, with one `Run` a message, which ends when the caller leaves.

Messages are begun as they come, `prefetch` at once; further ones stay unread, and so does what comes while the caller does not read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from jina.transport.run import Run
from jina.transport.writing import Gatherer
from jina.wire import websocket
from jina.wire.body_rate import BodyRate
from jina.wire.buffered import FULL, SMALL
from jina.wire.http_requests import Head
from jina.wire.websocket_deflate import Deflate

if TYPE_CHECKING:
    from jina.fronts.front import Front

_log = logging.getLogger("jina.websocket")
PING_S = 20.0
"""A caller of whom nothing was heard for so long is asked for a sign of life, and has as long to give it: uvicorn's numbers."""
_CLOSE_S = 5.0
"""How long a caller may take to answer our Close."""
_BROKEN_S = 1.0
"""The same for one that broke a rule and was told so: a reset would overtake what says why."""
_MAX_GATHERED_BYTES = 64 << 10
_STOPPING = "the service is stopping"
_BUG = "internal error; the server's log has its traceback"
Answer = Callable[[], Awaitable[None]]


class Channel(Protocol):
    """What bytes leave through."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Close when everything has left."""

    def abort(self) -> None:
        """Close at once."""

    def blocked(self) -> asyncio.Future[None] | None:
        """Give what to wait for while the caller takes no more, or None."""

    def pause_reading(self) -> None:
        """Give no more bytes until `resume_reading`."""

    def resume_reading(self) -> None:
        """Give bytes again."""


class Speaker(Protocol):
    """What a sub-protocol makes of messages: a function that answers, or None where there is nothing to run."""

    def opened(self) -> Answer | None:
        """The connection is there."""

    def message(self, data: bytes, is_text: bool) -> Answer | None:
        """A message has come."""


class WebSocketSession(Gatherer):
    """See the module's docstring.

    Attributes:
        front: Whose connection it is.
        head: Of the request that opened it.
    """

    _speaker: Speaker

    def __init__(self, front: Front, channel: Channel, head: Head, deflate: Deflate | None) -> None:
        self.front, self.head = front, head
        self._channel, self.loop = channel, asyncio.get_running_loop()
        self._wire = websocket.Connection(
            is_client=False, max_message_bytes=front.options.max_message_bytes, deflate=deflate, buffered=front.buffered
        )
        self._limit = front.options.prefetch or 1 << 30
        self._runs: dict[int, tuple[Run, int]] = {}
        self._n_begun = self._n_unflushed = 0
        self._is_opened = self._has_ended = self._is_draining = self._is_gone = self._is_paused = self._is_advance_due = False
        self._heard_s = self.loop.time()
        self._asked_s: float | None = None
        self._close_by_s: float | None = None
        self._rate: tuple[int, BodyRate] | None = None

    def begin(self, speaker: Speaker) -> None:
        """Let this one answer; what it does first happens after the handshake has left."""
        self._speaker = speaker
        self.loop.call_soon(self._open)

    def _open(self) -> None:
        if self._is_opened or self._is_gone:
            return
        self._is_opened = True
        answer = self._speaker.opened()
        if answer is not None:
            self._start(answer, 0)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._open()
        self._heard_s, self._asked_s = self.loop.time(), None
        if not self._wire.is_over:
            self._wire.receive(data)
            self._advance()
        elif _is_close(data):
            self._end()

    def connection_lost(self) -> None:
        """The caller has left."""
        self._is_gone = True
        self._leave()
        self._wire.drop()

    def tick(self, now: float) -> None:
        """Look at the clock."""
        if self._close_by_s is not None:
            if now > self._close_by_s:
                self._end()
        elif self._is_paused or self._channel.blocked() is not None:
            self._heard_s, self._asked_s, self._rate = now, None, None  # what it says is not heard: the write timeout counts instead
        elif self._is_too_slow(now):
            self.fail(websocket.POLICY, f"the message came slower than min_body_bytes_per_s={self.front.options.min_body_bytes_per_s}")
        elif self._asked_s is not None:
            if now - self._asked_s > PING_S:
                self._channel.abort()
                self.connection_lost()
        elif now - self._heard_s > PING_S:
            self._asked_s = now
            self._wire.ping()
            self.flush()

    def _is_too_slow(self, now: float) -> bool:
        """Whether a message comes as slowly as no request's body may."""
        bytes_per_s, wire = self.front.options.min_body_bytes_per_s, self._wire
        if bytes_per_s is None or not wire.n_partial:
            self._rate = None
            return False
        if self._rate is None or self._rate[0] != wire.n_messages:
            self._rate = (wire.n_messages, BodyRate(now))
        return self._rate[1].is_too_slow(wire.n_partial, now, bytes_per_s)

    def drain(self) -> None:
        """Answer the messages that are begun, take no more, close."""
        self._is_draining = True
        self._close_if_done()

    def now(self) -> float:
        """Monotonic seconds."""
        return self.loop.time()

    def end_input(self) -> None:
        """The caller sends no more: close when all is answered."""
        self._has_ended = True
        self._close_if_done()

    def fail(self, code: int, reason: str) -> None:
        """Close because of a failure; what is under way is given up."""
        self._close(code, reason)
        self._leave()

    async def send(self, data: bytes, *, is_text: bool, has_more: bool = False) -> None:
        """Send a message as soon as the caller takes it; `has_more` says that the answer goes on, else it ends here."""
        if len(data) > SMALL or self._channel.blocked() is not None:
            if not self.front.buffered.take(len(data)):
                self.fail(websocket.INTERNAL, FULL.description)
                return
            try:
                await self._writable()
            finally:
                self.front.buffered.give_back(len(data))
        self._wire.send(data, is_text=is_text)
        self._n_unflushed += len(data)
        if self._n_unflushed >= _MAX_GATHERED_BYTES:
            self.flush()
        elif has_more:
            self.flush_soon()

    async def _writable(self) -> None:
        while not self._is_gone and (future := self._channel.blocked()) is not None:
            await asyncio.wait((future,))

    def _advance(self) -> None:
        """Begin what may begin."""
        wire, has_time, is_held = self._wire, self.front.turns.has_time, False
        while not self._is_gone:
            if wire.is_open and self._is_busy():
                is_held = True
                break
            if not has_time():
                is_held = True
                self._advance_soon()
                break
            event = wire.next_event(self.loop.time())
            if event is None:
                break
            self._take(event)
        self.flush()
        if not self._is_gone and is_held != self._is_paused:
            self._is_paused = is_held
            if is_held:
                self._channel.pause_reading()
            else:
                self._channel.resume_reading()

    def _is_busy(self) -> bool:
        if len(self._runs) >= self._limit:
            return True
        future = self._channel.blocked()
        if future is not None:
            future.add_done_callback(lambda _: self._advance_soon())
        return future is not None

    def _advance_soon(self) -> None:
        if not self._is_advance_due:
            self._is_advance_due = True
            self.front.turns.later(self._go_on)

    def _go_on(self) -> None:
        self._is_advance_due = False
        self._advance()

    def _take(self, event: websocket.Event) -> None:
        if event[0] == websocket.MESSAGE:
            answer = None if self._has_ended or self._is_draining else self._speaker.message(event[1], event[2])
            if answer is not None:
                self._start(answer, event[3])
            else:
                self.front.buffered.give_back(event[3])
        elif event[0] == websocket.CLOSED:
            self._end()
        elif event[0] == websocket.BROKEN:
            self._leave()
            self._close_by_s = self.loop.time() + _BROKEN_S

    def _start(self, answer: Answer, n_counted: int) -> None:
        self._n_begun = number = self._n_begun + 1
        run = Run(self._run(number, answer), self.loop)
        self._runs[number] = (run, n_counted)
        run.start(needs_task=self.front.needs_task)

    async def _run(self, number: int, answer: Answer) -> None:
        try:
            await answer()
        except Exception:
            _log.exception("a handler raised instead of answering")
            self.fail(websocket.INTERNAL, _BUG)
        finally:
            found = self._runs.pop(number, None)
            if found is not None:
                self.front.buffered.give_back(found[1])
        self._close_if_done()
        if self._runs:
            self.flush_soon()
        else:  # a lone answer need not wait for company
            self.flush()
        if self._is_paused:
            self._advance_soon()

    def _leave(self) -> None:
        runs, self._runs = self._runs, {}
        for run, n_counted in runs.values():
            self.front.buffered.give_back(n_counted)
            run.cancel()

    def _close_if_done(self) -> None:
        if not self._runs and self._wire.is_open and (self._has_ended or self._is_draining):
            code, reason = (websocket.OK, "") if self._has_ended else (websocket.GOING_AWAY, _STOPPING)
            self._close(code, reason)

    def _close(self, code: int, reason: str) -> None:
        """Say that nothing more comes; the caller answers, or has had its time."""
        if self._wire.is_open:
            self._wire.close(code, reason)
            self._close_by_s = self.loop.time() + _CLOSE_S
            self.flush()
            if self._is_paused:
                self._advance_soon()

    def _end(self) -> None:
        """Both sides have closed, or the caller does not: end the connection."""
        if not self._is_gone:
            self.flush()
            self.connection_lost()
            self._channel.close()

    def flush(self) -> None:
        self._is_flush_due, self._n_unflushed = False, 0
        out = b"" if self._is_gone else self._wire.take_output()
        if out:
            self._channel.write(out)


def _is_close(data: bytes) -> bool:
    """Whether these bytes are just a Close frame: the answer of a caller that was told that it broke a rule."""
    return len(data) >= 6 and data[0] == 0x88 and len(data) == 6 + (data[1] & 0x7F)
