"""A service where hardly any file may be opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

_STARTS = """
import resource, sys
from jina import Deployment
from tests.process.executors import Echo
deployment = Deployment(uses=Echo, quiet=True)
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), hard))
try:
    deployment.start()
except Exception as error:
    print(type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
with deployment:
    print("ready")
"""


@pytest.mark.parametrize("limit", [6, 10, 16, 20])
def test_a_limit_on_open_files_is_named(limit: int) -> None:
    """The error says what to raise; once that is done the same Deployment starts."""
    done = subprocess.run([sys.executable, "-c", _STARTS, str(limit)], capture_output=True, text=True, timeout=60, check=True)
    expected = f"StartError deployment 'executor' cannot start: this process may open no further file (the limit is {limit}); raise it"
    assert done.stdout.startswith(expected)
    assert done.stdout.endswith("ready\n")
