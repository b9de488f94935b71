"""What the supervisor and its children say to each other, over one pair of pipes a child.

Frames are a 4-byte length and msgpack. The first frame to a child is its specification; later ones are orders. A child answers with
events. The end of a pipe is a message too: to the child that the supervisor is gone. (The supervisor watches the process itself.)
"""

from __future__ import annotations

import os
import struct
from typing import Any

import msgspec

from jina.call import EndpointInfo
from jina.core.graph import Graph
from jina.limits import FrontOptions, Patience
from jina.options.address import Elsewhere

_LENGTH = struct.Struct("<I")


class WorkerSpec(msgspec.Struct, tag="worker"):
    """What a worker process needs to serve one replica of one executor.

    Attributes:
        name: Pod name, e.g. `executor/rep-0`.
        deployment: Name of the deployment.
        socket_path: Unix socket to serve the hop on.
        begun_path: File to note begun calls in (see `runtime/begun.py`).
        sys_path, cwd: The parent's, so that imports work alike.
        executor: The travelling executor class (see `process/travel.py`).
        config: Keyword arguments of `create_executor` (JSON values).
        n_threads: Threads for `def` methods; 1 means one call at a time.
        when: Which documents are let in (`core/condition.py`); None for all.
        max_message_bytes: None for no limit.
        grace_s: How long to finish held calls when the supervisor is gone.
    """

    name: str
    deployment: str
    socket_path: str
    begun_path: str
    sys_path: list[str]
    cwd: str
    executor: bytes
    config: dict[str, Any]
    n_threads: int
    when: Any
    max_message_bytes: int | None
    grace_s: float


class Listen(msgspec.Struct):
    """What one front listens on.

    Attributes:
        protocols: Spoken on it: a non-empty subset of `http`, `grpc`, `websocket`.
        fds: The inherited sockets, one for each address.
        is_ours: Nobody but us listens on them, so that we may end that.
    """

    protocols: list[str]
    fds: list[int]
    is_ours: bool = True


class NodeSpec(msgspec.Struct):
    """A node, as its front knows it.

    Attributes:
        name: In the graph: of routes, parameter prefixes, `target_executor`.
        deployment: The deployment's own name, which errors say, and the latter two may use as well.
        patience: How long its calls wait, and its workers are waited for.
        elsewhere: Where it is, if somebody else runs it; it has no workers then.
    """

    name: str
    deployment: str
    patience: Patience
    elsewhere: Elsewhere | None = None


class FrontSpec(msgspec.Struct, tag="front"):
    """What a front process needs.

    Attributes:
        name: Pod name, e.g. `executor/front`.
        service: The deployment's or the flow's name.
        listens: The public sockets, bound by the supervisor.
        nodes: What is behind it, in graph order.
        graph: Who of them gets whose documents.
        options: Of all ports.
        guard: Travelling key or callable over the headers; empty for none.
        app_path: Unix socket on which app processes call; empty if there is none.
        folder: What holds our files; a front that outlives its supervisor removes it.
    """

    name: str
    service: str
    listens: list[Listen]
    nodes: list[NodeSpec]
    graph: Graph
    options: FrontOptions
    sys_path: list[str]
    cwd: str
    folder: str
    grace_s: float
    guard: bytes = b""
    app_path: str = ""


class AppSpec(msgspec.Struct, tag="app"):
    """What an app process needs.

    Attributes:
        listen: The public HTTP sockets.
        front_path: Unix socket on which the front takes its calls.
        graph: As in FrontSpec.
        options: As in FrontSpec.
        uvicorn_kwargs: More options of the server, as the user gave them.
        app, hook: What the user gave, travelling; empty for none.
        guard: As in FrontSpec.
    """

    name: str
    listen: Listen
    front_path: str
    graph: Graph
    options: FrontOptions
    uvicorn_kwargs: dict[str, Any]
    sys_path: list[str]
    cwd: str
    grace_s: float
    app: bytes = b""
    hook: bytes = b""
    guard: bytes = b""


class ReplicaUp(msgspec.Struct, tag="replica_up"):
    """To a front and an app: this replica of a node takes calls now."""

    name: str
    node: str
    socket_path: str
    begun_path: str
    pid: int
    endpoints: list[EndpointInfo]


class TakeOver(msgspec.Struct, tag="take_over"):
    """To a front or an app that takes a dead one's place: listen now, before any replica is known to be up. Endpoints by node."""

    endpoints: dict[str, list[EndpointInfo]]


class ReplicaDown(msgspec.Struct, tag="replica_down"):
    """To a front: this replica of a node died; `error` is set once it will not be started again."""

    name: str
    node: str
    error: str = ""


class WorkerStarted(msgspec.Struct, tag="worker_started"):
    """To a front: a worker, or an app, of this pid exists, so it belongs to the front's last will."""

    name: str
    pid: int
    is_app: bool = False


class Awaits(msgspec.Struct, tag="awaits"):
    """From a front that has not served yet: which executor elsewhere has not told its endpoints, where it is, and perhaps why not."""

    node: str
    text: str


class Discovered(msgspec.Struct, tag="discovered"):
    """From a front, and to an app: the endpoints that an executor elsewhere has told."""

    node: str
    endpoints: list[EndpointInfo]


class Stop(msgspec.Struct, tag="stop"):
    """Take no more, finish what is held for at most `grace_s`, exit."""

    grace_s: float


class Ready(msgspec.Struct, tag="ready"):
    """From a child: it serves. A worker says which endpoints it has."""

    endpoints: list[EndpointInfo] = []


class Failed(msgspec.Struct, tag="failed"):
    """From a child, before it exits: it cannot serve, and why (the traceback, for people)."""

    summary: str
    traceback: str


class Hung(msgspec.Struct, tag="hung"):
    """From a front: the worker of this pid has answered nothing for this long, and no longer may."""

    pid: int
    silent_s: float


ToChild = WorkerSpec | FrontSpec | AppSpec | ReplicaUp | ReplicaDown | TakeOver | WorkerStarted | Discovered | Stop
FromChild = Ready | Failed | Hung | Awaits | Discovered

_encode = msgspec.msgpack.Encoder().encode
_decode_to_child = msgspec.msgpack.Decoder(ToChild)
_decode_from_child = msgspec.msgpack.Decoder(FromChild)


def frame(message: ToChild | FromChild) -> bytes:
    """Give the bytes of one message."""
    data = _encode(message)
    return _LENGTH.pack(len(data)) + data


def send(fd: int, message: ToChild | FromChild) -> None:
    """Write one message; blocks while the pipe is full. BrokenPipeError when the other side is gone."""
    view = memoryview(frame(message))
    while view:
        view = view[os.write(fd, view) :]


class Reader:
    """Cuts what comes out of a pipe into messages."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    @classmethod
    def of_orders(cls) -> Reader:
        """For a child, which reads its specification and then orders."""
        return cls(_decode_to_child)

    @classmethod
    def of_events(cls) -> Reader:
        """For the supervisor, which reads what a child reports."""
        return cls(_decode_from_child)

    def feed(self, data: bytes) -> list[Any]:
        """Take bytes of the pipe and give the messages that are complete, in order."""
        buffer, messages = self._buffer, []
        buffer += data
        while len(buffer) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
            if len(buffer) < end:
                break
            messages.append(self._decoder.decode(bytes(buffer[_LENGTH.size : end])))
            del buffer[:end]
        return messages
