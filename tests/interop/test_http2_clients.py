"""Other people's HTTP/2 clients against our ports: curl, nghttp, h2load and httpx, over cleartext with prior knowledge and over TLS."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.interop.conftest import Service

pytestmark = [pytest.mark.process, pytest.mark.docarray]
DRY_RUN = "/jina.JinaGatewayDryRunRPC/dry_run"
BODY = json.dumps({"data": [{"text": "hi", "count": 1}]})


def tool(name: str, package: str) -> str:
    """Where a program is; skips the test where it is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: `apt-get install {package}` or alike")
    return found


def run(*words: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(words, input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


@pytest.fixture
def curl() -> Callable[..., tuple[dict[str, str], bytes]]:
    """Ask with curl over HTTP/2; give (the head, with `:status`, and the body)."""
    program = tool("curl", "curl")
    if "HTTP2" not in run(program, "--version").decode():
        pytest.skip("needs a curl with HTTP/2: `apt-get install curl` or alike gives one")

    def ask(url: str, *words: str, stdin: bytes = b"") -> tuple[dict[str, str], bytes]:
        head, _, body = run(program, "-sS", "-i", "--http2-prior-knowledge", *words, url, stdin=stdin).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        assert first.startswith("HTTP/2 "), first
        return {":status": first.split()[1], **dict(line.split(": ", 1) for line in lines)}, body

    return ask


Curl = Callable[..., tuple[dict[str, str], bytes]]


def test_curl_gets_and_posts(ours: Service, curl: Curl) -> None:
    """GET, POST, HEAD, and what is not there, on the HTTP port."""
    base = f"http://127.0.0.1:{ours.http}"
    head, body = curl(base + "/")
    assert (head[":status"], body) == ("200", b"{}")
    head, body = curl(base + "/echo", "-H", "content-type: application/json", "-d", BODY)
    assert (head[":status"], json.loads(body)["data"][0]["text"]) == ("200", "hi!")
    assert head["content-length"] == str(len(body))
    head, body = curl(base + "/openapi.json", "--head")
    assert (head[":status"], body) == ("200", b"")
    assert int(head["content-length"]) > 0
    assert curl(base + "/nothing")[0][":status"] == "404"


def test_curl_posts_a_large_body_as_it_reads_it(ours: Service, curl: Curl) -> None:
    """Some megabytes without a content-length, through the windows of both sides, and back."""
    text = "x" * 3_000_000
    sent = json.dumps({"data": [{"text": text}]}).encode()
    head, body = curl(f"http://127.0.0.1:{ours.http}/echo", "-X", "POST", "-H", "content-type: application/json", "-T", "-", stdin=sent)
    assert head[":status"] == "200"
    assert json.loads(body)["data"][0]["text"] == text + "!"


def test_curl_calls_grpc(ours: Service, curl: Curl) -> None:
    """A unary call by hand: five bytes, trailers with the status, on the gRPC port."""
    words = ("-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@-")
    head, body = curl(f"http://127.0.0.1:{ours.grpc}{DRY_RUN}", *words, stdin=struct.pack(">BI", 0, 0))
    assert (head[":status"], head["content-type"], body) == ("200", "application/grpc", bytes(5) + b"grpc-status: 0\r\n")


def test_nghttp_shows_a_clean_conversation(ours: Service, tmp_path: Path) -> None:
    """PRIORITY frames on idle streams, padding, trailers, several requests on a connection: no reset, and GOAWAY only of its own."""
    program, body = tool("nghttp", "nghttp2-client"), tmp_path / "body"
    body.write_text(BODY)
    base = f"http://127.0.0.1:{ours.http}"
    told = run(program, "-nv", "--padding=100", "--trailer=x-end: yes", "-d", str(body), f"{base}/echo").decode()
    assert ":status: 200" in told
    assert "recv RST_STREAM" not in told
    assert "recv GOAWAY" not in told
    told = run(program, "-nv", "-m", "20", "-p", "16", f"{base}/", f"{base}/openapi.json").decode()
    assert told.count(":status: 200") == 40
    assert "recv RST_STREAM" not in told


def test_nghttp_with_tiny_windows_gets_all(ours: Service) -> None:
    """Windows of 1,023 bytes and of one: slower, and whole."""
    program = tool("nghttp", "nghttp2-client")
    whole = run(program, f"http://127.0.0.1:{ours.http}/openapi.json")
    for bits in ("10", "4", "1"):
        assert run(program, "-w", bits, f"http://127.0.0.1:{ours.http}/openapi.json") == whole


@pytest.mark.parametrize("port", ["http", "grpc"])
def test_h2load_has_no_failure(ours: Service, port: str, tmp_path: Path) -> None:
    """Thousands of requests over some connections and many streams each: all succeed."""
    program = tool("h2load", "nghttp2-client")
    body = tmp_path / "body"
    if port == "http":
        body.write_text(BODY)
        words = ["-H", "content-type: application/json", f"http://127.0.0.1:{ours.http}/echo"]
    else:
        body.write_bytes(struct.pack(">BI", 0, 0))
        words = ["-H", "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{ours.grpc}{DRY_RUN}"]
    told = run(program, "-n", "3000", "-c", "5", "-m", "50", "-d", str(body), *words).decode()
    assert re.search(r"requests: 3000 total, 3000 started, 3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout", told), told
    assert "3000 2xx" in told


def test_httpx_speaks_http2_to_the_http_port(ours: Service) -> None:
    """Several requests over one connection, bodies both ways, a stream of events."""
    with httpx.Client(http1=False, http2=True, base_url=f"http://127.0.0.1:{ours.http}", timeout=20) as client:
        answers = [client.post("/echo", content=BODY, headers={"content-type": "application/json"}) for _ in range(5)]
        assert [(answer.http_version, answer.status_code) for answer in answers] == [("HTTP/2", 200)] * 5
        assert answers[0].json()["data"][0]["text"] == "hi!"
        assert client.request("PURGE", "/echo").status_code == 405
        large = client.post("/echo", json={"data": [{"text": "x" * 2_000_000}]})
        assert len(large.json()["data"][0]["text"]) == 2_000_001
        cookies = client.get("/", headers=[("cookie", "a=b"), ("cookie", "c=d")])
        assert cookies.status_code == 200


def test_httpx_calls_grpc(ours: Service) -> None:
    """And the other port by hand; what is no gRPC is refused there with a status of HTTP."""
    with httpx.Client(http1=False, http2=True, base_url=f"http://127.0.0.1:{ours.grpc}", timeout=20) as client:
        headers = {"content-type": "application/grpc", "te": "trailers"}
        answer = client.post(DRY_RUN, content=struct.pack(">BI", 0, 0), headers=headers)
        assert (answer.status_code, answer.content) == (200, bytes(5))
        assert client.get("/").status_code in (404, 405, 415)
