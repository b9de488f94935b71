"""The command line: dispatch, help, flags, projects, versions."""

from __future__ import annotations

import argparse
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import jina
from jina.cli import main
from jina.cli.commands import COMMANDS, NOT_YET
from jina.cli.flags import make_parser, parse
from jina.docs import DocList
from jina.options import DeploymentOptions, arguments_of


class FakeDeployment:
    """Stands for `jina.deployment.Deployment`: keeps what it was given."""

    given: dict[str, Any]
    events: list[str]

    def __init__(self, **kwargs: Any) -> None:
        type(self).given = kwargs
        type(self).events = []
        self.options = DeploymentOptions.from_kwargs(**kwargs)

    def __enter__(self) -> FakeDeployment:
        self.events.append("start")
        return self

    def __exit__(self, *_: object) -> None:
        self.events.append("close")

    def block(self) -> None:
        self.events.append("block")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> type[FakeDeployment]:
    """What the command would have started; signals and paths stay as they are."""
    monkeypatch.setattr("jina.deployment.Deployment", FakeDeployment)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("JINA_DEFAULT_HOST", raising=False)
    return FakeDeployment


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("commands", "completions")])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help prints something a person can read and exits with 0."""
    assert main([command, "--help"]) == 0
    assert "usage:" in capsys.readouterr().out


def test_serving_help_shows_every_public_argument(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags come from the table; hidden ones show only on demand."""
    monkeypatch.delenv("JINA_FULL_CLI", raising=False)
    main(["deployment", "--help"])
    shown = capsys.readouterr().out
    for argument in arguments_of(DeploymentOptions).values():
        is_shown = re.search(rf"^ +{argument.flag}[ ,\n]", shown, re.MULTILINE) is not None
        assert is_shown != argument.hidden, argument.name

    monkeypatch.setenv("JINA_FULL_CLI", "1")
    main(["executor", "--help"])
    assert "--runtime-cls" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_overview_lists_the_commands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`jina` alone tells what it can do."""
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"  {name} " not in shown] == []


def test_versions(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """-v prints the version alone, -vf what surrounds it but for secrets."""
    monkeypatch.setenv("JINA_AUTH_TOKEN", "hunter2")
    assert main(["-v"]) == 0
    assert capsys.readouterr().out == jina.__version__ + "\n"
    assert main(["-vf"]) == 0
    shown = capsys.readouterr().out
    assert f"- jina {jina.__version__}" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("name", NOT_YET)
def test_what_is_not_there_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One clear sentence and exit code 1."""
    assert main([name, "anything", "--flag"]) == 1
    assert capsys.readouterr().err == f"jina {name}: {NOT_YET[name]}\n"


