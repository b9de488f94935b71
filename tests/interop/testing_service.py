"""gRPC's interoperability service twice: on our ServerConnection, and on grpcio's server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import Any, cast

import grpc as grpcio

from jina.wire import grpc
from tests.interop import testing_messages as messages
from tests.interop.in_thread import InThread
from tests.interop.testing_messages import SERVICE
from tests.interop.testing_wire import Flags
from tests.wire.echo_server import GrpcProtocol

UNARY = frozenset(SERVICE + name for name in ("EmptyCall", "UnaryCall", "CacheableUnaryCall", "StreamingOutputCall"))
_INVALID_ARGUMENT, _UNIMPLEMENTED = 3, 12
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
CACHE = ("cache-control", "max-age=60, public")


def _simple(request: Any, size: int) -> bytes:
    return cast("bytes", messages.SimpleResponse(payload=messages.payload(size)).SerializeToString())


def _streamed(size: int) -> bytes:
    return cast("bytes", messages.StreamingOutputCallResponse(payload=messages.payload(size)).SerializeToString())


class TestService(GrpcProtocol):
    """One connection of our service."""

    __test__ = False

    def __init__(self, log: list[object]) -> None:
        super().__init__(grpc.ServerConnection(unary_paths=UNARY), log)
        self.flags = Flags(has_preface=True)
        self.n_messages: dict[int, int] = {}
        self.sizes: dict[int, int] = {}

    def data_received(self, data: bytes) -> None:
        self.flags.feed(data)
        super().data_received(data)

    def on_event(self, event: grpc.Event) -> None:
        kind = event[0]
        if kind == grpc.UNARY:
            _, stream, head, data = event
            self.heads[stream] = head
            if head.path in UNARY:
                {"EmptyCall": self.empty, "StreamingOutputCall": self.stream_out}.get(head.path.rpartition("/")[2], self.unary)(
                    stream, data
                )
            else:  # a stream of one message, whole
                self.on_event((grpc.CALL_STARTED, stream, head))
                self.on_event((grpc.MESSAGE, stream, data))
                self.on_event((grpc.HALF_CLOSED, stream))
        elif kind == grpc.CALL_STARTED:
            self.begin(event[1], event[2])
        elif kind == grpc.MESSAGE:
            self.message(event[1], event[2])
        elif kind == grpc.HALF_CLOSED:
            self.half_closed(event[1])
        elif kind == grpc.CANCELLED:
            self.log.append(("cancelled", self.heads[event[1]].path))

    def echo(self, stream: int, encoding: str = "identity", extra: tuple[tuple[str, str], ...] = ()) -> None:
        """Send the initial metadata that the caller asked for."""
        given = self.heads[stream].headers.get(INITIAL)
        self.wire.send_headers(stream, (*extra, *(((INITIAL, given),) if given else ())), encoding=encoding)

    def end(self, stream: int, status: int = 0, text: str = "") -> None:
        self.wire.send_status(stream, status, text, [pair for pair in self.heads[stream].metadata if pair[0] == TRAILING])

    def is_as_expected(self, stream: int, request: Any) -> bool:
        """Whether the last message was compressed if the caller says so; else it is told."""
        at = self.n_messages[stream] = self.n_messages.get(stream, -1) + 1
        if not request.HasField("expect_compressed") or request.expect_compressed.value == bool(self.flags.by_stream[stream][at]):
            return True
        self.end(stream, _INVALID_ARGUMENT, "the message is not compressed as expect_compressed says")
        return False

    def empty(self, stream: int, data: bytes) -> None:
        self.echo(stream)
        self.wire.send_message(stream, b"")
        self.end(stream)

    def unary(self, stream: int, data: bytes) -> None:
        request = messages.SimpleRequest.FromString(data)
        if not self.is_as_expected(stream, request):
            return
        if request.response_status.code:
            self.end(stream, request.response_status.code, request.response_status.message)
            return
        extra = (CACHE,) if self.heads[stream].path.endswith("/CacheableUnaryCall") else ()
        self.echo(stream, "gzip" if request.HasField("response_compressed") else "identity", extra)
        self.wire.send_message(stream, _simple(request, request.response_size), is_compressed=request.response_compressed.value)
        self.end(stream)

    def stream_out(self, stream: int, data: bytes) -> None:
        request = messages.StreamingOutputCallRequest.FromString(data)
        self.echo(stream, "gzip" if any(each.HasField("compressed") for each in request.response_parameters) else "identity")
        self.respond(stream, request)
        self.end(stream, request.response_status.code, request.response_status.message)

    def respond(self, stream: int, request: Any) -> None:
        for wanted in request.response_parameters:
            self.wire.send_message(stream, _streamed(wanted.size), is_compressed=wanted.compressed.value)

    def begin(self, stream: int, head: grpc.RequestHead) -> None:
        self.heads[stream], self.sizes[stream] = head, 0
        if head.path not in (SERVICE + "StreamingInputCall", SERVICE + "FullDuplexCall"):
            self.wire.refuse(stream, _UNIMPLEMENTED, f"no method {head.path}")
        else:
            self.echo(stream)

    def message(self, stream: int, data: bytes) -> None:
        if self.heads[stream].path.endswith("/StreamingInputCall"):
            request = messages.StreamingInputCallRequest.FromString(data)
            if self.is_as_expected(stream, request):
                self.sizes[stream] += len(request.payload.body)
        else:
            request = messages.StreamingOutputCallRequest.FromString(data)
            self.respond(stream, request)
            if request.response_status.code:
                self.end(stream, request.response_status.code, request.response_status.message)

    def half_closed(self, stream: int) -> None:
        if self.heads[stream].path.endswith("/StreamingInputCall"):
            reply = messages.StreamingInputCallResponse(aggregated_payload_size=self.sizes[stream])
            self.wire.send_message(stream, reply.SerializeToString())
        self.end(stream)


class Ours(InThread[TestService]):
    """Our service."""

    def __init__(self) -> None:
        super().__init__(TestService)


class Grpcio(grpcio.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """The service on grpcio's server. It does not tell its handlers what was compressed, so `expect_compressed` is not looked at."""

    def __init__(self) -> None:
        self._server = grpcio.server(futures.ThreadPoolExecutor(8), handlers=(self,))
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        self._server.stop(None).wait(10)

    def service(self, details: grpcio.HandlerCallDetails) -> grpcio.RpcMethodHandler | None:
        makers: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
            "EmptyCall": (grpcio.unary_unary_rpc_method_handler, lambda data, context: b""),
            "UnaryCall": (grpcio.unary_unary_rpc_method_handler, self.unary),
            "CacheableUnaryCall": (grpcio.unary_unary_rpc_method_handler, self.cacheable),
            "StreamingOutputCall": (grpcio.unary_stream_rpc_method_handler, lambda data, context: self.duplex([data], context)),
            "StreamingInputCall": (grpcio.stream_unary_rpc_method_handler, self.stream_in),
            "FullDuplexCall": (grpcio.stream_stream_rpc_method_handler, self.duplex),
        }
        found = makers.get(details.method.removeprefix(SERVICE))
        return None if found is None else found[0](found[1])

    def echo(self, context: grpcio.ServicerContext, extra: tuple[tuple[str, str], ...] = ()) -> None:
        given = context.invocation_metadata()
        context.send_initial_metadata((*extra, *(pair for pair in given if pair[0] == INITIAL)))
        context.set_trailing_metadata(tuple(pair for pair in given if pair[0] == TRAILING))

    def cacheable(self, data: bytes, context: grpcio.ServicerContext) -> bytes:
        return self.unary(data, context, (CACHE,))

    def unary(self, data: bytes, context: grpcio.ServicerContext, extra: tuple[tuple[str, str], ...] = ()) -> bytes:
        request = messages.SimpleRequest.FromString(data)
        if request.HasField("response_compressed"):
            context.set_compression(grpcio.Compression.Gzip)
            if not request.response_compressed.value:
                context.disable_next_message_compression()
        self.echo(context, extra)
        if request.response_status.code:
            context.set_code(_code(request.response_status.code))
            context.set_details(request.response_status.message)
        return _simple(request, request.response_size)

    def stream_in(self, requests: Iterable[bytes], context: grpcio.ServicerContext) -> bytes:
        self.echo(context)
        sizes = (len(messages.StreamingInputCallRequest.FromString(data).payload.body) for data in requests)
        return cast("bytes", messages.StreamingInputCallResponse(aggregated_payload_size=sum(sizes)).SerializeToString())

    def duplex(self, requests: Iterable[bytes], context: grpcio.ServicerContext) -> Iterator[bytes]:
        read = (messages.StreamingOutputCallRequest.FromString(data) for data in requests)
        has_begun = False
        for request in read:
            if not has_begun:
                if any(each.HasField("compressed") for each in request.response_parameters):
                    context.set_compression(grpcio.Compression.Gzip)
                self.echo(context)
                has_begun = True
            for wanted in request.response_parameters:
                if not wanted.compressed.value:
                    context.disable_next_message_compression()
                yield _streamed(wanted.size)
            if request.response_status.code:
                context.set_code(_code(request.response_status.code))
                context.set_details(request.response_status.message)
                return


def _code(number: int) -> grpcio.StatusCode:
    return next(code for code in grpcio.StatusCode if code.value[0] == number)
