"""What Jina 3's client is made to do to a service: `client_cases.py GRPC_PORT HTTP_PORT` prints each case's outcome as JSON."""

import asyncio
import json
import re
import sys
import traceback
from typing import Any, Callable, Dict, List  # noqa: UP035

import numpy as np
from docarray import BaseDoc, DocList
from docarray.documents import ImageDoc, TextDoc
from service import Inner, Options, Rich, Strict

from jina import Client

CASES: Dict[str, Callable[..., Any]] = {}  # noqa: UP006
Docs = DocList[Inner]


def case(function: Callable[..., Any]) -> Callable[..., Any]:
    CASES[function.__name__] = function
    return function


def plain(value: Any) -> Any:
    if isinstance(value, BaseDoc):
        return {"class": type(value).__name__, **{name: plain(getattr(value, name)) for name in sorted(value.__fields__)}}
    if isinstance(value, DocList):
        return {"list of": value.doc_type.__name__, "docs": [plain(doc) for doc in value]}
    if isinstance(value, np.ndarray):
        return {"array": value.dtype.str, "shape": list(value.shape), "values": value.tolist()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def response(answer: Any) -> Dict[str, Any]:  # noqa: UP006
    """What a Response says, without times and traces."""
    status = answer.header.status
    return {
        "docs": plain(answer.docs),
        "parameters": plain(answer.parameters),
        "request_id": len(answer.request_id),
        "status": header(answer.header),
        "endpoint": answer.header.exec_endpoint,
        "target": answer.header.target_executor,
        "stacks": bool(status.exception.stacks),
        "routes": [
            [route.executor, route.HasField("start_time"), route.HasField("end_time"), route.status.code] for route in answer.routes
        ],
    }


def header(value: Any) -> Dict[str, Any]:  # noqa: UP006
    status = value.status
    return {
        "code": status.code,
        "description": status.description,
        "name": status.exception.name,
        "args": list(status.exception.args),
        "executor": status.exception.executor,
        "last line": status.exception.stacks[-1] if status.exception.stacks else "",
    }


def failure(error: BaseException) -> Dict[str, Any]:  # noqa: UP006
    said: Dict[str, Any] = {"raised": type(error).__name__}  # noqa: UP006
    first = error.args[0] if error.args else ""
    if hasattr(first, "status"):
        said["header"] = header(first)
    else:
        said["text"] = re.sub(r"127\.0\.0\.1:\d+|localhost:\d+|0\.0\.0\.0:\d+", "HOST", str(error))[:600]
    for name in ("code", "details"):
        if callable(getattr(error, name, None)):
            said[name] = str(getattr(error, name)())
    return said


def rich(n: int) -> Rich:
    return Rich(
        id=f"r{n}",
        text=f"word {n} \u00e4\u20ac\U0001f600",
        count=n,
        score=n / 3,
        flag=True,
        blob=b"plain bytes",
        note="a note",
        link="https://example.com/a?b=c",
        image="https://example.com/a.png",
        tensor=np.arange(6, dtype=np.float64).reshape(2, 3),
        vector=np.arange(4, dtype=np.float64),
        table={"a": 1.5, "b": [1.5, "x", None, True], "c": {"d": "e"}},
        sizes={"a": 1},
        words=["a", "b"],
        either="text",
        inner=Inner(id="i", text="inside", n=3),
        children=DocList[Inner]([Inner(id="c0", n=0), Inner(id="c1", n=1)]),
    )


@case
def every_field(client: Any) -> Any:
    return plain(client.post("/echo", inputs=DocList[Rich]([rich(0), rich(1)]), return_type=DocList[Rich]))


@case
def defaults_only(client: Any) -> Any:
    return plain(client.post("/echo", inputs=DocList[Rich]([Rich(id="d")]), return_type=DocList[Rich]))


@case
def numbers_in_dicts(client: Any) -> Any:
    doc = Rich(
        id="d", table={"int": 3, "float": 3.0, "big": 2**30, "nested": {"ints": [1, 2], "flag": False}}, either=2.5, score=1, count=-(2**31)
    )
    return plain(client.post("/echo", inputs=DocList[Rich]([doc]), return_type=DocList[Rich]))


@case
def tensors(client: Any) -> Any:
    found = []
    for dtype in ("float32", "float64", "int64", "uint8", "bool", "float16"):
        doc = Rich(id="t", tensor=np.ones((2, 1, 3), dtype=dtype))
        found.append(plain(client.post("/in-place", inputs=DocList[Rich]([doc]), return_type=DocList[Rich])[0].tensor))
    found.append(
        plain(client.post("/echo", inputs=DocList[Rich]([Rich(id="t", tensor=np.zeros((0, 3)))]), return_type=DocList[Rich])[0].tensor)
    )
    return found


@case
def returned_none(client: Any) -> Any:
    return plain(client.post("/in-place", inputs=DocList[Rich]([Rich(id="d"), Rich(id="e")]), return_type=DocList[Rich]))


@case
def other_type_returned(client: Any) -> Any:
    return plain(client.post("/count", inputs=DocList[Rich]([Rich(id="d", text="four")]), return_type=DocList[Strict]))


@case
def document_types_of_docarray(client: Any) -> Any:
    return plain(client.post("/texts", inputs=DocList[TextDoc]([TextDoc(id="d", text="name")]), return_type=DocList[ImageDoc]))


@case
def single_document_endpoint(client: Any) -> Any:
    return plain(client.post("/one", inputs=Docs([Inner(id="a", n=1), Inner(id="b", n=2)]), return_type=DocList[Strict]))


@case
def one_document_in_and_out(client: Any) -> Any:
    return plain(client.post("/one", inputs=Inner(id="a", n=1), return_type=Strict))


@case
def one_class_but_two_documents(client: Any) -> Any:
    return plain(client.post("/one", inputs=Docs([Inner(id="a"), Inner(id="b")]), return_type=Strict))


@case
def batches_of_two(client: Any) -> Any:
    answers = client.post(
        "/dict", inputs=Docs([Inner(id=str(n), n=n) for n in range(5)]), request_size=2, return_responses=True, results_in_order=True
    )
    return [response(answer) for answer in answers]


@case
def generator_as_input(client: Any) -> Any:
    return plain(
        client.post(
            "/one", inputs=(Inner(id=str(n), n=n) for n in range(4)), request_size=3, return_type=DocList[Strict], results_in_order=True
        )
    )


@case
def in_order(client: Any) -> Any:
    docs = Docs([Inner(id=str(n), n=n) for n in range(4)])
    return plain(client.post("/slow-first", inputs=docs, request_size=1, results_in_order=True, return_type=Docs))


@case
def dict_returned(client: Any) -> Any:
    return [
        response(each)
        for each in client.post(
            "/dict", inputs=Docs([Inner(id="a")]), parameters={"k": 1, "l": [1, "x"]}, return_responses=True, return_type=Docs
        )
    ]


@case
def parameters_merged(client: Any) -> Any:
    parameters = {"executor__a": 1, "foo__b": 2, "Served": {"c": 3}, "executor": {"e": 5}, "plain": None, "deep": {"x": [1, {"y": True}]}}
    return [
        response(each)
        for each in client.post("/seen", inputs=Docs([Inner(id="a")]), parameters=parameters, return_responses=True, return_type=Docs)
    ]


@case
def no_parameters(client: Any) -> Any:
    return plain(client.post("/seen", inputs=Docs([Inner(id="a")]), return_type=Docs))


@case
def typed_parameters(client: Any) -> Any:
    return plain(client.post("/typed", inputs=Docs([Inner(id="a")]), parameters=Options(times=3), return_type=Docs))


@case
def typed_parameters_wrong(client: Any) -> Any:
    return plain(client.post("/typed", inputs=Docs([Inner(id="a")]), parameters={"times": "many"}, return_type=Docs))


@case
def no_documents(client: Any) -> Any:
    return [response(each) for each in client.post("/in-place", return_responses=True, return_type=DocList[Rich])]


@case
def no_inputs_dict(client: Any) -> Any:
    return [response(each) for each in client.post("/dict", return_responses=True, return_type=Docs)]


@case
def raised(client: Any) -> Any:
    return plain(client.post("/raise", inputs=Docs([Inner(id="a")]), return_type=Docs))


@case
def raised_with_callbacks(client: Any) -> Any:
    called: List[Any] = []  # noqa: UP006
    returned = client.post(
        "/raise-second",
        inputs=Docs([Inner(id=str(n), n=n) for n in range(4)]),
        request_size=1,
        results_in_order=True,
        return_type=Docs,
        on_done=lambda answer: called.append(["done", response(answer)]),
        on_error=lambda answer: called.append(["error", response(answer)]),
        on_always=lambda answer: called.append(["always", len(answer.docs)]),
    )
    return [plain(returned), called]


@case
def raised_and_continued(client: Any) -> Any:
    docs = Docs([Inner(id=str(n), n=n) for n in range(4)])
    answers = client.post(
        "/raise-second", inputs=docs, request_size=1, results_in_order=True, continue_on_error=True, return_responses=True, return_type=Docs
    )
    return [response(answer) for answer in answers]


@case
def wrong_type_returned(client: Any) -> Any:
    return plain(client.post("/wrong", inputs=Docs([Inner(id="a")]), return_type=Docs))


@case
def unknown_endpoint(client: Any) -> Any:
    return [response(each) for each in client.post("/nowhere", inputs=Docs([Inner(id="a")]), return_responses=True, return_type=Docs)]


@case
def target_that_is_another(client: Any) -> Any:
    return [
        response(each)
        for each in client.post("/one", inputs=Docs([Inner(id="a")]), target_executor="other", return_responses=True, return_type=Docs)
    ]


@case
def target_that_is_meant(client: Any) -> Any:
    answers = client.post(
        "/one", inputs=Docs([Inner(id="a", n=1)]), target_executor="exec.*", return_responses=True, return_type=DocList[Strict]
    )
    return [response(each) for each in answers]


@case
def documents_that_do_not_fit(client: Any) -> Any:
    return plain(client.post("/echo", inputs=DocList[TextDoc]([TextDoc(id="t", text="a")]), return_type=DocList[Rich]))


@case
def wrong_type_in_documents(client: Any) -> Any:
    class Loose(BaseDoc):
        n: str = "not a number"

    return plain(client.post("/one", inputs=DocList[Loose]([Loose(id="a")]), return_type=DocList[Strict]))


@case
def bytes_not_text(client: Any) -> Any:
    return plain(client.post("/in-place", inputs=DocList[Rich]([Rich(id="d", blob=b"\xff\x00\xfe")]), return_type=DocList[Rich])[0].blob)


@case
def ready(client: Any) -> Any:
    return [client.is_flow_ready(), client.dry_run()]


@case
def profiled(client: Any) -> Any:
    return sorted(client.profiling(show_table=False))


async def streamed(client: Any, on: str, doc: Any, of: Any, **more: Any) -> List[Any]:  # noqa: UP006
    found: List[Any] = []  # noqa: UP006
    try:
        async for each in client.stream_doc(on=on, inputs=doc, return_type=of, **more):
            found.append(plain(each))
    except Exception as error:
        found.append(failure(error))
    return found


@case
async def stream_of_documents(aio: Any) -> Any:
    return await streamed(aio, "/stream", Inner(id="s", text="a", n=3), Inner, parameters={"a": 1})


@case
async def stream_of_a_plain_generator(aio: Any) -> Any:
    return await streamed(aio, "/stream-sync", Inner(id="s", text="a\r\nb", n=3), Inner)


@case
async def stream_of_rich_documents(aio: Any) -> Any:
    return await streamed(aio, "/stream-rich", Inner(id="s", text="a", n=3), Rich)


@case
async def stream_of_nothing(aio: Any) -> Any:
    return await streamed(aio, "/stream", Inner(id="s", n=0), Inner)


@case
async def stream_that_raises(aio: Any) -> Any:
    return await streamed(aio, "/stream-raise", Inner(id="s"), Inner)


@case
async def stream_of_an_unknown_endpoint(aio: Any) -> Any:
    return await streamed(aio, "/nowhere", Inner(id="s"), Inner)


@case
async def stream_of_a_batch_endpoint(aio: Any) -> Any:
    return await streamed(aio, "/seen", Inner(id="s"), Inner)


@case
async def asynchronous_post(aio: Any) -> Any:
    async def docs() -> Any:
        for n in range(3):
            yield Inner(id=str(n), n=n)

    return [
        plain(each) async for each in aio.post("/one", inputs=docs(), request_size=2, results_in_order=True, return_type=DocList[Strict])
    ]


@case
async def asynchronous_readiness(aio: Any) -> Any:
    return [await aio.is_flow_ready(), await aio.dry_run()]


def run(name: str, client: Any, aio: Any) -> Any:
    function = CASES[name]
    try:
        if asyncio.iscoroutinefunction(function):
            return asyncio.run(asyncio.wait_for(function(aio), 2))
        return function(client)
    except Exception as error:
        if "-v" in sys.argv:
            traceback.print_exc()
        return failure(error)


class Unary:
    """The client with `stream=False` wherever it posts."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        return self.client.post(*args, stream=False, **kwargs)


def main() -> None:
    grpc_port, http_port = int(sys.argv[1]), int(sys.argv[2])
    outcomes = {}
    for kind, protocol, port in (("grpc", "grpc", grpc_port), ("unary", "grpc", grpc_port), ("http", "http", http_port)):
        client = Client(host="127.0.0.1", port=port, protocol=protocol)
        aio = Client(host="127.0.0.1", port=port, protocol=protocol, asyncio=True)
        if kind == "unary":
            client, aio = Unary(client), Unary(aio)
        for name in CASES:
            if kind != "unary" or not name.startswith("stream"):
                outcomes[f"{kind}: {name}"] = run(name, client, aio)
    print("\n" + json.dumps(outcomes))


if __name__ == "__main__":
    main()
