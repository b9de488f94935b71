"""An executor elsewhere as a Handler: services of ours in memory, and ones that do what a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from jina import Executor, requests
from jina.call import DIALECT, Call, EndpointInfo, Item, Payload, Reply, Status
from jina.codec import codec_for
from jina.codec.messages import read_request, write_reply
from jina.docs import BaseDoc, DocList, NdArray
from jina.errors import Code, ConfigError, TransportError
from jina.executor import write
from jina.fronts import grpc_about
from jina.options.address import Address
from jina.runtime.remote import Remote
from jina.runtime.remote_peers import Peer
from jina.runtime.writes import Writes
from jina.testing.parts import Parts
from jina.transport.connect import Connect
from jina.transport.grpc_calls import CallEnd
from jina.transport.grpc_channel import GrpcChannel
from jina.transport.grpc_connection import ChannelOptions
from jina.wire.grpc import UNARY, GrpcStatus
from tests.client.fakes import FakeGrpc, FakeGrpcServer
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Word(BaseDoc):
    text: str = ""
    n: int = 0
    at: datetime | None = None
    vector: NdArray | None = None


class Words(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_left = self.n_made = self.n_cancelled = 0

    @requests(on="/up")
    def up(self, docs: DocList[Word], parameters: dict[str, Any], **kwargs: Any) -> DocList[Word]:
        for doc in docs:
            doc.text = doc.text.upper() + str(parameters.get("mark", ""))
        return docs

    @requests(on="/large")
    def large(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(id=doc.id, n=doc.n << 40) for doc in docs])

    @requests(on="/results")
    def results(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return {"n": len(docs)}  # type: ignore[return-value]

    @requests(on="/raise")
    def fail(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        raise ValueError("no such word", 7)

    @write
    @requests(on="/note")
    async def note(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return docs

    @requests(on="/wait")
    async def wait(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        return docs

    @requests(on="/count")
    def count(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        for n in range(doc.n):
            yield Word(id=str(n), n=n)

    @requests(on="/for-ever")
    async def for_ever(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        try:
            while True:
                self.n_made += 1
                yield Word(text="x" * 10_000)
        finally:
            self.n_left += 1

    @requests(on="/break")
    async def breaks(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        if doc.n:
            yield doc
        raise ValueError("in the middle")


class Site:
    """A service of ours in memory, and a Remote that has it at the address `here:1`."""

    def __init__(self, parts: Parts, remote: Remote) -> None:
        self.remote = remote
        self.executor: Any = next(iter(parts.executors.values()))

    async def post(self, endpoint: str, *docs: Word, wants: str = "ours", **more: Any) -> Reply:
        return await self.remote(call(endpoint, *docs, wants=wants, **more))


def call(endpoint: str, *docs: Word, wants: str = "strict", dialect: str = "strict", left_s: float | None = None, **more: Any) -> Call:
    payload = Payload(codec_for(Word).encode_proto(docs, dialect=dialect), dialect)
    deadline = None if left_s is None else time.monotonic() + left_s
    return Call(endpoint, payload, "some-id", wants=wants, deadline=deadline, call_id=bytes(16), **more)


def stream_call(endpoint: str, doc: Word, wants: str = "strict") -> Call:
    payload = Payload(codec_for(Word).encode_proto_one(doc), "strict", True)
    return Call(endpoint, payload, "some-id", wants=wants, is_stream=True)


def words(payload: Payload | None) -> list[Any]:
    assert payload is not None
    return codec_for(Word).decode_proto(payload.data)


@asynccontextmanager
async def site(**options: Any) -> AsyncIterator[Site]:
    parts = Parts(Words, {})
    await parts.start()
    remote = Remote("words", ["here:1"], make_connect=lambda *given: parts.connectors["grpc"], **options)
    try:
        yield Site(parts, remote)
    finally:
        remote.close()
        await parts.stop()
        parts.close()


def remote_to(ways: dict[str, Connect], **options: Any) -> Remote:
    """A Remote named `words` with an address for each way."""

    def make(address: Address, tls: Any) -> Connect:
        return ways[f"{address.host}:{address.port}"]

    return Remote("words", list(ways), make_connect=make, **options)


async def nobody(make: Callable[[], asyncio.Protocol]) -> Any:
    """A way to where nobody listens."""
    raise ConnectionRefusedError("refused")


def echo(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
    if event[0] == UNARY:
        envelope = read_request(event[3])
        connection.wire.reply(event[1], write_reply(envelope.request_id, envelope.endpoint, docs=envelope.docs))


def refuses(status: int, *metadata: tuple[str, str]) -> FakeGrpcServer:
    return FakeGrpcServer(lambda connection, event: connection.wire.send_status(event[1], status, "not now", metadata))


def failed(reply: Reply) -> Status:
    assert reply.status is not None
    return reply.status


async def test_branches_that_meet_there_are_joined_before() -> None:
    """By id, whatever their encodings; an executor elsewhere cannot have them apart."""
    binary, given = call("/up", Word(id="1", text="a", n=1), Word(id="2")).payload, Payload(b'[{"id":"1","text":"b"}]')
    branches = (("a", binary), ("gateway", given), ("c", Payload(b"", "ours")))
    async with site() as here:
        reply = await here.remote(Call("/up", Payload(b"", "ours"), branches=branches, wants="ours"))
        apart = await here.remote(Call("/up", Payload(b"", "ours"), branches=branches, wants="ours", keeps_branches=True))

    assert reply.status is None
    assert [(word.id, word.text, word.n) for word in words(reply.payload)] == [("1", "B", 1), ("2", "", 0)]
    assert "'words' cannot be made: the documents of several nodes can only be given to it joined" in failed(apart).description


@pytest.mark.parametrize("wants", ["strict", "ours"])
async def test_documents_and_parameters_go_there_and_come_back(wants: str) -> None:
    async with site() as there:
        reply = await there.post("/up", Word(id="a", text="hi"), wants=wants, parameters={"mark": "!"})
        assert reply.status is None
        assert [(doc.id, doc.text) for doc in words(reply.payload)] == [("a", "HI!")]
        assert reply.payload is not None
        assert reply.payload.encoding == wants
        assert reply.parameters == {}


async def test_a_stream_answers_the_only_document_of_a_list() -> None:
    """As nodes before it give one; of several it is refused."""
    async with site() as there:
        reply = await there.remote(call("/count", Word(n=3), is_stream=True))
        assert reply.items is not None
        assert len([item async for item in reply.items]) == 3
        status = failed(await there.remote(call("/count", Word(n=3), Word(n=3), is_stream=True)))
        assert "endpoint '/count' streams the answer to one document, got 2" in status.description


async def test_what_a_method_returns_as_a_dict_comes_as_results() -> None:
    async with site() as there:
        reply = await there.post("/results", Word(), Word())
        assert reply.parameters == {"__results__": {"executor/rep-0": {"n": 2.0}}}


async def test_a_failure_of_the_executor_keeps_what_it_says() -> None:
    async with site() as there:
        status = failed(await there.post("/raise", Word()))
        assert (status.code, status.name, status.args, status.executor) == (
            Code.EXECUTOR_FAILED,
            "ValueError",
            ["no such word", "7"],
            "Words",
        )
        assert status.description == "ValueError('no such word', 7)"
        assert "no such word" in status.stacks[-1]


async def test_a_remark_on_an_unknown_endpoint_is_passed_on() -> None:
    """The documents come back as they were."""
    async with site() as there:
        reply = await there.post("/upp", Word(text="a"))
        assert reply.status is None
        assert "'/up'" in reply.description
        assert words(reply.payload)[0].text == "a"


async def test_json_goes_as_bytes_and_comes_as_json() -> None:
    """Documents without an id get one of the call's; arrays are lists again."""
    async with site() as there:
        body = msgspec.json.encode([{"text": "a", "n": 2**40, "vector": [1.0, 2.0]}, {"id": "b"}])
        asked = Call("/up", Payload(body, "json"), "some-id", wants="json", call_id=bytes(range(16)))
        replies = [await there.remote(asked) for _ in range(2)]
        for reply in replies:
            assert reply.payload is not None
            assert reply.payload.encoding == "json"
            first, second = msgspec.json.decode(reply.payload.data)
            assert (first["text"], first["n"], first["vector"], second["id"]) == ("A", 2**40, [1.0, 2.0], "b")
        assert replies[0] == replies[1]


