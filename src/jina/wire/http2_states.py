"""HTTP/2's stream states (RFC 9113, 5.1), as a table: what happens in a state, and which state follows.

    idle ── headers ──► OPEN ── peer ends ──► HALF_CLOSED_REMOTE ── we end ──┐
                          └──── we end ──► HALF_CLOSED_LOCAL ── peer ends ──┴──► CLOSED

Idle and closed streams have no object: a number above the highest seen is idle, one below it that is not known is closed. A missing entry
is an error: STREAM_CLOSED where the peer did it, nothing is sent where we did. We neither push nor take pushes, so nothing is reserved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OPEN, HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE, CLOSED = "OPEN", "HALF_CLOSED_LOCAL", "HALF_CLOSED_REMOTE", "CLOSED"
RECEIVE, RECEIVE_END, SEND_END, RESET = "RECEIVE", "RECEIVE_END", "SEND_END", "RESET"

NEXT: Final[Mapping[str, Mapping[str, str]]] = {
    OPEN: {RECEIVE: OPEN, RECEIVE_END: HALF_CLOSED_REMOTE, SEND_END: HALF_CLOSED_LOCAL, RESET: CLOSED},
    HALF_CLOSED_LOCAL: {RECEIVE: HALF_CLOSED_LOCAL, RECEIVE_END: CLOSED, RESET: CLOSED},
    HALF_CLOSED_REMOTE: {SEND_END: CLOSED, RESET: CLOSED},
    CLOSED: {},
}
MAY_SEND: Final = frozenset(state for state, row in NEXT.items() if SEND_END in row)
MAY_RECEIVE: Final = frozenset(state for state, row in NEXT.items() if RECEIVE_END in row)
