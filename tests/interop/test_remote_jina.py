"""Jina 3's own Deployment as an external executor of ours: calls, streams, what it tells of itself; its death and its return."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from jina.call import Call, Payload, Reply
from jina.codec import codec_for
from jina.docs import BaseDoc, DocList, NdArray
from jina.errors import Code
from jina.runtime.remote import Remote
from tests.interop.conftest import Service, serve_with

pytestmark = [pytest.mark.process, pytest.mark.anyio]


class Inner(BaseDoc):
    text: str = ""
    n: int = 0


class Rich(BaseDoc):
    text: str = "none"
    count: int = 1
    tensor: NdArray | None = None
    inner: Inner | None = None
    children: DocList[Inner] = DocList[Inner]()


def call(endpoint: str, *docs: BaseDoc, wants: str = "ours", **more: Any) -> Call:
    data = codec_for(type(docs[0])).encode_proto(docs, dialect="ours")
    return Call(endpoint, Payload(data, "ours"), "some-id", wants=wants, **more)


def read(kind: type[BaseDoc], reply: Reply) -> list[Any]:
    assert reply.status is None
    assert reply.payload is not None
    return codec_for(kind).decode_proto(reply.payload.data)


@pytest.fixture
async def remote(theirs: Service) -> AsyncIterator[Remote]:
    made = Remote("outside", [f"127.0.0.1:{theirs.grpc}"])
    yield made
    made.close()
    await asyncio.sleep(0)  # sockets close in the loop's next turn


async def test_documents_parameters_and_results_pass(remote: Remote) -> None:
    sent = Rich(id="a", tensor=np.array([1.0, 2.0]), inner=Inner(n=3), children=DocList[Inner]([Inner(n=4)]))
    (doc,) = read(Rich, await remote(call("/echo", sent)))
    assert (doc.text, doc.count, doc.tensor.tolist(), doc.inner.n, doc.children[0].n) == ("none!", 2, [2.0, 4.0], 3, 4)
    (doc,) = read(Inner, await remote(call("/seen", Inner(), parameters={"a": 1.0})))
    assert "('a', 1.0)" in doc.text
    reply = await remote(call("/dict", Inner(), Inner()))
    ((_, made),) = reply.parameters["__results__"].items()
    assert made["n"] == 2


async def test_json_passes_and_comes_back(remote: Remote) -> None:
    """Arrays, nested documents and lists of them, though nobody here knows the class."""
    body = [{"id": "a", "tensor": [1.0, 2.0], "inner": {"n": 3}}, {"text": "b"}]
    reply = await remote(Call("/echo", Payload(msgspec.json.encode(body), "json"), wants="json", call_id=bytes(range(16))))
    assert reply.status is None, reply.status.description
    assert reply.payload is not None
    first, second = msgspec.json.decode(reply.payload.data)
    assert (first["id"], first["tensor"], first["inner"]["n"], second["text"]) == ("a", [2.0, 4.0], 3, "b!")


async def test_a_failure_keeps_what_the_executor_says(remote: Remote) -> None:
    status = (await remote(call("/raise", Inner()))).status
    assert status is not None
    assert (status.code, status.name, status.args, status.executor) == (Code.EXECUTOR_FAILED, "ValueError", ["no such word", "7"], "Served")
    assert "no such word" in "".join(status.stacks)


async def test_a_value_that_it_cannot_read_is_told_here(remote: Remote) -> None:
    status = (await remote(call("/one", Inner(n=2**40)))).status
    assert status is not None
    assert status.code is Code.UNENCODABLE
    assert "'outside'" in status.description
    assert "int 1099511627776" in status.description
    assert "`docs[0].n`" in status.description


async def test_a_stream_brings_its_items(remote: Remote) -> None:
    data = codec_for(Inner).encode_proto_one(Inner(id="s", text="x", n=50))
    reply = await remote(Call("/stream", Payload(data, "strict", True), "some-id", wants="strict", is_stream=True))
    assert reply.items is not None
    payloads = [item.payload async for item in reply.items]
    assert [codec_for(Inner).decode_proto_one(each.data).n for each in payloads if each is not None] == list(range(50))


async def test_it_tells_its_endpoints(remote: Remote) -> None:
    found = {info.path: info for info in await remote.discover(10.0)}
    assert {"/echo", "/one", "/stream"} <= found.keys()
    assert [found[path].kind for path in ("/echo", "/one", "/stream")] == ["batch", "single", "stream"]
    assert {"text", "tensor", "children"} <= set(found["/echo"].input["properties"])
    assert any(name.endswith("Inner") for name in found["/echo"].input["$defs"])


async def test_one_address_dies_and_comes_back_while_the_other_dies(peer_python: str, tmp_path: Path) -> None:
    """No call fails as long as one of the two is there."""
    serving = contextmanager(serve_with)
    with serving(peer_python, tmp_path / "first", grace_s=0.1) as first:
        with serving(peer_python, tmp_path / "second", grace_s=0.1) as second:
            remote = Remote("outside", [f"127.0.0.1:{first.grpc}", f"127.0.0.1:{second.grpc}"])
            await answers(remote)
        await answers(remote)
        returned = serving(peer_python, tmp_path / "again", str(second.grpc), grace_s=0.1)
        returned.__enter__()
        await answers(remote)
    try:
        await answers(remote)
    finally:
        returned.__exit__(None, None, None)
    status = (await remote(call("/one", Inner(n=1)))).status
    assert status is not None
    assert status.code is Code.UNAVAILABLE
    assert f":{first.grpc}" in status.description
    assert f":{second.grpc}" in status.description
    remote.close()
    await asyncio.sleep(0)


async def answers(remote: Remote) -> None:
    for _ in range(6):
        assert read(Inner, await remote(call("/one", Inner(n=1))))[0].n == 2
