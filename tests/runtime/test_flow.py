"""Calls through a graph of nodes: what each is asked, and what comes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.call import Call, EndpointInfo, Item, Payload, Reply, Status
from jina.core.graph import GraphNode, make_graph
from jina.errors import Code
from jina.runtime.flow import FlowHandler
from jina.runtime.flow_endpoints import flow_endpoints
from jina.runtime.node import Node
from jina.transport.run import Run, Waiter
from tests.waiting import loop_turns, until

pytestmark = pytest.mark.anyio


class Step:
    """What a node runs: adds its name to the documents, when it is let.

    Attributes:
        asked: The calls that came.
        held: What those wait for that are under way, if it holds them.
        n_left: Calls that were cancelled.
    """

    def __init__(self, name: str, *, holds: bool = False, made: dict[str, Any] | None = None, needs_task: bool = False) -> None:
        self.name, self.holds, self.made, self.needs_task = name, holds, made, needs_task
        self.asked: list[Call] = []
        self.held: list[Waiter[Status | None]] = []
        self.failure: Status | None = None
        self.n_left = 0

    async def __call__(self, call: Call) -> Reply:
        self.asked.append(call)
        failure = self.failure
        if self.holds:
            waiter: Waiter[Status | None] = Waiter()
            self.held.append(waiter)
            try:
                failure = await waiter
            except asyncio.CancelledError:
                self.n_left += 1
                raise
        if failure is not None:
            return Reply(failure)
        if call.is_stream:
            return Reply(items=self._items(call))
        made = {} if self.made is None else {"__results__": {f"{self.name}/rep-0": self.made}}
        self.gave = Payload(call.payload.data + self.name.encode(), call.wants)
        return Reply(payload=self.gave, parameters=made)

    async def _items(self, call: Call) -> AsyncIterator[Item]:
        for number in b"12":
            yield Item(Payload(call.payload.data + self.name.encode() + bytes([number]), call.wants, is_single=True))

    def answer(self, status: Status | None = None) -> None:
        """Let the oldest call go on, from outside any task, as a wire does."""
        asyncio.get_running_loop().call_soon(self.held.pop(0).set_result, status)


class Flow:
    """A FlowHandler over Steps, made of nodes such as `a`, `b<a`, `~f<a` (which floats) or `d<b,c`."""

    def __init__(self, *nodes: str, holds: bool = False, needs_task: bool = False) -> None:
        self.steps: dict[str, Step] = {}
        added = []
        for text in nodes:
            name, _, needs = text.lstrip("~").partition("<")
            added.append(GraphNode(name=name, needs=needs.split(",") if needs else None, is_floating=text.startswith("~")))
            self.steps[name] = Step(name, holds=holds, needs_task=needs_task)
        self.handler = FlowHandler(make_graph(added), {name: Node(name, step) for name, step in self.steps.items()}, name="search")
        for name in self.steps:
            self.bind(name, "/x")

    def bind(self, name: str, *paths: str, kind: str = "batch") -> None:
        self.handler.set_endpoints(name, [EndpointInfo(path, kind) for path in paths])

    def begin(self, **changes: Any) -> Begun:
        return Begun(self.handler, make_call(**changes))

    async def ask(self, **changes: Any) -> Reply:
        return await self.begin(**changes).reply

    def asked(self) -> dict[str, bytes]:
        """The documents of the last call of each step that was asked."""
        return {name: step.asked[-1].payload.data for name, step in self.steps.items() if step.asked}


class Begun:
    """A call that is under way, in a Run as a front has it."""

    def __init__(self, handler: FlowHandler, call: Call) -> None:
        loop = asyncio.get_running_loop()
        self._handler, self._call = handler, call
        self.reply: asyncio.Future[Reply] = loop.create_future()
        self.has_ended = False
        self.run = Run(self._answer(), loop)
        loop.call_soon(partial(self.run.start, needs_task=handler.needs_task))

    async def _answer(self) -> None:
        try:
            self.reply.set_result(await self._handler(self._call))
        except Exception as error:
            self.reply.set_exception(error)
        finally:
            self.has_ended = True


def make_call(data: bytes = b"[]", **changes: Any) -> Call:
    return Call(changes.pop("endpoint", "/x"), changes.pop("payload", Payload(data, "json")), **changes)


async def test_documents_pass_a_chain_in_our_dialect_and_leave_it_in_the_callers() -> None:
    """Only the last node makes what the caller reads."""
    flow = Flow("a", "b", "c")
    reply = await flow.ask(wants="strict")

    assert reply.payload == Payload(b"[]abc", "strict")
    assert [(step.asked[0].payload.encoding, step.asked[0].wants) for step in flow.steps.values()] == [
        ("json", "ours"),
        ("ours", "ours"),
        ("ours", "strict"),
    ]
    for before, after in ("ab", "bc"):  # nobody looks into what passes
        assert flow.steps[after].asked[0].payload is flow.steps[before].gave


async def test_a_chain_runs_without_a_task() -> None:
    """What its nodes wait for resumes the caller's own run."""
    flow = Flow("a", "b", holds=True)
    begun = flow.begin()
    await loop_turns(2)
    tasks = asyncio.all_tasks()
    flow.steps["a"].answer()
    await loop_turns(1)
    assert (flow.asked(), begun.reply.done()) == ({"a": b"[]", "b": b"[]a"}, False)

    flow.steps["b"].answer()
    await loop_turns(1)
    assert begun.reply.done()
    assert asyncio.all_tasks() == tasks


