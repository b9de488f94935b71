"""Codecs are made when they are first needed, in whichever thread that is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jina.codec import codec_for
from jina.codec.schema import schema_of
from jina.docs import BaseDoc, DocList


@pytest.fixture
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_switch_often")
def test_threads_that_meet_a_class_first_at_the_same_time_get_whole_codecs() -> None:
    """Four threads with a fresh class each time: every one sees all fields and reads what the others wrote."""
    failures: list[BaseException] = []

    def use(cls: Any, start: threading.Barrier) -> None:
        start.wait()
        try:
            assert set(schema_of(cls).by_name) == {"id", "n", "parts"}
            codec = codec_for(cls)
            doc = cls(n=1, parts=[{"text": "a"}])
            assert codec.decode_proto(codec.encode_proto([doc])) == [doc]
            assert codec.decode_json(codec.encode_json([doc])) == [doc]
        except BaseException as error:
            failures.append(error)

    for _ in range(20):

        class Part(BaseDoc):
            text: str

        class Fresh(BaseDoc):
            n: int
            parts: DocList[Part]

        start = threading.Barrier(4)
        threads = [threading.Thread(target=use, args=(Fresh, start)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []


def test_a_class_that_failed_is_tried_again() -> None:
    """Nothing of a schema that could not be made is kept."""
    from dataclasses import make_dataclass

    from jina.errors import ConfigError

    broken = make_dataclass("Broken", [("a", "NoSuchType")])
    for _ in range(2):
        with pytest.raises(ConfigError, match="NoSuchType"):
            schema_of(broken)
