"""What a flow offers, made of what its nodes do: for each path the input of the first node that takes it and the output of the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from jina.call import EndpointInfo
from jina.core.edges import misfit
from jina.core.graph import Graph
from jina.runtime.node import DEFAULT_ENDPOINT


def flow_endpoints(graph: Graph, by_node: Mapping[str, Sequence[EndpointInfo]]) -> list[EndpointInfo]:
    """Give the endpoints of a flow, in the order in which its nodes have them.

    Args:
        graph: Whose documents go where.
        by_node: What the executor of each node has.
    """
    known = _known(by_node)
    return [_joined(path, graph, _taken(path, graph, known)) for path in _paths(graph, known)]


def misfits(graph: Graph, by_node: Mapping[str, Sequence[EndpointInfo]]) -> list[str]:
    """Say along which edges no document of an endpoint can fit; empty where some may along all of them.

    Where branches meet, what one of them lacks another may bring; a method without a return annotation may give anything; and of fields
    with aliases the schemas do not say what they are called here.
    """
    known = _known(by_node)
    return [text for path in _paths(graph, known) for text in _misfits(path, graph, _taken(path, graph, known))]


def _misfits(path: str, graph: Graph, taken: Mapping[str, EndpointInfo]) -> Iterator[str]:
    asked = graph.without([name for name in graph.order if name not in taken])
    for name, needs in asked.needs.items():
        before = taken.get(needs[0])
        if len(needs) > 1 or before is None or not before.is_output_declared or before.has_aliases or taken[name].has_aliases:
            continue
        why = misfit(before.output, taken[name].input)
        if why:
            edge = f"edge {needs[0]!r} -> {name!r}, endpoint {path!r}: {before.output_name} cannot be read as {taken[name].input_name}"
            yield f"{edge}: {why}; change one of the two, or put an executor between them"


def _known(by_node: Mapping[str, Sequence[EndpointInfo]]) -> dict[str, dict[str, EndpointInfo]]:
    return {name: {info.path: info for info in infos if not info.is_idle} for name, infos in by_node.items()}


def _paths(graph: Graph, known: Mapping[str, Mapping[str, EndpointInfo]]) -> dict[str, None]:
    return dict.fromkeys(path for name in graph.order for path in known[name])


def _taken(path: str, graph: Graph, known: Mapping[str, Mapping[str, EndpointInfo]]) -> dict[str, EndpointInfo]:
    """What takes calls to a path, by node."""
    return {name: info for name in graph.order if (info := known[name].get(path) or known[name].get(DEFAULT_ENDPOINT)) is not None}


def _joined(path: str, graph: Graph, taken: Mapping[str, EndpointInfo]) -> EndpointInfo:
    on_way = [info for name, info in taken.items() if name in graph.on_way]
    infos = on_way or [*taken.values()]
    first, last = infos[0], infos[-1]
    told = next((info for info in reversed(infos) if info.parameters is not None), last)
    streams = next((info for info in infos if info.kind == "stream"), None)
    return replace(
        first,
        path=path,
        kind=first.kind if streams is None else streams.kind,
        output=last.output,
        output_name=last.output_name,
        parameters=told.parameters,
        parameters_name=told.parameters_name,
        is_parameters_required=told.is_parameters_required,
        is_write=any(info.is_write for info in infos),
        takes_headers=any(info.takes_headers for info in infos),
        discovery=first.discovery
        and last.discovery
        and {
            **first.discovery,
            "output": last.discovery["output"],
            "parameters": told.discovery["parameters"],
            "is_generator": streams is not None,
        },
    )
