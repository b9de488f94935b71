"""What tests of connections post, and get back."""

from __future__ import annotations

from typing import Any

from jina.docs import DocList
from tests.client.executors import Text

ALL = ["0", "1", "2", "3"]


def texts(client: Any, n_docs: int = 4, **options: Any) -> list[str]:
    """Post so many documents, each in a request of its own; their texts in order."""
    docs = client.post("/x", [Text(text=str(n)) for n in range(n_docs)], request_size=1, return_type=DocList[Text], **options)
    return sorted(docs.text)
