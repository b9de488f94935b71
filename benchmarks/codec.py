"""How long documents take to bytes and back: our codecs against docarray's own, microseconds a list (best of several runs).

    python benchmarks/codec.py

docarray is measured as released: before jina, which mends some of it, is imported. Each row is checked before it is timed: our bytes equal
docarray's deterministic ones. docarray's own writer mixes the fields' order, so reading is timed for its bytes too (`mixed`).
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

Times = dict[str, float]


class Text(BaseDoc):
    text: str


class Scalars(BaseDoc):
    text: str
    count: int
    score: float
    good: bool
    label: str


class Embedded(BaseDoc):
    text: str
    embedding: NdArray


def sample(cls: type[BaseDoc], n: int) -> Any:
    return DocList[cls]([cls(**values(cls, at)) for at in range(n)])  # type: ignore[valid-type]


def values(cls: type[BaseDoc], at: int) -> dict[str, Any]:
    made: dict[str, Any] = {"text": f"a short text {at}"}
    if cls is Scalars:
        made |= {"count": at * 1000, "score": at / 3, "good": at % 2 == 0, "label": "label"}
    if cls is Embedded:
        made |= {"embedding": np.random.default_rng(at).random(768, dtype=np.float32)}
    return made


def microseconds(call: Callable[[], object]) -> float:
    timer = timeit.Timer(call)
    number = max(1, int(0.02 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(5, number)) / number * 1e6


def measure_docarray(docs: Any) -> Times:
    data, text = docs.to_protobuf().SerializeToString(), docs.to_json()
    into = microseconds(lambda: type(docs).from_protobuf(DocListProto.FromString(data)))
    return {
        "encode": microseconds(lambda: docs.to_protobuf().SerializeToString()),
        "decode": into,
        "decode, mixed": into,
        "JSON out": microseconds(docs.to_json),
        "JSON in": microseconds(lambda: type(docs).from_json(text)),
    }


def measure_ours(cls: type, docs: Any, canonical: bytes, mixed: bytes) -> Times:
    from jina.codec import codec_for

    codec = codec_for(cls)
    own = docs if cls is docs.doc_type else codec.decode_proto(canonical)
    assert codec.encode_proto(own) == canonical
    assert [doc.id for doc in codec.decode_proto(mixed)] == docs.id
    text = codec.encode_json(own)
    return {
        "encode": microseconds(lambda: codec.encode_proto(own)),
        "decode": microseconds(lambda: codec.decode_proto(canonical)),
        "decode, mixed": microseconds(lambda: codec.decode_proto(mixed)),
        "JSON out": microseconds(lambda: codec.encode_json(own)),
        "JSON in": microseconds(lambda: codec.decode_json(text)),
    }


def own_class(cls: type[BaseDoc]) -> type:
    """The same fields as a class of ours."""
    from jina import docs

    fields = {name: docs.NdArray if info.annotation is NdArray else info.annotation for name, info in cls.model_fields.items()}
    del fields["id"]
    return type(cls.__name__, (docs.BaseDoc,), {"__annotations__": fields, "__module__": __name__})


def main() -> None:
    samples = [(cls, sample(cls, n)) for n in (1, 32) for cls in (Text, Scalars, Embedded)]
    theirs = [measure_docarray(docs) for _, docs in samples]
    print(f"{'documents':10} {'classes':9} {'direction':14} {'n':>4} {'docarray µs':>12} {'ours µs':>10} {'faster':>8}")
    for (cls, docs), known in zip(samples, theirs, strict=True):
        proto = docs.to_protobuf()
        canonical, mixed = proto.SerializeToString(deterministic=True), proto.SerializeToString()
        for family, used in (("docarray", cls), ("jina.docs", own_class(cls))):
            for what, mine in measure_ours(used, docs, canonical, mixed).items():
                print(f"{cls.__name__:10} {family:9} {what:14} {len(docs):4} {known[what]:12.1f} {mine:10.1f} {known[what] / mine:6.1f} x")


if __name__ == "__main__":
    main()
