"""Every seed, every input worth keeping and every find of the fuzz targets, run as ordinary tests: no fuzzer is needed."""

from __future__ import annotations

import warnings

import pytest
from fuzz.checks import amplified, corpus, load, measured, run, target_names


@pytest.mark.parametrize("name", target_names())
def test_kept_inputs_break_no_promise(name: str) -> None:
    """The parser does what its target says, in time and within its memory."""
    target = load(name)
    inputs = corpus(target)
    assert inputs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in inputs:
            run(target, data)


@pytest.mark.parametrize("name", target_names())
def test_memory_is_bounded_by_size(name: str) -> None:
    """A seed as often as fits 64 KiB holds no more than a small multiple of itself."""
    target = load(name)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in target.seeds()[:3]:
            measured(target, amplified(data))
