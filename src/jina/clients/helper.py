"""Old import path: what Jina's users call on a Response by hand."""

from __future__ import annotations

from jina.client.responses import callback_exec, pprint_routes

__all__ = ["callback_exec", "pprint_routes"]
