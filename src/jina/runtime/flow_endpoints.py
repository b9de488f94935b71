"""What a flow offers, made of what its nodes do: for each path the input of the first node that takes it and the output of the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from jina.call import EndpointInfo
from jina.core.graph import Graph
from jina.runtime.node import DEFAULT_ENDPOINT


def flow_endpoints(graph: Graph, by_node: Mapping[str, Sequence[EndpointInfo]]) -> list[EndpointInfo]:
    """Give the endpoints of a flow, in the order in which its nodes have them.

    Args:
        graph: Whose documents go where.
        by_node: What the executor of each node has.
    """
    known = {name: {info.path: info for info in infos if not info.is_idle} for name, infos in by_node.items()}
    paths = dict.fromkeys(path for name in graph.order for path in known[name])
    return [_joined(path, graph, known) for path in paths]


def _joined(path: str, graph: Graph, known: Mapping[str, Mapping[str, EndpointInfo]]) -> EndpointInfo:
    taken = {name: info for name in graph.order if (info := known[name].get(path) or known[name].get(DEFAULT_ENDPOINT)) is not None}
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
        and {
            **first.discovery,
            "output": last.discovery["output"],
            "parameters": told.discovery["parameters"],
            "is_generator": streams is not None,
        },
    )
