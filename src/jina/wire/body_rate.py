"""Whether a body comes fast enough: HTTP/1.1 and HTTP/2 ask it about a request whose body is on its way, about once a second."""

from __future__ import annotations

from typing import Final

_GRACE_S: Final = 5.0
_MAX_GRACE_S: Final = 30.0
"""What a body that came fast may save up: a caller that sends megabytes at once and then nothing does not hold them for hours."""


class BodyRate:
    """What one body has saved up."""

    __slots__ = ("_grace_s", "_n_bytes", "_since")

    def __init__(self, now: float) -> None:
        """Begin to look; `now` is monotonic seconds."""
        self._grace_s, self._n_bytes, self._since = _GRACE_S, 0, now

    def pause(self, now: float) -> None:
        """Leave out the time until now: nobody could read."""
        self._since = now

    def is_too_slow(self, n_bytes: int, now: float, bytes_per_s: int) -> bool:
        """Whether the time is used up; `n_bytes` have come of the body altogether."""
        waited_s, n_new = now - self._since, n_bytes - self._n_bytes
        self._since, self._n_bytes = now, n_bytes
        self._grace_s = min(self._grace_s + n_new / bytes_per_s, max(_MAX_GRACE_S, waited_s)) - waited_s
        return self._grace_s < 0
