"""The running copies of one deployment, seen from the front: which can take a call, and what becomes of calls when one dies.

    call ──► a replica that is up ──► reply
              └─ it dies: calls it had not begun are sent again as if nothing had happened;
                 those it had begun are suspects: each is tried once more, alone; a second death fails it

So the call that kills workers is found after two deaths, and the others that were in flight with it live.
With no replica up, calls wait (bounded in number and time) for one to come back; once starting it was given up, they fail at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from jina.call import Call, Item, Reply, Status
from jina.errors import Code
from jina.transport.hop import Channel, ChannelLost, HopError, HopStream
from jina.transport.hop_messages import read_items, read_reply, write_call


class Replicas:
    """Handler over the channels to the replicas of one deployment."""

    def __init__(self, name: str, *, max_waiting: int = 10_000, max_wait_s: float = 60.0, writes: frozenset[str] = frozenset()) -> None:
        """Begin without any replica.

        Args:
            name: The deployment's, for errors.
            max_waiting: Calls that may wait while no replica is up; more are refused.
            max_wait_s: How long each of them waits at most.
            writes: Endpoints that change state: begun calls to them are never sent a second time.
        """
        self._name, self._max_waiting, self._max_wait_s = name, max_waiting, max_wait_s
        self.writes = writes
        self._channels: dict[str, Channel] = {}
        self._up: list[Channel] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._alone = asyncio.Lock()
        self._is_held = False
        self._changed = asyncio.Event()
        self._given_up: dict[str, str] = {}
        self._renewals: set[asyncio.Task[None]] = set()

    # --- what the front tells ----------------------------------------------------------------------------------------------------

    def add(self, pod: str, channel: Channel) -> None:
        """A replica is ready for calls over this channel."""
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
        task.add_done_callback(self._renewals.discard)

    async def _renew(self, worn: Channel) -> None:
        """Put a fresh connection in the place of one whose stream numbers run out; calls on the old one end there."""
        try:
            fresh = await worn.reopen()
        except OSError:
            return  # the worker died, which is told in another way
        if self._channels.get(worn.pod) is worn:
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
        self._up = [] if self._is_held else list(self._channels.values())
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
        except HopError as error:
            return Reply(Status(Code.INTERNAL, str(error)))

    async def _send(self, call: Call, message: bytes) -> Reply:
        for _ in range(1000):
            if not self._up:
                refusal = await self._wait()
                if refusal is not None:
                    return refusal
                continue
            channel = self._up[0] if len(self._up) == 1 else min(self._up, key=_load)
            try:
                return self._reply(channel, await channel.call(message))
            except ChannelLost as lost:
                if lost.has_begun:
                    return await self._try_alone(call, message, lost)
        raise AssertionError("a call was sent a thousand times without being begun")

    def _reply(self, channel: Channel, message: bytes) -> Reply:
        reply, results = read_reply(message)
        if results is not None:
            reply.parameters = {"__results__": {channel.pod: results}}
        return reply

    async def _try_alone(self, call: Call, message: bytes, lost: ChannelLost) -> Reply:
        """Send a suspect once more, with a replica to itself; a second death fails it."""
        if call.endpoint in self.writes:
            return self._killed(f"a replica died while it ran {call.endpoint!r}, which changes state and is not tried again", lost)
        async with self._alone:
            self._is_held = True
            self._refresh()
            try:
                return await self._send_alone(call, message, lost)
            finally:
                self._is_held = False
                self._refresh()

    async def _send_alone(self, call: Call, message: bytes, lost: ChannelLost) -> Reply:
        for _ in range(1000):
            channel = await self._idle_channel()
            if channel is None:
                return self._gave_up() or self._too_long()
            try:
                return self._reply(channel, await channel.call(message))
            except ChannelLost as again:
                if again.has_begun:
                    return self._killed(f"the call to {call.endpoint!r} ended two replicas, so it is not tried again", again)
        raise AssertionError("a call was sent a thousand times without being begun")

    async def _idle_channel(self) -> Channel | None:
        """Wait for a replica that runs nothing."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._max_wait_s
        while not (self._given_up and not self._channels):
            for channel in self._channels.values():
                if channel.n_in_flight == 0:
                    return channel
            left = give_up_at - loop.time()
            if left <= 0:
                return None
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()
        return None

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
        except HopError as error:
            return Reply(Status(Code.INTERNAL, str(error)))

    async def _open(self, call: Call, message: bytes) -> Reply:
        n_deaths = 0
        while True:
            if not self._up:
                refusal = await self._wait()
                if refusal is not None:
                    return refusal
                continue
            channel = min(self._up, key=_load)
            stream = channel.stream(message, read_items)
            try:
                item = await stream.next()
                if item is None or item.status is None:
                    return Reply(items=self._items(stream, item, None, call))
                second = await stream.next()  # is it this item that failed, or the call?
            except ChannelLost as lost:
                n_deaths += lost.has_begun
                if n_deaths > 1 or (lost.has_begun and call.endpoint in self.writes):
                    return self._killed(f"the call to {call.endpoint!r} ended {n_deaths} of its replicas, so it is not tried again", lost)
                continue
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
