"""Bytes, JSON forms and texts that Jina 3.33.1 itself made (tests/golden/make_jina_messages.py) against ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jina.codec.descriptors import file_descriptors
from jina.codec.message_values import message_class
from jina.codec.messages import (
    header_bytes,
    read_document_request,
    read_request,
    read_route,
    read_status,
    status_bytes,
    write_document_request,
    write_request,
)
from jina.codec.service_messages import read_endpoints, read_info, write_endpoints, write_info
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.types.request.data import Response, SingleDocumentRequest
from jina.types.request.status import StatusMessage

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "jina_messages.json").read_text())
DESCRIPTOR = bytes.fromhex(GOLDEN.pop("descriptor"))


def golden(name: str) -> bytes:
    return bytes.fromhex(GOLDEN[name]["bytes"])


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_message_of_jina_is_read_and_written_unchanged(name: str) -> None:
    """Bytes in, bytes out, and the JSON form protobuf gives there."""
    message = message_class(GOLDEN[name]["name"]).FromString(golden(name))

    assert message.to_dict() == GOLDEN[name]["json"]
    assert message.SerializeToString() == golden(name)


@pytest.mark.parametrize("name", ["request", "reply", "failed"])
def test_response_object_shows_what_jinas_shows(name: str) -> None:
    """`to_dict` (without the documents), `to_json`, and the texts of status and header."""
    response = Response(golden(name))
    response.direct_docs = []
    shown = response.to_dict()
    shown.pop("data")

    assert shown == GOLDEN[name]["to_dict"]
    assert list(shown) == [key for key in ("header", "parameters", "routes") if key in GOLDEN[name]["to_dict"]]
    assert response.to_json() == GOLDEN[name]["to_json"]
    assert str(response.status) == GOLDEN[name]["status"]
    assert str(response.header) == GOLDEN[name]["header"]


def test_single_document_request_shows_what_jinas_shows() -> None:
    """The same for streaming's message."""
    request = SingleDocumentRequest(golden("single"))
    request.direct_doc = 1
    shown = request.to_dict()
    shown.pop("document")

    assert shown == GOLDEN["single"]["to_dict"]
    assert request.to_json() == GOLDEN["single"]["to_json"]


def test_status_message_shows_what_jinas_shows() -> None:
    """What a dry run gives."""
    status = StatusMessage(golden("status"))

    assert status.to_dict() == GOLDEN["status"]["to_dict"]
    assert status.to_json() == GOLDEN["status"]["to_json"]
    assert str(status.proto) == GOLDEN["status"]["text"]


def test_failed_reply_is_built_from_its_parts() -> None:
    """The hot path's writers make exactly what Jina's objects serialise to."""
    envelope = read_request(golden("failed"))
    status = read_status(envelope.status)
    assert status.is_error
    assert (status.name, status.args, status.executor) == ("ValueError", ["x", "3"], "Mine")
    routes = [read_route(route) for route in envelope.routes]
    assert [(route.executor, route.start_s) for route in routes] == [("gateway", 1704164645.5), ("executor", 1704164645.5)]

    header = header_bytes(envelope.request_id, envelope.endpoint, "", status_bytes(*status))
    parameters = dict_to_struct(struct_to_dict(envelope.parameters))
    raw_routes = b"".join(message_class("jina.DataRequestProto")(routes=[_route(route)]).SerializeToString() for route in envelope.routes)
    assert write_request(header, parameters, raw_routes, envelope.docs) == golden("failed")


def _route(data: bytes) -> Any:
    return message_class("jina.RouteProto").FromString(data)


def test_streaming_request_is_built_from_its_parts() -> None:
    """The message of streaming endpoints."""
    envelope = read_document_request(golden("single"))

    assert struct_to_dict(envelope.parameters) == {"n": 3.0}
    assert write_document_request(header_bytes("r", "/s"), dict_to_struct({"n": 3}), b"", envelope.docs) == golden("single")


def test_discovery_and_info_are_read_and_built() -> None:
    """What a worker tells of itself."""
    endpoints = read_endpoints(golden("endpoints"))
    assert endpoints.schemas["/x"]["input"] == {"name": "Doc"}
    assert write_endpoints(*endpoints) == golden("endpoints")
    assert write_info(*read_info(golden("info"))) == golden("info")


def test_descriptor_is_jinas_own() -> None:
    """Reflection shows the same names, numbers, types, oneofs and services; only empty method options are left out."""
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    expected = descriptor_pb2.FileDescriptorProto.FromString(DESCRIPTOR)
    for service in expected.service:
        for method in service.method:
            method.ClearField("options")

    assert descriptor_pb2.FileDescriptorProto.FromString(file_descriptors()["jina.proto"]) == expected
