"""What follows an answer: callbacks, or an error; and progress for people's eyes, where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from jina.client.answers import Answer
from jina.client.documents import ReturnType
from jina.client.post import Callback, Post
from jina.errors import BadClientCallback
from jina.observe.progress import ProgressBar


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


def progress(post: Post, n_batches: int | None) -> AbstractContextManager[ProgressBar | None]:
    """Give what shows how many requests are answered; nothing unless the post asks for it."""
    return ProgressBar("requests answered", n_batches, is_logged=True) if post.show_progress else nullcontext()
