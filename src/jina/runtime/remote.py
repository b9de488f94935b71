"""An executor that somebody else runs, of ours or of Jina 3: a worker, a Deployment or a whole Flow, called over gRPC.

    call ──► an address ──► reply, or a failure that the executor tells
              └─ it cannot be reached, or does not answer in time: another address, at most `retries` times

A call whose documents were given to somebody is repeated like any other, as Jina does, unless its endpoint is known to change state.
Documents go out in docarray's bytes. What those have no form for goes to a service that says it reads our dialect; to others it is an error
that names field and value. JSON is turned into bytes by what the values are, for callers over HTTP of a Flow that begins, or ends, here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from jina.call import Call, EndpointInfo, Item, Payload, Reply, Status
from jina.codec.pieces import Message
from jina.codec.proto_foreign import find_private
from jina.errors import CallerError, Code, InvalidInputError, JinaError, TransportError
from jina.options.address import Address, Elsewhere
from jina.runtime.lists import each
from jina.runtime.remote_messages import default_endpoint, read_discovery, read_item, read_reply, write_request
from jina.runtime.remote_peers import Failed, Peer, describe, make_peers
from jina.runtime.remote_stream import RemoteItems, RemoteStream
from jina.runtime.transcode import joined, to_binary, to_json
from jina.runtime.writes import Writes
from jina.transport.connect import Connect
from jina.transport.grpc_calls import CallEnd
from jina.transport.grpc_connection import ChannelOptions
from jina.transport.tls import TlsFiles
from jina.wire.status import GrpcStatus

_UNARY = "/jina.JinaSingleDataRequestRPC/process_single_data"
_STREAM = "/jina.JinaSingleDocumentRequestRPC/stream_doc"
_DISCOVERY = "/jina.JinaDiscoverEndpointsRPC/endpoint_discovery"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_DISCOVERY_TRY_S = 5.0
_LARGE = 1 << 20
_HOPELESS = (GrpcStatus.UNAUTHENTICATED, GrpcStatus.PERMISSION_DENIED)
_CODES = {
    GrpcStatus.UNAVAILABLE: Code.UNAVAILABLE,
    GrpcStatus.NOT_FOUND: Code.UNAVAILABLE,
    GrpcStatus.DEADLINE_EXCEEDED: Code.DEADLINE,
    GrpcStatus.RESOURCE_EXHAUSTED: Code.OVERLOADED,
    GrpcStatus.INVALID_ARGUMENT: Code.INVALID_INPUT,
}


class Remote:
    """Handler over the addresses of one external executor. Everything belongs to the loop on which it is called.

    Attributes:
        writes: Endpoints that change state: a call that may have begun is not repeated. `discover` learns them.
    """

    def __init__(
        self,
        name: str,
        addresses: Sequence[str],
        *,
        tls: bool = False,
        ca_certs: str = "",
        metadata: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        retries: int = -1,
        max_message_bytes: int | None = 1 << 30,
        make_connect: Callable[[Address, TlsFiles | None], Connect] | None = None,
    ) -> None:
        """Prepare; nothing is opened before the first call.

        Args:
            name: The node's, for errors.
            addresses: `host:port` each, equal copies of one service; also `grpcs://host:port` and `unix:PATH`.
            tls: Speak TLS to all of them.
            ca_certs: PEM file with the roots to trust; empty for the system's.
            metadata: Sent with every call (`grpc_metadata`).
            timeout_s: How long one try may take (`timeout_send`); the call's own deadline may come sooner.
            retries: How often a call is tried again; below 0 as often as there are addresses, 3 times at least.
            max_message_bytes: Larger replies fail their call.
            make_connect: Another way to an address than its socket.

        Raises:
            ConfigError: An address or metadata cannot be.
        """
        self._name, self._timeout_s = name, timeout_s
        self._n_tries = (max(3, len(addresses)) if retries < 0 else retries) + 1
        options = ChannelOptions(max_receive_bytes=max_message_bytes, keepalive_timeout_s=5.0, connect_timeout_s=5.0)
        files = TlsFiles(ca_certs=ca_certs) if tls or ca_certs else None
        self._peers = make_peers(name, addresses, tls=files, metadata=metadata or {}, options=options, make_connect=make_connect)
        self.writes = Writes()
        self._is_closed = False

    async def __call__(self, call: Call) -> Reply:
        try:
            if call.branches:
                call = replace(call, payload=await joined(call), branches=())
            elif call.payload.encoding == "json" and call.payload.data:
                call = replace(call, payload=await to_binary(call.payload, call.call_id))
            if call.is_stream and not call.payload.is_single:
                call = replace(call, payload=_only(call))
            message = write_request(call)
            private = await _private(call.payload) if call.payload.encoding == "ours" else ""
        except JinaError as error:
            text = f"the call to external executor {self._name!r} cannot be made: {error}"
            return Reply(Status(error.code, text, details=[dict(each) for each in getattr(error, "details", ())]))
        try:
            return await self._until_answered(call, message, private)
        except JinaError as error:
            return Reply(Status(Code.INTERNAL, f"the reply of external executor {self._name!r} cannot be read: {error}"))

    @property
    def is_up(self) -> bool:
        """There is an address that has not just failed."""
        now_s = asyncio.get_running_loop().time()
        return not all(peer.rests(now_s) for peer in self._peers.all)

    async def discover(
        self, timeout_s: float | None = None, *, every_s: float = 1.0, on_wait: Callable[[str], None] = lambda text: None
    ) -> list[EndpointInfo]:
        """Ask the service what endpoints it has, until it says so. One that cannot say has `/default`, as with Jina.

        Args:
            timeout_s: For how long; None for ever. The task that waits may be cancelled.
            every_s: The pause after all addresses have failed.
            on_wait: Gets who is awaited, in words: at once, and after all addresses have failed.

        Raises:
            TransportError: Nobody answered in time, or we are not let in; the text has the last reason of each address.
        """
        failures: dict[str, str] = {}
        on_wait(self._awaited(failures))
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for _ in self._peers.all:
                        found = await self._ask(failures)
                        if found is not None:
                            self.writes = Writes(found)
                            return found
                    on_wait(self._awaited(failures))
                    await asyncio.sleep(every_s)
        except TimeoutError:
            tried = _list(failures) or ", ".join(peer.address for peer in self._peers.all)
            text = f"external executor {self._name!r} did not tell its endpoints within {timeout_s:g} s: {tried}"
            raise TransportError(text) from None

    def _awaited(self, failures: Mapping[str, str]) -> str:
        at = f"({_list(failures)})" if failures else f"at {', '.join(peer.address for peer in self._peers.all)}"
        return f"external executor {self._name!r} {at}"

    def close(self) -> None:
        """Close all connections; calls under way fail."""
        self._is_closed = True
        self._peers.close()

    async def _ask(self, failures: dict[str, str]) -> list[EndpointInfo] | None:
        peer = self._peers.pick()
        try:
            return read_discovery(await peer.unary(peer.block(_DISCOVERY, "", is_ours=False), b"", _DISCOVERY_TRY_S))
        except Failed as failed:
            if failed.end.status == GrpcStatus.UNIMPLEMENTED:
                return [default_endpoint()]
            failures[peer.address] = describe(failed.end)
            if failed.end.status in _HOPELESS:
                raise TransportError(f"external executor {self._name!r} does not let us in: {_list(failures)}") from None
            return None
        except CallerError as error:
            raise TransportError(f"external executor {self._name!r} at {peer.address} tells its endpoints in vain: {error}") from error

    async def _until_answered(self, call: Call, message: Message, private: str) -> Reply:
        tried: list[Peer] = []
        failures: dict[str, str] = {}
        while True:
            peer = self._peers.pick(tried)
            tried.append(peer)
            try:
                if private and not await peer.reads_ours(self._time_left(call)):
                    reads = f"external executor {self._name!r} at {peer.address} reads nothing but docarray's bytes"
                    return Reply(Status(Code.UNENCODABLE, f"{reads}: {private}"))
                return await (self._stream if call.is_stream else self._unary)(peer, call, message)
            except Failed as failed:
                failures[peer.address] = describe(failed.end)
                pause_s = self._pause_s(failed, tried, call)
                if pause_s is None:
                    return Reply(self._status(failed.end, failures, len(tried), call))
                if pause_s:
                    await asyncio.sleep(pause_s)

    def _pause_s(self, failed: Failed, tried: Sequence[Peer], call: Call) -> float | None:
        """Seconds until the next try; None where another would not help, or may do harm."""
        status, n_peers = failed.end.status, len(self._peers.all)
        if len(tried) >= self._n_tries or self._is_closed or (failed.may_have_begun and call.endpoint in self.writes):
            return None
        if status == GrpcStatus.DEADLINE_EXCEEDED:  # it is slow, and asked for nothing again; another may be faster
            return 0.0 if len(tried) < n_peers and not _is_late(call, 0.0) else None
        if status not in (GrpcStatus.UNAVAILABLE, GrpcStatus.NOT_FOUND):
            return None
        n_rounds = len(tried) // n_peers
        pause_s = min(_FIRST_PAUSE_S * 2 ** (n_rounds - 1), _LONGEST_PAUSE_S) if n_rounds else 0.0
        return None if _is_late(call, pause_s) else pause_s

    def _time_left(self, call: Call) -> float | None:
        left_s = None if call.deadline is None else max(0.0, call.deadline - time.monotonic())
        return left_s if self._timeout_s is None else self._timeout_s if left_s is None else min(left_s, self._timeout_s)

    def _status(self, end: CallEnd, failures: Mapping[str, str], n_tries: int, call: Call) -> Status:
        if end.status == GrpcStatus.DEADLINE_EXCEEDED and _is_late(call, 0.0):
            text = f"external executor {self._name!r} did not answer before the call's deadline: {_list(failures)}"
            return Status(Code.DEADLINE, text)
        times = "" if n_tries == 1 else f" {n_tries} times"
        text = f"the call to external executor {self._name!r} failed{times}: {_list(failures)}"
        number = GrpcStatus(end.status) if end.status in _KNOWN else GrpcStatus.UNKNOWN
        return Status(_CODES.get(number, Code.TRANSPORT), text, grpc_status=int(number), retry_after_s=_retry_after_s(end))

    async def _unary(self, peer: Peer, call: Call, message: Message) -> Reply:
        is_ours = call.wants != "strict"
        data = await peer.unary(peer.block(_UNARY, call.endpoint, is_ours=is_ours), message, self._time_left(call))
        reply = read_reply(data, "ours" if is_ours else "strict")
        if call.wants == "json" and reply.payload is not None:
            reply.payload = await _json(reply.payload)
        return reply

    async def _stream(self, peer: Peer, call: Call, message: Message) -> Reply:
        """Open a stream; what fails before its first item is a failed call, not a broken stream."""
        is_ours = call.wants != "strict"
        encoding, remark = "ours" if is_ours else "strict", ""

        async def read(data: bytes) -> Item:
            nonlocal remark
            status, payload, remark = read_item(data, encoding)
            return Item(await _json(payload) if call.wants == "json" and payload is not None else payload, status)

        def broken(end: CallEnd) -> Status:
            status = self._status(end, {peer.address: describe(end)}, 1, call)
            status.description = f"the stream of {call.endpoint!r} broke off: {status.description}"
            return status

        block = peer.block(_STREAM, call.endpoint, is_ours=is_ours)
        stream = RemoteStream(peer, block, message, self._time_left(call))
        try:
            first: list[Item] = []
            while (data := await stream.next()) is not None:
                first.append(await read(data))
                if len(first) == 2 or first[0].status is None:
                    break
        except BaseException:
            stream.leave()
            raise
        ended = stream.ended
        if not first and ended is not None and ended.status:
            stream.leave()
            raise peer.failed(ended, is_sent=stream.is_sent)
        peer.answered()
        if len(first) == 1 and first[0].status is not None:  # it was the call that failed, and not one of its items
            stream.leave()
            return Reply(first[0].status)
        return Reply(items=RemoteItems(stream, first, read, broken), description=remark)


def remote_of(name: str, elsewhere: Elsewhere, *, timeout_s: float | None = None, max_message_bytes: int | None = 1 << 30) -> Remote:
    """Make the Handler of a node that somebody else runs; see Remote."""
    return Remote(
        name,
        elsewhere.addresses,
        tls=elsewhere.tls,
        metadata=elsewhere.metadata,
        timeout_s=timeout_s,
        retries=elsewhere.retries,
        max_message_bytes=max_message_bytes,
    )


_KNOWN = frozenset(GrpcStatus)


async def _private(payload: Payload) -> str:
    if len(payload.data) < _LARGE:
        return find_private(payload.data, is_single=payload.is_single)
    return await asyncio.to_thread(find_private, payload.data, is_single=payload.is_single)


def _only(call: Call) -> Payload:
    """The document that a stream answers, which nodes before it have put into a list."""
    documents = [*each(call.payload)]
    if len(documents) != 1:
        raise InvalidInputError(f"endpoint {call.endpoint!r} streams the answer to one document, got {len(documents)}")
    return documents[0]


async def _json(payload: Payload) -> Payload:
    return payload if payload.encoding == "json" else await to_json(payload)


def _list(failures: Mapping[str, str]) -> str:
    return "; ".join(f"{address}: {why}" for address, why in failures.items())


def _is_late(call: Call, after_s: float) -> bool:
    return call.deadline is not None and time.monotonic() + after_s >= call.deadline


def _retry_after_s(end: CallEnd) -> float | None:
    """When the service says that it may be tried again."""
    for name, value in end.metadata:
        if name == "retry-after" and isinstance(value, str) and value.isdecimal():
            return float(value[:9])
    return None
