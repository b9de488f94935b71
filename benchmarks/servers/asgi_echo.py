"""uvicorn (httptools, uvloop) with an ASGI app that does nothing but give the body back."""

from on_uvicorn import serve


async def app(scope, receive, send):
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event["body"], event["more_body"]
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), (b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    serve(app, lifespan="off")
