"""gRPC's public interoperability cases with grpc-js (npm) as the client of our core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.interop import npm
from tests.interop import testing_messages as messages
from tests.interop.test_grpc_interop import CASES
from tests.interop.testing_service import Ours
from tests.interop.testing_wire import Relay

pytestmark = pytest.mark.process

PACKAGES = ("@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1")


@dataclass(frozen=True)
class Ran:
    """What all cases gave in one run: by name what went wrong, if something did, and the flags on the wire."""

    failures: dict[str, str | None]
    request_flags: list[list[int]]
    reply_flags: list[list[int]]


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    modules = npm.modules("OPENJINA_GRPC_JS", *PACKAGES)
    descriptors = tmp_path_factory.mktemp("grpc_js") / "testing.pb"
    descriptors.write_bytes(messages.descriptor_set())
    with closing(Ours()) as server, closing(Relay(server.port)) as relay:
        failures = npm.run_node(modules, "testing_client.js", str(relay.port), str(descriptors))
        yield Ran(failures, relay.request_flags, relay.reply_flags)


@pytest.mark.parametrize("name", [case.__name__ for case in CASES])
def test_public_case_with_grpc_js(ran: Ran, name: str) -> None:
    """Each case has the outcome of its description; grpc-js compresses a whole call or nothing of it."""
    assert ran.failures[name] is None, ran.failures[name]


def test_both_directions_were_compressed_where_that_was_asked_for(ran: Ran) -> None:
    """grpc-js compressed its unary call and both messages of its stream; we replied once compressed, once not, and once with both."""
    assert [1] in ran.request_flags
    assert [1, 1] in ran.request_flags
    assert ran.reply_flags.count([1]) == 1
    assert ran.reply_flags.count([1, 0]) == 1
