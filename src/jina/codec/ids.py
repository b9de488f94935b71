"""Ids for documents that come without one.

Whichever process decodes a request first names its documents; parallel branches that decode the same bytes must come to the same
names, or a join would double the documents. So an id is a digest of the call's random 128 bits and the document's path in the request.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable


def document_id(call_id: bytes, path: str) -> str:
    """The id of the document at `path`, 32 hex digits.

    Args:
        call_id: 16 random bytes that the first front drew; empty gives a random id.
        path: Index in the request, then field names and indices: `3`, `3.chunks.1`. A single document (no list) has index 0.
    """
    if not call_id:
        return os.urandom(16).hex()
    return hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=16, key=call_id).hexdigest()


def path_of(loc: Iterable[str | int]) -> str:
    """A location such as `(3, 'chunks', 1)` as a path such as `3.chunks.1`."""
    return ".".join(map(str, loc))
