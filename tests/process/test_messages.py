"""What the supervisor and its children say to each other."""

import os

from hypothesis import given
from hypothesis import strategies as st

from jina.process.messages import Reader, ReplicaDown, Stop, WorkerStarted, send


@given(st.lists(st.integers(1, 200), max_size=20))
def test_messages_survive_any_cut_of_the_pipe(cuts: list[int]) -> None:
    """However the bytes arrive, the same messages come out in the same order."""
    sent: list[WorkerStarted | ReplicaDown | Stop] = [WorkerStarted("a/rep-0", 12), ReplicaDown("a/rep-0", "a", "why" * 30), Stop(2.5)]
    read, write = os.pipe()
    for message in sent:
        send(write, message)
    os.close(write)
    data = os.read(read, 1 << 16)
    os.close(read)

    reader, got = Reader.of_orders(), []
    for cut in cuts:
        got += reader.feed(data[:cut])
        data = data[cut:]
    got += reader.feed(data)

    assert got == sent
