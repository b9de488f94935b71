"""The other servers, each in an environment of its own, so that nobody's pins decide about anybody else's versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("OPENJINA_BENCH_PEERS", ROOT / ".build" / "peers"))
"""Set the variable to a folder with environments of these names to use those."""

PEERS = {
    "jina": ["jina==3.33.1"],
    "fastapi": ["fastapi", "uvicorn", "httptools", "uvloop"],
    "grpc185": ["grpcio==1.85.*", "uvloop"],
    "grpc168": ["grpcio==1.68.*", "uvloop"],
}


def python_of(name: str) -> str:
    """The interpreter of a peer's environment, which is made when it is first asked for; `openjina` is this one."""
    if name == "openjina":
        return sys.executable
    python = HOME / name / "bin" / "python"
    if not python.exists():
        print(f"installing {' '.join(PEERS[name])} into {HOME / name}", flush=True)
        venv.create(HOME / name, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--upgrade", "pip", "setuptools<81"], check=True)
        subprocess.run([*pip, *PEERS[name]], check=True)
    return str(python)


def versions(name: str) -> dict[str, str]:
    """Versions of what matters in a peer's environment."""
    code = (
        "import importlib.metadata as m, json\n"
        "names = 'openjina jina docarray fastapi uvicorn uvloop httptools grpcio pydantic msgspec numpy'.split()\n"
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions() if d.metadata['Name'].lower() in names}))"
    )
    return json.loads(subprocess.run([python_of(name), "-c", code], check=True, capture_output=True, text=True).stdout)
