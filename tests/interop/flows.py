"""Graphs and what is asked of them, as data: `peer/flow_peer.py` runs them with Jina 3 or with us, `peer/flow_calls.py` calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

EVERY_WAY = ("grpc", "unary", "http", "wire", "json", "websocket")
"""How a call is made: Jina's client over gRPC (streamed, unary), HTTP and WebSocket; bytes over gRPC and urllib, which show more."""

STREAMS = ("stream grpc", "stream http")


@dataclass(frozen=True)
class Node:
    """One `Flow.add`.

    Attributes:
        name: Of the node.
        kind: A key of `flow_executors.KINDS`.
        act: What a `Step` does.
        delay_s: How long it waits before.
        needs: Names; None is the node before.
        more: Further keywords of `add`.
    """

    name: str
    kind: str = "Step"
    act: str = "write"
    delay_s: float = 0.0
    needs: tuple[str, ...] | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def keywords(self) -> dict[str, Any]:
        """For `Flow.add`, but for `uses`."""
        found: dict[str, Any] = {"name": self.name, **self.more}
        if self.kind in ("Step", "Extra"):
            found["uses_with"] = {"mark": self.name, "act": self.act, "delay_s": self.delay_s}
        if self.needs is not None:
            found["needs"] = list(self.needs)
        return found


@dataclass(frozen=True)
class Call:
    """One post.

    Attributes:
        n_docs: How many `Word`s; their `n` is 0, 1, ... and their ids "w0", "w1", ...; None posts no inputs at all.
        more: Further keywords of `Client.post`.
        ways: Of `EVERY_WAY`.
        returns: The class of the documents that come back.
    """

    on: str = "/run"
    n_docs: int | None = 3
    more: dict[str, Any] = field(default_factory=dict)
    ways: tuple[str, ...] = EVERY_WAY
    returns: str = "Word"


@dataclass(frozen=True)
class Request:
    """One HTTP request as it is."""

    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class Graph:
    """A Flow, and what is asked of it, by name."""

    nodes: tuple[Node, ...]
    calls: dict[str, Call]
    requests: dict[str, Request] = field(default_factory=dict)


WHILE_S = 0.15
"""Jina merges branches in the order in which they answer, so one must be later for an outcome that one can compare."""


def diamond(left: str, right: str, *, calls: dict[str, Call] | None = None, is_left_late: bool = False, end: Node | None = None) -> Graph:
    """`start`, then `left` and `right` beside each other, `right` later, then `end`."""
    nodes = (
        Node("start"),
        Node("left", act=left, needs=("start",), delay_s=WHILE_S if is_left_late else 0.0),
        Node("right", act=right, needs=("start",), delay_s=0.0 if is_left_late else WHILE_S),
        end or Node("end", needs=("left", "right")),
    )
    return Graph(nodes, calls or {"run": Call()})


JOINS = Node("end", "Joins", needs=("left", "right"), more={"no_reduce": True})
IN_ORDER = {"results_in_order": True}
PARAMETERS = {"a__one": 1, "b__two": 2, "z": [1, "x"], "b": {"three": 3}, "none": None, "x__y__z": 4}

CONDITIONS: dict[str, dict[str, Any]] = {
    "equal": {"n": {"$eq": 2}},
    "unequal": {"n": {"$neq": 2}},
    "at_most": {"n": {"$lte": 2}},
    "among": {"n": {"$in": [0, 3]}},
    "not_among": {"n": {"$nin": [0, 3]}},
    "between": {"n": {"$gt": 0, "$lt": 3}},
    "like": {"text": {"$regex": "word [12]"}},
    "long": {"text": {"$size": 6}},
    "without_words": {"words": {"$size": 0}},
    "both": {"$and": [{"n": {"$gt": 0}}, {"n": {"$lt": 2}}]},
    "either": {"$or": {"n": {"$eq": 0}, "text": {"$eq": "word 3"}}},
    "negated": {"$not": {"n": {"$eq": 2}}},
    "two_fields": {"n": {"$gt": 0}, "text": {"$neq": "word 3"}},
    "there": {"left": {"$exists": True}},
    "another_field": {"n": {"$eq": "{n}"}},
}

