"""Flows of Jina 3's and of ours, one source for both, called by Jina 3's client: the same answers but for what `DIFFERENT` lists."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

import jina
from tests.interop.conftest import PEER, environment_of, run_peer
from tests.interop.flows import GRAPHS

if not hasattr(jina, "Flow"):
    pytest.skip("jina.Flow comes with issue 5 (docs/design/flows.md)", allow_module_level=True)

pytestmark = [pytest.mark.process, pytest.mark.docarray]

START_LIMIT_S = 60.0
CALLS_LIMIT_S = 180.0
GRACE_S = 3.0
Outcomes = dict[str, Any]


# --- running ---------------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def begun(python: str, name: str, log: Path) -> Iterator[subprocess.Popen[str]]:
    """A graph's Flow, which may not serve yet."""
    environment = {**environment_of(python), "JINA_LOG_LEVEL": "ERROR", "JINA_OPTOUT_TELEMETRY": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            [python, str(PEER / "flow_peer.py"), name, "0,0,0", "grpc,http,websocket"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=out,
            env=environment,
            text=True,
            start_new_session=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    limit = threading.Timer(START_LIMIT_S, process.kill)
    limit.start()
    try:
        yield process
    finally:
        limit.cancel()
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def ports_of(process: subprocess.Popen[str], log: Path) -> str:
    """Wait until it serves."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the Flow did not start:\n{log.read_text()[-3000:]}"
    return line.strip()


@pytest.fixture(scope="module")
def outcomes_of(peer_python: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Outcomes, Outcomes]]:
    """What every call of a graph gives: with us, with Jina 3. A graph runs once."""
    pytest.importorskip("docarray")
    known: dict[str, tuple[Outcomes, Outcomes]] = {}

    def outcomes(name: str) -> tuple[Outcomes, Outcomes]:
        if name not in known:
            folder = tmp_path_factory.mktemp("flow")
            logs = [folder / "ours", folder / "theirs"]
            with begun(sys.executable, name, logs[0]) as ours, begun(peer_python, name, logs[1]) as theirs:
                ports = [ports_of(ours, logs[0]), ports_of(theirs, logs[1])]
                here, there = run_peer(peer_python, "flow_calls.py", name, *ports, timeout_s=CALLS_LIMIT_S)
            known[name] = here, there
        return known[name]

    return outcomes


# --- differences -----------------------------------------------------------------------------------------------------------------------


def same(outcome: Any) -> Any:
    return outcome


def ignored(outcome: Any) -> Any:
    return None


def that_ran(outcome: Any) -> Any:
    """Routes without those that have no end: skipped nodes, and floating ones that still run."""
    if isinstance(outcome, list):
        return [that_ran(each) for each in outcome]
    if isinstance(outcome, dict) and "routes" in outcome:
        return {**outcome, "routes": [route for route in outcome["routes"] if route[2]]}
    return outcome


def in_any_order(outcome: Any) -> Any:
    """Routes sorted by name."""
    if isinstance(outcome, list):
        return [in_any_order(each) for each in outcome]
    if isinstance(outcome, dict) and "routes" in outcome:
        return {**outcome, "routes": sorted(outcome["routes"])}
    return outcome


def documents(outcome: Any) -> Any:
    if isinstance(outcome, list):
        return [documents(each) for each in outcome]
    return outcome["body"]["data"] if "body" in outcome else outcome["docs"]


def without_siblings(outcome: Any) -> Any:
    """Routes without the branches that did not fail."""
    if "routes" not in outcome:
        return outcome
    return {**outcome, "routes": [route for route in outcome["routes"] if route[3] or route[0] not in ("left", "right")]}


def without_description(outcome: Any) -> Any:
    if isinstance(outcome, list):
        return [without_description(each) for each in outcome]
    if isinstance(outcome, dict) and "status" in outcome and "routes" in outcome:
        return {**outcome, "status": {**outcome["status"], "description": ""}}
    return outcome


def failed(outcome: Any) -> Any:
    """Over WebSocket Jina's client forgets an error when the connection has been closed by the time it looks."""
    return "an error" if outcome == [] or (isinstance(outcome, dict) and outcome.get("raised") in ("BadServer", "Late")) else outcome


def replaced(old: str, new: str) -> Callable[[Any], Any]:
    return lambda outcome: json.loads(json.dumps(outcome).replace(old, new))


def without_documents(outcome: Any) -> Any:
    if isinstance(outcome, list):
        return [without_documents(each) for each in outcome]
    return {**outcome, "docs": []} if isinstance(outcome, dict) and "docs" in outcome else outcome


def without_hint(outcome: Any) -> Any:
    return {**outcome, "body": {name: each for name, each in outcome["body"].items() if name != "hint"}}


def without_trailing(outcome: Any) -> Any:
    return {**outcome, "trailing": []} if isinstance(outcome, dict) and "trailing" in outcome else outcome


def paths(outcome: Any) -> Any:
    return [each for each in outcome["body"]["paths"].items() if each[0] != "/post"]


@dataclass(frozen=True)
class Difference:
    """Where answers are others on purpose.

    Attributes:
        where: Pattern of "graph: call: way".
        why: In a word.
        there: What ours must be, made from Jina's.
        here: What is compared of ours.
    """

    where: str
    why: str
    there: Callable[[Any], Any] = same
    here: Callable[[Any], Any] = same


JOINING = [name for name, graph in GRAPHS.items() if any(len(node.needs or ()) > 1 for node in graph.nodes)]

DIFFERENT = [
    Difference("*", "a node that did not run, or has not ended, is not in the routes", there=that_ran),
    *(
        Difference(f"{name}: *", "routes are in the order of the graph, Jina's go depth first", in_any_order, in_any_order)
        for name in JOINING
    ),
    Difference("diamond: *parameters: *", "Jina tells a joining node of no results, too", replaced("('__results__', {}), ", "")),
    Difference("two first: parameters: *", "the same", replaced("end[('__results__', {})]", "end[]")),
    Difference("*: unknown: *", "the description names the nearest endpoint", here=without_description),
    Difference("*: unknown: json", "the body names the nearest endpoint", here=without_hint),
    Difference("floating*: *", "a floating node is never in routes and results; in Jina's if it was quick", documents, documents),
    Difference("nobody needs it: *", "the same", documents, documents),
    Difference("*left fails: run: wire", "a failure ends the other branches; Jina waits for them", without_siblings, without_siblings),
    Difference("*right fails: run: wire", "the same", without_siblings, without_siblings),
    Difference("*both fail*: *", "the first failure is the reply; Jina's is the first of the graph", ignored, ignored),
    Difference(
        "* fail*: *",
        "a failed call gives its caller's own documents, Jina's those that the failing node had",
        without_documents,
        without_documents,
    ),
    Difference("* fail*: *: wire", "the trailer `is-error`, which Jina's gateway keeps for itself, is sent on", here=without_trailing),
    Difference(
        "chain: target and parameters: *", "parameters come back as sent; Jina's gateway gives what a skipped node saw", ignored, ignored
    ),
    Difference("*: many*: http", "Jina's HTTP gives back the first 100 documents of a request; ours all", ignored, ignored),
    Difference("*: many*: json", "the same", ignored, ignored),
    Difference(
        "second fails: small requests: grpc", "Jina's gateway answers nobody any more after some failures at once", ignored, ignored
    ),
    Difference("* fail*: *: websocket", "Jina's client forgets such errors now and then", failed, failed),
    Difference(
        "diamond, same field, left is late: *",
        "branches merge in the order of `needs`, Jina's in that of answers",
        replaced("startleftend", "startrightend"),
    ),
    Difference("no reduce, left is late: *", "the same", ignored, ignored),
    Difference(
        "joined by nobody's class: *", "an Executor without methods leaves documents alone; Jina makes LegacyDocuments", ignored, ignored
    ),
    Difference("condition of another type: *", "a value that cannot be compared does not match; Jina's gateway fails", ignored, ignored),
    Difference("stream before a node: *", "streams go through all nodes; Jina calls the first alone", ignored, ignored),
    Difference("doors: nowhere: *", "the body names the nearest endpoint", here=without_hint),
    Difference("doors: websocket json: *", "it works", ignored, ignored),
    Difference("doors: websocket bytes: *", "the connection is closed by the rules at the end of input", ignored, ignored),
    Difference(
        "doors: one document: *", "a call has an id of its own, not its document's", replaced('"requestId": "w"', '"requestId": "ID"')
    ),
    Difference("doors: openapi: *", "/post, and schemas as pydantic 2 writes them", paths, paths),
    Difference("doors: post: *", "there is a POST /post", ignored, ignored),
    Difference("doors: no id: *", "ids are made", replaced('"id": null', '"id": "ID"')),
    Difference("doors: wrong type: *", "422; pydantic 1 takes the keys of the object for documents", ignored, ignored),
    Difference("doors: no data: *", "pydantic 2 words its findings in its own way", ignored, ignored),
    Difference("doors: null: *", "the same", ignored, ignored),
    Difference("doors: wrong target: *", "422; Jina's gateway fails with 500", ignored, ignored),
]

ATTRIBUTES_THAT_DIFFER = {
    "needs an unknown one": "an error that names the edge",
    "inspect()": "there is none: a floating executor sees documents and changes nothing",
    "a Deployment": "it works; Jina forgets its role",
    "add after build": "there are no levels: a Flow is the same before and after build",
    "build again": "the same",
    "called": "the same: the gateway is no item, as it is none before build in Jina",
    "items": "the same",
    "counts": "the same: the gateway counts always",
    "address": "127.0.0.1 unless it is told; there is no monitoring yet",
    "unknown protocol": "ValueError; Jina's command line parser ends the process",
    "three protocols, two ports": "the missing one is any that is free, as in a Deployment",
    "attributes set": "config_gateway changes them; a Flow is not changed under its callers",
    "config_gateway()": "what it is told is saved with the Flow's own arguments",
    "unknown keyword": "of a node it is an error",
    "drawing": "without Jina's colours",
    "saved": "no ports that nobody gave, no defaults, classes with their modules",
    "saved options": "the same",
    "saved nodes": "the same",
    "loaded with unknown keys": "an error for a key of the Flow; of a node's a warning",
    "loaded with files of Deployments": "a Deployment's own name is the node's",
}
"""Cases of `peer/flow_attributes.py`."""

# --- tests -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_a_flow_answers_as_jinas_does(name: str, outcomes_of: Callable[[str], tuple[Outcomes, Outcomes]]) -> None:
    """Documents, routes, parameters, results, states, trailing metadata, HTTP status and body, on every protocol."""
    here, there = outcomes_of(name)
    assert here.keys() == there.keys()
    for call, outcome in here.items():
        expected = there[call]
        for difference in DIFFERENT:
            if fnmatch(f"{name}: {call}", difference.where):
                outcome, expected = difference.here(outcome), difference.there(expected)
        assert outcome == expected, call


def test_differences_are_real(outcomes_of: Callable[[str], tuple[Outcomes, Outcomes]]) -> None:
    """Every entry of the list stands for an answer that is another."""
    others = [
        f"{name}: {call}" for name in GRAPHS for call, outcome in outcomes_of(name)[0].items() if outcome != outcomes_of(name)[1][call]
    ]
    for difference in DIFFERENT:
        assert any(fnmatch(each, difference.where) for each in others), difference


def test_all_documents_come_back_over_http(outcomes_of: Callable[[str], tuple[Outcomes, Outcomes]]) -> None:
    """150 in one request, which Jina answers with 100."""
    here, there = outcomes_of("chain")
    ids = [doc["id"] for doc in here["many at once: grpc"][0]["docs"]["docs"]]
    assert len(ids) == 150
    assert [doc["id"] for doc in here["many at once: json"]["body"]["data"]] == ids
    assert [doc["id"] for doc in there["many at once: json"]["body"]["data"]] == ids[:100]


def test_flows_say_the_same_of_themselves(peer_python: str) -> None:
    """Names, edges, errors, attributes, drawings and YAML, without any process."""
    here, there = (run_peer(python, "flow_attributes.py", timeout_s=CALLS_LIMIT_S) for python in (sys.executable, peer_python))
    assert here.keys() == there.keys()
    for name in here:
        assert (here[name] != there[name]) == (name in ATTRIBUTES_THAT_DIFFER), name
