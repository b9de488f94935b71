"""What a Flow of two costs, over Jina's Flow of the same two; measured as soon as `from jina import Flow` works."""

from __future__ import annotations

import statistics
from pathlib import Path

import load
from bodies import TENSORS_EXPECTED, TENSORS_REQUEST
from case import OURS, Case, Limits, growth, with_readers
from load import Measured
from peers import python_of
from server import Server

N_DOCUMENTS = 32
N_MORE = 4
N_CHECKED = 20


def flow(peer: str, protocol: str, kind: str = "echo", n_nodes: int = 2) -> Server:
    return Server(peer, "flow.py", protocol, kind, str(n_nodes), "PORT")


def both(protocol: str, kind: str = "echo") -> dict[str, Server]:
    return {OURS: flow(OURS, protocol, kind), "jina": flow("jina", protocol, kind)}


def http_echo() -> Case:
    servers = both("http")
    measures = {name: lambda limits, up, name=name: load.wrk(up[name].port, limits.seconds) for name in servers}
    return Case("flow-http", "Flow of two: HTTP echo, 32 connections (wrk)", "requests/s", measures, servers, {"jina": 18.0})


def grpc_unary() -> Case:
    servers = both("grpc")

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        wrong = load.check_grpc(up[name].port)
        measured = load.h2load(up[name].port, limits.seconds)
        return Measured(measured.value, measured.n_errors + wrong)

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    return Case("flow-grpc", "Flow of two: gRPC unary, 32 streams (h2load)", "calls/s", measures, servers, {"jina": 12.0})


def latency() -> Case:
    servers = {"HTTP": flow(OURS, "http"), "gRPC": flow(OURS, "grpc"), "longer": flow(OURS, "grpc", n_nodes=2 + N_MORE)}

    def http(limits: Limits, up: dict[str, Server]) -> float:
        return statistics.median(load.http_latencies(up["HTTP"].port, limits.n_latencies)) * 1000

    def grpc(limits: Limits, up: dict[str, Server], name: str) -> float:
        return statistics.median(load.grpc_latencies(up[name].port, limits.n_latencies)) * 1000

    def further(limits: Limits, up: dict[str, Server]) -> Measured:
        longer, two = grpc(limits, up, "longer"), grpc(limits, up, "gRPC")
        return Measured((longer - two) / N_MORE, notes=[f"{two:.3f} ms through 2, {longer:.3f} ms through {2 + N_MORE} over gRPC"])

    measures = {
        "HTTP": lambda limits, up: Measured(http(limits, up)),
        "gRPC": lambda limits, up: Measured(grpc(limits, up, "gRPC")),
        "each further executor": further,
    }
    floors = {"HTTP": 0.5, "gRPC": 0.5, "each further executor": 0.15}
    return Case("flow-p50", "Flow of two: p50, one connection", "ms", measures, servers, floors, is_rate=False)


def tensors() -> Case:
    """The same prepared bytes to both; before each round some replies are compared with what numpy makes of them."""
    servers = both("grpc", "tensors")

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        port = up[name].port
        command = [python_of("grpc168"), load.script("clients/grpcio_expect.py"), str(port), str(N_CHECKED), load.UNARY]
        checked = load.said_by(command, f"{TENSORS_REQUEST.hex()}\n{TENSORS_EXPECTED.hex()}\n")
        measured = load.h2load(port, limits.seconds, body=TENSORS_REQUEST)
        return Measured(measured.value * N_DOCUMENTS, measured.n_errors + checked.n_errors)

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    title = f"Flow of two: {N_DOCUMENTS} float32 tensors of 768 a call, gRPC, 32 streams (h2load)"
    return Case("flow-tensors", title, "documents/s", measures, servers, {"jina": 8.0})


def many_readers() -> Case:
    measure = {OURS: lambda limits, up: with_readers(limits, up[OURS])}
    title = "Flow of two: 1000 SSE readers at 10 items/s, all server processes"
    return Case("flow-sse", title, "cores", measure, {OURS: flow(OURS, "http", "ticks")}, {OURS: 1.5}, is_rate=False)


def memory_growth() -> Case:
    servers = {"grpc": flow(OURS, "grpc"), "http": flow(OURS, "http")}
    measures = {name: lambda limits, up, name=name: growth(limits, up[name], name) for name in servers}
    title = "Flow of two: growth of any process over 1,000,000 requests"
    return Case("flow-growth", title, "MiB", measures, servers, {"grpc": 5.0, "http": 5.0}, is_rate=False, max_rounds=1)


def ready() -> Case:
    """Seconds until an empty Flow serves, and from the end of its input until its process has gone; what it leaves behind is an error."""

    def start(peer: str) -> Measured:
        with flow(peer, "grpc", "empty") as server:
            return Measured(server.said["ready_s"])

    def stop(peer: str) -> Measured:
        with flow(peer, "grpc", "empty") as server:
            seconds = server.leave()
            left = [pid for pid in server.said["pids"].values() if Path(f"/proc/{pid}").exists()]
            return Measured(seconds, len(left) if peer == OURS else 0, [f"{len(left)} processes left"] if left else [])

    measures = {
        "ready": lambda limits, up: start(OURS),
        "stopped": lambda limits, up: stop(OURS),
        "jina ready": lambda limits, up: start("jina"),
        "jina stopped": lambda limits, up: stop("jina"),
    }
    floors = {"ready": 1.5, "stopped": 1.0}
    return Case("flow-ready", "empty Flow of two ready, stopped", "s", measures, {}, floors, is_rate=False)


def all_cases() -> list[Case]:
    try:
        from jina import Flow  # noqa: F401
    except ImportError:
        return []
    return [http_echo(), grpc_unary(), latency(), tensors(), many_readers(), memory_growth(), ready()]
