"""Starts one front, its workers and perhaps a web app of the user's, restarts what dies, stops what is asked to stop.

One thread owns all of it and reads one stream of events: what children report, that one has ended, and what the owner
asks (start, stop). It runs in the process of whoever uses us as a library, so it changes nothing global there: a daemon thread, no
signal handlers, no event loop.

    worker: starting --Ready--> ready --ended--> (restarted at once) starting
            starting --Failed or ended--> pauses grow --> given up
    front:  the same; a new front gets the same listening sockets, so the port never closes; when it is given up, so is everything
    app:    the same as the front, but it is never given up
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from jina.call import EndpointInfo
from jina.errors import StartError
from jina.process.child import Child, spawn
from jina.process.messages import (
    Awaits,
    Discovered,
    FromChild,
    Hung,
    Ready,
    ReplicaDown,
    ReplicaUp,
    Stop,
    TakeOver,
    WorkerSpec,
    WorkerStarted,
)
from jina.process.slot import Slot, describe_exit, printed

Spawn = Callable[..., Child]
Level = Literal["info", "warning"]
Log = Callable[[Level, str], None]
OnFailure = Callable[[BaseException], None]

_KILL_MARGIN_S = 1.0
"""A child that was asked to stop within its grace gets this much more to get out, then it is killed."""
_FIRST_NOTE_S, _NOTE_S = 2.0, 10.0
"""After this long, and then at every such time, we say what is awaited."""


class Supervisor:
    """Keeps one front, its workers and the app (if there is one) running."""

    def __init__(
        self,
        front: Slot,
        workers: list[Slot],
        *,
        app: Slot | None = None,
        log: Log,
        on_failure: OnFailure = lambda error: None,
        spawn: Spawn = spawn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what to run; nothing runs yet.

        Args:
            front: The place of the front.
            workers: Those of the workers.
            app: That of the web app, if there is one.
            log: Gets what people should know.
            on_failure: Gets the reason, in our thread, when all has ended without having been asked to, after it was ready.
            spawn: For tests.
            clock: For tests.
        """
        self._front, self._workers, self._app = front, workers, app
        self._slots = [front, *workers, *([app] if app is not None else [])]
        self._log, self._on_failure, self._spawn, self._clock = log, on_failure, spawn, clock
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._wake_lock = threading.RLock()  # a signal handler may stop us while its own thread is waking us
        self._started = threading.Event()
        self._life = threading.Lock()
        self._failure: BaseException | None = None
        self._start_error: BaseException | None = None
        self._was_ready = False
        self._known: dict[str, list[EndpointInfo]] = {}
        self._awaited_elsewhere: dict[str, str] = {}
        self._discovered: dict[str, Discovered] = {}
        self._stop_grace_s: float | None = None
        self._begin_at, self._n_notes = clock(), 0
        self._note_at = self._begin_at + _FIRST_NOTE_S
        self._thread = threading.Thread(target=self._run, name="jina-supervisor", daemon=True)

    def start(self, timeout_s: float | None) -> None:
        """Start everything and wait until it serves.

        Raises:
            StartError: A process failed before it was ready (carries its traceback), an executor elsewhere did not tell its endpoints in
                time, or `stop` was called. All others are stopped.
            TimeoutError: It took longer than `timeout_s`. All are stopped.
        """
        try:
            self._life.acquire()  # our thread lets it go when it ends
            self._thread.start()
            in_time = self._started.wait(timeout_s)
            if in_time and self._was_ready:
                return
            waiting, words, is_elsewhere = self._awaited(" was", " were"), self._awaited_words(), bool(self._awaited_elsewhere)
            self.stop(0.0)
        except BaseException:
            self.stop(0.0)
            raise
        if self._start_error is not None:
            raise self._start_error
        if in_time:
            raise StartError("it was closed while it started")
        advice = "raise timeout_ready (milliseconds) if it needs longer"
        raise (StartError if is_elsewhere else TimeoutError)(f"{waiting} not ready within {timeout_s} s; {advice}{printed(words)}")

    def stop(self, grace_s: float) -> None:
        """Stop everything: the front finishes what it holds, then workers close their executor.

        May be called at any time, from any thread, from a signal handler, and again; a smaller `grace_s` then hastens what is under way.
        """
        self._stop_grace_s = grace_s if self._stop_grace_s is None else min(grace_s, self._stop_grace_s)
        self._wake()
        if self._thread.ident in (None, threading.get_ident()):
            return  # it sees the order when it begins, or when it comes to it
        with self._life:  # `Thread.join` takes a thread for ended once an interrupt has broken off the waiting (Python 3.11)
            pass
        self._close_wake()

    @property
    def endpoints(self) -> Mapping[str, list[EndpointInfo]]:
        """Endpoints by node, of those of which a worker is or was ready, or which have told them."""
        return self._known

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the running children by name."""
        children = [(slot.name, slot.child) for slot in self._slots]
        return {name: child.pid for name, child in children if child is not None}

    def _wake(self) -> None:
        with self._wake_lock, contextlib.suppress(OSError):
            if self._wake_write >= 0:
                os.write(self._wake_write, b"!")

    def _close_wake(self) -> None:
        """Close our end of the pipe that wakes the thread; only once that has ended, and only here."""
        with self._wake_lock:
            if self._wake_write >= 0:
                os.close(self._wake_write)
            self._wake_write = -1

    def _awaited(self, verb: str = "", verb_of_many: str = "") -> str:
        """Name who is awaited: the front only when the others are there, for it waits for them too."""
        names = [slot.name for slot in self._slots[1:] if slot.ready is None] + [*self._awaited_elsewhere.values()] or [self._front.name]
        return ", ".join(names) + (verb if len(names) == 1 else verb_of_many)

    def _awaited_words(self) -> str:
        children = [slot.child for slot in self._slots if slot.ready is None]
        return "\n".join(child.last_words for child in children if child is not None and child.last_words)

    def _run(self) -> None:
        try:
            self._work()
            if self._failure is not None and self._was_ready:
                self._on_failure(self._failure)
        finally:
            self._life.release()

    def _work(self) -> None:
        try:
            for slot in self._slots:
                if self._stop_grace_s is None:
                    self._start(slot)
            while self._turn():
                pass
        except BaseException as error:
            self._start_error = self._failure = error
            self._kill_all()
            self._say("warning", f"the supervisor failed and stops everything: {error!r}")
        finally:
            self._close()
            self._started.set()

    def _turn(self) -> bool:
        """Handle what has happened; False once everything has stopped."""
        self._watch_unsent()
        for key, _ in self._selector.select(self._patience()):
            if key.data is None:
                os.read(self._wake_read, 64)
            elif key.data.child is not None:  # else it died a moment ago, in this very turn
                self._handle(key.data, key.data.child, key.fd)
        now = self._clock()
        for slot in self._slots:
            if self._stop_grace_s is None and slot.start_at is not None and slot.start_at <= now:
                self._start(slot)
        if self._stop_grace_s is not None:
            return self._continue_stopping(now, self._stop_grace_s)
        if not self._was_ready and now >= self._note_at:
            self._n_notes += 1
            self._note_at = self._begin_at + self._n_notes * _NOTE_S
            later = f"still waiting for {self._awaited()} after {now - self._begin_at:.0f} s"
            self._say("info", later if self._n_notes > 1 else f"loading: {self._awaited(' is', ' are')} not ready yet")
        return True

    def _patience(self) -> float | None:
        is_stopping = self._stop_grace_s is not None
        times = [slot.start_at for slot in self._slots if slot.start_at is not None and not is_stopping]
        times += [slot.stop_by for slot in self._slots if slot.stop_by is not None and slot.child is not None and not slot.is_killed]
        if not self._was_ready:
            times.append(self._note_at)
        return max(0.0, min(times) - self._clock()) if times else None

    def _start(self, slot: Slot) -> None:
        slot.n_started += 1
        slot.start_at, slot.ready, slot.failure, slot.last_words = None, None, None, ""
        try:
            slot.spec = slot.make_spec(slot.n_started)
            slot.child = self._spawn(slot.role, slot.spec, slot.env, slot.pass_fds)
        except OSError as error:
            if not self._was_ready:
                raise
            self._try_again(slot, f"{slot.name} could not be started: {error}", was_ready=True)
            return
        for fd in (slot.child.events, slot.child.exited, slot.child.printed):
            self._selector.register(fd, selectors.EVENT_READ, slot)
        if self._was_ready and (slot is self._front or slot is self._app):
            slot.child.send(TakeOver(self._known))
        if slot is self._front:
            for other in self._slots[1:]:
                self._introduce(other, slot)
        elif self._front.child is not None:
            self._front.child.send(WorkerStarted(slot.name, slot.child.pid, slot is self._app))
        if slot is self._app:
            for worker in self._workers:
                self._introduce(worker, slot)
            for discovered in self._discovered.values():
                slot.child.send(discovered)

    def _introduce(self, other: Slot, to: Slot | None) -> None:
        """Tell the front, or the app, what it must know of another child."""
        if to is None or to.child is None:
            return
        if other.child is None:
            if to is self._front and other.has_given_up:
                to.child.send(ReplicaDown(other.name, other.node, other.last_error))
            return
        if to is self._front:
            to.child.send(WorkerStarted(other.name, other.child.pid, other is self._app))
        if other.ready is not None and isinstance(other.spec, WorkerSpec):
            spec = other.spec
            to.child.send(ReplicaUp(spec.name, other.node, spec.socket_path, spec.begun_path, other.child.pid, other.ready.endpoints))

    def _watch_unsent(self) -> None:
        """Wait for room in the pipes of those children that have not taken everything."""
        for child in (slot.child for slot in self._slots):
            if child is None:
                continue
            is_watched = child.orders in self._selector.get_map()
            if child.has_unsent and not is_watched:
                self._selector.register(child.orders, selectors.EVENT_WRITE, self._slot_of(child))
            elif is_watched and not child.has_unsent:
                self._selector.unregister(child.orders)

    def _slot_of(self, child: Child) -> Slot:
        return next(slot for slot in self._slots if slot.child is child)

    def _handle(self, slot: Slot, child: Child, fd: int) -> None:
        if fd == child.orders:
            child.flush()
            return
        if fd == child.printed:
            if not child.listen():
                self._selector.unregister(fd)
            return
        events = child.read()  # also when it has ended: its last words
        self._take(slot, events or ())
        if events is None or fd == child.exited:
            self._died(slot)

    def _take(self, slot: Slot, events: Iterable[FromChild]) -> None:
        for event in events:
            if isinstance(event, Ready):
                self._became_ready(slot, event)
            elif isinstance(event, Hung):
                self._end_hung(event)
            elif isinstance(event, Awaits):
                self._awaited_elsewhere[event.node] = event.text
            elif isinstance(event, Discovered):
                self._note_discovered(event)
            else:
                slot.failure = event

    def _end_hung(self, hung: Hung) -> None:
        """End a worker that answers no more; from then on it is a death like any other."""
        for slot in self._workers:
            if slot.child is not None and slot.child.pid == hung.pid:
                self._say("warning", f"{slot.name} has answered nothing for {hung.silent_s:.3g} s (see hang_timeout_s); it is killed")
                slot.child.signal_group(signal.SIGKILL)

    def _note_discovered(self, event: Discovered) -> None:
        self._awaited_elsewhere.pop(event.node, None)
        self._discovered[event.node] = event
        self._known = {**self._known, event.node: event.endpoints}
        if self._app is not None and self._app.child is not None:
            self._app.child.send(event)

    def _became_ready(self, slot: Slot, event: Ready) -> None:
        slot.ready = event
        slot.policy.became_ready()
        if isinstance(slot.spec, WorkerSpec):
            self._known = {**self._known, slot.node: event.endpoints}
            self._introduce(slot, self._front)
            self._introduce(slot, self._app)
        if self._stop_grace_s is None and all(each.ready is not None for each in self._slots):
            self._was_ready = True
            self._started.set()

    def _died(self, slot: Slot) -> None:
        assert slot.child is not None
        slot.child.listen()
        slot.last_words = slot.child.last_words
        for fd in (slot.child.events, slot.child.exited, slot.child.printed, slot.child.orders):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        code = slot.child.reap()
        was_ready, slot.child, slot.ready = slot.ready is not None, None, None
        reason = slot.failure.summary if slot.failure is not None else f"{slot.name} ended with {describe_exit(code)}"
        if self._stop_grace_s is not None:
            if slot in self._workers and self._front.child is not None:  # which still finishes what it holds
                self._front.child.send(ReplicaDown(slot.name, slot.node, f"{reason} while the service stopped"))
            return
        if self._was_ready:
            self._try_again(slot, reason, was_ready=was_ready)
            return
        slot.last_error = reason
        self._start_error = slot.start_error()
        self._stop_grace_s = 0.0

    def _try_again(self, slot: Slot, reason: str, *, was_ready: bool) -> None:
        slot.last_error = reason
        slot.start_at = slot.policy.died(self._clock())
        slot.has_given_up = gave_up = slot.start_at is None
        what = "is not started again" if gave_up else "is started again"
        words = "" if was_ready else printed(slot.last_words)
        self._say("warning", f"{reason}{'' if was_ready else ' before it was ready'}; it {what}{words}")
        if slot is self._front or slot is self._app:
            if gave_up:
                self._failure = slot.start_error()
                self._stop_grace_s = 0.0
        elif self._front.child is not None:
            self._front.child.send(ReplicaDown(slot.name, slot.node, slot.last_error if gave_up else ""))

    def _say(self, level: Level, text: str) -> None:
        try:
            self._log(level, text)
        except Exception:
            traceback.print_exc()  # a log that cannot be written ends no service

    def _continue_stopping(self, now: float, grace_s: float) -> bool:
        public = [slot for slot in (self._front, self._app) if slot is not None and slot.child is not None]
        for slot in public:  # the front waits for the app, which still calls it
            self._ask_to_stop(slot, now, grace_s)
        if public:
            return True
        running = [slot for slot in self._workers if slot.child is not None]
        for slot in running:
            self._ask_to_stop(slot, now, grace_s)
        return bool(running)

    def _ask_to_stop(self, slot: Slot, now: float, grace_s: float) -> None:
        assert slot.child is not None
        limit = now + grace_s + _KILL_MARGIN_S if slot.ready is not None else now
        if slot.stop_by is None or limit < slot.stop_by:  # the first time, and when it is hastened
            slot.child.send(Stop(grace_s))
            slot.stop_by = limit
        if now >= slot.stop_by and not slot.is_killed:
            slot.child.signal_group(signal.SIGKILL)
            slot.is_killed = True

    def _kill_all(self) -> None:
        for slot in self._slots:
            if slot.child is not None:
                slot.child.reap()
                slot.child = None

    def _close(self) -> None:
        self._selector.close()
        os.close(self._wake_read)
