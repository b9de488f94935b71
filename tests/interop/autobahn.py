"""The Autobahn cases (through kosoku) against our front and the connection of our client, both as echoes.

`make autobahn` runs all; `python -m tests.interop.autobahn server 1.* 9.1.6` some. Exits with 1 if a case failed.
"""

from __future__ import annotations

import asyncio
import collections
import sys
import time
from functools import partial
from typing import Any

import kosoku
from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver

from jina.fronts import websocket
from jina.fronts.front import Front
from jina.fronts.http_calls import Note
from jina.fronts.websocket_session import Answer, WebSocketSession
from jina.transport import connect
from jina.transport.websocket import WebSocketConnection, open_websocket
from jina.wire import websocket as wire
from jina.wire.websocket_handshake import JSON


class Echo:
    """A speaker that gives every message back."""

    def __init__(self, session: WebSocketSession, note: Note) -> None:
        self._session = session

    def opened(self) -> Answer | None:
        return None

    def message(self, data: bytes, is_text: bool) -> Answer | None:
        return partial(self._session.send, data, is_text=is_text)


class _Handler:
    needs_task = False

    async def __call__(self, call: Any) -> Any:
        raise AssertionError("nothing is called")


async def of_server(cases: list[str]) -> list[Any]:
    """What became of each case with our front as the server."""
    websocket.SPEAKERS[b"/", JSON] = Echo
    wire.COMPRESS_FROM = 0  # kosoku's cases stumble over a text that comes as it is
    front = Front(_Handler(), [], protocols=["websocket"])
    server = await asyncio.get_running_loop().create_server(front.make_protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return list(await run_fuzzingclient(f"127.0.0.1:{port}", cases or None, None, concurrency=4))
    except FailureError as failure:
        return list(failure.results)
    finally:
        server.close()


class _EchoOwner:
    """The owner of a client's connection, which gives every message back."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        self.told: list[bytes] = []
        self.ended = asyncio.get_running_loop().create_future()

    def message(self, data: bytes, is_text: bool) -> None:
        self.told.append(data)
        self._connection.send(data, is_text=is_text)

    def closed(self, code: int, reason: str) -> None:
        self.ended.set_result(None)


async def _visit(port: int, path: str) -> list[bytes]:
    way = connect.service("127.0.0.1", port, alpn=())
    connection = await open_websocket(way, "kosoku", path, {"host": f"127.0.0.1:{port}"}, max_message_bytes=None, deflate=True)
    owner = _EchoOwner(connection)
    connection.own(owner)
    await owner.ended
    return owner.told


async def of_client(cases: list[str]) -> list[Any]:
    """What became of each case with our client's connection as the client."""
    wire.COMPRESS_FROM = 0
    async with run_fuzzingserver(cases or None, None, host="127.0.0.1", port=0) as server:
        (count,) = await _visit(server.port, "/getCaseCount")
        for number in range(1, int(count) + 1):
            await _visit(server.port, f"/runCase?case={number}&agent=openjina")
        await _visit(server.port, "/updateReports?agent=openjina")
        try:
            return list(await server.get_result())
        except FailureError as failure:
            return list(failure.results)
    raise AssertionError("kosoku's server ended without a result")


def tell(name: str, results: list[Any], took_s: float) -> int:
    """Print a summary and what is not OK; gives the number of failed cases."""
    print(f"{name}: {len(results)} cases in {took_s:.0f} s (kosoku {getattr(kosoku, '__version__', '0.1.0')})")
    for what in ("behavior", "behavior_close"):
        counts = collections.Counter(getattr(each, what).value for each in results)
        print(f"  {what}: {', '.join(f'{count} {value}' for value, count in counts.most_common())}")
    for each in results:
        if each.behavior.value not in ("OK", "INFORMATIONAL") or each.behavior_close.value not in ("OK", "INFORMATIONAL"):
            print(f"  {each.case_id}: {each.behavior.value}, close {each.behavior_close.value}: {each.result} {each.result_close}")
    return len(failed(results))


def failed(results: list[Any]) -> list[str]:
    """The cases whose exchange or whose end was against the standard."""
    bad = {"FAILED", "ERROR", "UNIMPLEMENTED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT"}
    return [each.case_id for each in results if each.behavior.value in bad or each.behavior_close.value in bad]


async def main(words: list[str]) -> int:
    n_failed = 0
    for name, run in (("server", of_server), ("client", of_client)):
        if not words or name == words[0]:
            started_s = time.monotonic()
            results = await run(words[1:])
            n_failed += tell(f"our {name}", results, time.monotonic() - started_s)
    return n_failed


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
