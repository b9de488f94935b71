"""Descriptors, reflection, health, discovery and stubs against the protobuf library and those of the real packages."""

from __future__ import annotations

from typing import Any

import pytest
from fuzz.protobuf import bytes_of, real
from google.protobuf import descriptor_pb2
from hypothesis import given
from hypothesis import strategies as st

from jina.codec.descriptors import file_descriptors, with_imports
from jina.codec.service_messages import (
    answer_reflection,
    read_endpoints,
    read_health_request,
    read_info,
    write_endpoints,
    write_health_reply,
    write_info,
)
from tests.interop.testing_protobuf import as_float, json_objects, words


@pytest.mark.docarray
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_descriptors_equal_those_of_the_real_packages() -> None:
    """Names, numbers, types, oneofs and services are those that docarray, grpcio and protobuf themselves ship."""
    from docarray.proto import DocProto
    from google.protobuf import empty_pb2, struct_pb2, timestamp_pb2
    from grpc_health.v1 import health_pb2
    from grpc_reflection.v1alpha import reflection_pb2

    modules = (struct_pb2, timestamp_pb2, empty_pb2, health_pb2, reflection_pb2)
    for file in [*(module.DESCRIPTOR for module in modules), DocProto.DESCRIPTOR.file]:
        expected = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
        expected.ClearField("options")
        for message in expected.message_type:
            for each in [message, *message.nested_type]:
                for field in each.field:
                    field.ClearField("json_name")
        assert descriptor_pb2.FileDescriptorProto.FromString(file_descriptors()[file.name]) == expected


def test_descriptor_comes_with_all_it_imports() -> None:
    """A reflection client gets what it needs to build the types, in one answer."""
    names = [descriptor_pb2.FileDescriptorProto.FromString(data).name for data in with_imports("jina.proto")]

    assert names[0] == "jina.proto"
    assert {"docarray.proto", "google/protobuf/struct.proto", "google/protobuf/timestamp.proto", "google/protobuf/empty.proto"} < set(names)


def test_reflection_lists_services_and_serves_their_files() -> None:
    """The three questions that grpcurl asks, and those that have no answer."""
    from grpc_reflection.v1alpha import reflection_pb2

    ask, answer = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
    request = ask(list_services="")
    raw = answer_reflection(request.SerializeToString(), ["jina.JinaRPC", "grpc.health.v1.Health"])
    assert answer.FromString(raw).original_request == request
    assert [service.name for service in answer.FromString(raw).list_services_response.service] == ["grpc.health.v1.Health", "jina.JinaRPC"]

    for known in (
        ask(file_by_filename="jina.proto"),
        ask(file_containing_symbol="jina.JinaRPC"),
        ask(file_containing_symbol="jina.JinaRPC.Call"),
    ):
        files = answer.FromString(answer_reflection(known.SerializeToString(), [])).file_descriptor_response.file_descriptor_proto
        assert files[0] == file_descriptors()["jina.proto"]
    for unknown in (ask(file_by_filename="x"), ask(file_containing_symbol="x"), ask(all_extension_numbers_of_type="x")):
        assert answer.FromString(answer_reflection(unknown.SerializeToString(), [])).error_response.error_code == 5
    assert answer.FromString(answer_reflection(b"", [])).error_response.error_code == 3
    no_extensions = answer.FromString(answer_reflection(ask(all_extension_numbers_of_type="jina.HeaderProto").SerializeToString(), []))
    assert no_extensions.all_extension_numbers_response.base_type_name == "jina.HeaderProto"


@given(words, st.integers(0, 3))
def test_health_messages_are_grpcs(service: str, state: int) -> None:
    """What the health service reads and writes."""
    from grpc_health.v1 import health_pb2

    assert read_health_request(health_pb2.HealthCheckRequest(service=service).SerializeToString()) == service
    assert write_health_reply(state) == health_pb2.HealthCheckResponse(status=state).SerializeToString()


@given(st.lists(words, max_size=3), st.lists(words, max_size=3), json_objects)
def test_endpoints_message_has_protobufs_bytes(endpoints: list[str], write: list[str], schemas: dict[str, Any]) -> None:
    """Discovery, both ways."""
    message = real("jina.EndpointsProto")(endpoints=endpoints, write_endpoints=write)
    if schemas:
        message.schemas.update(schemas)

    written = write_endpoints(endpoints, write, schemas)
    assert written == bytes_of(message)
    assert read_endpoints(written) == (endpoints, write, as_float(schemas))


@given(st.dictionaries(words, words, max_size=4), st.dictionaries(words, words, max_size=4))
def test_info_message_has_protobufs_bytes(jina: dict[str, str], envs: dict[str, str]) -> None:
    """Versions and environment, both ways."""
    written = write_info(jina, envs)

    assert written == bytes_of(real("jina.JinaInfoProto")(jina=jina, envs=envs))
    assert read_info(written) == (jina, envs)


def test_stubs_work_on_grpcios_channels() -> None:
    """Code that brings its own grpcio can call a service with Jina's stub names and our messages."""
    import grpc

    from jina.proto import jina_pb2, jina_pb2_grpc

    def answer(request: bytes, context: Any) -> bytes:
        return request

    handlers = {"process_single_data": grpc.unary_unary_rpc_method_handler(answer)}
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("jina.JinaSingleDataRequestRPC", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            request = jina_pb2.DataRequestProto(header={"request_id": "x"})
            stub: Any = jina_pb2_grpc.JinaSingleDataRequestRPCStub(channel)
            assert stub.process_single_data(request, timeout=10) == request
    finally:
        server.stop(None).wait()
