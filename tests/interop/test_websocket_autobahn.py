"""The quick Autobahn cases; `make autobahn` runs all, which takes minutes."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("kosoku")

from jina.fronts.websocket import SPEAKERS
from jina.wire import websocket as wire
from jina.wire.websocket_handshake import JSON
from tests.interop import autobahn

QUICK = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]


@pytest.mark.parametrize("role", ["server", "client"])
def test_no_case_fails(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Framing, fragments, control frames, UTF-8, closes."""
    monkeypatch.setattr(wire, "COMPRESS_FROM", 0)
    monkeypatch.setitem(SPEAKERS, (b"/", JSON), autobahn.Echo)

    async def run() -> list[str]:
        results = await (autobahn.of_server if role == "server" else autobahn.of_client)(QUICK)
        assert len(results) == 247
        return autobahn.failed(results)

    assert asyncio.run(run()) == []
