"""A service in memory for each protocol, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jina.testing import Service, serve
from tests.client.executors import Sample


@pytest.fixture(params=["grpc", "http", "websocket"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """The sample service, called over each protocol."""
    with serve(Sample, protocol=request.param) as running:
        yield running


@pytest.fixture
def grpc_service() -> Iterator[Service]:
    """The sample service over gRPC."""
    with serve(Sample) as running:
        yield running


@pytest.fixture
def http_service() -> Iterator[Service]:
    """The sample service over HTTP."""
    with serve(Sample, protocol="http") as running:
        yield running
