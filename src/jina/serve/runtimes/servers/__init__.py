"""Old import path; see `jina.serve.runtimes.moved`."""

from jina.serve.runtimes.moved import from_gateway

__getattr__ = from_gateway(__name__, ("BaseServer",))
