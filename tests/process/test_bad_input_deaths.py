"""An Executor that blocks its loop, holds the interpreter lock or ends its process: only its own calls notice."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from jina import Deployment, Executor
from jina.codec import codec_for
from tests.process.callers import HttpReply, http_call, http_post
from tests.process.executors import Echo, Text
from tests.process.grpc_ways import Outcome, message, send
from tests.process.probes import Probe

pytestmark = pytest.mark.process

Answer = tuple[bool, bool, str]
"""Is it a success, is it UNAVAILABLE, and what was said."""


class Service:
    """A Deployment, its two ports, and how long it took to start."""

    def __init__(self, deployment: Deployment, start_s: float) -> None:
        self.deployment, self.start_s = deployment, start_s
        self.http, self.grpc = deployment.ports
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.grpc}")

    def ask(self, way: str, endpoint: str, text: str) -> Answer:
        """Call in one of the ways, and put the answers of all protocols into one form."""
        if way in ("post", "get", "sse"):
            method = "GET" if way == "get" else "POST"
            reply = http_call(self.http, method, endpoint, {"data": [{"text": text}]} if way == "post" else {"text": text})
            return _of_http(reply)
        document = codec_for(Text).encode_proto_one(Text(text=text))
        return _of_grpc(send(self.channel, way, message(way, endpoint, document)))

    def assert_goes_on(self) -> None:
        assert self.ask("post", "/echo", "a")[0]
        assert self.ask("unary", "/async", "a")[0]
        assert self.ask("stream_doc", "/count", "2")[0]


def _of_http(reply: HttpReply) -> Answer:
    text = reply.body.decode()
    return reply.status == 200 and "event: error" not in text, reply.status == 503 or "broke off" in text, text


def _of_grpc(outcome: Outcome) -> Answer:
    return outcome.status == "OK" and not outcome.is_error, outcome.status == "UNAVAILABLE", outcome.text


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    begin = time.monotonic()
    with Deployment(uses=Echo, protocol=["http", "grpc"], port=[0, 0], quiet=True) as deployment:
        service = Service(deployment, time.monotonic() - begin)
        with service.channel:
            yield service


HELD = [
    ("post", "/hold", 6.0),
    ("unary", "/hold", 1.2),
    ("call", "/hold", 1.2),
    ("sse", "/hold-stream", 1.2),
    ("stream_doc", "/hold-stream", 1.2),
]
BLOCKED = [
    ("unary", "/block-async", 6.0),
    ("post", "/block-async", 1.2),
    ("call", "/block-async", 1.2),
    ("get", "/block-stream", 1.2),
    ("stream_doc", "/block-stream", 1.2),
]


@pytest.mark.parametrize(("way", "endpoint", "seconds"), [*HELD, *BLOCKED])
def test_the_front_answers_beside_a_method_that_lets_nothing_else_run(service: Service, way: str, endpoint: str, seconds: float) -> None:
    """Health, PING and connections go on; calls with a deadline end by it, the others wait and are answered; so is this call."""
    is_held = endpoint.startswith("/hold")
    limit_s, is_long = seconds / 3, seconds > 5  # else a slow machine may need longer than the method for what is asked beside it
    with ThreadPoolExecutor() as pool, Probe(service.http, service.grpc) as probe:
        begun = time.monotonic()
        held = pool.submit(service.ask, way, endpoint, str(seconds))
        wait_for_the_hold(service, endpoint)
        waiting = [pool.submit(service.ask, other, "/echo", "a") for other in ("post", "unary", "call")]
        streaming = pool.submit(service.ask, "stream_doc", "/count", "3")
        begin = time.monotonic()
        late = http_call(service.http, "POST", "/async", {"data": [{"text": "a"}]}, headers={"x-request-timeout": str(limit_s)})
        assert late.status == 504
        document = codec_for(Text).encode_proto_one(Text(text="a"))
        outcome = send(service.channel, "unary", message("unary", "/async", document), timeout=limit_s / 2)
        assert outcome.status == "DEADLINE_EXCEEDED"
        assert not is_long or time.monotonic() - begin < seconds
        assert http_call(service.http, "POST", "/nothing", {"data": []}).status == 404
        assert is_held or all(future.result()[0] for future in waiting)
        assert is_held or not is_long or not held.done()
        assert held.result()[0]
        assert time.monotonic() - begun >= seconds
        assert all(future.result()[0] for future in [*waiting, streaming])
    probe.check(at_least=int(seconds * 8))
    service.assert_goes_on()


def wait_for_the_hold(service: Service, endpoint: str) -> None:
    """Return once the method runs: a call that it keeps from running is not answered in time."""
    other = "/async"
    for _ in range(1000):
        reply = http_call(service.http, "POST", other, {"data": [{"text": "a"}]}, headers={"x-request-timeout": "0.05"})
        if reply.status == 504:
            return
    raise AssertionError("it never began")


EXITS = [
    ("post", "/exit"),
    ("post", "/aexit"),
    ("unary", "/exit"),
    ("call", "/aexit"),
    ("sse", "/exit-stream"),
    ("get", "/exit-stream"),
    ("stream_doc", "/exit-stream"),
]


@pytest.mark.parametrize(("way", "endpoint"), EXITS)
def test_a_call_that_ends_its_process_is_unavailable_and_costs_no_other(service: Service, way: str, endpoint: str) -> None:
    """After the second death, within two start-ups; calls beside it are answered, the port never closes, the next call works."""
    before = service.deployment.pids["executor/rep-0"]
    is_over = threading.Event()

    def keep_asking(other: str, path: str) -> list[Answer]:
        answers = []
        while not is_over.is_set():
            answers.append(service.ask(other, path, "1"))
        return answers

    with ThreadPoolExecutor() as pool, Probe(service.http, service.grpc) as probe:
        others = [pool.submit(keep_asking, *each) for each in (("post", "/echo"), ("unary", "/async"), ("call", "/echo"))]
        begin = time.monotonic()
        is_success, is_unavailable, text = service.ask(way, endpoint, "a")
        took_s = time.monotonic() - begin
        is_over.set()
        answers = [answer for other in others for answer in other.result()]
    assert (is_success, is_unavailable) == (False, True), text
    assert "ended" in text
    assert took_s < 2 * service.start_s + 10
    assert answers
    assert all(answer[0] for answer in answers), [answer for answer in answers if not answer[0]][:3]
    probe.check(at_least=10)
    service.assert_goes_on()
    assert service.deployment.pids["executor/rep-0"] != before


@pytest.mark.parametrize("way", ["sse", "stream_doc"])
def test_a_death_in_the_middle_of_a_stream_ends_it_with_a_failure(service: Service, way: str) -> None:
    """What came before is not sent again, and the stream does not look whole."""
    is_success, is_unavailable, text = service.ask(way, "/exit-amid", "a")
    assert (is_success, is_unavailable) == (False, True), text
    assert "broke off" in text
    service.assert_goes_on()


def test_a_death_beside_many_calls_loses_none(service: Service) -> None:
    """Forty calls in flight while one of them ends the process, on all protocols at once."""
    ways: list[Callable[[], Answer]] = [
        lambda: service.ask("post", "/echo", "a"),
        lambda: service.ask("unary", "/async", "a"),
        lambda: service.ask("call", "/echo", "a"),
        lambda: service.ask("stream_doc", "/count", "3"),
    ]
    with ThreadPoolExecutor(41) as pool:
        calls = [pool.submit(ways[n % 4]) for n in range(40)]
        killer = pool.submit(service.ask, "post", "/exit", "a")
        calls += [pool.submit(ways[n % 4]) for n in range(40)]
        assert not killer.result()[0]
        assert [call.result() for call in calls if not call.result()[0]] == []


class OnlyDef(Executor):
    """Its executor thread serves the sockets; that of `Echo` does not."""

    echo = Echo.echo
    close_descriptors = Echo.close_descriptors
    forked_pool = Echo.forked_pool


@pytest.mark.parametrize("cls", [OnlyDef, Echo])
def test_a_worker_whose_descriptors_were_closed_is_replaced_or_connected_anew(cls: type[Executor]) -> None:
    """Whichever they are: nobody waits for a worker that can serve no more."""
    with Deployment(uses=cls, port=0, protocol="http", quiet=True, timeout_ctrl=1) as deployment:
        for kind in ("eventpoll", "socket", "pipe", "eventfd", ""):
            with contextlib.suppress(TimeoutError):
                http_post(deployment.port, "/close-descriptors", [{"text": kind}], timeout=20)
            reply = http_post(deployment.port, "/echo", [{"text": "a"}], timeout=20)
            assert reply.json["data"][0]["text"] == "a!"


@pytest.mark.parametrize("cls", [OnlyDef, Echo])
def test_a_method_may_fork_processes_and_end_them(cls: type[Executor]) -> None:
    """A signal to them ends them, and is none to the worker."""
    with Deployment(uses=cls, port=0, protocol="http", quiet=True, timeout_ctrl=1) as deployment:
        replies = [http_post(deployment.port, "/forked-pool", [{}], timeout=60) for _ in range(5)]
        assert [reply.status for reply in replies] == [200] * 5, replies
        assert len({reply.json["data"][0]["text"] for reply in replies}) == 1