async def test_routes_and_results_are_those_of_all_nodes_in_order() -> None:
    """With the request's own parameters, which no node sees changed by another."""
    flow = Flow("a", "b")
    flow.steps["a"].made, flow.steps["b"].made = {"n": 1.0}, {"n": 2.0}
    reply = await flow.ask(parameters={"k": 5.0, "__results__": {"caller": 0.0}})

    assert [(route.executor, route.start_s <= route.end_s, route.is_failed) for route in reply.routes] == [
        ("a", True, False),
        ("b", True, False),
    ]
    assert reply.parameters == {"k": 5.0, "__results__": {"caller": 0.0, "a/rep-0": {"n": 1.0}, "b/rep-0": {"n": 2.0}}}
    assert flow.steps["b"].asked[0].parameters == {"k": 5.0, "__results__": {"caller": 0.0}}
    assert (await flow.ask()).parameters == {"__results__": {"a/rep-0": {"n": 1.0}, "b/rep-0": {"n": 2.0}}}


async def test_parameters_reach_the_node_that_they_name() -> None:
    """`name__key` and a dict under the name; the reply has them as they came."""
    flow = Flow("a", "b")
    reply = await flow.ask(parameters={"a__q": 1.0, "z": 2.0, "b": {"z": 3.0}})

    assert flow.steps["a"].asked[0].parameters == {"q": 1.0, "z": 2.0, "b": {"z": 3.0}}
    assert flow.steps["b"].asked[0].parameters == {"z": 3.0, "b": {"z": 3.0}}
    assert reply.parameters == {"a__q": 1.0, "z": 2.0, "b": {"z": 3.0}}


async def test_the_first_failure_is_the_reply() -> None:
    """With the routes and results until there; the caller gets back documents that it can read."""
    flow = Flow("a", "b", "c")
    flow.steps["a"].made = {"n": 1.0}
    flow.steps["b"].failure = Status(Code.EXECUTOR_FAILED, "ValueError('no')", "ValueError", executor="Ranker")
    reply = await flow.ask()

    assert reply.status == flow.steps["b"].failure
    assert [(route.executor, route.is_failed) for route in reply.routes] == [("a", False), ("b", True)]
    assert (reply.payload, reply.parameters) == (Payload(b"[]", "json"), {"__results__": {"a/rep-0": {"n": 1.0}}})
    assert "c" not in flow.asked()
    assert (await flow.ask(wants="strict")).payload is None


@pytest.mark.parametrize("nodes", [("a", "b"), ("a", "b", "~f")])
async def test_what_a_node_cannot_read_of_anothers_documents_names_both(nodes: tuple[str, ...]) -> None:
    """The findings are about documents that the caller has never seen; those about its own documents and parameters it gets."""
    findings = [{"loc": [0, "text"], "msg": "Field required", "type": "missing"}]
    told = "Field required - at `0.text`"
    unfit = Status(Code.INVALID_INPUT, told, "InvalidInputError", [told], executor="Ranker", details=findings)
    flow = Flow(*nodes)
    flow.steps["b"].failure = unfit
    status = (await flow.ask()).status
    told = f"node 'b', on what 'a' gave: {told}"
    assert status == Status(Code.INVALID_INPUT, told, "InvalidInputError", [told], executor="Ranker")  # clients show either

    flow.steps["b"].failure = Status(Code.INVALID_INPUT, "no", details=[{"loc": ["parameters", "n"], "msg": "no", "type": "int"}])
    assert (await flow.ask()).status == flow.steps["b"].failure
    flow.steps["a"].failure = unfit
    assert (await flow.ask()).status == unfit


