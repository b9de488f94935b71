"""Every protobuf message that openjina speaks, as one table.

The numbers and names are those of the services that existing clients call (Jina 3, docarray, gRPC health and reflection, and the
well-known types they use). Message classes (`message_values.py`) and reflection's descriptors (`descriptors.py`) are both made from
it, so they cannot disagree. The hot path (`messages.py`) does not read it.

The notation, one thing a line: `message NAME` (dots for nesting), `enum NAME`, `service NAME`, and below them
`NUMBER TYPE NAME`, `NUMBER NAME` and `METHOD IN OUT`. `?` after a number: explicit presence; `*`: repeated; `(x)`: in the oneof x;
`map:T`: a map from string to T. `>` before a method's type: a stream of it. Types are looked up from the inside out.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

SCALARS: Final = frozenset({"string", "bytes", "bool", "double", "int32", "int64", "uint32", "uint64"})


class Field(NamedTuple):
    """One field; `type` is a scalar's name, or the full name of a message or enum; that of its values for a map."""

    number: int
    name: str
    type: str
    is_message: bool = False
    is_enum: bool = False
    is_repeated: bool = False
    is_optional: bool = False
    is_map: bool = False
    oneof: str = ""


class Enum(NamedTuple):
    """An enum: names and numbers in the order of declaration."""

    name: str
    values: tuple[tuple[str, int], ...]


class Message(NamedTuple):
    """A message; names are full ones (`jina.StatusProto.ExceptionProto`), nested things stand in their parent."""

    name: str
    fields: tuple[Field, ...]
    messages: tuple[Message, ...] = ()
    enums: tuple[Enum, ...] = ()


class Method(NamedTuple):
    """One RPC; types are full names."""

    name: str
    input: str
    output: str
    is_client_stream: bool
    is_server_stream: bool


class Service(NamedTuple):
    """A gRPC service."""

    name: str
    methods: tuple[Method, ...]


class File(NamedTuple):
    """One .proto file."""

    name: str
    package: str
    imports: tuple[str, ...]
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]
    services: tuple[Service, ...]


_TIMESTAMP = """
message Timestamp
    1 int64 seconds
    2 int32 nanos
"""

_EMPTY = """
message Empty
"""

_STRUCT = """
message Struct
    1 map:Value fields
message Value
    1 NullValue null_value (kind)
    2 double number_value (kind)
    3 string string_value (kind)
    4 bool bool_value (kind)
    5 Struct struct_value (kind)
    6 ListValue list_value (kind)
message ListValue
    1* Value values
enum NullValue
    0 NULL_VALUE
"""

_DOCARRAY = """
message DenseNdArrayProto
    1 bytes buffer
    2* uint32 shape
    3 string dtype
message NdArrayProto
    1 DenseNdArrayProto dense
    2 google.protobuf.Struct parameters
message KeyValuePair
    1 google.protobuf.Value key
    2 google.protobuf.Value value
message GenericDictValue
    1* KeyValuePair entries
message NodeProto
    1 string text (content)
    2 int32 integer (content)
    3 double float (content)
    4 bool boolean (content)
    5 bytes blob (content)
    6 NdArrayProto ndarray (content)
    7 DocProto doc (content)
    8 DocListProto doc_array (content)
    9 ListOfAnyProto list (content)
    10 ListOfAnyProto set (content)
    11 ListOfAnyProto tuple (content)
    12 DictOfAnyProto dict (content)
    13 string type (docarray_type)
message DocProto
    1 map:NodeProto data
message DictOfAnyProto
    1 map:NodeProto data
message ListOfAnyProto
    1* NodeProto data
message DocListProto
    1* DocProto docs
message ListOfDocArrayProto
    1* DocListProto data
message ListOfDocVecProto
    1* DocVecProto data
message DocVecProto
    1 map:NdArrayProto tensor_columns
    2 map:DocVecProto doc_columns
    3 map:ListOfDocVecProto docs_vec_columns
    4 map:ListOfAnyProto any_columns
"""

