"""Packages of npm for the tests that have peers in JavaScript, kept in the user's cache, outside the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import PEER

_HOW = "needs npm's {}: set {} to a folder in which `npm install` was run for them, or OPENJINA_INTEROP=1 to make one in the cache"
_NODE = "needs node and npm: `apt-get install nodejs npm` or alike"


def modules(variable: str, *packages: str) -> Path:
    """A folder `node_modules` with these packages; skips the test where there is none and none may be made."""
    if shutil.which("node") is None:
        pytest.skip(_NODE)
    given = os.environ.get(variable)
    if given:
        for package in packages:
            name = package.rpartition("@")[0]
            assert (Path(given) / "node_modules" / name).is_dir(), f"{variable}: there is no {name} in {given}"
        return Path(given) / "node_modules"
    if os.environ.get("OPENJINA_INTEROP") != "1":
        pytest.skip(_HOW.format(" ".join(packages), variable))
    return _installed(packages)


def _installed(packages: tuple[str, ...]) -> Path:
    npm = shutil.which("npm") or pytest.skip(_NODE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "openjina" / "-".join(package.rpartition("/")[2].replace("@", "-") for package in packages)
    if not (home / "complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--ignore-scripts", *packages]
        subprocess.run(install, check=True, timeout=300, stdout=subprocess.DEVNULL)
        (home / "complete").touch()
    return home / "node_modules"


def run_node(modules: Path, script: str, *words: str) -> Any:
    """What a script beside `peer/` prints, as JSON."""
    command = ["node", str(PEER / script), *words]
    done = subprocess.run(command, env={**os.environ, "NODE_PATH": str(modules)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
