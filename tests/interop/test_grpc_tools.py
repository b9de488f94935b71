"""grpcio's clients of health and reflection, and plain calls, against our service on docarray's classes."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.interop.conftest import Service

pytestmark = [pytest.mark.process, pytest.mark.docarray]
ONE = "/jina.JinaSingleDataRequestRPC/process_single_data"


@pytest.fixture
def channel(ours: Service) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{ours.grpc}") as channel:
        yield channel


@pytest.fixture
def pool(channel: grpc.Channel) -> DescriptorPool:
    """Descriptors, all learned by reflection."""
    return DescriptorPool(ProtoReflectionDescriptorDatabase(channel))


def message(pool: DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def request(pool: DescriptorPool, endpoint: str, **fields: Any) -> Any:
    """A request with one document of these fields."""
    made = message(pool, "jina.DataRequestProto")()
    made.header.request_id, made.header.exec_endpoint = "r", endpoint
    document = made.data.docs.docs.add()
    for name, value in fields.items():
        setattr(document.data[name], {str: "text", int: "integer"}[type(value)], value)
    return made


def test_a_call_made_of_reflection_alone(channel: grpc.Channel, pool: DescriptorPool) -> None:
    """As grpcurl does: list, describe, build the messages, call."""
    database = ProtoReflectionDescriptorDatabase(channel)
    for name in database.get_services():
        service = pool.FindServiceByName(name)
        assert service.full_name == name
        for method in service.methods:
            assert message(pool, method.input_type.full_name)() is not None
            assert message(pool, method.output_type.full_name)() is not None
    method = pool.FindServiceByName("jina.JinaSingleDataRequestRPC").methods[0]
    reply_class = message_factory.GetMessageClass(method.output_type)
    call = channel.unary_unary(ONE, lambda value: value.SerializeToString(deterministic=True), reply_class.FromString)
    reply, told = call.with_call(request(pool, "/one", id="a", n=41), timeout=10)
    assert reply.data.docs.docs[0].data["n"].integer == 42
    assert (reply.header.request_id, reply.header.status.code) == ("r", 0)
    assert "is-error" not in dict(told.trailing_metadata())


def test_a_failure_is_marked_among_the_trailers(channel: grpc.Channel, pool: DescriptorPool) -> None:
    """The call succeeds; `is-error: true` tells a gateway that the reply is a failure."""
    call = channel.unary_unary(ONE, lambda value: value.SerializeToString(), message(pool, "jina.DataRequestProto").FromString)
    reply, told = call.with_call(request(pool, "/raise", id="a"), timeout=10)
    assert dict(told.trailing_metadata())["is-error"] == "true"
    assert told.code() is grpc.StatusCode.OK
    assert reply.header.status.description == "ValueError('no such word', 7)"


def test_compressed_requests_and_a_keepalive_channel(ours: Service, pool: DescriptorPool) -> None:
    """gzip, deflate, and the options that Jina's channels have."""
    options = [("grpc.keepalive_time_ms", 9999), ("grpc.keepalive_permit_without_calls", 1), ("grpc.max_receive_message_length", -1)]
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        with grpc.insecure_channel(f"127.0.0.1:{ours.grpc}", options=options, compression=compression) as channel:
            call = channel.unary_unary(ONE, lambda value: value.SerializeToString(), message(pool, "jina.DataRequestProto").FromString)
            assert call(request(pool, "/one", id="a" * 5000, n=1), timeout=10).data.docs.docs[0].data["n"].integer == 2


def test_statuses_are_those_of_grpcio(channel: grpc.Channel, pool: DescriptorPool) -> None:
    """Unknown methods, deadlines, cancelled calls, bytes that are no message; the connection goes on."""
    with pytest.raises(grpc.RpcError) as unknown:
        channel.unary_unary("/jina.Nothing/at_all")(b"", timeout=10)
    assert (unknown.value.code(), unknown.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    with pytest.raises(grpc.RpcError) as late:
        channel.unary_unary(ONE)(request(pool, "/sleep", id="a").SerializeToString(), timeout=0.2)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    waiting = channel.unary_unary(ONE).future(request(pool, "/sleep", id="a").SerializeToString(), timeout=10)
    waiting.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        waiting.result()
    with pytest.raises(grpc.RpcError) as malformed:
        channel.unary_unary(ONE)(b"\xff\xff\xff", timeout=10)
    assert malformed.value.code() is grpc.StatusCode.INTERNAL
    assert channel.unary_unary("/jina.JinaGatewayDryRunRPC/dry_run")(b"", timeout=10) == b""


def test_health_answers_grpcios_client(channel: grpc.Channel) -> None:
    """The server as a whole, advertised services, and NOT_FOUND for others; Watch tells SERVICE_UNKNOWN instead."""
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "jina.JinaRPC", "served"):
        assert health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as unknown:
        health.Check(health_pb2.HealthCheckRequest(service="nothing"), timeout=10)
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    watched = health.Watch(health_pb2.HealthCheckRequest(service="nothing"), timeout=10)
    assert next(watched).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watched.cancel()


def test_pings_without_calls_are_answered(ours: Service) -> None:
    """A PING each time gets its ACK, and no GOAWAY."""
    with socket.create_connection(("127.0.0.1", ours.grpc), timeout=10) as peer:
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
        stream = peer.makefile("rb")
        for number in range(5):
            peer.sendall(b"\0\0\x08\x06\0\0\0\0\0" + struct.pack(">Q", number))
            while True:
                head = stream.read(9)
                body = stream.read(int.from_bytes(head[:3], "big"))
                assert head[3] != 7, "GOAWAY"
                if head[3] == 6:
                    break
            assert (head[4], body) == (1, struct.pack(">Q", number))


def test_a_stream_over_http_tells_its_failure(ours: Service) -> None:
    """The documents so far, then an event that says what happened."""
    import urllib.request

    asked = urllib.request.Request(f"http://127.0.0.1:{ours.http}/stream-raise", json.dumps({"id": "a"}).encode(), method="POST")
    asked.add_header("content-type", "application/json")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        events = answer.read().decode().split("\r\n\r\n")
    assert events[0].startswith("event: update\r\ndata: ")
    assert events[1].startswith("event: error\r\n")
    assert "in the middle" in events[1]
