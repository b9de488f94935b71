"""Calls that a replica had begun when it died: each is tried once more, one after another, with a replica to itself."""

from __future__ import annotations

import asyncio
import contextlib
import math

from jina.call import Call, Reply, Status
from jina.codec.pieces import Message
from jina.errors import Code
from jina.runtime.hop_calls import send
from jina.runtime.members import Members
from jina.transport.hop import ChannelLost, HopChannel

_LET_IN_S = 0.05


class Suspects:
    """Tries them, over the replicas that are up."""

    def __init__(self, members: Members, *, max_wait_s: float | None, hold_s: float) -> None:
        """Begin without any.

        Args:
            members: The replicas.
            max_wait_s: How long one waits for a replica that runs nothing.
            hold_s: How long at a time a replica is kept free of other calls for it.
        """
        self._members, self._max_wait_s, self._hold_s = members, max_wait_s, hold_s
        self._alone = asyncio.Lock()

    async def try_alone(self, call: Call, message: Message) -> Reply | None:
        """Send a suspect once more; a second death fails it. None: no replica will ever be up again."""
        members = self._members
        while True:
            async with self._alone:
                try:
                    channel = await self._idle_channel()
                    if channel is None:
                        return None if members.is_over else self._never_idle(call)
                    sending = asyncio.get_running_loop().create_task(send(channel, call, message))
                    await _done_within(sending, self._hold_s)
                    was_alone = sending.done()
                finally:
                    members.keep_one(is_kept=False)
            try:
                return await sending
            except ChannelLost as again:
                if again.has_begun:
                    what = (
                        f"the call to {call.endpoint!r} ended two workers"
                        if was_alone
                        else f"two workers died while they ran {call.endpoint!r}"
                    )
                    return Reply(Status(Code.UNAVAILABLE, f"{what}, so it is not tried again; {again}"))
                await members.leave(channel)

    async def _idle_channel(self) -> HopChannel | None:
        """Wait for a replica that runs nothing, and keep it free; now and then all others are let in for a moment."""
        loop, members = asyncio.get_running_loop(), self._members
        give_up_at = math.inf if self._max_wait_s is None else loop.time() + self._max_wait_s
        hold_until = loop.time() + self._hold_s
        while not members.is_over:
            members.keep_one(is_kept=True)
            kept = members.kept
            if kept is not None and kept.n_in_flight == 0:
                return kept
            now = loop.time()
            if now >= give_up_at:
                return None
            if kept is None:
                hold_until = now + self._hold_s
            elif now >= hold_until:
                members.keep_one(is_kept=False)
                await asyncio.sleep(_LET_IN_S)
                hold_until = loop.time() + self._hold_s
                continue
            members.changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(give_up_at, hold_until)):
                    await members.changed.wait()
        return None

    def _never_idle(self, call: Call) -> Reply:
        text = f"a replica died while it ran {call.endpoint!r}, and within {self._max_wait_s} s none was free to try the call again alone"
        return Reply(Status(Code.UNAVAILABLE, text, retry_after_s=1.0))


async def _done_within(task: asyncio.Task[Reply], seconds: float) -> None:
    """Wait for a task, but not for ever; it goes on, unless nobody waits any more."""
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
