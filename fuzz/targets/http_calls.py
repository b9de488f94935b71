"""What an HTTP request brings for an endpoint, by body and query: an envelope of JSON or findings that are JSON, for all kinds of field."""

from __future__ import annotations

import json

from fuzz.choices import Choices
from fuzz.documents import CODECS
from jina.call import EndpointInfo
from jina.fronts import http_calls
from jina.wire.envelope import EnvelopeError

MAX_BYTES = 192
HELD_FACTOR = 1000
WORDS = (
    b"text=a",
    b"&n=1",
    b"&tags={}",
    b"&smalls=[",
    b"&many=1&many=2",
    b"&parameters={}",
    b"&anything=null",
    b"%41",
    b"%ff",
    b"%",
    b"&",
    b"1e999",
    b"NaN",
)
INFOS = [EndpointInfo("/a", "stream", codec.json_schema()) for codec in CODECS] + [EndpointInfo("/a", "batch")]
HEADERS = ("x-request-id", "x-request-timeout", "x-request-priority", "content-encoding")


def check(data: bytes) -> None:
    choices = Choices(data)
    info, is_get = choices.pick(INFOS), choices.number(4) > 0
    note = http_calls.Note({choices.pick(HEADERS): choices.string().decode("latin-1")} if choices.number(4) == 0 else {})
    assert note.problem or note.timeout_s is None or note.timeout_s > 0
    query = choices.rest()
    body = b"" if is_get else query
    try:
        found = http_calls.read(info, body, query.decode("latin-1"), is_get=is_get)
    except EnvelopeError as error:
        refusal = error
    else:
        assert not is_get or isinstance(json.loads(found.data), dict)
        json.dumps(found.parameters, allow_nan=False).encode()
        return
    assert refusal.status in (400, 422)
    json.dumps(refusal.detail).encode()


def seeds() -> list[bytes]:
    queries = (
        b"text=a&n=1&flag=true",
        b"tags={}&smalls=[{}]&smalls=1",
        b"many=1&many=2&many=[3]",
        b"a=%41%ff&a",
        b"theText=x&items=1.5&parameters={%22a%22:1}",
    )
    return [bytes((index % len(INFOS), 1, 1)) + query for index, query in enumerate(queries)] + [
        b"\0\0\1" + b'{"data": {}}',
        b"\0\0\0\1\0015",
    ]