async def test_json_that_is_none_is_refused_here() -> None:
    async with site() as there:
        status = failed(await there.remote(Call("/up", Payload(b"[{]", "json"), wants="json")))
        assert status.code is Code.MALFORMED
        assert "executor 'words'" in status.description


async def test_metadata_of_a_call_names_its_endpoint_and_has_what_was_given() -> None:
    """A name that is no text for a header stands in the request alone."""
    server = FakeGrpcServer(echo)
    remote = remote_to({"a:1": server.connect}, metadata={"Authorization": "Bearer x"})
    for endpoint, wants in (("/up", "strict"), ("/größe\n", "ours")):
        assert (await remote(call(endpoint, Word(), wants=wants))).status is None
    plain, odd = (event[2].headers for event in server.events)
    assert (plain["authorization"], plain["endpoint"], DIALECT[0] in plain) == ("Bearer x", "/up", False)
    assert (odd["authorization"], "endpoint" in odd, odd[DIALECT[0]]) == ("Bearer x", False, DIALECT[1])
    assert [read_request(event[3]).endpoint for event in server.events] == ["/up", "/größe\n"]
    remote.close()


async def test_values_that_docarray_has_no_form_for_go_to_a_service_of_ours() -> None:
    async with site() as there:
        when = datetime(2026, 1, 2, tzinfo=UTC)
        reply = await there.post("/up", Word(text="a", n=2**40, at=when), dialect="ours")
        assert [(doc.text, doc.n, doc.at) for doc in words(reply.payload)] == [("A", 2**40, when)]
        reply = await there.post("/large", Word(n=3))
        assert words(reply.payload)[0].n == 3 << 40


