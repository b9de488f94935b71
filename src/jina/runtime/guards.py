"""Who may call: an API key, or a user's callable over the headers; the same on every protocol.

A key is compared in constant time. A callable is the user's code, so it runs on a guard thread and not on the loop that moves bytes;
one that takes longer than `GUARD_LIMIT_S` counts as unavailable, not as a yes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jina.call import Status
from jina.errors import Code
from jina.transport.run import as_task

_log = logging.getLogger("jina.guards")
GUARD_LIMIT_S = 1.0
_N_THREADS = 32
"""Checks at a time: one that hangs keeps its thread, so there must be more than a few."""

Guard = Callable[[Mapping[str, str]], Status | Awaitable[Status | None] | None]
"""Takes headers or metadata (lower-case names); None lets the call in, a Status refuses it. May be awaitable."""

_NO_KEY = Status(Code.UNAUTHENTICATED, "this service asks for a key: send 'Authorization: Bearer <key>' or 'X-API-Key: <key>'")
_WRONG_KEY = Status(Code.UNAUTHENTICATED, "the key is not valid")
_REFUSED = Status(Code.UNAUTHENTICATED, "the call was refused by this service's access check")


def make_guard(api_key: Any) -> Guard | None:
    """Give the guard for what a user passed as `api_key`: a string, several strings, a callable, or None."""
    if api_key is None:
        return None
    if callable(api_key):
        return _CallableGuard(api_key)
    keys = [api_key] if isinstance(api_key, str) else list(api_key)
    return _KeyGuard(keys)


def presented_key(headers: Mapping[str, str]) -> str:
    """The key that a caller brought, or an empty string."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else headers.get("x-api-key", "")


class _KeyGuard:
    def __init__(self, keys: list[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __call__(self, headers: Mapping[str, str]) -> Status | None:
        key = presented_key(headers)
        if not key:
            return _NO_KEY
        digest = _digest(key)
        is_known = False
        for known in self._digests:  # all of them, whichever matches: the time taken tells nothing
            is_known |= hmac.compare_digest(known, digest)
        return None if is_known else _WRONG_KEY


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class _CallableGuard:
    def __init__(self, check: Callable[[Mapping[str, str]], Any]) -> None:
        self._check = check
        self._threads = ThreadPoolExecutor(_N_THREADS, "guard")

    async def __call__(self, headers: Mapping[str, str]) -> Status | None:
        loop = asyncio.get_running_loop()
        try:
            await as_task()
            async with asyncio.timeout(GUARD_LIMIT_S):
                is_welcome = await loop.run_in_executor(self._threads, self._run, dict(headers))
        except TimeoutError:
            return Status(Code.UNAVAILABLE, f"the access check took longer than {GUARD_LIMIT_S} s", retry_after_s=1.0)
        except Exception as error:
            _log.exception("the access check raised")
            return Status(Code.INTERNAL, f"the access check failed: {type(error).__name__}; the service's log has its traceback")
        return None if is_welcome else _REFUSED

    def _run(self, headers: dict[str, str]) -> bool:
        result = self._check(headers)
        if asyncio.iscoroutine(result):
            result = asyncio.run(result)
        return bool(result)
