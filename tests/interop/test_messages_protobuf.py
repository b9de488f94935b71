"""Our message codecs against the protobuf library: the same bytes, the same values, the same refusals."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from fuzz.protobuf import bytes_of, real
from google.protobuf import descriptor_pb2, json_format
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.codec import message_tables as tables
from jina.codec.descriptors import file_descriptors, with_imports
from jina.codec.message_values import message_class
from jina.codec.messages import (
    header_bytes,
    read_document_request,
    read_request,
    read_route,
    read_status,
    reply_routes,
    route_bytes,
    status_bytes,
    write_document_request,
    write_reply,
    write_request,
)
from jina.codec.service_messages import (
    answer_reflection,
    read_endpoints,
    read_health_request,
    read_info,
    write_endpoints,
    write_health_reply,
    write_info,
)
from jina.codec.struct import dict_to_struct, json_to_value, struct_to_dict, value_to_json
from jina.codec.varint import varint
from jina.errors import InvalidInputError, MalformedError, UnencodableError

Request = real("jina.DataRequestProto")
Struct = real("google.protobuf.Struct")

words = st.text(max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
json_objects = st.dictionaries(words, json_values, max_size=5)


def as_float(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_float(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_float(item) for item in value]
    return float(value) if type(value) is int else value


_scalars: dict[str, st.SearchStrategy[Any]] = {
    "string": words,
    "bytes": st.binary(max_size=12),
    "bool": st.booleans(),
    "double": st.floats(allow_nan=False),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
}


def fill(draw: Any, message: Any, depth: int) -> None:
    """Set random fields of one of protobuf's messages."""
    table = tables.messages()[message.DESCRIPTOR.full_name]
    for field in table.fields:
        if (depth <= 0 and field.is_message) or not draw(st.booleans()):
            continue
        target = getattr(message, field.name)
        scalar: Any = st.integers(0, 1) if field.is_enum else _scalars.get(field.type)
        if field.is_map:
            for key in draw(st.sets(words, max_size=3)):
                if field.is_message:
                    fill(draw, target[key], depth - 1)
                else:
                    target[key] = draw(words)
        elif field.is_repeated and field.is_message:
            for _ in range(draw(st.integers(0, 2))):
                fill(draw, target.add(), depth - 1)
        elif field.is_repeated:
            target.extend(draw(st.lists(scalar, max_size=3)))
        elif field.is_message:
            target.SetInParent()
            fill(draw, target, depth - 1)
        else:
            setattr(message, field.name, draw(scalar))


@st.composite
def messages(draw: Any, name: str) -> Any:
    message = real(name)()
    fill(draw, message, 4)
    return message


MESSAGES = [name for name in tables.messages() if not name.startswith("grpc.reflection.v1.")]


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_message_is_read_and_written_as_protobuf_does(name: str, data: st.DataObject) -> None:
    """Parsing protobuf's bytes and serialising again gives the same bytes; so does the JSON form; so does the text form."""
    message = data.draw(messages(name))
    ours = message_class(name).FromString(bytes_of(message))

    assert ours.SerializeToString() == bytes_of(message)
    assert [field.name for field, _ in ours.ListFields()] == [field.name for field, _ in message.ListFields()]
    assert sorted(str(ours).splitlines()) == sorted(str(message).splitlines())  # protobuf prints maps in no order
    try:
        expected = json_format.MessageToDict(message)
    except (json_format.SerializeToJsonError, ValueError):
        return
    assert ours.to_dict() == expected


