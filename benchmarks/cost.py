"""What one call costs the front, by its parts: CPU without sockets, the best of many short runs, so that a busy machine shows little.

python benchmarks/cost.py
"""

from __future__ import annotations

import asyncio
import struct
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import uvloop
from bodies import TEXTS, data_request, grpc_message, json_body
from frames import LARGE_WINDOW, PREFACE, SETTINGS, WINDOW_UPDATE, frame, header_blocks
from load import UNARY

from jina.call import Call, EndpointInfo, Item, Payload, Reply
from jina.codec import codec_for, messages
from jina.codec.pieces import placed
from jina.docs import BaseDoc, DocList, NdArray
from jina.fronts import grpc_methods, grpc_requests
from jina.fronts.front import Front
from jina.fronts.table import Service, make_front
from jina.transport import hop_messages
from jina.transport.run import Run
from jina.wire import envelope, sse
from jina.wire.grpc import ServerConnection
from jina.wire.grpc_messages import MessageReader

N_AT_ONCE = 32
N_BATCHES = 40
N_ROUNDS = 15
CHUNK = 256 << 10
LARGE_BYTES = 10_000_000


class Same:
    """Gives the payload back, or streams it for ever."""

    needs_task = False

    async def __call__(self, call: Call) -> Reply:
        return Reply(items=self.items(call)) if call.is_stream else Reply(payload=call.payload)

    async def items(self, call: Call) -> Any:
        for _ in range(1000):
            yield Item(Payload(call.payload.data, "json", True))


class Wire(asyncio.Transport):
    """Takes everything and keeps nothing."""

    def write(self, data: Any) -> None:
        pass

    def writelines(self, list_of_data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def best_us(prepare: Callable[[], Callable[[], object]], n: int) -> float:
    """CPU microseconds of one of the `n` calls that what `prepare` gives makes: the best of many rounds."""
    found = []
    for _ in range(N_ROUNDS):
        run = prepare()
        begun = time.process_time()
        run()
        found.append((time.process_time() - begun) / n * 1e6)
    return min(found)


def each(function: Callable[..., object], *given: Any, n: int = 1000) -> float:
    def run() -> None:
        for _ in range(n):
            function(*given)

    return best_us(lambda: run, n)


def front(protocol: str) -> Front:
    endpoints = [EndpointInfo("/echo", "batch"), EndpointInfo("/stream", "stream")]
    return make_front(Service(name="executor", handler=Same(), endpoints=endpoints), [protocol])


def grpc_batches(*, is_varying: bool) -> list[bytes]:
    """The bytes of a connection: first what opens it, then calls, so many in a read."""
    settings = frame(SETTINGS, 0, 0, struct.pack(">HIHI", 4, LARGE_WINDOW, 2, 0))
    opening = PREFACE + settings + frame(WINDOW_UPDATE, 0, 0, LARGE_WINDOW.to_bytes(4, "big"))
    first, blocks = header_blocks(UNARY.encode(), 9973, is_varying=is_varying)
    bodies = [grpc_message(data_request(text)) for text in TEXTS]

    def call(number: int) -> bytes:
        block = blocks[number % len(blocks)] if number else first
        return frame(1, 4, 2 * number + 1, block) + frame(0, 1, 2 * number + 1, bodies[number % len(bodies)])

    calls = [call(number) for number in range(N_BATCHES * N_AT_ONCE)]
    return [opening, *(b"".join(calls[at : at + N_AT_ONCE]) for at in range(0, len(calls), N_AT_ONCE))]


def connection_cost(protocol: str, batches: list[bytes], n: int) -> float:
    made = front(protocol)

    def prepare() -> Callable[[], object]:
        connection = made.make_protocol()
        wire = Wire()
        connection.connection_made(wire)
        receive = getattr(wire, "protocol", connection).data_received
        receive(batches[0])

        def run() -> None:
            for batch in batches[1:]:
                receive(batch)

        return run

    return best_us(prepare, n)


def wire_cost(batches: list[bytes], message: bytes) -> float:
    def prepare() -> Callable[[], object]:
        core = ServerConnection(unary_paths=grpc_methods.UNARY_PATHS)
        core.receive(batches[0])

        def run() -> None:
            for batch in batches[1:]:
                for event in core.receive(batch, 1.0):
                    core.reply(event[1], message)
                core.take_pieces()

        return run

    return best_us(prepare, N_BATCHES * N_AT_ONCE)


def grpc_parts() -> Iterator[tuple[str, float]]:
    batches, data = grpc_batches(is_varying=False), data_request(TEXTS[0])
    core = ServerConnection(unary_paths=grpc_methods.UNARY_PATHS)
    core.receive(batches[0])
    head = core.receive(batches[1])[0][2]
    request = messages.read_request(data)
    call = grpc_requests.call_of(request, head, None, is_stream=False)
    reply, now = Reply(payload=call.payload), time.time()
    loop = asyncio.get_running_loop()
    n = N_BATCHES * N_AT_ONCE

    async def nothing() -> None:
        await Same()(call)

    yield "gRPC unary, 32 in a read", connection_cost("grpc", batches, n)
    yield "    HTTP/2 and gRPC, in and out", wire_cost(batches, grpc_message(data)[5:])
    yield "    the request message: split", each(messages.read_request, data)
    yield "    a Call of it", each(lambda: grpc_requests.call_of(request, head, None, is_stream=False))
    yield "    a coroutine without a task, the Handler", each(lambda: Run(nothing(), loop).start(needs_task=False))
    yield "    the reply message: written", each(grpc_requests.reply_message, call, request, reply, now)
    yield "gRPC unary, other headers each call", connection_cost("grpc", grpc_batches(is_varying=True), n)


def http_parts() -> Iterator[tuple[str, float]]:
    def request(number: int, more: bytes = b"") -> bytes:
        body = json_body(TEXTS[number % len(TEXTS)])
        return b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
            more,
            len(body),
            body,
        )

    yield "HTTP/1.1, one in a read", connection_cost("http", [request(number) for number in range(1001)], 1000)
    traced = [request(number, b"Traceparent: %032d\r\n" % number) for number in range(1001)]
    yield "HTTP/1.1, other headers each call", connection_cost("http", traced, 1000)
    yield "    the JSON around the documents", each(envelope.read_batch, json_body(TEXTS[0]))
    document = b'{"id":"0123456789abcdef0123456789abcdef","text":"document number 0001 says hello"}'
    yield "SSE, one event framed", each(sse.update, document)


