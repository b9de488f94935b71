"""Deployment YAML in both directions."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from jina.deployment import Deployment
from jina.errors import BadConfigSource, BadYAMLVersion, ConfigError
from jina.options import DeploymentOptions
from jina.yaml import deployment_yaml, load_deployment, read_deployment, save_deployment

YAML = """
jtype: Deployment
version: '1'
with:
  uses: BaseExecutor
  name: search
  port: [12345, 12346]
  protocol: [grpc, http]
  uses_with: {a: "${{ ENV.PORT_NAME }}", b: "${{root.with.name}}"}
jcloud: {resources: {instance: C4}}
needs: [a]
"""


def test_deployment_yaml_becomes_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """`with` holds the arguments, variables are replaced, jcloud is ignored."""
    monkeypatch.setenv("PORT_NAME", "p")

    options = DeploymentOptions.from_kwargs(**read_deployment(YAML))

    assert options.name == "search"
    assert options.port == (12345, 12346)
    assert [str(each) for each in options.protocol] == ["GRPC", "HTTP"]
    assert options.uses_with == {"a": "p", "b": "search"}


def test_files_are_looked_for_beside_the_yaml(tmp_path: Path) -> None:
    """A relative `uses` is found from the Deployment's own file."""
    (tmp_path / "dep.yml").write_text("jtype: Deployment\nwith: {uses: executor1/config.yml}\n")

    assert str(tmp_path) in read_deployment(str(tmp_path / "dep.yml"))["extra_search_paths"]


def test_uses_with_goes_over_the_arguments() -> None:
    """load_config's `uses_with` overrides what stands under `with`."""
    assert read_deployment(YAML, uses_with={"name": "other"})["name"] == "other"


@pytest.mark.parametrize(
    ("text", "error", "word"),
    [
        ("jtype: Deployment", ConfigError, "needs a mapping 'with'"),
        ("jtype: Flow\nwith: {}", BadConfigSource, "describes a Flow, not a Deployment; load it with Flow.load_config"),
        ("jtype: Deploymnt\nwith: {}", BadConfigSource, "did you mean 'Deployment'"),
        ("jtype: MyExec\nwith: {}", BadConfigSource, "jina executor"),
        ("jtype: Deployment\nversion: '2'\nwith: {}", BadYAMLVersion, "version: '1'"),
    ],
)
def test_other_configurations_are_refused(text: str, error: type[BaseException], word: str) -> None:
    """What is no Deployment of version 1 says what it is."""
    with pytest.raises(error, match=word):
        read_deployment(text)


def test_unknown_keys_and_old_versions_warn() -> None:
    """An argument beside `with` is a likely mistake."""
    with pytest.warns(UserWarning, match="port.*belong under 'with'"):
        read_deployment("jtype: Deployment\nport: 3\nwith: {}")
    with pytest.warns(UserWarning, match=r"'1\.0'|1\.0"):
        read_deployment("jtype: Deployment\nversion: 1.0\nwith: {}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jtype: Deployment\napi_key: k\nwith: {}", "unknown key 'api_key': did you mean 'api_key' under 'with'?"),
        ("jtype: Deployment\nwith: {api_keyy: k}", "unknown argument 'api_keyy': did you mean 'api_key'?"),
    ],
)
def test_what_may_be_meant_to_protect_is_not_ignored(text: str, words: str) -> None:
    """Misspelt, or beside `with`."""
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_deployment(text)


def test_round_trip(tmp_path: Path) -> None:
    """What save_config writes, load_config reads as the same Deployment; the file is its owner's."""
    first = Deployment(name="x", port=[1024, 1025], protocol=["grpc", "http"], uses_with={"a": [1]}, api_key="k", max_body_bytes=None)
    path = save_deployment(first, str(tmp_path / "d.yml"))

    second = load_deployment(path)

    assert second.options.to_dict() == {**first.options.to_dict(), "extra_search_paths": [str(tmp_path)]}
    assert second.options.max_body_bytes is None
    second.save_config()
    assert load_deployment(path).options.name == "x"
    assert stat.S_IMODE((tmp_path / "d.yml").stat().st_mode) == 0o600


def test_a_callable_cannot_be_written() -> None:
    """A key check of this process has no YAML."""
    with pytest.raises(ConfigError, match="api_key"):
        deployment_yaml(DeploymentOptions(api_key=lambda headers: True))


def test_a_nameless_file_is_told(tmp_path: Path) -> None:
    """Without a file name the configuration goes to a temporary file that a warning names."""
    with pytest.warns(UserWarning, match="no file name"):
        Path(save_deployment(Deployment(name="x"))).unlink()
