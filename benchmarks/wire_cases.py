"""What the wire itself costs: the front without a worker, many readers, large messages, connections that idle."""

from __future__ import annotations

from collections.abc import Callable

import idle
import load
from bodies import TEXTS, data_request
from case import ITEMS_PER_S, N_READERS, OURS, Case, Limits, grpcio, with_readers
from load import Measured
from peers import python_of
from server import Server, cpu_s, resident_mib

LARGE_BYTES = 10_000_000
N_IDLE = 10_000


def front(protocol: str) -> Server:
    return Server(OURS, "front.py", protocol)


def with_cost(server: Server, seconds: float, measure: Callable[[], Measured]) -> Measured:
    """Measure, and note what one call costs the server in CPU; `seconds` is for how long it is called."""
    before = sum(map(cpu_s, server.said["pids"].values()))
    measured = measure()
    spent = sum(map(cpu_s, server.said["pids"].values())) - before
    measured.notes.append(f"about {spent / max(measured.value * seconds, 1) * 1e6:.1f} µs of the server's CPU a call")
    return measured


def front_unary() -> Case:
    servers = {OURS: front("grpc"), "grpc168": grpcio("grpc168"), "grpc185": grpcio("grpc185")}

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        wrong = load.check_grpc(up[name].port, is_echo_of_bytes=True)
        measured = with_cost(up[name], limits.seconds + 1, lambda: load.h2load(up[name].port, limits.seconds))
        return Measured(measured.value, measured.n_errors + wrong, measured.notes)

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    return Case("front-grpc", "front alone: gRPC unary, 32 streams (h2load)", "calls/s", measures, servers, {"grpc168": 4.0})


def front_varying() -> Case:
    servers = {OURS: front("grpc"), "grpc168": grpcio("grpc168"), "grpc185": grpcio("grpc185")}

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        port = up[name].port
        return with_cost(up[name], limits.seconds + 0.5, lambda: load.frames(port, limits.seconds, is_varying=True, is_echo_of_bytes=True))

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    title = "front alone: other grpc-timeout and traceparent each call"
    return Case("front-varying", title, "calls/s", measures, servers, {"grpc168": 2.0})


def front_sync_client() -> Case:
    servers = {OURS: front("grpc"), "grpc168": grpcio("grpc168"), "grpc185": grpcio("grpc185")}
    bodies = "\n".join(data_request(text).hex() for text in TEXTS)

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        command = [python_of("grpc168"), load.script("clients/grpcio_sync.py"), str(up[name].port), str(limits.seconds), load.UNARY]
        return load.said_by(command, bodies)

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    title = "front alone: one call after the other through grpcio 1.68's sync client"
    return Case("front-sync", title, "calls/s", measures, servers, {"grpc168": 2.0, "grpc185": 2.0})


def front_http() -> Case:
    servers = {OURS: front("http"), "uvicorn": Server("fastapi", "asgi_echo.py")}

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        seconds = round(limits.seconds)
        return with_cost(up[name], seconds, lambda: load.wrk_words(up[name].port, seconds, load.N_CONNECTIONS, "same"))

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    return Case("front-http", "front alone: HTTP/1.1, 32 connections (wrk)", "requests/s", measures, servers, {"uvicorn": 1.5})


def many_readers() -> Case:
    servers = {OURS: Server(OURS, "executor.py", "http", "ticks", "PORT")}
    title = f"SSE, {N_READERS} readers at {ITEMS_PER_S} items/s: front and worker"
    measure = {OURS: lambda limits, up: with_readers(limits, up[OURS])}
    return Case("sse-readers", title, "cores", measure, servers, {OURS: 1.0}, is_rate=False)


def large_messages() -> Case:
    servers = {OURS: Server(OURS, "executor.py", "grpc", "large", "PORT"), "grpc168": Server("grpc168", "grpcio_proxy.py")}
    clients = {OURS: "clients/large.py", "grpc168": "clients/grpcio_large.py"}

    def measure(limits: Limits, up: dict[str, Server], name: str) -> Measured:
        command = [python_of(name), load.script(clients[name]), str(up[name].port), str(limits.seconds), str(LARGE_BYTES)]
        return load.said_by(command)

    measures = {name: lambda limits, up, name=name: measure(limits, up, name) for name in servers}
    title = "a tensor of 10 MB through front (proxy) and worker (server) and back, one at a time"
    return Case("large", title, "MB/s each way", measures, servers, {OURS: 400.0, "grpc168": 1.0})


def idle_connections() -> Case:
    def measure(limits: Limits, up: dict[str, Server]) -> Measured:
        pid = next(pid for name, pid in up[OURS].said["pids"].items() if name.endswith("front"))
        before = resident_mib(pid)
        http, grpc = up[OURS].said["ports"]
        with idle.Connections({http: idle.http_exchange, grpc: idle.grpc_exchange}, N_IDLE) as connections:
            after = resident_mib(pid)
            return Measured(after * 1.048576, connections.n_failed, [f"{before:.1f} MiB without them, {after:.1f} MiB with them"])

    servers = {OURS: Server(OURS, "executor.py", "http,grpc", "empty", "PORT", "PORT")}
    title = f"resident memory of the front with {N_IDLE} idle connections, half HTTP/2"
    return Case("idle", title, "MB", {OURS: measure}, servers, {OURS: 150.0}, is_rate=False, max_rounds=1)


def all_cases() -> list[Case]:
    return [front_unary(), front_varying(), front_sync_client(), front_http(), many_readers(), large_messages(), idle_connections()]
