"""Where a post over WebSocket is with its connection: the table, and whatever a server does to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.client.failures import RpcError
from jina.client.websocket_exchanges import NEXT, State
from tests.client.executors import Text
from tests.client.websocket_fakes import Fake, FakeServer, response


def test_every_state_is_reached_and_leads_to_the_end() -> None:
    """None is missing in the table, none is a trap; after the end there is nothing."""
    reached = {State.NEW}
    for _ in State:
        reached |= {after for state in reached for after in NEXT[state]}

    assert reached == set(NEXT) == set(State)
    assert [state for state in State if State.OVER not in NEXT[state]] == [State.OVER]
    assert not NEXT[State.OVER]


@contextmanager
def no_errors_on_the_loop() -> Iterator[None]:
    """What is raised in a callback, a missing way of the table too, is only logged: by asyncio."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("asyncio").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("asyncio").removeHandler(handler)
    assert found == []


MESSAGES = ["echo", "echo", "echo", "echo twice", "echo and end", "silence", "1000", "1001", "1011", "abort"]
HANDSHAKES = ["granted", "granted", "ours", "503", "401", "abort"]


@settings(max_examples=100, deadline=None)
@given(
    handshakes=st.lists(st.sampled_from(HANDSHAKES), max_size=4),
    reactions=st.lists(st.sampled_from(MESSAGES), min_size=2, max_size=8),
    n_docs=st.integers(1, 3),
    max_attempts=st.integers(1, 3),
    prefetch=st.integers(1, 3),
    in_order=st.booleans(),
)
def test_whatever_the_server_does_a_post_ends_once(
    handshakes: list[str], reactions: list[str], n_docs: int, max_attempts: int, prefetch: int, in_order: bool
) -> None:
    """Each request is answered once, or the post fails within its time; and the client goes on, which may have kept the connection."""
    offers, script = iter(handshakes), iter(reactions)

    def answer(fake: Fake) -> bytes | None:
        offer = next(offers, "granted")
        if offer == "abort":
            fake.transport.abort()
            return None
        return (
            fake.granted("jina-dialect: 1\r\n" if offer == "ours" else "") if offer in ("granted", "ours") else response(f"{offer} x")(fake)
        )

    def react(fake: Fake, data: bytes) -> None:
        what = next(script, "echo")
        if what == "abort":
            fake.transport.abort()
        elif what.isdigit():
            fake.end(int(what))
        else:
            for _ in range({"silence": 0, "echo twice": 2}.get(what, 1)):
                fake.echo(data)
            if what == "echo and end":
                fake.end(1001)

    with no_errors_on_the_loop(), FakeServer(react, answer).client() as client:
        for _ in range(3):
            docs = [Text(text=str(number)) for number in range(n_docs)]
            try:
                found = client.post(
                    "/x",
                    docs,
                    request_size=1,
                    results_in_order=in_order,
                    prefetch=prefetch,
                    max_attempts=max_attempts,
                    initial_backoff=0,
                    max_backoff=0,
                    timeout=0.1,
                    return_type=list[Text],
                )
            except RpcError:
                continue
            texts = [doc.text for doc in found]
            assert len(texts) == n_docs
            if "echo twice" not in reactions:
                assert (texts if in_order else sorted(texts)) == [doc.text for doc in docs]


@pytest.mark.anyio
@pytest.mark.parametrize("is_answered_first", [False, True])
async def test_after_a_kept_connection_has_gone_another_kept_one_is_taken(is_answered_first: bool) -> None:
    """Whether it went before the answer, when the request is sent again, or after it, when the next request needs one."""

    def end_first(fake: Fake, data: bytes) -> None:
        if len(server.taken) != 3 or is_answered_first:
            fake.echo(data)
        if len(server.taken) == 3:
            fake.end(1000)

    async def post(*texts: str) -> list[str]:
        docs = [Text(text=text) for text in texts]
        return [part.text async for part in client.post("/x", docs, request_size=1, prefetch=1, timeout=10, return_type=Text)]

    server = FakeServer(end_first)
    client = server.client(asyncio=True)
    with no_errors_on_the_loop():
        await asyncio.gather(post("a"), post("b"))
        assert await post("c", "d") == ["c", "d"]
    assert len(server.connections) == 2
    client.close()
