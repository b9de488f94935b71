"""What supervisor and children say to each other: cuts change nothing, and what is read can be written again."""

from __future__ import annotations

from typing import Any

import msgspec

from fuzz.choices import cuts
from jina.process import messages as pipe

WORDS = (b"worker", b"front", b"replica_up", b"replica_down", b"stop", b"ready", b"failed", b"hung", b"type", b"grace_s", b"\x81\xa4type")


def check(data: bytes) -> None:
    for make in (pipe.Reader.of_orders, pipe.Reader.of_events):
        whole = _read(make(), [data])
        pieces = _read(make(), list(cuts(data)))
        assert whole[1] == pieces[1]
        assert whole[1] or repr(whole[0]) == repr(pieces[0])
        for message in whole[0]:
            assert repr(make().feed(pipe.frame(message))) == repr([message])


def _read(reader: pipe.Reader, pieces: list[bytes]) -> tuple[list[Any], bool]:
    found: list[Any] = []
    try:
        for piece in pieces:
            found += reader.feed(piece)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return found, True
    return found, False


def seeds() -> list[bytes]:
    messages: list[Any] = [
        pipe.ReplicaUp("executor/rep-0", "executor", "/s", "/b", 5, []),
        pipe.ReplicaDown("executor/rep-0", "executor", "died"),
        pipe.Stop(5.0),
        pipe.Ready(),
        pipe.Failed("a", "b"),
        pipe.Hung(5, 1.5),
    ]
    return [*(pipe.frame(message) for message in messages), b"".join(pipe.frame(message) for message in messages[:3]) + b"\1"]
