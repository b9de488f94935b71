"""What fronts and workers say to each other, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.call import Call, Payload
from jina.errors import MalformedError
from jina.transport.hop_messages import read_call, write_call

payloads = st.builds(Payload, st.binary(max_size=50), st.sampled_from(["json", "strict", "ours"]), st.booleans())
calls = st.builds(
    Call,
    endpoint=st.text(max_size=9),
    payload=payloads,
    request_id=st.text(max_size=9),
    parameters=st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False), max_size=3),
    headers=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    priority=st.integers(0, 9),
    is_stream=st.booleans(),
    wants=st.sampled_from(["json", "strict", "ours"]),
    call_id=st.binary(max_size=16),
)


@given(calls)
def test_a_call_comes_out_as_it_went_in(call: Call) -> None:
    """Documents and all."""
    assert read_call(bytes(write_call(call))) == call


@given(calls, st.lists(st.tuples(st.text(max_size=5), payloads), min_size=1, max_size=5), st.booleans())
def test_documents_of_branches_come_out_apart(call: Call, branches: list[tuple[str, Payload]], keeps_branches: bool) -> None:
    """Each with its encoding, also where one of them has none."""
    call.branches, call.payload, call.keeps_branches = tuple(branches), Payload(b"", "ours"), keeps_branches
    assert read_call(bytes(write_call(call))) == call


@pytest.mark.parametrize("n_bytes", [-1, 1])
def test_branches_that_end_elsewhere_are_refused(n_bytes: int) -> None:
    """A byte too few, a byte too many."""
    message = bytes(write_call(Call("/a", Payload(b"", "ours"), branches=(("a", Payload(b"one", "ours")), ("b", Payload(b"two", "ours"))))))
    with pytest.raises(MalformedError, match="do not end where it says"):
        read_call(message[:n_bytes] if n_bytes < 0 else message + b"x")


@given(st.binary(max_size=200))
def test_what_is_no_call_is_refused(data: bytes) -> None:
    """With one kind of error."""
    try:
        read_call(data)
    except MalformedError:
        return
    assert len(data) >= 4
