"""A dry run: a call without documents that passes every node, so its failure tells which part does not answer."""

from __future__ import annotations

from jina.call import Call, Payload

_ENDPOINT = "_jina_dry_run_"


def dry_run(request_id: str, deadline: float | None = None) -> Call:
    """Give the call; every Executor has its endpoint."""
    return Call(_ENDPOINT, Payload(b"", "strict"), request_id, deadline=deadline, wants="strict")
