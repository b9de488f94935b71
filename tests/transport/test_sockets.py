"""What a worker's sockets do with more than a socket takes at once."""

from __future__ import annotations

import errno
import logging
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from jina.codec.pieces import Bytes
from jina.transport.sockets import Sockets

PIECES: list[Bytes] = [b"head", bytes(range(256)) * 8000, b"", memoryview(b"xx" * 300_000)[7:], b"tail"]


class Writer:
    """Answers whatever comes with `PIECES`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_connected = False

    def connection_made(self, transport: Any) -> None:
        self.link = transport
        self.is_connected = True

    def data_received(self, data: bytes) -> None:
        if data == b"pieces":
            self.link.writelines(PIECES)
        else:
            for piece in PIECES:
                self.link.write(piece)

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


@pytest.mark.parametrize("question", [b"pieces", b"one by one"])
def test_pieces_leave_whole_and_in_order_however_slowly_they_are_read(tmp_path: Path, question: bytes) -> None:
    """Views and bytes, large and small, go out as one; the writer is told once to pause and once to go on."""
    writer, wanted, got = Writer(), b"".join(PIECES), bytearray()
    sockets = Sockets(str(tmp_path / "s"), lambda: writer, on_open=lambda fd: None, on_close=lambda fd: None)
    with socket.socket(socket.AF_UNIX) as reader:
        reader.connect(str(tmp_path / "s"))
        reader.sendall(question)
        while len(got) < len(wanted):
            sockets.handle(sockets.wait(0))
            try:
                got += reader.recv(50_000, socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
    sockets.handle(sockets.wait(5))
    sockets.close()

    assert got == wanted
    assert writer.told == ["pause", "resume", "lost"]


def test_a_reader_that_leaves_ends_the_link(tmp_path: Path) -> None:
    """What it was to get is dropped, and more may be written without harm."""
    writer = Writer()
    sockets = Sockets(str(tmp_path / "s"), lambda: writer, on_open=lambda fd: None, on_close=lambda fd: None)
    with socket.socket(socket.AF_UNIX) as reader:
        reader.connect(str(tmp_path / "s"))
        reader.sendall(b"pieces")
        while "pause" not in writer.told:
            sockets.handle(sockets.wait(5))
    while "lost" not in writer.told:
        sockets.handle(sockets.wait(5))
    writer.link.writelines(PIECES)
    writer.link.write(b"more")
    sockets.close()

    assert writer.told == ["pause", "lost"]


def test_who_knocks_while_no_descriptor_is_free_waits_until_one_is(tmp_path: Path) -> None:
    """Nor does it keep the thread busy that serves the others: it is looked at again a little later."""
    writer = Writer()
    sockets = Sockets(str(tmp_path / "s"), lambda: writer, on_open=lambda fd: None, on_close=lambda fd: None)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as caller:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # below what is open: also what was kept for this cannot be had again
        try:
            caller.connect(str(tmp_path / "s"))
            n_busy = 0
            for _ in range(1000):
                events = sockets.wait(0)
                n_busy += bool(events)
                sockets.handle(events)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        while not writer.is_connected:
            sockets.handle(sockets.wait(5))
    while "lost" not in writer.told:
        sockets.handle(sockets.wait(5))
    sockets.close()

    assert 0 < n_busy < 100


class FailingAccepts:
    """Lets `accept` of every socket fail with `code`, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int, n_left: int) -> None:
        self.n_left, self.n_failed = n_left, 0
        accept = socket.socket.accept

        def fail_first(sock: socket.socket) -> Any:
            if self.n_left:
                self.n_left -= 1
                self.n_failed += 1
                raise OSError(code, "as the test wants it")
            return accept(sock)

        monkeypatch.setattr(socket.socket, "accept", fail_first)


@pytest.mark.parametrize("code", [errno.ECONNABORTED, errno.EPROTO])
def test_after_one_who_left_before_it_was_let_in_comes_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Nobody is turned away, for nothing is lacking, and nothing is logged."""
    writer = Writer()
    sockets = Sockets(str(tmp_path / "s"), lambda: writer, on_open=lambda fd: None, on_close=lambda fd: None)
    FailingAccepts(monkeypatch, code, 3)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(tmp_path / "s"))
        for _ in range(4):
            sockets.handle(sockets.wait(0))
        assert writer.is_connected
    while "lost" not in writer.told:
        sockets.handle(sockets.wait(5))
    sockets.close()


@pytest.mark.parametrize(
    ("code", "logged"),
    [(errno.ENOMEM, []), (errno.ENOBUFS, []), (errno.EINVAL, ["nobody is let in: [Errno 22] as the test wants it"])],
)
def test_what_does_not_end_at_once_keeps_no_thread_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int, logged: list[str]
) -> None:
    """It is looked at again a little later; what nobody expects is told once, however long it lasts."""
    writer = Writer()
    sockets = Sockets(str(tmp_path / "s"), lambda: writer, on_open=lambda fd: None, on_close=lambda fd: None)
    accepts = FailingAccepts(monkeypatch, code, 1_000_000)
    with socket.socket(socket.AF_UNIX) as caller, caplog.at_level(logging.DEBUG):
        caller.connect(str(tmp_path / "s"))
        for _ in range(1000):
            sockets.handle(sockets.wait(0))
        n_at_once = accepts.n_failed
        while accepts.n_failed < 3:
            sockets.handle(sockets.wait(5))
        accepts.n_left = 0
        while not writer.is_connected:
            sockets.handle(sockets.wait(5))
    while "lost" not in writer.told:
        sockets.handle(sockets.wait(5))
    sockets.close()

    assert 0 < n_at_once < 100
    assert caplog.messages == logged


def test_sockets_that_rest_can_be_closed(tmp_path: Path) -> None:
    """And do not come back."""
    sockets = Sockets(str(tmp_path / "s"), Writer, on_open=lambda fd: None, on_close=lambda fd: None)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as caller:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            caller.connect(str(tmp_path / "s"))
            sockets.handle(sockets.wait(5))
            sockets.stop_listening()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with pytest.raises(ConnectionResetError):
            caller.recv(1)
        assert sockets.wait(0.3) == []
    sockets.close()
