"""One node of a graph, as its callers see it: what it is named, which endpoints it has, what of the parameters is meant for it.

A Deployment is a graph of one node. The node decides whether the call is for it at all (`target_executor`, unknown endpoint), gives the
executor its own view of the parameters, notes the route, and merges what a method returned as a dict into the reply's parameters.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import msgspec

from jina.call import Call, EndpointInfo, Handler, Item, Payload, Reply, Route, Status
from jina.errors import Code, InvalidInputError
from jina.parameters import RESULTS, merge_parameters
from jina.runtime.targets import is_target, no_endpoint
from jina.wire.envelope import EnvelopeError, read_documents

DEFAULT_ENDPOINT = "/default"
_NO_HEADERS: dict[str, str] = {}


class Node:
    """Handler around the replicas of one deployment.

    Attributes:
        needs_task: Whether calling it needs a current task (see `transport/run.py`).
        endpoints: What the node has, by path; empty until its first replica is ready.
    """

    def __init__(self, name: str, inner: Handler, *, aliases: Collection[str] = (), timeout_s: float | None = None) -> None:
        """Wrap `inner`.

        Args:
            name: What routes and parameter prefixes call it. In a Deployment this is always `executor`, as in Jina.
            inner: Runs the calls.
            aliases: Further names that `target_executor` and parameter prefixes may use.
            timeout_s: How long a call may take here at most (`timeout_send`); its own deadline may come sooner.
        """
        self.name, self._inner, self._timeout_s = name, inner, timeout_s
        self.needs_task = getattr(inner, "needs_task", True)
        self._names = (*dict.fromkeys((*aliases, name)),)
        self.endpoints: dict[str, EndpointInfo] = {}

    def set_endpoints(self, endpoints: Sequence[EndpointInfo]) -> None:
        """Learn which endpoints the executor has."""
        self.endpoints = {info.path: info for info in endpoints}

    def find(self, endpoint: str) -> EndpointInfo | None:
        """Give what takes calls to an endpoint, perhaps `/default`."""
        return self.endpoints.get(endpoint) or self.endpoints.get(DEFAULT_ENDPOINT)

    def streams(self, endpoint: str) -> bool:
        """Whether it answers calls to an endpoint document by document."""
        info = self.find(endpoint)
        return info is not None and info.kind == "stream"

    def is_meant(self, target: str) -> bool:
        """Whether a caller's `target_executor` means this node.

        Raises:
            InvalidInputError: It is not understood.
        """
        return is_target(target, self._names)

    async def __call__(self, call: Call) -> Reply:
        if call.target_executor:
            try:
                is_meant = self.is_meant(call.target_executor)
            except InvalidInputError as error:
                return Reply(Status(Code.INVALID_INPUT, str(error)))
            if not is_meant:
                return unchanged(call, "")
        info = self.endpoints.get(call.endpoint) or self.endpoints.get(DEFAULT_ENDPOINT)
        if info is None and self.endpoints:
            return unchanged(call, no_endpoint(f"executor {self._names[0]!r} has", call.endpoint, self.endpoints))
        given = call.parameters
        headers = _NO_HEADERS if info is not None and not info.takes_headers else call.headers
        if given or headers is not call.headers:
            call = msgspec.structs.replace(call, headers=headers, parameters=merge_parameters(given, deployment_name=self._names))
        if self._timeout_s is not None:
            limit = time.monotonic() + self._timeout_s
            call = msgspec.structs.replace(call, deadline=limit if call.deadline is None else min(limit, call.deadline))
        start_s = time.time()
        reply = await self._inner(call)
        reply.routes = [Route(self.name, start_s, time.time(), reply.status is not None)]
        if given:
            reply.parameters = _merge_results(given, reply.parameters)
        return reply


def _merge_results(given: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    if not made:
        return given
    before = given.get(RESULTS)
    return {**given, **made, RESULTS: {**(before if isinstance(before, dict) else {}), **made.get(RESULTS, {})}}


def unchanged(call: Call, description: str) -> Reply:
    """Give the documents back as they came: no node is meant, or knows the endpoint. What is not JSON is refused."""
    payload = call.payload
    if payload.data and payload.encoding != call.wants:
        return Reply(Status(Code.UNKNOWN_ENDPOINT, description or f"no executor takes the call to {call.endpoint!r}"))
    if payload.data and payload.encoding == "json":
        try:
            payload = Payload(read_documents(payload.data), "json", payload.is_single)
        except EnvelopeError as error:
            details = [] if isinstance(error.detail, str) else error.detail
            return Reply(Status(Code.INVALID_INPUT, "the documents cannot be read", details=details))
    if call.is_stream:
        return Reply(items=_once(payload), parameters=call.parameters, description=description)
    return Reply(payload=payload, parameters=call.parameters, description=description)


async def _once(payload: Payload) -> AsyncIterator[Item]:
    yield Item(payload)