async def test_a_service_that_does_not_say_it_reads_them_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the node, its address, the field and the value; the next call works."""
    monkeypatch.setattr(grpc_about, "reads_ours", lambda head: False)
    async with site() as there:
        status = failed(await there.post("/up", Word(), Word(n=2**40), dialect="ours"))
        assert status.code is Code.UNENCODABLE
        assert "executor 'words' at here:1" in status.description
        assert "int 1099511627776" in status.description
        assert "`docs[1].n`" in status.description
        assert (await there.post("/up", Word(text="a"), dialect="ours")).status is None


async def test_a_caller_may_leave_in_the_turn_in_which_the_service_says_what_it_reads() -> None:
    """Nobody waits for that end any more, which is no failure of the loop's."""
    loop, failures = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: failures.append(context))

    class Asked(GrpcChannel):
        def start(self, call: Any) -> None:
            loop.call_soon(lambda: (asked.cancel(), call.on_end(CallEnd(0))))

    asked = loop.create_task(Peer("a:1", Asked(nobody, "a:1", ChannelOptions()), "a:1", "http", []).reads_ours(None))
    with pytest.raises(asyncio.CancelledError):
        await asked
    loop.set_exception_handler(None)
    assert failures == []


async def test_a_service_that_knows_no_such_question_is_foreign() -> None:
    server = refuses(GrpcStatus.UNIMPLEMENTED)
    remote = remote_to({"a:1": server.connect})
    status = failed(await remote(call("/up", Word(n=2**40), dialect="ours")))
    assert status.code is Code.UNENCODABLE
    assert [event[2].path for event in server.events] == ["/jina.JinaInfoRPC/_status"]
    remote.close()


async def items_of(reply: Reply) -> list[Item]:
    assert reply.items is not None
    return [item async for item in reply.items]


@pytest.mark.parametrize("n", [0, 1, 200])
async def test_a_stream_brings_its_items_in_order(n: int) -> None:
    async with site() as there:
        items = await items_of(await there.remote(stream_call("/count", Word(n=n))))
        found = [codec_for(Word).decode_proto_one(item.payload.data) for item in items if item.payload is not None]
        assert [doc.n for doc in found] == list(range(n))


async def test_items_come_as_json_for_a_caller_who_reads_that() -> None:
    async with site() as there:
        asked = stream_call("/count", Word(n=2), "json")
        found = [item.payload for item in await items_of(await there.remote(asked))]
        assert [msgspec.json.decode(payload.data)["n"] for payload in found if payload is not None] == [0, 1]


