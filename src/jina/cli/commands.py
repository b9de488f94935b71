"""The table of commands: what each is for and where it lives. Help, completion and dispatch read it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple


class Command(NamedTuple):
    """One command: a line of help, and the function that runs it as `module:function`."""

    help: str
    place: str

    def load(self) -> Callable[[list[str]], int]:
        """Import the function; it takes the words behind the command and gives the exit code."""
        module, _, function = self.place.partition(":")
        found: Callable[[list[str]], int] = getattr(importlib.import_module(module), function)
        return found


COMMANDS = {
    "deployment": Command("serve an Executor on this machine (loopback unless --host says more)", "jina.cli.serve:deployment"),
    "executor": Command("serve an Executor in a container (listens everywhere)", "jina.cli.serve:executor"),
    "flow": Command("serve the pipeline that a Flow's YAML describes", "jina.cli.serve:flow"),
    "ping": Command("ask a running service whether it is ready", "jina.cli.ping:ping"),
    "new": Command("make a directory with a small project to begin with", "jina.cli.new:new"),
    "export": Command("draw a Flow: `jina export flowchart flow.yml flow.svg`", "jina.cli.export:export"),
    "help": Command("explain a command or an argument, e.g. `jina help replicas`", "jina.cli.about:help_on"),
    "commands": Command("list all commands, for shells", "jina.cli.about:commands"),
    "completions": Command("list what may follow the given words, for shells", "jina.cli.about:completions"),
}

_HOSTED = "Jina's hosted service is gone; {} instead"
NOT_YET = {
    "gateway": "single gateways come with a later release; a Deployment and a Flow have their own, see `jina flow --help`",
    "pod": "single pods come with a later release; use `jina executor`",
    "client": "use the Client from Python: `from jina import Client`",
    "hub": _HOSTED.format("keep Executors in your own repository and name their YAML file in `uses`"),
    "auth": _HOSTED.format("guard your services with `api_key`"),
    "cloud": _HOSTED.format("run `jina deployment` on your own machines"),
}
