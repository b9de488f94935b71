"""Every raw request of `http_table`: what the core makes of it, however its bytes are cut."""

from __future__ import annotations

import pytest

from jina.limits import Limits
from jina.wire.http import Refusal, ServerConnection
from jina.wire.http_whole import Openings
from tests.wire.http_table import CASES


def outcome(data: bytes, step: int, openings: Openings | None = None) -> list[str | int]:
    """What comes of these bytes, `step` of them at a time."""
    core = ServerConnection(Limits(), {}, 0.0, openings=openings)
    events = [event for at in range(0, len(data), step) for event in core.receive(data[at : at + step], 0.0)]
    return [
        event.status if isinstance(event, Refusal) else f"{event.method.decode()} {event.target.decode()} {event.body.decode()}"
        for event in events
    ]


@pytest.mark.parametrize("name", CASES)
def test_each_case(name: str) -> None:
    """Refusals by their status; what stands behind a refusal is not read."""
    data, expected = CASES[name]
    for step in (1 << 20, 7, 1):
        assert outcome(data, step) == expected, step


def test_each_case_is_the_same_when_the_port_has_seen_it_and_all_the_others() -> None:
    """What is learnt of openings never makes a request of what is none, nor another of one that is."""
    openings = Openings()
    for _ in range(3):
        for name, (data, expected) in CASES.items():
            assert outcome(data, 1 << 20, openings) == expected, name
