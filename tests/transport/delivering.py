"""Outcomes on their way to connections that live on one loop."""

from __future__ import annotations

from jina.runtime.hop_server import HopServer
from jina.runtime.work import Outcome


def deliver_all(outcomes: list[Outcome]) -> None:
    """Hand each outcome to the connection that its call came over, then let each of them write once."""
    touched: dict[HopServer, None] = {}
    for outcome in outcomes:
        connection = outcome[0].owner
        touched[connection] = None
        connection.take(outcome)
    for connection in touched:
        connection.flush()
