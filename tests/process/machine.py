"""What services leave on the machine, as the system tells."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from tests.process.waiting import is_alive


def children() -> set[int]:
    """Process ids of our children, as the kernel tells."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # the thread has ended
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return {pid for pid in found if is_alive(pid)}


def folders() -> set[Path]:
    """The folders that services keep their sockets in."""
    return set(Path(tempfile.gettempdir()).glob("openjina-*"))
