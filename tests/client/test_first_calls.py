"""A client's connections are made by its first call, whichever thread makes it."""

from __future__ import annotations

import sys
import threading
from typing import Any

from jina import Client


def test_first_calls_of_several_threads_share_one_core() -> None:
    """Nothing is opened twice and then forgotten."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            client, start = Client(), threading.Barrier(4)
            found: list[int] = []

            def first(client: Any = client, found: list[int] = found, start: threading.Barrier = start) -> None:
                start.wait()
                found.append(id(client._core()[1]))

            threads = [threading.Thread(target=first) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(found) == 4
            assert len(set(found)) == 1
    finally:
        sys.setswitchinterval(before)
