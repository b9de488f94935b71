"""Pages for people: Swagger UI and Redoc, from files that come with the package; nothing is loaded from elsewhere."""

from __future__ import annotations

import html
from functools import cache
from importlib.resources import files

_TYPES = {"js": b"text/javascript; charset=utf-8", "css": b"text/css; charset=utf-8", "png": b"image/png"}
_FILES = {
    "/docs/swagger-ui-bundle.js": "swagger-ui/swagger-ui-bundle.js",
    "/docs/swagger-ui.css": "swagger-ui/swagger-ui.css",
    "/docs/favicon-32x32.png": "swagger-ui/favicon-32x32.png",
    "/redoc/redoc.standalone.js": "redoc/redoc.standalone.js",
}
# Paths are relative, so that the pages work behind a proxy that adds a prefix.
_SWAGGER = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({{url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null}})</script>
</body>
</html>
"""
_REDOC = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<redoc spec-url="openapi.json"></redoc>
<script src="redoc/redoc.standalone.js"></script>
</body>
</html>
"""
_POLICY = (
    b"content-security-policy: default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; worker-src blob:\r\n"
)
PATHS = ("/docs", "/redoc", *_FILES)


def page(path: str, title: str) -> tuple[bytes, bytes, bytes]:
    """Give content type, further header lines and body of one of `PATHS`."""
    if path in _FILES:
        name = _FILES[path]
        return _TYPES[name.rpartition(".")[2]], b"cache-control: max-age=3600\r\n", _read(name)
    text = (_SWAGGER if path == "/docs" else _REDOC).format(title=html.escape(title))
    return b"text/html; charset=utf-8", _POLICY, text.encode()


@cache
def _read(name: str) -> bytes:
    return (files("jina.fronts") / "static" / name).read_bytes()
