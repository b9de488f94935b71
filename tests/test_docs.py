"""What the README and the pages under docs/ show works: their Python runs, their commands and options exist, their links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jina.cli.commands import COMMANDS
from jina.options import ClientOptions, DeploymentOptions, FlowOptions

ROOT = Path(__file__).resolve().parent.parent
USER_PAGES = [page for page in sorted(ROOT.glob("docs/*.md")) if "```python" in page.read_text(encoding="utf-8")]
ALL_PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"(<!-- not run: .*? -->\n)?```python\n(.*?)```", re.S)
LIMIT_S = 60


def python_blocks(page: Path) -> list[str]:
    """The Python that a page shows, without blocks that are marked as not to be run."""
    return [code for marked, code in BLOCK.findall(page.read_text(encoding="utf-8")) if not marked]


def run_python(path: Path, *, words: tuple[str, ...] = (), text: str | None = None) -> str:
    """Run a file as a user would (or give `text` to a prompt); gives what it printed."""
    command = [sys.executable, *words, *([str(path)] if text is None else [])]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=LIMIT_S, cwd=path.parent, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def on_any_port(code: str) -> str:
    """The same code, listening on free ports instead of those that a reader types."""
    return code.replace("port=8080", "port=0")


def pipeline_of_readme() -> str:
    """The README's pipeline, which ends instead of waiting for Ctrl-C."""
    code = on_any_port(python_blocks(ROOT / "README.md")[2])
    assert "pipeline.block()" in code
    return code.replace("pipeline.block()", "pass")


def service_of_readme() -> str:
    """The README's service, which calls itself once instead of waiting for Ctrl-C."""
    code = on_any_port(python_blocks(ROOT / "README.md")[0])
    call = 'print(service.post("/shout", DocList[Text]([Text(text="hello")]), return_type=DocList[Text]).text)'
    assert "service.block()" in code
    return code.replace("service.block()", call)


@pytest.mark.process
@pytest.mark.parametrize("page", USER_PAGES, ids=lambda page: page.stem)
def test_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """All blocks of a page, put into one file in their order, run without an error."""
    script = tmp_path / "page.py"
    script.write_text("\n\n".join(python_blocks(page)), encoding="utf-8")

    run_python(script)


@pytest.mark.process
def test_tests_of_the_testing_page_pass(tmp_path: Path) -> None:
    """All of them are found and run, with pytest alone."""
    script = tmp_path / "test_greet.py"
    script.write_text("\n\n".join(python_blocks(ROOT / "docs" / "testing.md")), encoding="utf-8")

    assert "5 passed" in run_python(script, words=("-m", "pytest", "-p", "no:cacheprovider"))


@pytest.mark.process
def test_service_of_the_readme_runs_from_a_file(tmp_path: Path) -> None:
    """The ten lines, pasted into a file, serve."""
    script = tmp_path / "shout.py"
    script.write_text(service_of_readme(), encoding="utf-8")

    assert "['HELLO!']" in run_python(script)


@pytest.mark.process
def test_service_of_the_readme_runs_at_a_prompt(tmp_path: Path) -> None:
    """The same lines, pasted into Python's prompt, serve: the class exists nowhere but there."""
    said = run_python(tmp_path / "none", words=("-q", "-i"), text=service_of_readme())

    assert "['HELLO!']" in said
    assert "Error" not in said


@pytest.mark.process
def test_client_of_the_readme_calls_its_service(tmp_path: Path) -> None:
    """The README's second block calls what the first one serves, from another process."""
    service, client = map(on_any_port, python_blocks(ROOT / "README.md")[:2])
    (tmp_path / "client.py").write_text(client.replace("port=0", "port=int(__import__('sys').argv[1])"), encoding="utf-8")
    call = "subprocess.run([sys.executable, 'client.py', str(service.port)], capture_output=True, text=True)"
    run_client = f"import subprocess, sys; print({call})"
    (tmp_path / "shout.py").write_text(service.replace("service.block()", run_client), encoding="utf-8")

    assert "['HELLO!']" in run_python(tmp_path / "shout.py")


@pytest.mark.process
def test_pipeline_of_the_readme_runs_from_a_file_and_at_a_prompt(tmp_path: Path) -> None:
    """It serves, and calls itself before it waits."""
    script = tmp_path / "pipeline.py"
    script.write_text(pipeline_of_readme(), encoding="utf-8")

    for said in (run_python(script), run_python(tmp_path / "none", words=("-q", "-i"), text=pipeline_of_readme())):
        assert "['HELLO!', 'THERE!']" in said
        assert "Error" not in said


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the repository."""
    prose = re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.S)
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_commands_that_pages_show_exist() -> None:
    """A command line `jina something` in the docs is one that `jina` has."""
    shown = {word for page in ALL_PAGES for word in re.findall(r"`jina ([a-z]+)", page.read_text(encoding="utf-8"))}

    assert sorted(shown - set(COMMANDS)) == []


def test_every_command_is_on_the_page_of_commands() -> None:
    """Nobody has to find a command by reading code."""
    page = (ROOT / "docs" / "yaml-and-cli.md").read_text(encoding="utf-8")

    assert [name for name in COMMANDS if f"`jina {name}" not in page] == []


def test_every_page_is_in_the_navigation() -> None:
    """A page that no menu shows is not read."""
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))

    assert named == {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}


@pytest.mark.parametrize(("page", "options"), [("deployment", DeploymentOptions), ("flow", FlowOptions)])
def test_options_that_a_page_lists_exist(page: str, options: Any) -> None:
    """An option in a table of the page is an argument of the class that it is about."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    tables = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    listed = {name for cell in tables for name in re.findall(r"`(\w+)`", cell)}

    assert listed
    assert sorted(listed - set(options.__dataclass_fields__)) == []
    assert "host" in ClientOptions.__dataclass_fields__
