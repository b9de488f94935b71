"""What whoever answers over HTTP can make of our Client: a reply, or one of the Client's errors, whatever the body is."""

from __future__ import annotations

from fuzz.choices import Choices
from fuzz.documents import Small
from jina.client.answers import HttpAnswer
from jina.client.documents import ReturnType
from jina.client.failures import RpcError
from jina.docs import DocList
from jina.errors import JinaError
from jina.transport.http_client import HttpResponse

MAX_BYTES = 256
HELD_FACTOR = 4000
WORDS = (
    *(
        b'{"data":[',
        b'"header":{',
        b'"status":{',
        b'"description":"',
        b'"detail":',
        b'"msg":"a"',
        b'"loc":[1]',
        b'"parameters":{}',
        b'"routes":[{}]',
    ),
    *(b'"requestId":"x"', b"null", b"\xff", b"[[[", b'"targetExecutor":5', b'"code":1', b'"id":"a"', b'"text":5', b"1e999"),
)
WANTED = (ReturnType(), ReturnType(DocList[Small]), ReturnType(Small), ReturnType(list[Small]))
STATUSES = (200, 200, 200, 400, 422, 500, 404, 503, 504, 302, 418)


def check(data: bytes) -> None:
    choices = Choices(data)
    status, wanted = choices.pick(STATUSES), choices.pick(WANTED)
    try:
        answer = HttpAnswer(HttpResponse(status, {"content-type": "application/json"}, choices.rest()), "/a", "id")
        if answer.is_error:
            raise answer.error(wanted)
        docs = answer.docs(wanted)
        assert isinstance(docs, list)
        response = answer.response(wanted)
    except RpcError as error:
        failure = error
    except JinaError:
        return
    else:
        assert response.header is not None
        response.to_dict()
        return
    str(failure), repr(failure)
    assert isinstance(failure.details(), str)


def seeds() -> list[bytes]:
    bodies = (
        b'{"data":[{"id":"a","text":"b"}],"parameters":{"a":1},"header":{"requestId":"x","status":null},"routes":[]}',
        b'{"detail":[{"loc":["body",0],"msg":"no","type":"x"}]}',
        b'{"header":{"requestId":"x","status":{"code":1,"description":"no","exception":null}}}',
        b"<html>Bad Gateway</html>",
    )
    return [bytes((status, wanted)) + body for status, wanted, body in zip((0, 4, 7, 8), (1, 0, 2, 0), bodies, strict=True)]
