"""What `uses` may be, and Executor YAML in both directions."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from jina import Deployment
from jina.errors import BadConfigSource, ConfigError
from jina.executor import BaseExecutor, Executor, requests
from jina.options import DeploymentOptions
from jina.yaml import load_executor, read_uses, resolve_uses, save_executor


class YamlEcho(Executor):
    """An Executor with something to configure."""

    def __init__(self, greeting: str = "hello", times: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.greeting, self.times = greeting, times

    @requests(on="/echo")
    def echo(self, **kwargs: Any) -> None:
        """Do nothing."""


YAML = """
jtype: YamlEcho
with: {greeting: hi, times: '2'}
metas: {name: echo, workspace: w}
requests: {[/a, /b]: echo}
dynamic_batching:
  /a: {preferred_batch_size: 10, timeout: 200}
"""

EXPECTED = {
    "uses_with": {"greeting": "hi", "times": 2},
    "uses_metas": {"name": "echo", "workspace": "w"},
    "uses_requests": {"/a": "echo", "/b": "echo"},
    "uses_dynamic_batching": {"/a": {"preferred_batch_size": 10, "timeout": 200}},
}


@pytest.fixture
def module_file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A Python file with an Executor, whose module name no other test uses."""
    name = f"mod_{abs(hash(request.node.name))}"
    folder = tmp_path / "exec"
    folder.mkdir()
    (folder / f"{name}_sibling.py").write_text("VALUE = 7\n")
    (folder / f"{name}.py").write_text(
        f"from jina import Executor, requests\nfrom {name}_sibling import VALUE\n\n\n"
        "class FromFile(Executor):\n    value = VALUE\n\n    @requests\n    def foo(self, **kwargs):\n        pass\n"
    )
    (folder / "config.yml").write_text(f"jtype: FromFile\nmetas:\n  py_modules: [{name}.py]\n")
    return folder / f"{name}.py"


@pytest.mark.parametrize(
    "uses",
    [
        YAML,
        YAML.replace("jtype: YamlEcho", "!YamlEcho"),
        io.StringIO(YAML),
        {
            "jtype": "YamlEcho",
            "with": {"greeting": "hi", "times": "2"},
            "metas": {"name": "echo", "workspace": "w"},
            "requests": {("/a", "/b"): "echo"},
            "dynamic_batching": {"/a": {"preferred_batch_size": 10, "timeout": 200}},
        },
    ],
    ids=["jtype", "tag", "stream", "dict"],
)
def test_all_forms_of_a_configuration_mean_the_same(uses: Any) -> None:
    """YAML text, a tag, a stream and a dict give the same class and arguments."""
    assert resolve_uses(uses) == (YamlEcho, EXPECTED)


@pytest.mark.parametrize("uses", [YamlEcho, "YamlEcho", f"{__name__}.YamlEcho", "!YamlEcho", json.dumps({"jtype": "YamlEcho"})])
def test_a_class_by_itself_or_by_name(uses: Any) -> None:
    """The class, its name, its full name: no configuration, the same class."""
    cls, config = resolve_uses(uses)

    assert cls is YamlEcho
    assert not any(config.values())


def test_inline_short_form() -> None:
    """`!Name | {...}` is short for `with`."""
    assert resolve_uses("!YamlEcho | {greeting: 'a|b'}")[1]["uses_with"] == {"greeting": "a|b"}
    assert resolve_uses("jtype: YamlEcho | {times: 3}")[1]["uses_with"] == {"times": 3}


@pytest.mark.parametrize("uses", ["BaseExecutor", "Executor", None])
def test_the_base_executor(uses: Any) -> None:
    """Nothing given is the Executor that does nothing."""
    assert resolve_uses(uses)[0] is BaseExecutor


@pytest.mark.filterwarnings("ignore:accepted, but without effect")
def test_arguments_go_over_the_file() -> None:
    """`uses_with` and its relatives win, key by key; batching setting by setting."""
    options = DeploymentOptions.from_kwargs(
        uses=YAML,
        uses_with={"times": 9},
        uses_metas={"name": "other"},
        uses_requests={"/c": "echo"},
        uses_dynamic_batching={"/a": {"timeout": 5}},
    )

    _, config = resolve_uses(options)

    assert config["uses_with"] == {"greeting": "hi", "times": 9}
    assert config["uses_metas"] == {"name": "other", "workspace": "w"}
    assert config["uses_requests"] == {"/a": "echo", "/b": "echo", "/c": "echo"}
    assert config["uses_dynamic_batching"] == {"/a": {"preferred_batch_size": 10, "timeout": 5}}


