"""Clients for gRPC's interoperability cases, all of one form: grpcio's, and our ClientConnection on a plain socket."""

from __future__ import annotations

import queue
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc as grpcio

from jina.wire import grpc, hpack
from jina.wire.grpc import Metadata

LIMIT_S = 20.0
Pairs = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True)
class Outcome:
    """How a call ended, and all that came of it."""

    messages: Sequence[bytes]
    status: int
    text: str = ""
    initial: Pairs = ()
    trailing: Pairs = ()


class Session(Protocol):
    """A call with messages in both directions."""

    def send(self, message: bytes) -> None: ...
    def receive(self) -> bytes | None: ...
    def half_close(self) -> None: ...
    def cancel(self) -> None: ...
    def end(self) -> Outcome: ...


class Caller(Protocol):
    """A client.

    Attributes:
        can_mix: It can leave single messages of a compressed call as they are.
    """

    can_mix: bool

    def unary(self, method: str, message: bytes, *, metadata: Pairs = (), encoding: str = "identity") -> Outcome: ...
    def server_stream(self, method: str, message: bytes) -> Outcome: ...
    def client_stream(self, method: str, sent: Sequence[tuple[bytes, bool]], *, encoding: str = "identity") -> Outcome: ...
    def begin(self, method: str, *, metadata: Pairs = (), timeout_s: float = LIMIT_S) -> Session: ...
    def close(self) -> None: ...


def _outcome(messages: Sequence[bytes], call: Any) -> Outcome:
    """Of a call of grpcio's, or of its error, which is the call too."""
    initial, trailing = call.initial_metadata() or (), call.trailing_metadata() or ()
    return Outcome(messages, call.code().value[0], call.details() or "", tuple(map(tuple, initial)), tuple(map(tuple, trailing)))


def _compression(encoding: str) -> grpcio.Compression:
    return grpcio.Compression.Gzip if encoding == "gzip" else grpcio.Compression.NoCompression


class GrpcioSession:
    def __init__(self, call: grpcio.StreamStreamMultiCallable, metadata: Pairs, timeout_s: float) -> None:
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._call = call(iter(self._requests.get, None), metadata=metadata, timeout=timeout_s)
        self._messages: list[bytes] = []

    def send(self, message: bytes) -> None:
        self._requests.put(message)

    def receive(self) -> bytes | None:
        try:
            self._messages.append(next(self._call))
        except (StopIteration, grpcio.RpcError):
            return None
        return self._messages[-1]

    def half_close(self) -> None:
        self._requests.put(None)

    def cancel(self) -> None:
        self._call.cancel()
        self._requests.put(None)

    def end(self) -> Outcome:
        while self.receive() is not None:
            pass
        self._requests.put(None)
        return _outcome(self._messages, self._call)


class GrpcioCaller:
    can_mix = False

    def __init__(self, port: int) -> None:
        self._channel = grpcio.insecure_channel(f"127.0.0.1:{port}")

    def close(self) -> None:
        self._channel.close()

    def unary(self, method: str, message: bytes, *, metadata: Pairs = (), encoding: str = "identity") -> Outcome:
        call = self._channel.unary_unary(method)
        try:
            reply, told = call.with_call(message, metadata=metadata, timeout=LIMIT_S, compression=_compression(encoding))
        except grpcio.RpcError as error:
            return _outcome([], error)
        return _outcome([reply], told)

    def server_stream(self, method: str, message: bytes) -> Outcome:
        call = self._channel.unary_stream(method)(message, timeout=LIMIT_S)
        return _outcome(list(call), call)

    def client_stream(self, method: str, sent: Sequence[tuple[bytes, bool]], *, encoding: str = "identity") -> Outcome:
        call = self._channel.stream_unary(method)
        try:
            reply, told = call.with_call(iter([data for data, _ in sent]), timeout=LIMIT_S, compression=_compression(encoding))
        except grpcio.RpcError as error:
            return _outcome([], error)
        return _outcome([reply], told)

    def begin(self, method: str, *, metadata: Pairs = (), timeout_s: float = LIMIT_S) -> GrpcioSession:
        return GrpcioSession(self._channel.stream_stream(method), metadata, timeout_s)


