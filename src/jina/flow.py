"""Flow: several Executors behind one gateway. A thin builder of a Plan.

flow = Flow(port=8080).add(uses=Split, name="split").add(uses=Embed, needs="split")
with flow:
    flow.post("/", docs)
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jina.core.condition import condition
from jina.core.graph import GATEWAY, Graph, GraphNode, make_graph
from jina.deployment import Deployment
from jina.errors import ConfigError, FlowBuildLevelError, FlowTopologyError
from jina.flowchart import Box, mermaid, svg
from jina.options.flow import LOGS, FlowOptions, NodeOptions, check_ports_are_meant, split, without_address, without_ports
from jina.orchestrator import Orchestrator
from jina.plan import ExternalNode, Node, Plan, node_of, plan_of
from jina.warning import warn_user

_NO_TEXT = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf")


@dataclass(frozen=True, kw_only=True)
class FlowNode:
    """One Executor of a Flow, as it was added.

    Attributes:
        name: Its own; parameters and `target_executor` say it.
        options: How it runs.
        needs: Whose documents it takes, `gateway` for the caller's; None for those of the node before it.
    """

    name: str
    options: NodeOptions
    needs: tuple[str, ...] | None = None


class Flow(Orchestrator):
    """Serves several Executors as one pipeline: a gateway process that owns the ports, and a worker process for each.

    The constructor returns at once; each `add` gives a new Flow and leaves the old one as it is.
    """

    KIND = "flow"
    options: FlowOptions

    def __new__(cls, args: Any = None, **kwargs: Any) -> Self:
        """Give an AsyncFlow where `asyncio=True` asks for it."""
        is_async = kwargs.get("asyncio") or getattr(args, "asyncio", False)
        return super().__new__(AsyncFlow if is_async and cls is Flow else cls)  # type: ignore[return-value]  # it is a Flow, too

    def __init__(self, args: Any = None, *, app: Any = None, **kwargs: Any) -> None:
        """Take the arguments of a flow.

        Args:
            args: A namespace of arguments (as the command line gives), instead of keywords.
            app: A web app of your own that answers every HTTP request; see Deployment.
            **kwargs: See `jina.options.FlowOptions`; what only a Deployment knows is for every Executor that is added.

        Raises:
            ConfigError: A value or a combination of values cannot work; the text names it.
        """
        if args is not None and (callable(args) or not hasattr(args, "__dict__")):
            raise ConfigError(f"Flow({args!r}, ...): arguments are given by name; add an Executor with .add(uses=...)")
        given = {**(vars(args) if args is not None else {}), **kwargs}
        self._defaults = split(given)[1]
        self._nodes: dict[str, FlowNode] = {}
        super().__init__(FlowOptions.from_kwargs(**given), app)

    # the graph

    def add(
        self,
        deployment: Any = None,
        *,
        needs: str | Sequence[str] | None = None,
        copy_flow: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Append an Executor.

        Args:
            deployment: A Deployment, the path of its YAML, or an Executor class, instead of `uses`.
            needs: Whose documents it takes: names, `gateway` for the caller's; by default those of the Executor that was added before
                it and does not float. Documents of several are joined by their ids.
            copy_flow: Give a new Flow; False changes this one.
            **kwargs: As of a Deployment. `name` is a Python identifier, by default `executor0`, `executor1`, ... With `external=True`
                somebody else runs it: `host` and `port` say where, one or several, `tls` and `grpc_metadata` how it is called.

        Raises:
            ConfigError: A value cannot work.
            FlowTopologyError: It needs itself, or is called `gateway`.
            FlowBuildLevelError: The Flow runs.
        """
        self._must_not_run("add")
        options = self._options_of(deployment, kwargs)
        needed = needs if needs is not None else _needs_of(deployment)
        name = self._free(options.name)
        if name != options.name:
            warn_user(f"flow {self.name!r} has an executor {options.name!r} already; this one is called {name!r}")
            options = replace(options, name=name)
        if name == GATEWAY or not name.isidentifier():
            error = FlowTopologyError if name == GATEWAY else ConfigError
            raise error(f"executor name {name!r} must be a Python identifier other than 'gateway', since parameters name it")
        if needed and name in ((needed,) if isinstance(needed, str) else needed):
            raise FlowTopologyError(f"flow {self.name!r}: edge {name!r} -> {name!r}: a node cannot need itself; name another one")
        if options.when is not None:
            condition(options.when)
        node = FlowNode(name=name, options=options, needs=(needed,) if isinstance(needed, str) else tuple(needed) if needed else None)
        if options.external:
            _check_external(node)
        return self._with(self.options, {**self._nodes, name: node}, is_new=copy_flow)

    def needs(self, needs: Sequence[str], name: str = "joiner", **kwargs: Any) -> Self:
        """Append an Executor that joins the documents of several; by default one that only hands them on.

        Raises:
            FlowTopologyError: There are fewer than two.
        """
        if isinstance(needs, str) or len(needs) < 2:
            raise FlowTopologyError(f"a join needs two executors or more, got {needs!r}; use add(needs=...) for one")
        return self.add(name=name, needs=needs, **kwargs)

    def needs_all(self, name: str = "joiner", **kwargs: Any) -> Self:
        """Append an Executor that joins the documents of all that nobody needs yet."""
        graph = self._graph()
        floating = {node.name for node in self._nodes.values() if node.options.floating}
        hanging = [each for each in graph.order if each not in floating and floating.issuperset(graph.successors[each])]
        return self.add(name=name, needs=hanging or None, **kwargs)

    def config_gateway(self, args: Any = None, *, copy_flow: bool = True, **kwargs: Any) -> Self:
        """Change where the Flow listens, and what callers may ask; see `jina.options.FlowOptions`."""
        self._must_not_run("config_gateway")
        given = {**(vars(args) if args is not None else {}), **kwargs}
        vain = sorted(split(given)[1].keys() - LOGS)
        if vain:
            warn_user(
                f"flow {self.name!r}: {', '.join(vain)} concern executors; ignored by config_gateway, give them to Flow(...) or add(...)"
            )
        options = self.options.updated(given)
        return self._with(options, self._nodes, is_new=copy_flow)

    def build(self, copy_flow: bool = False) -> Self:
        """Check the graph, as `start` does.

        Raises:
            ConfigError: A name that is none, or a cycle; names the edge.
        """
        self._warn_of_floating(self._graph())
        return self._with(self.options, self._nodes, is_new=True) if copy_flow else self

    def __call__(self) -> Self:
        return self.build()

    def plot(
        self,
        output: str | None = None,
        vertical_layout: bool = False,
        inline_display: bool = False,
        build: bool = True,
        copy_flow: bool = True,
    ) -> Self:
        """Draw the graph, here and now: nothing is sent anywhere.

        Args:
            output: A file: `.svg`, or else Mermaid text (`.mmd`, in a block of Markdown `.md`). Without one the text is printed, or shown
                in a notebook.
            vertical_layout: From top to bottom.
            inline_display: Show the picture in a notebook.
            build: Accepted, as in Jina.
            copy_flow: The same.

        Raises:
            ConfigError: The file's name asks for pixels.
        """
        boxes = self._boxes()
        if output is not None:
            ending = Path(output).suffix.lower()
            if ending in _NO_TEXT:
                raise ConfigError(f"plot draws SVG or writes Mermaid text, got {output!r}; end its name in .svg or .mmd")
            drawn = (svg if ending == ".svg" else mermaid)(boxes, is_vertical=vertical_layout)
            Path(output).write_text(f"```mermaid\n{drawn}```\n" if ending == ".md" else drawn, encoding="utf-8")
        elif inline_display:
            from IPython import display

            display.display(display.SVG(svg(boxes, is_vertical=vertical_layout)))  # type: ignore[no-untyped-call]  # IPython says no types
        else:
            print(mermaid(boxes, is_vertical=vertical_layout), end="")
        return self

    def is_flow_ready(self, **kwargs: Any) -> Any:
        """Whether all executors can be reached; see `Client.is_flow_ready`."""
        return self._running_client().is_flow_ready(**kwargs)

    dry_run = is_flow_ready

    def profiling(self, show_table: bool = True) -> Any:
        """Seconds that one call spends in each executor; see `Client.profiling`."""
        return self._running_client().profiling(show_table)

    def block(self, stop_event: Any = None) -> None:
        """Wait until Ctrl-C, `close` or `stop_event`; see `Deployment.block`.

        Raises:
            FlowBuildLevelError: It has not been started.
            StartError: It ended for good by itself.
        """
        if not (self._is_running or self._failure or self._closed.is_set()):
            raise FlowBuildLevelError(f"flow {self.name!r} does not run; call block within 'with flow:', or after start()")
        super().block(stop_event)

    @property
    def port(self) -> int | list[int]:  # type: ignore[override]  # as Jina's
        """Its port, or a list where protocols have ports of their own."""
        ports = self.ports
        return ports if len({*ports}) > 1 else ports[0]

    @property
    def num_deployments(self) -> int:
        """Nodes of the graph, the gateway included."""
        return len(self._nodes) + 1

    @property
    def num_pods(self) -> int:
        """Processes that run user code or route: the gateway and the replicas of all."""
        return 1 + sum(node.options.replicas for node in self._nodes.values() if not node.options.external)

    def __iter__(self) -> Iterator[tuple[str, FlowNode]]:
        return iter(self._nodes.items())

    def __getitem__(self, which: str | int) -> FlowNode:
        if not isinstance(which, str | int):
            raise TypeError(f"an executor of a flow is found by its name or its place, got {which!r}")
        return list(self._nodes.values())[which] if isinstance(which, int) else self._nodes[which]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Flow):
            return NotImplemented
        return (self.options, self._nodes) == (other.options, other._nodes)

    __hash__ = None  # type: ignore[assignment]  # as its state changes

    # YAML

    @classmethod
    def load_config(cls, source: Any, **kwargs: Any) -> Flow:
        """Load a Flow from YAML: a path, a string, an open file or a dict; see `jina.yaml.load_flow`."""
        from jina.yaml import load_flow

        loaded: Flow = load_flow(source, **kwargs)
        return loaded

    def save_config(self, filename: str | None = None) -> None:
        """Write the arguments that differ from the defaults as YAML."""
        from jina.yaml import save_flow

        save_flow(self, filename)

    # inside

    def _with(self, options: FlowOptions, nodes: Mapping[str, FlowNode], *, is_new: bool) -> Self:
        flow = self
        if self._engine is not None:  # it has bound ports, which may have been told
            ports, is_same = tuple(self.ports), options.port == self.options.port
            self.close()
            self._closed.clear()
            options = replace(options, port=ports) if is_same and any(ports) else options
        if is_new:
            flow = object.__new__(type(self))
            flow._defaults = self._defaults
            Orchestrator.__init__(flow, options, self._app)
        flow.options, flow._nodes = options, dict(nodes)
        return flow

    def _must_not_run(self, what: str) -> None:
        if self._is_running:
            raise FlowBuildLevelError(f"flow {self.name!r} runs; call {what} before it starts, or close it first")

    def _options_of(self, deployment: Any, given: Mapping[str, Any]) -> NodeOptions:
        if isinstance(deployment, type):
            deployment, given = None, {**given, "uses": deployment}
        if isinstance(deployment, str | Path):
            deployment = Deployment.load_config(str(deployment))
        if deployment is not None and not isinstance(deployment, Deployment):
            raise ConfigError(f"flow {self.name!r}: add takes a Deployment, a path or a class, got {deployment!r}; or use uses=")
        told = deployment.options.to_dict() if deployment is not None else {}
        before = told if told.get("external") else without_address(told)
        named = {"name": f"executor{len(self._nodes)}", **before, **given}
        if not named.get("external"):
            check_ports_are_meant(self.name, {**before, **given})
            named = without_ports(named)
        return NodeOptions.from_kwargs(**{**self._defaults, **named})

    def _free(self, name: str) -> str:
        taken, number = self._nodes, 0
        while f"{name}{number or ''}" in taken:
            number += 1
        return f"{name}{number or ''}"

    def _graph(self) -> Graph:
        return make_graph(
            (
                GraphNode(
                    name=node.name,
                    needs=node.needs,
                    is_floating=node.options.floating,
                    when=node.options.when,
                    no_reduce=node.options.no_reduce,
                )
                for node in self._nodes.values()
            ),
            flow=self.name,
        )

    def _warn_of_floating(self, graph: Graph) -> None:
        floats = [name for name in graph.floating if not self._nodes[name].options.floating]
        if floats:
            names = ", ".join(map(repr, floats))
            warn_user(
                f"flow {self.name!r}: nobody needs the documents of {names}, so nobody waits; use needs_all() to join, or floating=True"
            )

    def _boxes(self) -> list[Box]:
        graph = self._graph()
        return [self._box(name, needs, name in graph.floating) for name, needs in graph.needs.items()]

    def _box(self, name: str, needs: Sequence[str], is_floating: bool) -> Box:
        options = self._nodes[name].options
        uses = options.uses
        text = uses.__name__ if isinstance(uses, type) else str(uses).partition("\n")[0]
        if options.external:
            text = ", ".join(options.elsewhere().addresses)
        condition = "" if options.when is None else str(options.when)
        return Box(name=name, text=text, needs=needs, condition=condition, is_external=options.external, is_floating=is_floating)

    def _plan(self) -> Plan:
        from jina.transport.tls import check_files

        if not self._nodes:
            raise ConfigError(f"flow {self.name!r} has no executor; add one with .add(uses=...)")
        waits = [node.options.timeout_ready for node in self._nodes.values()]
        options, graph = replace(self.options, timeout_ready=-1 if -1 in waits else max(waits)), self._graph()
        check_files(options.front_options())
        self._warn_of_floating(graph)
        return plan_of(self.KIND, options, tuple(self._plan_node(name, graph.needs[name][0]) for name in graph.order), graph)

    def _plan_node(self, name: str, source: str) -> Node | ExternalNode:
        from jina.yaml import resolve_uses

        options = self._nodes[name].options
        if options.external:
            elsewhere = options.elsewhere(retries=self.options.retries)
            return ExternalNode(name=name, elsewhere=elsewhere, patience=options.patience())
        executor, config = resolve_uses(options)
        return node_of(options, executor, config, graph_name=name, source=source)


class AsyncFlow(Flow):
    """A Flow whose `post` and `stream_doc` give async iterators, and whose questions are coroutines. It starts and stops as others do."""

    IS_ASYNC = True

    async def is_flow_ready(self, **kwargs: Any) -> bool:
        """Whether all executors can be reached."""
        return bool(await super().is_flow_ready(**kwargs))

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._client is not None:
            self._client.close()
        await asyncio.to_thread(self.__exit__, kind, error, trace)


def _needs_of(deployment: Any) -> Sequence[str] | None:
    return getattr(deployment, "needs", None) if isinstance(deployment, Deployment) else None


def _check_external(node: FlowNode) -> None:
    """Refuse what cannot be asked of an executor that somebody else runs."""
    from jina.runtime.remote import remote_of

    if node.options.no_reduce and len(node.needs or ()) > 1:
        raise ConfigError(f"external executor {node.name!r} gets the documents of several only joined; take out no_reduce")
    remote_of(node.name, node.options.elsewhere())