async def test_a_reader_who_pauses_stops_the_executor() -> None:
    """What is made ahead is bounded by the window, whatever the stream could give."""
    async with site() as there:
        reply = await there.remote(stream_call("/for-ever", Word()))
        assert reply.items is not None
        made = -1
        while there.executor.n_made != made:
            made = there.executor.n_made
            await asyncio.sleep(0.05)
        assert made < 1000
        for _ in range(made + 10):
            await anext(reply.items)
        assert there.executor.n_made > made
        await reply.items.aclose()  # type: ignore[attr-defined]
        await until(lambda: there.executor.n_left == 1)


async def test_leaving_a_stream_before_its_first_item_was_read_ends_it_there() -> None:
    async with site() as there:
        reply = await there.remote(stream_call("/for-ever", Word()))
        await reply.items.aclose()  # type: ignore[union-attr]
        await until(lambda: there.executor.n_left == 1)


async def test_a_stream_that_fails_before_its_first_item_is_a_failed_call() -> None:
    async with site() as there:
        status = failed(await there.remote(stream_call("/break", Word())))
        assert (status.code, status.name) == (Code.EXECUTOR_FAILED, "ValueError")


async def test_a_stream_that_fails_later_says_so_in_its_last_item() -> None:
    async with site() as there:
        items = await items_of(await there.remote(stream_call("/break", Word(n=1))))
        assert [item.status.name if item.status else "" for item in items] == ["", "ValueError"]


async def test_a_stream_whose_connection_breaks_says_so_and_is_not_begun_again() -> None:
    """Its reader has items already."""
    parts = Parts(Words, {})
    await parts.start()
    opened: list[Any] = []

    async def connect(make: Callable[[], asyncio.Protocol]) -> Any:
        opened.append(await parts.connectors["grpc"](make))
        return opened[-1]

    remote = remote_to({"a:1": connect, "b:2": connect})
    reply = await remote(stream_call("/for-ever", Word()))
    opened[0][0].abort()
    last = (await items_of(reply))[-1].status
    assert last is not None
    assert last.code is Code.UNAVAILABLE
    assert "'/for-ever' broke off" in last.description
    assert "a:1" in last.description
    assert len(opened) == 1
    remote.close()
    await parts.stop()
    parts.close()


async def test_an_address_where_nobody_is_does_not_fail_a_call() -> None:
    """Afterwards the other one is asked first, so that no call loses time."""
    n_refused = 0

    async def refused(make: Callable[[], asyncio.Protocol]) -> Any:
        nonlocal n_refused
        n_refused += 1
        raise ConnectionRefusedError("refused")

    remote = remote_to({"dead:1": refused, "alive:2": FakeGrpcServer(echo).connect})
    for _ in range(10):
        assert (await remote(call("/up", Word()))).status is None
    assert n_refused == 1
    remote.close()


async def test_calls_are_spread_over_the_addresses() -> None:
    servers = [FakeGrpcServer(echo) for _ in range(3)]
    remote = remote_to({f"a:{n}": server.connect for n, server in enumerate(servers, 1)})
    for _ in range(9):
        await remote(call("/up", Word()))
    assert [len(server.events) for server in servers] == [3, 3, 3]
    remote.close()


@pytest.mark.parametrize(("retries", "n_tries"), [(-1, 4), (0, 1), (2, 3)])
async def test_where_nobody_is_the_error_names_the_node_and_all_addresses(retries: int, n_tries: int) -> None:
    """As many tries as Jina makes: below 0 as many as there are addresses, 3 at least, and the first."""
    n_asked = 0

    async def refused(make: Callable[[], asyncio.Protocol]) -> Any:
        nonlocal n_asked
        n_asked += 1
        raise ConnectionRefusedError("refused")

    remote = remote_to({"dead:1": refused, "gone:2": refused, "away:3": refused}, retries=retries)
    status = failed(await remote(call("/up", Word())))
    assert (status.code, status.grpc_status, n_asked) == (Code.UNAVAILABLE, GrpcStatus.UNAVAILABLE, n_tries)
    assert "executor 'words'" in status.description
    assert "refused" in status.description
    for address in ("dead:1", "gone:2", "away:3")[:n_tries]:
        assert address in status.description
    remote.close()


