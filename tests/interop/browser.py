"""Chromium without a window, driven over its DevTools protocol: JSON with a NUL after each message, on its descriptors 3 and 4."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.waiting import wait_until

HOW = "needs Chromium: `apt-get install chromium` or alike, or set OPENJINA_CHROMIUM to the program of a Chromium or Chrome"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LAUNCH = "import os, sys; fd = int(sys.argv[1]); os.dup2(fd, 3); os.dup2(fd, 4); os.execvp(sys.argv[2], sys.argv[2:])"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # which containers lack; the pages are ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_LIMIT_S = 60


def program() -> str:
    """The browser's path; skips the test where there is none."""
    given = os.environ.get("OPENJINA_CHROMIUM")
    found = next(filter(None, map(shutil.which, [given] if given else _NAMES)), None)
    assert found or not given, f"OPENJINA_CHROMIUM: there is no program {given!r}"
    return found or pytest.skip(HOW)


class Page:
    """One page.

    Attributes:
        complaints: What the page's console has shown as errors, with exceptions that nobody caught and files that could not be loaded.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.complaints: list[str] = []
        self._connection, self._rest, self._n_calls, self._session = connection, b"", 0, {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Begin to load an address."""
        assert "errorText" not in self._call("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The first value of an expression that is not null, false or empty."""
        found: Any = None

        def is_there() -> bool:
            nonlocal found
            found = self.run(script)
            return bool(found)

        wait_until(is_there, limit_s=_LIMIT_S)
        return found

    def click(self, selector: str) -> None:
        """Click on an element, once it is there."""
        self.wait_for(f"document.querySelector({selector!r}) !== null")
        self.run(f"document.querySelector({selector!r}).click()")

    def type_into(self, selector: str, text: str) -> None:
        """Put text into an input element, once it is there, and leave it, so that React notices."""
        self.wait_for(f"document.querySelector({selector!r}) !== null")
        setter = "Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set"
        events = "['input', 'focusout'].forEach(name => it.dispatchEvent(new Event(name, {bubbles: true})))"
        self.run(f"(it => {{ {setter}.call(it, {json.dumps(text)}); {events} }})(document.querySelector({selector!r}))")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._n_calls += 1
        self._connection.sendall(json.dumps({"id": self._n_calls, "method": method, "params": params, **self._session}).encode() + b"\0")
        while True:
            message = self._receive()
            if message.get("id") == self._n_calls:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result
            self._note(message.get("method"), message.get("params", {}))

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = self._connection.recv(1 << 16)
            assert data, "the browser has ended"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        read: dict[str, Any] = json.loads(message)
        return read

    def _note(self, method: Any, params: dict[str, Any]) -> None:
        shown = params.get("type") if method == "Runtime.consoleAPICalled" else params.get("entry", {}).get("level")
        if method == "Runtime.exceptionThrown" or shown in ("assert", "error"):
            self.complaints.append(json.dumps(params))


@contextlib.contextmanager
def open_browser(folder: Path) -> Iterator[Page]:
    """Start a browser that keeps its files in a folder, and give its page."""
    command = [program(), *_FLAGS, f"--user-data-dir={folder}"]
    ours, its = socket.socketpair()
    with (folder / "log").open("wb") as log, ours:
        launch = [sys.executable, "-c", _LAUNCH, str(its.fileno()), *command]
        process = subprocess.Popen(launch, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[its.fileno()])
        its.close()
        ours.settimeout(_LIMIT_S)
        try:
            yield Page(ours)
        finally:
            process.terminate()
            process.wait(_LIMIT_S)
