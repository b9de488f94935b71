"""The folder that a service keeps its sockets in."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from pathlib import Path

import pytest

from jina import Deployment
from jina.errors import ConfigError
from jina.process.folder import Folder
from tests.process.callers import http_call
from tests.process.executors import Echo
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process


@pytest.mark.parametrize("with_app", [False, True])
def test_a_folder_that_was_cleaned_away_is_made_anew(own_folder: Path, *, with_app: bool) -> None:
    """As those who clean temporary folders do: the next worker, and the next app process, need it, and no one else may look into it."""
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True, app="tests.process.web_apps:own" if with_app else None) as deployment:
        (folder,) = own_folder.glob("openjina-*")
        shutil.rmtree(folder)
        for name, before in deployment.pids.items():
            if "front" not in name:
                os.kill(before, signal.SIGKILL)
                wait_until(lambda: deployment.pids.get(name, before) != before)  # noqa: B023
        reply = http_call(deployment.port, "POST", "/echo", {"data": [{"text": "a"}]}, headers={"x-pass": "yes"}, timeout=60)
        assert reply.json["data"][0]["text"] == "a!"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(own_folder.iterdir()) == []


def test_a_folder_that_others_can_reach_is_not_taken(own_folder: Path) -> None:
    """Somebody may have put it, or a link, where ours was cleaned away."""
    folder = Folder()
    folder.path.mkdir(mode=0o755)
    with pytest.raises(OSError, match="not ours"):
        folder.make()
    folder.path.rmdir()
    folder.path.symlink_to(own_folder)
    with pytest.raises(OSError, match="not ours"):
        folder.make()


def test_a_long_path_of_temporary_files_is_avoided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses of sockets are about 100 bytes long."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True) as deployment:
        assert http_call(deployment.port, "POST", "/echo", {"data": [{"text": "a"}]}).status == 200
    assert list(long.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything starts."""
    (tmp_path / "f").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "f"))
    monkeypatch.setattr("jina.process.folder.SHORT", str(tmp_path / "f"))
    with pytest.raises(ConfigError, match="TMPDIR"):
        Deployment(uses=Echo, protocol="http", port=0, quiet=True).start()