def _block(method: str, metadata: Metadata = (), encoding: str = "identity", timeout_s: float | None = None) -> bytes:
    block = grpc.request_block(method, "localhost", metadata, timeout_s)
    return block if encoding == "identity" else block + hpack.encode_field("grpc-encoding", encoding)


class OurSession:
    """One call; the others on the connection wait while it reads."""

    def __init__(self, caller: OurCaller, stream: int, timeout_s: float = LIMIT_S) -> None:
        self._caller, self._stream = caller, stream
        self._events = self._read(time.monotonic() + timeout_s)
        self._messages: list[bytes] = []
        self._initial: Pairs = ()
        self._outcome: Outcome | None = None
        caller.flush()

    def _read(self, deadline: float) -> Iterator[grpc.Event]:
        while True:
            for event in self._caller.read(deadline):
                if event[1] == self._stream:
                    yield event

    def send(self, message: bytes) -> None:
        self._caller.wire.send_message(self._stream, message)
        self._caller.flush()

    def receive(self) -> bytes | None:
        while self._outcome is None:
            try:
                event = next(self._events)
            except TimeoutError:
                self._leave(4)
                continue
            if event[0] == grpc.HEAD:
                self._initial = event[2].metadata
            elif event[0] == grpc.MESSAGE:
                self._messages.append(event[2])
                return self._messages[-1]
            elif event[0] == grpc.UNARY_REPLY:
                self._outcome = Outcome([event[2]], 0, "", event[4].metadata, event[3].metadata)
            elif event[0] == grpc.ENDED:
                self._outcome = Outcome(self._messages, event[2], event[3], self._initial, event[4])
        return None

    def half_close(self) -> None:
        self._caller.wire.half_close(self._stream)
        self._caller.flush()

    def cancel(self) -> None:
        self._leave(1)

    def _leave(self, status: int) -> None:
        self._caller.wire.cancel(self._stream)
        self._caller.flush()
        self._outcome = Outcome(self._messages, status)

    def end(self) -> Outcome:
        while self.receive() is not None:
            pass
        assert self._outcome is not None
        return self._outcome


class OurCaller:
    can_mix = True

    def __init__(self, port: int) -> None:
        self.wire = grpc.ClientConnection()
        self._socket = socket.create_connection(("127.0.0.1", port))
        self.flush()

    def close(self) -> None:
        self._socket.close()

    def flush(self) -> None:
        self._socket.sendall(self.wire.take_output())

    def read(self, deadline: float) -> list[grpc.Event]:
        """What comes next; raises TimeoutError."""
        self._socket.settimeout(max(0.0001, deadline - time.monotonic()))
        data = self._socket.recv(1 << 16)
        self._socket.settimeout(None)
        events = self.wire.receive(data, time.monotonic()) if data else self.wire.eof()
        self.flush()
        return events

    def unary(self, method: str, message: bytes, *, metadata: Pairs = (), encoding: str = "identity") -> Outcome:
        return OurSession(self, self.wire.call(_block(method, metadata, encoding), message, encoding)).end()

    def server_stream(self, method: str, message: bytes) -> Outcome:
        session = self.begin(method)
        session.send(message)
        session.half_close()
        return session.end()

    def client_stream(self, method: str, sent: Sequence[tuple[bytes, bool]], *, encoding: str = "identity") -> Outcome:
        stream = self.wire.start(_block(method, (), encoding), encoding)
        for message, is_compressed in sent:
            self.wire.send_message(stream, message, is_compressed=is_compressed)
        self.wire.half_close(stream)
        return OurSession(self, stream).end()

    def begin(self, method: str, *, metadata: Pairs = (), timeout_s: float = LIMIT_S) -> OurSession:
        return OurSession(self, self.wire.start(_block(method, metadata, timeout_s=timeout_s)), timeout_s)
