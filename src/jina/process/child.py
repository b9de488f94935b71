"""One child process: a fresh interpreter, its own process group, a pipe each way, and one for what it prints until it is ready.

Nothing here waits for the child: what it does not take yet stays in a buffer until its pipe has room.
"""

from __future__ import annotations

import contextlib
import os
import signal
import site
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jina.process.exits import exit_fd, own_exit_fd
from jina.process.forks import keep_from_forks, no_longer_ours
from jina.process.messages import AppSpec, FrontSpec, Reader, ToChild, WorkerSpec, frame
from jina.process.stdio import inherited, pipe

_MAX_READ_BYTES = 1 << 18
_MAX_WORDS_BYTES = 4 << 10
_FRONT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(32 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
"""For glibc: a front, which runs no code of the user's, keeps up to 32 MiB that large messages took. Getting memory from the kernel anew,
page by page, costs more than all copies into it."""


class Child:
    """A running child, as its supervisor sees it.

    Attributes:
        orders, events, printed: Our ends of the pipes.
        exited: Readable once the process has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], orders: int, events: int, printed: int) -> None:
        self.process, self.orders, self.events, self.printed = process, orders, events, printed
        self.pid, self.exited = process.pid, exit_fd(process)
        self._reader = Reader.of_events()
        self._unsent = bytearray()
        self._words = bytearray()
        for fd in (orders, events, printed):
            os.set_blocking(fd, False)
            keep_from_forks(fd)

    def send(self, message: ToChild) -> None:
        """Send an order; a child that is gone hears nothing, and its death is seen elsewhere."""
        self._unsent += frame(message)
        self.flush()

    def flush(self) -> None:
        """Write what the pipe takes now."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self.orders, self._unsent)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._unsent.clear()

    @property
    def has_unsent(self) -> bool:
        """The pipe was full; `flush` goes on once it has room."""
        return bool(self._unsent)

    def read(self) -> list[Any] | None:
        """Give the events that have arrived, perhaps none; None once the child has closed its end."""
        try:
            data = os.read(self.events, _MAX_READ_BYTES)
        except BlockingIOError:
            return []
        return self._reader.feed(data) if data else None

    def listen(self) -> bool:
        """Take what it has printed, all that the pipe can hold; False once there will be no more."""
        try:
            data = os.read(self.printed, _MAX_READ_BYTES)
        except BlockingIOError:
            return True
        self._words += data
        del self._words[: -_MAX_WORDS_BYTES - 1]
        return bool(data)

    @property
    def last_words(self) -> str:
        """The last lines that it printed before it was ready; of a line that was written over (a progress bar) the last state."""
        words = bytes(self._words)
        if len(words) > _MAX_WORDS_BYTES and b"\n" in words:
            words = words.partition(b"\n")[2]
        lines = words.decode(errors="replace").strip().split("\n")
        return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)

    def signal_group(self, number: int) -> None:
        """Signal the child and whatever it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def reap(self) -> int:
        """End what is left of the child's process group and give its exit code (negative: the signal that ended it)."""
        self.signal_group(signal.SIGKILL)
        code = self.process.wait()
        for fd in (self.orders, self.events, self.printed, self.exited):
            no_longer_ours(fd)
            os.close(fd)
        return code


def spawn(role: str, spec: WorkerSpec | FrontSpec | AppSpec, env: Mapping[str, str], pass_fds: Sequence[int] = ()) -> Child:
    """Start a child and hand it its specification.

    Args:
        role: `worker`, `front` or `app`: the module of `jina.main` to run.
        spec: Its specification.
        env: Its whole environment.
        pass_fds: File descriptors that it inherits under the same numbers.
    """
    (orders_read, orders_write), (events_read, events_write), (printed_read, printed_write) = pipe(), pipe(), pipe()
    exited = own_exit_fd()
    fds = [orders_read, events_write, printed_write, *([exited] if exited is not None else ())]
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"jina.main.{role}", spec.name, *map(str, fds)],
            env={**(_FRONT_MEMORY if role == "front" else {}), **_with_import_path(env)},
            stdin=subprocess.DEVNULL,
            stdout=inherited(1),
            stderr=inherited(2),
            pass_fds=(*fds, *pass_fds),
            process_group=0,
        )
    except BaseException:
        for fd in (orders_write, events_read, printed_read):
            os.close(fd)
        raise
    finally:
        for fd in fds:
            os.close(fd)
    child = Child(process, orders_write, events_read, printed_read)
    child.send(spec)
    return child


def _with_import_path(env: Mapping[str, str]) -> dict[str, str]:
    """Let a fresh interpreter find the very package that runs here, also when it is not installed."""
    root = str(Path(__file__).resolve().parents[2])
    if root in (*site.getsitepackages(), site.getusersitepackages()):
        return dict(env)
    return {**env, "PYTHONPATH": os.pathsep.join(filter(None, (root, env.get("PYTHONPATH"))))}
