"""Our client against grpcio's server, which sees exactly what we send."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from jina.client import Client
from jina.docs import BaseDoc, DocList
from jina.errors import BadServerFlow
from jina.proto import jina_pb2

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Text(BaseDoc):
    text: str = ""


class Service(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Jina's services, each request given back; what was seen is noted."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.times_left: list[float | None] = []

    def service(self, details: Any) -> Any:
        name = details.method.rpartition("/")[2]
        if name == "process_single_data":
            return grpc.unary_unary_rpc_method_handler(self.single)
        if name == "Call":
            return grpc.stream_stream_rpc_method_handler(self.call)
        if name == "stream_doc":
            return grpc.unary_stream_rpc_method_handler(self.stream_doc)
        if name == "dry_run":
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
        return None

    def note(self, context: Any, data: bytes) -> Any:
        self.metadata.append(dict(context.invocation_metadata()))
        self.times_left.append(context.time_remaining())
        self.requests.append(jina_pb2.DataRequestProto.FromString(data))
        return self.requests[-1]

    def single(self, data: bytes, context: Any) -> bytes:
        request = self.note(context, data)
        if request.header.exec_endpoint == "/limit":
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "zu groß: 100 %")
        if request.header.exec_endpoint == "/sleep":
            time.sleep(0.3)
        return data

    def call(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for data in messages:
            self.note(context, data)
            yield data

    def stream_doc(self, data: bytes, context: Any) -> Iterator[bytes]:
        yield from (data, data, data)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def client(service: Service) -> Iterator[Any]:
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(service,), options=OPTIONS, compression=grpc.Compression.Gzip)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client(host=f"grpc://127.0.0.1:{port}") as made:
        yield made
    server.stop(None).wait()


@pytest.mark.parametrize("stream", [True, False])
def test_request_has_what_jinas_has(service: Service, client: Any, stream: bool) -> None:
    """Endpoint, target, parameters, documents; metadata for order and prefetch; documents come back."""
    docs = client.post(
        "/x",
        [Text(text=str(number)) for number in range(5)],
        request_size=2,
        stream=stream,
        results_in_order=True,
        prefetch=7,
        target_executor="exec.*",
        metadata=(("x-colour", "red"), ("x-raw-bin", b"\0\xff")),
        return_type=DocList[Text],
    )

    assert docs.text == ["0", "1", "2", "3", "4"]
    assert [len(request.data.docs.docs) for request in sorted(service.requests, key=lambda r: -len(r.data.docs.docs))] == [2, 2, 1]
    first = service.requests[0]
    assert (first.header.exec_endpoint, first.header.target_executor) == ("/x", "exec.*")
    assert len({request.header.request_id for request in service.requests}) == 3
    assert "__results__" in first.parameters
    seen = service.metadata[0]
    assert (seen["__results_in_order__"], seen["__prefetch__"]) == ("true", "7")
    assert (seen["x-colour"], seen["x-raw-bin"]) == ("red", b"\0\xff")


@pytest.mark.parametrize("compression", ["Gzip", "Deflate"])
def test_compression_both_ways(client: Any, compression: str) -> None:
    """grpcio reads what we compressed, and we what it did."""
    text = "a" * 100_000

    assert client.post("/x", Text(text=text), compression=compression, return_type=Text).text == text
    assert client.post("/x", Text(text=text), compression=compression, return_type=Text, stream=False).text == text


def test_large_messages_pass_both_flow_controls(client: Any) -> None:
    """Ten megabytes there and back."""
    text = random.Random(1).randbytes(5_000_000).hex()

    assert client.post("/x", Text(text=text), return_type=Text).text == text


def test_status_with_odd_text(client: Any) -> None:
    """Percent-encoded by grpcio, read by us."""
    with pytest.raises(BadServerFlow, match="zu groß: 100 %") as caught:
        client.post("/limit", Text(), stream=False)

    error: Any = caught.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_deadline_is_seen_and_kept(service: Service, client: Any) -> None:
    """The server knows the time left, and we do not wait longer."""
    with pytest.raises(ConnectionError) as caught:
        client.post("/sleep", Text(), stream=False, timeout=0.1)

    error: Any = caught.value
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0 < (service.times_left[0] or 0) <= 0.1


def test_method_that_is_not_there() -> None:
    """UNIMPLEMENTED is a BadServerFlow."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client(port=port) as client, pytest.raises(BadServerFlow, match="UNIMPLEMENTED"):
        client.post("/x", Text())
    server.stop(None).wait()


def test_stream_and_readiness(client: Any) -> None:
    """The other services that the client uses."""
    assert [doc.text for doc in client.stream_doc("/x", Text(text="a"), return_type=Text)] == ["a", "a", "a"]
    assert client.is_flow_ready()


def test_calls_beyond_the_servers_limit_wait() -> None:
    """With two streams allowed at a time forty calls are all answered."""
    service = Service()
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(service,), options=[("grpc.max_concurrent_streams", 2)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client(port=port) as client:
        docs = client.post("/x", [Text(text=str(n)) for n in range(40)], request_size=1, stream=False, return_type=DocList[Text])
    server.stop(None).wait()

    assert len(docs) == 40
