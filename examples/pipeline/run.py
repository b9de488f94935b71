"""Serve the pipeline and ask it a question; the same as `jina flow --uses flow.yml` and a client."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the weights are in the package; nothing is fetched
os.environ.setdefault("TQDM_DISABLE", "1")

from executors import Article, Embed, Match, Rank, Split

from jina import Flow
from jina.docs import DocList

TEXT = (
    "A cat is asleep on the sofa. The central bank raised interest rates. Borrowing money has become more expensive. "
    "It will rain in the mountains tomorrow. Hikers should expect a wet day at altitude."
)

flow = Flow(protocol="http", port=0).add(name="split", uses=Split).add(name="embed", uses=Embed).add(name="rank", uses=Rank)

if __name__ == "__main__":
    with flow:
        question = Article(text=TEXT, question="What is the weather like?")
        for match in flow.post("/search", question, parameters={"rank__top_k": 2}, return_type=DocList[Match]):
            print(f"{match.similarity:.2f}  {match.text}")
