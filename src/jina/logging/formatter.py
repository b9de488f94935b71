"""Old import path; see `jina.observe.logging`."""

from jina.observe.logging import JsonFormatter, PlainFormatter, ProfileFormatter

__all__ = ["JsonFormatter", "PlainFormatter", "ProfileFormatter"]
