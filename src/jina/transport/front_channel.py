"""The front, as an app process sees it: a Handler over the hop that outlives deaths of the front."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from jina.call import Call, Item, Reply, Status
from jina.errors import Code, MalformedError
from jina.transport.handler_messages import read_item, read_reply, write_call
from jina.transport.hop import ChannelLost, HopChannel, HopError, connect
from jina.transport.hop_stream import HopStream

_RETRY_S = 0.02
_PAUSE_S = 1.0
_MAX_WAIT_S = 60.0
_log = logging.getLogger("jina.hop")


class FrontChannel:
    """Handler: every call goes to the front, which balances, retries and keeps deadlines. An async context manager.

    While the front is away (it is started again at once) calls wait, until their deadline, for at most `max_wait_s`. A call that the
    front held when it died is not sent again: nobody knows how far it got.
    """

    def __init__(self, path: str, *, max_wait_s: float | None = _MAX_WAIT_S) -> None:
        self._path, self._max_wait_s = path, max_wait_s
        self._channel: HopChannel | None = None
        self._up, self._down = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._keep_connected())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        if self._channel is not None:
            self._channel.close()

    @property
    def is_up(self) -> bool:
        """The front can be reached."""
        return self._up.is_set()

    async def ready(self) -> None:
        """Wait until the front can be reached."""
        await self._up.wait()

    async def __call__(self, call: Call) -> Reply:
        while (channel := self._channel) is None:  # it may be lost again between its coming and our turn
            refusal = await self._wait(call)
            if refusal is not None:
                return refusal
        try:
            if call.is_stream:
                return await _open(channel, call)
            return read_reply(await channel.call(write_call(call)))
        except ChannelLost as lost:
            return Reply(_broken(call, lost))
        except (HopError, MalformedError) as error:
            return Reply(Status(Code.INTERNAL, str(error)))

    async def _wait(self, call: Call) -> Reply | None:
        try:
            async with asyncio.timeout(self._max_wait_s), asyncio.timeout_at(call.deadline):
                await self._up.wait()
        except TimeoutError:
            text = f"the front process could not be reached in time for the call to {call.endpoint!r}"
            if call.deadline is not None and time.monotonic() >= call.deadline:
                return Reply(Status(Code.DEADLINE, text))
            return Reply(Status(Code.UNAVAILABLE, text, retry_after_s=1.0))
        return None

    async def _keep_connected(self) -> None:
        while True:
            self._down.clear()
            worn = self._channel
            try:
                self._channel = await connect("the front process", self._path, "", on_lost=self._lost)
            except OSError:
                await asyncio.sleep(_RETRY_S)
                continue
            except Exception:  # without this task no call would ever be answered again
                _log.exception("the front process cannot be connected to")
                await asyncio.sleep(_PAUSE_S)
                continue
            if self._channel.is_lost:
                self._lost(self._channel)
                continue
            self._channel.on_worn = lambda _: self._down.set()
            if worn is not None:
                worn.close_when_idle()
            self._up.set()
            await self._down.wait()

    def _lost(self, channel: HopChannel) -> None:
        if channel is not self._channel:
            return  # a worn one that has ended in peace
        self._channel = None
        self._up.clear()
        self._down.set()


def _whole(message: bytes) -> tuple[bytes]:
    return (message,)


async def _open(channel: HopChannel, call: Call) -> Reply:
    """Open a stream and wait for its head, which comes with its first item."""
    stream = channel.stream(write_call(call), _whole)
    try:
        head = await stream.next()
    except BaseException:
        stream.cancel()
        raise
    if head is None:
        raise HopError(f"the front process ended the stream of {call.endpoint!r} without a head")
    reply = read_reply(head)
    if reply.status is None:
        reply.items = _items(stream, call)
        await anext(reply.items)
    else:
        stream.cancel()
    return reply


async def _items(stream: HopStream[bytes], call: Call) -> AsyncIterator[Item]:
    """Pass items on; the first is for whoever opened the stream, as in `runtime/hop_calls.py`."""
    try:
        yield Item()
        while (message := await stream.next()) is not None:
            yield read_item(message)
    except ChannelLost as lost:
        yield Item(status=_broken(call, lost))
    except (HopError, MalformedError) as error:
        yield Item(status=Status(Code.INTERNAL, str(error)))
    finally:
        stream.cancel()


def _broken(call: Call, lost: ChannelLost) -> Status:
    return Status(Code.UNAVAILABLE, f"the call to {call.endpoint!r} broke off: {lost}", retry_after_s=1.0)
