"""A server's side of TLS over a TCP transport that the test plays, with a client's side in memory."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme

from jina.transport.tls_link import TlsLink

_AUTHORITY = trustme.CA()
_MIB = 1 << 20


def _server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _AUTHORITY.issue_cert("localhost").configure_cert(context)
    return context


class _Tcp(asyncio.Transport):
    """Keeps what was written until the test takes it; full above 64 KiB, as asyncio's."""

    def __init__(self) -> None:
        super().__init__()
        self.link: TlsLink | None = None
        self.held, self.gone = bytearray(), asyncio.Event()
        self.is_full = self.is_reading_paused = self.has_eof = self.is_closed = self.is_aborted = False

    def write(self, data: Any) -> None:
        assert not self.has_eof
        self.held += data
        if len(self.held) > 65536 and not self.is_full:
            self.is_full = True
            assert self.link is not None
            self.link.pause_writing()

    def take(self, n_bytes: int | None = None) -> bytes:
        """What the network carries away."""
        n_bytes = len(self.held) if n_bytes is None else n_bytes
        taken = bytes(self.held[:n_bytes])
        del self.held[:n_bytes]
        if self.is_full and len(self.held) <= 16384:
            self.is_full = False
            assert self.link is not None
            self.link.resume_writing()
        return taken

    def get_write_buffer_size(self) -> int:
        return len(self.held)

    def write_eof(self) -> None:
        self.has_eof = True

    def close(self) -> None:
        self.is_closed = True
        self.gone.set()

    def abort(self) -> None:
        self.is_aborted = True
        self.gone.set()

    def is_closing(self) -> bool:
        return self.is_closed or self.is_aborted

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.7", 5)}.get(name, default)


