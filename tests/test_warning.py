"""Every warning points at the line of the user's that it is about, however deep in the package it is found."""

from __future__ import annotations

import inspect
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jina import Client, Deployment, Executor, requests
from jina.docs import BaseDoc, DocList, NdArray
from jina.errors import ConfigError


class Wide(BaseDoc):
    tensor: NdArray[3]  # type: ignore[type-arg,valid-type]


class Kept(Executor):
    @requests
    def run(self, docs: DocList[Wide], **kwargs: Any) -> None:
        """Nothing."""


def _doubly_keyed() -> None:
    Deployment.load_config("jtype: Deployment\nwith: {port: 0, port: 0}")


def _unknown_key() -> None:
    Deployment.load_config("jtype: Deployment\nport: 3\nwith: {}")


def _old_version() -> None:
    Deployment.load_config("jtype: Deployment\nversion: '1.0'\nwith: {}")


def _old_variable() -> None:
    Deployment.load_config("jtype: Deployment\nwith: {name: $OLD_NAME}")


def _nameless_file() -> None:
    Deployment(uses=Kept).save_config()


def _nameless_file_of_an_executor() -> None:
    Kept().save_config()


def _unknown_key_of_an_executor() -> None:
    Executor.load_config("jtype: Kept\nwho: knows")


def _module_of_a_taken_name() -> None:
    Executor.load_config("jtype: Kept\npy_modules: taken.py")


def _served_the_old_way() -> None:
    with pytest.raises(ConfigError, match="port"):
        Kept.serve(port="none")


def _strange_channel_option() -> None:
    with Client(port=1, grpc_channel_options={"grpc.strange": 1}) as client, pytest.raises(ConnectionError):
        client.post("/", inputs=Wide(tensor=np.zeros(3)))


def _reserved_parameter() -> None:
    with Client(port=1) as client, pytest.raises(ConnectionError):
        client.post("/", parameters={"__results__": 1}, inputs=Wide(tensor=np.zeros(3)))


def _unknown_argument_of_post() -> None:
    with Client(port=1) as client, pytest.raises(ConnectionError):
        client.post("/", inputs=Wide(tensor=np.zeros(3)), strange=1)


def _tensor_of_another_shape() -> None:
    Wide(tensor=np.zeros((1, 3)))


def _unknown_argument() -> None:
    Deployment(strange=1)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (_doubly_keyed, "stands twice"),
        (_unknown_key, "unknown key"),
        (_old_version, "is read as '1'"),
        (_old_variable, "the old way"),
        (_nameless_file, "no file name"),
        (_nameless_file_of_an_executor, "no file name"),
        (_unknown_key_of_an_executor, "unknown key"),
        (_module_of_a_taken_name, "loaded already"),
        (_served_the_old_way, "is deprecated"),
        (_strange_channel_option, "without a meaning"),
        (_reserved_parameter, "reserved key"),
        (_unknown_argument_of_post, "post ignores"),
        (_tensor_of_another_shape, "reshaping"),
        (_unknown_argument, "ignored unknown argument"),
    ],
)
def test_a_warning_points_at_the_users_line(line: Callable[[], None], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is told that something is ignored need not search for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("OLD_NAME", "x")
    monkeypatch.setitem(sys.modules, "taken", types.ModuleType("taken"))
    Path("taken.py").write_text("", encoding="utf-8")
    with pytest.warns(match=text) as caught:
        line()

    lines, begin = inspect.getsourcelines(line)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert begin < caught[0].lineno < begin + len(lines)