@pytest.mark.parametrize("name", ["jina.DataRequestProto", "docarray.DocProto", "jina.StatusProto", "google.protobuf.Struct"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_two_serialisations_in_a_row_merge_as_protobuf_merges_them(name: str, data: st.DataObject) -> None:
    """Joined bytes are one message in which repeated fields grow, oneofs change over and submessages are merged."""
    joined = bytes_of(data.draw(messages(name))) + bytes_of(data.draw(messages(name)))

    assert message_class(name).FromString(joined).SerializeToString() == bytes_of(real(name).FromString(joined))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_do_more_than_protobuf_allows(data: st.DataObject) -> None:
    """A cut, a flipped byte or noise ends in MalformedError or in a message, and in nothing else."""
    good = bytes_of(data.draw(messages("jina.DataRequestProto")))
    damaged = data.draw(st.sampled_from(["cut", "flip", "noise"]))
    if damaged == "cut" and good:
        good = good[: data.draw(st.integers(0, len(good) - 1))]
    elif damaged == "flip" and good:
        at = data.draw(st.integers(0, len(good) - 1))
        good = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
    else:
        good = data.draw(st.binary(max_size=40))
    try:
        expected = real("jina.DataRequestProto").FromString(good)
    except Exception:
        expected = None
    try:
        envelope = read_request(good)
    except MalformedError:
        assert expected is None or b"\x80" in good or any(byte > 0x7F for byte in good)
        return
    if expected is not None:
        assert envelope.request_id == expected.header.request_id
        assert envelope.endpoint == (expected.header.exec_endpoint if expected.header.HasField("exec_endpoint") else None)
        assert len(envelope.routes) == len(expected.routes)


@settings(max_examples=200, deadline=None)
@given(json_objects)
def test_struct_has_protobufs_bytes_and_comes_back_as_it_went(value: dict[str, Any]) -> None:
    """Every JSON object survives, with numbers as floats, in protobuf's deterministic bytes."""
    message = Struct()
    message.update(value)

    assert dict_to_struct(value) == bytes_of(message)
    assert struct_to_dict(bytes_of(message)) == as_float(value)


@pytest.mark.parametrize("value", [True, False, 0, 1, -1, 2**53, 1.5, -0.0, None, "", "ü", [], {}, [[]], (1, "x"), [None, {"a": []}]])
def test_value_has_protobufs_bytes(value: Any) -> None:
    """Bools stay bools, ints become floats, None is null, a tuple is a list."""
    message = real("google.protobuf.Value")()
    plain: Any = list(value) if isinstance(value, tuple) else value
    json_format.ParseDict(plain, message)

    assert json_to_value(value) == bytes_of(message)
    back = value_to_json(bytes_of(message))
    assert back == (list(value) if isinstance(value, tuple) else value)
    assert isinstance(back, bool) == isinstance(value, bool)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_struct_with_merged_and_unset_values_reads_as_in_protobuf(data: st.DataObject) -> None:
    """Whatever protobuf can hold in a Struct (values without a kind, doubled entries) reads as its JSON form says."""
    raw = bytes_of(data.draw(messages("google.protobuf.Struct"))) + bytes_of(data.draw(messages("google.protobuf.Struct")))
    try:
        expected = json_format.MessageToDict(Struct.FromString(raw))
    except (json_format.SerializeToJsonError, ValueError):
        with pytest.raises(InvalidInputError):
            struct_to_dict(raw)
        return

    assert struct_to_dict(raw) == expected


def test_a_value_given_in_two_parts_is_merged() -> None:
    """An entry whose value field comes twice holds both parts."""
    first = bytes_of(real("google.protobuf.Value")(struct_value=Struct(fields={"a": real("google.protobuf.Value")(bool_value=True)})))
    second = bytes_of(real("google.protobuf.Value")(struct_value=Struct(fields={"b": real("google.protobuf.Value")(number_value=2)})))
    entry = b"\n\x01k" + b"\x12" + bytes([len(first)]) + first + b"\x12" + bytes([len(second)]) + second
    raw = b"\n" + bytes([len(entry)]) + entry

    assert struct_to_dict(raw) == json_format.MessageToDict(Struct.FromString(raw)) == {"k": {"a": True, "b": 2.0}}


@settings(max_examples=200, deadline=None)
@given(words, st.none() | words, st.none() | words, json_objects, st.binary(max_size=20))
def test_request_has_protobufs_bytes(
    request_id: str, endpoint: str | None, target: str | None, parameters: dict[str, Any], blob: bytes
) -> None:
    """A request written by hand equals protobuf's, and reads back to its parts."""
    docs = real("docarray.DocListProto")()
    docs.docs.add().data["x"].blob = blob
    message = Request()
    message.header.SetInParent()
    message.header.request_id = request_id
    if endpoint is not None:
        message.header.exec_endpoint = endpoint
    if target is not None:
        message.header.target_executor = target
    message.parameters.update(parameters)
    if not parameters:
        message.ClearField("parameters")
    message.data.docs.CopyFrom(docs)

    written = write_request(header_bytes(request_id, endpoint, target), dict_to_struct(parameters), b"", bytes_of(docs))
    assert written == bytes_of(message)
    envelope = read_request(written)
    assert (envelope.request_id, envelope.endpoint, envelope.target_executor) == (request_id, endpoint, target)
    assert struct_to_dict(envelope.parameters) == as_float(parameters)
    assert envelope.docs == bytes_of(docs)
    assert (envelope.status, envelope.routes, envelope.docs_bytes, envelope.unknown) == (b"", (), None, b"")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_request_of_protobuf_is_split_right(data: st.DataObject) -> None:
    """All parts of random requests, merged ones included, are those that protobuf sees."""
    raw = bytes_of(data.draw(messages("jina.DataRequestProto"))) + bytes_of(data.draw(messages("jina.DataRequestProto")))
    message = Request.FromString(raw)
    envelope = read_request(raw)

    assert envelope.request_id == message.header.request_id
    assert envelope.endpoint == (message.header.exec_endpoint if message.header.HasField("exec_endpoint") else None)
    assert envelope.target_executor == (message.header.target_executor if message.header.HasField("target_executor") else None)
    assert bytes_of(real("jina.StatusProto").FromString(envelope.status)) == bytes_of(message.header.status)
    assert bytes_of(Struct.FromString(envelope.parameters)) == bytes_of(message.parameters)
    assert [bytes_of(real("jina.RouteProto").FromString(route)) for route in envelope.routes] == [
        bytes_of(route) for route in message.routes
    ]
    which = message.data.WhichOneof("documents")
    assert (envelope.docs is not None) == (which == "docs")
    assert bytes_of(real("docarray.DocListProto").FromString(envelope.docs or b"")) == bytes_of(message.data.docs)
    assert envelope.docs_bytes == (message.data.docs_bytes if which == "docs_bytes" else None)
    assert [read_route(route).executor for route in envelope.routes] == [route.executor for route in message.routes]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_single_document_request_is_split_and_written_right(data: st.DataObject) -> None:
    """The message of streaming endpoints, both ways."""
    message = data.draw(messages("jina.SingleDocumentRequestProto"))
    message.header.SetInParent()
    envelope = read_document_request(bytes_of(message))

    assert (envelope.docs is not None) == message.HasField("document")
    assert bytes_of(real("docarray.DocProto").FromString(envelope.docs or b"")) == bytes_of(message.document)
    routes = b"".join(b"\x1a" + _size(route) + route for route in envelope.routes)
    again = write_document_request(envelope.header, envelope.parameters, routes, envelope.docs)
    assert bytes_of(real("jina.SingleDocumentRequestProto").FromString(again)) == _without_empty_parameters(message)


def _size(data: bytes) -> bytes:
    return bytes([len(data) & 127 | 128, len(data) >> 7]) if len(data) > 127 else bytes([len(data)])


def _without_empty_parameters(message: Any) -> bytes:
    if not message.parameters.fields:
        message.ClearField("parameters")
    return bytes(bytes_of(message))


@given(st.booleans(), words, words, st.lists(words, max_size=3), st.lists(words, max_size=3), words)
def test_status_has_protobufs_bytes(is_error: bool, description: str, name: str, args: list[str], stacks: list[str], executor: str) -> None:
    """What an Executor's error says arrives, in protobuf's bytes."""
    message = real("jina.StatusProto")(code=int(is_error), description=description)
    if name or args or stacks or executor:
        message.exception.CopyFrom(real("jina.StatusProto.ExceptionProto")(name=name, args=args, stacks=stacks, executor=executor))

    written = status_bytes(is_error, description, name, args, stacks, executor)
    assert written == bytes_of(message)
    assert read_status(written) == (is_error, description, name, args, stacks, executor)


@given(st.floats(min_value=-1e9, max_value=4e9), words)
def test_routes_have_protobufs_bytes(moment: float, name: str) -> None:
    """Times of a route are exact Timestamps for every number of seconds, negative ones included."""
    seconds = math.floor(moment)
    nanos = int((moment - seconds) * 1e9)
    route = real("jina.RouteProto")(executor=name)
    for stamp in (route.start_time, route.end_time):
        stamp.SetInParent()
        stamp.seconds, stamp.nanos = seconds, nanos
    route.status.code = 1
    expected = Request(routes=[route])

    written = route_bytes(name, moment, moment, status_bytes(True))
    assert written == bytes_of(expected)
    parts = read_route(bytes_of(route))
    assert parts.executor == name
    assert parts.start_s == pytest.approx(moment, abs=1e-6)
    assert read_status(parts.status).is_error


def test_reply_is_read_by_protobuf_with_routes_and_status() -> None:
    """A whole reply as the front writes it: target emptied, gateway first, the failed stop with the status."""

    class Stop:
        def __init__(self, executor: str, is_failed: bool) -> None:
            self.executor, self.start_s, self.end_s, self.is_failed = executor, 1.25, 2.5, is_failed

    status = status_bytes(True, "ValueError('x')", "ValueError", ["x"], ["Traceback\n", "ValueError: x\n"], "E")
    routes = reply_routes(time.time() - 1, [Stop("a", False), Stop("b", True)], status)
    message = Request.FromString(write_reply("ab" * 16, "/x", status, dict_to_struct({"a": 1}), routes, b""))

    assert message.header.HasField("target_executor")
    assert message.header.target_executor == ""
    assert message.header.status.exception.executor == "E"
    assert [route.executor for route in message.routes] == ["gateway", "a", "b"]
    assert message.routes[0].end_time.ToNanoseconds() > message.routes[0].start_time.ToNanoseconds()
    assert message.routes[2].status == message.header.status
    assert message.routes[2].end_time.ToJsonString() == "1970-01-01T00:00:02.500Z"
    assert message.data.WhichOneof("documents") == "docs"


def test_fields_of_the_future_are_kept() -> None:
    """A field we do not know is not lost on the way through."""
    future = b"\xa2\x06\x03new"
    raw = write_request(header_bytes("a", "/x")) + future

    assert read_request(raw).unknown == future
    assert message_class("jina.DataRequestProto").FromString(raw).SerializeToString() == raw


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": {"b": [1, object]}}, "parameters.a.b[1]"),
        ({"a": math.nan}, "parameters.a"),
        ({"a": {"b": math.inf}}, "parameters.a.b"),
        ({"a": b"x"}, "parameters.a"),
        ({"a": 10**400}, "parameters.a"),
        ({1: 2}, "parameters"),
        ({"a": "\ud800"}, "parameters.a"),
    ],
)
def test_values_that_are_not_json_are_refused_by_name(value: Any, place: str) -> None:
    """The error says where the value stands."""
    with pytest.raises(UnencodableError, match="- at `" + place.replace("[", r"\[").replace("]", r"\]") + "`"):
        dict_to_struct(value)


