"""What goes wrong in one node of a Flow of two: the failure names it, and the next call works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from jina import Executor, Flow, requests
from jina.codec import codec_for
from jina.codec.struct import dict_to_struct
from jina.docs import BaseDoc, DocList
from tests.process.callers import http_call
from tests.process.executors import Echo, Text
from tests.process.grpc_ways import message, send

pytestmark = pytest.mark.process
DOCUMENT = codec_for(Text).encode_proto_one(Text(text="5"))
WAYS = ["post", "unary", "call", "sse", "get", "stream_doc"]


class Loose(BaseDoc):
    text: str | list[int] = ""


class First(Executor):
    """Takes part in all calls, and may give what the second cannot take."""

    @requests
    def first(self, docs: DocList[Loose], parameters: dict[str, Any], **kwargs: Any) -> DocList[Loose]:
        return DocList[Loose]([Loose(text=[1])]) if parameters.get("odd") else docs


@pytest.fixture(scope="module")
def running() -> Iterator[Flow]:
    flow = Flow(protocol=["http", "grpc"], port=[0, 0], quiet=True).add(name="first", uses=First)
    with flow.add(name="second", uses=Echo) as running:
        yield running


@pytest.fixture(scope="module")
def channel(running: Flow) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{running.ports[1]}") as channel:
        yield channel


def fail(running: Flow, channel: grpc.Channel, way: str, endpoint: str, *, timeout_s: float = 30, odd: bool = False) -> str:
    """Make a call that fails; gives what its caller is told."""
    if way in ("post", "sse", "get"):
        document = {"text": "5"}
        body = {"data": [document] if way == "post" else document, "parameters": {"odd": odd}}
        method = "GET" if way == "get" else "POST"
        reply = http_call(running.ports[0], method, endpoint, body, headers={"x-request-timeout": str(timeout_s)})
        text = reply.body.decode()
        assert reply.status != 200 or "event: error" in text, text
        return text
    outcome = send(channel, way, message(way, endpoint, DOCUMENT, dict_to_struct({"odd": odd})), timeout=timeout_s)
    assert outcome.status != "OK" or outcome.is_error, outcome
    return outcome.text


def assert_goes_on(running: Flow, channel: grpc.Channel) -> None:
    assert http_call(running.ports[0], "POST", "/echo", {"data": [{"text": "a"}]}).status == 200
    assert send(channel, "unary", message("unary", "/async", DOCUMENT))[:2] == ("OK", False)
    assert send(channel, "stream_doc", message("stream_doc", "/count", DOCUMENT))[:2] == ("OK", False)


def endpoint_of(way: str, unary: str, stream: str) -> str:
    return unary if way in ("post", "unary", "call") else stream


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_ends_a_node_names_it(running: Flow, channel: grpc.Channel, way: str) -> None:
    """After its second death."""
    text = fail(running, channel, way, endpoint_of(way, "/exit", "/exit-stream"))
    assert "second" in text
    assert "ended" in text
    assert_goes_on(running, channel)


@pytest.mark.parametrize("way", ["sse", "get", "stream_doc"])
def test_a_death_in_the_middle_of_a_stream_names_the_node(running: Flow, channel: grpc.Channel, way: str) -> None:
    """The stream does not look whole."""
    text = fail(running, channel, way, "/exit-amid")
    assert "second/rep-0" in text
    assert_goes_on(running, channel)


@pytest.mark.parametrize("way", ["post", "unary", "call"])
def test_a_node_that_is_too_late_is_named(running: Flow, channel: grpc.Channel, way: str) -> None:
    """Where the caller waits for what we say; grpcio's own clock is as fast."""
    text = fail(running, channel, way, "/sleep", timeout_s=1.0)
    assert "eadline" in text
    assert way != "post" or "'second'" in text
    assert_goes_on(running, channel)


@pytest.mark.parametrize("way", WAYS)
def test_documents_that_do_not_fit_name_both_nodes(running: Flow, channel: grpc.Channel, way: str) -> None:
    """Their caller has never seen them."""
    text = fail(running, channel, way, endpoint_of(way, "/echo", "/count"), odd=True)
    assert "node 'second', on what 'first' gave" in text
    assert_goes_on(running, channel)
