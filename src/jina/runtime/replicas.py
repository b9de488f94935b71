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

from jina.call import Call, Reply, Status
from jina.codec.pieces import Message
from jina.errors import Code, MalformedError
from jina.limits import Patience
from jina.runtime.hop_calls import send
from jina.runtime.members import Members, load
from jina.runtime.suspects import Suspects
from jina.runtime.writes import Writes
from jina.transport.hop import ChannelLost, HopChannel, HopError, NoRoomError
from jina.transport.hop_messages import write_call
from jina.transport.run import as_task
from jina.wire.buffered import FULL


class Replicas:
    """Handler over the channels to the replicas of one deployment.

    Attributes:
        members: The replicas that are up; the front keeps it true.
        writes: Endpoints that change state: begun calls to them are never sent a second time.
    """

    needs_task = False

    def __init__(
        self,
        name: str,
        *,
        max_waiting: int = 10_000,
        max_wait_s: float | None = Patience.max_wait_for_replica_s,
        hold_s: float = 2.0,
        max_in_flight: int = 16_384,
        max_bytes_in_flight: int = 512 << 20,
    ) -> None:
        """Begin without any replica.

        Args:
            name: The deployment's, for errors.
            max_waiting: Calls that may wait while no replica is up; more are refused.
            max_wait_s: How long each of them waits at most.
            hold_s: How long at a time a replica is kept free of other calls for a suspect.
            max_in_flight: Calls that each replica may hold; with all of them full, calls are refused.
            max_bytes_in_flight: Bytes that those calls may bring together; a lone call may be as large as it likes.
        """
        self._name, self._max_waiting, self._max_wait_s = name, max_waiting, max_wait_s
        self._max_in_flight, self._max_bytes_in_flight = max_in_flight, max_bytes_in_flight
        self.writes = Writes()
        self._has_stopped = False
        self.members = Members(name)
        self._suspects = Suspects(self.members, max_wait_s=max_wait_s, hold_s=hold_s)

    async def __call__(self, call: Call) -> Reply:
        message, members = write_call(call), self.members
        try:
            while True:
                free = members.free
                if not free:
                    await as_task()
                    async with asyncio.timeout_at(call.deadline):
                        refusal = await self._wait()
                    if refusal is not None:
                        return refusal
                    continue
                channel = free[0] if len(free) == 1 else min(free, key=load)
                if self._is_full(channel, message):
                    return self._overloaded()
                try:
                    return await send(channel, call, message)
                except ChannelLost as lost:
                    await as_task()
                    if lost.has_begun:
                        async with asyncio.timeout_at(call.deadline):
                            return await self._try_alone(call, message, lost)
                    await members.leave(channel)
        except TimeoutError:
            return Reply(Status(Code.DEADLINE, f"deployment {self._name!r} did not answer before the call's deadline"))
        except NoRoomError:
            return Reply(FULL)
        except (HopError, MalformedError) as error:
            return Reply(Status(Code.INTERNAL, str(error)))

    def stop(self) -> None:
        """Fail what has not ended, and all that comes: the time to finish it is up."""
        self._has_stopped = True
        for pod in [*self.members.current] or [self._name]:
            self.members.down(pod, "the service has stopped", is_dead=False)

    def _is_full(self, channel: HopChannel, message: Message) -> bool:
        n_in_flight = channel.n_in_flight
        return n_in_flight > 0 and (
            n_in_flight >= self._max_in_flight or channel.n_bytes_in_flight + len(message) > self._max_bytes_in_flight
        )

    def _overloaded(self) -> Reply:
        text = (
            f"the replicas of {self._name!r} hold as many calls as they may ({self._max_in_flight}, or {self._max_bytes_in_flight} bytes)"
        )
        return Reply(Status(Code.OVERLOADED, text, retry_after_s=1.0))

    async def _try_alone(self, call: Call, message: Message, lost: ChannelLost) -> Reply:
        if call.endpoint in self.writes:
            what = f"a replica died while it ran {call.endpoint!r}, which changes state and is not tried again"
            return Reply(Status(Code.UNAVAILABLE, f"{what}; {lost}"))
        return await self._suspects.try_alone(call, message) or self._gave_up()

    async def _wait(self) -> Reply | None:
        """Wait until a replica is free (None), or say why not."""
        if self.members.is_over:
            return self._gave_up()
        if self.members.n_waiting >= self._max_waiting:
            text = f"no replica of {self._name!r} is up and {self._max_waiting} calls wait already"
            return Reply(Status(Code.OVERLOADED, text, retry_after_s=1.0))
        try:
            async with asyncio.timeout(self._max_wait_s):
                await self.members.wait()
        except TimeoutError:
            return self._too_long()
        return None

    def _gave_up(self) -> Reply:
        if self._has_stopped:
            return Reply(Status(Code.UNAVAILABLE, f"deployment {self._name!r} stopped before the call had ended", retry_after_s=1.0))
        pod, error = next(iter(self.members.given_up.items()))
        return Reply(Status(Code.UNAVAILABLE, f"replica {pod!r} does not start any more: {error}"))

    def _too_long(self) -> Reply:
        if self.members.is_up:
            text = f"the replicas of {self._name!r} were busy for {self._max_wait_s} s with calls during which one of them had died"
        else:
            text = f"no replica of {self._name!r} came up within {self._max_wait_s} s"
        return Reply(Status(Code.UNAVAILABLE, text, retry_after_s=1.0))
