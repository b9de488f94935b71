"""Both ends of the hop, wired together, in any order of everything that can happen: a call ends once, and what is told of it is true.

Hypothesis decides who does what next: callers begin, leave, read and run out of time; the worker begins, answers, makes items, drains,
dies; the front asks, closes; and bytes cross the socket a few at a time in either direction. What runs is the product's own but for time (a
loop whose clock stands), threads (the worker's steps are taken one by one) and the front's transport (which hands over as many bytes as it
is told to). The worker's end has its real socket, with small buffers, and windows are small, so that both are full all the time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Collection, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jina import Executor
from jina.call import Call, Item, Payload
from jina.codec.pieces import Bytes
from jina.runtime import hop_server
from jina.runtime.hop_server import HopServer
from jina.runtime.local import Local
from jina.runtime.making import Making
from jina.runtime.work import END, MAX_AHEAD, MAX_BYTES_AHEAD, PAUSED, REPLY, Outcome, Work
from jina.transport import hop
from jina.transport.begun import BegunNotes
from jina.transport.hop import HOP_LIMITS, ChannelLost, HopChannel
from jina.transport.hop_messages import read_items, read_reply, write_call
from jina.transport.hop_stream import HopStream
from jina.transport.sockets import Sockets

N_EXAMPLES = int(os.environ.get("OPENJINA_HOP_EXAMPLES", "100"))
WINDOW = 65_535
LIMITS = replace(HOP_LIMITS, stream_window_bytes=WINDOW, connection_window_bytes=2 * WINDOW, max_queued_bytes=4096)
SIZES = st.sampled_from([0, 10, 3_000, 40_000, 150_000])
PIECES = st.sampled_from([1, 7, 100, 5_000, 1 << 20])
WHICH = st.integers(0, 1000)


class StillLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands until somebody moves it."""

    now_s = 1000.0

    def time(self) -> float:
        return self.now_s

    def turn(self, n: int = 4) -> None:
        """Run what is ready, and what comes of it."""
        for _ in range(n):
            self.call_soon(self.stop)
            self.run_forever()


