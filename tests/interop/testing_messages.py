"""The messages and methods of gRPC's interoperability service, `grpc.testing.TestService`, made of a table at run time."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "/grpc.testing.TestService/"
_KINDS = {"bool": 8, "bytes": 12, "string": 9, "int32": 5}
_REPEATED, _OPTIONAL, _MESSAGE, _ENUM = 3, 1, 11, 14
_MESSAGES: dict[str, list[tuple[int, str, str]]] = {
    "Empty": [],
    "BoolValue": [(1, "bool", "value")],
    "Payload": [(1, "PayloadType", "type"), (2, "bytes", "body")],
    "EchoStatus": [(1, "int32", "code"), (2, "string", "message")],
    "SimpleRequest": [
        (1, "PayloadType", "response_type"),
        (2, "int32", "response_size"),
        (3, "Payload", "payload"),
        (4, "bool", "fill_username"),
        (5, "bool", "fill_oauth_scope"),
        (6, "BoolValue", "response_compressed"),
        (7, "EchoStatus", "response_status"),
        (8, "BoolValue", "expect_compressed"),
    ],
    "SimpleResponse": [(1, "Payload", "payload"), (2, "string", "username"), (3, "string", "oauth_scope")],
    "StreamingInputCallRequest": [(1, "Payload", "payload"), (2, "BoolValue", "expect_compressed")],
    "StreamingInputCallResponse": [(1, "int32", "aggregated_payload_size")],
    "ResponseParameters": [(1, "int32", "size"), (2, "int32", "interval_us"), (3, "BoolValue", "compressed")],
    "StreamingOutputCallRequest": [
        (1, "PayloadType", "response_type"),
        (2, "repeated ResponseParameters", "response_parameters"),
        (3, "Payload", "payload"),
        (7, "EchoStatus", "response_status"),
    ],
    "StreamingOutputCallResponse": [(1, "Payload", "payload")],
}
METHODS = {
    "EmptyCall": ("Empty", "Empty", False, False),
    "UnaryCall": ("SimpleRequest", "SimpleResponse", False, False),
    "CacheableUnaryCall": ("SimpleRequest", "SimpleResponse", False, False),
    "StreamingOutputCall": ("StreamingOutputCallRequest", "StreamingOutputCallResponse", False, True),
    "StreamingInputCall": ("StreamingInputCallRequest", "StreamingInputCallResponse", True, False),
    "FullDuplexCall": ("StreamingOutputCallRequest", "StreamingOutputCallResponse", True, True),
    "UnimplementedCall": ("Empty", "Empty", False, False),
}
"""Request, reply, whether requests and whether replies are a stream."""


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="openjina_interop.proto", package="grpc.testing", syntax="proto3")
    file.enum_type.add(name="PayloadType").value.add(name="COMPRESSABLE", number=0)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, kind, field in fields:
            kind, is_many = kind.removeprefix("repeated "), kind.startswith("repeated ")
            added = message.field.add(name=field, number=number, label=_REPEATED if is_many else _OPTIONAL)
            if kind in _KINDS:
                added.type = _KINDS[kind]  # type: ignore[assignment]
            else:
                added.type, added.type_name = _ENUM if kind == "PayloadType" else _MESSAGE, f".grpc.testing.{kind}"  # type: ignore[assignment]
    for service, methods in {"TestService": list(METHODS), "UnimplementedService": ["UnimplementedCall"]}.items():
        made = file.service.add(name=service)
        for method in methods:
            takes, gives, is_client_stream, is_server_stream = METHODS[method]
            made.method.add(
                name=method,
                input_type=f".grpc.testing.{takes}",
                output_type=f".grpc.testing.{gives}",
                client_streaming=is_client_stream,
                server_streaming=is_server_stream,
            )
    return file


_FILE = _file()
_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_FILE)


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"grpc.testing.{name}"))


SimpleRequest, SimpleResponse = _class("SimpleRequest"), _class("SimpleResponse")
StreamingInputCallRequest, StreamingInputCallResponse = _class("StreamingInputCallRequest"), _class("StreamingInputCallResponse")
StreamingOutputCallRequest, StreamingOutputCallResponse = _class("StreamingOutputCallRequest"), _class("StreamingOutputCallResponse")


def descriptor_set() -> bytes:
    """What other languages' loaders read: a FileDescriptorSet."""
    return descriptor_pb2.FileDescriptorSet(file=[_FILE]).SerializeToString()


def payload(size: int) -> dict[str, bytes]:
    """A payload of zeros."""
    return {"body": bytes(size)}
