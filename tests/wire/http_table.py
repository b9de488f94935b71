"""Raw requests and what is made of them: read by the tests of the core, and given to other servers in `tests/interop/test_http1_peers.py`.

An outcome is a list: `POST /path body` for a request that is taken, a number for a refusal. Every case is complete: nothing more is waited
for once its bytes are there.
"""

from __future__ import annotations

from collections.abc import Iterator

Case = tuple[bytes, list[str | int]]

HOST = b"Host: a\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def get(fields: bytes = b"", *, target: bytes = b"/", host: bytes = HOST, version: bytes = b"HTTP/1.1") -> bytes:
    """A request without a body."""
    return b"GET %b %b\r\n%b%b\r\n" % (target, version, host, fields)


def post(fields: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    """A request with a body that `fields` frame."""
    return b"POST / %b\r\n%b%b\r\n%b" % (version, HOST, fields, body)


def chunked(body: bytes) -> bytes:
    """A request whose body is these chunks."""
    return post(b"Transfer-Encoding: chunked\r\n", body)


OK = ["GET / "]
TWO = ["GET / ", "GET /next "]


def _request_lines() -> Iterator[tuple[str, bytes, list[str | int]]]:
    yield "plain", get(), [*OK]
    yield "pipelined", get() + NEXT, [*TWO]
    yield "empty line first", b"\r\n" + get(), [*OK]
    yield "three empty lines first", b"\r\n\r\n\r\n" + get(), [*OK]
    yield "empty line between", get() + b"\r\n" + NEXT, [*TWO]
    yield "bare LF first", b"\n" + get(), [*OK]
    yield "bare CR first", b"\r" + get(), [*OK]
    yield "space first", b" " + get(), [400]
    yield "two spaces after the method", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", [*OK]
    yield "two spaces after the target", b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", [*OK]
    yield "tabs for spaces", b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", [400]
    yield "space after the version", get(version=b"HTTP/1.1 "), [400]
    yield "bare LF after the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", [400]
    yield "bare CR after the request line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", [400]
    yield "only LF", b"GET / HTTP/1.1\nHost: a\n\n", [400]
    yield "unknown method", b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", [400]
    yield "method in lower case", b"get / HTTP/1.1\r\nHost: a\r\n\r\n", [400]
    yield "method with a control character", b"G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", [400]
    yield "method with a slash", b"GE/T / HTTP/1.1\r\nHost: a\r\n\r\n", [400]
    yield "long method", b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % (b"A" * 9000), [400]
    yield "no method", b" / HTTP/1.1\r\nHost: a\r\n\r\n", [400]
    for method in (b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND"):
        yield f"method {method.decode()}", b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % method, [f"{method.decode()} / "]
    yield "method HEAD", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", ["HEAD / "]
    yield "HTTP/0.9", b"GET /\r\n\r\n", [505]
    yield "TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), [400]
    yield "SSH", b"SSH-2.0-OpenSSH_9.6\r\n", [400]
    yield "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]
    yield "HTTP/2 preface behind a request", get() + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [*OK, 400]
    yield "junk behind a request", get() + b"junk\r\n\r\n", [*OK, 400]


def _versions() -> Iterator[tuple[str, bytes, list[str | int]]]:
    for version, status in (
        (b"0.9", 505),
        (b"1.2", 400),
        (b"2.0", 505),
        (b"3.0", 400),
        (b"1.10", 400),
        (b"01.1", 400),
        (b"1", 400),
        (b"1.", 400),
    ):
        yield f"version {version.decode()}", get(version=b"HTTP/" + version), [status]
    yield "version in lower case", get(version=b"http/1.1"), [400]
    yield "version of another protocol", get(version=b"HTTPS/1.1"), [400]
    yield "version RTSP", b"DESCRIBE / RTSP/1.0\r\nHost: a\r\n\r\n", ["DESCRIBE / "]
    yield "version ICE", get(version=b"ICE/1.0"), [400]
    yield "HTTP/1.0", get(version=b"HTTP/1.0"), [*OK]
    yield "HTTP/1.0 without Host", get(version=b"HTTP/1.0", host=b""), [*OK]
    yield "HTTP/1.0 ends the connection", get(version=b"HTTP/1.0") + NEXT, [*OK]
    yield "HTTP/1.0 keep-alive", get(b"Connection: keep-alive\r\n", version=b"HTTP/1.0") + NEXT, [*TWO]
    yield "HTTP/1.0 with a length", post(b"Content-Length: 1\r\n", b"x", b"HTTP/1.0"), ["POST / x"]
    yield "HTTP/1.0 chunked", post(b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n0\r\n\r\n", b"HTTP/1.0"), [400]
    yield "HTTP/1.0 with two hosts", get(b"Host: b\r\n", version=b"HTTP/1.0"), [400]


def _targets() -> Iterator[tuple[str, bytes, list[str | int]]]:
    for name, target, outcome in (
        ("absolute", b"http://a/x", ["GET /x "]),
        ("absolute in capitals", b"HTTP://a/x", ["GET /x "]),
        ("absolute https", b"https://a/x", ["GET /x "]),
        ("absolute of another host", b"http://b/x", ["GET /x "]),
        ("absolute without a path", b"http://a", ["GET / "]),
        ("absolute with a query alone", b"http://a?q", ["GET /?q "]),
        ("absolute with a literal address", b"http://[::1]:80/x", ["GET /x "]),
        ("absolute without a host", b"http:///x", [400]),
        ("absolute with a port alone", b"http://:80/x", [400]),
        ("absolute with a user", b"http://u@a/x", [400]),
        ("absolute of another scheme", b"ftp://a/x", [400]),
        ("absolute with a fragment", b"http://a/x#y", [400]),
        ("asterisk", b"*", [400]),
        ("authority", b"a:80", [400]),
        ("relative", b"x", [400]),
        ("query alone", b"?x", [400]),
        ("none", b"", [400]),
        ("with a space", b"/a b", [400]),
        ("with a tab", b"/a\tb", [400]),
        ("with NUL", b"/a\0b", [400]),
        ("with DEL", b"/a\x7fb", [400]),
        ("with a bare CR", b"/a\rb", [400]),
        ("with a byte above 127", b"/\xc3\xa9", [400]),
        ("with a fragment", b"/a#b", [400]),
        ("with two slashes", b"//a", ["GET //a "]),
        ("with a half percent", b"/%", ["GET /% "]),
        ("with brackets", b"/{a}|[b]", ["GET /{a}|[b] "]),
        ("with dots", b"/a/../b", ["GET /a/../b "]),
        ("of 8000 bytes", b"/" + b"a" * 7999, ["GET /" + "a" * 7999 + " "]),
        ("of 70000 bytes", b"/" + b"a" * 69999, [414]),
    ):
        yield f"target {name}", get(target=target), outcome  # type: ignore[misc]
    yield "OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS * "]
    yield "CONNECT", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", [501]
    yield "CONNECT to a path", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", [400]


def _hosts() -> Iterator[tuple[str, bytes, list[str | int]]]:
    yield "Host missing", get(host=b""), [400]
    yield "Host twice", get(b"Host: a\r\n"), [400]
    yield "Host twice and different", get(b"Host: b\r\n"), [400]
    yield "Host missing with an absolute target", get(target=b"http://a/", host=b""), [400]
    for name, host, is_good in (
        ("empty", b"", True),
        ("with a port", b"a:80", True),
        ("with an empty port", b"a:", True),
        ("with a literal address", b"[::1]:80", True),
        ("with an underscore", b"_a", True),
        ("percent-encoded", b"a%20b", True),
        ("with a space", b"a b", False),
        ("with a comma and a space", b"a, b", False),
        ("with a slash", b"a/b", False),
        ("with a user", b"u@a", False),
        ("with a question mark", b"a?b", False),
        ("with a backslash", b"a\\b", False),
        ("with a word for a port", b"a:b", False),
        ("with two ports", b"a:80:80", False),
        ("with an open bracket", b"[::1", False),
        ("with a quote", b'"a"', False),
        ("with a byte above 127", b"\xc3\xa9", False),
        ("that is a URL", b"http://a", False),
    ):
        yield f"Host {name}", get(host=b"Host: %b\r\n" % host), [*OK] if is_good else [400]


def _fields() -> Iterator[tuple[str, bytes, list[str | int]]]:
    for name, line, is_good in (
        ("empty value", b"X:\r\n", True),
        ("spaces around the value", b"X: \t a \t \r\n", True),
        ("no space", b"X:a\r\n", True),
        ("tab in a value", b"X: a\tb\r\n", True),
        ("byte above 127 in a value", b"X: \xe9\r\n", True),
        ("NUL in a value", b"X: a\0b\r\n", False),
        ("control character in a value", b"X: a\x01b\r\n", False),
        ("DEL in a value", b"X: a\x7fb\r\n", False),
        ("bare CR in a value", b"X: a\rb\r\n", False),
        ("bare LF in a value", b"X: a\nY: b\r\n", False),
        ("bare CR at the end of a line", b"X: a\r", False),
        ("CR CR LF at the end of a line", b"X: a\r\r\n", False),
        ("space before the colon", b"X : a\r\n", False),
        ("tab before the colon", b"X\t: a\r\n", False),
        ("space in a name", b"X Y: a\r\n", False),
        ("no name", b": a\r\n", False),
        ("no colon", b"X\r\n", False),
        ("NUL in a name", b"X\0: a\r\n", False),
        ("bracket in a name", b"X(: a\r\n", False),
        ("byte above 127 in a name", b"\xc3\xa9: a\r\n", False),
        ("quote in a name", b'"X": a\r\n', False),
        ("every character of a token in a name", b"!#$%&'*+-.^_`|~0aZ: a\r\n", True),
        ("folded line", b"X: a\r\n b\r\n", False),
        ("line folded with a tab", b"X: a\r\n\tb\r\n", False),
        ("folded empty line", b"X: a\r\n \r\n", False),
        ("folded after an empty value", b"X:\r\n a\r\n", False),
        ("100 of them", b"X: a\r\n" * 99, True),
        ("101 of them", b"X: a\r\n" * 100, False),
        ("of 60000 bytes", b"X: %b\r\n" % (b"a" * 60000), True),
        ("of 70000 bytes", b"X: %b\r\n" % (b"a" * 70000), False),
    ):
        status = 431 if "101" in name or "70000" in name else 400
        yield f"field: {name}", get(line), [*OK] if is_good else [status]
    yield "field: space before the first", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", [400]
    yield "field: folded Host", b"GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n", [400]
    yield "end of the head as a bare LF", b"GET / HTTP/1.1\r\nHost: a\r\n\n", [400]
    yield "end of the head as LF CR LF", b"GET / HTTP/1.1\r\nHost: a\n\r\n", [400]


def _lengths() -> Iterator[tuple[str, bytes, list[str | int]]]:
    for name, value, is_good in (
        ("plain", b"5", True),
        ("with leading zeros", b"005", True),
        ("with spaces around", b"  5\t ", True),
        ("as a list", b"5, 5", False),
        ("as a list of two", b"5, 6", False),
        ("with a plus", b"+5", False),
        ("with a minus", b"-5", False),
        ("in hex", b"0x5", False),
        ("with an exponent", b"5e0", False),
        ("with an underscore", b"0_5", False),
        ("with a space within", b"5 5", False),
        ("with a semicolon", b"5;a", False),
        ("with a vertical tab", b"\x0b5", False),
        ("in another alphabet", "５".encode(), False),
        ("in quotes", b'"5"', False),
        ("with a dot", b"5.0", False),
        ("empty", b"", False),
        ("of 2**64 + 5", b"18446744073709551621", False),
        ("with 5000 zeros before", b"0" * 5000 + b"5", False),
    ):
        status = 413 if "5000" in name else 400
        yield f"length {name}", post(b"Content-Length: %b\r\n" % value, b"abcde"), ["POST / abcde"] if is_good else [status]
    yield "length over the limit", post(b"Content-Length: 999999999999\r\n"), [413]
    yield "length twice", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"abcde"), [400]
    yield "length twice and different", post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"abcdef"), [400]
    yield "length and chunked", post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nX"), [400]
    yield "chunked and length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", b"0\r\n\r\nX"), [400]
    yield "length of a GET", get(b"Content-Length: 2\r\n") + b"hi" + NEXT, ["GET / hi", "GET /next "]
    yield "length 0", post(b"Content-Length: 0\r\n") + NEXT, ["POST / ", "GET /next "]
    yield "no length", post(b"") + NEXT, ["POST / ", "GET /next "]
    yield "empty line behind a body", post(b"Content-Length: 1\r\n", b"x\r\n") + NEXT, ["POST / x", "GET /next "]


