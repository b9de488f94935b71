"""A parent without standard streams, as some that run in the background are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

SCRIPT = """
import sys
from pathlib import Path
from jina import Deployment
from tests.process.callers import http_call
from tests.process.executors import Echo
with Deployment(uses=Echo, protocol=["http", "grpc"], port=[0, 0], quiet=True, timeout_ready=30000) as deployment:
    answers = [http_call(deployment.ports[0], "POST", path, {"data": [{"text": "a"}]}) for path in ("/echo", "/async")]
Path(sys.argv[1]).write_text(" ".join(str(answer.status) for answer in answers))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_parent_whose_standard_streams_are_closed_can_serve(tmp_path: Path, closed: str) -> None:
    """Our sockets and pipes do not take their places, and a child prints into no socket."""
    script, answer = tmp_path / "script.py", tmp_path / "answer"
    script.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))}
    words = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, str(script), str(answer)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert answer.read_text() == "200 200"
