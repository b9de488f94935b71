"""Bodies in gzip, deflate and zstd, undone in bounded steps and within limits."""

from __future__ import annotations

import gzip
import importlib
import random
import sys
import time
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.wire.buffered import Buffered
from jina.wire.content_coding import CodingError, Unfolding, codings_of, known_codings, unfold

MIB = 1 << 20


def deflated(data: bytes, wbits: int = 15) -> bytes:
    core = zlib.compressobj(wbits=wbits)
    return core.compress(data) + core.flush()


def unfolded(data: bytes, *codings: str, step: int = MIB, **options: Any) -> bytes:
    """Fed so many bytes at a time."""
    unfolding = Unfolding(codings, **{"max_bytes": None, **options})
    made = b"".join(piece for at in range(0, len(data), step) for piece in unfolding.feed(data[at : at + step]))
    unfolding.end()
    return made


def whole(body: bytes, *codings: str, max_bytes: int | None = None, buffered: Buffered | None = None) -> tuple[bytes, int, int]:
    """What `unfold` gives, and in how many steps."""
    steps, n_steps = unfold(body, codings, max_bytes, buffered or Buffered()), 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return *end.value, n_steps
        n_steps += 1


@given(st.binary(max_size=2000), st.integers(1, 50), st.sampled_from(["gzip", "deflate", "raw", "both", "members"]))
def test_what_was_folded_comes_back_however_it_is_cut(data: bytes, step: int, kind: str) -> None:
    """`deflate` in both of the forms that are met, one coding over another, and gzip in several members."""
    folded, codings = {
        "gzip": (gzip.compress(data, mtime=0), ("gzip",)),
        "deflate": (deflated(data), ("deflate",)),
        "raw": (deflated(data, -15), ("deflate",)),
        "both": (gzip.compress(deflated(data), mtime=0), ("deflate", "gzip")),
        "members": (gzip.compress(data[:9], mtime=0) + gzip.compress(data[9:]), ("gzip",)),
    }[kind]
    assert unfolded(folded, *codings, step=step) == data


def test_nothing_is_held_back_when_a_step_is_full() -> None:
    """Output that waits inside the decoder comes out though there is no more input."""
    for size in (256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 512 * 1024, 777_777):
        data = bytes(size)
        assert unfolded(gzip.compress(data, mtime=0), "gzip") == data
        assert unfolded(gzip.compress(gzip.compress(data), mtime=0), "gzip", "gzip") == data


def test_an_empty_body_is_empty_in_every_coding() -> None:
    """Some send the field with every request."""
    assert whole(b"", "gzip") == (b"", 0, 0)


@pytest.mark.parametrize(
    ("data", "codings"),
    [
        (b"no gzip at all", ("gzip",)),
        (gzip.compress(b"abc", mtime=0)[:-1], ("gzip",)),
        (gzip.compress(b"abc", mtime=0)[:-8] + bytes(8), ("gzip",)),
        (gzip.compress(b"abc", mtime=0) + b"x", ("gzip",)),
        (deflated(b"abc") + b"x", ("deflate",)),
        (deflated(b"abc")[:-1], ("deflate",)),
        (b"\xff\xff\xff", ("deflate",)),
        (b"\x78", ("deflate",)),
        (gzip.compress(b"abc", mtime=0), ("gzip", "gzip")),
    ],
)
def test_what_is_not_in_its_coding_or_not_whole_is_400(data: bytes, codings: tuple[str, ...]) -> None:
    """Checksums are looked at too."""
    with pytest.raises(CodingError) as caught:
        unfolded(data, *codings)
    assert caught.value.status == 400


def test_a_body_may_unfold_to_the_limit_and_no_further() -> None:
    """The limit is on what comes of it."""
    data = random.Random(1).randbytes(5000)
    assert whole(gzip.compress(data, mtime=0), "gzip", max_bytes=5000)[0] == data
    with pytest.raises(CodingError, match="max_body_bytes=4999") as caught:
        whole(gzip.compress(data, mtime=0), "gzip", max_bytes=4999)
    assert caught.value.status == 413


def test_a_body_may_unfold_to_a_hundred_times_its_size() -> None:
    """A mebibyte is free, for small bodies of zeros are common; beyond it the ratio counts, over all codings together."""
    assert unfolded(gzip.compress(bytes(MIB), mtime=0), "gzip") == bytes(MIB)
    with pytest.raises(CodingError, match="100 times"):
        unfolded(gzip.compress(bytes(2 * MIB), mtime=0), "gzip")
    with pytest.raises(CodingError, match="100 times"):
        unfolded(gzip.compress(gzip.compress(bytes(2 * MIB), mtime=0)), "gzip", "gzip")
    noise = random.Random(1).randbytes(30_000)
    assert len(unfolded(gzip.compress(bytes(2 * MIB) + noise, mtime=0), "gzip")) == 2 * MIB + 30_000


