"""The small messages of the other gRPC services: health, reflection, discovery, status. What a service reads, and what it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from jina.codec.fields import bytes_field, map_order, split_fields, string_field, string_fields, text
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.codec.varint import varint

UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = range(4)


def read_health_request(data: bytes) -> str:
    """The service that a HealthCheckRequest asks about; empty for the server as a whole."""
    return _string(data, 1)


def write_health_reply(state: int) -> bytes:
    """A serialised HealthCheckResponse."""
    return b"\x08" + varint(state) if state else b""


_NOT_FOUND: Final = (5, "not found")
_INVALID: Final = (3, "invalid argument")


def answer_reflection(request: bytes, services: Sequence[str]) -> bytes:
    """The serialised ServerReflectionResponse to a serialised ServerReflectionRequest, as grpcio gives it (v1alpha and v1 are alike).

    Args:
        request: One message of the stream.
        services: Full names to advertise.

    Raises:
        MalformedError: Not such a request.
    """
    asked, what = 0, b""
    for tag, _, value in split_fields(request):
        if tag in (0x1A, 0x22, 0x2A, 0x32, 0x3A):
            asked, what = tag, value
    return bytes_field(2, request) + _reflected(asked, what, services)


def _reflected(asked: int, what: bytes, services: Sequence[str]) -> bytes:
    from jina.codec import descriptors  # the tables are parsed when somebody first asks

    if asked == 0x3A:
        return bytes_field(6, b"".join([bytes_field(1, string_field(1, name)) for name in sorted(services)]))
    if asked == 0x1A or asked == 0x22:
        name = text(what, "the name asked for")
        file = name if asked == 0x1A else descriptors.symbols().get(name, "")
        if file in descriptors.file_descriptors():
            return bytes_field(4, b"".join([bytes_field(1, each) for each in descriptors.with_imports(file)]))
        return _error(*_NOT_FOUND)
    if asked == 0x32:
        name = text(what, "the type asked for")
        return bytes_field(5, string_field(1, name)) if name in descriptors.symbols() else _error(*_NOT_FOUND)
    return _error(*_NOT_FOUND) if asked else _error(*_INVALID)


def _error(code: int, message: str) -> bytes:
    return bytes_field(7, b"\x08" + varint(code) + string_field(2, message))


class Endpoints(NamedTuple):
    """What EndpointsProto says."""

    endpoints: list[str]
    write_endpoints: list[str]
    schemas: dict[str, Any]


def write_endpoints(endpoints: Sequence[str], write: Sequence[str] = (), schemas: Mapping[str, Any] | None = None) -> bytes:
    """A serialised EndpointsProto."""
    out = string_fields(1, endpoints) + string_fields(2, write)
    return out + bytes_field(3, dict_to_struct(schemas, name="schemas")) if schemas else out


def read_endpoints(data: bytes) -> Endpoints:
    """Read a serialised EndpointsProto."""
    endpoints: list[str] = []
    write: list[str] = []
    schemas: list[bytes] = []
    for tag, _, value in split_fields(data):
        if tag == 0x0A:
            endpoints.append(text(value, "`endpoints`"))
        elif tag == 0x12:
            write.append(text(value, "`write_endpoints`"))
        elif tag == 0x1A:
            schemas.append(value)
    return Endpoints(endpoints, write, struct_to_dict(b"".join(schemas), name="schemas"))


def write_info(jina: Mapping[str, str], envs: Mapping[str, str]) -> bytes:
    """A serialised JinaInfoProto: versions and environment."""
    return _string_map(1, jina) + _string_map(2, envs)


def read_info(data: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Versions and environment in a serialised JinaInfoProto."""
    jina: dict[str, str] = {}
    envs: dict[str, str] = {}
    for tag, _, value in split_fields(data):
        if tag in (0x0A, 0x12):
            (jina if tag == 0x0A else envs)[_string(value, 1)] = _string(value, 2)
    return jina, envs


def _string_map(number: int, values: Mapping[str, str]) -> bytes:
    entries = [bytes_field(1, key.encode()) + bytes_field(2, values[key].encode()) for key in sorted(values, key=map_order)]
    return b"".join([bytes_field(number, entry) for entry in entries])


def _string(data: bytes, number: int) -> str:
    """The string in a field of a small message; the last one counts."""
    found = b""
    for tag, _, value in split_fields(data):
        found = value if tag == number << 3 | 2 else found
    return text(found)
