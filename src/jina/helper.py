"""Old import path: the few functions of Jina 3's `jina.helper` that user code calls."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
import threading
import uuid
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def random_port() -> int:
    """Give a TCP port that nobody listens on now; from `JINA_RANDOM_PORT_MIN` to `JINA_RANDOM_PORT_MAX` if these are set.

    Another process may take it before you do: `port=0`, or no port at all, is safer with a Deployment.

    Raises:
        OSError: No port of the range is free.
    """
    lowest, highest = os.environ.get("JINA_RANDOM_PORT_MIN"), os.environ.get("JINA_RANDOM_PORT_MAX")
    if lowest is None and highest is None:
        return _bound_port(0)
    for port in _shuffled(int(lowest or 49153), int(highest or 65535)):
        try:
            return _bound_port(port)
        except OSError:
            continue
    raise OSError(f"no port from {lowest or 49153} to {highest or 65535} is free")


def _bound_port(port: int) -> int:
    with socket.socket() as probe:
        probe.bind(("", port))
        return int(probe.getsockname()[1])


def _shuffled(lowest: int, highest: int) -> list[int]:
    import random

    return random.sample(range(lowest, highest + 1), highest - lowest + 1)


def random_ports(n_ports: int) -> list[int]:
    """Give several different free ports; see `random_port`."""
    ports: set[int] = set()
    while len(ports) < n_ports:
        ports.add(random_port())
    return list(ports)


def random_identity(use_uuid1: bool = False) -> str:
    """Give 32 random hexadecimal characters; with `use_uuid1` they begin with the time."""
    return (uuid.uuid1() if use_uuid1 else uuid.uuid4()).hex


def extend_rest_interface(app: Any) -> Any:
    """Give the FastAPI app that serves HTTP: put your own function in this one's place (`jina.helper.extend_rest_interface = mine`)."""
    return app


def run_async(func: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
    """Run a coroutine function to its end and give its result, also where an event loop already runs (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(func(*args, **kwargs))
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(func(*args, **kwargs)))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def get_or_reuse_loop() -> asyncio.AbstractEventLoop:
    """Give this thread's event loop: the running one, else the one that is set, else a new one, which is then set."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        loop: asyncio.AbstractEventLoop | None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of 3.12, where no loop is set
            loop = asyncio.get_event_loop()
    except RuntimeError:
        loop = None
    if loop is None or loop.is_closed():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop
