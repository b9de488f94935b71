"""What a call raises, and what the errors tell."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import grpc as grpcio
import pytest

from jina.client import Client
from jina.client.answers import http_failure
from jina.client.failures import UnreachableError, failure_of
from jina.errors import BadClient, BadClientInput, BadServer, BadServerFlow, ConfigError, NotSupportedError
from jina.testing import Service, serve
from jina.transport.grpc_calls import CallEnd
from jina.wire.grpc import HALF_CLOSED, MESSAGE, UNARY
from tests.client.executors import Sample, Text
from tests.client.fakes import FakeGrpc, FakeGrpcServer, FakeHttpServer


def client_of_status(status: int, text: str = "because") -> Any:
    """A client of a server that ends every call with one status."""

    def react(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if event[0] in (UNARY, HALF_CLOSED):
            connection.wire.send_status(event[1], status, text, (("x-why", "test"),))

    return Client(open_connection=FakeGrpcServer(react).connect)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (14, ConnectionError),
        (5, ConnectionError),
        (4, ConnectionError),
        (13, grpcio.aio.AioRpcError),
        (8, BadServerFlow),
        (12, BadServerFlow),
        (16, BadServerFlow),
        (2, BadServerFlow),
    ],
)
def test_grpc_status_becomes_jinas_class(status: int, kind: type[BaseException], stream: bool) -> None:
    """The class that Jina raises, with grpcio's accessors and base class."""
    with client_of_status(status) as client, pytest.raises(kind, match=r"gRPC error: [A-Z_]+ because") as caught:
        client.post("/x", Text(), stream=stream)

    error: Any = caught.value
    assert isinstance(error, grpcio.RpcError)
    assert error.code().value[0] == status
    assert error.details() == "because"
    assert ("x-why", "test") in error.trailing_metadata()


def test_timeout_of_the_input_is_bad_input() -> None:
    """UNKNOWN that tells of asyncio's timeout is the input's fault, by Jina's rule."""
    with client_of_status(2, "asyncio.exceptions.TimeoutError") as client, pytest.raises(BadClientInput):
        client.post("/x", Text())


def test_attempts_are_told_when_they_are_used_up() -> None:
    """`jina-client-attempts` counts them."""
    with client_of_status(14) as client, pytest.raises(ConnectionError) as caught:
        client.post("/x", Text(), max_attempts=3, initial_backoff=0.001, max_backoff=0.001)

    error: Any = caught.value
    assert dict(error.trailing_metadata())["jina-client-attempts"] == "3"


def test_error_without_grpcio_has_our_status() -> None:
    """Where `grpc` is not imported it stays so, and `code()` has the same names."""
    code = (
        "import sys\nfrom jina.client.failures import failure_of\nfrom jina.transport.grpc_calls import CallEnd\n"
        "error = failure_of(CallEnd(14, 'gone'))\nassert 'grpc' not in sys.modules\nprint(error.code().name, error.details())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["UNAVAILABLE", "gone"]


def test_errors_can_be_pickled() -> None:
    """They cross process borders, code and details included."""
    error: Any = pickle.loads(pickle.dumps(failure_of(CallEnd(14, "gone"))))

    assert isinstance(error, UnreachableError)
    assert error.details() == "gone"
    assert error.code() is grpcio.StatusCode.UNAVAILABLE


def refused(make: Callable[[], asyncio.Protocol]) -> Any:
    """Nobody listens."""
    raise ConnectionRefusedError("Connection refused")


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
def test_a_client_without_a_port_says_so_where_nobody_listens(protocol: str) -> None:
    """Nobody need guess where 80 comes from."""
    with (
        Client(protocol=protocol, open_connection=refused) as client,
        pytest.raises(ConnectionError, match=r"127\.0\.0\.1:80 \(the port where none is given\): Connection refused"),
    ):
        client.post("/x", Text())


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
@pytest.mark.parametrize("options", [{}, {"host": "no-such-host.invalid"}, {"tls": True, "ssl_ca_certs": "/no/such/file"}])
def test_a_service_that_is_not_there_takes_one_traceback(protocol: str, options: dict[str, Any]) -> None:
    """Its text says all; what happened on the way would only hide it."""
    with Client(port=1, protocol=protocol, **options) as client, pytest.raises(ConnectionError) as caught:
        client.post("/x", Text())

    shown = "".join(traceback.format_exception(caught.value))
    assert shown.count("Traceback (most recent call last)") == 1


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_nobody_listening_is_a_connection_error(protocol: str) -> None:
    """It names the address."""
    with Client(port=1, protocol=protocol) as client:
        with pytest.raises(ConnectionError, match=r"failed to connect to 127\.0\.0\.1:1"):
            client.post("/x", Text())
        assert client.is_flow_ready() is False


def test_failed_executor_over_grpc_is_bad_server(grpc_service: Service) -> None:
    """`args[0]` is the reply's header with the traceback of the user's method."""
    with pytest.raises(BadServer) as caught:
        grpc_service.post("/fail", Text())

    error: Any = caught.value
    assert error.args[0].status.exception.name == "KeyError"
    assert error.args[0].status.exception.executor == "Sample"
    assert error.details() == "KeyError('no such thing')"
    assert error.code() is grpcio.StatusCode.UNKNOWN


def test_failed_executor_over_http_is_a_value_error_too(http_service: Service) -> None:
    """With the response's body, as Jina's client raises it; and `except BadServer` takes it as over gRPC."""
    with pytest.raises(ValueError, match="no such thing") as caught:
        http_service.post("/fail", Text())
    assert isinstance(caught.value, BadServer)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), BadServer)

    error: Any = caught.value
    assert error.args[0] == {"detail": "KeyError('no such thing')"}
    assert error.http_status == 500


