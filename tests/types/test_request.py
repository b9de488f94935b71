"""Request and response objects as callbacks see them."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from jina.codec.messages import header_bytes, reply_routes, status_bytes, write_document_request, write_request
from jina.codec.struct import dict_to_struct
from jina.errors import BadRequestType, NotSupportedError
from jina.proto import jina_pb2, jina_pb2_grpc
from jina.types.request import Request
from jina.types.request.data import DataRequest, Response, SingleDocumentRequest
from jina.types.request.status import StatusMessage

DOC = b"\n\x0e\n\x02id\x12\x08\n\x02d1j\x02id\n\x0a\n\x01t\x12\x05\n\x03one"  # DocProto: id='d1' (type 'id'), t='one'


def reply(status: bytes = b"", docs: bytes | None = None) -> bytes:
    docs = b"\n" + bytes([len(DOC)]) + DOC if docs is None else docs
    return write_request(header_bytes("ab" * 16, "/x", "", status), dict_to_struct({"n": 1}), reply_routes(1.5), docs)


def test_response_of_bytes_is_not_parsed_before_it_must() -> None:
    """What only passes through leaves exactly as it came."""
    raw = reply()
    response = Response(raw)

    assert response.request_id == "ab" * 16
    assert response.parameters == {"n": 1.0}
    assert not response.is_error
    assert not response.is_decompressed
    assert response.to_bytes() == bytes(response) == raw
    assert response.nbytes == len(raw)
    assert isinstance(response, DataRequest)
    assert isinstance(response, Request)


def test_header_routes_and_status_are_message_objects() -> None:
    """The attributes that existing callbacks read."""
    status = status_bytes(True, "ValueError('x')", "ValueError", ["x"], ["Traceback\n"], "Mine")
    response = Response(reply(status))

    assert response.is_error
    assert response.status.code == jina_pb2.StatusProto.ERROR
    assert response.header.status.description == "ValueError('x')"
    assert list(response.status.exception.args) == ["x"]
    assert response.status.exception.executor == "Mine"
    assert (response.header.exec_endpoint, response.header.target_executor) == ("/x", "")
    assert response.last_executor == response.routes[0].executor == "gateway"
    assert 'name: "ValueError"' in str(response.status)
    assert response.is_decompressed
    assert Response(response.to_bytes()).status == response.status


def test_documents_come_as_the_class_asked_for() -> None:
    """`document_array_cls` decides, the result is kept, and setting other documents replaces it."""
    docs = pytest.importorskip("jina.docs")

    class Mine(docs.BaseDoc):  # type: ignore[name-defined,misc]
        t: str

    response = Response(reply())
    response.document_array_cls = docs.DocList[Mine]

    assert [(doc.id, doc.t) for doc in response.docs] == [("d1", "one")]
    assert type(response.docs) is docs.DocList[Mine]
    assert response.docs is response.data.docs
    response.data.docs = docs.DocList[Mine]([Mine(id="d2", t="two")])
    assert response.docs[0].t == "two"
    assert Response(response.to_bytes()).proto.data.docs.docs[0].data["t"].text == "two"
    shown = response.to_dict()
    assert shown["data"] is response.docs
    assert list(shown) == ["header", "parameters", "routes", "data"]


def test_direct_docs_stand_before_those_in_the_message() -> None:
    """Clients over HTTP put documents in as they are."""
    response = Response()
    response.direct_docs = ["x"]

    assert response.docs == ["x"]
    assert pickle.loads(pickle.dumps(response)).docs == ["x"]


def test_parameters_are_set_as_a_whole() -> None:
    """A mapping or a pydantic model; what is set is what is sent."""
    from pydantic import BaseModel

    class Mine(BaseModel):
        top: int = 3

    request = DataRequest()
    request.parameters = {"a": [1, None, True], "b": {"c": "x"}}
    assert request.parameters == {"a": [1.0, None, True], "b": {"c": "x"}}
    request.parameters = Mine()
    assert DataRequest(request.to_bytes()).parameters == {"top": 3.0}


@pytest.mark.parametrize("form", ["proto", "bytes", "dict", "json", "snake"])
def test_request_is_made_from_any_form(form: str) -> None:
    """Message, bytes, dict in both spellings, JSON string."""
    proto = jina_pb2.DataRequestProto()
    proto.header.request_id = "x"
    proto.header.exec_endpoint = "/q"
    proto.parameters.update({"a": 1})
    proto.routes.add(executor="foo").start_time.FromJsonString("2024-01-02T03:04:05.500Z")
    source: Any = {
        "proto": proto,
        "bytes": proto.SerializeToString(),
        "dict": proto.to_dict(),
        "json": json.dumps(proto.to_dict()),
        "snake": proto.to_dict(preserving_proto_field_name=True),
    }[form]
    request = DataRequest(source)

    assert request == DataRequest(proto)
    assert request.proto.routes[0].start_time.ToJsonString() == "2024-01-02T03:04:05.500Z"
    assert json.loads(request.to_json())["header"] == {"request_id": "x", "exec_endpoint": "/q"}


def test_new_request_has_a_random_id() -> None:
    """32 hexadecimal characters."""
    first, second = DataRequest().request_id, DataRequest().request_id

    assert first != second
    assert len(first) == 32
    assert int(first, 16) >= 0


@pytest.mark.parametrize("bad", [5, "{", {"x": 1}, [1], {"header": {"request_id": 5}}, {"header": 1}])
def test_what_is_no_request_is_refused(bad: object) -> None:
    """BadRequestType, which is a TypeError, names the value."""
    with pytest.raises(BadRequestType, match="fail to construct"):
        DataRequest(bad)


def test_bytes_that_are_no_request_are_refused_when_read() -> None:
    """Bytes are not looked at before somebody asks."""
    request = DataRequest(b"\xff\xff")
    with pytest.raises(BadRequestType, match="malformed protobuf"):
        _ = request.request_id
    with pytest.raises(BadRequestType, match="malformed protobuf"):
        _ = request.proto


def test_exception_is_told_in_the_header() -> None:
    """`add_exception` fills what an Executor's error says."""

    class Mine:
        pass

    request = DataRequest()
    try:
        raise ValueError("bad", 3)
    except ValueError as error:
        request.add_exception(error, Mine())

    status = Response(request.to_bytes()).status
    assert (status.code, status.description) == (1, "ValueError('bad', 3)")
    assert (status.exception.name, list(status.exception.args), status.exception.executor) == ("ValueError", ["bad", "3"], "Mine")
    assert status.exception.stacks[0].startswith("Traceback")
    assert status.exception.stacks[-1] == "ValueError: ('bad', 3)\n"


