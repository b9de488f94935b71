"""What a Flow's front answers over HTTP beside its endpoints: `/dry_run`, `/status`, `/post`."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from jina.call import EndpointInfo, Reply, Status
from jina.errors import Code
from tests.fronts.http_handler import TEXT, Handler, run
from tests.fronts.test_http_front import serving

DOWN = Status(Code.UNAVAILABLE, "no replica of 'b' came up", "OSError", ["gone"], [], "Step")


def test_a_dry_run_asks_the_handler_and_tells_what_it_said() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            assert (await client.get("/dry_run")).json() == {"code": 0, "description": "", "exception": None}
            assert [call.endpoint for call in handler.calls] == ["_jina_dry_run_"]
            handler.reply = Reply(DOWN)
            exception = {"name": "OSError", "args": ["gone"], "stacks": [], "executor": "Step"}
            failed = await client.get("/dry_run")
            assert (failed.status_code, failed.json()) == (200, {"code": 1, "description": DOWN.description, "exception": exception})
            assert (await client.post("/dry_run")).headers["allow"] == "GET"

    run(scenario)


def test_a_dry_run_takes_no_longer_than_its_caller_allows() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            await client.get("/dry_run", headers={"x-request-timeout": "5"})
            assert handler.calls[0].deadline is not None

    run(scenario)


def test_the_state_tells_versions_and_environment() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            state = (await client.get("/status")).json()
            assert (len(state["jina"]), len(state["envs"])) == (20, 22)

    run(scenario)


@pytest.mark.parametrize("names", [{"execEndpoint": "/echo"}, {"exec_endpoint": "echo"}, {"execEndpoint": "/elsewhere"}, {}])
def test_a_body_may_name_its_endpoint(names: dict[str, str]) -> None:
    """One that nobody has is for `/default`, as everywhere."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            body = {"data": [{"text": "x"}], "parameters": {"k": 1}, "targetExecutor": "b", "header": {"requestId": "q"}, **names}
            answer = (await client.post("/post", json=body)).json()
            header = {"requestId": "q", "targetExecutor": ""}
            assert answer == {"data": [{"text": "x"}], "parameters": {"k": 1.0}, "header": header}
            (call,) = handler.calls
            assert (call.endpoint, call.target_executor) == ("/echo" if names and "else" not in str(names) else "/default", "b")

    run(scenario)


def test_a_folded_body_may_name_its_endpoint_and_one_that_streams() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            body = gzip.compress(json.dumps({"data": {"text": "x"}, "execEndpoint": "/tell"}).encode())
            answer = await client.post("/post", content=body, headers={"content-encoding": "gzip"})
            assert answer.text.count("event: update") == 2

    run(scenario)


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"execEndpoint": "/echo"}, 422), ({"data": [], "execEndpoint": 1}, 422), ({"data": {}, "targetExecutor": 1}, 422)],
)
def test_a_body_that_names_its_endpoint_badly_is_refused(body: Any, status: int) -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            assert (await client.post("/post", json=body)).status_code == status
            client.front.set_endpoints([EndpointInfo("/echo", "batch", TEXT, TEXT, "Text", "Text")])
            unknown = await client.post("/post", json={"data": [], "execEndpoint": "/ecko"})
            assert unknown.status_code == 404
            assert "did you mean '/echo'?" in unknown.json()["detail"]
            assert handler.calls == []

    run(scenario)


def test_endpoints_of_the_users_go_first() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            client.front.set_endpoints(
                [EndpointInfo(path, "batch", TEXT, TEXT, "Text", "Text") for path in ("/status", "/dry_run", "/post")]
            )
            for path in ("/status", "/dry_run", "/post"):
                assert (await client.get(path)).status_code == 405
                assert (await client.post(path, json={"data": []})).status_code == 200
                assert handler.calls[-1].endpoint == path

    run(scenario)


def test_a_deployment_has_none_of_these() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            assert [(await client.get(path)).status_code for path in ("/status", "/dry_run")] == [404, 404]
            assert (await client.post("/post", json={"data": []})).status_code == 404
            assert not {"/status", "/dry_run", "/post"} & (await client.get("/openapi.json")).json()["paths"].keys()

    run(scenario)


@pytest.mark.parametrize(("code", "number"), [(Code.UNAVAILABLE, 503), (Code.DEADLINE, 504)])
def test_a_node_that_cannot_be_reached_is_told_in_the_header_too(code: Code, number: int) -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            handler.reply = Reply(Status(code, "node 'b' is gone"))
            failed = await client.post("/echo", json={"data": [], "header": {"requestId": "q"}})
            exception = {"name": "", "args": [], "stacks": [], "executor": ""}
            status = {"code": 1, "description": "node 'b' is gone", "exception": exception}
            assert failed.status_code == number
            assert failed.json() == {"detail": "node 'b' is gone", "header": {"request_id": "q", "status": status}}

    run(scenario)


def test_the_api_page_tells_of_all() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            paths = (await client.get("/openapi.json")).json()["paths"]
            assert {"/dry_run": ["get"], "/status": ["get"], "/post": ["post"]}.items() <= {path: [*paths[path]] for path in paths}.items()

    run(scenario)