def test_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake is not a traceback."""
    assert main(["deploymant"]) == 2
    assert "did you mean `jina deployment`?" in capsys.readouterr().err


def test_unknown_command_runs_a_program_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`jina foo a b` runs `jina-foo a b` and gives its exit code."""
    program = tmp_path / "jina-foo"
    program.write_text('#!/bin/sh\n[ "$1" = "a b" ] && exit 7\nexit 8\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert main(["foo", "a b"]) == 7


def _flags(words: list[str]) -> dict[str, Any]:
    return parse(make_parser("deployment", "", DeploymentOptions), DeploymentOptions, words)


def test_flags_mean_the_same_as_keywords() -> None:
    """Words of a command line and keyword arguments give equal options."""
    words = ["--name", "x", "--port", "5000", "5001", "--protocol", "grpc", "http", "--uses-with", "a=1", "--cors"]
    words += ["--timeout-ready", "-1", "--uses-with", '{"b": [2]}']
    by_flags = DeploymentOptions.from_kwargs(**_flags(words))
    by_name = DeploymentOptions.from_kwargs(
        name="x", port=[5000, 5001], protocol=["grpc", "http"], uses_with={"a": 1, "b": [2]}, cors=True, timeout_ready=-1
    )
    assert by_flags == by_name


def test_every_argument_is_a_flag_that_reads_its_default() -> None:
    """No argument is forgotten, no two flags collide."""
    assert _flags([]) == {}
    parser = make_parser("deployment", "", DeploymentOptions)
    flags = {flag for action in parser._actions for flag in action.option_strings}
    assert {argument.flag for argument in arguments_of(DeploymentOptions).values()} <= flags
    assert isinstance(parser, argparse.ArgumentParser)


def test_unknown_flags_are_ignored_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """As in Jina they warn only."""
    assert _flags(["--replcas", "3", "--name", "x"]) == {"name": "x"}
    assert "--replcas (did you mean --replicas?)" in capsys.readouterr().err
    assert _flags(["--prot", "http"]) == {}
    assert "--prot (did you mean --protocol?)" in capsys.readouterr().err
    assert _flags(["config.yml"]) == {}
    assert "config.yml (did you mean --uses config.yml?)" in capsys.readouterr().err


def test_executor_listens_everywhere(served: type[FakeDeployment]) -> None:
    """The entry point of containers opens its port; --native and --host are understood."""
    assert main(["executor", "--uses", "BaseExecutor", "--native", "--port", "0"]) == 0
    assert served.given["host"] == "0.0.0.0"
    assert served.events == ["start", "block", "close"]

    assert main(["executor", "--host", "127.0.0.1"]) == 0
    assert served.given["host"] == ["127.0.0.1"]


def test_deployment_reads_its_yaml_and_flags_go_over_it(served: type[FakeDeployment], tmp_path: Path) -> None:
    """A Deployment's YAML gives the arguments; flags win; files are found beside it."""
    path = tmp_path / "dep.yml"
    path.write_text("jtype: Deployment\nwith: {uses: BaseExecutor, name: from_yaml, port: 5000}\n")

    assert main(["deployment", "--uses", str(path), "--port", "6000"]) == 0

    assert served.given["name"] == "from_yaml"
    assert served.given["port"] == ["6000"]
    assert str(tmp_path) in served.given["extra_search_paths"]
    assert "host" not in served.given


def test_deployment_takes_an_executors_yaml_too(served: type[FakeDeployment]) -> None:
    """What is not a Deployment's YAML is what to serve."""
    assert main(["deployment", "--uses", "!BaseExecutor"]) == 0
    assert served.given == {"uses": "!BaseExecutor"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["deployment"], "--uses is missing"),
        (["deployment", "--uses", "missing.yml"], "'missing.yml' does not exist"),
        (["deployment", "--uses", "BaseExecutor", "--replicas", "3"], "replicas=3 is not supported yet"),
        (["executor", "--provider", "sagemaker"], "provider=SAGEMAKER is not supported yet"),
        (["executor", "--port", "http"], "port: expected a whole number, got 'http'"),
        (["executor", "--stateful"], "RAFT"),
        (["executor", "--api-keyy", "secret"], "unknown argument --api-keyy: did you mean --api-key?"),
        (["deployment", "--uses", "BaseExecutor", "--ssl-cert=a.pem"], "unknown argument --ssl-cert: did you mean --ssl-certfile?"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(
    served: type[FakeDeployment], words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback for what the user can mend."""
    assert main(words) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a real Deployment: which port, and what to do."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["deployment", "--uses", "BaseExecutor", "--host", "127.0.0.1", "--port", str(port)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"jina deployment: port {port} on host '127.0.0.1' cannot be used: ")


def test_ctrl_c_while_a_service_starts_is_one_line(
    served: type[FakeDeployment], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the exit code of an interrupted program."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(served, "__enter__", interrupt)
    assert main(["deployment", "--uses", "BaseExecutor"]) == 130
    assert capsys.readouterr().err == "jina deployment: interrupted before it was ready\n"


def test_new_makes_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The files of Jina's template, and what to do next; an existing directory is left alone."""
    target = tmp_path / "project"

    assert main(["new", str(target)]) == 0

    found = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert found == {"deployment.yml", "client.py", "executor1/executor.py", "executor1/config.yml", "executor1/requirements.txt"}
    described = yaml.safe_load((target / "deployment.yml").read_text())
    assert described["jtype"] == "Deployment"
    assert all(port < 32768 for port in described["with"]["port"]), "within the ephemeral range"
    assert "jina deployment --uses deployment.yml" in capsys.readouterr().out
    for name in ("client.py", "executor1/executor.py"):
        compile((target / name).read_text(), name, "exec")

    assert main(["new", str(target)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_new_flow_can_be_loaded(tmp_path: Path) -> None:
    """Its one executor is found beside it."""
    from jina import Flow

    assert main(["new", str(tmp_path / "p"), "--type", "flow"]) == 0
    (node,) = Flow.load_config(str(tmp_path / "p" / "flow.yml"))._plan().own_nodes
    sys.modules.pop("executor", None)
    assert (node.name, node.executor.__name__) == ("executor1", "MyExecutor")


@pytest.mark.parametrize(("name", "begins"), [("f.svg", "<svg "), ("f.mmd", "flowchart TB\n")])
def test_export_draws_a_flow(name: str, begins: str, tmp_path: Path) -> None:
    """As a picture or as text, by the file's name."""
    (tmp_path / "flow.yml").write_text("jtype: Flow\nexecutors: [{name: a}, {name: b}]\n")
    assert main(["export", "flowchart", str(tmp_path / "flow.yml"), str(tmp_path / name), "--vertical-layout"]) == 0
    assert (tmp_path / name).read_text().startswith(begins)


def test_export_says_why_it_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And gives 1."""
    assert main(["export", "flowchart", str(tmp_path / "none.yml"), str(tmp_path / "x.svg")]) == 1
    assert "none.yml" in capsys.readouterr().err


def test_new_project_can_be_loaded(tmp_path: Path) -> None:
    """The Deployment's YAML names an Executor that resolves."""
    from jina.yaml import read_deployment, resolve_uses

    assert main(["new", str(tmp_path / "p")]) == 0
    options = DeploymentOptions.from_kwargs(**read_deployment(str(tmp_path / "p" / "deployment.yml")))
    cls, config = resolve_uses(options)
    assert cls.__name__ == "MyExecutor"
    assert config["uses_metas"]["name"] == "MyExecutor"
    document: Any = cls().requests["/hello"].input
    assert cls().hello(docs=DocList([document(text="world")])).text == ["hello, world!"]
    with pytest.raises(ValueError, match="text"):
        document(txt="world")
    sys.modules.pop("executor", None)


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("replicas", 0, "number of equal copies"),
        ("replicas", 0, "only the default is supported in this release"),
        ("polling", 0, "without effect in this release"),
        ("--port-expose", 0, "port (Deployment"),
        ("protocol", 0, "default: grpc\n"),
        ("uses_with", 0, "default: none\n"),
        ("ping", 0, "ask a running service"),
        ("flow", 0, "serve the pipeline"),
        ("gateway", 0, "later release"),
    ],
)
def test_help_explains_arguments_and_commands(query: str, code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`jina help QUERY` knows both, by any accepted name."""
    assert main(["help", query]) == code
    assert text in capsys.readouterr().out


def test_help_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown word gets suggestions."""
    assert main(["help", "timeout-redy"]) == 1
    assert "'timeout_ready'" in capsys.readouterr().err


def test_completion_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Shells get commands, then flags that are not there yet."""
    assert main(["commands"]) == 0
    assert capsys.readouterr().out.split() == list(COMMANDS)
    assert main(["completions", "de"]) == 0
    assert capsys.readouterr().out.split() == ["deployment"]
    assert main(["completions", "deployment", "--name"]) == 0
    flags = capsys.readouterr().out.split()
    assert "--port" in flags
    assert "--name" not in flags


def test_the_module_runs_as_a_program() -> None:
    """`python -m jina` is `jina`, and neither `-v` nor `ping` imports anything heavy."""
    code = (
        "import sys, jina.cli\n"
        "code = jina.cli.main(['ping', 'executor', '127.0.0.1:1'])\n"
        "print(code, [m for m in ('pydantic', 'numpy', 'asyncio', 'msgspec', 'yaml', 'logging') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("1 []\n")

    done = subprocess.run([sys.executable, "-m", "jina", "-v"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == jina.__version__


def test_old_parsers_give_full_namespaces() -> None:
    """`jina.parsers` gives every argument, typed; a Deployment takes the namespace."""
    from jina.parsers import set_client_cli_parser, set_deployment_parser, set_pod_parser

    args = set_deployment_parser().parse_args(["--name", "x", "--port", "5000"])
    assert (args.name, args.port, args.replicas, args.host) == ("x", (5000,), 1, ("127.0.0.1",))
    assert DeploymentOptions.from_kwargs(**vars(args)) == DeploymentOptions(name="x", port=(5000,))
    assert set_pod_parser().parse_known_args(["--what"])[1] == ["--what"]
    assert set_client_cli_parser().parse_args(["--host", "http://h:1"]).port == 1


def test_help_sets_apart_what_later_releases_bring(capsys: pytest.CaptureFixture[str]) -> None:
    """Options without effect stand in a group of their own, at the end."""
    main(["deployment", "--help"])

    now, _, later = capsys.readouterr().out.partition("later releases")
    assert "--max-body-bytes" in now
    assert "--polling" not in now.partition("options:")[2]
    assert "--polling" in later
    assert "--replicas" in later


def test_help_of_ping_lists_deployments(capsys: pytest.CaptureFixture[str]) -> None:
    """What can be pinged stands in the help."""
    main(["ping", "--help"])

    assert "executor, deployment, gateway or flow" in " ".join(capsys.readouterr().out.split())
