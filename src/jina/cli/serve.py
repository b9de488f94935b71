"""`jina deployment`, `jina executor` and `jina flow`: serve until Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jina.cli.flags import make_parser, parse
from jina.errors import BaseJinaException, ConfigError, JinaError
from jina.options import EVERYWHERE, DeploymentOptions, FlowOptions

if TYPE_CHECKING:
    from jina.orchestrator import Orchestrator

_KEYS = "Lists take several words or commas; KEY=VALUE arguments also take a JSON object. The same names work in Python and YAML."


def deployment(words: list[str]) -> int:
    """Serve a Deployment's or an Executor's YAML, or a class."""
    parser = make_parser(
        "deployment",
        "Serve an Executor. --uses takes a Deployment's YAML (flags go over it), an Executor's YAML, or a class's name.",
        DeploymentOptions,
        _KEYS,
    )

    def run() -> None:
        given = parse(parser, DeploymentOptions, words)
        if "uses" not in given:
            raise ConfigError("--uses is missing; name a YAML file or a class, e.g. --uses deployment.yml")
        _serve(_deployment(_arguments(given)))

    return _reported("deployment", run)


def flow(words: list[str]) -> int:
    """Serve a Flow's YAML."""
    parser = make_parser(
        "flow", "Serve a Flow. --uses takes its YAML; other flags go over what it says of the gateway.", FlowOptions, _KEYS
    )

    def run() -> None:
        from jina.yaml import load_flow

        given = parse(parser, FlowOptions, words)
        if "uses" not in given:
            raise ConfigError("--uses is missing; name the Flow's YAML, e.g. --uses flow.yml")
        _serve(load_flow(given.pop("uses"), extra_search_paths=given.get("extra_search_paths"), uses_with=given))

    return _reported("flow", run)


def executor(words: list[str]) -> int:
    """Serve an Executor on all interfaces: the entry point of containers."""
    parser = make_parser(
        "executor", "Serve an Executor as containers do: on all interfaces, unless --host says less.", DeploymentOptions, _KEYS
    )

    def run() -> None:
        given = parse(parser, DeploymentOptions, words)
        given.setdefault("host", os.environ.get("JINA_DEFAULT_HOST") or EVERYWHERE)
        _serve(_deployment(given))

    return _reported("executor", run)


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    from jina.yaml import read_deployment, read_source

    paths = given.get("extra_search_paths") or ()
    if read_source(given["uses"], paths).data.get("jtype") != "Deployment":
        return given
    flags = {name: value for name, value in given.items() if name != "uses"}
    return read_deployment(given["uses"], extra_search_paths=paths, uses_with=flags)


def _deployment(arguments: dict[str, Any]) -> Orchestrator:
    from jina.deployment import Deployment

    return Deployment(**arguments)


def _serve(service: Orchestrator) -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    with service as running:
        running.block()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _reported(command: str, run: Callable[[], None]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("always", DeprecationWarning)
        warnings.showwarning = lambda message, *_, **__: print(f"jina {command}: {message}", file=sys.stderr)
        try:
            run()
        except (JinaError, BaseJinaException, TimeoutError) as error:
            print(f"jina {command}: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:  # one that comes later is an order to stop
            print(f"jina {command}: interrupted before it was ready", file=sys.stderr)
            return 130
    return 0
