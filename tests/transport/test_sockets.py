"""What a worker's sockets do with more than a socket takes at once."""

from __future__ import annotations

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
