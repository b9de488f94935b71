"""The message classes of package `jina` under the name that code written for Jina 3 imports.

They are our own (`jina.codec.message_values`), made from the message tables, and behave like protobuf's where people use them:
attributes, `SerializeToString`, `FromString`, `ParseFromString`, `CopyFrom`, `HasField`, `WhichOneof`, `ListFields`, `to_dict`.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from jina.codec import message_tables as _tables
from jina.codec.message_values import Message as _Message
from jina.codec.message_values import message_class

RouteProto: type[_Message] = message_class("jina.RouteProto")
JinaInfoProto: type[_Message] = message_class("jina.JinaInfoProto")
HeaderProto: type[_Message] = message_class("jina.HeaderProto")
EndpointsProto: type[_Message] = message_class("jina.EndpointsProto")
StatusProto: type[_Message] = message_class("jina.StatusProto")
RelatedEntity: type[_Message] = message_class("jina.RelatedEntity")
DataRequestProto: type[_Message] = message_class("jina.DataRequestProto")
SingleDocumentRequestProto: type[_Message] = message_class("jina.SingleDocumentRequestProto")
DataRequestProtoWoData: type[_Message] = message_class("jina.DataRequestProtoWoData")
DataRequestListProto: type[_Message] = message_class("jina.DataRequestListProto")
SnapshotId: type[_Message] = message_class("jina.SnapshotId")
RestoreId: type[_Message] = message_class("jina.RestoreId")
SnapshotStatusProto: type[_Message] = message_class("jina.SnapshotStatusProto")
RestoreSnapshotStatusProto: type[_Message] = message_class("jina.RestoreSnapshotStatusProto")
RestoreSnapshotCommand: type[_Message] = message_class("jina.RestoreSnapshotCommand")


class ServiceDescriptor(NamedTuple):
    """A service's name, as people read it for health checks and reflection."""

    name: str
    full_name: str
    methods: tuple[_tables.Method, ...]


class FileDescriptor(NamedTuple):
    """What people ask of `jina_pb2.DESCRIPTOR`."""

    name: str
    package: str
    services_by_name: dict[str, ServiceDescriptor]
    serialized_pb: bytes


@cache
def _descriptor() -> FileDescriptor:
    from jina.codec.descriptors import file_descriptors

    file = next(file for file in _tables.files() if file.name == "jina.proto")
    services = [ServiceDescriptor(service.name.rpartition(".")[2], service.name, service.methods) for service in file.services]
    return FileDescriptor(file.name, file.package, {service.name: service for service in services}, file_descriptors()[file.name])


def __getattr__(name: str) -> FileDescriptor:
    if name == "DESCRIPTOR":
        return _descriptor()
    raise AttributeError(f"module 'jina.proto.jina_pb2' has no attribute {name!r}")
