"""Which replicas of a deployment take calls now: what the front hears of them comes in here, and callers look here."""

from __future__ import annotations

import asyncio
import logging

from jina.transport.hop import HopChannel

SILENT_AFTER_S = 0.5
_log = logging.getLogger("jina.replicas")


class Members:
    """The channels to the replicas of one deployment.

    Attributes:
        current: The channel to each replica that is up, by the replica's name.
        free: Those of them that may get a new call: not the one kept for a suspect, no silent one while another answers.
        kept: The channel that is kept free of other calls, if one is to be.
        changed: Set whenever a replica comes or goes or has nothing more to do.
        given_up: Replicas that will not come back, and why.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.current: dict[str, HopChannel] = {}
        self.free: list[HopChannel] = []
        self.kept: HopChannel | None = None
        self.changed = asyncio.Event()
        self.given_up: dict[str, str] = {}
        self._open: set[HopChannel] = set()
        self._is_one_kept = False
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._renewals: set[asyncio.Task[None]] = set()

    @property
    def is_up(self) -> bool:
        """At least one replica takes calls."""
        return bool(self.current)

    @property
    def is_over(self) -> bool:
        """No replica is up, and one at least will never be again."""
        return bool(self.given_up) and not self.current

    def add(self, pod: str, channel: HopChannel) -> None:
        """A replica is ready for calls over this channel; one that is lost already is left out."""
        if channel.is_lost:
            return
        self._open.add(channel)
        self.current[pod] = channel
        channel.on_idle = self.changed.set
        channel.on_worn = self._renew_soon
        self.given_up.pop(pod, None)
        self.refresh()

    def down(self, pod: str, error: str = "", *, is_dead: bool = True) -> None:
        """A replica is gone; with an error it will not come back. What it has written before it died is still read."""
        self.current.pop(pod, None)
        if error:
            self.given_up[pod] = error
        for channel in [channel for channel in self._open if channel.pod == pod]:
            self._open.discard(channel)
            (channel.end if is_dead else channel.close)()
        self.refresh()

    def expect_no_more(self, reason: str) -> None:
        """What is up now is the last; those that have gone will not come back."""
        self.given_up.setdefault(self._name, reason)
        self.refresh()

    def lost(self, channel: HopChannel) -> None:
        """This connection is lost, or takes no new calls; a newer one of the same replica stays."""
        if channel.is_lost:
            self._open.discard(channel)
        if self.current.get(channel.pod) is channel:
            del self.current[channel.pod]
            self.refresh()

    def refresh(self) -> None:
        """Find out again who is free: the replicas, or their silence, have changed."""
        self.changed.set()
        channels = list(self.current.values())
        awake = [channel for channel in channels if channel.silent_s < SILENT_AFTER_S] or channels
        if not self._is_one_kept:
            self.kept = None
        elif self.kept not in channels:
            self.kept = min(awake, key=load, default=None)
        self.free = [channel for channel in awake if channel is not self.kept]
        if self.free or self.is_over:
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)

    def _renew_soon(self, channel: HopChannel) -> None:
        task = asyncio.get_running_loop().create_task(self._renew(channel))
        self._renewals.add(task)
        task.add_done_callback(self._renewed)

    def _renewed(self, task: asyncio.Task[None]) -> None:
        self._renewals.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection to a replica of %r could not be renewed", self._name, exc_info=error)

    async def _renew(self, worn: HopChannel) -> None:
        """Put a fresh connection in the place of one whose stream numbers run out; calls on the old one end there."""
        try:
            fresh = await worn.reopen()
        except OSError:
            return  # the worker died, which is told in another way
        if self.current.get(worn.pod) is worn and not fresh.is_lost:
            self.add(worn.pod, fresh)
            worn.close_when_idle()
        else:
            fresh.close()

    def keep_one(self, *, is_kept: bool) -> None:
        """Keep the replica that has least to do free of other calls; or let them in again."""
        self._is_one_kept, self.kept = is_kept, None
        self.refresh()

    @property
    def n_waiting(self) -> int:
        """Calls that wait for a replica."""
        return len(self._waiting)

    async def wait(self) -> None:
        """Wait until a replica is free, or all is over; perhaps it is taken again when this returns."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        try:
            await future
        finally:
            del self._waiting[future]

    async def leave(self, channel: HopChannel) -> None:
        """A channel took no call: go on without it, and let the loop turn, so that what is wrong with it can be told."""
        if channel.is_lost:
            self.lost(channel)
        await asyncio.sleep(0)


def load(channel: HopChannel) -> int:
    """How much a replica has to do."""
    return channel.n_in_flight