class Large(BaseDoc):
    tensor: NdArray


def large_parts() -> Iterator[tuple[str, float]]:
    codec = codec_for(Large)
    docs = DocList[Large]([Large(tensor=np.arange(LARGE_BYTES // 4, dtype=np.float32))])
    made = bytes(codec.encode_pieces(docs))
    message = messages.write_request(messages.header_bytes("id", "/same"), b"", b"", made)
    framed = grpc_message(message)
    chunks = [framed[at : at + CHUNK] for at in range(0, len(framed), CHUNK)]

    def collect() -> None:
        reader = MessageReader("identity", None)
        for chunk in chunks:
            reader.feed(memoryview(chunk))

    def pass_on() -> None:
        found = messages.read_request(message)
        hop_messages.write_call(Call("/same", Payload(found.docs or b"", "strict")))

    def decode() -> None:
        whole, start = placed(messages.read_request(message).docs or b"")
        codec.decode_proto(whole, start=start)

    yield "10 MB: collect the message", each(collect, n=20)
    yield "10 MB: front, request to hop message", each(pass_on, n=20)
    yield "10 MB: decode", each(decode, n=20)
    yield "10 MB: encode", each(codec.encode_pieces, docs, n=20)


def main() -> None:
    for parts in (grpc_parts, http_parts, large_parts):
        for name, us in parts():
            print(f"{name:45} {us:10,.2f} µs", flush=True)


def on_loop() -> None:
    loop = uvloop.new_event_loop()

    def begin() -> None:  # in a callback and no task: a call begins without one there
        try:
            main()
        except BaseException:
            traceback.print_exc()
        loop.stop()

    loop.call_soon(begin)
    loop.run_forever()
    loop.close()


if __name__ == "__main__":
    on_loop()
