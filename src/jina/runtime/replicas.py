"""The running copies of one deployment, seen from the front: which can take a call, and what becomes of calls when one dies.

    call ──► a replica that is up ──► reply
              └─ it dies: calls it had not begun are sent again as if nothing had happened;
                 those it had begun are suspects: each is tried once more, alone; a second death fails it

So the call that kills workers is found after two deaths, and the others that were in flight with it live. Streams are suspects like all
others until their first item has come. While a suspect runs, its replica takes no other calls, but only for `hold_s`: a suspect that runs
on then has company, and between two suspects the calls that wait are let in.
With no replica up, calls wait (bounded in number and time) for one to come back; once starting it was given up, they fail at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from jina.call import Call, Item, Reply, Status
from jina.errors import Code, MalformedError
from jina.transport.hop import Channel, ChannelLost, HopError, HopStream
from jina.transport.hop_messages import read_items, read_reply, write_call

_log = logging.getLogger("jina.replicas")
_LET_IN_S = 0.05

_Send = Callable[[Channel], Coroutine[Any, Any, Reply]]


class Replicas:
    """Handler over the channels to the replicas of one deployment."""

    def __init__(
        self,
        name: str,
        *,
        max_waiting: int = 10_000,
        max_wait_s: float | None = 60.0,
        hold_s: float = 2.0,
        max_in_flight: int = 16_384,
        max_bytes_in_flight: int = 512 << 20,
        writes: frozenset[str] = frozenset(),
    ) -> None:
        """Begin without any replica.

        Args:
            name: The deployment's, for errors.
            max_waiting: Calls that may wait while no replica is up; more are refused.
            max_wait_s: How long each of them waits at most.
            hold_s: How long at a time a replica is kept free of other calls for a suspect.
            max_in_flight: Calls that each replica may hold; with all of them full, calls are refused.
            max_bytes_in_flight: Bytes that those calls may bring together; a lone call may be as large as it likes.
            writes: Endpoints that change state: begun calls to them are never sent a second time.
        """
        self._name, self._max_waiting, self._max_wait_s, self._hold_s = name, max_waiting, max_wait_s, hold_s
        self._max_in_flight, self._max_bytes_in_flight = max_in_flight, max_bytes_in_flight
        self.writes = writes
        self._channels: dict[str, Channel] = {}
        self._up: list[Channel] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._alone = asyncio.Lock()
        self._is_held = False
        self._kept: Channel | None = None
        self._changed = asyncio.Event()
        self._given_up: dict[str, str] = {}
        self._renewals: set[asyncio.Task[None]] = set()

    # --- what the front tells ----------------------------------------------------------------------------------------------------

    def add(self, pod: str, channel: Channel) -> None:
        """A replica is ready for calls over this channel; one that is lost already is left out."""
        if channel.is_lost:
            return
        self._channels[pod] = channel
        channel.on_idle = self._changed.set
        channel.on_worn = self._renew_soon
        self._given_up.pop(pod, None)
        self._refresh()

    def remove(self, pod: str, error: str = "") -> None:
        """A replica is gone; with an error it will not come back."""
        self._channels.pop(pod, None)
        if error:
            self._given_up[pod] = error
        self._refresh()

    def remove_channel(self, channel: Channel) -> None:
        """This connection is lost; a newer one of the same replica stays."""
        if self._channels.get(channel.pod) is channel:
            self.remove(channel.pod)

    def _renew_soon(self, channel: Channel) -> None:
        task = asyncio.get_running_loop().create_task(self._renew(channel))
        self._renewals.add(task)
        task.add_done_callback(self._renewed)

    def _renewed(self, task: asyncio.Task[None]) -> None:
        self._renewals.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection to a replica of %r could not be renewed", self._name, exc_info=error)

    async def _renew(self, worn: Channel) -> None:
        """Put a fresh connection in the place of one whose stream numbers run out; calls on the old one end there."""
        try:
            fresh = await worn.reopen()
        except OSError:
            return  # the worker died, which is told in another way
        if self._channels.get(worn.pod) is worn and not fresh.is_lost:
            self.add(worn.pod, fresh)
            worn.close_when_idle()
        else:
            fresh.close()

    @property
    def is_up(self) -> bool:
        """At least one replica takes calls."""
        return bool(self._channels)

    def _refresh(self) -> None:
        self._changed.set()
        channels = list(self._channels.values())
        if not self._is_held:
            self._kept = None
        elif self._kept not in channels:
            self._kept = min(channels, key=_load, default=None)
        self._up = [channel for channel in channels if channel is not self._kept]
        if self._up or (self._given_up and not self._channels):
            waiting, self._waiting = self._waiting, deque()
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    # --- calls -------------------------------------------------------------------------------------------------------------------

    async def __call__(self, call: Call) -> Reply:
        if call.is_stream:
            return await self._stream(call)
        message = write_call(call)
        try:
            if call.deadline is None:
                return await self._send(call, message)
            async with asyncio.timeout_at(call.deadline):
                return await self._send(call, message)
        except TimeoutError:
            return Reply(self._too_late())
        except (HopError, MalformedError) as error:
            return Reply(Status(Code.INTERNAL, str(error)))

    async def _send(self, call: Call, message: bytes) -> Reply:
        while True:
            if not self._up:
                refusal = await self._wait()
                if refusal is not None:
                    return refusal
                continue
            channel = self._up[0] if len(self._up) == 1 else min(self._up, key=_load)
            if self._is_full(channel, message):
                return self._overloaded()
            try:
                return await self._unary(channel, message)
            except ChannelLost as lost:
                if lost.has_begun:
                    return await self._try_alone(call, lost, lambda channel: self._unary(channel, message))
                await self._leave(channel)

    async def _unary(self, channel: Channel, message: bytes) -> Reply:
        reply, results = read_reply(await channel.call(message))
        if results is not None:
            reply.parameters = {"__results__": {channel.pod: results}}
        return reply

    def _is_full(self, channel: Channel, message: bytes) -> bool:
        n_in_flight = channel.n_in_flight
        return n_in_flight > 0 and (
            n_in_flight >= self._max_in_flight or channel.n_bytes_in_flight + len(message) > self._max_bytes_in_flight
        )

    def _overloaded(self) -> Reply:
        text = (
            f"the replicas of {self._name!r} hold as many calls as they may ({self._max_in_flight}, or {self._max_bytes_in_flight} bytes)"
        )
        return Reply(Status(Code.OVERLOADED, text, retry_after_s=1.0))

    async def _leave(self, channel: Channel) -> None:
        """A channel took no call: go on without it, and let the loop turn, so that what is wrong with it can be told."""
        if channel.is_lost:
            self.remove_channel(channel)
        await asyncio.sleep(0)

    # --- suspects ----------------------------------------------------------------------------------------------------------------

    async def _try_alone(self, call: Call, lost: ChannelLost, send: _Send) -> Reply:
        """Send a suspect once more, with a replica to itself; a second death fails it."""
        if call.endpoint in self.writes:
            return self._killed(f"a replica died while it ran {call.endpoint!r}, which changes state and is not tried again", lost)
        while True:
            async with self._alone:
                try:
                    channel = await self._idle_channel()
                    if channel is None:
                        return self._gave_up() or self._never_idle(call)
                    sending = asyncio.get_running_loop().create_task(send(channel))
                    await _done_within(sending, self._hold_s)
                    was_alone = sending.done()
                finally:
                    self._hold(is_held=False)
            try:
                return await sending
            except ChannelLost as again:
                if again.has_begun:
                    what = (
                        f"the call to {call.endpoint!r} ended two replicas"
                        if was_alone
                        else f"two replicas died while they ran {call.endpoint!r}"
                    )
                    return self._killed(f"{what}, so it is not tried again", again)
                await self._leave(channel)

    def _hold(self, *, is_held: bool) -> None:
        """Keep the replica that has least to do free of other calls; or let them in again."""
        self._is_held, self._kept = is_held, None
        self._refresh()

    async def _idle_channel(self) -> Channel | None:
        """Wait for a replica that runs nothing, and keep it free; now and then all others are let in for a moment."""
        loop = asyncio.get_running_loop()
        give_up_at = math.inf if self._max_wait_s is None else loop.time() + self._max_wait_s
        hold_until = loop.time() + self._hold_s
        while not (self._given_up and not self._channels):
            self._hold(is_held=True)
            if self._kept is not None and self._kept.n_in_flight == 0:
                return self._kept
            now = loop.time()
            if now >= give_up_at:
                return None
            if self._kept is None:
                hold_until = now + self._hold_s
            elif now >= hold_until:
                self._hold(is_held=False)
                await asyncio.sleep(_LET_IN_S)
                hold_until = loop.time() + self._hold_s
                continue
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(give_up_at, hold_until)):
                    await self._changed.wait()
        return None

    def _never_idle(self, call: Call) -> Reply:
        text = f"a replica died while it ran {call.endpoint!r}, and within {self._max_wait_s} s none was free to try the call again alone"
        return Reply(Status(Code.UNAVAILABLE, text, retry_after_s=1.0))

    # --- no replica --------------------------------------------------------------------------------------------------------------

    async def _wait(self) -> Reply | None:
        """Wait until a replica is up (None), or say why not."""
        if self._given_up and not self._channels:
            return self._gave_up()
        if len(self._waiting) >= self._max_waiting:
            text = f"no replica of {self._name!r} is up and {self._max_waiting} calls wait already"
            return Reply(Status(Code.OVERLOADED, text, retry_after_s=1.0))
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(self._max_wait_s):
                await future
        except TimeoutError:
            return self._too_long()
        return None

    def _gave_up(self) -> Reply | None:
        if not self._given_up:
            return None
        pod, error = next(iter(self._given_up.items()))
        return Reply(Status(Code.UNAVAILABLE, f"replica {pod!r} does not start any more: {error}"))

    def _too_long(self) -> Reply:
        if self._channels:
            text = f"the replicas of {self._name!r} were busy for {self._max_wait_s} s with calls during which one of them had died"
            return Reply(Status(Code.UNAVAILABLE, text, retry_after_s=1.0))
        return Reply(Status(Code.UNAVAILABLE, f"no replica of {self._name!r} came up within {self._max_wait_s} s", retry_after_s=1.0))

    def _too_late(self) -> Status:
        return Status(Code.DEADLINE, f"deployment {self._name!r} did not answer before the call's deadline")

    def _killed(self, text: str, lost: ChannelLost) -> Reply:
        return Reply(Status(Code.UNAVAILABLE, f"{text}; {lost}"))

    # --- streams -----------------------------------------------------------------------------------------------------------------

    async def _stream(self, call: Call) -> Reply:
        """Open a stream and wait for its first item, so that what fails before it is a failed call, not a broken stream."""
        message = write_call(call)
        try:
            async with asyncio.timeout_at(call.deadline):
                return await self._open(call, message)
        except TimeoutError:
            return Reply(self._too_late())
        except (HopError, MalformedError) as error:
            return Reply(Status(Code.INTERNAL, str(error)))

    async def _open(self, call: Call, message: bytes) -> Reply:
        while True:
            if not self._up:
                refusal = await self._wait()
                if refusal is not None:
                    return refusal
                continue
            channel = min(self._up, key=_load)
            if self._is_full(channel, message):
                return self._overloaded()
            try:
                return await self._first(channel, call, message)
            except ChannelLost as lost:
                if lost.has_begun:
                    return await self._try_alone(call, lost, lambda channel: self._first(channel, call, message))
                await self._leave(channel)

    async def _first(self, channel: Channel, call: Call, message: bytes) -> Reply:
        """Give the reply once its first item has come; what breaks off before that raises."""
        stream = channel.stream(message, read_items)
        try:
            item = await stream.next()
            if item is None or item.status is None:
                return Reply(items=self._items(stream, item, None, call))
            second = await stream.next()  # is it this item that failed, or the call?
        except BaseException:
            stream.cancel()
            raise
        return Reply(item.status) if second is None else Reply(items=self._items(stream, item, second, call))

    async def _items(self, stream: HopStream[Item], first: Item | None, second: Item | None, call: Call) -> AsyncIterator[Item]:
        """Pass items on as they come; what breaks the stream off, a death or the deadline, is its last item."""
        timer = None
        if call.deadline is not None:
            timer = asyncio.get_running_loop().call_at(call.deadline, stream.expire)
        try:
            if first is not None:
                yield first
            if second is not None:
                yield second
            while (item := await stream.next()) is not None:
                yield item
        except ChannelLost as lost:
            yield Item(status=Status(Code.UNAVAILABLE, f"the stream of {call.endpoint!r} broke off: {lost}"))
        except TimeoutError:
            yield Item(status=Status(Code.DEADLINE, f"the stream of {call.endpoint!r} did not end before the call's deadline"))
        except HopError as error:
            yield Item(status=Status(Code.INTERNAL, f"the stream of {call.endpoint!r} broke off: {error}"))
        finally:
            stream.cancel()
            if timer is not None:
                timer.cancel()


def _load(channel: Channel) -> int:
    return channel.n_in_flight


async def _done_within(task: asyncio.Task[Reply], seconds: float) -> None:
    """Wait for a task, but not for ever; it goes on, unless nobody waits any more."""
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
