"""How much memory a process may use is read from its control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from jina.process.memory_limit import memory_limit


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/", {"memory.max": "50000\n"}, 50_000),
        ("0::/a/b", {"memory.max": "max", "a/memory.max": "70000", "a/b/memory.max": "90000"}, 70_000),
        ("0::/only/the/host/sees/this", {"memory.max": "60000"}, 60_000),
        ("0::/../../x", {"memory.max": "60000"}, 60_000),
        ("4:cpu,memory:/a", {"memory/a/memory.limit_in_bytes": "40000"}, 40_000),
    ],
)
def test_the_tightest_limit_of_the_groups_counts(tmp_path: Path, line: str, files: dict[str, str], expected: int) -> None:
    """Both versions of control groups, as seen from inside a container or outside."""
    write(tmp_path / "proc/self/cgroup", line + "\n")
    for name, text in files.items():
        write(tmp_path / "sys/fs/cgroup" / name, text)
    assert memory_limit(tmp_path) == expected


def test_without_groups_the_machines_memory_counts(tmp_path: Path) -> None:
    """A group without a limit, or no groups at all."""
    without = memory_limit(tmp_path)
    write(tmp_path / "proc/self/cgroup", "0::/\n")
    write(tmp_path / "sys/fs/cgroup/memory.max", "max\n")
    assert memory_limit(tmp_path) == without
    assert without is not None
    assert without > 100 << 20
