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
from serve import free_port

from jina import Deployment, Flow
from jina.excepts import BadYAMLVersion, FlowBuildLevelError, FlowTopologyError, PortAlreadyUsed

# --- outcomes as plain values ----------------------------------------------------------------------------------------------------------


def text_of(flow: Any) -> str:
    """What `save_config` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flow.yml"
        flow.save_config(str(path))
        return path.read_text()


def edges(flow: Any) -> Any:
    """What each node needs, as `save_config` tells it: where it says nothing, the one before that does not float."""
    found, last = {}, "gateway"
    for node in yaml.safe_load(text_of(flow)).get("executors", []):
        found[node["name"]] = sorted(node.get("needs", [last]))
        last = last if node.get("floating") else node["name"]
    return found


def saved(flow: Any) -> Any:
    """What `save_config` writes, as data; the order of `needs` is any with Jina."""
    found = yaml.safe_load(text_of(flow))
    return {**found, "executors": [{**node, "needs": sorted(node.get("needs", []))} for node in found["executors"]]}


def ports_saved(flow: Any) -> Any:
    found = saved(flow)["with"]["port"]
    return found if isinstance(found, list) else [found]


def arrows(flow: Any) -> Any:
    """Of the drawing, in any order, as names."""
    text = drawing(flow.build(copy_flow=True))
    names = {"n0": "gatewaystart", **{place: name for place, name in re.findall(r'(\bn\d+)[\[(]+"(\w+)', text) if place != "n0"}}
    found = re.findall(r"^\s*(\w+)\S*\s+-[.-]+>(?:\|.*?\|)?\s+(\w+)", text, re.MULTILINE)
    return sorted([names.get(each, each).replace("gatewayend", "gateway") for each in pair] for pair in found)


def drawing(flow: Any) -> str:
    """As Mermaid text. Jina's `plot` would send it away."""
    if hasattr(flow, "_mermaid_str"):
        return flow._mermaid_str
    with tempfile.TemporaryDirectory() as folder:
        flow.plot(f"{folder}/flow.mmd")
        return Path(folder, "flow.mmd").read_text()


OF_JINA = (FlowTopologyError, FlowBuildLevelError, PortAlreadyUsed, BadYAMLVersion)
PUBLIC = (*OF_JINA, FileNotFoundError, KeyError, IndexError, TypeError, ValueError, AttributeError)


def raised(function: Callable[[], Any]) -> str:
    """The class that users may name in `except`, or of what came without an error."""
    try:
        return "gave " + type(function()).__name__
    except BaseException as error:
        return next((each.__name__ for each in PUBLIC if isinstance(error, each)), type(error).__name__)


