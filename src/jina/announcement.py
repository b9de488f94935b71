"""What the log of a service says once it listens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from jina.options.service import ServiceOptions
from jina.plan import Listener
from jina.process.ports import is_loopback


def announcement(listeners: Iterable[Listener], options: ServiceOptions) -> Iterator[tuple[Literal["info", "warning"], str]]:
    """Give levels and texts: every address, and a warning where anybody may call."""
    is_open = False
    for listener in listeners:
        for host in listener.hosts:
            shown = " and ".join(listener.urls(host, bool(options.ssl_certfile)))
            is_open = is_open or not is_loopback(host)
            yield "info", f"ready and listening on {shown}" + " (all interfaces)" * (host in ("0.0.0.0", "::"))
    if is_open and options.api_key is None and options.ssl_ca_certs is None:
        yield "warning", "this service listens beyond this machine and asks for no key; api_key= guards it"