_JINA = """
message RouteProto
    1 string executor
    2 google.protobuf.Timestamp start_time
    3 google.protobuf.Timestamp end_time
    4 StatusProto status
message JinaInfoProto
    1 map:string jina
    2 map:string envs
message HeaderProto
    1 string request_id
    2 StatusProto status
    3? string exec_endpoint
    4? string target_executor
    5? uint32 timeout
message EndpointsProto
    1* string endpoints
    2* string write_endpoints
    3 google.protobuf.Struct schemas
message StatusProto
    1 StatusCode code
    2 string description
    3 ExceptionProto exception
message StatusProto.ExceptionProto
    1 string name
    2* string args
    3* string stacks
    4 string executor
enum StatusProto.StatusCode
    0 SUCCESS
    1 ERROR
message RelatedEntity
    1 string id
    2 string address
    3 uint32 port
    4? uint32 shard_id
message DataRequestProto
    1 HeaderProto header
    2 google.protobuf.Struct parameters
    3* RouteProto routes
    4 DataContentProto data
message DataRequestProto.DataContentProto
    1 docarray.DocListProto docs (documents)
    2 bytes docs_bytes (documents)
message SingleDocumentRequestProto
    1 HeaderProto header
    2 google.protobuf.Struct parameters
    3* RouteProto routes
    4 docarray.DocProto document
message DataRequestProtoWoData
    1 HeaderProto header
    2 google.protobuf.Struct parameters
    3* RouteProto routes
message DataRequestListProto
    1* DataRequestProto requests
message SnapshotId
    1 string value
message RestoreId
    1 string value
message SnapshotStatusProto
    1 SnapshotId id
    2 Status status
    3 string snapshot_file
enum SnapshotStatusProto.Status
    0 STATE_UNSPECIFIED
    1 QUEUED
    2 SCHEDULED
    3 RUNNING
    4 SUCCEEDED
    5 FAILED
    6 NOT_FOUND
message RestoreSnapshotStatusProto
    1 RestoreId id
    2 Status status
enum RestoreSnapshotStatusProto.Status
    0 STATE_UNSPECIFIED
    1 RUNNING
    2 SUCCEEDED
    3 FAILED
    6 NOT_FOUND
message RestoreSnapshotCommand
    1 string snapshot_file
service JinaDataRequestRPC
    process_data DataRequestListProto DataRequestProto
service JinaSingleDataRequestRPC
    process_single_data DataRequestProto DataRequestProto
service JinaSingleDocumentRequestRPC
    stream_doc SingleDocumentRequestProto >SingleDocumentRequestProto
service JinaRPC
    Call >DataRequestProto >DataRequestProto
service JinaDiscoverEndpointsRPC
    endpoint_discovery google.protobuf.Empty EndpointsProto
service JinaGatewayDryRunRPC
    dry_run google.protobuf.Empty StatusProto
service JinaInfoRPC
    _status google.protobuf.Empty JinaInfoProto
service JinaExecutorSnapshot
    snapshot google.protobuf.Empty SnapshotStatusProto
service JinaExecutorSnapshotProgress
    snapshot_status SnapshotId SnapshotStatusProto
service JinaExecutorRestore
    restore RestoreSnapshotCommand RestoreSnapshotStatusProto
service JinaExecutorRestoreProgress
    restore_status RestoreId RestoreSnapshotStatusProto
"""

_HEALTH = """
message HealthCheckRequest
    1 string service
message HealthCheckResponse
    1 ServingStatus status
enum HealthCheckResponse.ServingStatus
    0 UNKNOWN
    1 SERVING
    2 NOT_SERVING
    3 SERVICE_UNKNOWN
message HealthListRequest
message HealthListResponse
    1 map:HealthCheckResponse statuses
service Health
    Check HealthCheckRequest HealthCheckResponse
    List HealthListRequest HealthListResponse
    Watch HealthCheckRequest >HealthCheckResponse
"""

_REFLECTION = """
message ServerReflectionRequest
    1 string host
    3 string file_by_filename (message_request)
    4 string file_containing_symbol (message_request)
    5 ExtensionRequest file_containing_extension (message_request)
    6 string all_extension_numbers_of_type (message_request)
    7 string list_services (message_request)
message ExtensionRequest
    1 string containing_type
    2 int32 extension_number
message ServerReflectionResponse
    1 string valid_host
    2 ServerReflectionRequest original_request
    4 FileDescriptorResponse file_descriptor_response (message_response)
    5 ExtensionNumberResponse all_extension_numbers_response (message_response)
    6 ListServiceResponse list_services_response (message_response)
    7 ErrorResponse error_response (message_response)
message FileDescriptorResponse
    1* bytes file_descriptor_proto
message ExtensionNumberResponse
    1 string base_type_name
    2* int32 extension_number
message ListServiceResponse
    1* ServiceResponse service
message ServiceResponse
    1 string name
message ErrorResponse
    1 int32 error_code
    2 string error_message
service ServerReflection
    ServerReflectionInfo >ServerReflectionRequest >ServerReflectionResponse
"""

