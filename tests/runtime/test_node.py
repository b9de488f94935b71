"""A node of a graph: which calls are for it, and what its executor gets to see of them."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from jina.call import Call, EndpointInfo, Payload, Reply
from jina.errors import Code
from jina.runtime.node import Node
from jina.runtime.targets import is_target

pytestmark = pytest.mark.anyio


class Seen:
    """Takes calls, and answers with nothing."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply(payload=call.payload)


def node_with(*endpoints: EndpointInfo) -> tuple[Node, Seen]:
    seen = Seen()
    node = Node("executor", seen, aliases=("my-ranker",))
    node.set_endpoints(endpoints or [EndpointInfo("/rank", "batch")])
    return node, seen


def call(data: bytes = b"[]", **changes: Any) -> Call:
    return Call(changes.pop("endpoint", "/rank"), Payload(data, "json"), **changes)


@pytest.mark.parametrize("name", ["executor", "my-ranker", "a", "executor1"])
@pytest.mark.parametrize(
    "pattern",
    [
        "executor",
        "exec.*",
        ".*",
        "",
        "x|exec",
        "^executor$",
        "e.ecutor",
        ".*r$",
        ".*ec.*r",
        "my-.*|foo",
        "^.*.*ut.*$",
        "$",
        "a^",
        "exec$",
        "." * 9 + "$",
        "executor..*",
        ".*-ranker$",
        "x|",
    ],
)
def test_a_target_means_what_the_same_regular_expression_does(pattern: str, name: str) -> None:
    """For the part of the language that is understood, the answer is that of `re.match`."""
    assert is_target(pattern, [name]) is (re.match(pattern, name) is not None)


@pytest.mark.parametrize("pattern", [".*" * 40 + "Z", "(a*)*" * 20, "(a|a)*b", ".*" * 10_000, "[", "exec[u]tor", "a{9}" * 9])
async def test_no_target_keeps_the_front_busy(pattern: str) -> None:
    """A caller's pattern is matched in linear time, or not at all."""
    node, seen = node_with()
    before = time.process_time()
    reply = await node(call(b'[{"a":1}]', target_executor=pattern))
    assert time.process_time() - before < 0.5
    assert seen.calls == []
    assert (reply.status is None) is (pattern == ".*" * 40 + "Z")


@pytest.mark.parametrize("pattern", ["((", "[", "exec[u]tor", "my ranker", "x" * 129, "executor.+"])
async def test_target_that_is_not_understood_is_named(pattern: str) -> None:
    """Documents that come back as they were would look like an answer."""
    node, seen = node_with()
    reply = await node(call(b'[{"a":1}]', target_executor=pattern))
    assert reply.status is not None
    assert (reply.status.code, seen.calls) == (Code.INVALID_INPUT, [])
    assert repr(pattern[:128]) in reply.status.description
    assert is_target(pattern, [pattern])


@pytest.mark.parametrize("data", [b'[{"n":1e999}]', b"[" * 900 + b"]" * 900, b'[{"a":}]', b'["\xff"]', b'[{"a":NaN}]'])
async def test_what_is_skipped_is_not_echoed_unread(data: bytes) -> None:
    """Documents that no executor reads are JSON all the same, else the call is refused as the executor would."""
    node, seen = node_with()
    reply = await node(call(data, target_executor="other"))
    assert reply.status is not None
    assert (reply.status.code, seen.calls) == (Code.INVALID_INPUT, [])
    assert reply.status.details


@pytest.mark.parametrize(
    "data",
    [
        b'[{"a":1,"a":2}]',
        b'[{"a":1},{"b":[{"c":{"d":1, "d":1}}]}]',
        b'[{"a":1,"\\u0061":2}]',
        b'[{"k":"\\u003a","x":1,"x":2}]',
    ],
)
async def test_a_key_given_twice_in_what_is_skipped_is_refused(data: bytes) -> None:
    """Readers differ in which of the two they take, so nobody gets to choose."""
    node, _ = node_with()
    reply = await node(call(data, target_executor="other"))
    assert reply.status is not None
    assert (reply.status.code, [finding["type"] for finding in reply.status.details]) == (Code.INVALID_INPUT, ["duplicate_key"])
    assert "given twice" in reply.status.details[0]["msg"]


@pytest.mark.parametrize("data", [b'[{"a":1},{"a":1}]', b'[{"k":"a:b\\u003a","x":{"k":"::"}}]', b'[{"n":%b}]' % (b"9" * 300)])
async def test_what_is_skipped_and_has_each_key_once_comes_back(data: bytes) -> None:
    """Colons in texts and long numbers do not mislead the search for duplicates."""
    node, _ = node_with()
    reply = await node(call(data, target_executor="other"))
    assert reply.payload is not None
    assert json.loads(reply.payload.data) == json.loads(data)


async def test_headers_travel_only_to_methods_that_name_them() -> None:
    """A key or a cookie stays in the front where nobody asked for it."""
    node, seen = node_with(EndpointInfo("/rank", "batch", takes_headers=False), EndpointInfo("/who", "batch", takes_headers=True))
    asked = call(headers={"authorization": "secret"})
    await node(asked)
    await node(call(endpoint="/who", headers={"authorization": "secret"}))
    assert [each.headers for each in seen.calls] == [{}, {"authorization": "secret"}]
    assert asked.headers == {"authorization": "secret"}


async def test_parameters_with_a_name_before_them_reach_that_executor_alone() -> None:
    """The rules are those of `merge_parameters`, for the deployment's name and its aliases."""
    node, seen = node_with()
    await node(call(parameters={"a": 1, "my-ranker__b": 2, "other__c": 3, "__d__": 4, "executor": {"a": 5}}))
    (got,) = seen.calls
    assert got.parameters == {"a": 5, "b": 2, "__d__": 4, "executor": {"a": 5}}


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("/rnak", "executor 'my-ranker' has no endpoint '/rnak'; did you mean '/rank'? it has '/rank'"),
        ("/zzzzzz", "executor 'my-ranker' has no endpoint '/zzzzzz'; it has '/rank'"),
        pytest.param("/" + "z" * 10_000_000, f"executor 'my-ranker' has no endpoint '/{'z' * 255}'; it has '/rank'", id="a message long"),
    ],
)
async def test_an_unknown_endpoint_is_told_with_what_there_is(endpoint: str, told: str) -> None:
    """The nearest name if there is one, and all names."""
    node, _ = node_with()
    assert (await node(call(endpoint=endpoint))).description == told