def _codings() -> Iterator[tuple[str, bytes, list[str | int]]]:
    whole = b"1\r\nx\r\n0\r\n\r\n"
    for name, value, outcome in (
        ("chunked", b"chunked", ["POST / x"]),
        ("in capitals", b"CHUNKED", ["POST / x"]),
        ("with spaces before", b" \t chunked", ["POST / x"]),
        ("with spaces after", b"chunked \t", [400]),
        ("unknown", b"xchunked", [400]),
        ("identity", b"identity", [400]),
        ("gzip, chunked", b"gzip, chunked", [501]),
        ("chunked, gzip", b"chunked, gzip", [400]),
        ("chunked, identity", b"chunked, identity", [400]),
        ("chunked, chunked", b"chunked, chunked", [400]),
        ("with a comma before", b", chunked", [501]),
        ("with a comma after", b"chunked,", [400]),
        ("with a parameter", b"chunked;q=1", [400]),
        ("in quotes", b'"chunked"', [400]),
        ("with a vertical tab", b"\x0bchunked", [400]),
        ("empty", b"", [400]),
    ):
        yield f"transfer coding {name}", post(b"Transfer-Encoding: %b\r\n" % value, whole), outcome  # type: ignore[misc]
    yield "transfer coding twice", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", whole), [400]
    yield "transfer coding twice, identity first", post(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", whole), [400]
    yield "transfer coding folded", post(b"Transfer-Encoding:\r\n chunked\r\n", whole), [400]
    yield "transfer coding with a space before the colon", post(b"Transfer-Encoding : chunked\r\n", whole), [400]
    yield "transfer coding with an underscore", post(b"Transfer_Encoding: chunked\r\n") + NEXT, ["POST / ", "GET /next "]


def _chunks() -> Iterator[tuple[str, bytes, list[str | int]]]:
    for name, body, outcome in (
        ("two", b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "abc"),
        ("none", b"0\r\n\r\n", ""),
        ("size with leading zeros", b"0001\r\nx\r\n000\r\n\r\n", "x"),
        ("size in capitals", b"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("extension", b"1;a\r\nx\r\n0;b=c\r\n\r\n", "x"),
        ("quoted extension", b'1;a="b;c"\r\nx\r\n0\r\n\r\n', "x"),
        ("extension with a bare LF", b"1;a\nb\r\nx\r\n0\r\n\r\n", None),
        ("extension with a bare CR", b"1;a\rb\r\nx\r\n0\r\n\r\n", None),
        ("extension with NUL", b"1;a\0\r\nx\r\n0\r\n\r\n", None),
        ("space after the size", b"1 \r\nx\r\n0\r\n\r\n", None),
        ("space before the size", b" 1\r\nx\r\n0\r\n\r\n", None),
        ("space before an extension", b"1 ;a\r\nx\r\n0\r\n\r\n", None),
        ("no size", b"\r\nx\r\n0\r\n\r\n", None),
        ("size with 0x", b"0x1\r\nx\r\n0\r\n\r\n", None),
        ("size with a plus", b"+1\r\nx\r\n0\r\n\r\n", None),
        ("size with a minus", b"-1\r\nx\r\n0\r\n\r\n", None),
        ("size with an underscore", b"0_1\r\nx\r\n0\r\n\r\n", None),
        ("size over 64 bits", b"10000000000000001\r\nx\r\n0\r\n\r\n", None),
        ("size ended by a bare LF", b"1\nx\r\n0\r\n\r\n", None),
        ("size ended by a bare CR", b"1\rx\r\n0\r\n\r\n", None),
        ("data longer than the size", b"1\r\nxy\r\n0\r\n\r\n", None),
        ("data ended by a bare LF", b"1\r\nx\n0\r\n\r\n", None),
        ("data without an end", b"1\r\nx0\r\n\r\n", None),
        ("last ended by a bare LF", b"1\r\nx\r\n0\n\r\n", None),
        ("trailer", b"1\r\nx\r\n0\r\nT: v\r\n\r\n", "x"),
        ("trailer that is a Host", b"1\r\nx\r\n0\r\nHost: b\r\n\r\n", "x"),
        ("trailer that is a length", b"1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n", None),
        ("trailer that is a transfer coding", b"1\r\nx\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        ("trailer that is folded", b"1\r\nx\r\n0\r\nT: v\r\n w\r\n\r\n", None),
        ("trailer without a colon", b"1\r\nx\r\n0\r\nT\r\n\r\n", None),
        ("trailer with a bare LF", b"1\r\nx\r\n0\r\nT: v\n\r\n", None),
    ):
        yield f"chunks: {name}", chunked(body) + NEXT, [400] if outcome is None else [f"POST / {outcome}", "GET /next "]


def _connection() -> Iterator[tuple[str, bytes, list[str | int]]]:
    yield "close", get(b"Connection: close\r\n") + NEXT, [*OK]
    yield "close in a list", get(b"Connection: x, Close\r\n") + NEXT, [*OK]
    yield "close beside keep-alive", get(b"Connection: keep-alive, close\r\n") + NEXT, [*OK]
    yield "close in a second field", get(b"Connection: x\r\nConnection: close\r\n") + NEXT, [*OK]
    yield "keep-alive", get(b"Connection: keep-alive\r\n") + NEXT, [*TWO]
    yield "another option", get(b"Connection: x\r\nX: a\r\n") + NEXT, [*TWO]
    yield (
        "upgrade to h2c",
        get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n") + NEXT,
        [*TWO],
    )
    yield (
        "upgrade with a body",
        post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n", b"hi") + NEXT,
        ["POST / hi", "GET /next "],
    )
    yield "expect 100-continue", post(b"Expect: 100-continue\r\nContent-Length: 1\r\n", b"x") + NEXT, ["POST / x", "GET /next "]
    yield "expect 100-continue without a body", get(b"Expect: 100-continue\r\n") + NEXT, [*TWO]
    yield "expect something else", post(b"Expect: wonders\r\nContent-Length: 1\r\n", b"x"), [417]
    yield "range", get(b"Range: bytes=0-1\r\n") + NEXT, [*TWO]


CASES: dict[str, Case] = {}
for _part in (_request_lines, _versions, _targets, _hosts, _fields, _lengths, _codings, _chunks, _connection):
    for _name, _data, _outcome in _part():
        assert _name not in CASES, _name
        CASES[_name] = (_data, _outcome)
