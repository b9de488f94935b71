"""Documents and messages to bytes and back.

`codec_for(cls)` gives the `Codec` of one document class. It is imported at its first use, because a front process reads messages
(`jina.codec.messages`) and must not pay for pydantic and numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jina.codec.codec import Codec, codec_for

__all__ = ["Codec", "codec_for"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'jina.codec' has no attribute {name!r}")
    from jina.codec import codec

    globals().update(Codec=codec.Codec, codec_for=codec.codec_for)
    return globals()[name]
