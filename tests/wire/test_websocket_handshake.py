from __future__ import annotations

from typing import Any

import pytest

from jina.wire import websocket_handshake as handshake
from jina.wire.websocket_handshake import Refused

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
ASKS = {"host": "h:1", "sec-websocket-version": "13", "sec-websocket-key": KEY}


def refused(found: bytes | Refused) -> Refused:
    assert isinstance(found, Refused)
    return found


def test_the_example_of_the_rfc() -> None:
    """Section 1.3."""
    assert handshake.answer(b"GET", ASKS) == b"upgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"


def test_over_http2_there_is_no_key() -> None:
    """RFC 8441, 5."""
    assert handshake.answer(b"CONNECT", {"sec-websocket-version": "13"}) == b""


@pytest.mark.parametrize("version", [None, "8", "13, 8", "013"])
@pytest.mark.parametrize("method", [b"GET", b"CONNECT"])
def test_another_version_is_told_which_one_is_spoken(version: str | None, method: bytes) -> None:
    """426 with Sec-WebSocket-Version (RFC 6455, 4.2.2)."""
    asks = {**ASKS, "sec-websocket-version": version} if version is not None else {"sec-websocket-key": KEY}
    found = refused(handshake.answer(method, asks))
    assert found.status == 426
    assert b"sec-websocket-version: 13\r\n" in found.lines


@pytest.mark.parametrize("key", ["", "short", KEY[:-4], KEY + "AAAA", "dGhlIHNhbXBsZSBub25jZ!==", "x" * 24, "é" * 24])
def test_a_key_is_sixteen_bytes_in_base64(key: str) -> None:
    """400 otherwise (RFC 6455, 4.2.1)."""
    assert refused(handshake.answer(b"GET", {**ASKS, "sec-websocket-key": key})).status == 400


def test_only_a_get_becomes_a_websocket() -> None:
    """RFC 6455, 4.1."""
    assert refused(handshake.answer(b"POST", ASKS)).status == 405


@pytest.mark.parametrize(
    ("asked", "spoken", "told"),
    [
        (None, "json", None),
        ("json", "json", "json"),
        ("bytes", "bytes", "bytes"),
        ("mqtt", "json", None),
        ("mqtt, bytes", "bytes", "bytes"),
        ("BYTES", "json", None),
    ],
)
def test_the_sub_protocol_is_told_to_browsers_alone(asked: str | None, spoken: str, told: str | None) -> None:
    """They close where it is missing; Jina never sends it."""
    asks = ASKS if asked is None else {**ASKS, "sec-websocket-protocol": asked}
    assert handshake.protocol_of(asks) == spoken
    assert b"protocol" not in bytes(handshake.answer(b"GET", asks))  # type: ignore[arg-type]
    answer = handshake.answer(b"GET", {**asks, "origin": "http://h:1"})
    assert isinstance(answer, bytes)
    assert answer.endswith(b"sec-websocket-protocol: %b\r\n" % told.encode()) if told else b"protocol" not in answer


@pytest.mark.parametrize(
    ("origin", "is_same"),
    [
        (None, True),
        ("http://h:1", True),
        ("https://H:1", True),
        ("http://h", False),
        ("http://h:2", False),
        ("null", False),
        ("file://", False),
    ],
)
def test_whose_page_asks(origin: str | None, is_same: bool) -> None:
    """Host and port must be those that were asked; what no page sends has no origin."""
    headers = {"host": "h:1"} if origin is None else {"host": "h:1", "origin": origin}
    assert handshake.is_same_origin(headers) is is_same
    assert not handshake.is_same_origin({"host": "", "origin": "file://"})


GRANTS = {"upgrade": "WebSocket", "connection": "keep-alive, Upgrade", "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"sec-websocket-protocol": "bytes"}, ""),
        ({"upgrade": "h2c"}, "'upgrade' is not"),
        ({"connection": "close"}, "no 'upgrade'"),
        ({"sec-websocket-accept": "x"}, "does not answer our key"),
        ({"sec-websocket-protocol": "json"}, "was not asked for"),
    ],
)
def test_a_client_looks_at_what_it_is_answered(changed: dict[str, Any], fault: str) -> None:
    """RFC 6455, 4.1: five things must fit."""
    assert (fault in handshake.fault_of(KEY, {**GRANTS, **changed})) if fault else handshake.fault_of(KEY, {**GRANTS, **changed}) == ""


def test_a_client_asks_with_a_new_key_each_time() -> None:
    """Its own fields, and those of the handshake."""
    key = handshake.new_key()
    assert key != handshake.new_key()
    asked = handshake.ask(key, {"host": "h"}, offer="permessage-deflate")
    assert isinstance(handshake.answer(b"GET", asked), bytes)
    assert (asked["host"], asked["sec-websocket-protocol"], asked["sec-websocket-extensions"]) == ("h", "bytes", "permessage-deflate")
    assert "sec-websocket-extensions" not in handshake.ask(key, {})
