"""Ids for documents that come without one.

Whichever process decodes a request first names its documents; parallel branches that decode the same bytes must come to the same
names, or a join would double the documents. So an id is the call's random 128 bits, xor a digest of the document's path in the request:
as random as the call's, and two paths of a call never share one. It is no secret, and tells the call's bits.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Final


def document_id(call_id: bytes, path: str) -> str:
    """The id of the document at `path`, 32 hex digits.

    Args:
        call_id: 16 random bytes that the first front drew; empty gives a random id.
        path: Index in the request, then field names and indices: `3`, `3.chunks.1`. A single document (no list) has index 0.
    """
    if not call_id:
        return os.urandom(16).hex()
    known = _known_digest(path) if len(path) <= _MAX_KEPT else _digest(path)  # a path holds keys of the caller's dicts
    return (int.from_bytes(call_id) ^ known).to_bytes(16).hex()


def _digest(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=16).digest())


_MAX_KEPT: Final = 32
_known_digest = lru_cache(4096)(_digest)


def path_of(loc: Iterable[str | int]) -> str:
    """A location such as `(3, 'chunks', 1)` as a path such as `3.chunks.1`."""
    return ".".join(map(str, loc))
