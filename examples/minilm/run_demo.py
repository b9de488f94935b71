"""Serve MiniLM over HTTP and gRPC, send it sentences over both and as a stream, and print what came back."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import urllib.request

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the weights are in the package; nothing is fetched
os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
from executor import Embedded, Match, MiniLM, Question, Sentence

from jina import Client, Deployment
from jina.docs import DocList

SENTENCES = [
    "A cat is asleep on the sofa.",
    "The kitten naps on the couch.",
    "The central bank raised interest rates.",
    "Borrowing money has become more expensive.",
    "It will rain in the mountains tomorrow.",
    "Hikers should expect a wet day at altitude.",
]
QUESTION = "Where is the cat?"


def post_json(url: str, body: object) -> urllib.request.Request:
    return urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})


def embed_over_http(address: str) -> np.ndarray:
    """One POST with all sentences; gives one row a sentence."""
    request = post_json(f"{address}/embed", {"data": [{"text": text} for text in SENTENCES]})
    with urllib.request.urlopen(request, timeout=30) as reply:
        documents = json.load(reply)["data"]
    return np.array([document["embedding"] for document in documents], dtype=np.float32)


def embed_over_grpc(port: int) -> np.ndarray:
    """The same with the client; documents come back typed, their vectors as arrays."""
    client = Client(host="127.0.0.1", port=port)
    documents = client.post("/embed", DocList[Sentence](Sentence(text=text) for text in SENTENCES), return_type=DocList[Embedded])
    return np.stack([document.embedding for document in documents])


def stream_over_http(address: str) -> list[tuple[str, float]]:
    """Server-sent events: each `data:` line is a document, written when the model has it."""
    request = post_json(f"{address}/compare", {"text": QUESTION, "candidates": SENTENCES})
    with urllib.request.urlopen(request, timeout=30) as reply:
        matches = [json.loads(line.removeprefix(b"data:")) for line in reply if line.startswith(b"data:")]
    return [(match["text"], match["similarity"]) for match in matches]


async def stream_over_grpc(port: int) -> list[tuple[str, float]]:
    client = Client(host="127.0.0.1", port=port, asyncio=True)
    question = Question(text=QUESTION, candidates=SENTENCES)
    return [(match.text, match.similarity) async for match in client.stream_doc("/compare", question, return_type=Match)]


def print_similarities(vectors: np.ndarray) -> None:
    similarity = vectors @ vectors.T
    width = max(map(len, SENTENCES)) + 1
    print(" " * (width + 3) + "".join(f"{number:>7}" for number in range(1, len(SENTENCES) + 1)))
    for number, (text, row) in enumerate(zip(SENTENCES, similarity, strict=True), 1):
        print(f"{number}  {text:<{width}}" + "".join(f"{value:7.2f}" for value in row))


def check(vectors: np.ndarray, over_grpc: np.ndarray, streamed: list[tuple[str, float]]) -> str:
    """What is wrong with the answers, or an empty string: a demo that shows nonsense must fail."""
    similarity = vectors @ vectors.T - 2 * np.eye(len(SENTENCES))
    if similarity.argmax(axis=1).tolist() != [1, 0, 3, 2, 5, 4]:
        return "the sentences of a pair are not the nearest to each other"
    if not np.allclose(vectors, over_grpc, atol=1e-5):
        return "HTTP and gRPC gave different vectors"
    if [text for text, _ in streamed] != SENTENCES:
        return "the stream did not give every sentence in order"
    return ""


def main() -> int:
    begun = time.perf_counter()
    print("loading MiniLM ...", flush=True)
    with Deployment(uses=MiniLM, protocol=["http", "grpc"], port=[0, 0], quiet=True) as deployment:
        http_port, grpc_port = deployment.ports
        address = f"http://127.0.0.1:{http_port}"
        print(
            f"ready after {time.perf_counter() - begun:.1f} s\n\n    HTTP   {address}   (API page: {address}/docs)\n    gRPC   grpc://127.0.0.1:{grpc_port}\n"
        )

        vectors = embed_over_http(address)
        print(f"HTTP   POST /embed with {len(vectors)} sentences gave vectors of {vectors.shape[1]} numbers. Their cosine similarity:\n")
        print_similarities(vectors)

        over_grpc = embed_over_grpc(grpc_port)
        print(f"\ngRPC   /embed gave the same vectors (largest difference {np.abs(vectors - over_grpc).max():.1e})")

        streamed = stream_over_http(address)
        print(f"\nSSE    POST /compare streamed, for {QUESTION!r}:\n")
        for text, similarity in streamed:
            print(f"       {similarity:6.2f}  {text}")
        again = asyncio.run(stream_over_grpc(grpc_port))
        print(f"\ngRPC   stream_doc('/compare') gave the same {len(again)} matches\n")

    wrong = check(vectors, over_grpc, streamed) or ("" if [text for text, _ in again] == SENTENCES else "the gRPC stream differs")
    print(wrong or f"stopped; {time.perf_counter() - begun:.1f} s in all")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
