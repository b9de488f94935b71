"""Fields that a reply brings and HTTP/2 does not allow are left out: a client would have to refuse the whole response."""

from __future__ import annotations

from jina.call import Call, EndpointInfo, Reply
from jina.fronts.front import Front
from jina.limits import FrontOptions
from jina.transport.memory import join
from tests.fronts.http2_peer import Client
from tests.waiting import run_bounded

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}
INFO = EndpointInfo("/echo", "batch", TEXT, TEXT, "Text", "Text")
HEADERS = {
    "X-Own": " kept ",
    "Connection": "close",
    "Keep-Alive": "timeout=5",
    "Proxy-Connection": "close",
    "Upgrade": "h2c",
    "Transfer-Encoding": "chunked",
}


async def handler(call: Call) -> Reply:
    return Reply(payload=call.payload, headers=HEADERS)


def test_reply_has_no_field_of_http_1_connections_and_no_spaces_around_values() -> None:
    """RFC 9113, 8.2.1 and 8.2.2; the h2 library, which would refuse them, takes the response."""

    async def scenario() -> None:
        client = Client()
        front = Front(handler, [INFO], protocols=["http"], guard=None, options=FrontOptions())
        join(client, front.make_protocol())
        head, _ = await client.ask("POST", "/echo", b'{"data": {"text":"hi"}}')
        assert head[":status"] == "200"
        assert head["x-own"] == "kept"
        assert not {name.lower() for name in HEADERS if name != "X-Own"} & set(head)
        client.transport.close()
        await front.drain()

    run_bounded(scenario())
