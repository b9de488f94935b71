"""How much memory this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def memory_limit(root: Path = Path("/")) -> int | None:
    """Give the tightest limit in bytes of the process's control groups and their parents, or the machine's memory if that is less.

    Args:
        root: Where `proc` and `sys` are.

    Returns:
        None where neither is known.
    """
    found = list(_group_limits(root))
    with suppress(AttributeError, ValueError, OSError):  # not Unix, or a name that it does not know
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found, default=None)


def _group_limits(root: Path) -> Iterator[int]:
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            number, _, rest = line.partition(":")
            kinds, _, path = rest.partition(":")
            if number == "0":
                yield from _limits_up(root / "sys/fs/cgroup", path, "memory.max")
            elif "memory" in kinds.split(","):
                yield from _limits_up(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes")


def _limits_up(base: Path, path: str, name: str) -> Iterator[int]:
    """Limits of a group and of those that it is in; in a container its own path may be one that only the host can see."""
    parts = [part for part in path.split("/") if part and part != ".."]
    for n in range(len(parts), -1, -1):
        with suppress(OSError, ValueError):  # no such group here, or `max`
            yield int(base.joinpath(*parts[:n], name).read_text())
