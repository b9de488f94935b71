"""Jina 3's own client and Flow against us, and against Jina 3's own service: the same answers but for what `docs/migration.md` lists."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from tests.interop.conftest import ROOT, Service, run_peer

pytestmark = [pytest.mark.process, pytest.mark.docarray]

DIFFERENT = {
    "typed_parameters_wrong": "pydantic 2 words its findings in its own way",
    "wrong_type_in_documents": "pydantic 2 words its findings in its own way",
    "wrong_type_returned": "The message names the endpoint and the expected type",
    "grpc: unknown_endpoint": "A call to an unknown endpoint",
    "unary: unknown_endpoint": "A call to an unknown endpoint",
    "target_that_is_another": "A skipped executor",
    "grpc: stream_of_a_plain_generator": "A streaming endpoint that is a plain generator",
    "grpc: stream_that_raises": "An exception in the middle of a stream",
    "http: stream_that_raises": "An exception in the middle of a stream",
    "grpc: stream_of_an_unknown_endpoint": "A stream from an unknown endpoint",
    "grpc: stream_of_a_batch_endpoint": "`stream_doc` of an endpoint that does not stream",
    "http: parameters_merged": "Parameters for one executor over HTTP",
    "http: stream_of_rich_documents": "A `bytes` field in a stream over HTTP",
}
"""Outcomes that are another on purpose, each with words of `docs/migration.md` that tell why."""


def _reason(name: str) -> str | None:
    return DIFFERENT.get(name) or DIFFERENT.get(name.partition(": ")[2])


@pytest.fixture(scope="module")
def outcomes(peer_python: str, ours: Service, theirs: Service) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each case gave: with us, with Jina 3."""
    with ThreadPoolExecutor() as pool:
        there = pool.submit(_of_jina, peer_python, theirs)
        return run_peer(peer_python, "client_cases.py", str(ours.grpc), str(ours.http)), there.result()


def _of_jina(python: str, service: Service) -> Any:
    """What the cases give with Jina 3's service, where its client now and then waits for ever; with ours it gets one try."""
    for _ in range(2):
        with suppress(subprocess.TimeoutExpired):
            return run_peer(python, "client_cases.py", str(service.grpc), str(service.http), timeout_s=25)
    return run_peer(python, "client_cases.py", str(service.grpc), str(service.http))


def test_the_same_answers_as_from_jina(outcomes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Documents, parameters, results, routes, states, errors and the exceptions at the client, over gRPC (streamed and unary) and HTTP."""
    here, there = outcomes
    assert len(here) > 100
    assert here.keys() == there.keys()
    for name in here:
        if _reason(name) is None:
            assert here[name] == there[name], name


def test_differences_are_real_and_told(outcomes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Every exception of the list is one, and the page for those who migrate has it."""
    here, there = outcomes
    page = (ROOT / "docs" / "migration.md").read_text()
    for name, told in DIFFERENT.items():
        assert told in page, told
        assert any(here[case] != there[case] for case in here if name in (case, case.partition(": ")[2])), name


def test_what_we_do_where_jina_fails(outcomes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Streams of plain generators and of documents with bytes arrive whole; a stream that raises says so once, at its place."""
    here, _ = outcomes
    assert [doc["n"] for doc in here["grpc: stream_of_a_plain_generator"]] == [0, 1, 2]
    assert here["http: stream_of_rich_documents"] == here["grpc: stream_of_rich_documents"]
    assert [each.get("raised") for each in here["grpc: stream_that_raises"]] == [None, "BadServer"]


def test_a_flow_of_jina_has_us_as_external_executor(peer_python: str, ours: Service) -> None:
    """Its gateway learns our endpoints and builds its HTTP routes of them; documents, parameters, results and failures pass through."""
    found = run_peer(peer_python, "flow_external.py", str(ours.grpc))
    assert [doc["n"] for doc in found["documents"]["docs"]] == [1, 2, 3]
    assert found["rich"]["docs"][0]["tensor"]["values"] == [2.0, 4.0]
    assert [each["routes"] for each in found["responses"]] == [[["gateway", True, True, 0], ["outside", True, True, 0]]] * 2
    assert found["responses"][0]["parameters"]["__results__"] == {"served/rep-0": {"n": 2.0, "seen": {"a": 1.0}}}
    assert found["failure"]["header"]["description"] == "ValueError('no such word', 7)"
    assert found["ready"] is True
    assert found["http"]["data"] == [{"id": "a", "n": 5}]
    assert {"/one", "/echo", "/stream"} <= set(found["http paths"])