def test_unknown_endpoint_over_http_is_a_bad_client(http_service: Service) -> None:
    """Jina's words."""
    with pytest.raises(BadClient, match="no such endpoint /nosuch"):
        http_service.post("/nosuch", Text())


def test_an_http_status_that_no_executor_sends_is_no_bad_server() -> None:
    """A proxy's 500 is text or HTML, and bad input is the caller's affair."""
    for status, body in ((500, b"<html>"), (500, b"{}"), (422, b'{"detail":[]}'), (502, b'{"detail":"x"}')):
        assert not isinstance(http_failure(status, body, "/x"), BadServer)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_missing_key_is_told(protocol: str) -> None:
    """A service with a key refuses, and takes the call with the key."""
    with serve(Sample, protocol=protocol, api_key="secret") as service:
        with pytest.raises((BadServerFlow, ValueError)) as caught:
            service.post("/up", Text())
        assert service.post("/up", Text(text="a"), headers={"x-api-key": "secret"}, return_type=Text).text == "A"

    error: Any = caught.value
    assert error.code() is grpcio.StatusCode.UNAUTHENTICATED


def http_client(status: int, body: Any) -> Any:
    return Client(protocol="http", open_connection=FakeHttpServer(lambda *_: (status, body)).connect)


def test_unavailable_over_http_is_a_connection_error() -> None:
    """With the description of a header in the body; without one it is a ValueError, too, as Jina's."""
    described = {"header": {"status": {"description": "the executor is down"}}}
    with http_client(503, described) as client, pytest.raises(ConnectionError, match=r"^the executor is down$"):
        client.post("/x", Text())
    with http_client(504, {"detail": "late"}) as client, pytest.raises(ValueError, match="late") as caught:
        client.post("/x", Text())

    assert isinstance(caught.value, ConnectionError)


@pytest.mark.parametrize("status", [200, 404, 501])
@pytest.mark.parametrize("call", [lambda client: client.post("/x", Text()), lambda client: list(client.stream_doc("/x", Text()))])
def test_an_http_port_is_recognised_by_a_websocket_client(status: int, call: Callable[[Any], object]) -> None:
    """It answers the handshake as it answers any GET; the text tells what to change."""
    server = FakeHttpServer(lambda *_: (status, {}))
    with (
        Client(protocol="websocket", open_connection=server.connect) as client,
        pytest.raises(ValueError, match=rf"this port speaks HTTP and no WebSocket: .* {status}; use protocol='http'"),
    ):
        call(client)


def test_answer_that_is_no_reply_is_an_error() -> None:
    """Something else that listens on the port does not pass for an empty result."""
    with http_client(200, b"<html>") as client, pytest.raises(ValueError, match="<html>"):
        client.post("/x", Text())


def test_credentials_name_what_to_use() -> None:
    """grpcio's credentials are refused with the way that works."""
    with pytest.raises(ConfigError, match="tls=True"):
        Client(credentials=object())
    with Client() as client, pytest.raises(ConfigError, match="tls=True"):
        client.post("/x", credentials=object())


def test_options_of_grpcio_without_meaning_are_named_once() -> None:
    """One warning with all their names; the others do what they say."""
    options = {"grpc.enable_retries": 1, "grpc.lb_policy_name": "x", "grpc.max_send_message_length": 1000}
    client = Client(grpc_channel_options=options, port=1)
    with (
        pytest.warns(UserWarning, match="'grpc.enable_retries', 'grpc.lb_policy_name'"),
        pytest.raises(BadServerFlow, match=r"sent message larger than max \(\d+ vs\. 1000\)"),
    ):
        client.post("/x", Text(text="x" * 2000))
    client.close()


def test_graphql_is_gone() -> None:
    """`mutate` says so."""
    with pytest.raises(NotSupportedError, match="use post"):
        Client().mutate("mutation { docs }")


def test_unknown_argument_of_post_is_named(service: Service) -> None:
    """A misspelt argument is not lost in silence."""
    with pytest.warns(UserWarning, match=r"'requestsize' \(did you mean 'request_size'\?\), 'x': no such argument") as caught:
        service.client.post("/up", Text(), requestsize=3, x=1)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("compression", ["Gzip", "Deflate", "NoCompression"])
@pytest.mark.parametrize("stream", [True, False])
def test_compressed_requests_arrive(grpc_service: Service, compression: str, stream: bool) -> None:
    """The service reads both compressions."""
    text = "a" * 10_000

    assert grpc_service.post("/up", Text(text=text), compression=compression, stream=stream, return_type=Text).text == text.upper()


def test_unknown_compression_is_refused(grpc_service: Service) -> None:
    """The error has the names that exist."""
    with pytest.raises(BadClientInput, match="'Gzip'"):
        grpc_service.post("/up", Text(), compression="lzma")


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.post("/x", Text(), timeout=10),
        lambda client: client.post("/x", Text(), stream=False, timeout=10),
        lambda client: list(client.stream_doc("/x", Text(), timeout=10)),
    ],
)
@pytest.mark.parametrize("reply", [b"\xff\xff", b"\x0a\x06\x12\x04\xff\xff\xff\xff"])
def test_a_reply_over_grpc_that_cannot_be_read_fails_the_call(call: Callable[[Any], object], reply: bytes) -> None:
    """As over WebSocket; it, or its status, is no protobuf message."""

    def react(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if event[0] == UNARY:
            connection.wire.reply(event[1], reply)
        elif event[0] == MESSAGE:
            connection.wire.send_message(event[1], reply)

    with Client(open_connection=FakeGrpcServer(react).connect) as client, pytest.raises(BadServerFlow, match="reply cannot be read"):
        call(client)
