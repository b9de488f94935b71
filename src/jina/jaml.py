"""Old import path of Jina's YAML layer; see `jina.yaml`."""

from __future__ import annotations

from typing import Any

from jina.yaml import dump_yaml, load_yaml, substitute


class JAML:
    """The static methods that Jina's users call."""

    @staticmethod
    def load(stream: Any, substitute: bool = False, context: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Plain values from YAML text or an open file; classes are not made."""
        data = load_yaml(stream if isinstance(stream, str) else stream.read())
        return JAML.expand_dict(data, context) if substitute else data

    @staticmethod
    def load_no_tags(stream: Any, **kwargs: Any) -> Any:
        """The same as `load`: a tag becomes the key `jtype`."""
        return JAML.load(stream, **kwargs)

    @staticmethod
    def dump(data: Any, stream: Any = None, **kwargs: Any) -> str | None:
        """Plain values as YAML, given back or written to `stream`."""
        text = dump_yaml(data)
        if stream is None:
            return text
        stream.write(text)
        return None

    @staticmethod
    def expand_dict(data: dict[str, Any], context: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
        """A copy with all variables replaced."""
        expanded: dict[str, Any] = substitute(data, context=context)
        return expanded


class JAMLCompatible:
    """Marks a class that YAML may name; kept for `isinstance` and for bases."""


__all__ = ["JAML", "JAMLCompatible"]
