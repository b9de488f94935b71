"""Content codings undone (RFC 9110, 8.4), in steps that are bounded in what they read and in what they make.

What unfolds to many times its size is refused before it is held, and nobody who reads a body holds the loop for longer than a step:
256 KiB made, or 16 KiB read, well below a millisecond.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from jina.wire.buffered import FULL, SMALL, Buffered

MAX_RATIO: Final = 100
FREE_BYTES: Final = 1 << 20
"""So much may come of any body, however small: pages of zeros are no attack."""
_STEP_BYTES: Final = 256 << 10
_SLICE_BYTES: Final = 16 << 10
_MAX_CODINGS: Final = 3
_FREE_MEMBERS: Final = 16
_BYTES_A_MEMBER: Final = 1024
"""Each member of a gzip body costs a copy of the slice it stands in, so that many empty ones would cost much."""
_ZSTD_WINDOW_LOG: Final = 23
"""8 MiB, what RFC 9659 lets a content coding ask for."""


class CodingError(Exception):
    """A body that cannot be unfolded, or not within the limits.

    Attributes:
        status: As HTTP has it: 400, 413 or 503.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Core(Protocol):
    has_more: bool

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def step(self, data: bytes) -> bytes: ...


class _Inflate:
    def __init__(self, wbits: int) -> None:
        self._core = zlib.decompressobj(wbits)
        self.has_more = False

    def step(self, data: bytes) -> bytes:
        tail = self._core.unconsumed_tail
        made = self._core.decompress(tail + data if tail else data, _STEP_BYTES)
        self.has_more = bool(self._core.unconsumed_tail) or len(made) == _STEP_BYTES
        return made

    @property
    def eof(self) -> bool:
        return self._core.eof

    @property
    def unused_data(self) -> bytes:
        return self._core.unused_data


class _Deflate:
    """The name means the zlib format; some send the bare stream. The two bytes of zlib's header tell (RFC 1950, 2.2)."""

    def __init__(self) -> None:
        self._start, self._core = b"", _Inflate(15)
        self._is_known = self.has_more = False

    def step(self, data: bytes) -> bytes:
        if not self._is_known:
            self._start += data
            if len(self._start) < 2:
                return b""
            data, self._is_known = self._start, True
            if data[0] & 15 != 8 or (data[0] << 8 | data[1]) % 31:
                self._core = _Inflate(-15)
        made = self._core.step(data)
        self.has_more = self._core.has_more
        return made

    @property
    def eof(self) -> bool:
        return self._core.eof

    @property
    def unused_data(self) -> bytes:
        return self._core.unused_data


