"""What people read when a call failed."""

from __future__ import annotations

import pickle

import pytest

from jina.client.answers import failed_reply, http_failure
from jina.client.failures import FailedReply
from jina.codec.messages import StatusParts
from jina.types.request.data import DataRequest
from jina.wire import http_client

_STACKS = [
    "Traceback (most recent call last):\n",
    '  File "s.py", line 6, in f\n    raise ValueError("bad thing")\n',
    "ValueError: bad thing\n",
]


def _failed(stacks: list[str]) -> FailedReply:
    header = DataRequest().header
    header.exec_endpoint = "/f"
    error = failed_reply(header, StatusParts(True, "ValueError('bad thing')", "ValueError", ["bad thing"], stacks, "S"))
    assert isinstance(error, FailedReply)
    return error


def test_a_failed_reply_reads_as_the_exception_and_its_traceback() -> None:
    """No protobuf text: the exception, the executor and endpoint, and the traceback with its lines as lines."""
    assert str(_failed(_STACKS)) == (
        "ValueError: bad thing (in S, endpoint '/f')\n\nThe server's traceback:\nTraceback (most recent call last):\n"
        '  File "s.py", line 6, in f\n    raise ValueError("bad thing")\nValueError: bad thing'
    )
    assert str(_failed([])) == "ValueError: bad thing (in S, endpoint '/f')"


def test_a_failed_reply_keeps_the_header_and_travels() -> None:
    """`args[0]` is the header, as in Jina, and the text survives pickling."""
    error = _failed(_STACKS)

    assert error.args[0].exec_endpoint == "/f"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"detail":"ValueError(1)"}', "HTTP status 500: ValueError(1)"),
        (
            b'{"detail":[{"loc":["body","data",0,"n"],"msg":"no number","type":"t"}]}',
            "HTTP status 500: no number - at `body.data.0.n`",
        ),
        (b"oops", "oops"),
    ],
)
def test_an_http_failure_reads_as_a_sentence(body: bytes, text: str) -> None:
    """Not as a dict; `args[0]` still is the body."""
    error = http_failure(500, body, "/f")

    assert str(error) == text
    assert isinstance(error.args[0], dict | str)


def test_a_grpc_port_is_recognised_by_an_http_client() -> None:
    """The first frame of HTTP/2 says so; the text tells what to change."""
    reader = http_client.ResponseReader()
    with pytest.raises(http_client.BadResponseError, match="this is a gRPC port"):
        reader.feed(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x03\xe8")
