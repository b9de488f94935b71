"""A service that ends and comes back, as its clients see it."""

from __future__ import annotations

import pytest

from jina.client import Client
from jina.deployment import Deployment
from tests.client.executors import Sample, Text


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_client_goes_on_with_a_service_that_came_back_on_its_port(protocol: str) -> None:
    """The service ends its clients' connections; that does not keep it from its port, nor the client from the service."""
    with Deployment(uses=Sample, protocol=protocol) as service:
        port = service.port
        client = Client(port=port, protocol=protocol)
        assert client.post("/up", Text(text="a"), return_type=Text).text == "A"
    with pytest.raises(ConnectionError, match="failed to connect"):
        client.post("/up", Text(text="b"))

    with client, Deployment(uses=Sample, protocol=protocol, port=port):
        assert client.post("/up", Text(text="c"), return_type=Text).text == "C"
