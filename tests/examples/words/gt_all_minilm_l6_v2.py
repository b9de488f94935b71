"""Stands in for the package of the MiniLM model: texts that share words have like vectors. Found first on the path of tests that say so."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

_DIM = 384


class Words:
    """Counts words."""

    def encode(self, texts: Sequence[str], **_: Any) -> Any:
        """Give a row for each text, of length 1."""
        vectors = np.zeros((len(texts), _DIM), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % _DIM] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def load_model(device: str) -> Words:
    """Nothing is loaded."""
    return Words()
