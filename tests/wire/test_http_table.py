"""Every raw request of `http_table`: what the core makes of it, however its bytes are cut."""

from __future__ import annotations

import pytest

from jina.wire.http import Limits, Refusal, ServerConnection
from tests.wire.http_table import CASES


def outcome(data: bytes, step: int) -> list[str | int]:
    """What comes of these bytes, `step` of them at a time."""
    core = ServerConnection(Limits(), {}, 0.0)
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
