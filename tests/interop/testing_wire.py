"""What goes over the wire between any client and any server: a relay that notes which messages were marked as compressed."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

_PREFACE = 24
_DATA, _PADDED = 0, 8


class Flags:
    """Reads one direction of an HTTP/2 connection, without what we test: frames, and gRPC's prefixes in their DATA.

    Attributes:
        by_stream: The compressed flag of each message that was begun, by stream.
    """

    def __init__(self, *, has_preface: bool) -> None:
        self.by_stream: dict[int, list[int]] = {}
        self._skip, self._rest = _PREFACE if has_preface else 0, b""
        self._bodies: dict[int, bytes] = {}

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._rest += data
        if self._skip and len(self._rest) >= self._skip:
            self._rest, self._skip = self._rest[self._skip :], 0
        while not self._skip and len(self._rest) >= 9:
            size = int.from_bytes(self._rest[:3], "big")
            if len(self._rest) < 9 + size:
                return
            kind, flags, stream = self._rest[3], self._rest[4], int.from_bytes(self._rest[5:9], "big")
            payload, self._rest = self._rest[9 : 9 + size], self._rest[9 + size :]
            if kind == _DATA:
                self._on_data(stream, payload[1 : size - payload[0]] if flags & _PADDED else payload)

    def _on_data(self, stream: int, payload: bytes) -> None:
        body = self._bodies.get(stream, b"") + payload
        while len(body) >= 5:
            flag, size = struct.unpack_from(">BI", body)
            if len(body) < 5 + size:
                break
            self.by_stream.setdefault(stream, []).append(flag)
            body = body[5 + size :]
        self._bodies[stream] = body


class Relay:
    """Stands between a client and a server.

    Attributes:
        port: Where clients connect.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._requests: list[Flags] = []
        self._replies: list[Flags] = []
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def request_flags(self) -> list[list[int]]:
        """The flags of each call's requests, calls without messages left out."""
        return [flags for each in self._requests for flags in each.by_stream.values()]

    @property
    def reply_flags(self) -> list[list[int]]:
        """The same of the replies."""
        return [flags for each in self._replies for flags in each.by_stream.values()]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._requests.append(Flags(has_preface=True))
            self._replies.append(Flags(has_preface=False))
            self._sockets += [client, server]
            for source, target, flags in ((client, server, self._requests[-1]), (server, client, self._replies[-1])):
                self._threads.append(threading.Thread(target=self._copy, args=(source, target, flags)))
                self._threads[-1].start()

    def _copy(self, source: socket.socket, target: socket.socket, flags: Flags) -> None:
        try:
            while data := source.recv(1 << 16):
                flags.feed(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one of them left

    def close(self) -> None:
        """End all of it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(10)
        for each in self._sockets:
            with contextlib.suppress(OSError):  # it is gone
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads[1:]:
            thread.join(10)