def without_ports(value: Any) -> Any:
    """Ports that were free, or that Jina picked at random, by one word."""
    if isinstance(value, dict):
        return {name: without_ports(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_ports(each) for each in value]
    return "PORT" if isinstance(value, int) and value > 9999 else value


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
    missing = [raised(lambda: flow["nobody"]), raised(lambda: flow[7]), raised(lambda: flow[1.5])]
    return [before, [name for name, _ in flow], flow["a"].name, flow[1].name, flow["gateway"].name, missing]


def counts() -> Any:
    flow = Flow().add(name="a").add(name="b")
    before = flow.num_deployments
    flow.build()
    return [before, flow.num_deployments]


def attributes_set() -> Any:
    flow, port = Flow().add(name="a"), free_port()
    flow.protocol, flow.port, flow.workspace, flow.env = "http", port, "/tmp/here", {"A": "b"}
    return [str(flow.protocol).upper(), flow.port == port, flow.workspace, flow.env]


def gateway_configured() -> Any:
    flow, port = Flow().add(name="a"), free_port()
    other = flow.config_gateway(protocol="http", port=port, title="T")
    return [other is flow, other.port == port, str(other.protocol).upper(), saved(other)["gateway"]["title"]]


def defaults_for_all() -> Any:
    flow = Flow(timeout_ready=7000, prefetch=5, name="f").add(name="a").add(name="b", timeout_ready=8000)
    return [[node.get("timeout_ready") for node in saved(flow)["executors"]], saved(flow)["with"]["name"]]


def unknown_keyword() -> Any:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        outcome = raised(lambda: Flow(replicaz=2).add(name="a", uzes="x").build())
    return [outcome, any(warning.category is UserWarning for warning in told)]


def asynchronous() -> Any:
    flow = Flow(asyncio=True).add(name="a")
    return [isinstance(flow, Flow), asyncio.iscoroutinefunction(flow.is_flow_ready), type(flow.client).__name__]


def of_every_kind() -> Any:
    flow = Flow(port=free_port()).config_gateway(title="T", cors=True)
    flow = flow.add(name="a", uses="Step", uses_with={"mark": "x"}, uses_metas={"name": "m"}, uses_requests={"/r": "run"})
    flow = flow.add(name="b", external=True, host="somewhere.example", port=[1234], tls=True, grpc_metadata={"k": "v"}, needs=["gateway"])
    return flow.add(name="c", needs=["a", "b"], no_reduce=True, timeout_send=500)


def read_back() -> Any:
    found = {}
    for name in DRAWN:
        flow = built(name, port=free_port(), protocol="http")
        again = Flow.load_config(text_of(flow))
        found[name] = [edges(again) == edges(flow), ports_saved(again) == ports_saved(flow), str(again.protocol).upper()]
    return found


def loaded() -> Any:
    flow = Flow.load_config(YAML.replace("PORTS", f"{free_port()}, {free_port()}"))
    return [edges(flow), flow.port, protocols(flow), [node.get("timeout_ready") for node in saved(flow)["executors"]]]


def protocols(flow: Any) -> Any:
    return [str(each).upper() for each in flow.protocol]


def loaded_with_context() -> Any:
    text = "jtype: Flow\nexecutors:\n  - {name: '${{ CONTEXT.n }}', timeout_ready: '${{ CONTEXT.t }}'}\n"
    flow = Flow.load_config(text, context={"n": "x", "t": 7000})
    return [edges(flow), saved(flow)["executors"][0]["timeout_ready"]]


def loaded_with_deployment_files() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "d.yml").write_text("jtype: Deployment\nwith: {name: from_file, uses: Step}\n")
        (Path(folder) / "flow.yml").write_text("jtype: Flow\nexecutors:\n  - d.yml\n  - {jtype: Deployment, with: {name: inside}}\n")
        return [name for name, _ in Flow.load_config(f"{folder}/flow.yml")]


# --- cases -----------------------------------------------------------------------------------------------------------------------------

