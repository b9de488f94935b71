"""Which calls change state, asked once a call is in doubt."""

from __future__ import annotations

from collections.abc import Iterable

from jina.call import EndpointInfo
from jina.runtime.node import DEFAULT_ENDPOINT


class Writes:
    """Holds, with `in`, the endpoints whose calls change state: one that is not there is run by `/default`."""

    def __init__(self, endpoints: Iterable[EndpointInfo] = ()) -> None:
        self._by_path = {info.path: info.is_write for info in endpoints}

    def __contains__(self, endpoint: str) -> bool:
        return self._by_path.get(endpoint, self._by_path.get(DEFAULT_ENDPOINT, False))
