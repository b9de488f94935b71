"""The protobuf library, loaded with our own descriptors: what the hand-written codecs are held against, here and in `tests/interop`."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from jina.codec.descriptors import file_descriptors


@cache
def _pool() -> Any:
    pool = descriptor_pool.DescriptorPool()
    for data in file_descriptors().values():
        pool.AddSerializedFile(data)
    return pool


@cache
def real(name: str) -> Any:
    """Protobuf's own class of a message, by full name."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


def bytes_of(message: Any) -> bytes:
    """Protobuf's deterministic form."""
    return message.SerializeToString(deterministic=True)  # type: ignore[no-any-return]