GRAPHS: dict[str, Graph] = {
    "one": Graph(
        (Node("a"),),
        {"run": Call(), "no documents": Call(n_docs=0), "no inputs": Call(n_docs=None), "unknown": Call("/nowhere")},
    ),
    "chain": Graph(
        (Node("a"), Node("b"), Node("c")),
        {
            "run": Call(),
            "no documents": Call(n_docs=0),
            "no inputs": Call(n_docs=None),
            "many": Call(n_docs=150, more=IN_ORDER),
            "many at once": Call(n_docs=150, more={"request_size": 200}),
            "small requests": Call(n_docs=5, more={"request_size": 2, **IN_ORDER}),
            "parameters": Call("/see", more={"parameters": PARAMETERS}),
            "no parameters": Call("/see"),
            "unknown": Call("/nowhere"),
            "target": Call(more={"target_executor": "b"}),
            "target, a prefix": Call(more={"target_executor": "a.*"}),
            "target, two": Call(more={"target_executor": "a|c"}),
            "target, none": Call(more={"target_executor": "nobody"}),
            "target and parameters": Call("/see", more={"target_executor": "b", "parameters": PARAMETERS}),
            "request id": Call(more={"request_id": "mine"}, ways=("json",)),
        },
    ),
    "doors": Graph(
        (Node("a"), Node("b", "Extra")),
        {name: Call(ways=(name,)) for name in ("ready", "dry run", "info", "discovery", "websocket json", "websocket bytes")},
        {
            "health": Request("GET", "/"),
            "dry run": Request("GET", "/dry_run"),
            "status": Request("GET", "/status"),
            "openapi": Request("GET", "/openapi.json"),
            "endpoints": Request("GET", "/endpoints"),
            "post": Request("POST", "/post", {"data": [{"id": "w", "text": "word"}], "execEndpoint": "/run"}),
            "default": Request("POST", "/default", {"data": [{"id": "w", "text": "word"}]}),
            "nowhere": Request("POST", "/nowhere", {"data": []}),
            "another method": Request("GET", "/run"),
            "one document": Request("POST", "/run", {"data": {"id": "w", "text": "word"}}),
            "no id": Request("POST", "/run", {"data": [{"text": "word"}]}),
            "no data": Request("POST", "/run", {}),
            "null": Request("POST", "/run", {"data": None}),
            "wrong type": Request("POST", "/run", {"data": [{"id": "w", "n": "many"}]}),
            "unknown field": Request("POST", "/run", {"data": [{"id": "w", "nobody": 1}]}),
            "request id": Request("POST", "/run", {"data": [], "header": {"requestId": "mine"}}),
            "request id in snakes": Request("POST", "/run", {"data": [], "header": {"request_id": "mine"}}),
            "target": Request("POST", "/run", {"data": [{"id": "w"}], "header": {"requestId": "mine", "targetExecutor": "b"}}),
            "wrong target": Request("POST", "/run", {"data": [{"id": "w"}], "header": {"requestId": "mine", "targetExecutor": "("}}),
            "parameters": Request("POST", "/see", {"data": [{"id": "w"}], "parameters": {"a__one": 1, "z": 2}}),
        },
    ),
    "types": Graph((Node("begins", "Begins"), Node("measures", "Measures"), Node("doubles", "Doubles")), {"run": Call(returns="Length")}),
    "results": Graph(
        (Node("a", act="tell"), Node("b"), Node("c", act="tell")),
        {"run": Call(), "with parameters": Call(more={"parameters": {"k": 1, "a__l": 2}}), "target": Call(more={"target_executor": "a"})},
    ),
    "in place": Graph((Node("a", act="write_in_place"), Node("b", act="write_in_place")), {"run": Call()}),
    "filtered by code": Graph((Node("a", act="keep_even"), Node("b", act="keep_none"), Node("c")), {"run": Call()}),
    "first fails": Graph((Node("a", act="fail"), Node("b"), Node("c")), {"run": Call(), "other endpoint": Call("/see")}),
    "second fails": Graph(
        (Node("a"), Node("b", act="fail"), Node("c")),
        {"run": Call(), "small requests": Call(n_docs=3, more={"request_size": 1, "continue_on_error": True, **IN_ORDER})},
    ),
    "last fails": Graph((Node("a"), Node("b", act="fail")), {"run": Call()}),
    "extra at the end": Graph((Node("a"), Node("b", "Extra")), {"extra": Call("/extra"), "run": Call(), "unknown": Call("/nowhere")}),
    "default at the end": Graph((Node("a", "Step"), Node("b", "Fallback")), {"run": Call(), "unknown": Call("/nowhere")}),
    "default everywhere": Graph((Node("a", "Fallback"), Node("b", "Fallback")), {"unknown": Call("/nowhere"), "default": Call("/default")}),
    "no executors": Graph((Node("a", "BaseExecutor"),), {"run": Call(ways=("grpc", "unary", "wire", "websocket"))}),
    # --- joins ---
    "diamond": diamond(
        "write_left",
        "write_right",
        calls={
            "run": Call(),
            "many": Call(n_docs=150, more=IN_ORDER),
            "no documents": Call(n_docs=0),
            "no inputs": Call(n_docs=None),
            "parameters": Call("/see", more={"parameters": {"left__a": 1, "end__b": 2, "c": 3}}),
            "same parameters": Call("/see", more={"parameters": {"c": 3}}),
            "unknown": Call("/nowhere"),
            "target, a branch": Call(more={"target_executor": "left"}),
            "target, the end": Call(more={"target_executor": "end"}),
        },
    ),
    "diamond, collections": diamond("collect", "collect"),
    "diamond, same field": diamond("write", "write"),
    "diamond, same field, left is late": diamond("write", "write", is_left_late=True),
    "diamond, left has fewer": diamond("keep_even", "write"),
    "diamond, right has fewer": diamond("write", "keep_even"),
    "diamond, left has none": diamond("keep_none", "write"),
    "diamond, right has none": diamond("write", "keep_none"),
    "diamond, both have none": diamond("keep_none", "keep_none"),
    "diamond, left has new": diamond("add", "write"),
    "diamond, both have new": diamond("add", "add"),
    "diamond, right has others": diamond("write", "replace"),
    "diamond, right turns round": diamond("write", "reverse"),
    "diamond, results": diamond("tell", "tell"),
    "diamond, left fails": diamond("fail", "write"),
    "diamond, right fails": diamond("write", "fail", is_left_late=True),
    "diamond, both fail": diamond("fail", "fail"),
    "diamond, both fail, left is late": diamond("fail", "fail", is_left_late=True),
    "diamond, end fails": diamond("write", "write", end=Node("end", act="fail", needs=("left", "right"))),
    "two first": Graph(
        (Node("a", needs=("gateway",)), Node("b", needs=("gateway",), delay_s=WHILE_S), Node("end", needs=("a", "b"))),
        {"run": Call(), "parameters": Call("/see", more={"parameters": {"a__one": 1}})},
    ),
    "joined by nobody's class": diamond("write_left", "write_right", end=Node("end", "BaseExecutor", needs=("left", "right"))),
    "three branches": Graph(
        (
            *(Node("a", needs=("gateway",), act="write_left"), Node("b", needs=("gateway",), act="write_right")),
            *(Node("c", needs=("gateway",), act="collect"), Node("end", needs=("c", "a", "b"))),
        ),
        {"run": Call()},
    ),
    "unequal branches": Graph(
        (
            *(Node("a"), Node("b"), Node("c", needs=("b",), delay_s=WHILE_S), Node("d", needs=("a",), act="write_right")),
            Node("end", needs=("d", "c")),
        ),
        {"run": Call()},
    ),
    "no reduce": diamond("write", "write", end=JOINS, calls={"run": Call(), "see": Call("/see"), "no documents": Call(n_docs=0)}),
    "no reduce, left is late": diamond("write", "write", end=JOINS, is_left_late=True),
    "no reduce, left has none": diamond("keep_none", "write", end=JOINS),
    "no reduce, both have none": diamond("keep_none", "keep_none", end=JOINS),
    "no reduce, left fails": diamond("fail", "write", end=JOINS),
    "reduced for one who looks": diamond("write", "write", end=Node("end", "Joins", needs=("left", "right"))),
    "no join in a chain": Graph((Node("a"), Node("b", "Joins")), {"run": Call()}),
    # --- floating ---
    "floating": Graph(
        (Node("a"), Node("f", more={"floating": True}), Node("b", delay_s=WHILE_S)),
        {"run": Call(), "target": Call(more={"target_executor": "b"}), "see": Call("/see")},
    ),
    "floating fails": Graph((Node("a"), Node("f", act="fail", more={"floating": True}), Node("b", delay_s=WHILE_S)), {"run": Call()}),
    "floating tells": Graph((Node("a"), Node("f", act="tell", more={"floating": True}), Node("b", delay_s=WHILE_S)), {"run": Call()}),
    "floating is slow": Graph((Node("a"), Node("f", delay_s=WHILE_S, more={"floating": True}), Node("b")), {"run": Call()}),
    "floating last": Graph((Node("a"), Node("f", act="tell", delay_s=WHILE_S, more={"floating": True})), {"run": Call()}),
    "only floating": Graph((Node("f", delay_s=WHILE_S, more={"floating": True}),), {"run": Call()}),
    "nobody needs it": Graph((Node("a"), Node("b", needs=("a",), act="tell"), Node("c", needs=("a",), delay_s=WHILE_S)), {"run": Call()}),
    # --- conditions ---
    "conditions": Graph(
        (
            Node("small", needs=("gateway",), more={"when": {"n": {"$lt": 2}}}),
            Node("large", needs=("gateway",), more={"when": {"n": {"$gte": 2}}}),
            Node("end", needs=("small", "large")),
        ),
        {
            "run": Call(n_docs=5),
            "none on one side": Call(n_docs=1),
            "no documents": Call(n_docs=0),
            "many": Call(n_docs=150, more=IN_ORDER),
        },
    ),
    "condition in a chain": Graph(
        (Node("a"), Node("b", more={"when": {"n": {"$gt": 0}}}), Node("c", more={"when": {"text": {"$regex": "ab$"}}})),
        {"run": Call(n_docs=4), "none": Call(n_docs=1)},
    ),
    "conditions not exclusive": Graph(
        (
            Node("all", needs=("gateway",), act="write_left", more={"when": {"n": {"$gte": 0}}}),
            Node("even", needs=("gateway",), act="write_right", more={"when": {"$or": [{"n": {"$eq": 0}}, {"n": {"$eq": 2}}]}}),
            Node("end", needs=("all", "even")),
        ),
        {"run": Call(n_docs=4)},
    ),
    "condition of a field that is not there": Graph((Node("a", more={"when": {"price": {"$gt": 1}}}),), {"run": Call()}),
    "condition of another type": Graph((Node("a", more={"when": {"text": {"$gt": 1}}}),), {"run": Call()}),
    "conditions of every kind": Graph(
        (
            *(Node(name, needs=("gateway",), more={"when": when}) for name, when in CONDITIONS.items()),
            Node("end", "Tells", needs=tuple(CONDITIONS), more={"no_reduce": True}),
        ),
        {"run": Call(n_docs=4)},
    ),
    # --- streams: Jina has them for a Flow of one ---
    "stream": Graph(
        (Node("a", "Streams"),),
        {
            "stream": Call("/stream", ways=STREAMS, returns="Item"),
            "with parameters": Call("/stream", more={"parameters": {"p": 1}}, ways=STREAMS, returns="Item"),
        },
    ),
    "stream before a node": Graph((Node("a", "Streams"), Node("b", "Fallback")), {"stream": Call("/stream", ways=STREAMS, returns="Item")}),
}
