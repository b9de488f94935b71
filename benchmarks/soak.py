"""Friendly and hostile callers on one service, for minutes or hours: every friendly call must be answered, memory must stay flat.

python benchmarks/soak.py --minutes 45        prints a line every 10 s, then a summary; exits 1 if a promise is broken

The hostile ones (`soak_attacks.py`) are picked at random from a seeded generator. Memory is the private and file-backed memory of the front
and the worker after a warm-up (a sixth of the time, a minute at least, half of it at most), against the end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from jina import Client, Deployment, Executor, requests
from jina.docs import BaseDoc, DocList

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from soak_attacks import ATTACKS, Target

PROTOCOLS = ("http", "grpc", "websocket")
LIMIT_BYTES = 5 << 20
_EVERY_S = 10.0
_N_ATTACKERS = 8
_PAUSE_S = 0.02
_CALL_S = 30.0


class Text(BaseDoc):
    text: str = ""


class Echo(Executor):
    @requests(on="/echo")
    def echo(self, docs: DocList[Text], **kwargs: object) -> DocList[Text]:
        return DocList[Text]([Text(text=doc.text + "!") for doc in docs])

    @requests(on="/count")
    async def count(self, doc: Text, **kwargs: object) -> AsyncIterator[Text]:
        for number in range(20):
            yield Text(text=f"{doc.text} {number}")


class Soak:
    """One run.

    Attributes:
        friendly: How many friendly calls were answered, by kind.
        hostile: How many attacks were made, by name.
        failures: What went wrong for a friendly caller.
    """

    def __init__(self, target: Target, seconds: float, seed: int) -> None:
        self._target, self._end = target, time.monotonic() + seconds
        self._random = random.Random(seed)
        self.friendly: Counter[str] = Counter()
        self.hostile: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest_s = 0.0

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    async def run(self) -> None:
        """Call and attack until the time is over."""
        async with asyncio.TaskGroup() as group:
            for protocol in PROTOCOLS:
                for _ in range(2):
                    group.create_task(self._call(protocol))
            for protocol in ("http", "grpc"):
                group.create_task(self._stream(protocol))
            for number in range(_N_ATTACKERS):
                group.create_task(self._attack(random.Random(self._random.random() + number)))

    async def _call(self, protocol: str) -> None:
        client = Client(port=self._target.port, protocol=protocol, asyncio=True)
        number = 0
        while not self.is_over:
            number += 1
            sent = [f"{number} {position} ä" for position in range(number % 7 + 1)]
            begun, got = time.monotonic(), list[str]()
            try:
                async with asyncio.timeout(_CALL_S):
                    async for docs in client.post("/echo", DocList[Text]([Text(text=text) for text in sent]), return_type=DocList[Text]):
                        got += docs.text
                if got != [text + "!" for text in sent]:
                    self.failures.append(f"{protocol}: sent {sent}, got {got}")
            except Exception as error:
                self.failures.append(f"{protocol}: {type(error).__name__}: {error}")
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            self.friendly[protocol] += 1
            await asyncio.sleep(_PAUSE_S)
        await client.close()

    async def _stream(self, protocol: str) -> None:
        client = Client(port=self._target.port, protocol=protocol, asyncio=True)
        while not self.is_over:
            got = list[str]()
            try:
                async with asyncio.timeout(_CALL_S):
                    async for doc in client.stream_doc("/count", Text(text="n"), return_type=Text):
                        got.append(doc.text)
                if got != [f"n {number}" for number in range(20)]:
                    self.failures.append(f"{protocol} stream: got {got}")
            except Exception as error:
                self.failures.append(f"{protocol} stream: {type(error).__name__}: {error}")
            self.friendly[f"{protocol} stream"] += 1
            await asyncio.sleep(_PAUSE_S)
        await client.close()

    async def _attack(self, chance: random.Random) -> None:
        while not self.is_over:
            attack = chance.choice(ATTACKS)
            try:
                async with asyncio.timeout(5):
                    await attack(self._target, chance)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                pass  # the server has had enough of it, or the attacker has
            self.hostile[attack.__name__] += 1
            await asyncio.sleep(chance.random() * 0.1)


class Process:
    """What is looked at of one process."""

    def __init__(self, pid: int) -> None:
        self._folder = Path("/proc", str(pid))
        self.name = "worker" if b"worker" in (self._folder / "cmdline").read_bytes() else "front"

    def __str__(self) -> str:
        return f"{self.name} {self.memory_bytes() / 2**20:.1f} MiB, {self._n('fd')} files, {self._n('task')} threads"

    def memory_bytes(self) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])

    def _n(self, what: str) -> int:
        return len(os.listdir(self._folder / what))


def children(pid: int) -> list[Process]:
    """Give the front and the worker that this process has started."""
    found = []
    for task in Path("/proc", str(pid), "task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    names = {pid: Path("/proc", str(pid), "cmdline").read_bytes() for pid in found}
    return [Process(pid) for pid, line in names.items() if b"jina.main" in line]


async def watch(soak: Soak, processes: list[Process], seconds: float) -> dict[str, tuple[int, int]]:
    """Print how it goes; give each process's memory after the warm-up, and at the end."""
    begun, warm_s = time.monotonic(), min(seconds / 2, max(60.0, seconds / 6))
    first: dict[str, int] = {}
    while not soak.is_over:
        await asyncio.sleep(min(_EVERY_S, max(0.1, seconds / 20)))
        passed = time.monotonic() - begun
        if not first and passed >= warm_s:
            first = {each.name: each.memory_bytes() for each in processes}
        counts = f"{sum(soak.friendly.values())} friendly, {sum(soak.hostile.values())} hostile, {len(soak.failures)} failed"
        print(f"{passed:7.0f} s  {counts}; {'; '.join(map(str, processes))}", flush=True)
    return {each.name: (first[each.name], each.memory_bytes()) for each in processes}


async def main(seconds: float, seed: int) -> int:
    with Deployment(uses=Echo, protocol=list(PROTOCOLS), port=0, quiet=True) as deployment:
        processes = children(os.getpid())
        assert sorted(each.name for each in processes) == ["front", "worker"], processes
        soak = Soak(Target(deployment.port), seconds, seed)
        running = asyncio.create_task(soak.run())
        memory = await watch(soak, processes, seconds)
        await running
        await asyncio.sleep(1)
        alive = {each.name for each in children(os.getpid())}
    print(f"friendly: {dict(soak.friendly)}; slowest {soak.slowest_s:.2f} s")
    print(f"hostile: {dict(sorted(soak.hostile.items()))}")
    is_kept = not soak.failures and alive == {"front", "worker"}
    for name, (before, after) in memory.items():
        print(f"{name}: {before / 2**20:.1f} MiB after the warm-up, {after / 2**20:.1f} MiB at the end: {(after - before) / 2**20:+.1f}")
        is_kept = is_kept and after - before <= LIMIT_BYTES
    for failure in soak.failures[:20]:
        print("FAILED", failure)
    print("every promise was kept" if is_kept else "A PROMISE WAS BROKEN")
    return 0 if is_kept else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.minutes * 60, given.seed)))
