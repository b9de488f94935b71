"""`jina new`: a project to begin with. The files are rendered first and written after."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

_EXECUTOR = """\
from jina import Executor, requests
from jina.docs import BaseDoc, DocList


class Text(BaseDoc):
    text: str


class MyExecutor(Executor):
    @requests(on="/hello")
    def hello(self, docs: DocList[Text], **kwargs) -> DocList[Text]:
        return DocList[Text](Text(text=f"hello, {doc.text}!") for doc in docs)
"""

_CONFIG = """\
jtype: MyExecutor
py_modules:
  - executor.py
metas:
  name: MyExecutor
"""

_DEPLOYMENT = """\
jtype: Deployment
version: '1'
with:
  uses: executor1/config.yml
  name: executor1
  protocol: [http, grpc]
  port: [8080, 8081]
"""

_FLOW = """\
jtype: Flow
version: '1'
with:
  protocol: [http, grpc]
  port: [8080, 8081]
executors:  # each follows the one before it, unless `needs` says otherwise
  - name: executor1
    uses: executor1/config.yml
"""

_CLIENT = """\
from jina import Client
from jina.docs import BaseDoc, DocList


class Text(BaseDoc):
    text: str


if __name__ == "__main__":
    client = Client(host="grpc://127.0.0.1:8081")
    docs = client.post("/hello", DocList[Text]([Text(text="world"), Text(text="there")]), return_type=DocList[Text])
    print(docs.text)
"""

_REQUIREMENTS = "# packages that the Executor needs, one a line\n"


def render(kind: str = "deployment") -> dict[str, str]:
    """Relative paths and contents of a project: of a `deployment`, or of a `flow`."""
    return {
        f"{kind}.yml": _FLOW if kind == "flow" else _DEPLOYMENT,
        "client.py": _CLIENT,
        "executor1/executor.py": _EXECUTOR,
        "executor1/config.yml": _CONFIG,
        "executor1/requirements.txt": _REQUIREMENTS,
    }


def new(words: list[str]) -> int:
    """Write a project into a directory that does not exist yet."""
    parser = argparse.ArgumentParser(prog="jina new", description="Make a directory with a small project.", allow_abbrev=False)
    parser.add_argument("name", metavar="NAME", help="the directory; must not exist")
    parser.add_argument("--type", choices=("deployment", "flow"), default="deployment", help="what its YAML describes [deployment]")
    given, _ = parser.parse_known_args(words)
    if os.path.exists(given.name):
        print(f"jina new: {given.name!r} exists already; give another name", file=sys.stderr)
        return 1
    for path, content in render(given.type).items():
        target = os.path.join(given.name, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "x", encoding="utf-8") as file:
            file.write(content)
    print(_next_steps(given.name, given.type))
    return 0


def _next_steps(name: str, kind: str) -> str:
    steps = (f"cd {shlex.quote(name)}", f"jina {kind} --uses {kind}.yml", "python client.py        # in another terminal")
    return "\n  ".join((f"made {name}; try it:\n", *steps))
