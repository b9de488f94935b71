"""Streams through Flows in real processes, item by item, over every protocol."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from jina import Client, Executor, Flow, requests
from jina.codec import codec_for
from jina.docs import BaseDoc, DocList
from tests.process.stream_ways import PROTOCOLS, WAYS, Event, Stream
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process
EACH = pytest.mark.parametrize("way", WAYS)
PATHS = pytest.mark.parametrize("path", ["/last", "/mid"])
KINDS = pytest.mark.parametrize("kind", ["", "/async"])


class Word(BaseDoc):
    text: str = ""


class Noisy(Word):
    """What `Picky` does not take."""

    n: int | str = 0


class Exact(Word):
    n: int = 0


class Upper(Executor):
    """Before the one that streams."""

    @requests(on=["/last/words", "/mid/words"])
    def upper(self, docs: DocList[Word], parameters: dict[str, Any], **kwargs: Any) -> DocList[Word]:
        if parameters.get("many"):
            return DocList[Word]([Word(), Word()])
        return DocList[Word]([Word(text=doc.text.upper() + parameters.get("x", "")) for doc in docs])


class Source(Executor):
    """Streams; `text` is mostly a folder for files that say what has happened."""

    @requests(on=["/last/words", "/mid/words"])
    def words(self, doc: Word, parameters: dict[str, Any], **kwargs: Any) -> Iterator[Word]:
        for letter in doc.text:
            yield Word(text=letter + parameters.get("x", ""))

    @requests(on=["/last/gated", "/mid/gated"])
    def gated(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        """Makes an item whenever the one before has been received."""
        folder = Path(doc.text)
        try:
            for n in range(3):
                yield Word(text=str(n))
                wait_until((folder / f"got{n}").exists)
        finally:
            (folder / "closed").touch()

    @requests(on=["/last/gated/async", "/mid/gated/async"])
    async def agated(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        folder = Path(doc.text)
        try:
            for n in range(3):
                yield Word(text=str(n))
                while not (folder / f"got{n}").exists():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        finally:
            (folder / "closed").touch()

    @requests(on=["/last/endless", "/mid/endless"])
    def endless(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        """Counts in a file what it makes."""
        folder, n = Path(doc.text), 0
        with (folder / "made").open("ab", buffering=0) as made:
            try:
                while True:
                    made.write(b".")
                    yield Word(text=f"{n:<10000}")
                    n += 1
            finally:
                (folder / "closed").touch()

    @requests(on=["/last/endless/async", "/mid/endless/async"])
    async def aendless(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        folder, n = Path(doc.text), 0
        with (folder / "made").open("ab", buffering=0) as made:
            try:
                while True:
                    made.write(b".")
                    yield Word(text=f"{n:<10000}")
                    n += 1
            finally:
                (folder / "closed").touch()

    @requests(on=["/last/waits", "/mid/waits"])
    async def waits(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        """Would wait for ever."""
        try:
            yield Word(text="0")
            await asyncio.Event().wait()
        finally:
            (Path(doc.text) / "closed").touch()

    @requests(on=["/last/raises", "/mid/raises"])
    def raises(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        yield Word(text="0")
        raise ValueError("no more of these")

    @requests(on="/later/item")
    def items(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        for letter in doc.text:
            yield Word(text=letter)

    @requests(on=["/later/hold", "/later/linger"])
    async def two(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        try:
            yield Word(text="0")
            yield doc
            await asyncio.Event().wait()
        finally:
            (Path(doc.text) / "closed").touch()

    @requests(on="/later/fit")
    def odd(self, doc: Word, **kwargs: Any) -> Iterator[Noisy]:
        yield Noisy(n=1)
        yield Noisy(n="one")
        yield Noisy(n=2)


class Mark(Executor):
    """Takes lists, so it is asked once for each item."""

    @requests(on=[f"/mid/{name}" for name in ("words", "gated", "gated/async", "endless", "endless/async", "waits", "raises")])
    def mark(self, docs: DocList[Word], parameters: dict[str, Any], **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(text=doc.text + parameters.get("x", "")) for doc in docs])

    @requests(on="/later/item")
    def picky(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        if docs[0].text == "!":
            raise ValueError("not this one")
        return docs

    @requests(on="/later/fit")
    def exact(self, docs: DocList[Exact], **kwargs: Any) -> DocList[Exact]:
        return docs

    @requests(on="/later/hold")
    async def hold(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        if docs[0].text != "0":
            await hold(Path(docs[0].text))
        return docs


class Twice(Executor):
    """Streams what it gets from a stream."""

    @requests(on=[f"/mid/{name}" for name in ("words", "gated", "gated/async", "endless", "endless/async", "waits", "raises")])
    async def twice(self, doc: Word, parameters: dict[str, Any], **kwargs: Any) -> AsyncIterator[Word]:
        yield Word(text=doc.text)
        yield Word(text=doc.text + parameters.get("x", "'"))

    @requests(on="/later/linger")
    async def linger(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        yield doc
        if doc.text != "0":
            await hold(Path(doc.text))


async def hold(folder: Path) -> None:
    """Wait for ever."""
    (folder / "held").touch()
    try:
        await asyncio.Event().wait()
    finally:
        (folder / "left").touch()


@pytest.fixture(scope="module")
def running() -> Iterator[Flow]:
    flow = Flow(protocol=PROTOCOLS, quiet=True).add(name="upper", uses=Upper).add(name="source", uses=Source)
    with flow.add(name="mark", uses=Mark).add(name="twice", uses=Twice) as running:
        yield running


def ask(flow: Flow, way: str, endpoint: str, text: str, *, timeout_s: float = 30.0, **parameters: Any) -> Stream:
    return Stream(flow.ports, way, endpoint, codec_for(Word).encode_proto_one(Word(text=text)), text, parameters, timeout_s)


def said(event: Event) -> str:
    """The text of a document."""
    assert event.name == "update", event
    document = event.document
    text: str = codec_for(Word).decode_proto_one(document).text if isinstance(document, bytes) else document["text"]
    return text


def texts(stream: Stream) -> list[str]:
    """Those of a stream that goes well."""
    with stream as events:
        *updates, end = events
    assert end.name == "end"
    return [said(event) for event in updates]


def assert_goes_on(flow: Flow, way: str) -> None:
    assert texts(ask(flow, way, "/mid/words", "a")) == ["A", "A'"]


@EACH
def test_items_go_through_nodes_that_stream_and_nodes_that_do_not(running: Flow, way: str) -> None:
    """In order; parameters reach each, and those that name one only that."""
    assert texts(ask(running, way, "/last/words", "ab")) == ["A", "B"]
    assert texts(ask(running, way, "/mid/words", "ab")) == ["A", "A'", "B", "B'"]
    found = ask(running, way, "/mid/words", "a", x=".", source__x="s", twice__x="t")
    assert texts(found) == ["As.", "As.t", ".s.", ".s.t"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_our_client_reads_them(running: Flow, protocol: str) -> None:
    """`stream_doc`, with parameters."""
    client = Client(protocol=protocol, port=running.ports[PROTOCOLS.index(protocol)])
    found = client.stream_doc("/mid/words", Word(text="ab"), return_type=Word, parameters={"mark__x": "m"})
    assert [doc.text for doc in found] == ["Am", "Am'", "Bm", "Bm'"]


@EACH
@KINDS
@PATHS
def test_an_item_leaves_as_soon_as_it_is_made(running: Flow, way: str, path: str, kind: str, tmp_path: Path) -> None:
    """The next one is made only when its caller has it."""
    with ask(running, way, f"{path}/gated{kind}", str(tmp_path)) as events:
        for n in range(3):
            assert said(next(events)) == str(n)
            if path == "/mid":
                assert said(next(events)) == f"{n}'"
            (tmp_path / f"got{n}").touch()
        assert next(events).name == "end"


@EACH
@KINDS
@PATHS
def test_a_reader_who_stops_stops_the_producer(running: Flow, way: str, path: str, kind: str, tmp_path: Path) -> None:
    """After a bounded number of items; none is lost, and the producer ends when the reader leaves."""
    with ask(running, way, f"{path}/endless{kind}", str(tmp_path)) as events:
        assert said(next(events)).strip() == "0"
        n_made = settled(tmp_path / "made")
        assert n_made < 3000  # of 10,000 bytes each
        assert not (tmp_path / "closed").exists()
        found = [int(said(next(events)).strip().rstrip("'")) for _ in range(3000)]
        assert found == sorted(found)
        assert len(set(found)) >= 1500
        assert found[-1] == (3000 if path == "/last" else 1500)
    wait_until((tmp_path / "closed").exists)
    assert_goes_on(running, way)


def settled(made: Path) -> int:
    """The count in a file once it has stayed the same for a good while."""
    seen: list[int] = []

    def is_still() -> bool:
        seen.append(made.stat().st_size)
        return len(seen) > 60 and len(set(seen[-60:])) == 1

    wait_until(is_still)
    return seen[-1]


@EACH
@PATHS
def test_a_caller_who_leaves_ends_an_async_generator_where_it_waits(running: Flow, way: str, path: str, tmp_path: Path) -> None:
    """Its `finally` runs though it would never have made another item."""
    with ask(running, way, f"{path}/waits", str(tmp_path)) as events:
        assert said(next(events)) == "0"
        assert not (tmp_path / "closed").exists()
    wait_until((tmp_path / "closed").exists, limit_s=10)
    assert_goes_on(running, way)


@EACH
@PATHS
def test_a_caller_who_leaves_ends_a_generator_at_its_next_item(running: Flow, way: str, path: str, tmp_path: Path) -> None:
    """`def` methods cannot be interrupted."""
    with ask(running, way, f"{path}/gated", str(tmp_path)) as events:
        assert said(next(events)) == "0"
    for n in range(3):
        (tmp_path / f"got{n}").touch()
    wait_until((tmp_path / "closed").exists)
    assert_goes_on(running, way)


@EACH
@pytest.mark.parametrize("endpoint", ["/later/hold", "/later/linger"])
def test_a_caller_who_leaves_ends_what_a_later_node_does_for_an_item(running: Flow, way: str, endpoint: str, tmp_path: Path) -> None:
    """Whether that streams or not; the generator before it ends as well."""
    with ask(running, way, endpoint, str(tmp_path)) as events:
        assert said(next(events)) == "0"
        wait_until((tmp_path / "held").exists)
    wait_until((tmp_path / "left").exists, limit_s=10)
    wait_until((tmp_path / "closed").exists, limit_s=10)
    assert_goes_on(running, way)


@EACH
@PATHS
def test_a_failure_in_the_middle_comes_after_what_was_made(running: Flow, way: str, path: str) -> None:
    """In the method's own words, and with the node's name where the protocol has a place for it."""
    with ask(running, way, f"{path}/raises", "x") as events:
        found = list(events)
    n = 1 if path == "/last" else 2
    assert [event.name for event in found[: n + 1]] == ["update"] * n + ["error"]
    assert "no more of these" in found[n].said
    assert found[n].failed == (("source",) if way == "stream_doc" else ())
    assert all(event.name == "end" for event in found[n + 1 :])
    assert_goes_on(running, way)


@EACH
def test_an_item_that_fails_in_a_later_node_fails_alone(running: Flow, way: str) -> None:
    """As one of a wrong type does; over WebSocket the first failure is the end."""
    with ask(running, way, "/later/item", "a!b") as events:
        found = list(events)
    assert [event.name for event in found[:2]] == ["update", "error"]
    assert "not this one" in found[1].said
    if way == "websocket":
        assert len(found) == 2
    else:
        assert said(found[2]) == "b"
        assert found[3].name == "end"
    assert found[1].failed == (("mark",) if way == "stream_doc" else ())
    assert_goes_on(running, way)


@EACH
def test_an_item_that_does_not_fit_the_next_node_names_both(running: Flow, way: str) -> None:
    """The caller has never seen it."""
    with ask(running, way, "/later/fit", "") as events:
        found = list(events)
    assert [event.name for event in found[:2]] == ["update", "error"]
    assert "node 'mark', on what 'source' gave" in found[1].said
    assert_goes_on(running, way)


@EACH
def test_documents_that_are_not_one_name_both_nodes(running: Flow, way: str) -> None:
    """A stream answers one."""
    with ask(running, way, "/last/words", "a", many=True) as events:
        (failure, *rest) = list(events)
    assert failure.name == "error"
    assert "node 'source', on what 'upper' gave: endpoint '/last/words' streams the answer to one document, got 2" in failure.said
    assert all(event.name == "end" for event in rest)
    assert_goes_on(running, way)


@EACH
@pytest.mark.parametrize(("victim", "endpoint"), [("source", "/last/waits"), ("source", "/mid/waits"), ("twice", "/later/linger")])
def test_a_node_that_is_killed_in_the_middle_ends_the_stream_with_its_name(
    running: Flow, way: str, victim: str, endpoint: str, tmp_path: Path
) -> None:
    """What came before is not made again."""
    with ask(running, way, endpoint, str(tmp_path)) as events:
        assert said(next(events)) == "0"
        if endpoint == "/mid/waits":
            assert said(next(events)) == "0'"
        elif victim == "twice":
            assert said(next(events)) == str(tmp_path)
            wait_until((tmp_path / "held").exists)
        os.kill(running.pids[f"{victim}/rep-0"], signal.SIGKILL)
        failure, *rest = list(events)
    assert failure.name == "error"
    assert f"{victim}/rep-0" in failure.said
    assert rest == []
    assert_goes_on(running, way)


@EACH
def test_a_stream_outlives_a_node_that_is_killed_between_two_items(running: Flow, way: str, tmp_path: Path) -> None:
    """The next item goes to the one that takes its place."""
    with ask(running, way, "/mid/gated/async", str(tmp_path)) as events:
        assert (said(next(events)), said(next(events))) == ("0", "0'")
        before = running.pids["mark/rep-0"]
        os.kill(before, signal.SIGKILL)
        for n in range(3):
            (tmp_path / f"got{n}").touch()
        assert [said(event) for event in events if event.name != "end"] == ["1", "1'", "2", "2'"]
    assert running.pids["mark/rep-0"] != before
    assert_goes_on(running, way)


@EACH
def test_a_deadline_in_the_middle_ends_the_stream_with_the_name_of_who_is_late(running: Flow, way: str, tmp_path: Path) -> None:
    """Not with one failure for each item that might still come."""
    with ask(running, way, "/later/hold", str(tmp_path), timeout_s=2.0) as events:
        assert said(next(events)) == "0"
        failure, *rest = list(events)
    assert failure.name == "error"
    assert way == "stream_doc" or "'mark'" in failure.said  # grpcio does not wait for what we say
    assert rest == []
    assert_goes_on(running, way)
