"""Runs targets one after the other and counts: `python -m fuzz [--seconds N] [--inputs N] [--jobs N] [TARGET ...]`."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from fuzz.checks import BUILD, target_names

COUNTS = BUILD / "counts.json"
_COUNTING = Lock()


def main() -> int:
    """Give the exit status: 1 if an input broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=", ".join(target_names()))
    parser.add_argument("--seconds", type=int, default=10, help="for each target")
    parser.add_argument("--inputs", type=int, default=-1, help="end a target early after so many")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    given = parser.parse_args()
    with ThreadPoolExecutor(given.jobs) as pool:
        are_finds = list(pool.map(lambda name: _drive(name, given.seconds, given.inputs), given.targets or target_names()))
    return 1 if any(are_finds) else 0


def _drive(name: str, seconds: int, n_inputs: int) -> bool:
    started = time.monotonic()
    command = [sys.executable, "-m", "fuzz.engine", name, f"-max_total_time={seconds}", f"-runs={n_inputs}"]
    if os.environ.get("CI"):  # no find by chance where another change is judged
        command.append("-seed=1")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode(errors="replace")
    counts = [int(number) for number in re.findall(r"^stat::number_of_executed_units: (\d+)", text, re.MULTILINE)]
    took = time.monotonic() - started
    is_find = done.returncode != 0
    _count(name, sum(counts), took, is_find)
    print(f"{name}: {sum(counts)} inputs in {took:.0f} s{', A FIND' if is_find else ''}", flush=True)
    if is_find:
        print(text[-4000:], flush=True)
    return is_find


def _count(name: str, n_inputs: int, seconds: float, is_find: bool) -> None:
    """Add to what all runs in this folder have done."""
    with _COUNTING:
        _add(name, n_inputs, seconds, is_find)


def _add(name: str, n_inputs: int, seconds: float, is_find: bool) -> None:
    counts = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    row = counts.setdefault(name, {"inputs": 0, "seconds": 0.0, "finds": 0})
    row["inputs"] += n_inputs
    row["seconds"] += seconds
    row["finds"] += is_find
    BUILD.mkdir(parents=True, exist_ok=True)
    COUNTS.write_text(json.dumps(counts, indent=1, sort_keys=True))


if __name__ == "__main__":
    sys.exit(main())
