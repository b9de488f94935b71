"""Where the time of one call goes, from the routes of its reply."""

from __future__ import annotations

from typing import Any


def profile_of(response: Any, elapsed_s: float) -> dict[str, float]:
    """Give milliseconds by stop: the round trip, the network to the server, the server, what it spends between executors, each executor.

    Without a response all of it is network.
    """
    routes = [] if response is None else list(response.routes)
    spans = [(route.executor, max(0.0, seconds(route.end_time) - seconds(route.start_time)) * 1000) for route in routes]
    server = spans[0][1] if spans else 0.0
    executors = dict(spans[1:])
    total = elapsed_s * 1000
    return {
        "Roundtrip": total,
        "Client-server network": total - server,
        "Server": server,
        "Gateway-executors network": max(0.0, server - sum(executors.values())),  # those of branches run at the same time
        **executors,
    }


def table(profile: dict[str, float]) -> str:
    """Give the profile as lines for people: a tree, each with its part of what it is in."""
    total, server = profile["Roundtrip"], profile["Server"]
    depths = {"Roundtrip": (0, total), "Client-server network": (1, total), "Server": (1, total)}
    rows = [(name, value, *depths.get(name, (2, server))) for name, value in profile.items()]
    width = max(2 * depth + len(name) for name, _, depth, _ in rows)
    return "\n".join(
        f"{'  ' * depth + name:<{width}}  {value:8.2f} ms  {value / (whole or 1.0):4.0%}" for name, value, depth, whole in rows
    )


def seconds(timestamp: Any) -> float:
    """Give a protobuf Timestamp as Unix seconds."""
    return float(timestamp.seconds) + float(timestamp.nanos) / 1e9
