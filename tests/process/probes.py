"""Asking a service for signs of life, again and again, from a thread of its own."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from jina.wire.grpc import PING_ACK, ClientConnection

PAUSE_S = 0.02


class Probe:
    """While the block runs: `GET /`, an HTTP/2 PING and a fresh connection to each port, each measured.

    Attributes:
        times: Seconds that each answer took, by what was asked.
        faults: What went wrong, as text.
    """

    def __init__(self, http_port: int, grpc_port: int) -> None:
        self.times: dict[str, list[float]] = {"health": [], "ping": [], "connect": []}
        self.faults: list[str] = []
        self._http_port, self._grpc_port = http_port, grpc_port
        self._is_over = threading.Event()
        self._asker = http.client.HTTPConnection("127.0.0.1", http_port, timeout=10)
        self._pinger = Pinger(grpc_port)
        self._threads = [
            threading.Thread(target=self._repeat, args=("health", self._health)),
            threading.Thread(target=self._repeat, args=("ping", self._pinger.ping)),
            threading.Thread(target=self._repeat, args=("connect", self._connect)),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        self._asker.close()
        self._pinger.close()

    def check(self, *, at_least: int) -> None:
        """All were answered, mostly within 100 ms and always within a second, which leaves room for a loaded machine."""
        assert self.faults == []
        for what, times in self.times.items():
            assert len(times) >= at_least, (what, len(times))
            assert max(times) < 1.0, (what, sorted(times)[-5:])
            assert sorted(times)[len(times) * 9 // 10] < 0.1, (what, sorted(times)[-5:])

    def _repeat(self, what: str, ask: Callable[[], None]) -> None:
        while not self._is_over.is_set():
            begin = time.monotonic()
            try:
                ask()
            except Exception as error:
                self.faults.append(f"{what}: {error!r}")
            self.times[what].append(time.monotonic() - begin)
            self._is_over.wait(PAUSE_S)

    def _health(self) -> None:
        self._asker.request("GET", "/")
        response = self._asker.getresponse()
        response.read()
        assert response.status == 200

    def _connect(self) -> None:
        for port in (self._http_port, self._grpc_port):
            socket.create_connection(("127.0.0.1", port), timeout=10).close()


class Pinger:
    """An HTTP/2 connection that only sends PING."""

    def __init__(self, port: int) -> None:
        self._wire = ClientConnection()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._count = 0

    def ping(self) -> None:
        """Send PING and wait for its answer."""
        self._count += 1
        mark = self._count.to_bytes(8, "big")
        self._wire.ping(mark)
        self._socket.sendall(self._wire.take_output())
        while True:
            data = self._socket.recv(65536)
            assert data, "the connection was closed"
            events = self._wire.receive(data, time.monotonic())
            if any(event[0] == PING_ACK and event[1] == mark for event in events):
                return

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
