"""Who may call: keys, and callables of the user's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from inspect import isawaitable
from typing import Any

import pytest

from jina.call import Status
from jina.errors import Code
from jina.runtime.guards import make_guard

pytestmark = pytest.mark.anyio


async def verdict(key: Any, headers: Mapping[str, str]) -> Status | None:
    guard = make_guard(key)
    assert guard is not None
    found = guard(headers)
    return await found if isawaitable(found) else found


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "asks for a key"),
        ({"authorization": "Basic b25l"}, "asks for a key"),
        ({"authorization": "Bearer "}, "asks for a key"),
        ({"x-api-key": "three"}, "not valid"),
        ({"authorization": "bearer two"}, ""),
        ({"x-api-key": "one"}, ""),
    ],
)
async def test_one_of_several_keys_lets_a_call_in(headers: dict[str, str], words: str) -> None:
    """As a bearer token or in a header of its own."""
    status = await verdict(["one", "two"], headers)

    assert (status is None) == (not words)
    assert status is None or (status.code is Code.UNAUTHENTICATED and words in status.description)


async def test_a_callable_sees_the_headers_and_may_be_a_coroutine_function() -> None:
    """True lets the call in, anything else refuses it."""

    async def is_blue(headers: Mapping[str, str]) -> bool:
        return headers.get("x-tenant") == "blue"

    refused = await verdict(is_blue, {"x-tenant": "red"})
    assert await verdict(is_blue, {"x-tenant": "blue"}) is None
    assert refused is not None
    assert (refused.code, "refused" in refused.description) == (Code.UNAUTHENTICATED, True)


async def test_a_callable_that_raises_tells_its_caller_little_and_the_log_all(caplog: pytest.LogCaptureFixture) -> None:
    """What went wrong in it is nobody's business but the operator's, who finds the traceback in the log."""

    def is_known(headers: Mapping[str, str]) -> bool:
        raise LookupError("no directory at ldap://inner")

    with caplog.at_level(logging.ERROR, "jina"):
        status = await verdict(is_known, {})
    assert status is not None
    assert (status.code, status.description) == (Code.INTERNAL, "the access check failed: LookupError; the service's log has its traceback")
    assert "no directory at ldap://inner" in caplog.text
    assert "in is_known" in caplog.text
