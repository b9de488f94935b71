"""How long documents take to bytes and back: our codecs against docarray's own, microseconds a list (best of several runs).

    python benchmarks/codec.py

Every row is checked before it is timed: our bytes equal docarray's deterministic ones, and documents come back equal. docarray's own
writer mixes the fields' order, so reading is timed for its bytes too (`mixed`).
"""

from __future__ import annotations

import timeit
import warnings
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
from docarray import BaseDoc, DocList  # noqa: E402
from docarray.proto import DocListProto  # noqa: E402
from docarray.typing import NdArray  # noqa: E402

import jina.docs as ours  # noqa: E402
from jina.codec import codec_for  # noqa: E402


class One(BaseDoc):
    text: str


class Five(BaseDoc):
    text: str
    count: int
    score: float
    good: bool
    label: str


class Embedded(BaseDoc):
    text: str
    embedding: NdArray


class OurFive(ours.BaseDoc):
    text: str
    count: int
    score: float
    good: bool
    label: str


class OurEmbedded(ours.BaseDoc):
    text: str
    embedding: ours.NdArray


def values(cls: type, at: int) -> dict[str, Any]:
    made: dict[str, Any] = {"text": f"a short text {at}"}
    if "count" in cls.model_fields:  # type: ignore[attr-defined]
        made |= {"count": at * 1000, "score": at / 3, "good": at % 2 == 0, "label": "label"}
    if "embedding" in cls.model_fields:  # type: ignore[attr-defined]
        made |= {"embedding": np.random.default_rng(at).random(768, dtype=np.float32)}
    return made


def microseconds(call: Callable[[], object]) -> float:
    timer = timeit.Timer(call)
    number = max(1, int(0.02 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(5, number)) / number * 1e6


def row(name: str, cls: type[BaseDoc], own: type | None, n: int) -> None:
    docs = DocList[cls]([cls(**values(cls, at)) for at in range(n)])  # type: ignore[valid-type]
    codec, proto = codec_for(cls), docs.to_protobuf()
    mixed, canonical = proto.SerializeToString(), proto.SerializeToString(deterministic=True)
    assert codec.encode_proto(docs) == canonical
    assert [doc.id for doc in codec.decode_proto(mixed)] == docs.id
    theirs_out = microseconds(lambda: docs.to_protobuf().SerializeToString())
    theirs_in = microseconds(lambda: type(docs).from_protobuf(DocListProto.FromString(mixed)))
    report(name, "encode", n, theirs_out, microseconds(lambda: codec.encode_proto(docs)))
    report(name, "decode", n, theirs_in, microseconds(lambda: codec.decode_proto(canonical)))
    report(name, "decode, mixed", n, theirs_in, microseconds(lambda: codec.decode_proto(mixed)))
    if own is not None:
        mine = codec_for(own)
        own_docs = mine.decode_proto(canonical)
        assert mine.encode_proto(own_docs) == canonical
        report(name + ", ours", "encode", n, theirs_out, microseconds(lambda: mine.encode_proto(own_docs)))
        report(name + ", ours", "decode", n, theirs_in, microseconds(lambda: mine.decode_proto(canonical)))
        json = mine.encode_json(own_docs)
        text = docs.to_json()
        report(name + ", ours", "JSON out", n, microseconds(docs.to_json), microseconds(lambda: mine.encode_json(own_docs)))
        report(
            name + ", ours", "JSON in", n, microseconds(lambda: type(docs).from_json(text)), microseconds(lambda: mine.decode_json(json))
        )


def report(name: str, what: str, n: int, theirs: float, mine: float) -> None:
    print(f"{name:24} {what:14} {n:5} {theirs:12.1f} {mine:12.1f} {theirs / mine:8.1f} x")


def main() -> None:
    print(f"{'documents':24} {'direction':14} {'n':>5} {'docarray µs':>12} {'µs':>12} {'faster':>8}")
    for n in (1, 32):
        row("text", One, None, n)
        row("five scalars", Five, OurFive, n)
        row("768 floats", Embedded, OurEmbedded, n)


if __name__ == "__main__":
    main()
