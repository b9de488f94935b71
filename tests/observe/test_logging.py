"""Loggers: formats, levels, files, and what they leave alone."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path

import pytest

from jina.enums import LogVerbosity
from jina.observe.logging import JinaLogger


@pytest.fixture(autouse=True)
def _no_log_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JINA_LOG_CONFIG", "JINA_LOG_LEVEL", "JINA_LOG_NO_COLOR", "JINA_DEPLOYMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


def test_default_logger_writes_level_name_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    """A line says when, how serious, who and what, without colour where no terminal is."""
    JinaLogger("Ranker").warning("model %s is old", "a")

    line = capsys.readouterr().out
    assert "WARNING" in line
    assert "Ranker@" in line
    assert line.endswith("model a is old\n")
    assert "\x1b" not in line


def test_success_is_a_level_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """`success` is shown as SUCCESS and the names of the logging module stay as they were."""
    JinaLogger("x").success("done")

    assert "SUCCESS" in capsys.readouterr().out
    assert logging.getLevelName(25) == "Level 25"


def test_root_logger_and_registry_are_left_alone() -> None:
    """A JinaLogger adds nothing to the process's own logging."""
    before = list(logging.getLogger().handlers)

    JinaLogger("nobody_knows_me")

    assert logging.getLogger().handlers == before
    assert "nobody_knows_me" not in logging.Logger.manager.loggerDict


def test_json_config_writes_one_object_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is JSON with the keys that log collectors know."""
    JinaLogger("x", log_config="json").error("bad %d", 3)

    record = json.loads(capsys.readouterr().out)
    assert record["msg"] == "bad 3"
    assert record["levelname"] == "ERROR"
    assert {"created", "filename", "funcName", "lineno", "process", "threadName"} <= set(record)
    assert record["funcName"] == "test_json_config_writes_one_object_a_message"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_text_that_the_stream_cannot_write_is_escaped(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an Executor raised may hold anything, and the line that tells of it must not be lost."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)

    JinaLogger("x").error("no file %s", "a\ud800b")

    stream.seek(0)
    assert stream.read().endswith("no file a\\ud800b\n")


def test_text_that_a_file_cannot_hold_is_escaped(tmp_path: Path) -> None:
    """As on a stream."""
    config = tmp_path / "log.yml"
    settings = f"{{output: {tmp_path}/log.txt, formatter: Formatter}}"
    config.write_text(f"handlers: [FileHandler]\nlevel: INFO\nconfigs:\n  FileHandler: {settings}\n")

    with JinaLogger("x", log_config=str(config)) as logger:
        logger.error("no file a\ud800b")

    assert (tmp_path / "log.txt").read_text() == "no file a\\ud800b\n"


def test_success_names_its_caller(capsys: pytest.CaptureFixture[str]) -> None:
    """The line that called `success` is reported, not our own."""
    JinaLogger("x", log_config="json").success("ok")

    assert json.loads(capsys.readouterr().out)["funcName"] == "test_success_names_its_caller"


def test_quiet_logger_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither stdout nor the last resort of the logging module gets a message."""
    JinaLogger("x", quiet=True).critical("fire")

    assert capsys.readouterr() == ("", "")


def test_environment_overrides_config_and_level(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """JINA_LOG_CONFIG goes before log_config, JINA_LOG_LEVEL before the configuration's level."""
    monkeypatch.setenv("JINA_LOG_CONFIG", "plain")
    monkeypatch.setenv("JINA_LOG_LEVEL", "error")
    logger = JinaLogger("x", log_config="json")

    logger.warning("not shown")
    logger.error("shown")

    assert capsys.readouterr().out.endswith("[E]:shown\n")
    assert not logger.debug_enabled


def test_deployment_name_is_the_name_in_a_worker(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In a worker the lines carry the worker's name."""
    monkeypatch.setenv("JINA_DEPLOYMENT_NAME", "ranker/rep-0")

    JinaLogger("Ranker").info("hi")

    assert "ranker/rep-0@" in capsys.readouterr().out


def test_yaml_config_writes_to_a_file(tmp_path: Path) -> None:
    """A YAML file chooses handlers, formats and level; its placeholders are filled."""
    config = tmp_path / "log.yml"
    target = tmp_path / "{name}.log"
    config.write_text(
        f"handlers: [FileHandler]\nlevel: DEBUG\nconfigs:\n  FileHandler:\n    output: {target}\n"
        "    format: '{context}|%(levelname)s|%(message)s'\n    formatter: PlainFormatter\n"
    )

    with JinaLogger("Ranker", name="100%/x", log_config=str(config)) as logger:
        logger.debug("\x1b[31mred\x1b[0m")
        logger.success("fine")

    assert (tmp_path / "100%-x.log").read_text() == "Ranker|DEBUG|red\nRanker|SUCCESS|fine\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("handlers: [Foo]\nconfigs: {Foo: {format: x}}", "'Foo'"),
        ("handlers: [StreamHandler]\nconfigs: {}", "StreamHandler"),
        ("handlers: [StreamHandler]\nconfigs: {StreamHandler: {format: x, formatter: Y}}", "'Y'"),
        ("handlers: []\nlevel: loud", "'loud'"),
        ("- 1", "mapping"),
    ],
)
def test_bad_config_says_what_is_wrong(tmp_path: Path, text: str, word: str) -> None:
    """A mistake in a log configuration is an error that names it."""
    config = tmp_path / "log.yml"
    config.write_text(text)

    with pytest.raises(ValueError, match=word):
        JinaLogger("x", log_config=str(config))


def test_unknown_config_names_the_built_in_ones() -> None:
    """A configuration that is neither built in nor a file says which there are."""
    with pytest.raises(ValueError, match="plain, "):
        JinaLogger("x", log_config="colourful")


def test_levels_are_read_in_any_case() -> None:
    """Level names are case-insensitive."""
    assert LogVerbosity.from_string("success") == 25


def test_old_import_paths_work() -> None:
    """What Jina's users import still exists."""
    from jina.logging.logger import JinaLogger as Old
    from jina.logging.predefined import default_logger
    from jina.logging.profile import TimeContext

    assert Old is JinaLogger
    assert default_logger.context == "JINA"
    with TimeContext("task", default_logger) as timer:
        pass
    assert timer.duration >= 0
