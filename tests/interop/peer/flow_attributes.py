"""What a Flow says of itself, without any process: prints each case's outcome as JSON, with whichever `jina` runs it."""

import asyncio
import contextlib
import io
import json
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable, Dict  # noqa: UP035

os.environ.setdefault("JINA_LOG_LEVEL", "ERROR")

import yaml
from flow_executors import Extra, Step
from flow_peer import built

from jina import Deployment, Flow

# --- outcomes as plain values ----------------------------------------------------------------------------------------------------------


def edges(flow: Any) -> Any:
    """Names and what each needs."""
    return {name: sorted(node.needs) for name, node in flow.build(copy_flow=True) if name != "gateway"}


def arrows(flow: Any) -> Any:
    """Of the drawing, in any order."""
    return sorted(line.strip() for line in flow.build(copy_flow=True)._mermaid_str.splitlines() if "-->" in line)


def text_of(flow: Any) -> str:
    """What `save_config` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flow.yml"
        flow.save_config(str(path))
        return path.read_text()


def saved(flow: Any) -> Any:
    """The same as data, without the ports that Jina picked at random; the order of `needs` is any there."""
    found = yaml.safe_load(re.sub(r"\b(?!1234)[1-6]\d{4}\b", "PORT", text_of(flow)))
    for node in found["executors"]:
        node["needs"] = sorted(node.get("needs", []))
    return found


def raised(function: Callable[[], Any]) -> Any:
    try:
        return ["gave", str(type(function()).__name__)]
    except BaseException as error:
        return [type(error).__name__, re.sub(r"0x[0-9a-f]+", "0x", str(error))[:400]]


# --- cases of more than one line -------------------------------------------------------------------------------------------------------


def two_beside() -> Any:
    return Flow().add(name="a", needs="gateway").add(name="b", needs="gateway")


def copies() -> Any:
    first = Flow()
    second = first.add(name="a")
    third = first.add(name="b", copy_flow=False)
    return [first is second, first is third, [name for name, _ in first], [name for name, _ in second]]


def items() -> Any:
    flow = Flow().add(name="a").add(name="b")
    before = [name for name, _ in flow]
    flow.build()
    missing = [raised(lambda: flow["nobody"])[0], raised(lambda: flow[7])[0], raised(lambda: flow[1.5])[0]]
    return [before, [name for name, _ in flow], flow["a"].name, flow[1].name, flow["gateway"].name, missing]


def counts() -> Any:
    flow = Flow().add(name="a", replicas=2).add(name="b", shards=2)
    before = [flow.num_deployments, flow.num_pods]
    flow.build()
    return [before, [flow.num_deployments, flow.num_pods]]


def attributes_set() -> Any:
    flow = Flow().add(name="a")
    flow.protocol, flow.port, flow.workspace, flow.env = "http", 12345, "/tmp/here", {"A": "b"}
    return [flow.protocol.name, flow.port, flow.workspace, flow.env]


def gateway_configured() -> Any:
    flow = Flow().add(name="a")
    other = flow.config_gateway(protocol="http", port=12345, title="T")
    return [other is flow, other.port, other.protocol.name, other.gateway_args.title]


def defaults_for_all() -> Any:
    flow = Flow(replicas=2, timeout_ready=7, prefetch=5, retries=3, name="f").add(name="a").add(name="b", replicas=1).build()
    nodes = {name: [node.args.replicas, node.args.timeout_ready, node.args.retries] for name, node in flow if name != "gateway"}
    return [nodes, flow.gateway_args.prefetch, flow.gateway_args.retries, flow.args.name]


def unknown_keyword() -> Any:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        outcome = raised(lambda: Flow(replicaz=2).add(name="a", uzes="x").build())
    return [outcome, any(warning.category is UserWarning for warning in told)]


def asynchronous() -> Any:
    flow = Flow(asyncio=True).add(name="a")
    return [isinstance(flow, Flow), asyncio.iscoroutinefunction(flow.is_flow_ready), type(flow.client).__name__]


def of_every_kind() -> Any:
    flow = Flow(port=12345).config_gateway(title="T", cors=True)
    flow = flow.add(name="a", uses="Step", uses_with={"mark": "x"}, uses_metas={"name": "m"}, uses_requests={"/r": "run"}, replicas=2)
    flow = flow.add(name="b", external=True, host="somewhere.example", port=[1234], tls=True, grpc_metadata={"k": "v"}, needs=["gateway"])
    return flow.add(name="c", needs=["a", "b"], no_reduce=True, timeout_send=500, volumes=["v"])


def read_back() -> Any:
    found = {}
    for name in DRAWN:
        flow = built(name, port=12345, protocol="http")
        again = Flow.load_config(text_of(flow))
        found[name] = [again == flow, edges(again) == edges(flow), again.port, again.protocol.name]
    return found


def loaded() -> Any:
    flow = Flow.load_config(YAML)
    return [edges(flow), flow.port, [each.name for each in flow.protocol], flow["b"].args.replicas, flow["a"].args.timeout_ready]


def loaded_with_context() -> Any:
    text = "jtype: Flow\nexecutors:\n  - {name: '${{ CONTEXT.n }}', replicas: '${{ CONTEXT.r }}'}\n"
    flow = Flow.load_config(text, context={"n": "x", "r": 3})
    return [edges(flow), flow["x"].args.replicas]


def loaded_with_deployment_files() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "d.yml").write_text("jtype: Deployment\nwith: {name: from_file, uses: Step, replicas: 2}\n")
        (Path(folder) / "flow.yml").write_text("jtype: Flow\nexecutors:\n  - d.yml\n  - {jtype: Deployment, with: {name: inside}}\n")
        return edges(Flow.load_config(f"{folder}/flow.yml"))


# --- cases -----------------------------------------------------------------------------------------------------------------------------

DRAWN = ("chain", "diamond", "floating", "conditions")
YAML = """jtype: Flow
version: '1'
with: {protocol: [grpc, http], port: [12345, 12346], timeout_ready: 7}
gateway: {title: T}
executors:
  - {name: a, uses: Step, uses_with: {mark: x}}
  - {name: f, floating: true}
  - {name: b, needs: a, replicas: 2}
  - name: gateway
  - {name: join, needs: [a, b]}
