"""What users do with a Response by hand."""

from __future__ import annotations

import pytest

from jina.client.responses import callback_exec, pprint_routes
from jina.errors import BadClientCallback, BadServer
from jina.testing import Service
from jina.types.request.data import Response
from tests.client.executors import Text


class Logger:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def error(self, text: str) -> None:
        self.errors.append(text)


def answered(service: Service, on: str) -> Response:
    found: list[Response] = []
    service.post(on, Text(text="a"), on_done=found.append, on_error=found.append)
    return found[0]


def test_routes_are_printed_with_their_times(grpc_service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a stop; where one failed, the last lines of its traceback too."""
    pprint_routes(answered(grpc_service, "/up"))
    good = capsys.readouterr().out.splitlines()
    assert good
    assert all(line.endswith("ok") and " ms " in line for line in good)

    pprint_routes(answered(grpc_service, "/fail"), stack_limit=1)
    assert "failed" in capsys.readouterr().out


def test_callbacks_run_as_in_post(grpc_service: Service) -> None:
    """`on_done` or `on_error` first, then `on_always`; a failure that nobody takes is raised."""
    good, bad, heard, logger = answered(grpc_service, "/up"), answered(grpc_service, "/fail"), list[str](), Logger()

    def note(name: str) -> None:
        heard.append(name)

    callback_exec(good, logger, lambda _: note("done"), lambda _: note("error"), lambda _: note("always"))
    assert heard == ["done", "always"]
    callback_exec(bad, logger, lambda _: note("done"), lambda _: note("failed"))
    assert heard[2:] == ["failed"]
    with pytest.raises(BadServer, match="no such thing"):
        callback_exec(bad, logger)
    callback_exec(bad, logger, continue_on_error=True)
    assert "no such thing" in logger.errors[0]


def test_a_callback_that_raises_is_named(grpc_service: Service) -> None:
    """As a BadClientCallback, or in the log with `continue_on_error`."""
    good, logger = answered(grpc_service, "/up"), Logger()

    def broken(response: Response) -> None:
        raise KeyError("mine")

    with pytest.raises(BadClientCallback, match=r"broken\(\)"):
        callback_exec(good, logger, broken)
    callback_exec(good, logger, broken, continue_on_error=True)
    assert "broken()" in logger.errors[0]