async def test_a_caller_that_leaves_ends_the_node_under_way() -> None:
    """And nothing after it begins."""
    flow = Flow("a", "b", holds=True)
    begun = flow.begin()
    await loop_turns(2)
    begun.run.cancel()

    assert (flow.steps["a"].n_left, flow.asked(), begun.run.is_done) == (1, {"a": b"[]"}, True)


async def test_only_the_targets_are_asked() -> None:
    """Documents pass the others unchanged, and the last that is asked makes what the caller reads."""
    flow = Flow("a", "b", "c")
    reply = await flow.ask(target_executor="a|b")

    assert reply.payload == Payload(b"[]ab", "json")
    assert [step.asked[0].target_executor for step in flow.steps.values() if step.asked] == ["", ""]
    assert [route.executor for route in reply.routes] == ["a", "b"]
    assert (await flow.ask(target_executor="zzz")).payload == Payload(b"[]", "json")
    status = (await flow.ask(target_executor="((")).status
    assert status is not None
    assert status.code is Code.INVALID_INPUT


async def test_a_node_that_does_not_know_the_endpoint_is_passed_by() -> None:
    """One that has `/default` knows all."""
    flow = Flow("a", "b", "c")
    flow.bind("b", "/index")
    assert (await flow.ask()).payload == Payload(b"[]ac", "json")
    flow.bind("b", "/default")
    assert (await flow.ask()).payload == Payload(b"[]abc", "json")
    assert (await flow.ask(endpoint="/new")).payload == Payload(b"[]b", "json")
    flow.bind("b", "/new")
    assert (await flow.ask(endpoint="/new")).payload == Payload(b"[]b", "json")
    assert (await flow.ask(endpoint="/newer")).payload == Payload(b"[]", "json")


async def test_an_endpoint_that_no_node_has_is_told() -> None:
    """The documents come back, with what there is; over a target's nodes alone, if there is one."""
    flow = Flow("a", "b")
    flow.bind("b", "/index")
    reply = await flow.ask(endpoint="/idnex")

    assert (reply.payload, reply.status) == (Payload(b"[]", "json"), None)
    assert reply.description == "flow 'search' has no endpoint '/idnex'; did you mean '/index'? it has '/x', '/index'"
    assert (await flow.ask(endpoint="/y", target_executor="b")).description == "flow 'search' has no endpoint '/y'; it has '/index'"
    assert flow.asked() == {}


async def test_a_node_that_is_not_up_yet_is_asked() -> None:
    """It knows what it has when it is; until then calls wait there."""
    flow = Flow("a", "b")
    flow.bind("b")

    assert (await flow.ask()).payload == Payload(b"[]ab", "json")


async def test_branches_run_at_the_same_time_and_meet() -> None:
    """The node that needs both has the documents of each, in the order of its needs, whichever came first."""
    flow = Flow("a", "b<a", "c<a", "d<c,b", holds=True)
    begun = flow.begin(wants="strict", parameters={"c__k": 1.0})
    await loop_turns(2)
    flow.steps["a"].answer()
    await loop_turns(1)
    assert [name for name, step in flow.steps.items() if step.held] == ["b", "c"]
    flow.steps["b"].answer()
    await loop_turns(1)
    assert not flow.steps["d"].asked
    flow.steps["c"].answer()
    await loop_turns(1)

    (asked,) = flow.steps["d"].asked
    assert asked.branches == (("c", Payload(b"[]ac", "ours")), ("b", Payload(b"[]ab", "ours")))
    assert (asked.payload.data, asked.wants, asked.keeps_branches) == (b"", "strict", False)
    assert flow.steps["c"].asked[0].parameters == {"k": 1.0}
    flow.steps["d"].answer()
    await loop_turns(1)
    reply = begun.reply.result()
    assert reply.payload == Payload(b"d", "strict")
    assert [route.executor for route in reply.routes] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("needs_task", [False, True])
