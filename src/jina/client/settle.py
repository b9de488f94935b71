"""What follows an answer: callbacks, or an error, and progress for people's eyes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from jina.client.answers import Answer
from jina.client.documents import ReturnType
from jina.client.post import Callback, Post
from jina.errors import BadClientCallback


def settle(answer: Answer, post: Post, wanted: ReturnType, log_error: Callable[[str], None]) -> None:
    """Call the callbacks of a post.

    Raises:
        FailedReply, HttpError: An executor failed, and neither `on_error` nor `continue_on_error` takes that.
        BadClientCallback: A callback raised, without `continue_on_error`.
    """
    if answer.is_error:
        if post.on_error is not None:
            _call(post.on_error, answer.response(wanted), post, log_error)
        elif post.continue_on_error:
            log_error(f"server error: {answer.error(wanted)}")
        else:
            raise answer.error(wanted)
    elif post.on_done is not None:
        _call(post.on_done, answer.response(wanted), post, log_error)
    if post.on_always is not None:
        _call(post.on_always, answer.response(wanted), post, log_error)


def _call(callback: Callback, response: Any, post: Post, log_error: Callable[[str], None]) -> None:
    try:
        callback(response)
    except Exception as error:
        name = getattr(callback, "__name__", type(callback).__name__)
        text = f"uncaught exception in callback {name}(): {error!r}"
        if not post.continue_on_error:
            raise BadClientCallback(text) from error
        log_error(text)


class Progress:
    """A line on stderr that counts answers; does nothing unless it is shown."""

    def __init__(self, is_shown: bool, n_batches: int | None) -> None:
        self._is_shown, self._of = is_shown, "" if n_batches is None else f" of {n_batches}"
        self._n, self._started_s = 0, time.monotonic()

    def add(self) -> None:
        """An answer came."""
        if self._is_shown:
            self._n += 1
            rate = self._n / max(time.monotonic() - self._started_s, 1e-9)
            print(f"\r{self._n}{self._of} requests answered, {rate:.0f} a second", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """That was all."""
        if self._is_shown and self._n:
            print(file=sys.stderr)