@pytest.mark.parametrize("status", [GrpcStatus.UNAVAILABLE, GrpcStatus.NOT_FOUND])
async def test_a_service_that_is_away_is_passed_over(status: GrpcStatus) -> None:
    """A proxy that has no service behind it says so in these words."""
    away = refuses(status)
    remote = remote_to({"away:1": away.connect, "alive:2": FakeGrpcServer(echo).connect})
    assert (await remote(call("/up", Word()))).status is None
    assert len(away.events) == 1
    remote.close()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (GrpcStatus.RESOURCE_EXHAUSTED, Code.OVERLOADED),
        (GrpcStatus.INVALID_ARGUMENT, Code.INVALID_INPUT),
        (GrpcStatus.UNAUTHENTICATED, Code.TRANSPORT),
        (GrpcStatus.INTERNAL, Code.TRANSPORT),
        (99, Code.TRANSPORT),
    ],
)
async def test_other_refusals_are_given_back_as_they_are(number: int, code: Code) -> None:
    """Without another try; the caller over gRPC gets the same status, and hears when to try again."""
    server = refuses(number, ("retry-after", "2"))
    remote = remote_to({"a:1": server.connect, "b:2": server.connect})
    status = failed(await remote(call("/up", Word())))
    assert (status.code, status.grpc_status, status.retry_after_s) == (code, number if number < 17 else GrpcStatus.UNKNOWN, 2.0)
    assert "'words' failed: a:1" in status.description
    assert "not now" in status.description
    assert len(server.events) == 1
    remote.close()