def test_copies_are_separate_where_they_should_be() -> None:
    """A deep copy does not change with its origin; pickling keeps everything."""
    request = DataRequest()
    request.add_executor("a")
    deep = copy.deepcopy(request)
    request.add_executor("b")

    assert [route.executor for route in deep.routes] == ["a"]
    assert pickle.loads(pickle.dumps(request)) == request
    assert request.response.last_executor == "b"


def test_single_document_request_reads_its_document() -> None:
    """The message of streaming endpoints."""
    docs = pytest.importorskip("jina.docs")

    class Mine(docs.BaseDoc):  # type: ignore[name-defined,misc]
        t: str

    request = SingleDocumentRequest(write_document_request(header_bytes("r", "/s"), b"", b"", DOC))
    request.document_cls = Mine

    assert (request.request_id, request.doc.id, request.doc.t) == ("r", "d1", "one")
    request.data.doc = Mine(id="d3", t="three")
    assert SingleDocumentRequest(request.to_bytes()).proto.document.data["t"].text == "three"
    assert request.to_dict()["document"].id == "d3"


def test_status_message_tells_of_an_exception() -> None:
    """What a dry run answers."""
    status = StatusMessage()
    assert status.proto.code == jina_pb2.StatusProto.SUCCESS
    status.set_exception(ValueError("x"))

    assert StatusMessage(bytes(status)).to_dict()["exception"]["name"] == "ValueError"
    assert StatusMessage({"code": "ERROR"}).code == StatusMessage('{"code": 1}').code == 1
    assert status.to_dict()["code"] == "ERROR"
    status.set_code(jina_pb2.StatusProto.SUCCESS)
    assert status.code == 0
    with pytest.raises(BadRequestType):
        StatusMessage(5)


def test_service_names_can_be_read_as_from_protobuf() -> None:
    """Custom gateways read them for their health checks."""
    services = jina_pb2.DESCRIPTOR.services_by_name

    assert services["JinaSingleDataRequestRPC"].full_name == "jina.JinaSingleDataRequestRPC"


def test_servicers_are_gone_with_a_clear_word() -> None:
    """Stubs need grpcio's channel, servicers are not there at all."""
    with pytest.raises(NotSupportedError, match=r"jina\.Client"):
        jina_pb2_grpc.JinaRPCStub("localhost:1")
    with pytest.raises(NotSupportedError, match="Gateway"):
        _ = jina_pb2_grpc.JinaRPCServicer
