"""One node of a graph, as its callers see it: what it is named, which endpoints it has, what of the parameters is meant for it.

A Deployment is a graph of one node. The node decides whether the call is for it at all (`target_executor`, unknown endpoint), gives the
executor its own view of the parameters, notes the route, and merges what a method returned as a dict into the reply's parameters.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import msgspec

from jina.call import Call, EndpointInfo, Handler, Item, Payload, Reply, Route, Status
from jina.errors import Code

DEFAULT_ENDPOINT = "/default"
RESULTS = "__results__"
_SEPARATOR = "__"


class Node:
    """Handler around the replicas of one deployment.

    Attributes:
        endpoints: What the node has, by path; empty until its first replica is ready.
    """

    def __init__(self, name: str, inner: Handler, *, aliases: Collection[str] = ()) -> None:
        """Wrap `inner`.

        Args:
            name: What routes and parameter prefixes call it. In a Deployment this is always `executor`, as in Jina.
            inner: Runs the calls.
            aliases: Further names that `target_executor` and parameter prefixes may use.
        """
        self.name, self._inner = name, inner
        self._names = (*dict.fromkeys((*aliases, name)),)
        self.endpoints: dict[str, EndpointInfo] = {}
        self._matches: dict[str, bool] = {}

    def set_endpoints(self, endpoints: Sequence[EndpointInfo]) -> None:
        """Learn which endpoints the executor has."""
        self.endpoints = {info.path: info for info in endpoints}

    async def __call__(self, call: Call) -> Reply:
        if call.target_executor and not self._is_target(call.target_executor):
            return _unchanged(call, "")
        if self.endpoints and call.endpoint not in self.endpoints and DEFAULT_ENDPOINT not in self.endpoints:
            return _unchanged(call, self._nearest(call.endpoint))
        given = call.parameters
        if given:
            call = msgspec.structs.replace(call, parameters=self._own_parameters(given))
        start_s = time.time()
        reply = await self._inner(call)
        reply.routes = [Route(self.name, start_s, time.time(), reply.status is not None)]
        if given:
            reply.parameters = _merge_results(given, reply.parameters)
        return reply

    def _is_target(self, pattern: str) -> bool:
        matches = self._matches.get(pattern)
        if matches is None:
            try:
                matches = any(re.match(pattern, name) for name in self._names)
            except re.error:
                matches = pattern in self._names
            if len(self._matches) < 256:
                self._matches[pattern] = matches
        return matches

    def _nearest(self, endpoint: str) -> str:
        known = [path for path in self.endpoints if not path.startswith("_jina")]
        near = difflib.get_close_matches(endpoint, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"executor {self._names[0]!r} has no endpoint {endpoint!r}{hint} it has {', '.join(map(repr, known))}"

    def _own_parameters(self, given: dict[str, Any]) -> dict[str, Any]:
        """Give the executor's view: other executors' `name__key` entries gone, its own without the prefix, its own dict merged on top."""
        own: dict[str, Any] = {}
        for key, value in given.items():
            name, separator, rest = key.partition(_SEPARATOR)
            if not (separator and name and rest) or key == RESULTS:
                own[key] = value
            elif name in self._names:
                own[rest] = value
        for name in self._names:
            mine = given.get(name)
            if isinstance(mine, dict):
                own.update(mine)
        return own


def _merge_results(given: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    if not made:
        return given
    before = given.get(RESULTS)
    return {**given, **made, RESULTS: {**(before if isinstance(before, dict) else {}), **made.get(RESULTS, {})}}


def _unchanged(call: Call, description: str) -> Reply:
    """Give the documents back as they came: this node is not meant, or does not know the endpoint."""
    if call.payload.data and call.payload.encoding != call.wants:
        return Reply(Status(Code.UNKNOWN_ENDPOINT, description or f"no executor takes the call to {call.endpoint!r}"))
    if call.is_stream:
        return Reply(items=_once(call.payload), parameters=call.parameters, description=description)
    return Reply(payload=call.payload, parameters=call.parameters, description=description)


async def _once(payload: Payload) -> AsyncIterator[Item]:
    yield Item(payload)
