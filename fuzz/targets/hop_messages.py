"""What front and worker say to each other: calls, replies and items are read or refused, and what is written is read back."""

from __future__ import annotations

from typing import Any

from jina.call import Call, Item, Payload, Status
from jina.errors import Code, MalformedError
from jina.transport import hop_messages as hop

MAX_BYTES = 512
WORDS = (b"json", b"strict", b"ours", b"\xc0", b"\xc2", b"\xc3", b"\x80", b"\x90", b"\x9b", b"\x96", b"\xcb\x3f\xf0\0\0\0\0\0\0")


def check(data: bytes) -> None:
    call = _try(hop.read_call, data)
    if call is not None:
        again = hop.read_call(bytes(hop.write_call(call)))
        assert (again.endpoint, again.payload, again.parameters) == (call.endpoint, call.payload, call.parameters) or "nan" in repr(call)
        assert again.headers == call.headers
    found = _try(hop.read_reply, data)
    if found is not None:
        reply, results = found
        if reply.payload is None or (reply.payload.encoding, reply.payload.is_single) in hop._PLAIN:
            written = hop.write_reply(reply.status, reply.payload, results, reply.headers)
            same, same_results = hop.read_reply(bytes(written))
            assert repr((same.status, same.payload, same_results)) == repr((reply.status, reply.payload, results))
    items = _try(hop.read_items, data)
    if items is not None and all(item.payload is None or (item.payload.encoding, item.payload.is_single) in hop._PLAIN for item in items):
        written = hop.write_items(items, lambda status, payload: hop.write_reply(status, payload, None, {}))
        assert repr(hop.read_items(written)) == repr(items)


def _try(read: Any, data: bytes) -> Any:
    try:
        return read(data)
    except MalformedError:
        return None


def seeds() -> list[bytes]:
    status = Status(Code.EXECUTOR_FAILED, "ValueError('no')", "ValueError", ["no"], ["a\n"], "E", [{"loc": ["a"]}], 1.5)
    call = Call("/a", Payload(b"[{}]", "json"), "id", {"a": 1.5}, {"x": "y"}, "", None, 3, False, "json", b"0123456789abcdef")
    reply = hop.write_reply(status, Payload(b"[]", "ours"), {"a": 1}, {"x": "y"})
    plain = hop.write_reply(None, Payload(b"{}", "json", True), None, {})
    items = [Item(Payload(b"{}", "json", True)), Item(None, status)]
    return [bytes(written) for written in (hop.write_call(call), reply, plain)] + [
        hop.write_items(items, lambda status, payload: hop.write_reply(status, payload, None, {}))
    ]
