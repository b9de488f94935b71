"""The service names of Jina's gRPC code, for code that imports them.

openjina speaks gRPC without grpcio, so this is for people who have grpcio installed and call a service with Jina's own stubs: the stub
classes work with a `grpc.Channel`. Servicers do not exist any more; write an Executor or a Gateway.
"""

from __future__ import annotations

from typing import Any

from jina.codec.message_tables import Method, Service, files
from jina.codec.message_values import Message, message_class
from jina.errors import NotSupportedError

_SERVICES: dict[str, Service] = {
    service.name.rpartition(".")[2]: service for file in files() if file.name == "jina.proto" for service in file.services
}


class Stub:
    """Calls of one service on a `grpc.Channel` (or `grpc.aio.Channel`), one attribute a method."""

    _service: Service

    def __init__(self, channel: Any) -> None:
        """Make the callables.

        Raises:
            NotSupportedError: `channel` is not grpcio's.
        """
        if not hasattr(channel, "unary_unary"):
            raise NotSupportedError(f"{type(self).__name__} needs a grpc.Channel, got {type(channel).__name__}; or use jina.Client")
        for method in self._service.methods:
            setattr(self, method.name, _callable(channel, self._service.name, method))


def _callable(channel: Any, service: str, method: Method) -> Any:
    kinds = ("unary", "stream")
    make = getattr(channel, f"{kinds[method.is_client_stream]}_{kinds[method.is_server_stream]}")
    return make(
        f"/{service}/{method.name}",
        request_serializer=_serialise,
        response_deserializer=message_class(method.output).FromString,
    )


def _serialise(message: Message) -> bytes:
    return message.SerializeToString()


def _stub(service: Service) -> type[Stub]:
    name = service.name.rpartition(".")[2]
    return type(f"{name}Stub", (Stub,), {"_service": service, "__module__": __name__, "__doc__": f"Client of `{service.name}`."})


JinaDataRequestRPCStub: type[Stub] = _stub(_SERVICES["JinaDataRequestRPC"])
JinaSingleDataRequestRPCStub: type[Stub] = _stub(_SERVICES["JinaSingleDataRequestRPC"])
JinaSingleDocumentRequestRPCStub: type[Stub] = _stub(_SERVICES["JinaSingleDocumentRequestRPC"])
JinaRPCStub: type[Stub] = _stub(_SERVICES["JinaRPC"])
JinaDiscoverEndpointsRPCStub: type[Stub] = _stub(_SERVICES["JinaDiscoverEndpointsRPC"])
JinaGatewayDryRunRPCStub: type[Stub] = _stub(_SERVICES["JinaGatewayDryRunRPC"])
JinaInfoRPCStub: type[Stub] = _stub(_SERVICES["JinaInfoRPC"])
JinaExecutorSnapshotStub: type[Stub] = _stub(_SERVICES["JinaExecutorSnapshot"])
JinaExecutorSnapshotProgressStub: type[Stub] = _stub(_SERVICES["JinaExecutorSnapshotProgress"])
JinaExecutorRestoreStub: type[Stub] = _stub(_SERVICES["JinaExecutorRestore"])
JinaExecutorRestoreProgressStub: type[Stub] = _stub(_SERVICES["JinaExecutorRestoreProgress"])


def __getattr__(name: str) -> Any:
    if name.endswith("Servicer") or (name.startswith("add_") and name.endswith("_to_server")):
        raise NotSupportedError(f"'jina_pb2_grpc.{name}' is gone: openjina serves gRPC without grpcio; write an Executor or a Gateway")
    raise AttributeError(f"module 'jina.proto.jina_pb2_grpc' has no attribute {name!r}")
