"""How classes and functions reach our own children."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from jina import Deployment, Executor, requests
from jina.errors import ConfigError
from jina.process.travel import pack, unpack


def test_an_importable_class_travels_by_name() -> None:
    """What a child can import is the very same class there."""
    assert unpack(pack(Path, what="class 'Path'")) is Path


def test_a_class_of_main_is_whole_in_a_fresh_interpreter(tmp_path: Path) -> None:
    """An Executor defined in a script, with its documents and their parametrised types, works in a process that never saw the script."""
    script = tmp_path / "service.py"
    script.write_text(
        "from jina import Executor, requests\n"
        "from jina.docs import BaseDoc, DocList, NdArray\n"
        "from jina.process.travel import pack\n"
        "class Part(BaseDoc):\n    text: str\n"
        "class Whole(BaseDoc):\n    parts: DocList[Part]\n    vector: NdArray[3]\n"
        "class Split(Executor):\n"
        "    @requests(on='/split')\n"
        "    def split(self, docs: DocList[Whole], **kwargs) -> DocList[Part]:\n"
        "        return DocList[Part]([part for doc in docs for part in doc.parts])\n"
        f"open({str(tmp_path / 'packed')!r}, 'wb').write(pack(Split, what='executor'))\n"
    )
    reader = (
        "import pickle\n"
        f"cls = pickle.load(open({str(tmp_path / 'packed')!r}, 'rb'))\n"
        "from jina.docs import DocList\n"
        "endpoint = cls().requests['/split']\n"
        "assert endpoint.list_type is DocList[endpoint.input]\n"
        "whole = endpoint.input(parts=[{'text': 'a'}], vector=[1, 2, 3])\n"
        "assert type(whole.parts) is DocList[endpoint.output], type(whole.parts)\n"
        "made = cls().split(docs=endpoint.list_type([whole]))\n"
        "assert type(made) is endpoint.output_list_type and made.text == ['a']\n"
    )
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path)
    subprocess.run([sys.executable, "-c", reader], check=True, cwd=tmp_path)


_lock = threading.Lock()


def test_a_global_that_cannot_travel_is_named() -> None:
    """The error says which global of the class stands in the way, and what to do."""
    namespace = {"lock": _lock, "__name__": "__main__"}
    exec("class Locked:\n    def run(self):\n        return lock\n", namespace)

    with pytest.raises(ConfigError, match=r"executor 'Locked' cannot be sent to a worker process; its global 'lock' cannot travel"):
        pack(namespace["Locked"], what="executor 'Locked'")


def test_a_module_that_another_file_of_its_name_hides_travels_by_value(tmp_path: Path) -> None:
    """Loaded from a file (as `py_modules` does) while another `service.py` comes first on the path: the class is the loaded file's."""
    for folder, answer in (("first", "wrong"), ("second", "right")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "service.py").write_text(f"class Answer:\n    value = {answer!r}\n")
    script = (
        "import importlib.util, sys\n"
        "from jina.process.travel import pack\n"
        f"spec = importlib.util.spec_from_file_location('service', {str(tmp_path / 'second' / 'service.py')!r})\n"
        "module = sys.modules['service'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        f"open({str(tmp_path / 'packed')!r}, 'wb').write(pack(module.Answer, what='class'))\n"
    )
    reader = f"import pickle\nassert pickle.load(open({str(tmp_path / 'packed')!r}, 'rb')).value == 'right'\n"
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "first")}
    subprocess.run([sys.executable, "-c", script], check=True, env=env)
    subprocess.run([sys.executable, "-c", reader], check=True, env=env)


def test_annotations_that_name_nothing_fail_before_a_process_starts() -> None:
    """The error names the class and the annotation, and no child had to find out."""

    class Unresolved(Executor):
        @requests(on="/a")
        def a(self, docs: "DocList[Nowhere]", **kwargs: Any) -> None:  # type: ignore[name-defined]  # noqa: F821
            pass

    deployment = Deployment(uses=Unresolved, port=0, quiet=True)
    with pytest.raises(ConfigError, match="Nowhere"):
        deployment.start()
    assert deployment.pids == {}
