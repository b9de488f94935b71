"""A case: what is measured of whom, and one way to take all its rounds."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import load
from load import Measured
from readers import Readers
from server import Server, cpu_s, resident_mib

OURS = "openjina"
N_READERS, ITEMS_PER_S = 1000, 10


@dataclass(frozen=True)
class Limits:
    """How long one round takes; `--quick` makes it short."""

    seconds: float = 4.0
    n_documents: int = 32_768
    n_latencies: int = 5_000
    n_warm_up: int = 50_000
    n_soak: int = 1_000_000


@dataclass
class Case:
    """One line, or a few lines, of the table.

    Attributes:
        floors: What must be reached, by contender: for a rate, `ours / contender` at least (for ours itself, the rate); else at most this.
        servers: The server of each contender, started once for all rounds.
        measures: What one round does with each contender.
    """

    name: str
    title: str
    unit: str
    measures: dict[str, Callable[[Limits, dict[str, Server]], Measured]]
    servers: dict[str, Server] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)
    is_rate: bool = True
    max_rounds: int = 99


def jina_like(peer: str, protocol: str, kind: str = "echo") -> Server:
    return Server(peer, "executor.py", protocol, kind, "PORT")


def grpcio(peer: str) -> Server:
    return Server(peer, "grpcio_echo.py", "0")


def with_readers(limits: Limits, server: Server) -> Measured:
    """CPU of a server's processes while a thousand callers read ten items a second each; a reader that gets a tenth less is an error."""
    pids = server.said["pids"]
    seconds = max(4.0, limits.seconds)
    with Readers(server.port, N_READERS) as readers:
        readers.read(3.0)
        before, begun, n_before = {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic(), list(readers.n_items)
        readers.read(seconds)
        passed = time.monotonic() - begun
        shares = {name: (cpu_s(pid) - before[name]) / passed for name, pid in pids.items()}
        wanted = 0.9 * ITEMS_PER_S * passed
        slow = sum(now - then < wanted for now, then in zip(readers.n_items, n_before, strict=True))
    notes = [", ".join(f"{name} {share:.2f}" for name, share in shares.items())]
    return Measured(sum(shares.values()), slow, notes)


def growth(limits: Limits, server: Server, protocol: str) -> Measured:
    """Memory of a server's processes after a million calls minus memory after the warm-up; the one that grew most counts."""
    pids = server.said["pids"]
    n_wrong = load.send(server.port, protocol, limits.n_warm_up)
    before = {name: resident_mib(pid) for name, pid in pids.items()}
    n_wrong += load.send(server.port, protocol, limits.n_soak)
    after = {name: resident_mib(pid) for name, pid in pids.items()}
    notes = [f"{name} {before[name]:.1f} -> {after[name]:.1f} MiB" for name in pids]
    return Measured(max(after[name] - before[name] for name in pids), n_wrong, notes)


def run_case(case: Case, limits: Limits, n_rounds: int, say: Callable[[str], None]) -> dict[str, list[Measured]]:
    """All rounds of a case; a contender that cannot start or fails is told and left out, and the others go on."""
    found: dict[str, list[Measured]] = {name: [] for name in case.measures}
    with ExitStack() as stack:
        up = {}
        for name, server in case.servers.items():
            try:
                up[name] = stack.enter_context(server)
            except (RuntimeError, subprocess.CalledProcessError) as error:
                say(f"  {name}: {error}")
        for _ in range(min(n_rounds, case.max_rounds)):
            for name, measure in case.measures.items():
                try:
                    found[name].append(measure(limits, up))
                except KeyError:  # its server did not start, which has been told
                    continue
                except (AssertionError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
                    say(f"  {name}: {error}")
    return found
