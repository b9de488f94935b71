"""A Deployment whose HTTP port is answered by a web app of the user's, in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

import jina.helper
from jina import Deployment
from jina.errors import ConfigError, StartError
from tests.process import web_apps
from tests.process.callers import GrpcCaller
from tests.process.executors import Echo
from tests.process.executors import Text as TextDoc
from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process


def serve(**kwargs: Any) -> Deployment:
    return Deployment(uses=Echo, protocol="http", quiet=True, **kwargs)


def client(deployment: Deployment, **kwargs: Any) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{deployment.port}", timeout=30, **kwargs)


@pytest.fixture(scope="module")
def with_routes() -> Iterator[Deployment]:
    deployment = Deployment(uses=Echo, protocol=["http", "grpc"], title="Both", max_body_bytes=10_000, quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jina.helper, "extend_rest_interface", web_apps.adds_routes)
        deployment.start()
    with deployment:
        yield deployment


@pytest.fixture(scope="module")
def plain() -> Iterator[Deployment]:
    with serve(title="Both", max_body_bytes=10_000) as deployment:
        yield deployment


def test_every_request_goes_through_the_middleware_of_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own routes, default routes, streams, health, pages and unknown paths alike are refused by it."""
    monkeypatch.setattr(jina.helper, "extend_rest_interface", web_apps.asks_for_a_header)
    asked = [("GET", "/"), ("POST", "/echo"), ("GET", "/count?text=2"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/nowhere")]
    with serve() as deployment, client(deployment) as http:
        refused = [http.request(method, path) for method, path in asked]
        assert [(reply.status_code, reply.text) for reply in refused] == [(401, "no pass")] * len(asked)
        http.headers["x-pass"] = "yes"
        assert http.post("/echo", json={"data": [{"text": "a"}]}).json()["data"][0]["text"] == "a!"
        assert http.get("/count?text=2").text.endswith("event: end\r\n\r\n")
        assert http.get("/nowhere").status_code == 404


def test_a_hook_adds_routes_beside_the_default_ones(with_routes: Deployment) -> None:
    """They run in the app process; where both have a path, the default route came first, as in Jina."""
    with client(with_routes) as http:
        assert http.get("/mine/pid").json() == {"pid": with_routes.pids["executor/app"]}
        assert http.post("/echo", json={"data": {"text": "a"}}).json()["data"][0]["text"] == "a!"


def test_the_description_has_the_endpoints_models_and_the_users(with_routes: Deployment, plain: Deployment) -> None:
    """What the HTTP front says of the endpoints, and the user's routes; a name with two meanings gets two names."""
    with client(with_routes) as http, client(plain) as front:
        ours, theirs = http.get("/openapi.json").json(), front.get("/openapi.json").json()
    assert [ours["info"][key] for key in ("title", "version")] == [theirs["info"][key] for key in ("title", "version")]
    assert ours["paths"].keys() - theirs["paths"].keys() == {"/mine/pid", "/mine/words"}
    assert theirs["paths"].keys() <= ours["paths"].keys()
    schemas = ours["components"]["schemas"]
    assert schemas["Text"]["properties"].keys() == {"words"}
    assert schemas["Text_document"] == theirs["components"]["schemas"]["Text"]
    assert schemas["echo_output_model"]["properties"]["data"]["items"] == {"$ref": "#/components/schemas/Text_document"}


def test_a_hook_may_give_another_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then only that one answers."""
    monkeypatch.setattr(jina.helper, "extend_rest_interface", web_apps.wraps)
    with serve() as deployment, client(deployment) as http:
        assert http.post("/v1/echo", json={"data": [{"text": "a"}]}).json()["data"][0]["text"] == "a!"
        assert http.post("/echo", json={"data": []}).status_code == 404


@pytest.mark.parametrize(
    ("hook", "text"),
    [(web_apps.raises, "LookupError: no such table"), (web_apps.gives_nothing, "extend_rest_interface must return an app")],
)
def test_a_hook_that_fails_is_a_start_error(monkeypatch: pytest.MonkeyPatch, hook: Any, text: str) -> None:
    """With its own traceback; nothing keeps running, the port is free."""
    monkeypatch.setattr(jina.helper, "extend_rest_interface", hook)
    deployment = serve()
    with pytest.raises(StartError, match=text) as failed:
        deployment.start()
    assert "Traceback" in str(failed.value)
    assert deployment.pids == {}


def test_a_hook_that_is_set_after_the_port_was_asked_for_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read at start."""
    deployment = serve()
    assert deployment.port
    monkeypatch.setattr(jina.helper, "extend_rest_interface", web_apps.asks_for_a_header)
    with deployment, client(deployment) as http:
        assert http.get("/").status_code == 401


def test_without_a_hook_and_for_grpc_alone_no_app_runs(plain: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for the function does not replace it."""
    assert jina.helper.extend_rest_interface("app") == "app"
    assert plain.pids.keys() == {"executor/front", "executor/rep-0"}
    monkeypatch.setattr(jina.helper, "extend_rest_interface", web_apps.raises)
    with Deployment(uses=Echo, quiet=True) as deployment:
        assert deployment.pids.keys() == {"executor/front", "executor/rep-0"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the maps of /proc")
def test_the_front_stays_free_of_fastapi(with_routes: Deployment) -> None:
    """Only the app process pays for it."""
    loaded = {name: Path(f"/proc/{pid}/maps").read_text() for name, pid in with_routes.pids.items()}
    assert "pydantic_core" in loaded["executor/app"]
    assert "pydantic_core" not in loaded["executor/front"]


SCRIPT = """
    import os
    import sys
    import jina.helper
    from jina import Deployment, Executor, requests
    from jina.docs import BaseDoc, DocList
    from fastapi import FastAPI

    class Word(BaseDoc):
        text: str

    class Upper(Executor):
        @requests(on="/upper")
        def upper(self, docs: DocList[Word], **kwargs) -> DocList[Word]:
            return DocList[Word]([Word(text=doc.text.upper()) for doc in docs])

    GREETING = "hello from the script"

    def hook(app):
        @app.get("/greeting")
        def greeting():
            return GREETING
        return app

    if sys.argv[1] == "hook":
        jina.helper.extend_rest_interface = hook
        arguments = {}
    else:
        app = hook(FastAPI())
        app.state.kept = 7

        @app.get("/kept")
        def kept():
            return app.state.kept

        arguments = {"app": app}

    with Deployment(uses=Upper, protocol="http", quiet=True, **arguments) as deployment:
        print(deployment.port, flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["hook", "app"])
def test_hook_and_app_of_a_script_travel_by_value(tmp_path: Path, kind: str) -> None:
    """No `if __name__` guard, no importable module: the script is never run a second time."""
    script = tmp_path / "serve.py"
    script.write_text(textwrap.dedent(SCRIPT))
    with subprocess.Popen([sys.executable, script, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with httpx.Client(base_url=f"http://127.0.0.1:{process.stdout.readline().strip()}", timeout=30) as http:
            assert http.get("/greeting").json() == "hello from the script"
            assert http.post("/upper", json={"data": {"text": "a"}}).json()["data"][0]["text"] == "A"
            if kind == "app":
                assert http.get("/kept").json() == 7
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(30) == 0


QUESTIONS: list[dict[str, Any]] = [
    {"method": "GET", "url": "/"},
    {"method": "HEAD", "url": "/"},
    {"method": "POST", "url": "/echo", "json": {"data": [{"id": "1", "text": "a"}], "parameters": {"n": 1}}},
    {"method": "POST", "url": "/echo", "json": {"data": {"id": "1", "text": "a"}, "header": {"requestId": "mine"}}},
    {"method": "POST", "url": "/echo", "json": {"data": [{"id": "1"}]}, "headers": {"x-request-id": "mine", "x-request-timeout": "20"}},
    {"method": "POST", "url": "/echo", "json": {"data": [{"id": "1"}]}, "headers": {"x-request-timeout": "soon"}},
    {"method": "POST", "url": "/echo", "json": {"data": [{"id": "1"}], "header": {"targetExecutor": "other"}}},
    {"method": "POST", "url": "/parameters", "json": {"data": [], "parameters": {"a": 1}}},
    {"method": "POST", "url": "/headers", "json": {"data": [{"id": "1"}]}, "headers": {"x-tenant": "blue"}},
    {"method": "POST", "url": "/echo", "json": {"data": [{"id": "1", "text": 7}]}},
    {"method": "POST", "url": "/echo", "json": {"documents": []}},
    {"method": "POST", "url": "/echo", "content": b'{"data": ['},
    {"method": "POST", "url": "/echo", "content": b""},
    {"method": "POST", "url": "/echo", "content": b'{"data": [], "data": []}'},
    {"method": "POST", "url": "/echo", "content": b"x" * 10_001},
    {"method": "POST", "url": "/echo", "content": b"x", "headers": {"content-encoding": "gzip"}},
    {"method": "POST", "url": "/raise", "json": {"data": [{"id": "1"}]}},
    {"method": "POST", "url": "/wrong-type", "json": {"data": [{"id": "1"}]}},
    {"method": "POST", "url": "/sleep", "json": {"data": [{"id": "1", "text": "0.3"}]}, "headers": {"x-request-timeout": "0.05"}},
    {"method": "GET", "url": "/echo"},
    {"method": "GET", "url": "/nowhere-near-anything"},
    {"method": "GET", "url": "/count?id=1&text=x"},
    {"method": "GET", "url": "/break?id=1"},
    {"method": "POST", "url": "/break", "json": {"id": "1", "text": 7}},
    {"method": "POST", "url": "/break", "json": {"data": {"id": "1"}, "parameters": {}}},
    {"method": "GET", "url": "/docs"},
    {"method": "GET", "url": "/redoc"},
]
SAME_HEADERS = ("content-type", "allow", "retry-after", "cache-control", "x-accel-buffering", "content-security-policy")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question['method']} {question['url']}")
def test_default_routes_answer_as_the_http_front_does(with_routes: Deployment, plain: Deployment, question: dict[str, Any]) -> None:
    """Status, body and headers, for good and for bad requests."""
    with client(with_routes) as app, client(plain) as front:
        ours, theirs = app.request(**question), front.request(**question)
    assert (ours.status_code, without_ids(ours.text)) == (theirs.status_code, without_ids(theirs.text))
    assert [ours.headers.get(name) for name in SAME_HEADERS] == [theirs.headers.get(name) for name in SAME_HEADERS]
    if ours.headers.get("x-request-id") == "mine" or theirs.headers.get("x-request-id") == "mine":
        assert ours.headers["x-request-id"] == theirs.headers["x-request-id"]


def without_ids(text: str) -> str:
    """Ids that were drawn at random are no difference."""
    import re

    return re.sub(r'"id":"[0-9a-f]{32}"', '"id":""', text)


def assert_leaving_cancels(deployment: Deployment, mark: Path, headers: Mapping[str, str] | None = None) -> None:
    connection = HTTPConnection("127.0.0.1", deployment.port, timeout=150)
    body = json.dumps({"data": {"text": f"600 {mark}"}})
    connection.request("POST", "/async-sleep", body, {"content-type": "application/json", **(headers or {})})
    wait_until(mark.with_name(mark.name + ".begun").exists)
    connection.close()
    wait_until(lambda: mark.exists() and mark.read_text() == "cancelled")


def test_a_stream_arrives_item_by_item_and_ends_with_its_caller(with_routes: Deployment, tmp_path: Path) -> None:
    """Items come while the method runs; a caller that leaves a call cancels it in the worker."""
    with client(with_routes) as http:
        with http.stream("GET", "/acount?text=1000000") as reply:
            assert next(reply.iter_text()).startswith("event: update\r\ndata: {")
        assert_leaving_cancels(with_routes, tmp_path / "mark")
        assert http.post("/async", json={"data": [{"text": "x"}]}).status_code == 200


def test_a_caller_that_leaves_through_middleware_cancels_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Middleware of FastAPI's `@app.middleware` passes on that the caller left."""
    monkeypatch.setattr(jina.helper, "extend_rest_interface", web_apps.asks_for_a_header)
    with serve() as deployment:
        assert_leaving_cancels(deployment, tmp_path / "mark", {"x-pass": "yes"})


def test_a_key_guards_default_and_own_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answers as from the HTTP front; health stays open."""
    monkeypatch.setattr(jina.helper, "extend_rest_interface", web_apps.adds_routes)
    paths = ("/echo", "/mine/words", "/nowhere", "/docs", "/openapi.json", "/count?text=1")
    with serve(api_key="secret") as deployment, client(deployment) as http:
        assert http.get("/").json() == {}
        refused = [http.get(path) for path in paths]
        assert {(reply.status_code, reply.headers["www-authenticate"]) for reply in refused} == {(401, "Bearer")}
        assert {reply.json()["detail"][:28] for reply in refused} == {"this service asks for a key:"}
        assert http.get("/docs", headers={"x-api-key": "other"}).json() == {"detail": "the key is not valid"}
        http.headers["authorization"] = "Bearer secret"
        assert http.get("/mine/pid").status_code == 200
        assert http.post("/echo", json={"data": [{"text": "a"}]}).status_code == 200
        assert http.get("/nowhere").status_code == 404


def test_an_own_app_gets_the_default_routes_behind_its_own() -> None:
    """Its routes win, its dependencies hold for the default routes, its title stays."""
    with serve(app=web_apps.own) as deployment, client(deployment) as http:
        assert [http.get(path).status_code for path in ("/", "/mine")] == [401, 401]
        assert http.post("/echo", json={"data": [{"text": "a"}]}).status_code == 401
        http.headers["x-pass"] = "yes"
        assert (http.get("/").json(), http.get("/mine").json()) == ("hello", "mine")
        assert http.post("/echo", json={"data": [{"text": "a"}]}).json()["data"][0]["text"] == "a!"
        document = http.get("/openapi.json").json()
        assert document["info"]["title"] == "Own"
        assert {"/mine", "/echo", "/count"} <= document["paths"].keys()


@pytest.mark.parametrize(
    ("app", "path", "text", "has_routes"),
    [
        (web_apps.make_own, "/mine", "made", True),
        ("tests.process.web_apps:make_own", "/mine", "made", True),
        (web_apps.inside, "/outer", "/outer", True),
        (web_apps.bare, "/anything", "/anything", False),
    ],
    ids=["factory", "name", "from the default app", "bare ASGI"],
)
def test_an_app_may_be_given_in_other_ways(app: Any, path: str, text: str, has_routes: bool) -> None:
    """A function that makes one, its name, a function of the default app, an ASGI function."""
    with serve(app=app) as deployment, client(deployment) as http:
        assert http.get(path).text == text
        assert (http.post("/echo", json={"data": [{"text": "a"}]}).status_code == 200) is has_routes


def test_startup_and_shutdown_of_an_app_run_once(tmp_path: Path) -> None:
    """Its lifespan surrounds the time in which it serves."""
    log = tmp_path / "log"
    with serve(app=web_apps.with_lifespan, env={"APP_LOG": str(log)}):
        assert log.read_text() == "started\n"
    assert log.read_text() == "started\nstopped\n"


def test_an_app_whose_startup_fails_is_a_start_error(tmp_path: Path) -> None:
    """With the traceback of its lifespan."""
    with pytest.raises(StartError, match="the app's startup failed: RuntimeError: the pool did not open") as failed:
        serve(app=web_apps.with_lifespan, env={"APP_LOG": str(tmp_path / "fail")}).start()
    assert "in lifespan" in str(failed.value)


def test_an_app_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FastAPI the error comes before anything starts and says what to install."""
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setattr(jina.helper, "extend_rest_interface", lambda app: app)
    with pytest.raises(ConfigError, match="needs fastapi; install them, or openjina with its extra 'fastapi'"):
        serve().start()


def test_an_app_needs_an_http_port_of_its_own() -> None:
    """Neither gRPC alone nor one port for several protocols."""
    with pytest.raises(ConfigError, match="add 'http'"):
        Deployment(uses=Echo, protocol="grpc", app=web_apps.own)
    with pytest.raises(ConfigError, match="it shares no port"):
        Deployment(uses=Echo, protocol=["http", "grpc"], port=0, app=web_apps.own).start()


def test_an_app_that_cannot_travel_is_named() -> None:
    """It is found out in the parent."""
    lock = threading.Lock()

    def make() -> Any:
        return lock

    with pytest.raises(ConfigError, match="app cannot be sent"):
        serve(app=make).start()


def test_a_worker_that_dies_while_the_app_serves(with_routes: Deployment) -> None:
    """Calls that it had not begun go on with the next one; the app stays."""
    before = dict(with_routes.pids)
    with client(with_routes) as http:
        os.kill(before["executor/rep-0"], signal.SIGKILL)
        assert http.post("/async", json={"data": [{"text": "x"}]}).json()["data"][0]["text"] == "x?"
        reply = http.post("/exit", json={"data": [{"text": "x"}]})
        assert (reply.status_code, "ended two workers" in reply.json()["detail"]) == (503, True)
    assert with_routes.pids["executor/app"] == before["executor/app"]


def test_an_app_that_dies_is_started_again_on_the_same_port(with_routes: Deployment) -> None:
    """The port never closes: a request that comes meanwhile waits for the new app. gRPC does not notice."""
    before = with_routes.pids["executor/app"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: not is_alive(before))
    with client(with_routes) as http, GrpcCaller(with_routes.ports[1]) as grpc:
        assert grpc.post("/echo", [TextDoc(text="a")]).decoded(TextDoc)[0].text == "a!"
        assert http.get("/mine/pid").json()["pid"] not in (before, None)
        assert http.post("/echo", json={"data": [{"text": "a"}]}).json()["data"][0]["text"] == "a!"


class Held(Echo):
    """Does not come up while a file is there."""

    def __init__(self, block: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        wait_until(lambda: not Path(block).exists())


def test_an_app_that_is_started_again_while_no_worker_is_up_serves(tmp_path: Path) -> None:
    """It is told which endpoints there are; own routes need no worker."""
    block = tmp_path / "block"
    deployment = Deployment(uses=Held, uses_with={"block": str(block)}, protocol="http", app=web_apps.own, quiet=True)
    with deployment, client(deployment, headers={"x-pass": "yes"}) as http:
        block.touch()
        try:
            before = deployment.pids
            for name in ("executor/rep-0", "executor/app"):
                os.kill(before[name], signal.SIGKILL)
                wait_until(lambda name=name: deployment.pids.get(name) != before[name])  # type: ignore[misc]
            assert http.get("/mine", timeout=15).json() == "mine"
        finally:
            block.unlink()


def test_a_front_that_dies_does_not_take_the_app_along(with_routes: Deployment) -> None:
    """Calls wait for the new front."""
    before = dict(with_routes.pids)
    os.kill(before["executor/front"], signal.SIGKILL)
    wait_until(lambda: not is_alive(before["executor/front"]))
    with client(with_routes) as http:
        assert http.post("/echo", json={"data": [{"text": "a"}]}).json()["data"][0]["text"] == "a!"
        assert http.get("/mine/pid").json() == {"pid": before["executor/app"]}


def test_stopping_finishes_what_is_held_and_leaves_no_process() -> None:
    """A call that is under way is answered, then all processes are gone."""
    deployment = serve(app=web_apps.make_own).start()
    pids = list(deployment.pids.values())
    replies: list[httpx.Response] = []
    with client(deployment) as http:
        http.get("/")
        body = {"data": [{"text": "0.6"}]}
        caller = threading.Thread(target=lambda: replies.append(http.post("/async-sleep", json={"data": [{"text": "0.6 /dev/null"}]})))
        other = threading.Thread(target=lambda: replies.append(http.post("/sleep", json=body)))
        caller.start()
        other.start()
        wait_until(lambda: http.get("/").status_code == 200)
        deployment.close()
        caller.join()
        other.join()
    assert [reply.status_code for reply in replies] == [200, 200]
    assert len(pids) == 3
    assert not any(is_alive(pid) for pid in pids)


def test_nothing_stays_when_the_parent_is_killed(tmp_path: Path) -> None:
    """The app goes with the front and the worker, also after kill -9 of the process that started them."""
    script = tmp_path / "serve.py"
    script.write_text(textwrap.dedent(SCRIPT.replace("print(deployment.port", "print(*deployment.pids.values()")))
    with subprocess.Popen([sys.executable, script, "hook"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 3
        process.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in pids))