def test_reading_imports_nothing(module_file: Path) -> None:
    """A file's Executor is imported when it is loaded, with its siblings, and no earlier."""
    source = read_uses(str(module_file.parent / "config.yml"))
    assert module_file.stem not in sys.modules

    cls = source.load()

    assert cls.__name__ == "FromFile"
    assert vars(cls)["value"] == 7
    assert source.load() is cls


def test_yaml_is_found_beside_the_calling_code_and_in_search_paths(module_file: Path) -> None:
    """A relative path is looked for in the search paths."""
    cls, _ = resolve_uses("config.yml", extra_search_paths=[str(module_file.parent)])
    assert cls.__name__ == "FromFile"


def test_py_modules_argument_brings_the_class(module_file: Path) -> None:
    """`uses` names the class and `py_modules` the file that has it."""
    assert resolve_uses("FromFile", py_modules=str(module_file))[0].__module__ == module_file.stem


@pytest.mark.parametrize(
    ("uses", "word"),
    [
        ("nowhere.yml", "does not exist"),
        ("YamlEcha", "did you mean 'YamlEcho'"),
        ("", "no configuration"),
        (3, "no configuration"),
        (YamlEcho(), r"YamlEcho, not YamlEcho\(\)"),
        ("executor.py", "a Python file; name the class in it"),
        ("not a { config", "cannot be read"),
        ("[1, 2]", "must hold a mapping"),
        ({"with": {}}, "no 'jtype'"),
        ("jtype: Flow\nexecutors: []", "describes a Flow"),
        ("no_such_module.Thing", "neither a file nor a module"),
        ("jtype: YamlEcho\npy_modules: missing.py", "'missing.py' does not exist"),
    ],
)
def test_what_cannot_be_resolved_says_why(uses: Any, word: str) -> None:
    """Every failure is a BadConfigSource, which is a FileNotFoundError, and tells what to do."""
    with pytest.raises(BadConfigSource, match=word):
        resolve_uses(uses)


def test_sections_must_be_mappings() -> None:
    """A list where a mapping belongs names the section."""
    with pytest.raises(ConfigError, match="'with' must be a mapping"):
        resolve_uses("jtype: YamlEcho\nwith: [1]")


def test_errors_of_the_users_module_pass_through(tmp_path: Path) -> None:
    """What a module raises when it is imported is shown as it is, and the module does not stay half loaded."""
    (tmp_path / "breaks_on_import.py").write_text("1 / 0\n")

    with pytest.raises(ZeroDivisionError):
        resolve_uses("X", py_modules=str(tmp_path / "breaks_on_import.py"))
    assert "breaks_on_import" not in sys.modules


def test_executor_round_trip(tmp_path: Path) -> None:
    """save_config writes what load_config reads."""
    path = str(tmp_path / "e.yml")
    executor = load_executor(YAML, uses_with={"greeting": "hey"})
    assert (executor.greeting, executor.times, executor.metas.name) == ("hey", 2, "echo")

    save_executor(executor, path)
    again: Any = Executor.load_config(path)

    assert (again.greeting, again.times, again.metas.name) == ("hey", 2, "echo")
    assert again.dynamic_batching == executor.dynamic_batching
    assert set(again.requests) == set(executor.requests)
    assert YamlEcho.load_config(path).greeting == "hey"


def test_load_config_of_another_class_is_refused() -> None:
    """A subclass loads its own configurations only."""

    class Unrelated(Executor):
        pass

    with pytest.raises(BadConfigSource, match="not a 'Unrelated'"):
        Unrelated.load_config(YAML)


def test_context_fills_the_configuration() -> None:
    """`context` values are replaced, and substitution can be turned off."""
    text = "jtype: YamlEcho\nwith: {greeting: '${{ who }}'}"
    assert resolve_uses(text, context={"who": "you"})[1]["uses_with"] == {"greeting": "you"}
    assert resolve_uses(text, context={"who": "you"}, substitute=False)[1]["uses_with"] == {"greeting": "${{ who }}"}


def test_a_class_that_is_no_executor_is_refused_with_what_to_write() -> None:
    """Before any process is started."""

    class Plain:
        pass

    with pytest.raises(ConfigError, match=r"Plain is not an Executor: write `class Plain\(Executor\)`"):
        Deployment(uses=Plain).start()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Flow", "describes a Flow, not an Executor; load it with Flow.load_config, or `jina flow --uses`"),
        ("Deployment", "describes a Deployment, not an Executor; start it with `jina deployment --uses`"),
        ("Deploymnt", "there is no Executor class 'Deploymnt'; did you mean 'Deployment'?"),
    ],
)
def test_what_describes_something_else_is_named(kind: str, words: str) -> None:
    """A misspelt kind is read as the name of a class."""
    with pytest.raises(BadConfigSource, match=re.escape(words)):
        resolve_uses({"jtype": kind, "with": {}})