class _Zstd:
    def __init__(self, module: Any) -> None:
        self._core = module.ZstdDecompressor(options={module.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
        self.has_more = False

    def step(self, data: bytes) -> bytes:
        made: bytes = self._core.decompress(data, _STEP_BYTES)
        self.has_more = not (self._core.eof or self._core.needs_input)
        return made

    @property
    def eof(self) -> bool:
        return bool(self._core.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._core.unused_data)


def known_codings(zstd: Any) -> dict[str, Callable[[], _Core]]:
    """Give what can be undone; `zstd` is the module `compression.zstd`, or None."""
    known: dict[str, Callable[[], _Core]] = {"gzip": lambda: _Inflate(31), "deflate": _Deflate}
    if zstd is not None:
        known["zstd"] = lambda: _Zstd(zstd)
    return known


def _zstd() -> Any:
    try:
        return importlib.import_module("compression.zstd")  # Python 3.14
    except ImportError:
        return None


KNOWN: Final = known_codings(_zstd())
ACCEPTED: Final = ", ".join(KNOWN)
"""For `Accept-Encoding`."""


def codings_of(field: str) -> tuple[str, ...]:
    """Give the codings that `Content-Encoding` names, in the order they were applied.

    Raises:
        CodingError: One of them is unknown, or there are too many; its status is 415.
    """
    names = [name.strip(" \t").lower().removeprefix("x-") for name in field.split(",")]
    codings = tuple(name for name in names if name not in ("", "identity"))
    for name in codings:
        if name not in KNOWN:
            raise CodingError(415, f"content-encoding {name[:80]!r} is not understood; use one of {ACCEPTED}, or none")
    if len(codings) > _MAX_CODINGS:
        raise CodingError(415, f"more than {_MAX_CODINGS} codings, one over the other")
    return codings


class _Stage:
    """One coding, undone."""

    def __init__(self, name: str, begin: Callable[[], _Core], grew: Callable[[int], None]) -> None:
        self._name, self._begin, self._grew = name, begin, grew
        self._core: _Core | None = None
        self._n_in = self._n_out = self._n_members = 0

    @property
    def is_whole(self) -> bool:
        return self._core is None

    def through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Give what each piece unfolds to, step by step; some steps make nothing."""
        for piece in pieces:
            for at in range(0, len(piece), _SLICE_BYTES):
                yield from self._slice(piece[at : at + _SLICE_BYTES])

    def _slice(self, data: bytes) -> Iterator[bytes]:
        self._n_in += len(data)
        while data or (self._core is not None and self._core.has_more):
            core = self._core = self._core or self._next_member()
            try:
                made = core.step(data)
            except Exception as error:  # zlib.error, and zstd's, which may be of a module that is not there
                raise CodingError(400, f"the body is not {self._name}: {error}") from error
            data = b""
            if core.eof:
                data, self._core = core.unused_data, None
            self._n_out += len(made)
            self._grew(self._n_out)
            yield made

    def _next_member(self) -> _Core:
        self._n_members += 1
        if self._n_members > 1 and self._name == "deflate":
            raise CodingError(400, "the body goes on behind its end")
        if self._n_members > _FREE_MEMBERS + self._n_in // _BYTES_A_MEMBER:
            raise CodingError(400, f"the body is in {self._n_members} small parts, each with its own {self._name} header")
        return self._begin()


class Unfolding:
    """One body, as it comes."""

    def __init__(
        self,
        codings: Sequence[str],
        *,
        max_bytes: int | None,
        limit: str = "max_body_bytes",
        free_bytes: int = FREE_BYTES,
        known: dict[str, Callable[[], _Core]] = KNOWN,
    ) -> None:
        """Begin.

        Args:
            codings: From `codings_of`.
            max_bytes: More must not come of the body.
            limit: The option that says so.
            free_bytes: So much may come of it whatever the ratio.
            known: What can be undone.
        """
        self._max_bytes, self._limit, self._free_bytes = max_bytes, limit, free_bytes
        self._stages = [_Stage(name, known[name], self._grew) for name in reversed(codings)]
        self._n_in = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what a piece of the body unfolds to, step by step; some steps make nothing.

        Raises:
            CodingError: It cannot be unfolded, or not within the limits.
        """
        self._n_in += len(data)
        pieces: Iterable[bytes] = (data,)
        for stage in self._stages:
            pieces = stage.through(pieces)
        yield from pieces

    def end(self) -> None:
        """Say that the body is over.

        Raises:
            CodingError: It is not whole.
        """
        if not all(stage.is_whole for stage in self._stages):
            raise CodingError(400, "the body ends before its content coding does")

    def _grew(self, n_bytes: int) -> None:
        if self._max_bytes is not None and n_bytes > self._max_bytes:
            raise CodingError(413, f"the body unfolds to more than {self._limit}={self._max_bytes}")
        if n_bytes > self._free_bytes and n_bytes > MAX_RATIO * self._n_in:
            raise CodingError(413, f"the body unfolds to more than {MAX_RATIO} times its size")


def unfold(body: bytes, codings: Sequence[str], max_bytes: int | None, buffered: Buffered) -> Generator[None, None, tuple[bytes, int]]:
    """Unfold a whole body; each `next` is a step, and the last one gives it, and how many bytes of `buffered` it holds.

    Raises:
        CodingError: It cannot be unfolded, or not within the limits.
    """
    made: list[bytes] = []
    n_bytes = n_counted = 0
    unfolding = Unfolding(codings, max_bytes=max_bytes)
    try:
        for piece in unfolding.feed(body):
            made.append(piece)
            n_bytes += len(piece)
            if n_bytes > SMALL:
                if not buffered.take(n_bytes - n_counted):
                    raise CodingError(503, FULL.description)
                n_counted = n_bytes
            yield
        unfolding.end()
        return b"".join(made), n_counted
    except BaseException:
        buffered.give_back(n_counted)
        raise
