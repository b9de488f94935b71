"""Signs of life: which rate of PINGs a server puts up with, and what it says to who goes beyond."""

from __future__ import annotations

import pytest

from jina.wire import grpc
from jina.wire import http2_frames as frames

BLOCK = grpc.request_block("/a.B/C", "host")
JINAS_PAUSE_S = 9.999
PING = frames.frame(frames.PING, 0, 0, b"keepaliv")


@pytest.mark.parametrize("n_calls", [0, 1])
def test_jinas_rate_of_pings_is_tolerated_for_ever(n_calls: int) -> None:
    """One each 10 s for two hours, without calls or with one that is silent, and each is answered."""
    client, server = grpc.ClientConnection(), grpc.ServerConnection()
    for _ in range(n_calls):
        client.call(BLOCK, b"x")
    server.receive(client.take_output(), 0.0)
    client.receive(server.take_output(), 0.0)
    for n in range(1, 720):
        server.receive(PING, n * JINAS_PAUSE_S)
        assert server.take_output() == frames.frame(frames.PING, frames.ACK, 0, b"keepaliv")
    assert not server.is_closed
    assert server.n_streams == n_calls


def test_flood_of_pings_ends_the_connection_with_the_word_that_clients_know() -> None:
    """GOAWAY with ENHANCE_YOUR_CALM and too_many_pings: grpcio, grpc-go and grpc-java ping half as often after it."""
    server = grpc.ServerConnection()
    server.receive(frames.PREFACE + frames.settings({}), 0.0)
    server.take_output()
    events = server.receive(PING * 1000, 1.0)
    assert events == [(grpc.CLOSED, frames.ENHANCE_YOUR_CALM, "too_many_pings")]
    sent = server.take_output()
    assert sent.endswith(frames.goaway(0, frames.ENHANCE_YOUR_CALM, "too_many_pings"))


def test_client_hears_why_it_was_sent_away() -> None:
    """GOAWAY's code and text are in its event, so that whoever keeps connections alive can be slower."""
    client = grpc.ClientConnection()
    client.receive(frames.settings({}))
    events = client.receive(frames.goaway(0, frames.ENHANCE_YOUR_CALM, "too_many_pings"))
    assert events == [(grpc.GOAWAY, frames.ENHANCE_YOUR_CALM, "too_many_pings")]
