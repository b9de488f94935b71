"""The sync API beside everything else: threads, running loops, forks, cheap imports."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jina.client import Client
from jina.testing import Service
from tests.client.executors import Text


def run(code: str) -> str:
    """What a script in a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_making_a_client_starts_nothing() -> None:
    """No thread, no connection, nothing heavy imported."""
    out = run(
        """
        import sys, threading
        from jina import Client
        client = Client(port=1)
        heavy = {"pydantic", "numpy", "grpc", "docarray"} & set(sys.modules)
        print(threading.active_count(), heavy or "light")
        """
    )

    assert out.split() == ["1", "light"]


def test_several_threads_share_a_client(service: Service) -> None:
    """Each gets its own answers."""

    def one(number: int) -> bool:
        return bool(service.post("/up", Text(text=f"n{number}"), return_type=Text).text == f"N{number}")

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(one, range(100)))


def test_sync_client_works_where_a_loop_runs(service: Service) -> None:
    """As in a notebook."""

    async def notebook() -> str:
        return str(service.post("/up", Text(text="a"), return_type=Text).text)

    assert asyncio.run(notebook()) == "A"


def test_callbacks_and_generators_run_in_the_callers_thread(service: Service) -> None:
    """So they may use the client themselves."""
    threads = set()

    def nested(response: object) -> None:
        threads.add(threading.current_thread())
        assert service.post("/up", Text(text="b"), return_type=Text).text == "B"

    service.post("/up", Text(text="a"), on_done=nested)

    assert threads == {threading.current_thread()}


SERVER = """
import asyncio, os, sys
from jina import Client
from jina.docs import BaseDoc
from tests.client.fakes import FakeGrpc, FakeGrpcServer
from tests.client.fakes import echo

class Text(BaseDoc):
    text: str = ""

def listen(conn):
    async def main():
        server = FakeGrpcServer(echo)
        listener = await asyncio.get_running_loop().create_server(server.make, "127.0.0.1", 0)
        conn.send(listener.sockets[0].getsockname()[1])
        await listener.serve_forever()
    asyncio.run(main())
"""


def test_client_works_on_both_sides_of_a_fork() -> None:
    """The child opens connections of its own; the parent's go on."""
    out = run(
        SERVER
        + textwrap.dedent(
            """
            import multiprocessing, warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            context = multiprocessing.get_context("fork")
            ours, theirs = context.Pipe()
            server = context.Process(target=listen, args=(theirs,), daemon=True)
            server.start()
            client = Client(port=ours.recv())

            def call(text):
                print(client.post("/x", Text(text=text), return_type=Text).text, flush=True)

            call("before")
            pid = os.fork()
            if not pid:
                call("child")
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            call("after")
            client.close()
            server.kill()
            server.join()
            """
        )
    )

    assert out.split() == ["before", "child", "after"]


def test_script_that_never_closes_its_client_ends_in_silence() -> None:
    """No noise about event loops at the end of the interpreter."""
    out = run(
        """
        from jina import Client
        from tests.client.executors import Text
        from tests.client.fakes import FakeGrpcServer
        from tests.client.fakes import echo
        client = Client(open_connection=FakeGrpcServer(echo).connect)
        print(client.post("/x", Text(text="a"), return_type=Text).text)
        """
    )

    assert out.split() == ["a"]


def test_closed_client_may_be_used_again(service: Service) -> None:
    """`close` lets go of the connections; the next call opens new ones."""
    service.client.close()

    assert service.post("/up", Text(text="a"), return_type=Text).text == "A"


def test_client_is_named_by_its_address() -> None:
    """`args` has Jina's names."""
    client = Client(host="grpcs://example.org:8443")

    assert (client.args.host, client.args.port, client.args.tls) == ("example.org", 8443, True)
    assert "example.org:8443" in repr(client)


def test_interrupt_ends_a_post_whose_async_inputs_never_come(service: Service) -> None:
    """The generator is cancelled where it waits, and cleans up; the client goes on."""
    ends: list[str] = []

    async def inputs() -> AsyncIterator[Text]:
        try:
            yield Text(text="a")
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)  # again and again: a lone signal just before a wait does not end it
            await asyncio.Event().wait()
        finally:
            ends.append("cleaned up")

    def interrupt(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            service.post("/up", inputs(), request_size=1)
    finally:
        signal.signal(signal.SIGALRM, before)

    assert ends == ["cleaned up"]
    assert service.post("/up", Text(text="a"), return_type=Text).text == "A"
