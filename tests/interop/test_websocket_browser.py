"""A page's own WebSocket, in Chromium."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jina import Deployment
from tests.interop.browser import open_browser
from tests.process.executors import Echo

pytestmark = pytest.mark.process

ASK = """
window.told = [];
var socket = new WebSocket(%s, %s);
socket.onopen = () => socket.send(JSON.stringify({data: [{text: "é".repeat(2000)}], execEndpoint: "/echo"}));
socket.onmessage = event => { told.push(event.data.length); socket.send("{}"); };
socket.onclose = event => told.push([event.code, event.wasClean, socket.protocol]);
socket.onerror = () => told.push("error");
true
"""


def test_a_page_calls_over_websocket(tmp_path: Path) -> None:
    """With a sub-protocol, which Chromium wants echoed, and without; a page of another origin needs `cors`."""
    with (
        Deployment(uses=Echo, protocol=["http", "websocket"], port=0, quiet=True) as service,
        Deployment(uses=Echo, protocol=["http", "websocket"], port=0, cors=True, quiet=True) as open_to_all,
        open_browser(tmp_path) as page,
    ):
        page.open(f"http://127.0.0.1:{service.port}/")
        page.wait_for("document.readyState === 'complete' && location.port !== ''")
        for port, protocols in ((service.port, ["json"]), (service.port, []), (open_to_all.port, [])):
            page.run(ASK % (json.dumps(f"ws://127.0.0.1:{port}/"), json.dumps(protocols)))
            told = page.wait_for("told.length === 2 && told")
            assert told[0] > 2000
            assert told[1] == [1000, True, "".join(protocols)]
        page.open(f"http://127.0.0.1:{open_to_all.port}/")
        page.wait_for(f"document.readyState === 'complete' && location.port === '{open_to_all.port}'")
        page.run(ASK % (json.dumps(f"ws://127.0.0.1:{service.port}/"), "[]"))
        assert page.wait_for("told.length === 2 && told")[0] == "error"
