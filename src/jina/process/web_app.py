"""A web app of the user's, on both sides of the way into its process.

The parent checks and packs it (`pack_app`), the app process makes it (`build`). Three things may be given: nothing but a hook
(`jina.helper.extend_rest_interface`), which gets the default app; an ASGI app; a function that makes an app, from nothing or from the
default app.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import FunctionType
from typing import Any

from jina.errors import ConfigError
from jina.options.service import ServiceOptions
from jina.plan import WebApp, env_of
from jina.process.travel import importable_name, pack, unpack

_PACKAGES = ("fastapi", "uvicorn")
_HINT = "pass a function that makes it instead: app=make_app"


def check_extra() -> None:
    """Refuse to go on without what an app process runs on.

    Raises:
        ConfigError: A package is missing; the text says what to install.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(f"a web app of your own needs {' and '.join(missing)}; install them, or openjina with its extra 'fastapi'")


def web_app_of(source: Any, options: ServiceOptions) -> WebApp | None:
    """Give the web app of a service whose user passed `source` as `app`: None where nothing was passed and no hook is set."""
    hook = custom_hook()
    if source is None and hook is None:
        return None
    return WebApp(source=source, hook=hook, uvicorn_kwargs=options.uvicorn_kwargs or {}, env=env_of(options))


def pack_app(app: Any) -> bytes:
    """Pack what a user passed as `app`: by name where a fresh interpreter can import it, else by value.

    Raises:
        ConfigError: It cannot travel.
    """
    if not isinstance(app, str | type | FunctionType):
        app = importable_name(app) or app
    data = pack(app, what="app")
    try:
        unpack(data)
    except Exception as error:
        raise ConfigError(f"app {app!r} cannot be sent to its process: {error}; {_HINT}") from error
    return data


def build(source: Any, make_default: Callable[[], Any], add_routes: Callable[[Any], None], hook: Callable[[Any], Any] | None) -> Any:
    """Make the app that is served.

    Args:
        source: What the user passed as `app`; None for the default app.
        make_default: Gives the default app.
        add_routes: Puts the default routes into an app of the user's, where it takes routes.
        hook: Gets the app at last, and gives the one to serve.

    Raises:
        TypeError: A function of the user's returned something else than an app.
        Exception: Whatever the user's functions raise.
    """
    app = make_default() if source is None else _make(source, make_default, add_routes)
    return app if hook is None else _checked(hook(app), "extend_rest_interface")


def _make(source: Any, make_default: Callable[[], Any], add_routes: Callable[[Any], None]) -> Any:
    if isinstance(source, str):
        source = _import(source)
    n_needed = _n_needed(source)
    if n_needed == 1:
        return _checked(source(make_default()), f"app={source!r}")
    app = _checked(source(), f"app={source!r}") if n_needed == 0 else source
    add_routes(app)
    return app


def _import(name: str) -> Any:
    module, separator, path = name.partition(":")
    if not separator:
        raise ValueError(f"app must be 'module:name', got {name!r}")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _n_needed(source: Any) -> int:
    """Count the arguments that a call must give: 0 or 1 for a function that makes an app, 3 (scope, receive, send) for an app."""
    if not callable(source):
        raise TypeError(f"app must be an ASGI app, a function that makes one, or 'module:name', got {source!r}")
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(source).parameters.values()
    n_needed = sum(parameter.kind in by_place and parameter.default is parameter.empty for parameter in parameters)
    if n_needed not in (0, 1, 3):
        raise TypeError(f"app={source!r} takes {n_needed} arguments; an ASGI app takes 3, a function that makes one takes 0 or 1")
    return n_needed


def _checked(app: Any, made_by: str) -> Any:
    if not callable(app):
        raise TypeError(f"{made_by} must return an app (FastAPI, or any ASGI app), got {app!r}")
    return app


def custom_hook() -> Callable[[Any], Any] | None:
    """Give the function that a user has put in the place of `jina.helper.extend_rest_interface`; None if nobody has."""
    helper = sys.modules.get("jina.helper")
    if helper is None:
        return None  # nobody can have replaced it in a module that was never imported
    hook: Callable[[Any], Any] = helper.extend_rest_interface
    return None if getattr(hook, "__globals__", None) is vars(helper) else hook
