"""What is measured. A case has a measure for each contender; a round takes each contender once: the machine's drift hits all alike."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable

import flow_cases
import load
import wire_cases
from case import OURS, Case, Limits, growth, grpcio, jina_like
from load import Measured
from peers import python_of
from server import Server, resident_mib

N_ITEMS = 200
IMPORTS = "from jina import Deployment, Executor, requests; from jina.docs import BaseDoc, DocList"


def http_echo() -> Case:
    servers = {OURS: jina_like(OURS, "http"), "jina": jina_like("jina", "http"), "fastapi": Server("fastapi", "fastapi_echo.py")}
    measures = {name: lambda limits, up, name=name: load.wrk(up[name].port, limits.seconds) for name in servers}
    return Case("http", "HTTP echo, 32 connections (wrk)", "requests/s", measures, servers, {"jina": 15.0, "fastapi": 2.5})


def grpc_servers(*names: str) -> dict[str, Server]:
    return {name: jina_like(name, "grpc") if name in (OURS, "jina") else grpcio(name) for name in names}


def grpc_unary() -> Case:
    servers = grpc_servers(OURS, "jina", "grpc185", "grpc168")

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        wrong = load.check_grpc(up[name].port, is_echo_of_bytes=name.startswith("grpc"))
        measured = load.h2load(up[name].port, limits.seconds)
        return Measured(measured.value, measured.n_errors + wrong)

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    return Case("grpc", "gRPC unary, 32 streams (h2load)", "calls/s", measures, servers, {"jina": 14.0, "grpc185": 1.7})


def grpc_frames(name: str, title: str, floors: dict[str, float], *, is_varying: bool) -> Case:
    servers = grpc_servers(OURS, "grpc185", "grpc168")
    measures = {
        name: lambda limits, up, name=name: load.frames(
            up[name].port, limits.seconds, is_varying=is_varying, is_echo_of_bytes=name.startswith("grpc")
        )
        for name in servers
    }
    return Case(name, title, "calls/s", measures, servers, floors)


def client_post() -> Case:
    servers = grpc_servers(OURS, "jina")

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        command = [python_of(name), load.script("clients/post.py"), str(up[name].port), str(limits.n_documents), "256"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        said = json.loads(done.stdout.splitlines()[-1])
        return Measured(said["per_second"], said["n_errors"])

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    return Case("client", "client and server, requests of 256", "documents/s", measures, servers, {"jina": 5.0})


def events() -> Case:
    servers = {OURS: jina_like(OURS, "http"), "jina": jina_like("jina", "http")}
    measures = {name: lambda limits, up, name=name: load.server_sent_events(up[name].port, limits.seconds, N_ITEMS) for name in servers}
    return Case("sse", "SSE, 200 items a stream", "items/s", measures, servers, {"jina": 10.0})


def latency() -> Case:
    servers = {
        "HTTP": jina_like(OURS, "http"),
        "gRPC": jina_like(OURS, "grpc"),
        "fastapi": Server("fastapi", "fastapi_echo.py"),
        "grpc185": grpcio("grpc185"),
    }

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        is_http = name in ("HTTP", "fastapi")
        take = load.http_latencies if is_http else lambda port, n: load.grpc_latencies(port, n, is_echo_of_bytes=name == "grpc185")
        return Measured(statistics.median(take(up[name].port, limits.n_latencies)) * 1000)

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    return Case("p50", "p50, one connection", "ms", measures, servers, {"HTTP": 0.3, "gRPC": 0.3}, is_rate=False)


def imports() -> Case:
    def timed(*words: str) -> Callable[[Limits, dict[str, Server]], Measured]:
        return lambda limits, up: Measured(load.wall_s([python_of(OURS), *words]) * 1000)

    server = jina_like(OURS, "grpc", "empty")
    measures = {
        "python -c pass": timed("-c", "pass"),
        "import jina": timed("-c", "import jina"),
        "a service's imports": timed("-c", IMPORTS),
        "jina ping": lambda limits, up: Measured(
            load.wall_s([python_of(OURS), "-m", "jina", "ping", "executor", f"grpc://127.0.0.1:{up['empty'].port}"]) * 1000
        ),
    }
    floors = {"import jina": 150.0, "a service's imports": 300.0, "jina ping": 150.0}
    return Case("imports", "a whole process, cold", "ms", measures, {"empty": server}, floors, is_rate=False)


def ready() -> Case:
    def start(name: str) -> Callable[[Limits, dict[str, Server]], Measured]:
        def measure(limits: Limits, up: dict[str, Server]) -> Measured:
            with jina_like(name, "grpc", "empty") as server:
                return Measured(server.said["ready_s"])

        return measure

    return Case("ready", "empty Executor ready", "s", {name: start(name) for name in (OURS, "jina")}, {}, {OURS: 0.7}, is_rate=False)


def memory() -> Case:
    measures = {
        "front": lambda limits, up: Measured(resident_mib(pids_of(up["empty"])["front"])),
        "worker": lambda limits, up: Measured(resident_mib(pids_of(up["empty"])["worker"])),
    }
    servers = {"empty": jina_like(OURS, "grpc", "empty")}
    return Case(
        "memory", "resident memory, empty Executor", "MiB", measures, servers, {"front": 60.0, "worker": 70.0}, is_rate=False, max_rounds=1
    )


def pids_of(server: Server) -> dict[str, int]:
    """Process ids of our front and worker."""
    return {"front" if name.endswith("front") else "worker": pid for name, pid in server.said["pids"].items()}


def memory_growth() -> Case:
    servers = {"grpc": jina_like(OURS, "grpc"), "http": jina_like(OURS, "http")}
    measures = {name: lambda limits, up, name=name: growth(limits, up[name], name) for name in servers}
    title = "growth of front or worker over 1,000,000 requests"
    return Case("growth", title, "MiB", measures, servers, {"grpc": 5.0, "http": 5.0}, is_rate=False, max_rounds=1)


def all_cases() -> list[Case]:
    return [
        http_echo(),
        grpc_unary(),
        grpc_frames("bodies", "gRPC unary, 1,000 bodies (frames)", {}, is_varying=False),
        grpc_frames("varying", "the same, other headers each call", {"grpc185": 1.3}, is_varying=True),
        client_post(),
        latency(),
        events(),
        imports(),
        ready(),
        memory(),
        memory_growth(),
        *wire_cases.all_cases(),
        *flow_cases.all_cases(),
    ]
