"""Many readers of server-sent events in one thread: each opens a stream and counts the items that come."""

from __future__ import annotations

import selectors
import socket
import time

REQUEST = b'POST /ticks HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"text":"tick"}'
ITEM = b"event: update\r\n"


class Readers:
    """Streams that are open while a `with` lasts.

    Attributes:
        n_items: What each has got.
    """

    def __init__(self, port: int, n: int) -> None:
        self.n_items = [0] * n
        self._tails = [b""] * n
        self._selector = selectors.DefaultSelector()
        self._sockets = []
        for number in range(n):
            connection = socket.create_connection(("127.0.0.1", port), timeout=20)
            connection.sendall(REQUEST)
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, number)
            self._sockets.append(connection)

    def read(self, seconds: float) -> None:
        """Count what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                self._take(key)

    def _take(self, key: selectors.SelectorKey) -> None:
        number = key.data
        data = key.fileobj.recv(65536)
        if not data:
            self._selector.unregister(key.fileobj)
        seen = self._tails[number] + data
        self.n_items[number] += seen.count(ITEM)
        self._tails[number] = seen[1 - len(ITEM) :]

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for connection in self._sockets:
            connection.close()
