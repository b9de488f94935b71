"""What users do with a Response by hand: show its routes, run callbacks on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jina.client.answers import Answer, failed_reply
from jina.client.documents import ReturnType
from jina.client.post import Post
from jina.client.profile import seconds
from jina.client.settle import settle
from jina.codec.messages import StatusParts


def pprint_routes(resp: Any, stack_limit: int = 3) -> None:
    """Print a Response's stops: who, milliseconds after the first, and the last lines of the traceback where one failed."""
    routes = list(resp.routes)
    began = seconds(routes[0].start_time) if routes else 0.0
    for route in routes:
        mark = "failed" if route.status.code else "ok"
        print(f"{route.executor:<24} {(seconds(route.start_time) - began) * 1000:8.1f} ms  {mark}")
        for line in route.status.exception.stacks[-stack_limit:] if stack_limit else ():
            print("    " + line.rstrip())


def callback_exec(
    response: Any,
    logger: Any,
    on_done: Callable[[Any], Any] | None = None,
    on_error: Callable[[Any], Any] | None = None,
    on_always: Callable[[Any], Any] | None = None,
    continue_on_error: bool = False,
) -> None:
    """Run the callbacks on a Response as `post` does.

    Raises:
        BadServer: It tells of a failure, and neither `on_error` nor `continue_on_error` takes that.
        BadClientCallback: A callback raised, without `continue_on_error`.
    """
    post = Post(on="", on_done=on_done, on_error=on_error, on_always=on_always, continue_on_error=continue_on_error)
    settle(_Given(response), post, ReturnType(), logger.error)


class _Given(Answer):
    """A Response as an Answer."""

    def __init__(self, response: Any) -> None:
        self._given = response
        self.is_error = bool(response.header.status.code)

    def response(self, wanted: ReturnType) -> Any:
        return self._given

    def error(self, wanted: ReturnType) -> Exception:
        status = self._given.header.status
        return failed_reply(self._given.header, StatusParts(True, status.description, "", [], [], ""))