async def test_the_first_failure_ends_the_other_branches(needs_task: bool) -> None:
    """And nothing after it begins, though more than one may fail."""
    flow = Flow("a<gateway", "b<gateway", "c<gateway", "d<a,b,c", holds=True, needs_task=needs_task)
    begun = flow.begin()
    await until(lambda: len(flow.asked()) == 3)
    failure = Status(Code.EXECUTOR_FAILED, "no", executor="Ranker")
    flow.steps["c"].answer(failure)
    flow.steps["b"].answer(Status(Code.UNAVAILABLE, "gone"))
    reply = await begun.reply

    assert (reply.status, reply.payload, begun.reply.result()) == (failure, Payload(b"[]", "json"), reply)
    assert ("c", True) in [(route.executor, route.is_failed) for route in reply.routes]
    await until(lambda: flow.steps["a"].n_left == 1)
    assert set(flow.asked()) == {"a", "b", "c"}


@pytest.mark.parametrize("needs_task", [False, True])
async def test_a_caller_that_leaves_ends_all_branches(needs_task: bool) -> None:
    """Whether they run in tasks or not."""
    flow = Flow("a<gateway", "b<gateway", "c<a,b", holds=True, needs_task=needs_task)
    begun = flow.begin()
    await until(lambda: len(flow.asked()) == 2)
    begun.run.cancel()
    await until(lambda: flow.steps["a"].n_left == flow.steps["b"].n_left == 1)

    await loop_turns(5)
    assert not begun.reply.done()
    assert "c" not in flow.asked()


async def test_branches_of_a_node_that_is_passed_by_meet_in_the_next() -> None:
    """Or in the reply; what comes on two ways from one node comes once."""
    flow = Flow("a", "b<a", "c<a", "d<b,c", "e")
    await flow.ask(target_executor="[a-c]|e".replace("[a-c]", "a|b|c"))
    assert [name for name, _ in flow.steps["e"].asked[0].branches] == ["b", "c"]

    await flow.ask(target_executor="a|e")
    assert (flow.steps["e"].asked[1].branches, flow.steps["e"].asked[1].payload.data) == ((), b"[]a")


async def test_documents_that_cannot_be_joined_are_told() -> None:
    """An external executor may answer with anything."""
    flow = Flow("a<gateway", "b<gateway", "c<a,b")
    flow.bind("c", "/other")
    reply = await flow.ask(wants="strict")

    assert reply.status is not None
    assert reply.status.description.startswith("the documents of 'a' and 'b' cannot be joined: not a protobuf message")


async def test_unjoined_branches_are_what_a_node_may_ask_for() -> None:
    """`no_reduce`."""
    nodes = [GraphNode(name="a", needs="gateway"), GraphNode(name="b", needs=("gateway", "a"), no_reduce=True)]
    steps = {"a": Step("a"), "b": Step("b")}
    await FlowHandler(make_graph(nodes), {name: Node(name, step) for name, step in steps.items()})(make_call())

    assert steps["b"].asked[0].keeps_branches
    assert steps["b"].asked[0].branches == (("gateway", Payload(b"[]", "json")), ("a", Payload(b"[]a", "ours")))


@pytest.mark.parametrize("needs_task", [False, True])
async def test_a_floating_node_gets_its_documents_and_is_not_waited_for(needs_task: bool) -> None:
    """Its deadline is not the caller's, its routes and results are not in the reply; the handler knows that it is under way."""
    flow = Flow("a", "~f", "~g<f", "b", needs_task=needs_task)
    flow.steps["f"].holds, flow.steps["f"].made = True, {"n": 1.0}
    reply = await flow.ask(deadline=1e9)

    assert reply.payload == Payload(b"[]ab", "json")
    assert [route.executor for route in reply.routes] == ["a", "b"]
    assert reply.parameters == {}
    assert [step.asked[0].deadline for step in flow.steps.values() if step.asked] == [1e9, None, 1e9]
    drain = asyncio.create_task(flow.handler.drain())
    await loop_turns(3)
    assert not drain.done()

    flow.steps["f"].answer()
    await drain
    assert flow.asked() == {"a": b"[]", "f": b"[]a", "g": b"[]af", "b": b"[]a"}


async def test_a_floating_failure_is_logged_and_nobodys_else(caplog: pytest.LogCaptureFixture) -> None:
    """What needs it does not begin."""
    flow = Flow("a", "~f", "~g<f")
    flow.steps["f"].failure = Status(Code.EXECUTOR_FAILED, "KeyError('x')")
    with caplog.at_level(logging.WARNING, "jina.flow"):
        assert (await flow.ask(request_id="42")).status is None

    assert caplog.messages == ["floating node 'f' failed in call 42 to '/x': KeyError('x')"]
    assert set(flow.asked()) == {"a", "f"}