_FILES: Final = (
    ("google/protobuf/timestamp.proto", "google.protobuf", (), _TIMESTAMP),
    ("google/protobuf/struct.proto", "google.protobuf", (), _STRUCT),
    ("google/protobuf/empty.proto", "google.protobuf", (), _EMPTY),
    ("docarray.proto", "docarray", ("google/protobuf/struct.proto",), _DOCARRAY),
    (
        "jina.proto",
        "jina",
        ("google/protobuf/timestamp.proto", "google/protobuf/struct.proto", "google/protobuf/empty.proto", "docarray.proto"),
        _JINA,
    ),
    ("grpc_health/v1/health.proto", "grpc.health.v1", (), _HEALTH),
    ("grpc_reflection/v1alpha/reflection.proto", "grpc.reflection.v1alpha", (), _REFLECTION),
    ("grpc_reflection/v1/reflection.proto", "grpc.reflection.v1", (), _REFLECTION),
)


@cache
def files() -> tuple[File, ...]:
    """All files, each behind those it imports."""
    blocks = [(name, package, imports, _blocks(source)) for name, package, imports, source in _FILES]
    kinds = {f"{package}.{title}": kind for _, package, _, part in blocks for kind, title, _ in part}
    return tuple(_file(name, package, imports, part, kinds) for name, package, imports, part in blocks)


@cache
def messages() -> dict[str, Message]:
    """All messages by full name, nested ones included."""
    found: dict[str, Message] = {}
    pending = [message for file in files() for message in file.messages]
    while pending:
        message = pending.pop(0)
        found[message.name] = message
        pending += message.messages
    return found


@cache
def enums() -> dict[str, Enum]:
    """All enums by full name, nested ones included."""
    nested = [enum for message in messages().values() for enum in message.enums]
    return {enum.name: enum for enum in [*nested, *(enum for file in files() for enum in file.enums)]}


_Block = tuple[str, str, list[list[str]]]


def _blocks(source: str) -> list[_Block]:
    blocks: list[_Block] = []
    for line in source.strip().splitlines():
        words = line.split()
        if line.startswith(" "):
            blocks[-1][2].append(words)
        else:
            blocks.append((words[0], words[1], []))
    return blocks


def _file(name: str, package: str, imports: tuple[str, ...], blocks: list[_Block], kinds: dict[str, str]) -> File:
    scope = _Scope(package, blocks, kinds)
    services = tuple(
        Service(f"{package}.{title}", tuple(scope.method(line) for line in lines)) for kind, title, lines in blocks if kind == "service"
    )
    return File(name, package, imports, scope.messages(""), scope.enums(""), services)


class _Scope:
    """One file's blocks, being turned into values."""

    def __init__(self, package: str, blocks: list[_Block], kinds: dict[str, str]) -> None:
        self.package, self.blocks, self.kinds = package, blocks, kinds

    def _inside(self, kind: str, parent: str) -> list[_Block]:
        return [block for block in self.blocks if block[0] == kind and block[1].rpartition(".")[0] == parent]

    def messages(self, parent: str) -> tuple[Message, ...]:
        return tuple(
            Message(f"{self.package}.{title}", tuple(self.field(line, title) for line in lines), self.messages(title), self.enums(title))
            for _, title, lines in self._inside("message", parent)
        )

    def enums(self, parent: str) -> tuple[Enum, ...]:
        return tuple(
            Enum(f"{self.package}.{title}", tuple((name, int(number)) for number, name in lines))
            for _, title, lines in self._inside("enum", parent)
        )

    def field(self, line: list[str], title: str) -> Field:
        mark, kind, name, *oneof = line
        is_map = kind.startswith("map:")
        full = self.resolve(kind.removeprefix("map:"), title)
        return Field(
            number=int(mark.rstrip("?*")),
            name=name,
            type=full,
            is_message=self.kinds.get(full) == "message",
            is_enum=self.kinds.get(full) == "enum",
            is_repeated=mark.endswith("*"),
            is_optional=mark.endswith("?"),
            is_map=is_map,
            oneof=oneof[0].strip("()") if oneof else "",
        )

    def method(self, line: list[str]) -> Method:
        name, into, out = line
        return Method(name, self.resolve(into.lstrip(">"), ""), self.resolve(out.lstrip(">"), ""), into[0] == ">", out[0] == ">")

    def resolve(self, name: str, title: str) -> str:
        if name in SCALARS or name in self.kinds:
            return name
        inner = f"{self.package}.{title}.{name}"
        return inner if inner in self.kinds else f"{self.package}.{name}"
