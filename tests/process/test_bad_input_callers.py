"""Who may call, and what a caller says beside the documents: keys, request ids, deadlines, priorities; the same on every protocol."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from jina import Deployment
from jina.codec import codec_for
from tests.process.callers import http_call
from tests.process.grpc_ways import METHODS, Outcome, message, send
from tests.process.shapes import SHAPES, Service, shaped
from tests.process.strict_executor import Thing, Unruly

pytestmark = pytest.mark.process

DOCUMENT = codec_for(Thing).encode_proto_one(Thing(n=5))
ENDPOINTS = {"unary": "/batch", "call": "/batch", "stream_doc": "/stream"}
Metadata = tuple[tuple[str, str], ...]


def welcome(headers: Mapping[str, str]) -> bool:
    """A callable that guards: slow, broken or plain, as the caller asks."""
    wish = headers.get("x-wish", "")
    if wish == "slow":
        time.sleep(3)
    if wish == "broken":
        raise RuntimeError("no directory")
    return wish == "in"


@pytest.fixture(scope="module", params=SHAPES)
def running(request: pytest.FixtureRequest) -> Iterator[Service]:
    with shaped(request.param, Unruly, before=Unruly, protocol=["http", "grpc"], port=[0, 0]) as running:
        yield running


@pytest.fixture(scope="module")
def channel(running: Service) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{running.ports[1]}") as channel:
        yield channel


class Guarded:
    """A Deployment with a key, and what opens it."""

    def __init__(self, deployment: Deployment, kind: str, channel: grpc.Channel) -> None:
        self.kind, self.channel = kind, channel
        self.http, self.grpc = deployment.ports


@pytest.fixture(scope="module", params=["text", "list", "callable"])
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    key = {"text": "s3cret", "list": ["old", "s3cret"], "callable": welcome}[request.param]
    with (
        Deployment(uses=Unruly, protocol=["http", "grpc"], port=[0, 0], quiet=True, api_key=key) as deployment,
        grpc.insecure_channel(f"127.0.0.1:{deployment.ports[1]}") as channel,
    ):
        yield Guarded(deployment, request.param, channel)


def ask(channel: grpc.Channel, way: str, metadata: Metadata = (), timeout: float | None = 30) -> Outcome:
    return send(channel, way, message(way, ENDPOINTS[way], DOCUMENT), metadata=metadata, timeout=timeout)


GOOD: dict[str, list[dict[str, str]]] = {
    "text": [{"authorization": "Bearer s3cret"}, {"authorization": "bearer s3cret"}, {"x-api-key": "s3cret"}],
    "list": [{"authorization": "Bearer s3cret"}, {"authorization": "Bearer old"}, {"x-api-key": "old"}],
    "callable": [{"x-wish": "in"}],
}
BAD: dict[str, list[tuple[dict[str, str], int]]] = {
    "text": [({}, 401), ({"authorization": "Bearer s3cre"}, 401), ({"authorization": "s3cret"}, 401), ({"x-api-key": ""}, 401)],
    "list": [({}, 401), ({"authorization": "Bearer new"}, 401), ({"authorization": "Basic old"}, 401)],
    "callable": [({}, 401), ({"x-wish": "out"}, 401), ({"x-wish": "broken"}, 500), ({"x-wish": "slow"}, 503)],
}
STATUS = {401: "UNAUTHENTICATED", 500: "INTERNAL", 503: "UNAVAILABLE"}


def test_who_has_a_key_is_let_in_everywhere(guarded: Guarded) -> None:
    """Calls, streams, pages, reflection, discovery."""
    channel = guarded.channel
    for headers in GOOD[guarded.kind]:
        for method, path, body in REQUESTS:
            assert http_call(guarded.http, method, path, body, headers=headers).status == 200, path
        metadata = tuple(headers.items())
        for way in METHODS:
            assert ask(channel, way, metadata)[:2] == ("OK", False)
        assert reflect(channel, metadata) == "OK"
        assert discover(channel, metadata) == "OK"


def test_who_has_none_is_refused_everywhere_but_at_health(guarded: Guarded) -> None:
    """401 and UNAUTHENTICATED, whatever else the call gets wrong; health answers all."""
    channel = guarded.channel
    for headers, status in BAD[guarded.kind]:
        for method, path, body in [*REQUESTS, ("POST", "/batch", b"{"), ("POST", "/nothing", b"{}")]:
            reply = http_call(guarded.http, method, path, body, headers=headers)
            assert reply.status == status, path
            assert reply.json["detail"]
            assert (status == 401) == ("www-authenticate" in reply.headers)
            if headers.get("x-wish") == "slow":
                break
        metadata = tuple(headers.items())
        is_slow = headers.get("x-wish") == "slow"  # a second each
        for way in ["call"] if is_slow else METHODS:
            outcome = ask(channel, way, metadata)
            assert outcome.status == STATUS[status], (way, headers, outcome)
        if not is_slow:
            assert send(channel, "unary", b"\xff\xff", metadata=metadata).status == STATUS[status]
            assert reflect(channel, metadata) == STATUS[status]
            assert discover(channel, metadata) == STATUS[status]
        assert http_call(guarded.http, "GET", "/", headers=headers).status == 200
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), metadata=metadata)
        assert health.status == health_pb2.HealthCheckResponse.SERVING


REQUESTS: list[tuple[str, str, object]] = [
    ("POST", "/batch", {"data": []}),
    ("POST", "/stream", {"n": 1}),
    ("GET", "/stream?n=1", None),
    ("GET", "/docs", None),
    ("GET", "/redoc", None),
    ("GET", "/openapi.json", None),
]


def reflect(channel: grpc.Channel, metadata: Metadata) -> str:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    try:
        list(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]), metadata=metadata))
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def discover(channel: grpc.Channel, metadata: Metadata) -> str:
    try:
        channel.unary_unary("/jina.JinaDiscoverEndpointsRPC/endpoint_discovery")(b"", metadata=metadata)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


@pytest.mark.parametrize("guarded", ["callable"], indirect=True)
def test_slow_checks_do_not_stand_in_the_way_of_others(guarded: Guarded) -> None:
    """They have threads of their own, and a limit."""
    with ThreadPoolExecutor() as pool:
        slow = [pool.submit(http_call, guarded.http, "POST", "/batch", {"data": []}, headers={"x-wish": "slow"}) for _ in range(2)]
        begin = time.monotonic()
        assert http_call(guarded.http, "POST", "/batch", {"data": []}, headers={"x-wish": "in"}).status == 200
        assert http_call(guarded.http, "GET", "/").status == 200
        assert time.monotonic() - begin < 2.5  # the slow ones take three seconds
        assert [future.result().status for future in slow] == [503, 503]


@pytest.mark.parametrize("request_id", ["a", "!~{}", "x" * 128])
def test_request_ids_come_back(running: Service, channel: grpc.Channel, request_id: str) -> None:
    """From the header or the envelope, over HTTP and gRPC; on failures too."""
    headers = {"x-request-id": request_id}
    for method, path, body in [*REQUESTS[:3], ("POST", "/raise", {"data": []}), ("POST", "/batch", b"{"), ("GET", "/nothing", None)]:
        assert http_call(running.ports[0], method, path, body, headers=headers).headers["x-request-id"] == request_id, path
    reply = http_call(
        running.ports[0], "POST", "/batch", {"data": [], "header": {"requestId": request_id}}, headers={"x-request-id": "other"}
    )
    assert reply.headers["x-request-id"] == request_id
    from tests.process.callers import GrpcCaller

    with GrpcCaller(running.ports[1]) as caller:
        assert caller.post("/batch", [Thing()], request_id=request_id).request_id == request_id
        assert caller.post("/batch", [Thing()], request_id="", metadata=(("x-request-id", "m"),)).request_id == "m"
        assert len(caller.post("/batch", [Thing()], request_id="").request_id) == 32


@pytest.mark.parametrize("request_id", ["a b", "x" * 129, "tab\there", "ä"])
def test_an_invalid_request_id_is_refused(running: Service, channel: grpc.Channel, request_id: str) -> None:
    """400 and INVALID_ARGUMENT; the reply has one of ours."""
    for path, body in (
        ("/batch", {"data": [], "header": {"requestId": request_id}}),
        ("/stream", {"data": {"n": 1}, "header": {"requestId": request_id}}),
    ):
        reply = http_call(running.ports[0], "POST", path, body)
        assert (reply.status, len(reply.headers["x-request-id"])) == (400, 32)
    latin = {"x-request-id": request_id.encode().decode("latin-1")}
    assert http_call(running.ports[0], "POST", "/batch", {"data": []}, headers=latin).status == 400
    for way in METHODS:
        outcome = send(channel, way, message(way, ENDPOINTS[way], DOCUMENT, request_id=request_id))
        assert (outcome.status, "request id" in outcome.text) == ("INVALID_ARGUMENT", True)


@pytest.mark.parametrize(
    ("priority", "is_valid"), [("0", True), ("9", True), ("10", False), ("-1", False), ("high", False), ("", False), ("5.0", False)]
)
def test_priorities_are_0_to_9(running: Service, channel: grpc.Channel, priority: str, *, is_valid: bool) -> None:
    """Others are 400 and INVALID_ARGUMENT."""
    headers = {"x-request-priority": priority}
    for method, path, body in REQUESTS[:3]:
        assert http_call(running.ports[0], method, path, body, headers=headers).status == (200 if is_valid else 400)
    for way in METHODS:
        assert ask(channel, way, tuple(headers.items())).status == ("OK" if is_valid else "INVALID_ARGUMENT")


@pytest.mark.parametrize("timeout", ["0", "-1", "soon", "nan", "inf", "1e10", ""])
def test_a_timeout_that_is_none_is_400(running: Service, timeout: str) -> None:
    """Seconds above zero."""
    for method, path, body in REQUESTS[:3]:
        assert http_call(running.ports[0], method, path, body, headers={"x-request-timeout": timeout}).status == 400


@pytest.mark.parametrize("endpoint", ["/asleep", "/sleep"])
def test_a_call_ends_at_its_deadline(running: Service, channel: grpc.Channel, endpoint: str) -> None:
    """504 and DEADLINE_EXCEEDED, long before the method would have answered."""
    begin = time.monotonic()
    reply = http_call(running.ports[0], "POST", endpoint, {"data": [{"x": 6.0}]}, headers={"x-request-timeout": "0.2"})
    assert (reply.status, "deadline" in reply.json["detail"]) == (504, True)
    document = codec_for(Thing).encode_proto_one(Thing(x=6.0))
    for way in ("unary", "call"):
        assert send(channel, way, message(way, endpoint, document), timeout=0.2).status == "DEADLINE_EXCEEDED"
    assert time.monotonic() - begin < 5.9


@pytest.mark.parametrize(("endpoint", "n_items"), [("/slow-stream", 1), ("/late-stream", 0)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_stream_ends_at_its_deadline(running: Service, channel: grpc.Channel, endpoint: str, n_items: int, method: str) -> None:
    """With a failure behind what came; a stream that had not begun is a 504."""
    begin = time.monotonic()
    limit_s = 2.0 if n_items else 0.3  # an item must have come by then
    reply = http_call(running.ports[0], method, endpoint, {"n": 1}, headers={"x-request-timeout": str(limit_s)})
    assert "deadline" in reply.body.decode()
    assert reply.status == (200 if n_items else 504)
    assert reply.body.count(b"event: update") == n_items
    assert b"event: end" not in reply.body
    outcome = send(channel, "stream_doc", message("stream_doc", endpoint, DOCUMENT), timeout=0.3)
    assert (outcome.status, outcome.text != "") == ("DEADLINE_EXCEEDED", True)
    assert time.monotonic() - begin < 25  # the method takes thirty seconds


def test_the_server_keeps_deadlines_that_the_client_forgets(running: Service) -> None:
    """The raw wire: a client that only sends `grpc-timeout` is told, in every way to call; a silent `Call` stream too."""
    for way in METHODS:
        endpoint = "/late-stream" if way == "stream_doc" else "/asleep"
        data = message(way, endpoint, codec_for(Thing).encode_proto_one(Thing(x=20.0)))
        assert raw_status(running.ports[1], METHODS[way], data) == 4
    assert raw_status(running.ports[1], METHODS["call"], None) == 4


def raw_status(port: int, path: str, data: bytes | None) -> int:
    """Begin a call with a timeout of 0.2 s, send at most one message, and wait for the server to end it."""
    import socket

    from jina.wire import grpc as wire

    connection = wire.ClientConnection()
    stream = connection.start(wire.request_block(path, "test", timeout_s=0.2))
    if data is not None:
        connection.send_message(stream, data)
        if not path.endswith("/Call"):
            connection.half_close(stream)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        while True:
            sock.sendall(connection.take_output())
            for event in connection.receive(sock.recv(65536), time.monotonic()):
                if event[0] == wire.ENDED:
                    return int(event[2])


def test_services_listen_on_loopback(running: Service) -> None:
    """Nobody on another machine reaches them unless `host` says so."""
    assert set(running.hosts) <= {"127.0.0.1", "localhost"}
    for port in running.ports:
        assert f"{port:04X}" in listening("0100007F")
        assert f"{port:04X}" not in listening("00000000")


def listening(address: str) -> set[str]:
    """Ports that a socket listens on at an address, both as the kernel writes them."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file][1:]
    return {row[1].split(":")[1] for row in rows if row[3] == "0A" and row[1].startswith(address)}


def test_a_connection_outlives_bad_requests(running: Service) -> None:
    """One keep-alive connection serves many calls, good and bad, in order."""
    connection = http.client.HTTPConnection("127.0.0.1", running.ports[0], timeout=10)
    try:
        for body, status in [(b'{"data":[]}', 200), (b"{", 422), (b'{"data":[{"n":"x"}]}', 422), (b'{"data":[]}', 200)] * 3:
            connection.request("POST", "/batch", body)
            response = connection.getresponse()
            assert (response.status, bool(json.loads(response.read()))) == (status, True)
    finally:
        connection.close()