def nested(depth: int) -> bytes:
    value = Struct()
    for _ in range(depth):
        outer = Struct()
        outer.fields["k"].struct_value.CopyFrom(value)
        value = outer
    return bytes(bytes_of(value))


def test_parameters_may_nest_64_deep_and_no_deeper() -> None:
    """Depth is bounded before Python's own limit is near."""
    assert struct_to_dict(nested(20))
    raw = b""
    for _ in range(1000):
        value = b"*" + varint(len(raw)) + raw
        entry = b"\n\x01k\x12" + varint(len(value)) + value
        raw = b"\n" + varint(len(entry)) + entry
    with pytest.raises(InvalidInputError, match="deeper than 64") as failure:
        struct_to_dict(raw)
    assert failure.value.details[0]["loc"][:2] == ("parameters", "k")

    deep: dict[str, Any] = {}
    for _ in range(1000):
        deep = {"k": deep}
    with pytest.raises(UnencodableError, match="deeper than 64"):
        dict_to_struct(deep)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_are_refused_by_place(number: float) -> None:
    """NaN and infinities inside parameters are the caller's mistake."""
    message = Struct()
    message.update({"a": [0, {"b": 1}]})
    message.fields["a"].list_value.values[1].struct_value.fields["b"].number_value = number

    with pytest.raises(InvalidInputError) as failure:
        struct_to_dict(bytes_of(message))
    assert failure.value.details[0]["loc"] == ("parameters", "a", 1, "b")


