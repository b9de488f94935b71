"""gRPC's public interoperability cases with grpc-js (npm) as the client of our core."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop import testing_messages as messages
from tests.interop.conftest import PEER
from tests.interop.test_grpc_interop import CASES
from tests.interop.testing_service import Ours
from tests.interop.testing_wire import Relay

pytestmark = pytest.mark.process

PACKAGES = ("@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1")
HOW = "needs grpc-js: set OPENJINA_GRPC_JS to a folder in which `npm install {}` was run, or OPENJINA_INTEROP=1 to make one in the cache"
NODE = "needs node and npm: `apt-get install nodejs npm` or alike"


@pytest.fixture(scope="session")
def modules() -> Path:
    """A folder `node_modules` with grpc-js."""
    if shutil.which("node") is None:
        pytest.skip(NODE)
    given = os.environ.get("OPENJINA_GRPC_JS")
    if given:
        assert (Path(given) / "node_modules/@grpc/grpc-js").is_dir(), f"OPENJINA_GRPC_JS: there is no grpc-js in {given}"
        return Path(given) / "node_modules"
    if os.environ.get("OPENJINA_INTEROP") != "1":
        pytest.skip(HOW.format(" ".join(PACKAGES)))
    return _installed()


def _installed() -> Path:
    npm = shutil.which("npm") or pytest.skip(NODE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "openjina" / "-".join(package.rpartition("/")[2].replace("@", "-") for package in PACKAGES)
    if not (home / "complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
        subprocess.run(install, check=True, timeout=300, stdout=subprocess.DEVNULL)
        (home / "complete").touch()
    return home / "node_modules"


@dataclass(frozen=True)
class Ran:
    """What all cases gave in one run: by name what went wrong, if something did, and the flags on the wire."""

    failures: dict[str, str | None]
    request_flags: list[list[int]]
    reply_flags: list[list[int]]


@pytest.fixture(scope="session")
def ran(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    descriptors = tmp_path_factory.mktemp("grpc_js") / "testing.pb"
    descriptors.write_bytes(messages.descriptor_set())
    with closing(Ours()) as server, closing(Relay(server.port)) as relay:
        done = subprocess.run(
            ["node", str(PEER / "testing_client.js"), str(relay.port), str(descriptors)],
            env={**os.environ, "NODE_PATH": str(modules)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        yield Ran(json.loads(done.stdout), relay.request_flags, relay.reply_flags)


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