def test_a_bomb_of_a_hundred_mebibytes_is_refused_after_a_tenth_of_it() -> None:
    """102 kB that would be 100 MiB: a hundred times that is made, a small step at a time, and nothing of it stays counted."""
    bomb, buffered, times = gzip.compress(bytes(100 * MIB), mtime=0), Buffered(), list[float]()

    def defuse() -> None:
        for _ in unfold(bomb, ("gzip",), None, buffered):
            times.append(time.process_time())

    begun = time.process_time()
    with pytest.raises(CodingError, match="100 times"):
        defuse()
    assert len(times) * 256 * 1024 <= 100 * len(bomb)
    assert time.process_time() - begun < 1.0  # 15 ms, in steps below a millisecond, where nothing else runs
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.1
    assert buffered.n_bytes == 0


def test_many_small_members_are_refused() -> None:
    """Each would cost a copy of what is left."""
    with pytest.raises(CodingError, match="small parts"):
        unfolded(gzip.compress(b"", mtime=0) * 2000, "gzip")
    data = [random.Random(n).randbytes(3000) for n in range(100)]
    assert unfolded(b"".join(map(gzip.compress, data)), "gzip") == b"".join(data)


def test_what_comes_of_a_body_is_counted_and_given_back() -> None:
    """Small ones are not; one that finds no room is refused with 503; one that is left gives back what it took."""
    data = random.Random(1).randbytes(100_000)
    buffered = Buffered(limit=150_000)
    body, n_counted, _ = whole(gzip.compress(data, mtime=0), "gzip", buffered=buffered)
    assert (body, n_counted, buffered.n_bytes) == (data, 100_000, 100_000)
    assert whole(gzip.compress(data[:9000], mtime=0), "gzip", buffered=buffered)[1] == 0
    with pytest.raises(CodingError) as caught:
        whole(gzip.compress(data, mtime=0), "gzip", buffered=buffered)
    assert (caught.value.status, buffered.n_bytes) == (503, 100_000)
    buffered.give_back(n_counted)
    left = unfold(gzip.compress(data, mtime=0), ("gzip",), None, buffered)
    next(left), next(left)
    assert buffered.n_bytes > 0
    left.close()
    assert buffered.n_bytes == 0


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("gzip", ("gzip",)),
        (" GZIP , x-gzip,, identity", ("gzip", "gzip")),
        ("deflate, gzip", ("deflate", "gzip")),
        ("identity", ()),
        ("", ()),
    ],
)
def test_codings_are_read_from_their_field(field: str, expected: tuple[str, ...]) -> None:
    """Names are case-insensitive, `x-gzip` is gzip, empty elements and `identity` say nothing."""
    assert codings_of(field) == expected


@pytest.mark.parametrize("field", ["br", "gzip, br", "gzip;q=1", "gzip, gzip, gzip, gzip"])
def test_unknown_codings_and_towers_of_them_are_415(field: str) -> None:
    """The text says what is understood."""
    with pytest.raises(CodingError) as caught:
        codings_of(field)
    assert caught.value.status == 415


def zstd() -> Any:
    """Python 3.14's module, or the same for older ones."""
    return importlib.import_module("compression.zstd") if sys.version_info >= (3, 14) else pytest.importorskip("backports.zstd")


@pytest.mark.parametrize("step", [777, MIB])
def test_zstd_is_undone_where_python_has_it(step: int) -> None:
    """In frames, however they are cut, and whatever waits in the decoder."""
    compress, known = zstd().compress, known_codings(zstd())
    data = random.Random(1).randbytes(50_000) * 20
    assert unfolded(compress(data) + compress(b"x"), "zstd", step=step, known=known) == data + b"x"
    for size in (256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, MIB):
        assert unfolded(compress(bytes(size)), "zstd", step=step, known=known) == bytes(size)


def test_zstd_has_the_same_limits() -> None:
    """And a window of 8 MiB at most (RFC 9659): a larger one would be held, whatever comes of it."""
    module, known = zstd(), known_codings(zstd())
    wide = module.ZstdCompressor(options={module.CompressionParameter.window_log: 27})
    for folded, text in (
        (module.compress(bytes(100 * MIB)), "100 times"),
        (module.compress(b"abc")[:-1], "ends before"),
        (b"nothing", "not zstd"),
        (wide.compress(random.Random(3).randbytes(9 * MIB)) + wide.flush(), "not zstd"),
    ):
        with pytest.raises(CodingError, match=text):
            unfolded(folded, "zstd", known=known)
