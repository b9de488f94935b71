"""Deployment: one Executor and how it should run. What starts, calls and stops it is an Orchestrator."""

from __future__ import annotations

from typing import Any, ClassVar

from jina.core.graph import GraphNode, make_graph
from jina.errors import ConfigError
from jina.options import DeploymentOptions
from jina.orchestrator import Orchestrator
from jina.plan import Plan, node_of, plan_of

_GRAPH_NAME = "executor"
"""What routes, parameter prefixes and `target_executor` call the only node of a Deployment, whatever its name: Jina's rule."""


class Deployment(Orchestrator):
    """Serves one Executor: a front process that owns the ports and a worker process that runs the user's code.

        with Deployment(uses=MyExecutor, protocol="http", port=8080) as deployment:
            deployment.block()

    The constructor returns at once; ports are bound when they are first asked for or at `start`.
    """

    KIND: ClassVar[str] = "deployment"
    options: DeploymentOptions

    def __init__(self, args: Any = None, *, app: Any = None, **kwargs: Any) -> None:
        """Take the arguments of a deployment.

        Args:
            args: A namespace of arguments (as the command line gives), instead of keywords.
            app: A web app of your own that answers every HTTP request, in a process of its own (extra `fastapi`): a FastAPI
                or other ASGI app, which gets the default routes behind its own; a function that makes one, from nothing or from the
                default app; or `"module:name"` of either.
            **kwargs: See `jina.options.DeploymentOptions`; unknown names are ignored with a warning, unless they resemble one that
                protects.

        Raises:
            ConfigError: A value or a combination of values cannot work; the text names it.
        """
        if args is not None and (callable(args) or not hasattr(args, "__dict__")):  # vars() of a class are its methods
            raise ConfigError(f"Deployment({_shown(args)}, ...): what to serve is given by name; write uses={_shown(args)}")
        given = {**(vars(args) if args is not None else {}), **kwargs}
        super().__init__(DeploymentOptions.from_kwargs(**given), app)

    @property
    def num_pods(self) -> int:
        """Processes that run user code or route: the front and the replicas."""
        return 1 + self.options.replicas

    @classmethod
    def load_config(cls, source: Any, **kwargs: Any) -> Deployment:
        """Load a Deployment from YAML: a path, a string, an open file or a dict; see `jina.yaml.load_deployment`."""
        from jina.yaml import load_deployment

        loaded: Deployment = load_deployment(source, **kwargs)
        return loaded

    def save_config(self, filename: str | None = None) -> None:
        """Write the arguments that differ from the defaults as YAML."""
        from jina.yaml import save_deployment

        save_deployment(self, filename)

    def _plan(self) -> Plan:
        from jina.transport.tls import check_files
        from jina.yaml import resolve_uses

        check_files(self.options.front_options())
        executor, config = resolve_uses(self.options)
        node = node_of(self.options, executor, config, graph_name=_GRAPH_NAME)
        return plan_of(self.KIND, self.options, (node,), make_graph([GraphNode(name=_GRAPH_NAME)]))


def _shown(value: Any) -> str:
    cls = value if isinstance(value, type) else type(value)
    return cls.__name__ if callable(value) else repr(value)
