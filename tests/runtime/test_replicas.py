"""What becomes of calls while no replica is up."""

from __future__ import annotations

import asyncio
import time

import pytest

from jina.call import Call, Payload, Status
from jina.errors import Code
from jina.runtime.replicas import Replicas
from tests.waiting import until

pytestmark = pytest.mark.anyio

CALL = Call("/say", Payload(b"[]", "json"))


async def refused(replicas: Replicas, call: Call = CALL) -> Status:
    status = (await replicas(call)).status
    assert status is not None
    return status


async def test_calls_past_the_bound_are_refused_while_others_wait() -> None:
    """`max_waiting` wait, and who comes then hears when to try again."""
    replicas = Replicas("gone", max_waiting=1)
    waiting = asyncio.ensure_future(replicas(CALL))
    await until(lambda: replicas.members.n_waiting == 1)
    status = await refused(replicas)
    assert (status.code, status.retry_after_s) == (Code.OVERLOADED, 1.0)
    assert "'gone'" in status.description
    assert "1 calls wait" in status.description
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert replicas.members.n_waiting == 0


async def test_a_call_that_waited_in_vain_says_for_what() -> None:
    """`max_wait_s` is a failure of the service, the call's own deadline one of time."""
    late = await refused(Replicas("gone", max_wait_s=0.01))
    assert (late.code, late.retry_after_s) == (Code.UNAVAILABLE, 1.0)
    assert "no replica of 'gone' came up within 0.01 s" in late.description

    over = await refused(Replicas("gone"), Call("/say", Payload(b"[]", "json"), deadline=time.monotonic() + 0.01))
    assert over.code is Code.DEADLINE
    assert "'gone' did not answer before the call's deadline" in over.description


async def test_calls_fail_at_once_when_no_replica_will_ever_be_up() -> None:
    """Those that wait and those that come later are told why the replica does not start."""
    replicas = Replicas("gone")
    waiting = asyncio.ensure_future(refused(replicas))
    await until(lambda: replicas.members.n_waiting == 1)
    replicas.members.down("gone/rep-0", "no module named 'torch'")
    for status in (await waiting, await refused(replicas)):
        assert status.code is Code.UNAVAILABLE
        assert "'gone/rep-0' does not start any more: no module named 'torch'" in status.description


async def test_a_stop_fails_the_calls_that_wait_and_those_that_come() -> None:
    """Whether or not there is a replica to stop."""
    replicas = Replicas("gone")
    waiting = asyncio.ensure_future(refused(replicas))
    await until(lambda: replicas.members.n_waiting == 1)
    replicas.stop()
    for status in (await waiting, await refused(replicas)):
        assert (status.code, status.retry_after_s) == (Code.UNAVAILABLE, 1.0)
        assert status.description == "deployment 'gone' stopped before the call had ended"