@pytest.mark.parametrize("needs_task", [False, True])
async def test_what_floats_goes_on_without_its_caller_until_the_end(needs_task: bool) -> None:
    """A caller that leaves ends what the reply needs; `stop` ends the rest."""
    flow = Flow("a", "~f<gateway", holds=True, needs_task=needs_task)
    begun = flow.begin()
    await until(lambda: len(flow.asked()) == 2)
    begun.run.cancel()
    await until(lambda: flow.steps["a"].n_left == 1)
    assert flow.steps["f"].n_left == 0

    flow.handler.stop()
    await flow.handler.drain()
    assert flow.steps["f"].n_left == 1


async def test_a_flow_in_which_all_float_gives_the_documents_back() -> None:
    """There is nothing to wait for."""
    flow = Flow("~f")
    reply = await flow.ask(data=b'[{"a":1}]')

    assert (reply.payload, reply.routes) == (Payload(b'[{"a":1}]', "json"), [])
    assert flow.asked() == {"f": b'[{"a":1}]'}


async def test_a_bug_in_a_branch_reaches_whoever_called() -> None:
    """And no call hangs for it."""
    flow = Flow("a", "~f")

    async def broken(call: Call) -> Reply:
        raise ZeroDivisionError

    flow.steps["a"].__class__ = type("Broken", (Step,), {"__call__": staticmethod(broken)})
    with pytest.raises(ZeroDivisionError):
        await flow.ask()


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_floating_node_that_streams_is_heard_to_its_end(is_stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    """For each document; nothing stays open. Whoever only floats after it gets what it made."""
    flow = Flow("a", "~s<gateway", "~t<s")
    flow.bind("s", "/x", kind="stream")
    if is_stream:  # nobody else takes part
        flow.bind("a", "/y")
    payload = Payload(b'{"id":"1"}', "json", True) if is_stream else Payload(b'[{"id":"1"},{"id":"2"}]', "json")
    reply = await flow.ask(payload=payload, is_stream=is_stream)
    await flow.handler.drain()

    assert reply.status is None
    assert len(flow.steps["s"].asked) == (1 if is_stream else 2)
    assert all(call.is_stream and call.payload.is_single for call in flow.steps["s"].asked)
    assert flow.asked()["t"].count(b"\x0a") == 2 * len(flow.steps["s"].asked)
    assert caplog.text == ""


class Empty(Step):
    """Gives no documents, so that any may be joined."""

    async def __call__(self, call: Call) -> Reply:
        reply = await super().__call__(call)
        if reply.payload is not None:
            reply.payload = Payload(b"[]" if call.wants == "json" else b"", call.wants)
        return reply


async def walk(data: st.DataObject) -> None:
    """One call through any flow, its nodes answering in any order; what must hold whatever happens."""
    names = [f"n{number}" for number in range(data.draw(st.integers(1, 6)))]
    nodes = []
    for number, name in enumerate(names):
        needs = data.draw(st.lists(st.sampled_from(["gateway", *names[:number]]), max_size=3))
        nodes.append(GraphNode(name=name, needs=needs, is_floating=data.draw(st.booleans())))
    graph, needs_task = make_graph(nodes), data.draw(st.booleans())
    steps = {name: Empty(name, holds=data.draw(st.booleans()), needs_task=needs_task) for name in names}
    handler = FlowHandler(graph, {name: Node(name, step) for name, step in steps.items()})
    for name in names:
        handler.set_endpoints(name, [EndpointInfo(data.draw(st.sampled_from(["/x", "/x", "/x", "/y"])), "batch")])
    begun = Begun(handler, make_call())
    is_gone = has_failed = False
    await loop_turns(3 * len(names))
    while held := [name for name, step in steps.items() if step.held]:
        name = data.draw(st.sampled_from(held))
        fate = data.draw(st.sampled_from(["answers", "answers", "answers", "fails", "its caller leaves"]))
        if fate == "its caller leaves":
            is_gone = is_gone or not begun.reply.done()
            begun.run.cancel()
        else:
            has_failed |= fate == "fails" and name in graph.on_way
            steps[name].answer(Status(Code.EXECUTOR_FAILED, name) if fate == "fails" else None)
        await loop_turns(3 * len(names))
        for step in steps.values():  # who was cancelled holds nothing
            step.held = [waiter for waiter in step.held if not waiter.is_done]

    assert begun.has_ended
    assert begun.reply.done() is not is_gone
    if not is_gone:
        reply = begun.reply.result()
        assert (reply.status is not None) <= has_failed
        assert [route.executor for route in reply.routes] == [
            name for name in graph.on_way if name in {each.executor for each in reply.routes}
        ]
    assert all(len(step.asked) <= 1 for step in steps.values())
    async with asyncio.timeout(5):
        await handler.drain()


@settings(max_examples=200)
@given(st.data())
def test_every_call_ends_once_whatever_its_nodes_do(data: st.DataObject) -> None:
    """In any graph: in one reply, or with its caller; no node is asked twice, and nothing is left under way."""
    asyncio.run(walk(data))


async def items(reply: Reply) -> list[bytes]:
    assert reply.status is None
    assert reply.items is not None
    return [item.payload.data async for item in reply.items if item.payload is not None]


async def test_nodes_before_a_streaming_one_run_first() -> None:
    """They get the one document as a list; the last one's items leave in the caller's encoding."""
    flow = Flow("a", "b")
    flow.bind("b", "/x", kind="stream")
    call = Call("/x", Payload(b"{}", "json", is_single=True), is_stream=True)
    reply = await flow.handler(call)

    assert await items(reply) == [b"[{}]ab1", b"[{}]ab2"]
    assert [(step.asked[0].is_stream, step.asked[0].wants) for step in flow.steps.values()] == [(False, "ours"), (True, "json")]
    assert [route.executor for route in reply.routes] == ["a", "b"]


async def test_a_failure_before_the_stream_is_the_reply() -> None:
    """It is the call that failed, and no item."""
    flow = Flow("a", "b")
    flow.bind("b", "/x", kind="stream")
    flow.steps["a"].failure = Status(Code.EXECUTOR_FAILED, "no")
    reply = await flow.ask(data=b"{}", is_stream=True)

    assert (reply.status, reply.items) == (flow.steps["a"].failure, None)
    assert [route.executor for route in reply.routes] == ["a"]


async def test_an_endpoint_that_does_not_stream_is_refused_by_its_first_node() -> None:
    """In the words that a Deployment has for it."""
    flow = Flow("a", "b")
    await flow.ask(data=b"{}", is_stream=True)

    assert flow.steps["a"].asked[0].is_stream


async def test_a_stream_that_would_have_to_branch_is_refused() -> None:
    """An item goes one way."""
    flow = Flow("a", "b", "~f<a")
    flow.bind("a", "/x", kind="stream")
    reply = await flow.ask(data=b"{}", is_stream=True)

    assert reply.status is not None
    assert reply.status.description == (
        "endpoint '/x' streams from node 'a' on, and the documents of 'a' are not the only ones that 'b', 'f' take: "
        "items can only go one way to the end"
    )
    assert flow.asked() == {}


def test_an_endpoint_takes_what_its_first_node_does_and_gives_what_its_last_one_gives() -> None:
    """A node with `/default` takes part in all; what floats only where nothing else has the path."""
    graph = make_graph([GraphNode(name="a"), GraphNode(name="f", is_floating=True), GraphNode(name="b")])
    a = EndpointInfo("/x", "single", input_name="In", output_name="Mid", takes_headers=False)
    b = EndpointInfo("/default", "stream", input_name="Mid", output_name="Out", parameters={"type": "object"}, parameters_name="P")
    f = [EndpointInfo("/x", "batch", input_name="F"), EndpointInfo("/index", "batch", input_name="F", output_name="F", is_write=True)]

    found = {info.path: info for info in flow_endpoints(graph, {"a": [a], "f": f, "b": [b]})}
    assert [*found] == ["/x", "/index", "/default"]
    x, index = found["/x"], found["/index"]
    assert (x.input_name, x.output_name, x.kind, x.parameters_name, x.takes_headers) == ("In", "Out", "stream", "P", True)
    assert (index.input_name, index.output_name, index.is_write) == ("Mid", "Out", False)
    only = flow_endpoints(graph, {"a": [a], "f": f, "b": []})[-1]
    assert (only.path, only.input_name, only.is_write) == ("/index", "F", True)