class FrontTransport(asyncio.Transport):
    """The front's end of a socket: what is written waits until it is told to leave."""

    def __init__(self, sock: socket.socket, loop: StillLoop) -> None:
        super().__init__()
        self.sock, self._loop, self.unsent = sock, loop, bytearray()
        self.is_over = False

    def write(self, data: Bytes | bytearray) -> None:
        if not self.is_over:
            self.unsent += data

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def abort(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._loop.call_soon(self._lose)

    close = abort

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def _lose(self) -> None:
        self.sock.close()
        self.protocol.connection_lost(None)


class Outlet:
    """Takes outcomes to the worker's connection."""

    def __init__(self, stuck: Collection[object]) -> None:
        self.touched: dict[HopServer, None] = {}
        self.stuck = stuck

    def put(self, outcome: Outcome) -> None:
        connection = outcome[0].owner
        connection.take(outcome)
        self.touched[connection] = None

    def flush(self) -> None:
        touched, self.touched = self.touched, {}
        for connection in touched:
            connection.flush()


class Steps(Making):
    """The worker's executor: what threads do by themselves is done here step by step."""

    sent, paused = Local.sent, Local.paused

    def __init__(self, notes: BegunNotes, stuck: Collection[object]) -> None:
        super().__init__(Executor(), Outlet(stuck), notes, None, None)
        self.works: dict[str, Work] = {}
        self.begun: dict[str, int] = {}
        self.ended: list[int] = []

    def submit(self, work: Work) -> None:
        assert work.call.request_id not in self.works, "a call came twice"
        self.works[work.call.request_id] = work

    def flush(self) -> None:
        pass

    def cancel(self, work: Work) -> None:
        work.is_gone = True
        if work.is_paused:
            self.resume(work)

    def resume(self, work: Work) -> None:
        work.is_paused = False

    def begin(self, work: Work) -> None:
        self.begun[work.call.request_id] = self._begin(work)

    def answer(self, work: Work, size: int) -> None:
        name = work.call.request_id
        if work.call.is_stream:
            self._hand_over((work, END, None, None, None))
        else:
            self._hand_over((work, REPLY, None, Payload(content(name, size)), None))
        self.ended.append(self.begun[name])
        del self.works[name]

    def make(self, work: Work, n: int, size: int) -> None:
        """Make items as a generator does: until it is far ahead, or nobody waits for them."""
        if work.is_gone:
            self.ended.append(self.begun[work.call.request_id])
            del self.works[work.call.request_id]
            return
        for _ in range(n):
            self._put_item(work, Item(Payload(content(f"{work.call.request_id}:{work.n_made}", size), "json", True)))
            if work.is_far_ahead:
                self.let_leave()
                self._hand_over((work, PAUSED, None, None, None))
                return

    def let_leave(self) -> None:
        ended, self.ended = self.ended, []
        self._send(ended)


def content(name: str, size: int) -> bytes:
    return name.encode() + b"|" + b"x" * size


class Caller:
    """One call at the front, and what became of it."""

    def __init__(self, name: str, loop: StillLoop) -> None:
        self.name, self.loop = name, loop
        self.stream: HopStream[Item] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.n_read = 0
        self.outcomes: list[object] = []
        self.lost: ChannelLost | None = None

    async def unary(self, channel: HopChannel, call: Call, deadline: float | None) -> None:
        await self._note(self._unary(channel, call, deadline))

    async def _unary(self, channel: HopChannel, call: Call, deadline: float | None) -> None:
        reply, _ = read_reply(await channel.call(write_call(call), deadline))
        assert reply.payload is not None
        assert reply.payload.data.startswith(self.name.encode() + b"|")
        self.outcomes.append("reply")

    async def open(self, channel: HopChannel, call: Call, deadline: float | None) -> None:
        try:
            self.stream = channel.stream(write_call(call), read_items)
        except ChannelLost as lost:
            self.lost = lost
            self.outcomes.append(lost)
        else:
            if deadline is not None:
                self.loop.call_at(deadline, self.stream.expire)

    async def read(self) -> None:
        await self._note(self._read())

    async def _read(self) -> None:
        assert self.stream is not None
        item = await self.stream.next()
        if item is None:
            self.outcomes.append("end")
            return
        assert item.payload is not None
        assert item.payload.data.startswith(f"{self.name}:{self.n_read}|".encode())
        self.n_read += 1

    async def _note(self, running: Coroutine[Any, Any, None]) -> None:
        try:
            await running
        except ChannelLost as lost:
            self.lost = lost
            self.outcomes.append(lost)
        except (asyncio.CancelledError, TimeoutError) as error:
            self.outcomes.append(type(error).__name__)

    def leave(self) -> None:
        """Stop waiting, or reading."""
        if self.stream is not None:
            self.stream.cancel()
            self.outcomes.append("left")
        if self.task is not None:
            self.task.cancel()

    @property
    def is_waiting(self) -> bool:
        return self.task is not None and not self.task.done()


class HopMachine(RuleBasedStateMachine):
    """What can happen, one step at a time."""

    n_steps = 0

    @initialize(send_buffer=st.sampled_from([1, 1 << 18]), ends_after=st.integers(5, 80))
    def connect(self, send_buffer: int, ends_after: int) -> None:
        self.ends_after = ends_after
        self.folder = tempfile.TemporaryDirectory()
        self.n_steps, self.has_ended = 0, False
        self.patches = [mock.patch.object(module, "HOP_LIMITS", LIMITS) for module in (hop, hop_server)]
        for patch in self.patches:
            patch.start()
        path, begun = (str(Path(self.folder.name) / name) for name in ("s", "b"))
        self.loop = StillLoop()
        self.notes = BegunNotes(begun)
        self.servers: set[HopServer] = set()
        self.sockets = Sockets(path, self._serve, on_open=lambda fd: None, on_close=lambda fd: None)
        self.steps = Steps(self.notes, self.sockets.stuck)
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, send_buffer)
        self.sockets.handle(self.sockets.wait(0))
        (self.server,) = self.servers
        self.link = cast("Any", self.server._transport)
        self.link._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.channel = HopChannel("x/rep-0", path, begun, lambda channel: None)
        self.front = FrontTransport(sock, self.loop)
        self.front.set_protocol(self.channel)
        self._run(self._connected())
        self.callers: dict[str, Caller] = {}
        self.is_worker_alive = True
        while not self.channel.ready.done():
            self.to_worker(1 << 20)
            self.to_front(1 << 20)

    def _serve(self) -> HopServer:
        return HopServer(self.steps, self.servers, self.notes)  # type: ignore[arg-type]  # of a Local it needs these methods

    async def _connected(self) -> None:
        self.channel.connection_made(self.front)

    def _run(self, step: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(step)
        self.loop.turn()
        return task

    def _on_loop(self, function: Callable[..., object], *args: Any) -> None:
        self.loop.call_soon(function, *args)
        self.loop.turn()

    # --- callers ---------------------------------------------------------------------------------------------------------------------

    @rule(is_stream=st.booleans(), size=SIZES, left_s=st.sampled_from([None, 1.0]))
    def call(self, is_stream: bool, size: int, left_s: float | None) -> None:
        name = f"c{len(self.callers)}"
        caller = self.callers[name] = Caller(name, self.loop)
        call = Call("/x", Payload(content(name, size), "json", is_stream), name, is_stream=is_stream)
        deadline = None if left_s is None else self.loop.time() + left_s
        if is_stream:
            self._run(caller.open(self.channel, call, deadline))
        else:
            caller.task = self._run(caller.unary(self.channel, call, deadline))

    def _open_streams(self) -> list[Caller]:
        return [each for each in self.callers.values() if each.stream is not None and not each.outcomes and not each.is_waiting]

    @precondition(lambda self: self._open_streams())
    @rule(which=WHICH)
    def read(self, which: int) -> None:
        streams = self._open_streams()
        caller = streams[which % len(streams)]
        caller.task = self._run(caller.read())

    def _under_way(self) -> list[Caller]:
        return [each for each in self.callers.values() if not each.outcomes and (each.stream is None or not each.is_waiting)]

    @precondition(lambda self: self._under_way())
    @rule(which=WHICH)
    def leave(self, which: int) -> None:
        callers = self._under_way()
        self._on_loop(callers[which % len(callers)].leave)

    @rule()
    def time_passes(self) -> None:
        if self.has_ended:
            self.to_front(1 << 18)  # a loop reads at least once in that time
        self.loop.now_s += 2.0
        self.loop.turn()

    # --- the worker ------------------------------------------------------------------------------------------------------------------

    def _works(self, *, begun: bool, is_stream: bool | None = None) -> list[Work]:
        steps = self.steps
        return [
            work
            for name, work in steps.works.items()
            if self.is_worker_alive and (name in steps.begun) is begun and is_stream in (None, work.call.is_stream) and not work.is_paused
        ]

    @precondition(lambda self: self._works(begun=False))
    @rule(which=WHICH)
    def begin(self, which: int) -> None:
        works = self._works(begun=False)
        work = works[which % len(works)]
        if work.is_gone:
            del self.steps.works[work.call.request_id]
        else:
            self.steps.begin(work)

    @precondition(lambda self: self._works(begun=True))
    @rule(which=WHICH, size=SIZES)
    def answer(self, which: int, size: int) -> None:
        works = self._works(begun=True)
        self.steps.answer(works[which % len(works)], size)

    @precondition(lambda self: self._works(begun=True, is_stream=True))
    @rule(which=WHICH, n=st.sampled_from([1, 3, 100]), size=SIZES)
    def make_items(self, which: int, n: int, size: int) -> None:
        works = self._works(begun=True, is_stream=True)
        self.steps.make(works[which % len(works)], n, size)

    @precondition(lambda self: self.is_worker_alive)
    @rule()
    def let_leave(self) -> None:
        self.steps.let_leave()

    @precondition(lambda self: self.is_worker_alive and self.link._is_open and self._may_end())
    @rule()
    def drain(self) -> None:
        self.server.begin_drain(lambda: None)

    @precondition(lambda self: self.is_worker_alive and self._may_end())
    @rule()
    def die(self) -> None:
        """Without a word: what the kernel has been given still reaches the front."""
        self.is_worker_alive = False
        if self.link._is_open:
            self.sockets._selector.unregister(self.link._sock)
            self.link._sock.close()

    # --- the front -------------------------------------------------------------------------------------------------------------------

    def _may_end(self) -> bool:
        """Connections last for a while in most runs."""
        return self.n_steps >= self.ends_after

    @rule()
    def ask(self) -> None:
        if not self.front.is_over:
            self._on_loop(self.channel.ask, 0.1)

    @precondition(lambda self: self._may_end())
    @rule()
    def close_when_idle(self) -> None:
        self._on_loop(self.channel.close_when_idle)

    @precondition(lambda self: not self.is_worker_alive)
    @rule()
    def end(self) -> None:
        """The front hears that the worker is dead, perhaps before it has read what came of it."""
        self.has_ended = True
        self._on_loop(self.channel.end)

    # --- the socket ------------------------------------------------------------------------------------------------------------------

    @rule(n=PIECES)
    def to_worker(self, n: int) -> None:
        front = self.front
        if front.unsent and not front.is_over:
            try:
                del front.unsent[: front.sock.send(front.unsent[:n])]
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                front.unsent.clear()  # what can be read still is, before the end is told
        self._worker_looks()

    def _worker_looks(self) -> None:
        if self.is_worker_alive:
            self.sockets.handle(self.sockets.wait(0))

    @rule(n=PIECES)
    def to_front(self, n: int) -> None:
        data = b"" if self.front.is_over else self._received(n)
        if data:
            self._on_loop(self.channel.data_received, data)
        elif data is not None and not self.front.is_over:
            self._on_loop(self.front.abort)
        self._worker_looks()

    def _received(self, n: int) -> bytes | None:
        try:
            return self.front.sock.recv(n)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b""

    # --- what holds at any time ------------------------------------------------------------------------------------------------------

    @invariant()
    def nobody_hears_twice(self) -> None:
        self.n_steps += 1
        for caller in getattr(self, "callers", {}).values():
            assert len(caller.outcomes) <= 1, caller.outcomes

    @invariant()
    def what_is_told_of_lost_calls_is_true(self) -> None:
        for name, caller in getattr(self, "callers", {}).items():
            if caller.lost is not None and not caller.n_read:
                assert caller.lost.has_begun is (name in self.steps.begun), name

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        if not hasattr(self, "callers"):
            return
        for work in self.steps.works.values():
            assert work.n_made - work.n_sent <= MAX_AHEAD, work.call.request_id
            assert work.n_bytes_made - work.n_bytes_sent <= MAX_BYTES_AHEAD + 200_000
        for caller in self.callers.values():
            if caller.stream is not None:
                assert caller.stream._n_held_bytes <= WINDOW + MAX_BYTES_AHEAD + 200_000

    # --- the end ---------------------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "callers") or self.loop.is_closed():
            return
        try:
            self._finish()
        finally:
            for patch in self.patches:
                patch.stop()
            if not self.front.is_over:
                self.front.abort()
            self.loop.turn()
            if self.is_worker_alive and self.link._is_open:
                self.link.close()
            self.sockets.close()
            self.loop.close()
            self.folder.cleanup()

    def _finish(self) -> None:
        """Let everything that is under way go on: all must come to an end, and nothing be left."""
        for _ in range(3000):
            for work in self._works(begun=False):
                self.begin(0) if not work.is_gone else self.steps.works.pop(work.call.request_id)
            for work in self._works(begun=True):
                self.steps.answer(work, 0)
            if self.is_worker_alive:
                self.steps.let_leave()
            self.to_worker(1 << 20)
            self.to_front(1 << 20)
            for caller in self._open_streams():
                caller.task = self._run(caller.read())
            if all(caller.outcomes for caller in self.callers.values()):
                break
        else:
            raise AssertionError([name for name, caller in self.callers.items() if not caller.outcomes])
        self.nobody_hears_twice()
        self.what_is_told_of_lost_calls_is_true()
        assert (self.channel.n_in_flight, self.channel.n_bytes_in_flight) == (0, 0)
        for _ in range(100):
            self.to_worker(1 << 20)
            self.to_front(1 << 20)
        if self.is_worker_alive:
            assert not self.server._works
            if self.link._is_open:
                assert not self.server._unsent
                assert not self.server._ready
                assert self.link._n_unsent == 0
            self.steps.let_leave()
            assert self.notes.begin(1) >= 0


TestHop = HopMachine.TestCase
TestHop.settings = settings(max_examples=N_EXAMPLES, stateful_step_count=100, suppress_health_check=list(HealthCheck), deadline=None)


@pytest.fixture
def machine() -> Iterator[HopMachine]:
    """Both ends, steered by hand, with small buffers; whatever is under way is ended and looked at."""
    made = HopMachine()
    made.connect(send_buffer=1, ends_after=0)
    yield made
    made.teardown()


@pytest.mark.parametrize("size", [10, 40_000, 150_000])
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_call_whose_reply_has_not_left_is_lost_as_a_begun_one(machine: HopMachine, size: int, *, is_stream: bool) -> None:
    """The worker has run it, and dies while the answer waits for the socket or for the front's windows: it must not be run again unseen."""
    machine.call(is_stream=is_stream, size=10, left_s=None)
    machine.to_worker(1 << 20)
    machine.begin(0)
    if is_stream:
        machine.make_items(which=0, n=1, size=size)
        machine.steps.ended.append(machine.steps.begun["c0"])  # a generator's turn is over, and others have theirs
    else:
        machine.answer(which=0, size=size)
    machine.let_leave()
    machine.die()
    machine._finish()
    assert machine.callers["c0"].outcomes == [machine.callers["c0"].lost if size > 10 or is_stream else "reply"]


def test_what_a_worker_answered_before_it_died_is_read(machine: HopMachine) -> None:
    """The front may hear of the death first."""
    machine.call(is_stream=False, size=10, left_s=None)
    machine.to_worker(1 << 20)
    machine.begin(0)
    machine.answer(which=0, size=10)
    machine.let_leave()
    machine.die()
    machine.end()
    machine.to_front(1 << 20)
    assert machine.callers["c0"].outcomes == ["reply"]


def test_a_dead_workers_connection_ends_though_somebody_holds_it_open(machine: HopMachine) -> None:
    """What the worker had started may have its descriptors."""
    machine.call(is_stream=False, size=10, left_s=None)
    machine.end()
    for _ in range(4):
        machine.time_passes()
    assert machine.callers["c0"].outcomes == [machine.callers["c0"].lost]
    assert machine.channel.is_lost
