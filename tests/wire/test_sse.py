from __future__ import annotations

from jina.wire import sse


def test_events_are_framed_as_jinas_clients_cut_them() -> None:
    event = sse.update(b'{"text":"hi"}')
    assert event == b'event: update\r\ndata: {"text":"hi"}\r\n\r\n'
    assert event.split(b"event: ")[1][14:] == b'{"text":"hi"}\r\n\r\n'
    assert sse.END == b"event: end\r\n\r\n"


def test_line_ends_between_tokens_do_not_break_the_frame() -> None:
    assert sse.update(b'{\r\n"a":1}') == b'event: update\r\ndata: {  "a":1}\r\n\r\n'


def test_a_ping_is_a_comment() -> None:
    assert sse.ping("now") == b": ping - now\r\n\r\n"