def drops(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
    connection.transport.abort()


async def test_a_call_whose_connection_breaks_is_made_again_elsewhere() -> None:
    remote = remote_to({"a:1": FakeGrpcServer(drops).connect, "b:2": FakeGrpcServer(echo).connect})
    assert (await remote(call("/up", Word(text="a")))).status is None
    remote.close()


async def test_a_call_that_changes_state_is_not_made_again_once_it_may_have_begun() -> None:
    """It is where nobody took it; what changes state is learnt from the service."""
    async with site() as there:
        await there.remote.discover()
        learnt = there.remote.writes
    other = FakeGrpcServer(echo)
    remote = remote_to({"a:1": FakeGrpcServer(drops).connect, "b:2": other.connect})
    remote.writes = learnt
    assert failed(await remote(call("/note", Word()))).code is Code.UNAVAILABLE
    assert other.events == []
    remote = remote_to({"dead:1": nobody, "b:2": other.connect})
    remote.writes = learnt
    assert (await remote(call("/note", Word()))).status is None


async def test_an_endpoint_that_default_takes_changes_state_if_that_does() -> None:
    """And one that is there does not, although `/default` does."""
    other = FakeGrpcServer(echo)
    remote = remote_to({"a:1": FakeGrpcServer(drops).connect, "b:2": other.connect})
    remote.writes = Writes((EndpointInfo("/default", "batch", is_write=True), EndpointInfo("/up", "batch")))
    assert failed(await remote(call("/foo", Word()))).code is Code.UNAVAILABLE
    assert other.events == []
    remote.close()
    remote = remote_to({"a:1": FakeGrpcServer(drops).connect, "b:2": other.connect})
    remote.writes = Writes((EndpointInfo("/default", "batch", is_write=True), EndpointInfo("/up", "batch")))
    assert (await remote(call("/up", Word()))).status is None
    remote.close()


async def test_a_service_that_comes_back_is_found_again() -> None:
    """The connection that was lost is not kept; a call made meanwhile waits a little for it."""
    server, is_there = FakeGrpcServer(echo), True

    async def connect(make: Callable[[], asyncio.Protocol]) -> Any:
        if not is_there:
            raise ConnectionRefusedError("refused")
        return await server.connect(make)

    remote = remote_to({"a:1": connect})
    assert (await remote(call("/up", Word()))).status is None
    is_there = False
    for connection in server.connections:
        connection.transport.abort()
    asked = asyncio.ensure_future(remote(call("/up", Word())))
    await asyncio.sleep(0.02)
    is_there = True
    assert (await asked).status is None
    remote.close()


async def test_a_service_that_says_nothing_costs_one_try_and_no_more() -> None:
    """Another address may be faster; the same one is not asked again."""
    silent = FakeGrpcServer(lambda connection, event: None)
    remote = remote_to({"a:1": silent.connect}, timeout_s=0.02)
    status = failed(await remote(call("/up", Word())))
    assert (status.code, status.grpc_status) == (Code.DEADLINE, GrpcStatus.DEADLINE_EXCEEDED)
    assert len(silent.events) == 1
    remote = remote_to({"a:1": silent.connect, "b:2": FakeGrpcServer(echo).connect}, timeout_s=0.02)
    assert (await remote(call("/up", Word()))).status is None


async def test_a_call_ends_at_its_own_deadline() -> None:
    silent = FakeGrpcServer(lambda connection, event: None)
    remote = remote_to({"a:1": silent.connect, "b:2": silent.connect})
    status = failed(await remote(call("/up", Word(), left_s=0.02)))
    assert (status.code, status.grpc_status) == (Code.DEADLINE, None)
    assert "'words' did not answer before the call's deadline" in status.description
    assert len(silent.events) == 1
    remote.close()


async def test_no_time_is_lost_on_tries_that_end_after_the_deadline() -> None:
    remote = remote_to({"dead:1": nobody})
    assert failed(await remote(call("/up", Word(), left_s=0.05))).code is Code.UNAVAILABLE
    remote.close()


@pytest.mark.parametrize("endpoint", ["/wait"])
async def test_a_caller_who_leaves_is_told_there(endpoint: str) -> None:
    async with site() as there:
        asked = asyncio.ensure_future(there.post(endpoint, Word()))
        await asyncio.sleep(0.02)
        asked.cancel()
        await asyncio.wait({asked})
        await until(lambda: there.executor.n_cancelled == 1)


async def test_closing_fails_what_is_under_way_at_once() -> None:
    async with site() as there:
        asked = asyncio.ensure_future(there.post("/wait", Word()))
        await asyncio.sleep(0.02)
        there.remote.close()
        assert failed(await asked).code is Code.UNAVAILABLE


async def test_discovery_tells_what_a_service_of_ours_has() -> None:
    async with site() as there:
        found = {info.path: info for info in await there.remote.discover()}
        assert {"/up", "/note", "/count"} <= found.keys()
        assert [found[path].kind for path in ("/up", "/count")] == ["batch", "stream"]
        assert [found[path].is_write for path in ("/up", "/note")] == [False, True]
        assert found["/up"].input_name == "Word"
        assert found["/up"].input["properties"]["n"]["default"] == 0
        assert set(found["/up"].output["properties"]) == {"id", "text", "n", "at", "vector"}


async def test_discovery_of_a_service_that_has_none_gives_the_default() -> None:
    remote = remote_to({"a:1": refuses(GrpcStatus.UNIMPLEMENTED).connect})
    assert [info.path for info in await remote.discover()] == ["/default"]
    remote.close()


async def test_discovery_waits_until_somebody_is_there() -> None:
    n_asked = 0
    parts = Parts(Words, {})
    await parts.start()

    async def connect(make: Callable[[], asyncio.Protocol]) -> Any:
        nonlocal n_asked
        n_asked += 1
        if n_asked < 4:
            raise ConnectionRefusedError("refused")
        return await parts.connectors["grpc"](make)

    remote = remote_to({"a:1": connect, "b:2": connect})
    assert "/up" in {info.path for info in await remote.discover(every_s=0.001)}
    remote.close()
    await parts.stop()
    parts.close()


async def test_discovery_that_waits_in_vain_says_for_whom() -> None:
    """And can be interrupted."""
    remote = remote_to({"dead:1": nobody, "gone:2": nobody})
    with pytest.raises(TransportError, match=r"'words' did not tell its endpoints within 0\.05 s.*dead:1.*refused.*gone:2"):
        await remote.discover(0.05)
    waiting = asyncio.ensure_future(remote.discover())
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_discovery_does_not_wait_for_who_does_not_let_us_in() -> None:
    remote = remote_to({"a:1": refuses(GrpcStatus.UNAUTHENTICATED).connect})
    with pytest.raises(TransportError, match=r"does not let us in: a:1: UNAUTHENTICATED not now"):
        await remote.discover()
    remote.close()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"addresses": []}, "has no address"),
        ({"addresses": ["http://a:1"]}, "called over gRPC"),
        ({"addresses": ["a:x"]}, "port 'x'"),
        ({"addresses": ["a:1"], "metadata": {"a": "line\nbreak"}}, "grpc_metadata"),
    ],
)
def test_what_cannot_be_called_is_told_at_once(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Remote("words", **given)
