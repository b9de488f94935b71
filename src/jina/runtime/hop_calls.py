"""One try of a call on one replica's channel; what becomes of it when that replica dies is decided elsewhere (`replicas.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from jina.call import Call, Item, Reply, Status
from jina.codec.pieces import Message
from jina.errors import Code
from jina.parameters import RESULTS
from jina.transport.hop import ChannelLost, HopChannel, HopError, NoRoomError
from jina.transport.hop_messages import read_items, read_reply
from jina.transport.hop_stream import HopStream
from jina.wire.buffered import FULL


async def send(channel: HopChannel, call: Call, message: Message) -> Reply:
    """Send a packed call and wait for its reply, or for the first item of a streamed one.

    Raises:
        ChannelLost: The worker went away before that.
        HopError, MalformedError: The two ends do not understand each other.
        TimeoutError: The call's deadline came first.
    """
    if call.is_stream:
        return await _open(channel, call, message)
    reply, results = read_reply(await channel.call(message, call.deadline))
    if results is not None:
        reply.parameters = {RESULTS: {channel.pod: results}}
    return reply


async def _open(channel: HopChannel, call: Call, message: Message) -> Reply:
    """Open a stream; what fails before its first item is a failed call, not a broken stream."""
    stream = channel.stream(message, read_items)
    timer = None if call.deadline is None else asyncio.get_running_loop().call_at(call.deadline, stream.expire)
    try:
        item = await stream.next()
        second = None if item is None or item.status is None else await stream.next()  # is it this item that failed, or the call?
    except BaseException:
        _leave(stream, timer)
        raise
    if item is None or item.status is None or second is not None:
        items = _items(channel.pod, stream, item, second, call, timer)
        await anext(items)
        return Reply(items=items)
    _leave(stream, timer)
    return Reply(item.status)


async def _items(
    pod: str, stream: HopStream[Item], first: Item | None, second: Item | None, call: Call, timer: asyncio.TimerHandle | None
) -> AsyncIterator[Item]:
    """Pass items on as they come; what breaks the stream off, a death or the deadline, is its last item.

    Before all items comes one for whoever opened the stream: a generator that has begun leaves the stream also if it is closed at once.
    """
    try:
        yield Item()
        if first is not None:
            yield first
        if second is not None:
            yield second
        while (item := await stream.next()) is not None:
            yield item
            while (item := stream.take()) is not None:
                yield item
    except ChannelLost as lost:
        yield Item(status=Status(Code.UNAVAILABLE, f"the stream of {call.endpoint!r} broke off: {lost}"))
    except TimeoutError:
        yield Item(status=Status(Code.DEADLINE, f"the stream of {call.endpoint!r} from {pod} did not end before the call's deadline"))
    except NoRoomError:
        yield Item(status=FULL)
    except HopError as error:
        yield Item(status=Status(Code.INTERNAL, f"the stream of {call.endpoint!r} broke off: {error}"))
    finally:
        _leave(stream, timer)


def _leave(stream: HopStream[Item], timer: asyncio.TimerHandle | None) -> None:
    stream.cancel()
    if timer is not None:
        timer.cancel()
