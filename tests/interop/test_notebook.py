"""What the README and the pages say of notebooks, in a Jupyter kernel: cells in, what stands below them out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.examples.test_pipeline import PIPELINE, WORDS
from tests.process.callers import http_call
from tests.test_docs import ROOT, on_any_port, python_blocks

pytest.importorskip("ipykernel", reason="needs a Jupyter kernel: `pip install ipykernel`, or the extra `test`")
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.process
QUICK_START = on_any_port(python_blocks(ROOT / "README.md")[0])
LIMIT_S = 60


class Notebook:
    """A kernel and what its cells have shown.

    Attributes:
        shown: Text of all cells.
    """

    def __init__(self, client: Any) -> None:
        self._client, self.shown = client, ""

    def begin(self, cell: str) -> str:
        """Run a cell; gives its id."""
        name: str = self._client.execute(cell)
        return name

    def run(self, cell: str) -> None:
        """Run a cell to its end."""
        self.end(self.begin(cell))

    def end(self, name: str) -> None:
        """Wait for the end of a cell."""
        while (message := self._take())["parent_header"].get("msg_id") != name or message["content"].get("execution_state") != "idle":
            pass

    def wait_for(self, pattern: str) -> str:
        """Wait until what has been shown matches; gives the first group."""
        while (found := re.search(pattern, self.shown)) is None:
            self._take()
        return found[1]

    def _take(self) -> Any:
        """What the kernel tells next, which must not be an error."""
        message = self._client.get_iopub_msg(timeout=LIMIT_S)
        assert message["msg_type"] != "error", "\n".join(message["content"]["traceback"])
        if message["msg_type"] == "stream":
            self.shown += message["content"]["text"]
        return message


@pytest.fixture
def kernel() -> Iterator[Any]:
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}  # with which it leaves descriptors alone
    manager, client = start_new_kernel(startup_timeout=LIMIT_S, env={**env, "PYTHONUNBUFFERED": ""})
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(kernel: Any) -> Notebook:
    return Notebook(kernel[1])


def test_quick_start_serves_from_a_cell_until_it_is_interrupted(kernel: Any, notebook: Notebook) -> None:
    """The ten lines as they are, without `__main__`; the notebook's stop button ends them as Ctrl-C does, and the next cell runs."""
    cell = notebook.begin(QUICK_START)
    notebook.wait_for(r"(grpc)://127\.0\.0\.1:\d+")  # the last line that it shows before it blocks
    port = int(notebook.wait_for(r"http://127\.0\.0\.1:(\d+)"))
    reply = http_call(port, "POST", "/shout", {"data": [{"text": "hello"}]})
    kernel[0].interrupt_kernel()
    notebook.end(cell)

    assert reply.json["data"][0]["text"] == "HELLO!"
    notebook.run("print(f'still {6 * 7}')")
    assert "still 42" in notebook.shown


def test_cells_may_await_calls(notebook: Notebook) -> None:
    """A kernel runs cells on an event loop: the blocking client works there, and the async one with `await`. What the Executor prints
    stands below the cell."""
    notebook.run(QUICK_START.partition("with Deployment")[0].replace("return", "print('in the worker'); return"))
    notebook.run('service = Deployment(uses=Shout).start(); hello = Text(text="hello")')
    notebook.run('print(service.post("/shout", hello, return_type=Text).text + " blocking")')
    notebook.run('client = __import__("jina").Client(port=service.port, asyncio=True)')
    notebook.run('async for docs in client.post("/shout", hello, return_type=DocList[Text]): print(docs.text[0] + " awaited")')
    notebook.run("service.close()")

    assert "HELLO! blocking" in notebook.shown
    assert "HELLO! awaited" in notebook.shown
    notebook.wait_for("(in the worker)")


def test_the_pipeline_of_the_examples_runs_cell_by_cell(notebook: Notebook) -> None:
    """As it is stored, but that words are counted instead of a model asked; it is stored without output."""
    notebook.run(f"import os, sys; os.chdir({str(PIPELINE)!r}); sys.path.insert(0, {WORDS!r})")
    cells = [cell for cell in json.loads((PIPELINE / "pipeline.ipynb").read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        notebook.run("".join(cell["source"]))

    assert notebook.wait_for(r"Where is the cat\?\n +0\.\d\d  (.*)") == "A cat is asleep on the sofa."
    assert [cell["outputs"] for cell in cells] == [[]] * len(cells)
