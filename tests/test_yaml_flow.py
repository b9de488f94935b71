"""Flow YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from jina import Executor, Flow
from jina.errors import BadConfigSource, BadYAMLVersion, ConfigError, NotSupportedError
from jina.yaml.flow import flow_yaml

DIAMOND = """
jtype: Flow
version: '1'
with: {port: [0, 0], protocol: [grpc, http], timeout_send: 5000, env: {A: b}}
gateway: {title: Mine, cors: true}
executors:
  - name: a
    uses: FlowEcho
    uses_with: {n: 3}
  - {name: b, uses: FlowEcho, needs: a}
  - {name: c, uses: FlowEcho, needs: [a], timeout_send: 100}
  - {name: log, floating: true, needs: a}
  - {method: needs, name: d, needs: [b, c]}
"""


class FlowEcho(Executor):
    """Found by its name."""

    def __init__(self, n: int = 1, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.n = n


def in_python() -> Flow:
    return (
        Flow(port=[0, 0], protocol=["grpc", "http"], timeout_send=5000, env={"A": "b"}, title="Mine", cors=True)
        .add(name="a", uses=FlowEcho, uses_with={"n": 3})
        .add(name="b", uses=FlowEcho, needs="a")
        .add(name="c", uses=FlowEcho, needs=["a"], timeout_send=100)
        .add(name="log", floating=True, needs="a")
        .needs(["b", "c"], name="d")
    )


def test_yaml_and_python_give_the_same_plan() -> None:
    """Nodes, edges, gateway, times."""
    assert Flow.load_config(DIAMOND)._plan() == in_python()._plan()


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """And gives the same plan again."""
    file = tmp_path / "flow.yml"
    in_python().save_config(str(file))
    assert Flow.load_config(str(file))._plan() == in_python()._plan()
    assert flow_yaml(Flow.load_config(str(file))) == file.read_text()


def test_an_executor_may_be_the_path_of_a_deployment(tmp_path: Path) -> None:
    """Beside the Flow's own file; or the Deployment itself."""
    (tmp_path / "one.yml").write_text("jtype: Deployment\nneeds: [gateway]\nwith: {name: one, uses: FlowEcho}\n")
    file = tmp_path / "flow.yml"
    file.write_text("jtype: Flow\nexecutors: [one.yml, {jtype: Deployment, needs: [one], with: {name: two}}, {name: gateway}]\n")
    flow = Flow.load_config(str(file))
    assert flow._plan().graph.needs == {"one": ("gateway",), "two": ("one",)}


def test_variables_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment and of the context."""
    monkeypatch.setenv("FLOW_NAME", "mine")
    text = "jtype: Flow\nwith: {name: '${{ ENV.FLOW_NAME }}'}\nexecutors: [{name: '${{ CONTEXT.first }}'}]\n"
    flow = Flow.load_config(text, context={"first": "a"})
    assert (flow.name, flow[0].name) == ("mine", "a")


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("jtype: Deployment\nwith: {}\n", BadConfigSource, "describes 'Deployment', not a Flow"),
        ("jtype: Flwo\n", BadConfigSource, "did you mean 'Flow'"),
        ("jtype: Flow\nversion: '7'\n", BadYAMLVersion, "version 7 is unknown"),
        ("jtype: Flow\nwith: 3\n", ConfigError, "with must be a mapping"),
        ("jtype: Flow\nexecutors: {a: 1}\n", ConfigError, "executors must be a list"),
        ("jtype: Flow\nexecutors: [3]\n", ConfigError, "an executor is a mapping or the path"),
        ("jtype: Flow\nexecutors: [{method: inspect}]\n", NotSupportedError, "'inspect' of an executor comes with a later release"),
        ("jtype: Flow\nexecutors: [{method: ad}]\n", ConfigError, r"method 'ad' \(did you mean 'add'\?\)"),
    ],
)
def test_what_is_no_flow_says_why(text: str, error: type[Exception], match: str) -> None:
    """And what to do."""
    with pytest.raises(error, match=match):
        Flow.load_config(text)


def test_an_unknown_key_brings_a_warning_with_the_nearest_one() -> None:
    """At each level."""
    with pytest.warns(UserWarning, match=r"ignored unknown key\(s\) 'excutors' \(did you mean 'executors'\?\)"):
        Flow.load_config("jtype: Flow\nexcutors: []\n")
    with pytest.warns(UserWarning, match=r"'shardss' \(did you mean"):
        Flow.load_config("jtype: Flow\nexecutors: [{shardss: 3}]\n")


def test_an_inline_deployment_is_read_as_the_flow_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are replaced once, or not at all."""
    monkeypatch.setenv("INNER", "no")
    monkeypatch.setenv("OUTER", "${{ ENV.INNER }}")
    text = "jtype: Flow\nexecutors: [{jtype: Deployment, with: {uses: FlowEcho, workspace: '${{ ENV.OUTER }}'}}]\n"
    assert Flow.load_config(text)[0].options.workspace == "${{ ENV.INNER }}"
    assert Flow.load_config(text, substitute=False)[0].options.workspace == "${{ ENV.OUTER }}"


def test_a_guarded_deployment_in_yaml_is_refused() -> None:
    """Its key would be lost."""
    with pytest.raises(ConfigError, match=r"give api_key to Flow\(...\)"):
        Flow.load_config("jtype: Flow\nexecutors: [{jtype: Deployment, with: {uses: FlowEcho, port: 0, api_key: x}}]\n")
