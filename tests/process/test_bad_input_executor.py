"""What an Executor can get wrong: its caller is told, on every protocol, and the next call works."""

from __future__ import annotations

import json
from collections.abc import Iterator

import grpc
import pytest

from jina.codec import codec_for
from tests.process.callers import http_call
from tests.process.grpc_ways import message, send
from tests.process.shapes import SHAPES, Pass, Service, shaped
from tests.process.strict_executor import Thing, Unruly

pytestmark = pytest.mark.process

DOCUMENT = codec_for(Thing).encode_proto_one(Thing(n=5))


@pytest.fixture(scope="module", params=SHAPES)
def running(request: pytest.FixtureRequest) -> Iterator[Service]:
    with shaped(request.param, Unruly, before=Pass, protocol=["http", "grpc"], port=[0, 0]) as running:
        yield running


@pytest.fixture(scope="module")
def channel(running: Service) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{running.ports[1]}") as channel:
        yield channel


def assert_goes_on(running: Service, channel: grpc.Channel) -> None:
    assert http_call(running.ports[0], "POST", "/batch", {"data": [{"n": 5}]}).status == 200
    for way, endpoint in (("unary", "/batch"), ("call", "/batch"), ("stream_doc", "/stream")):
        assert send(channel, way, message(way, endpoint, DOCUMENT))[:2] == ("OK", False)


FAILURES: list[tuple[str, str]] = [
    ("/raise", "ValueError('no such word')"),
    ("/araise", "ValueError('no such word')"),
    ("/raise-one", "ValueError('no such word')"),
    ("/odd-text", "is no character"),
    ("/system-exit", "SystemExit(3)"),
    ("/asystem-exit", "SystemExit(3)"),
    ("/indescribable", "Shy, which cannot be described"),
    ("/aindescribable", "Shy, which cannot be described"),
    ("/recursion", "RecursionError"),
    ("/wrong-type", "must return DocList[Thing], a dict or None, got 'int'"),
    ("/awrong-type", "must return DocList[Thing], a dict or None, got 'int'"),
    ("/list-for-one", "must return a 'Thing' or None, got 'list'"),
    ("/wrong-items", "must return DocList[Thing], a dict or None, got 'list'"),
    ("/nan-result", "nan"),
    ("/odd-result", "object"),
]


@pytest.mark.parametrize(("endpoint", "text"), FAILURES)
def test_a_method_that_fails_is_told_on_every_protocol(running: Service, channel: grpc.Channel, endpoint: str, text: str) -> None:
    """500 over HTTP; over gRPC a reply whose header says ERROR, and `is-error` behind it."""
    reply = http_call(running.ports[0], "POST", endpoint, {"data": [{"n": 5}]})
    assert (reply.status, text in reply.json["detail"]) == (500, True), reply.body
    for way in ("unary", "call"):
        outcome = send(channel, way, message(way, endpoint, DOCUMENT))
        assert (outcome.status, outcome.is_error, text in outcome.text) == ("OK", True, True), outcome
        if way == "unary":
            assert outcome.trailing["is-error"] == "true"
    assert_goes_on(running, channel)


def test_a_dict_goes_to_the_parameters_alike(running: Service) -> None:
    """Numbers are floats on every protocol."""
    reply = http_call(running.ports[0], "POST", "/ok-result", {"data": [{"n": 5}]})
    assert b'"score":1.0' in reply.body


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("endpoint", ["/raise-before", "/araise-before"])
def test_a_stream_that_fails_before_its_first_item_is_a_failed_call(
    running: Service, channel: grpc.Channel, endpoint: str, method: str
) -> None:
    """Over HTTP it has the status of one."""
    reply = http_call(running.ports[0], method, endpoint, {"n": 5})
    assert (reply.status, reply.json) == (500, {"detail": "ValueError('no such word')"})
    outcome = send(channel, "stream_doc", message("stream_doc", endpoint, DOCUMENT))
    assert outcome[:4] == ("OK", True, "ValueError('no such word')", [])
    assert_goes_on(running, channel)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("endpoint", ["/raise-amid", "/araise-amid"])
def test_a_stream_that_fails_in_the_middle_says_so_after_what_came(
    running: Service, channel: grpc.Channel, endpoint: str, method: str
) -> None:
    """Two items, then the failure, and no end as of a whole stream."""
    names = events(http_call(running.ports[0], method, endpoint, {"n": 5}).body)
    assert [name for name, _ in names] == ["update", "update", "error"]
    assert names[2][1] == {"detail": "ValueError('no such word')"}
    outcome = send(channel, "stream_doc", message("stream_doc", endpoint, DOCUMENT))
    assert (outcome.status, outcome.is_error, outcome.text, len(outcome.docs)) == ("OK", True, "ValueError('no such word')", 2)
    assert_goes_on(running, channel)


def events(body: bytes) -> list[tuple[str, object]]:
    """Name and data of each event."""
    found = []
    for block in body.decode().split("\r\n\r\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\r\n") if line)
        if lines:
            found.append((lines["event"], json.loads(lines["data"]) if "data" in lines else None))
    return found


@pytest.mark.parametrize(
    ("endpoint", "expected"), [("/yield-wrong", ["update", "error", "update", "end"]), ("/yield-wrong-first", ["error", "update", "end"])]
)
def test_an_item_of_a_wrong_type_fails_alone(running: Service, channel: grpc.Channel, endpoint: str, expected: list[str]) -> None:
    """The others of its stream arrive."""
    found = events(http_call(running.ports[0], "POST", endpoint, {"n": 5}).body)
    assert [name for name, _ in found] == expected
    assert "must yield 'Thing', got 'int'" in json.dumps(found)
    outcome = send(channel, "stream_doc", message("stream_doc", endpoint, DOCUMENT))
    assert (outcome.status, len(outcome.docs)) == ("OK", expected.count("update"))
    assert_goes_on(running, channel)


def test_an_integer_that_a_foreign_peer_cannot_read_is_named(running: Service, channel: grpc.Channel) -> None:
    """Over HTTP it goes; docarray's encoding has 32 bits, so over gRPC field and value are told."""
    assert http_call(running.ports[0], "POST", "/big-out", {"data": []}).json["data"][0]["n"] == 2**40
    for way, endpoint in (("unary", "/big-out"), ("call", "/big-out"), ("stream_doc", "/yield-big")):
        outcome = send(channel, way, message(way, endpoint, DOCUMENT))
        assert (outcome.status, outcome.is_error, outcome.docs) == ("OK", True, [])
        assert "'n'" in outcome.text or "`n`" in outcome.text or ".n" in outcome.text, outcome.text
        assert str(2**40) in outcome.text
    assert_goes_on(running, channel)


def test_nan_in_a_document_is_null_in_json(running: Service) -> None:
    """JSON has no NaN."""
    assert http_call(running.ports[0], "POST", "/nan-out", {"data": []}).json["data"][0]["x"] is None
