"""One connection under a client's channel: carries calls, answers for signs of life, and tells the channel when it takes no more."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from jina.transport.grpc_calls import CallEnd, ClientCall, StreamCall, UnaryCall
from jina.transport.tls import explain
from jina.transport.writing import Gatherer, write_pieces
from jina.wire import grpc
from jina.wire.grpc import ClientConnection, GrpcStatus
from jina.wire.http2_frames import ENHANCE_YOUR_CALM
from jina.wire.http2_limits import Http2Limits

if TYPE_CHECKING:
    from jina.transport.grpc_channel import GrpcChannel

_PATIENT_S: Final = 300.0
"""What every gRPC server puts up with between two PINGs while nothing else happens (gRFC A8)."""
_N_PROBES: Final = 4
_MAX_PROBE_S: Final = 32767


@dataclass(frozen=True, kw_only=True)
class ChannelOptions:
    """What can be set of a channel.

    Attributes:
        max_receive_bytes, max_send_bytes: Larger messages fail their call; None for no limit.
        max_metadata_bytes: Of what the server sends as headers or trailers.
        keepalive_time_s: After so long without a sign of life the server is asked for one; None for never.
        keepalive_timeout_s: How long it has to answer.
        is_kept_alive_idle: Ask also while no call is under way.
        max_pings_without_data: After so many questions to which nothing but the answers came, the next waits for five minutes: a server of
            grpcio's ends a connection that asks it more often. None for a server that is known not to.
        connect_timeout_s: For the connection and the server's first words.
        waits_for_ready: Calls wait for a connection until their time is up; else the first attempt that fails ends them.
        first_backoff_s, max_backoff_s: Where they wait, the pause before the second attempt, and the longest one.
        max_refused_s: After so long of nothing but refusals waiting calls fail.
    """

    max_receive_bytes: int | None = 1 << 30
    max_send_bytes: int | None = None
    max_metadata_bytes: int = 65536
    keepalive_time_s: float | None = 10.0
    keepalive_timeout_s: float = 20.0
    is_kept_alive_idle: bool = False
    max_pings_without_data: int | None = 2
    connect_timeout_s: float = 20.0
    waits_for_ready: bool = False
    first_backoff_s: float = 1.0
    max_backoff_s: float = 120.0
    max_refused_s: float = 20.0


class GrpcConnection(Gatherer, asyncio.Protocol):
    """One connection under a channel.

    Attributes:
        wire: The protocol's state.
        ready: Done when the server has said that it speaks HTTP/2.
        is_leaving: No new calls: the server is going away, or the connection is lost.
    """

    def __init__(self, channel: GrpcChannel, options: ChannelOptions) -> None:
        self._channel, self._options = channel, options
        limits = Http2Limits(max_header_list_bytes=options.max_metadata_bytes)
        self.wire = ClientConnection(limits=limits, max_message_bytes=options.max_receive_bytes)
        self._calls: dict[int, ClientCall] = {}
        self._heard_s, self._asked_s = 0.0, 0.0
        self._n_asked = 0  # since something else than an answer came
        self._watch: asyncio.TimerHandle | None = None
        self.is_leaving = False

    def begin(self, call: ClientCall) -> None:
        """Send a call; `wire.can_start` must be True."""
        self._calls[call.begin(self)] = call
        self.flush_soon()
        if self._watch is None:
            self._watch_soon()

    def cancel(self, stream: int) -> None:
        """Tell the server that nobody waits for a call any more."""
        if self._calls.pop(stream, None) is not None:
            self.wire.cancel(stream)
            self.flush_soon()
            self._channel.advance()

    @property
    def n_calls(self) -> int:
        """Calls under way."""
        return len(self._calls)

    def close(self) -> None:
        """End the connection; calls under way end with UNAVAILABLE."""
        self._leave()
        self.wire.goaway()
        self.flush()
        self._transport.close()
        self._end_all("the client was closed")

    def leave_when_idle(self) -> None:
        """Take no new calls, and close when the last has ended."""
        self._leave()
        if not self._calls:
            self.close()

    def _leave(self) -> None:
        if not self.is_leaving:
            self.is_leaving = True
            self._channel.left(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1 << 22)
        self.loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self._heard_s = self.loop.time()
        if self._channel.keepalive_time_s is not None:
            _ask_in_the_kernel(transport, self._channel.keepalive_time_s, self._options.keepalive_timeout_s)
            if self._options.is_kept_alive_idle:
                self._watch_soon()
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._heard_s = self.loop.time()
        events = self.wire.receive(data, self._heard_s)
        if self._n_asked and events and events[0][0] != grpc.PING_ACK:
            self._ask_again()
        self._handle(events)
        if not self.ready.done() and self.wire.is_ready:
            self.ready.set_result(None)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if not self.ready.done():
            reason = "does it speak gRPC? (protocol='http' for an HTTP port; tls=True, where it speaks TLS)"
            self.ready.set_exception(ConnectionResetError(explain(error) or f"the server closed the connection at once; {reason}"))
            self.ready.exception()
        self._leave()
        self._handle(self.wire.eof())
        self._end_all("the connection was lost")
        self._channel.lost(self)

    def _end_all(self, reason: str) -> None:
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.end(CallEnd(GrpcStatus.UNAVAILABLE, reason))

    # No `pause_writing`: a server stops reading while its caller does not read, so a client that did the same would wait for it for ever.
    # What is queued here is bounded by the server's windows, what must be answered by the caps on its PINGs and SETTINGS.

    def _handle(self, events: list[grpc.Event]) -> None:
        calls, n_before = self._calls, len(self._calls)
        refused: list[tuple[ClientCall, str]] = []
        for event in events:
            kind = event[0]
            if kind == grpc.UNARY_REPLY:
                call = calls.pop(event[1], None)
                if isinstance(call, UnaryCall):
                    call.on_reply(event[2], event[3].metadata)
            elif kind == grpc.MESSAGE:
                call = calls.get(event[1])
                if call is not None and not call.is_over:
                    call.on_message(event[2])
            elif kind == grpc.ENDED:
                call, end = calls.pop(event[1], None), CallEnd(*event[2:6])
                if call is None:
                    pass
                elif end.is_unprocessed and call.may_start_again:
                    refused.append((call, end.message))
                else:
                    call.end(end)
            elif kind == grpc.HEAD:
                call = calls.get(event[1])
                if isinstance(call, StreamCall):
                    call.begun()
            elif kind == grpc.GOAWAY:
                if event[1:] == (ENHANCE_YOUR_CALM, "too_many_pings"):
                    self._channel.ask_less()
                self._leave()
            elif kind == grpc.CLOSED:
                self._leave()
                self.flush()
                self._transport.close()
        if refused:
            self._channel.refused(self, refused)
        if not self.wire.is_closed:
            self._channel.ended(n_before - len(calls) - len(refused))
        if self.is_leaving and not self._calls:
            self._transport.close()
        self._channel.advance()

    def flush(self) -> None:
        self._is_flush_due = False
        out = self.wire.take_pieces()
        if not self._transport.is_closing():
            write_pieces(self._transport, out)

    def _watch_soon(self) -> None:
        if self._channel.keepalive_time_s is not None:
            self._watch = self.loop.call_later(self._pause_s(), self._ask)

    def _pause_s(self) -> float:
        pause_s, limit = self._channel.keepalive_time_s or 0.0, self._options.max_pings_without_data
        return pause_s if limit is None or self._n_asked < limit else max(pause_s, _PATIENT_S)

    def _ask(self) -> None:
        """Ask for a sign of life after a silence; while no call is under way, stop looking."""
        self._watch = None
        if not self._calls and not self._options.is_kept_alive_idle:
            return
        silent_s = self.loop.time() - self._heard_s
        if silent_s + 0.001 < self._pause_s():
            self._watch_soon()
            return
        self.wire.ping()
        self.flush()
        self._n_asked += 1
        self._asked_s = self.loop.time()
        self._watch = self.loop.call_later(self._options.keepalive_timeout_s, self._look)

    def _look(self) -> None:
        if self._heard_s < self._asked_s:
            self._leave()
            self._transport.abort()
        else:
            self._watch_soon()

    def _ask_again(self) -> None:
        """Something came: it has not grown silent yet, and may be asked as often as at first."""
        self._n_asked = 0
        if self._watch is not None and self._heard_s >= self._asked_s:
            self._watch.cancel()
            self._watch_soon()


def _ask_in_the_kernel(transport: asyncio.BaseTransport, time_s: float, timeout_s: float) -> None:
    """Let TCP find out that the server's machine is gone: that takes none of its questions."""
    found = transport.get_extra_info("socket")
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value_s in (("TCP_KEEPIDLE", time_s), ("TCP_KEEPINTVL", timeout_s / _N_PROBES)):
        if hasattr(socket, name):
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), min(max(1, round(value_s)), _MAX_PROBE_S))
    if hasattr(socket, "TCP_KEEPCNT"):
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _N_PROBES)
