"""What an HTTP caller can get wrong: each has a clear answer, and the next call works."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from tests.process.callers import HttpReply, http_call
from tests.process.shapes import SHAPES, Service, shaped
from tests.process.strict_executor import Strict

pytestmark = pytest.mark.process

MAX_BODY = 12 << 20


@pytest.fixture(scope="module", params=SHAPES)
def running(request: pytest.FixtureRequest) -> Iterator[Service]:
    with shaped(request.param, Strict, before=Strict, protocol="http", port=0, max_body_bytes=MAX_BODY) as running:
        yield running


def deep(n: int, *, opens: bytes = b'{"a":', closes: bytes = b"}") -> bytes:
    return opens * n + b"1" + closes * n


DOCUMENTS: list[tuple[str, bytes, str]] = [
    ("malformed JSON", b'{"text":', "JSON"),
    ("a wrong type", b'{"n":"seven"}', "integer"),
    ("an array for a document", b"[1]", ""),
    ("nesting in a free-form field", b'{"extra":' + deep(1000) + b"}", "deep"),
    ("nesting of lists in a free-form field", b'{"extra":{"a":' + deep(1000, opens=b"[", closes=b"]") + b"}}", "deep"),
    ("nesting in a typed field", b'{"text":' + deep(1000) + b"}", ""),
    ("nesting of 100,000", b'{"extra":' + deep(100_000) + b"}", "deep"),
    ("NaN", b'{"x":NaN}', ""),
    ("Infinity", b'{"extra":{"a":-Infinity}}', ""),
    ("a number beyond floats", b'{"x":1e999}', ""),
    ("a number beyond floats in a free-form field", b'{"extra":{"a":1e999}}', ""),
    ("invalid UTF-8", b'{"text":"\xff"}', "UTF-8"),
    ("half a surrogate pair", b'{"text":"\\ud800"}', ""),
    ("a wrong tensor shape", b'{"vector":[1,2]}', "shape"),
    ("a tensor of text", b'{"vector":["a","b","c"]}', ""),
    ("a ragged tensor", b'{"vector":[[1],2,3]}', ""),
]


@pytest.mark.parametrize(("document", "word"), [pytest.param(*case, id=name) for name, *case in DOCUMENTS])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/batch"), ("POST", "/abatch"), ("POST", "/one"), ("POST", "/stream"), ("GET", "/astream")]
)
def test_a_bad_document_is_422_on_every_kind_of_endpoint(running: Service, method: str, path: str, document: bytes, word: str) -> None:
    """The findings say where, in FastAPI's shape; a stream says so before it begins."""
    body = document if "stream" in path else b'{"data":[%b]}' % document
    reply = http_call(running.ports[0], method, path, body)
    assert reply.status == 422, reply.body[:300]
    findings = reply.json["detail"]
    assert findings
    assert all(finding["loc"][0] == "body" and finding["msg"] for finding in findings)
    assert word.lower() in json.dumps(findings).lower()
    assert_goes_on(running)


def assert_goes_on(running: Service) -> None:
    assert http_call(running.ports[0], "POST", "/batch", {"data": [{"n": 1}]}).json["data"][0]["n"] == 1


ENVELOPES: list[tuple[str, bytes, int, str]] = [
    ("an empty body", b"", 422, "required"),
    ("not an object", b"[]", 422, "object"),
    ("no data", b"{}", 422, "required"),
    ("data null", b'{"data":null}', 422, ""),
    ("data a number", b'{"data":7}', 422, ""),
    ("data twice", b'{"data":[],"data":[{"n":1}]}', 422, "twice"),
    ("parameters twice", b'{"data":[],"parameters":{},"parameters":{"a":1}}', 422, "twice"),
    ("text after the object", b'{"data":[]} x', 422, "JSON"),
    ("parameters a list", b'{"data":[],"parameters":[1]}', 422, "dict"),
    ("deep parameters", b'{"data":[],"parameters":{"a":' + deep(1000) + b"}}", 422, "deep"),
    ("a parameter beyond floats", b'{"data":[],"parameters":{"a":1e999}}', 422, ""),
    ("a large integer beyond floats", b'{"data":[],"parameters":{"a":1%b}}' % (b"0" * 400), 422, ""),
    ("half a surrogate pair in a parameter", b'{"data":[],"parameters":{"a":"\\ud800"}}', 422, ""),
    ("invalid UTF-8 in a parameter", b'{"data":[],"parameters":{"a":"\xff"}}', 422, "UTF-8"),
    ("a header that is none", b'{"data":[],"header":7}', 422, "dict"),
    ("a request id with a space", b'{"data":[],"header":{"requestId":"a b"}}', 400, "requestId"),
    ("deep data", b'{"data":' + deep(1000, opens=b"[", closes=b"]") + b"}", 422, "deep"),
    ("deep data, 100,000", b'{"data":' + deep(100_000, opens=b"[", closes=b"]") + b"}", 422, "deep"),
]


