"""Request ids for a client that several threads use."""

from __future__ import annotations

import threading

from jina.wire.ids import RequestIds


class SharedIds:
    """Draws ids in any thread of one process."""

    def __init__(self) -> None:
        self._ids, self._lock = RequestIds(), threading.Lock()

    def request_id(self) -> str:
        """32 hexadecimal characters."""
        with self._lock:
            return self._ids.request_id()
