"""The addresses of an executor elsewhere: a connection to each, and which of them is asked next.

The one with the fewest calls under way, of equals the one that waited longest. An address that just failed is asked only where no other is
left, for a time that doubles with each further failure; its first answer forgets that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jina.call import DIALECT
from jina.codec.pieces import Message
from jina.errors import ConfigError, JinaError
from jina.options.address import Address, in_url, parse_address, unix_path
from jina.transport import connect
from jina.transport.connect import Connect
from jina.transport.grpc_calls import CallEnd, UnaryCall
from jina.transport.grpc_channel import GrpcChannel
from jina.transport.grpc_connection import ChannelOptions
from jina.transport.tls import TlsFiles
from jina.wire.grpc import GrpcStatus, request_block

_STATUS = "/jina.JinaInfoRPC/_status"
_MAX_BLOCKS = 256
_FIRST_REST_S, _LONGEST_REST_S = 0.5, 30.0
_AWAY = (GrpcStatus.UNAVAILABLE, GrpcStatus.DEADLINE_EXCEEDED, GrpcStatus.NOT_FOUND)

MakeConnect = Callable[[Address], Connect]


class Failed(Exception):
    """A try failed without an answer.

    Attributes:
        peer: Whom it went to.
        end: How gRPC says that it ended.
        may_have_begun: The service may have run the call.
    """

    def __init__(self, peer: Peer, end: CallEnd, *, may_have_begun: bool) -> None:
        super().__init__(f"{peer.address}: {describe(end)}")
        self.peer, self.end, self.may_have_begun = peer, end, may_have_begun


def describe(end: CallEnd) -> str:
    """The end of a call in words."""
    name = GrpcStatus(end.status).name if 0 <= end.status <= max(GrpcStatus) else str(end.status)
    return f"{name} {end.message}".rstrip()


class Peer:
    """One address.

    Attributes:
        address: As it was given.
        channel: The connection, opened when it is needed.
        n_calls: Calls under way.
        n_begun: When it was asked last, counted in calls of all.
    """

    def __init__(self, address: str, channel: GrpcChannel, authority: str, scheme: str, metadata: Sequence[tuple[str, str]]) -> None:
        self.address, self.channel = address, channel
        self._authority, self._scheme, self._metadata = authority, scheme, tuple(metadata)
        self._blocks: dict[tuple[str, str, bool], bytes] = {}
        self._reads_ours: bool | None = None
        self._n_failures, self._rests_until_s = 0, 0.0
        self.n_calls = self.n_begun = 0

    def block(self, path: str, endpoint: str, *, is_ours: bool) -> bytes:
        """The head of a call; `is_ours` says that the reply may be in our dialect."""
        key = (path, endpoint, is_ours)
        block = self._blocks.get(key)
        if block is None:
            if len(self._blocks) >= _MAX_BLOCKS:
                self._blocks.clear()
            metadata = (*self._metadata, DIALECT) if is_ours else self._metadata
            named = (*metadata, ("endpoint", endpoint)) if endpoint else metadata
            try:
                block = request_block(path, self._authority, named, scheme=self._scheme)
            except JinaError:  # no text for a header; the request itself names the endpoint, too
                block = request_block(path, self._authority, metadata, scheme=self._scheme)
            self._blocks[key] = block
        return block

    async def unary(self, block: bytes, message: Message, timeout_s: float | None) -> bytes:
        """One call; cancelling it cancels it at the service.

        Raises:
            Failed: No reply came.
        """
        future: asyncio.Future[tuple[bytes | None, CallEnd]] = asyncio.get_running_loop().create_future()

        def done(data: bytes | None, end: CallEnd) -> None:
            if not future.done():
                future.set_result((data, end))

        call = UnaryCall(block, message, done, timeout_s=timeout_s)
        with self.calling():
            self.channel.start(call)
            try:
                data, end = await future
            finally:
                call.cancel()
        if data is None:
            raise self.failed(end, is_sent=call.is_sent)
        self.answered()
        return data

    async def reads_ours(self, timeout_s: float | None) -> bool:
        """Whether the service says that it reads our dialect; asked once, and again after a failure: it may be another service then.

        Raises:
            Failed: It does not say anything.
        """
        if self._reads_ours is None:
            self._reads_ours = DIALECT in await self._told(timeout_s)
        return self._reads_ours

    async def _told(self, timeout_s: float | None) -> tuple[tuple[str, str | bytes], ...]:
        future: asyncio.Future[CallEnd] = asyncio.get_running_loop().create_future()

        def done(_: bytes | None, end: CallEnd) -> None:
            if not future.done():
                future.set_result(end)

        call = UnaryCall(self.block(_STATUS, "", is_ours=True), b"", done, timeout_s=timeout_s)
        self.channel.start(call)
        try:
            end = await future
        finally:
            call.cancel()
        if end.status not in (GrpcStatus.OK, GrpcStatus.UNIMPLEMENTED):
            raise self.failed(end, is_sent=False)
        return end.metadata

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Count a call while it lasts."""
        self.n_calls += 1
        try:
            yield
        finally:
            self.n_calls -= 1

    def answered(self) -> None:
        """The service works."""
        self._n_failures, self._rests_until_s = 0, 0.0

    def failed(self, end: CallEnd, *, is_sent: bool) -> Failed:
        """Note how a try ended, and give it as an error."""
        if end.status in _AWAY:
            self._reads_ours = None
            rest_s = min(_FIRST_REST_S * 2**self._n_failures, _LONGEST_REST_S)
            self._rests_until_s = asyncio.get_running_loop().time() + rest_s
            self._n_failures = min(self._n_failures + 1, 16)
        return Failed(self, end, may_have_begun=is_sent and not end.is_unprocessed)

    def rests(self, now_s: float) -> bool:
        """It failed a moment ago."""
        return now_s < self._rests_until_s


