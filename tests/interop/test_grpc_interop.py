"""gRPC's public interoperability cases, all that need no cloud: grpcio's client on our core, our client's core on grpcio's server and ours.

Written anew from gRPC's interop-test-descriptions.md. Compressed flags are read off the wire by a relay between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from tests.interop import testing_messages as messages
from tests.interop.testing_callers import Caller, GrpcioCaller, OurCaller, Outcome, Pairs
from tests.interop.testing_messages import SERVICE, payload
from tests.interop.testing_service import CACHE, INITIAL, TRAILING, Grpcio, Ours
from tests.interop.testing_wire import Relay
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process

LARGE_REQUEST, LARGE_REPLY = 271828, 314159
ECHOED: Pairs = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"


@dataclass(frozen=True)
class Joined:
    """A client, a server, and what stands between."""

    caller: Caller
    server: Ours | Grpcio
    relay: Relay

    @property
    def log(self) -> list[object] | None:
        """What our service has noted."""
        return self.server.log if isinstance(self.server, Ours) else None


PAIRS: dict[str, tuple[type[GrpcioCaller] | type[OurCaller], type[Ours] | type[Grpcio]]] = {
    "grpcio calls us": (GrpcioCaller, Ours),
    "we call grpcio": (OurCaller, Grpcio),
    "we call us": (OurCaller, Ours),
}


@pytest.fixture(params=PAIRS.values(), ids=list(PAIRS))
def joined(request: pytest.FixtureRequest) -> Iterator[Joined]:
    call, serve = request.param
    with ExitStack() as stack:
        server = stack.enter_context(closing(serve()))
        relay = stack.enter_context(closing(Relay(server.port)))
        yield Joined(stack.enter_context(closing(call(relay.port))), server, relay)


def simple(size: int = LARGE_REQUEST, reply: int = LARGE_REPLY, **fields: object) -> bytes:
    data: bytes = messages.SimpleRequest(response_size=reply, payload=payload(size), **fields).SerializeToString()
    return data


def wanted(*sizes: int, sent: int | None = None, compressed: tuple[bool, ...] = (), **fields: object) -> bytes:
    parameters = [{"size": size} for size in sizes]
    for each, is_compressed in zip(parameters, compressed, strict=False):
        each["compressed"] = {"value": is_compressed}  # type: ignore[assignment]
    if sent is not None:
        fields["payload"] = payload(sent)
    data: bytes = messages.StreamingOutputCallRequest(response_parameters=parameters, **fields).SerializeToString()
    return data


def piece(size: int, expect: bool | None = None) -> bytes:
    fields = {} if expect is None else {"expect_compressed": {"value": expect}}
    data: bytes = messages.StreamingInputCallRequest(payload=payload(size), **fields).SerializeToString()
    return data


def body(data: bytes) -> bytes:
    found: bytes = messages.SimpleResponse.FromString(data).payload.body
    return found


def bodies(outcome: Outcome) -> list[int]:
    assert (outcome.status, outcome.text) == (0, "")
    return [len(messages.StreamingOutputCallResponse.FromString(data).payload.body) for data in outcome.messages]


def total(outcome: Outcome) -> int:
    assert (outcome.status, outcome.text) == (0, "")
    found: int = messages.StreamingInputCallResponse.FromString(outcome.messages[0]).aggregated_payload_size
    return found


def is_large(outcome: Outcome) -> bool:
    return outcome.status == 0 and body(outcome.messages[0]) == bytes(LARGE_REPLY)


def empty_unary(joined: Joined) -> None:
    outcome = joined.caller.unary(SERVICE + "EmptyCall", b"")
    assert (outcome.status, outcome.messages) == (0, [b""])


def cacheable_unary(joined: Joined) -> None:
    """Without the caching proxy of the description: the server says how long a reply is good for, and answers each call."""
    for _ in range(2):
        outcome = joined.caller.unary(SERVICE + "CacheableUnaryCall", simple(8, 8), metadata=(("x-user-ip", "1.2.3.4"),))
        assert body(outcome.messages[0]) == bytes(8)
        assert CACHE in outcome.initial


def large_unary(joined: Joined) -> None:
    assert is_large(joined.caller.unary(SERVICE + "UnaryCall", simple()))


def client_compressed_unary(joined: Joined) -> None:
    caller, expected = joined.caller, [[1], [0]]
    if joined.log is not None:  # the probe: a server that looks would be no use if it did not refuse
        probe = caller.unary(SERVICE + "UnaryCall", simple(expect_compressed={"value": True}))
        assert probe.status == 3
        expected = [[0], *expected]
    assert is_large(caller.unary(SERVICE + "UnaryCall", simple(expect_compressed={"value": True}), encoding="gzip"))
    assert is_large(caller.unary(SERVICE + "UnaryCall", simple(expect_compressed={"value": False})))
    assert joined.relay.request_flags == expected


def server_compressed_unary(joined: Joined) -> None:
    for is_compressed in (True, False):
        assert is_large(joined.caller.unary(SERVICE + "UnaryCall", simple(response_compressed={"value": is_compressed})))
    assert joined.relay.reply_flags == [[1], [0]]


def client_streaming(joined: Joined) -> None:
    sent = [(piece(size), True) for size in (27182, 8, 1828, 45904)]
    assert total(joined.caller.client_stream(SERVICE + "StreamingInputCall", sent)) == 74922


def client_compressed_streaming(joined: Joined) -> None:
    caller, method = joined.caller, SERVICE + "StreamingInputCall"
    if joined.log is not None:
        assert caller.client_stream(method, [(piece(27182, expect=True), True)]).status == 3
    is_mixed = caller.can_mix
    sent = [(piece(27182, expect=True), True), (piece(45904, expect=not is_mixed), not is_mixed)]
    assert total(caller.client_stream(method, sent, encoding="gzip")) == 73086
    assert joined.relay.request_flags[-1] == [1, 0 if is_mixed else 1]


def server_streaming(joined: Joined) -> None:
    assert bodies(joined.caller.server_stream(SERVICE + "StreamingOutputCall", wanted(31415, 9, 2653, 58979))) == [31415, 9, 2653, 58979]


def server_compressed_streaming(joined: Joined) -> None:
    request = wanted(31415, 92653, compressed=(True, False))
    assert bodies(joined.caller.server_stream(SERVICE + "StreamingOutputCall", request)) == [31415, 92653]
    assert joined.relay.reply_flags == [[1, 0]]


def ping_pong(joined: Joined) -> None:
    session = joined.caller.begin(SERVICE + "FullDuplexCall")
    for size, sent in ((31415, 27182), (9, 8), (2653, 1828), (58979, 45904)):
        session.send(wanted(size, sent=sent))
        reply = session.receive()
        assert reply is not None
        assert body(reply) == bytes(size)
    session.half_close()
    assert session.end().status == 0


def empty_stream(joined: Joined) -> None:
    session = joined.caller.begin(SERVICE + "FullDuplexCall")
    session.half_close()
    outcome = session.end()
    assert (outcome.status, list(outcome.messages)) == (0, [])


def custom_metadata(joined: Joined) -> None:
    unary = joined.caller.unary(SERVICE + "UnaryCall", simple(), metadata=ECHOED)
    session = joined.caller.begin(SERVICE + "FullDuplexCall", metadata=ECHOED)
    session.send(wanted(LARGE_REPLY, sent=LARGE_REQUEST))
    session.half_close()
    for outcome in (unary, session.end()):
        assert outcome.status == 0
        assert ECHOED[0] in outcome.initial
        assert ECHOED[1] in outcome.trailing


def status_code_and_message(joined: Joined) -> None:
    status = {"code": 2, "message": "test status message"}
    unary = joined.caller.unary(SERVICE + "UnaryCall", simple(1, 1, response_status=status))
    session = joined.caller.begin(SERVICE + "FullDuplexCall")
    session.send(wanted(response_status=status))
    session.half_close()
    for outcome in (unary, session.end()):
        assert (outcome.status, outcome.text) == (2, "test status message")


def special_status_message(joined: Joined) -> None:
    outcome = joined.caller.unary(SERVICE + "UnaryCall", simple(1, 1, response_status={"code": 2, "message": SPECIAL}))
    assert (outcome.status, outcome.text) == (2, SPECIAL)


def unimplemented_method(joined: Joined) -> None:
    assert joined.caller.unary(SERVICE + "UnimplementedCall", b"").status == 12


def unimplemented_service(joined: Joined) -> None:
    assert joined.caller.unary("/grpc.testing.UnimplementedService/UnimplementedCall", b"").status == 12


def cancel_after_begin(joined: Joined) -> None:
    session = joined.caller.begin(SERVICE + "StreamingInputCall", metadata=ECHOED)
    session.cancel()
    assert session.end().status == 1
    assert joined.caller.unary(SERVICE + "EmptyCall", b"").status == 0


def cancel_after_first_response(joined: Joined) -> None:
    session = joined.caller.begin(SERVICE + "FullDuplexCall")
    session.send(wanted(31415, sent=27182))
    assert session.receive() is not None
    session.cancel()
    assert session.end().status == 1
    _is_heard(joined)


def timeout_on_sleeping_server(joined: Joined) -> None:
    session = joined.caller.begin(SERVICE + "FullDuplexCall", timeout_s=0.001)
    session.send(wanted(sent=27182))
    assert session.end().status == 4
    assert joined.caller.unary(SERVICE + "EmptyCall", b"").status == 0


def _is_heard(joined: Joined) -> None:
    """Our server's handler was told that its caller has left."""
    log = joined.log
    if log is not None:
        wait_until(lambda: ("cancelled", SERVICE + "FullDuplexCall") in log)


CASES: list[Callable[[Joined], None]] = [
    *(empty_unary, cacheable_unary, large_unary, client_compressed_unary, server_compressed_unary),
    *(client_streaming, client_compressed_streaming, server_streaming, server_compressed_streaming),
    *(ping_pong, empty_stream, custom_metadata, status_code_and_message, special_status_message),
    *(unimplemented_method, unimplemented_service, cancel_after_begin, cancel_after_first_response, timeout_on_sleeping_server),
]


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_public_case(joined: Joined, case: Callable[[Joined], None]) -> None:
    """Each case of gRPC's description has the outcome that stands there."""
    case(joined)