class _Above(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.data = bytearray()
        self.on_data: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.on_data()

    def eof_received(self) -> bool:
        self.told.append("eof")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class _Pair:
    """A link, what is above and beneath it, and a client."""

    def __init__(self, handshake_s: float | None = None) -> None:
        self.above, self.tcp = _Above(), _Tcp()
        self.link = self.tcp.link = TlsLink(_server_context(), lambda: self.above, handshake_s)
        self.link.connection_made(self.tcp)
        context = ssl.create_default_context()
        _AUTHORITY.configure_trust(context)
        self._to_client, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(self._to_client, self._to_server, server_hostname="localhost")

    def shake(self) -> None:
        """Let both sides finish the handshake."""
        while True:
            try:
                self.client.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.send_raw()
        self.send_raw()

    def send_raw(self) -> None:
        """Carry what the client has written to the link, and back what that answers."""
        if self._to_server.pending:
            self.link.data_received(self._to_server.read())
        self._to_client.write(self.tcp.take())

    def send(self, data: bytes) -> None:
        """Send as the client."""
        self.client.write(data)
        self.send_raw()

    def received(self, raw: bytes) -> bytes:
        """What the client reads in these bytes of the network."""
        self._to_client.write(raw)
        found = bytearray()
        while True:
            try:
                part = self.client.read(1 << 14)
            except ssl.SSLWantReadError:
                return bytes(found)
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                return bytes(found) + b"<end>"
            found += part


@asynccontextmanager
async def _shaken() -> AsyncIterator[_Pair]:
    pair = _Pair()
    pair.shake()
    yield pair


def _run(test: Callable[[_Pair], Any]) -> None:
    async def main() -> None:
        async with _shaken() as pair:
            result = test(pair)
            if asyncio.iscoroutine(result):
                await result

    asyncio.run(main())


def test_bytes_go_both_ways() -> None:
    """The protocol above is made once the handshake is done, and sees plain text."""

    def test(pair: _Pair) -> None:
        assert pair.above.told == ["made"]
        pair.send(b"question")
        assert pair.above.data == b"question"
        pair.link.write(b"answer")
        pair.link.writelines([b", and", b" more"])
        assert pair.received(pair.tcp.take()) == b"answer, and more"
        assert pair.link.get_extra_info("peername") == ("192.0.2.7", 5)
        assert pair.link.get_extra_info("ssl_object").version() == "TLSv1.3"

    _run(test)


@pytest.mark.parametrize("n_bytes", [0, 1, 65536, 65537, 3 * _MIB])
def test_any_size_arrives(n_bytes: int) -> None:
    """Cut into records, joined again."""

    def test(pair: _Pair) -> None:
        data = bytes(range(256)) * (n_bytes // 256) + b"x" * (n_bytes % 256)
        pair.link.write(data)
        found = b""
        while pair.tcp.held:
            found += pair.received(pair.tcp.take())
        assert found == data

    _run(test)


def test_what_waits_is_counted_and_seen_to_leave() -> None:
    """A slow reader makes progress with each byte that it takes; only so much is encrypted as TCP takes."""

    def test(pair: _Pair) -> None:
        pair.link.write(b"x" * (4 * _MIB))
        assert len(pair.tcp.held) < 200_000
        assert 4 * _MIB <= pair.link.get_write_buffer_size() < 4 * _MIB + 10_000
        assert pair.above.told == ["made", "pause"]
        sizes = []
        while pair.tcp.held:
            pair.tcp.take(50_000)
            sizes.append(pair.link.get_write_buffer_size())
        assert sizes == sorted(sizes, reverse=True)
        assert len(set(sizes)) == len(sizes)
        assert pair.above.told == ["made", "pause", "resume"]

    _run(test)


def test_reading_stops_while_the_protocol_above_wants_none() -> None:
    """What has come is kept, and given when it wants more."""

    async def test(pair: _Pair) -> None:
        pair.above.on_data = pair.link.pause_reading
        pair.client.write(b"a" * 400_000)
        pair.send_raw()
        assert pair.tcp.is_reading_paused
        assert 0 < len(pair.above.data) < 400_000
        pair.above.on_data = lambda: None
        pair.link.resume_reading()
        await asyncio.sleep(0)
        assert not pair.tcp.is_reading_paused
        assert len(pair.above.data) == 400_000

    _run(test)


def test_closing_waits_for_a_slow_reader() -> None:
    """All leaves, then the goodbye; nothing is read of what the other side still sends."""

    def test(pair: _Pair) -> None:
        pair.link.write(b"x" * _MIB)
        pair.link.close()
        pair.link.close()
        assert pair.link.is_closing()
        pair.client.write(b"y" * 10)
        found = pair.received(pair.tcp.take(50_000))
        assert not pair.tcp.has_eof
        while pair.tcp.held:
            found += pair.received(pair.tcp.take(50_000))
        assert found == b"x" * _MIB + b"<end>"
        assert pair.tcp.has_eof
        assert not pair.tcp.is_closed
        assert not pair.link.eof_received()  # so the loop closes TCP
        assert pair.above.data == b""

    _run(test)


def test_a_closed_link_hangs_up_when_the_other_side_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A while after the last byte has left."""
    monkeypatch.setattr("jina.transport.tls_link._LINGER_S", 0.01)

    async def test(pair: _Pair) -> None:
        pair.link.write(b"last words")
        pair.link.close()
        await asyncio.sleep(0.03)
        assert not pair.tcp.is_closed
        pair.tcp.take()
        await asyncio.wait_for(pair.tcp.gone.wait(), 10)
        assert pair.tcp.is_closed

    _run(test)


@pytest.mark.parametrize("is_polite", [True, False])
def test_the_other_sides_end_is_told(is_polite: bool) -> None:
    """With a goodbye or without one."""

    def test(pair: _Pair) -> None:
        if is_polite:
            with pytest.raises(ssl.SSLWantReadError):
                pair.client.unwrap()
            pair.send_raw()
        else:
            assert pair.link.eof_received()
        assert pair.above.told == ["made", "eof"]
        assert pair.tcp.has_eof
        pair.link.connection_lost(None)
        assert pair.above.told == ["made", "eof", "lost"]

    _run(test)


def test_what_is_no_tls_after_the_handshake_ends_the_connection() -> None:
    """As the end of input; what came before it is given."""

    def test(pair: _Pair) -> None:
        pair.client.write(b"good")
        pair.send_raw()
        pair.link.data_received(b"GET / HTTP/1.1\r\n\r\n" * 10)
        assert pair.above.data == b"good"
        assert pair.above.told == ["made", "eof"]
        pair.link.data_received(b"more" * 1000)

    _run(test)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"\x16\x03\x01\x00\x05nonsense", b"\x15\x03"),
        (b"\0" * 100, b""),
    ],
)
def test_a_handshake_that_fails_is_answered(data: bytes, expected: bytes) -> None:
    """With an alert, or for plain HTTP with an answer in plain HTTP; nothing is made above, and further bytes are not kept."""

    async def main() -> None:
        pair = _Pair()
        pair.link.data_received(data)
        assert bytes(pair.tcp.held).startswith(expected)
        assert pair.tcp.has_eof
        pair.link.data_received(data * 100)
        assert pair.above.told == []
        assert not pair.link.eof_received()
        pair.link.connection_lost(None)
        assert pair.above.told == []

    asyncio.run(main())


def test_a_handshake_that_takes_too_long_is_cut_off() -> None:
    """However little is missing."""

    async def main() -> None:
        pair = _Pair(handshake_s=0.01)
        pair.link.data_received(b"\x16\x03\x01")
        await asyncio.wait_for(pair.tcp.gone.wait(), 10)
        assert pair.tcp.is_aborted

    asyncio.run(main())


def test_a_lost_connection_forgets_what_waited() -> None:
    """And what is written to it later."""

    def test(pair: _Pair) -> None:
        pair.link.write(b"x" * _MIB)
        pair.link.connection_lost(None)
        pair.link.write(b"y")
        assert pair.link.get_write_buffer_size() == len(pair.tcp.held)
        assert pair.above.told == ["made", "pause", "lost"]

    _run(test)


def test_a_broken_record_while_a_reply_waits_ends_the_connection() -> None:
    """What waits cannot be written any more: the link says goodbye instead of failing at the next chance to write."""

    async def scenario() -> None:
        pair = _Pair()
        pair.shake()
        pair.link.write(bytes(4 * _MIB))
        pair.link.data_received(b"\x17\x03\x03\0\x30" + bytes(48))
        while pair.tcp.take():
            pass
        assert pair.tcp.has_eof
        assert not pair.link.get_write_buffer_size()

    asyncio.run(scenario())
