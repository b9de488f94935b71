"""The protobuf library with our own descriptors: a second opinion on everything that is protobuf."""

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
