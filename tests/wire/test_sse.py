"""Server-sent events, as we write them and as other readers cut them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from jina.client.sse import EventReader
from jina.wire import sse


def as_jinas_client_reads(chunk: bytes) -> list[bytes]:
    """`jina.clients.base.helper` of Jina 3.33: cut at `event: `, the payload from the fourteenth byte on."""
    return [event[14:] for event in chunk.split(b"event: ")[1:] if event.startswith(b"update")]


def test_events_are_framed_as_jinas_clients_cut_them() -> None:
    """CRLF, `event:` before `data:`."""
    event = sse.update(b'{"text":"hi"}')
    assert event == b'event: update\r\ndata: {"text":"hi"}\r\n\r\n'
    assert as_jinas_client_reads(event + sse.END) == [b'{"text":"hi"}\r\n\r\n']
    assert sse.END == b"event: end\r\n\r\n"
    assert sse.error(b'{"detail":"x"}') == b'event: error\r\ndata: {"detail":"x"}\r\n\r\n'


def test_line_ends_between_tokens_do_not_break_the_frame() -> None:
    """A space says the same there."""
    assert sse.update(b'{\r\n"a":1}') == b'event: update\r\ndata: {  "a":1}\r\n\r\n'


def test_a_ping_is_a_comment() -> None:
    """Which readers pass over."""
    assert sse.ping("now") == b": ping - now\r\n\r\n"
    assert EventReader().feed(sse.ping("now") + sse.END) == [("end", b"")]


@given(st.text(st.one_of(st.sampled_from("\r\n\u0085\u2028\u2029:\\ "), st.characters()), max_size=50), st.booleans())
def test_any_text_comes_back_from_jinas_client_ours_and_readers_that_split_lines_as_python_does(text: str, is_ascii: bool) -> None:
    """Whatever is in it: names of fields, line ends of all kinds, what looks like another event."""
    text = f"event: update{text}data: event: end{text}"
    event = sse.update(json.dumps({"text": text}, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass"))
    (ours,) = EventReader().feed(event)
    (theirs,) = as_jinas_client_reads(event)
    lines = event.decode("utf-8", "surrogatepass").splitlines()
    assert ours[0] == "update"
    assert [json.loads(each) for each in (ours[1], theirs)] == [{"text": text}] * 2
    assert (len(lines), json.loads(lines[1].removeprefix("data: "))) == (3, {"text": text})