DRAWN = ("chain", "diamond", "floating", "conditions")
YAML = """jtype: Flow
version: '1'
with: {protocol: [grpc, http], port: [PORTS], timeout_ready: 7000}
gateway: {title: T}
executors:
  - {name: a, uses: Step, uses_with: {mark: x}}
  - {name: f, floating: true}
  - {name: b, needs: a, timeout_ready: 8000}
  - name: gateway
  - {name: join, needs: [a, b]}
jcloud: {version: 1}
"""
YAML_ANYWHERE = YAML.replace(", port: [PORTS]", "")
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
    "needs() of one": lambda: raised(lambda: Flow().add(name="a").needs(["a"])),
    "needs_all()": lambda: edges(two_beside().add(name="c", needs="gateway").add(name="d", needs="a").needs_all(name="all").add(name="e")),
    "needs_all() where one hangs": lambda: edges(Flow().add(name="a").add(name="b").needs_all()),
    "floating does not move the end": lambda: edges(Flow().add(name="a").add(name="f", floating=True).add(name="b")),
    "needs_all() leaves floating alone": lambda: edges(Flow().add(name="a").add(name="f", floating=True).add(name="b").needs_all()),
    "inspect()": lambda: edges(Flow().add(name="a").inspect(name="i").add(name="b")),
    "external join without reduce": lambda: raised(lambda: two_beside().add(needs=["a", "b"], external=True, no_reduce=True)),
    "a Deployment": lambda: raised(lambda: Flow().add(Deployment(name="given", uses=Step)).build()),
    # copies and levels
    "copies": copies,
    "add after build": lambda: raised(lambda: Flow().add(name="a").build().add(name="b")),
    "build again": lambda: raised(lambda: Flow().add(name="a").build().build()),
    "block before start": lambda: raised(lambda: Flow().add(name="a").block()),
    "called": lambda: [name for name, _ in Flow().add(name="a")()],
    "equal": lambda: [two_beside() == other for other in (two_beside(), Flow().add(name="a"), two_beside().add(name="c"))],
    # attributes
    "len": lambda: raised(lambda: len(Flow().add(name="a"))),
    "counts": counts,
    "items": items,
    "address": lambda: [getattr(Flow(port=free_port()).add(name="a"), name) for name in ("port", "host", "monitoring", "port_monitoring")],
    "addresses": lambda: Flow(port=[free_port(), free_port()], protocol=["http", "grpc"]).add(name="a").port,
    "protocols": lambda: protocols(Flow(protocol=["http", "grpc"])),
    "protocol in capitals": lambda: str(Flow(protocol="WebSocket").protocol).upper(),
    "unknown protocol": lambda: raised(lambda: Flow(protocol="carrier-pigeon")),
    "two protocols, one port": lambda: raised(lambda: Flow(port=free_port(), protocol=["http", "grpc"]).add(name="a").build()),
    "three protocols, two ports": lambda: raised(lambda: Flow(port=[1, 2], protocol=["http", "grpc", "websocket"]).add(name="a").build()),
    "attributes set": attributes_set,
    "config_gateway()": gateway_configured,
    "defaults for all": defaults_for_all,
    "unknown keyword": unknown_keyword,
    "client": lambda: type(Flow(port=free_port(), protocol="http").add(name="a").client).__name__,
    "asynchronous": asynchronous,
    # drawing and YAML
    "arrows": lambda: {name: arrows(built(name)) for name in DRAWN},
    "drawing": lambda: drawing(built("diamond").build()).splitlines(),
    "saved": lambda: {name: saved(built(name, port=free_port(), protocol="http")) for name in (*DRAWN, "one")},
    "saved options": lambda: saved(
        Flow(port=[free_port(), free_port()], protocol=["http", "grpc"], prefetch=7, name="f", env={"A": "b"}).add(name="a")
    ),
    "saved nodes": lambda: saved(of_every_kind()),
    "read back": read_back,
    "loaded": loaded,
    "loaded by the older key": lambda: edges(Flow.load_config(YAML_ANYWHERE.replace("executors:", "deployments:"))),
    "loaded without a version": lambda: edges(Flow.load_config(YAML_ANYWHERE.replace("version: '1'\n", ""))),
    "loaded as 1.5": lambda: raised(lambda: Flow.load_config(YAML_ANYWHERE.replace("'1'", "'1.5'"))),
    "loaded as 2": lambda: raised(lambda: Flow.load_config(YAML_ANYWHERE.replace("'1'", "'2'"))),
    "loaded by method": lambda: edges(Flow.load_config(BY_METHOD)),
    "loaded with unknown keys": lambda: raised(lambda: Flow.load_config("jtype: Flow\nwiht: {}\nexecutors: [{name: a, usess: Step}]\n")),
    "loaded without nodes": lambda: raised(lambda: Flow.load_config("jtype: Flow\n")),
    "loaded from nothing": lambda: raised(lambda: Flow.load_config("")),
    "loaded from nowhere": lambda: raised(lambda: Flow.load_config("nowhere.yml")),
    "loaded with a context": loaded_with_context,
    "loaded with files of Deployments": loaded_with_deployment_files,
}


def outcome(function: Callable[[], Any]) -> Any:
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return without_ports(function())
    except BaseException as error:
        return {"raised": type(error).__name__, "text": str(error)[:400]}


def main() -> None:
    print("\n" + json.dumps({name: outcome(CASES[name]) for name in sys.argv[1:] or CASES}, default=str), flush=True)


if __name__ == "__main__":
    main()
