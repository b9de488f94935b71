"""A target, and one input run through it with bounds on time and memory."""

from __future__ import annotations

import importlib
import pkgutil
import time
import tracemalloc
import zlib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fuzz import targets

FOLDER = Path(__file__).parent
BUILD = FOLDER.parent / ".build" / "fuzz"
MAX_AMPLIFIED = 64 << 10
_FREE_BYTES = 4 << 20
_ONE_IN = 500


class TooSlowError(AssertionError):
    """An input took longer than any of its size may."""


class TooLargeError(AssertionError):
    """An input made the parser hold more than its size allows."""


class Target(NamedTuple):
    """What `targets/NAME.py` says.

    Attributes:
        check: Raises for an input that breaks a promise.
        seeds: Makes valid inputs, with our encoders where there are some.
        words: What the parser looks for; the fuzzer puts them in.
        max_bytes: Of an input.
        held_factor: So many bytes may be held at a time for a byte of input, beside 4 MiB.
        max_seconds: Of process time, for one input of up to 64 KiB with all that the target does with it.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...]
    max_bytes: int
    held_factor: int
    max_seconds: float


def target_names() -> list[str]:
    """All targets."""
    return sorted(module.name for module in pkgutil.iter_modules(targets.__path__))


def load(name: str) -> Target:
    """The target of that name."""
    module = importlib.import_module(f"fuzz.targets.{name}")
    words = tuple(getattr(module, "WORDS", ()))
    limits: list[Any] = [
        getattr(module, name, default) for name, default in (("MAX_BYTES", 2048), ("HELD_FACTOR", 400), ("MAX_SECONDS", 1.0))
    ]
    return Target(name, module.check, module.seeds, words, *limits)


def corpus(target: Target) -> list[bytes]:
    """The seeds, what the fuzzer found to lead somewhere new, and every input that once broke a promise."""
    found = target.seeds()
    for kind in ("corpus", "finds"):
        path = FOLDER / kind / f"{target.name}.txt"
        if path.exists():
            found += [b64decode(line) for line in path.read_text().split("\n") if line and not line.startswith("#")]
    return found


def run(target: Target, data: bytes) -> None:
    """Check an input; some of them also with a look at memory, and some repeated up to 64 KiB, which shows what is not linear."""
    _timed(target, data)
    kind = zlib.crc32(data) % _ONE_IN
    if kind == 0:
        measured(target, data)
    elif kind == 1 and data:
        _timed(target, amplified(data))


def amplified(data: bytes) -> bytes:
    """The input, as often as fits 64 KiB."""
    return data * (MAX_AMPLIFIED // len(data)) if data else data


def _timed(target: Target, data: bytes) -> None:
    started = time.process_time()
    target.check(data)
    seconds = time.process_time() - started
    if seconds > target.max_seconds:
        raise TooSlowError(f"{len(data)} bytes took {seconds:.2f} s")


def _peak(target: Target, data: bytes) -> int:
    tracemalloc.start()
    try:
        target.check(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def measured(target: Target, data: bytes) -> None:
    """Check an input and how much was held for it at a time; once more if that is too much, as the first makes what others find ready."""
    allowed = _FREE_BYTES + target.held_factor * len(data)
    peak = _peak(target, data)
    if peak > allowed:
        peak = _peak(target, data)
    if peak > allowed:
        raise TooLargeError(f"{len(data)} bytes held {peak}, more than {allowed}")
