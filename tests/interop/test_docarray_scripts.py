"""docarray's own classes in a script, where nothing can be imported by the worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.docarray]

BODY = """
class Part(BaseDoc):
    vector: NdArray[3]

class Whole(BaseDoc):
    parts: DocList[Part]

class Double(Executor):
    @requests(on="/double")
    def double(self, docs: DocList[Whole], **kwargs) -> DocList[Whole]:
        for doc in docs:
            for part in doc.parts:
                part.vector = part.vector * 2
        return docs

if __name__ == "__main__":
    asked = DocList[Whole]([Whole(parts=DocList[Part]([Part(vector=np.ones(3))]))])
    with Deployment(uses=Double, protocol=["http", "grpc"], port=[0, 0], quiet=True) as deployment:
        for protocol, port in zip(["http", "grpc"], deployment.ports):
            answer = Client(port=port, protocol=protocol).post("/double", asked, return_type=DocList[Whole])
            print(protocol, answer[0].parts[0].vector.tolist())
"""
OURS = "from jina import Client, Deployment, Executor, requests\n"
THEIRS = "import numpy as np\nfrom docarray import BaseDoc, DocList\nfrom docarray.typing import NdArray\n"


@pytest.mark.parametrize("head", [OURS + THEIRS, THEIRS + OURS], ids=["jina-first", "docarray-first"])
def test_a_script_on_docarrays_classes_serves_them(tmp_path: Path, head: str) -> None:
    """Nested lists and tensors of classes of `__main__`, over both protocols, in whichever order the two packages are imported."""
    pytest.importorskip("docarray")
    script = tmp_path / "script.py"
    script.write_text(head + BODY)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split("\n")[-3:-1] == ["http [2.0, 2.0, 2.0]", "grpc [2.0, 2.0, 2.0]"]
