"""Writes `corpus/NAME.txt`, small inputs that together lead wherever the fuzzer came: `python -m fuzz.keep [TARGET ...]`, after a run."""

from __future__ import annotations

import sys
import warnings
from base64 import b64encode
from contextlib import suppress
from types import FrameType
from typing import Any

from fuzz.checks import BUILD, FOLDER, Target, load, target_names

MAX_KEPT_BYTES = 6000
Step = tuple[str, int, int]


def steps_of(target: Target, data: bytes) -> set[Step]:
    """The steps from line to line of the package that an input leads to."""
    seen = set[Step]()
    last = dict[FrameType, int]()

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        name = frame.f_code.co_filename
        if "/jina/" not in name and not name.startswith("<decoder"):
            return None
        seen.add((name, last.get(frame, 0), frame.f_lineno))
        last[frame] = frame.f_lineno
        return trace

    sys.settrace(trace)
    try:
        with suppress(AssertionError):
            target.check(data)
    finally:
        sys.settrace(None)
    return seen


def keep(target: Target) -> list[bytes]:
    """The smallest of the inputs found that lead somewhere where those before, and the seeds, do not."""
    seeds = target.seeds()
    seen = set[Step]().union(*(steps_of(target, data) for data in seeds))
    found = sorted((path.read_bytes() for path in (BUILD / "corpus" / target.name).iterdir()), key=lambda data: (len(data), data))
    kept: list[bytes] = []
    for data in found:
        steps = steps_of(target, data) - seen
        if steps and sum(map(len, kept)) + len(data) <= MAX_KEPT_BYTES:
            kept.append(data)
            seen |= steps
    return kept


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    (FOLDER / "corpus").mkdir(exist_ok=True)
    for name in sys.argv[1:] or target_names():
        inputs = keep(load(name))
        (FOLDER / "corpus" / f"{name}.txt").write_text("".join(b64encode(data).decode() + "\n" for data in inputs))
        print(f"{name}: {len(inputs)} inputs of {sum(map(len, inputs))} bytes", flush=True)