jcloud: {version: 1}
"""
BY_METHOD = "jtype: Flow\nexecutors: [{name: a, needs: gateway}, {name: b, needs: gateway}, {name: c, method: needs, needs: [a, b]}]\n"

CASES: Dict[str, Callable[[], Any]] = {  # noqa: UP006
    # names and edges
    "default names": lambda: edges(Flow().add(uses=Step).add(uses=Step).add(uses=Extra)),
    "the same name again": lambda: edges(Flow().add(name="a").add(name="a").add(name="a")),
    "a name that is no identifier": lambda: raised(lambda: Flow().add(name="a-b")),
    "a node named gateway": lambda: raised(lambda: Flow().add(name="gateway")),
    "needs itself": lambda: raised(lambda: Flow().add(name="a", needs="a")),
    "needs an unknown one": lambda: raised(lambda: Flow().add(name="a", needs="nobody").add(name="b").build()),
    "needs in every form": lambda: edges(two_beside().add(name="c", needs=["a", "b"]).add(name="d", needs=("a",)).add(name="e", needs="b")),
    "needs the gateway and another": lambda: edges(Flow().add(name="a").add(name="b", needs=["gateway", "a"])),
    "needs()": lambda: edges(two_beside().needs(["a", "b"])),
    "class of a joiner": lambda: two_beside().needs(["a", "b"])["joiner"].args.uses,
    "needs() of one": lambda: raised(lambda: Flow().add(name="a").needs(["a"])),
    "needs_all()": lambda: edges(two_beside().add(name="c", needs="gateway").add(name="d", needs="a").needs_all(name="all").add(name="e")),
    "needs_all() where one hangs": lambda: edges(Flow().add(name="a").add(name="b").needs_all()),
    "floating does not move the end": lambda: edges(Flow().add(name="a").add(name="f", floating=True).add(name="b")),
    "needs_all() leaves floating alone": lambda: edges(Flow().add(name="a").add(name="f", floating=True).add(name="b").needs_all()),
    "inspect()": lambda: edges(Flow().add(name="a").inspect(name="i").add(name="b")),
    "external join without reduce": lambda: raised(lambda: two_beside().add(needs=["a", "b"], external=True, no_reduce=True)),
    "a Deployment": lambda: raised(lambda: edges(Flow().add(Deployment(name="given", uses=Step)))),
    # copies and levels
    "copies": copies,
    "add after build": lambda: raised(lambda: Flow().add(name="a").build().add(name="b"))[0],
    "build again": lambda: raised(lambda: Flow().add(name="a").build().build())[0],
    "block before start": lambda: raised(lambda: Flow().add(name="a").block())[0],
    "called": lambda: [name for name, _ in Flow().add(name="a")()],
    "equal": lambda: [two_beside() == other for other in (two_beside(), Flow().add(name="a"), two_beside().add(name="c"))],
    # attributes
    "len": lambda: raised(lambda: len(Flow().add(name="a"))),
    "counts": counts,
    "items": items,
    "address": lambda: [getattr(Flow(port=12345, protocol="http"), name) for name in ("port", "host", "monitoring", "port_monitoring")],
    "addresses": lambda: Flow(port=[12345, 12346], protocol=["http", "grpc"]).add(name="a").port,
    "protocols": lambda: [each.name for each in Flow(port=[12345, 12346], protocol=["http", "grpc"]).protocol],
    "protocol in capitals": lambda: Flow(protocol="WebSocket").protocol.name,
    "unknown protocol": lambda: raised(lambda: Flow(protocol="carrier-pigeon"))[0],
    "two protocols, one port": lambda: raised(lambda: Flow(port=12345, protocol=["http", "grpc"]).add(name="a").build())[0],
    "three protocols, two ports": lambda: raised(lambda: Flow(port=[1, 2], protocol=["http", "grpc", "websocket"]).add(name="a").build())[
        0
    ],
    "attributes set": attributes_set,
    "config_gateway()": gateway_configured,
    "defaults for all": defaults_for_all,
    "unknown keyword": unknown_keyword,
    "client": lambda: [(client := Flow(port=12345, protocol="http").add(name="a").client).__class__.__name__, client.args.port],
    "asynchronous": asynchronous,
    # drawing and YAML
    "arrows": lambda: {name: arrows(built(name)) for name in DRAWN},
    "drawing": lambda: built("diamond").build()._mermaid_str.splitlines(),
    "saved": lambda: {name: saved(built(name, port=12345, protocol="http")) for name in (*DRAWN, "one")},
    "saved options": lambda: saved(
        Flow(port=[12345, 12346], protocol=["http", "grpc"], prefetch=7, name="f", env={"A": "b"}).add(name="a")
    ),
    "saved nodes": lambda: saved(of_every_kind()),
    "read back": read_back,
    "loaded": loaded,
    "loaded by the older key": lambda: edges(Flow.load_config(YAML.replace("executors:", "deployments:"))),
    "loaded without a version": lambda: edges(Flow.load_config(YAML.replace("version: '1'\n", ""))),
    "loaded as 1.5": lambda: raised(lambda: Flow.load_config(YAML.replace("'1'", "'1.5'")))[0],
    "loaded as 2": lambda: raised(lambda: Flow.load_config(YAML.replace("'1'", "'2'")))[0],
    "loaded by method": lambda: edges(Flow.load_config(BY_METHOD)),
    "loaded with unknown keys": lambda: raised(lambda: Flow.load_config("jtype: Flow\nwiht: {}\nexecutors: [{name: a, usess: Step}]\n")),
    "loaded without nodes": lambda: raised(lambda: Flow.load_config("jtype: Flow\n")),
    "loaded from nothing": lambda: raised(lambda: Flow.load_config(""))[0],
    "loaded from nowhere": lambda: raised(lambda: Flow.load_config("nowhere.yml"))[0],
    "loaded with a context": loaded_with_context,
    "loaded with files of Deployments": loaded_with_deployment_files,
}


def outcome(function: Callable[[], Any]) -> Any:
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function()
    except BaseException as error:
        return {"raised": type(error).__name__, "text": str(error)[:400]}


def main() -> None:
    print("\n" + json.dumps({name: outcome(CASES[name]) for name in sys.argv[1:] or CASES}, default=str), flush=True)


if __name__ == "__main__":
    main()
