"""Serve the pipeline and ask it a question: what `jina flow --uses flow.yml` and a client do, from one script."""

from __future__ import annotations

import sys
import time

from executors import Article, Embed, Match, Rank, Split

from jina import Flow
from jina.docs import DocList

SENTENCES = [
    "A cat is asleep on the sofa.",
    "The central bank raised interest rates.",
    "Borrowing money has become more expensive.",
    "It will rain in the mountains tomorrow.",
    "Hikers should expect a wet day at altitude.",
]
QUESTION = "What is the weather like?"

flow = (
    Flow(protocol=["http", "grpc"], port=[0, 0], quiet=True)
    .add(name="split", uses=Split)
    .add(name="embed", uses=Embed, env={"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"})  # the weights are in the package; nothing is fetched
    .add(name="rank", uses=Rank)
)


def main() -> int:
    begun = time.perf_counter()
    print("loading split -> embed -> rank ...", flush=True)
    with flow:
        print(f"ready after {time.perf_counter() - begun:.1f} s on http://127.0.0.1:{flow.ports[0]} and grpc://127.0.0.1:{flow.ports[1]}\n")
        article = Article(text=" ".join(SENTENCES), question=QUESTION)
        found = flow.post("/search", article, parameters={"rank__top_k": 2}, return_type=DocList[Match])
    print(f"{QUESTION}\n")
    for match in found:
        print(f"{match.similarity:6.2f}  {match.text}")
    print(f"\nstopped; {time.perf_counter() - begun:.1f} s in all")
    return 0 if [match.text for match in found] == SENTENCES[3:] else 1  # an example that shows nonsense must fail


if __name__ == "__main__":
    sys.exit(main())