def test_request_id_that_is_not_text_is_malformed() -> None:
    """Bytes that are not UTF-8 in a string field are refused, as protobuf refuses them."""
    with pytest.raises(MalformedError, match="request_id"):
        read_request(b"\n\x04\n\x02\xff\xff")


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


@pytest.mark.parametrize("name", ["jina.StatusProto", "docarray.NodeProto", "google.protobuf.Struct", "jina.RouteProto"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_messages_are_taken_and_refused_where_protobuf_does(name: str, data: st.DataObject) -> None:
    """After a cut, a flipped byte, or noise: the same verdict and the same bytes; only tags that are longer than need be differ."""
    raw = bytearray(bytes_of(data.draw(messages(name))))
    for _ in range(data.draw(st.integers(0, 2))):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 127) | st.integers(0, 255))
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw))) :]
    try:
        expected = real(name).FromString(bytes(raw))
    except Exception:
        with pytest.raises(MalformedError):
            message_class(name).FromString(bytes(raw))
        return
    try:
        ours = message_class(name).FromString(bytes(raw))
    except MalformedError as error:
        if "no field has the tag" not in str(error):
            raise
        return
    if name.startswith("jina."):  # protobuf (upb) takes a map entry that holds an unknown field for an unknown field itself
        assert ours.SerializeToString() == bytes_of(expected)


@pytest.mark.parametrize("tag", [0x0A, 0x52, 0x12])
@pytest.mark.parametrize("size", [b"\0", b"\x80" * 4 + b"\0", b"\x80" * 5 + b"\0", b"\x80" * 9 + b"\x02"])
def test_sizes_in_too_many_bytes_are_refused_as_protobuf_does(tag: int, size: bytes) -> None:
    """Five at most, of known fields and unknown ones."""
    raw = bytes([tag]) + size
    if len(size) > 5:
        with pytest.raises(DecodeError):
            real("jina.RouteProto").FromString(raw)
        with pytest.raises(MalformedError):
            message_class("jina.RouteProto").FromString(raw)
    else:
        assert message_class("jina.RouteProto").FromString(raw).SerializeToString() == bytes_of(real("jina.RouteProto").FromString(raw))


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