class Peers:
    """All addresses of one executor.

    Attributes:
        all: In the order given.
    """

    def __init__(self, peers: Sequence[Peer]) -> None:
        self.all, self._n_picks = list(peers), 0

    def pick(self, tried: Collection[Peer] = ()) -> Peer:
        """Give the address to ask next, one that was not tried if there is one."""
        now_s = asyncio.get_running_loop().time()
        found = min([peer for peer in self.all if peer not in tried] or self.all, key=lambda p: (p.rests(now_s), p.n_calls, p.n_begun))
        self._n_picks += 1
        found.n_begun = self._n_picks
        return found

    def close(self) -> None:
        """Close all connections; calls under way fail."""
        for peer in self.all:
            peer.channel.close()


def make_peers(
    name: str,
    addresses: Sequence[str],
    *,
    tls: TlsFiles | None,
    metadata: Mapping[str, Any],
    options: ChannelOptions,
    make_connect: Callable[[Address, TlsFiles | None], Connect] | None = None,
) -> Peers:
    """Read addresses; nothing is opened.

    Raises:
        ConfigError: One is none, or is not gRPC's; or a metadata's name or value cannot be sent.
    """
    if not addresses:
        raise ConfigError(f"external executor {name!r} has no address; give host and port")
    pairs = [(key.lower(), str(value)) for key, value in metadata.items()]
    try:
        request_block(_STATUS, metadata=pairs)
    except JinaError as error:
        raise ConfigError(f"grpc_metadata of executor {name!r} cannot be sent: {error}") from None
    make = make_connect or _connect
    peers = []
    for text in dict.fromkeys(addresses):
        address = parse_address(text)
        if address.protocol not in (None, "GRPC"):
            raise ConfigError(f"external executor {name!r} is called over gRPC; {text!r} names another protocol")
        files = (tls or TlsFiles()) if tls is not None or address.tls else None
        address = address._replace(port=address.port or (443 if files else 80))
        authority = "localhost" if unix_path(address.host) is not None else f"{in_url(address.host)}:{address.port}"
        peers.append(Peer(text, GrpcChannel(make(address, files), text, options), authority, "https" if files else "http", pairs))
    return Peers(peers)


def _connect(address: Address, tls: TlsFiles | None) -> Connect:
    return connect.service(address.host, address.port or 0, tls=tls)
