"""Calls an executor's methods as a worker does, with what they take."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import msgspec
import pydantic

from jina.docs import BaseDoc
from jina.executor import Executor
from jina.runtime import invoke


class Text(BaseDoc):
    text: str = ""


class Options(pydantic.BaseModel):
    top: int
    name: str = "x"


@dataclasses.dataclass
class RecordOptions:
    top: int
    name: str = "x"


class RowOptions(msgspec.Struct):
    top: int
    name: str = "x"


HEADERS = {"x-user": "ann"}


def run(executor: Executor, path: str, docs: list[Any], parameters: Any = None, headers: Any = HEADERS) -> Any:
    """Call an endpoint as a worker does, whatever its kind; a stream gives a list."""
    endpoint = invoke.find_endpoint(executor, path)
    assert endpoint is not None
    parameters = {} if parameters is None else parameters
    if endpoint.kind != "stream":
        if endpoint.is_async:
            return asyncio.run(invoke.call_async(executor, endpoint, docs, parameters, headers))
        return invoke.call(executor, endpoint, docs, parameters, headers)
    if not endpoint.is_async:
        return list(invoke.stream(executor, endpoint, docs[0], parameters, headers))

    async def collect() -> list[Any]:
        return [item async for item in invoke.stream_async(executor, endpoint, docs[0], parameters, headers)]

    return asyncio.run(collect())