@pytest.mark.parametrize(("body", "status", "word"), [pytest.param(*case, id=name) for name, *case in ENVELOPES])
@pytest.mark.parametrize("path", ["/batch", "/one"])
def test_a_bad_envelope_is_told(running: Service, path: str, body: bytes, status: int, word: str) -> None:
    """What stands around the documents is checked as they are."""
    reply = http_call(running.ports[0], "POST", path, body)
    assert reply.status == status, reply.body[:300]
    assert word.lower() in json.dumps(reply.json["detail"]).lower()
    assert_goes_on(running)


def test_deep_parameters_of_a_stream_are_422(running: Service) -> None:
    """In the envelope and in the query."""
    body = b'{"data":{"n":1},"parameters":{"a":' + deep(1000) + b"}}"
    assert http_call(running.ports[0], "POST", "/stream", body).status == 422
    assert http_call(running.ports[0], "GET", "/stream?n=1&parameters=" + deep(1000).decode().replace('"', "%22")).status == 422
    assert_goes_on(running)


@pytest.mark.parametrize(
    ("query", "status"),
    [("n=seven", 422), ("x=nan", 422), ("x=1e999", 422), ("text=%FF", 422), ("vector=[1,2]", 422), ("n=1&parameters=[", 422), ("n=1", 200)],
)
def test_a_query_is_checked_like_a_body(running: Service, query: str, status: int) -> None:
    """GET with the document in the query."""
    assert http_call(running.ports[0], "GET", f"/stream?{query}").status == status
    assert_goes_on(running)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/nothing", 404),
        ("GET", "/nothing", 404),
        ("POST", "/batc", 404),
        ("GET", "/batch", 405),
        ("PUT", "/batch", 405),
        ("DELETE", "/stream", 405),
        ("POST", "/", 405),
        ("POST", "/docs", 405),
        ("POST", "/_jina_dry_run_", 404),
    ],
)
def test_unknown_paths_and_wrong_methods(running: Service, method: str, path: str, status: int) -> None:
    """404 with the nearest name, 405 with what is allowed."""
    reply = http_call(running.ports[0], method, path, {"data": []})
    assert reply.status == status
    assert ("allow" in reply.headers) == (status == 405)
    if path == "/batc":
        assert "/batch" in reply.json["hint"] or "/abatch" in reply.json["hint"]
    assert_goes_on(running)


def test_a_document_of_10_mb_comes_back(running: Service) -> None:
    """Whole, on all kinds of endpoint."""
    text = "ä" * 5_000_000
    for path in ("/batch", "/one"):
        assert (
            http_call(running.ports[0], "POST", path, json.dumps({"data": [{"text": text}]}, ensure_ascii=False).encode()).json["data"][0][
                "text"
            ]
            == text
        )
    events = http_call(running.ports[0], "POST", "/stream", json.dumps({"text": text}, ensure_ascii=False).encode()).body
    assert json.loads(events.split(b"\r\n")[1][6:])["text"] == text


@pytest.mark.parametrize("path", ["/batch", "/one", "/stream"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_over_the_limit_is_413(running: Service, path: str, *, is_chunked: bool) -> None:
    """Refused by its announced length at once, or as soon as it passes the limit; the text names the option."""
    connection = http.client.HTTPConnection("127.0.0.1", running.ports[0], timeout=30)
    try:
        connection.putrequest("POST", path)
        if is_chunked:
            connection.putheader("transfer-encoding", "chunked")
            connection.endheaders()
            try:
                for _ in range(MAX_BODY // 1_000_000 + 2):
                    connection.send(b"%x\r\n%b\r\n" % (1_000_000, b" " * 1_000_000))
            except OSError:
                pass  # the answer came, and then the connection was closed
        else:
            connection.putheader("content-length", str(MAX_BODY + 1))
            connection.endheaders()
        response = connection.getresponse()
        reply = HttpReply(response.status, {}, response.read())
    finally:
        connection.close()
    assert reply.status == 413
    assert "max_body_bytes" in reply.json["detail"]
    assert_goes_on(running)


@pytest.mark.parametrize("n", [2**31, 2**53 + 1, -(2**63), 2**64])
def test_integers_beyond_int32_go_both_ways(running: Service, n: int) -> None:
    """JSON has no such limit."""
    for path in ("/batch", "/one"):
        assert http_call(running.ports[0], "POST", path, {"data": [{"n": n, "extra": {"n": n}}]}).json["data"][0]["n"] == n
    assert_goes_on(running)
