"""Workers that answer nothing any more are ended after `hang_timeout_s`; from then on they are dead like others."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jina import Deployment
from tests.process.callers import HttpReply, http_call
from tests.process.executors import Echo
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process


def ask(deployment: Deployment, endpoint: str, text: str) -> HttpReply:
    return http_call(deployment.port, "POST", endpoint, {"data": [{"text": text}]}, timeout=60)


def test_a_call_that_never_lets_the_lock_go_fails_and_the_next_works(capfd: pytest.CaptureFixture[str]) -> None:
    """It hangs two workers, then its caller hears so; the log says what was done."""
    with Deployment(uses=Echo, protocol="http", port=0, hang_timeout_s=0.9) as deployment:
        before = deployment.pids["executor/rep-0"]
        reply = ask(deployment, "/hold", "600")
        assert reply.status == 503
        assert b"ended two workers" in reply.body
        assert ask(deployment, "/echo", "a").status == 200
        assert deployment.pids["executor/rep-0"] != before
    told = capfd.readouterr()
    assert (told.out + told.err).count("executor/rep-0 has answered nothing for") == 2


def test_a_call_in_a_worker_that_was_stopped_is_answered_by_the_next_worker() -> None:
    """The stop was no doing of the call's."""
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True, hang_timeout_s=0.9) as deployment, ThreadPoolExecutor() as pool:
        before = deployment.pids["executor/rep-0"]
        os.kill(before, signal.SIGSTOP)
        reply = pool.submit(ask, deployment, "/pid", "")
        assert reply.result().json["data"][0]["n"] not in (before, 0)


def test_an_idle_worker_that_hangs_is_replaced_before_anybody_calls() -> None:
    """It is asked for signs of life then, too."""
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True, hang_timeout_s=0.9) as deployment:
        before = deployment.pids["executor/rep-0"]
        os.kill(before, signal.SIGSTOP)
        wait_until(lambda: deployment.pids.get("executor/rep-0", before) != before)
        assert ask(deployment, "/echo", "a").status == 200


@pytest.mark.parametrize("endpoint", ["/sleep", "/block-async"])
def test_a_method_that_only_takes_long_is_no_silence(endpoint: str) -> None:
    """Nor is an event loop that the user's code blocks: the worker answers PINGs all the while."""
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True, hang_timeout_s=0.9) as deployment:
        before = deployment.pids["executor/rep-0"]
        assert ask(deployment, endpoint, "3").status == 200
        assert deployment.pids["executor/rep-0"] == before


def test_without_a_hang_timeout_a_silent_worker_may_come_back() -> None:
    """None means never."""
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True, hang_timeout_s=None) as deployment, ThreadPoolExecutor() as pool:
        before = deployment.pids["executor/rep-0"]
        os.kill(before, signal.SIGSTOP)
        reply = pool.submit(ask, deployment, "/pid", "")
        begin = time.monotonic()
        wait_until(lambda: time.monotonic() > begin + 3)
        os.kill(before, signal.SIGCONT)
        assert reply.result().json["data"][0]["n"] == before
