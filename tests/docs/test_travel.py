# mypy: disable-error-code="misc,import-untyped,type-arg,index,valid-type,name-defined"
"""Classes made by subscription are the same class in another process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from jina.docs import AnyTensor, BaseDoc, DocList, ImageNdArray, NdArray, TextDoc, TorchTensor

SENDER = """
import sys, cloudpickle
from jina.docs import BaseDoc, DocList, NdArray

class Inner(BaseDoc):
    e: NdArray[3]

class Outer(BaseDoc):
    inner: DocList[Inner]
    name: str = "x"

def work(docs: DocList[Outer]) -> DocList[Inner]:
    assert type(docs) is DocList[Outer] and type(docs.inner[0]) is DocList[Inner]
    return docs[0].inner

docs = DocList[Outer]([Outer(inner=[Inner(e=[1, 2, 3])])])
sys.stdout.buffer.write(cloudpickle.dumps((Outer, DocList[Outer], NdArray[3], DocList, docs, work)))
"""

RECEIVER = """
import sys, pickle, typing
import jina.docs
Outer, list_type, tensor, plain, docs, work = pickle.loads(sys.stdin.buffer.read())
assert list_type is jina.docs.DocList[Outer] and plain is jina.docs.DocList and tensor is jina.docs.NdArray[3]
assert type(docs) is list_type and docs.name == ["x"], docs
inner = work(docs)
assert inner.e[0].tolist() == [1, 2, 3]
assert work.__annotations__["docs"] is list_type or typing.get_type_hints(work)["docs"] is list_type
again = list_type.from_json(docs.to_json())
assert type(again) is list_type and again == docs
try:
    Outer(inner=[{"e": [1, 2]}])
except ValueError as error:
    assert "expected a tensor of shape (3,)" in str(error)
else:
    raise AssertionError
print("same")
"""


@pytest.mark.parametrize(
    "made", [DocList, DocList[TextDoc], NdArray, NdArray[3], NdArray[3, "x", ...], ImageNdArray[2], AnyTensor[2], TorchTensor[1]]
)
@pytest.mark.parametrize("tool", [pickle, cloudpickle])
def test_a_class_comes_back_as_itself(made: Any, tool: Any) -> None:
    """By its name, or by the subscription that made it."""
    assert tool.loads(tool.dumps(made)) is made


def test_a_list_comes_back_with_its_class_and_documents() -> None:
    """Also one that holds documents of several classes."""
    docs = DocList[TextDoc]([TextDoc("a")])
    again = pickle.loads(pickle.dumps(docs))

    assert type(again) is DocList[TextDoc]
    assert again == docs
    assert pickle.loads(pickle.dumps(DocList([BaseDoc(id="1")]))) == DocList([BaseDoc(id="1")])


@pytest.mark.process
def test_classes_of_a_script_are_the_same_in_a_child(tmp_path: Path) -> None:
    """A script's own documents reach a process that does not have the script."""
    script = tmp_path / "script.py"
    script.write_text(SENDER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    sent = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, env=environment)
    received = subprocess.run([sys.executable, "-c", RECEIVER], input=sent.stdout, capture_output=True, env=environment)

    assert received.stdout.strip() == b"same", received.stderr.decode()
