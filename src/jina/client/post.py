"""What one `post` is told, checked and in one value."""

from __future__ import annotations

import dataclasses
import random
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from math import inf, isfinite
from numbers import Real
from operator import index
from typing import Any

from jina.errors import BadClientInput, ConfigError
from jina.options.table import with_hint
from jina.warning import warn_user
from jina.wire.status import GrpcStatus

RESULTS = "__results__"
COMPRESSIONS = {"nocompression": "identity", "deflate": "deflate", "gzip": "gzip"}
Callback = Callable[[Any], Any]
_RETRYABLE = frozenset((GrpcStatus.UNAVAILABLE, GrpcStatus.DEADLINE_EXCEEDED, GrpcStatus.INTERNAL))
_RETRYABLE_HTTP = frozenset((408, 429, 500, 502, 503, 504))


@dataclass(frozen=True, kw_only=True)
class Retries:
    """After which failures, how often and with which pauses a request is sent again.

    The pause before the second attempt is `initial_backoff` seconds; before the n-th a random part of
    `initial_backoff * backoff_multiplier ** (n - 2)`, at most of `max_backoff`.
    """

    max_attempts: int = 1
    initial_backoff: float = 0.5
    max_backoff: float = 2.0
    backoff_multiplier: float = 1.5

    def __post_init__(self) -> None:
        for name in ("initial_backoff", "max_backoff", "backoff_multiplier"):
            if getattr(self, name) < 0:
                raise BadClientInput(f"{name} must be >= 0, got {getattr(self, name)}")

    def pause_s(self, n_attempts: int, status: int, http_status: int | None = None) -> float | None:
        """Seconds to wait after that many attempts; None where the last must do.

        Args:
            n_attempts: How many were made.
            status: gRPC's, in which the last one ended.
            http_status: HTTP's, which then decides.
        """
        may_help = status in _RETRYABLE if http_status is None else http_status in _RETRYABLE_HTTP
        if not may_help or n_attempts >= self.max_attempts:
            return None
        if n_attempts == 1:
            return self.initial_backoff
        highest: float = self.initial_backoff * self.backoff_multiplier ** (n_attempts - 1)
        return random.uniform(0.0, min(highest, self.max_backoff))


@dataclass(frozen=True, kw_only=True)
class Post:
    """The arguments of `post` but for its inputs; see `Client.post`.

    Attributes:
        metadata: Header fields, names in lower case.
        encoding: What messages are compressed with, over gRPC and WebSocket.
    """

    on: str
    target_executor: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    request_size: int = 100
    show_progress: bool = False
    continue_on_error: bool = False
    return_responses: bool = False
    results_in_order: bool = False
    stream: bool = True
    prefetch: int = 1000
    is_prefetch_given: bool = False
    return_type: Any = None
    timeout_s: float | None = None
    encoding: str = "identity"
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    retries: Retries = field(default_factory=Retries)
    on_done: Callback | None = None
    on_error: Callback | None = None
    on_always: Callback | None = None

    @property
    def has_result(self) -> bool:
        """The documents are given back: no callback takes them."""
        return self.on_done is None and self.on_always is None


def read_post(on: str, given: dict[str, Any], *, prefetch: int, api_key: str | None = None) -> Post:
    """Make a Post of keyword arguments.

    Args:
        on: The endpoint.
        given: The other arguments of `post`.
        prefetch: The client's own, for a post without one.
        api_key: The client's own, for a post that brings no authorization itself.

    Raises:
        ConfigError, BadClientInput: An argument that cannot work; the text names it.
    """
    if not isinstance(on, str):
        raise BadClientInput(f"on must be the name of an endpoint such as '/embed', got {on!r}")
    given = {name: value for name, value in given.items() if value is not None}
    retries_given = {name: given.pop(name) for name in tuple(given) if name in _RETRIES}
    metadata = read_metadata(given, api_key)
    asked = _whole(given, "prefetch")
    limit = prefetch if asked is None else asked
    timeout_s = read_timeout(given.pop("timeout", None))
    given["request_size"] = min(_whole(given, "request_size", 100), sys.maxsize)
    retries: dict[str, Any] = {name: _number(name, value) for name, value in retries_given.items() if name != "max_attempts"}
    retries["max_attempts"] = max(1, _whole(retries_given, "max_attempts", 1))
    for name in _CALLBACKS & given.keys():
        _check_callback(name, given[name])
    encoding = _encoding(given.pop("compression", None))
    parameters = read_parameters(given.pop("parameters", None))
    unknown = [name for name in given if name not in _NAMES]
    for name in unknown:
        del given[name]
    if unknown:
        known = _NAMES | _RETRIES | _FIELDS
        warn_user(f"post ignores {', '.join(with_hint(name, known) for name in unknown)}: no such argument")
    return Post(
        on=on,
        parameters=parameters,
        prefetch=limit if limit > 0 else 1 << 30,
        is_prefetch_given=bool(asked),
        timeout_s=timeout_s,
        encoding=encoding,
        metadata=metadata,
        retries=Retries(**retries),
        **given,
    )


_CALLBACKS = frozenset(("on_done", "on_error", "on_always"))
_RETRIES = frozenset(entry.name for entry in dataclasses.fields(Retries))
_FIELDS = frozenset(("inputs", "metadata", "headers", "auth", "cookies", "timeout", "compression"))
_NAMES = frozenset(entry.name for entry in dataclasses.fields(Post)) - {"retries", "encoding", "timeout_s", "is_prefetch_given"}


def read_timeout(value: Any) -> float | None:
    """Give the seconds of a `timeout`; None for no limit.

    Raises:
        BadClientInput: No number.
    """
    if value is None or (isinstance(value, float) and value == inf):
        return None
    return _number("timeout", value)


def _whole(given: dict[str, Any], name: str, default: Any = None) -> Any:
    """Take a whole number out of the arguments."""
    value = given.pop(name, default)
    try:
        return value if value is None else index(value)
    except TypeError:
        raise BadClientInput(f"{name} must be a whole number, got {value!r}") from None


def _number(name: str, value: Any) -> float:
    if isinstance(value, Real) and isfinite(value):
        return float(value)
    unit = "" if name == "backoff_multiplier" else " of seconds"
    raise BadClientInput(f"{name} must be a number{unit}, got {value!r}")


def _check_callback(name: str, callback: Any) -> None:
    if not callable(callback):
        raise BadClientInput(f"{name} must be a function, got {callback!r}")
    if iscoroutinefunction(callback):
        raise BadClientInput(f"{name} must be a plain function: nobody awaits a coroutine function")


def _pairs(name: str, value: Any) -> list[tuple[Any, Any]]:
    try:
        pairs = list(value.items() if isinstance(value, Mapping) else value)
        if any(isinstance(pair, str) for pair in pairs):
            raise TypeError
        return [(key, found) for key, found in pairs]
    except (TypeError, ValueError):
        raise BadClientInput(f"{name} must be a dict or pairs of name and value, got {value!r}") from None


def read_parameters(value: Any) -> dict[str, Any]:
    """Give parameters as a dict: they may be a mapping, a pydantic model, a dataclass or a msgspec.Struct."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        found = dict(value)
    elif hasattr(value, "model_dump"):
        found = value.model_dump(mode="json")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = dataclasses.asdict(value)
    elif hasattr(value, "__struct_fields__"):
        import msgspec

        found = msgspec.to_builtins(value)
    else:
        raise BadClientInput(f"parameters must be a dict or a model, got {value!r} of type {type(value).__name__}")
    if RESULTS in found and not isinstance(found[RESULTS], dict):
        warn_user(f"parameters have the reserved key {RESULTS!r}; its value is dropped")
        found[RESULTS] = {}
    return found


def read_metadata(given: dict[str, Any], api_key: str | None = None) -> tuple[tuple[str, str | bytes], ...]:
    """Take `metadata`, `headers`, `auth` and `cookies` out of the arguments, and give the header fields that they and the key mean."""
    refuse_credentials(given)
    pairs: list[tuple[str, Any]] = []
    for name in ("metadata", "headers"):
        pairs += _pairs(name, given.pop(name, None) or ())
    auth, cookies = given.pop("auth", None), given.pop("cookies", None)
    if auth is not None:
        try:
            login, password = (auth.login, auth.password) if hasattr(auth, "login") else auth
        except (TypeError, ValueError):
            raise BadClientInput("auth must be a login and a password: ('me', 'secret')") from None
        pairs.append(("authorization", "Basic " + b64encode(f"{login}:{password}".encode()).decode()))
    if cookies:
        pairs.append(("cookie", "; ".join(f"{name}={value}" for name, value in _pairs("cookies", cookies))))
    if api_key is not None and not any(str(name).lower() in ("authorization", "x-api-key") for name, _ in pairs):
        pairs.append(("authorization", f"Bearer {api_key}"))
    return tuple((str(name).lower(), value if isinstance(value, bytes) else str(value)) for name, value in pairs)


def refuse_credentials(given: dict[str, Any]) -> None:
    """Say what to use instead of grpcio's credentials.

    Raises:
        ConfigError: They are among the arguments.
    """
    if given.pop("credentials", None) is not None:
        raise ConfigError("credentials= is grpcio's and has no meaning here: use tls=True, and metadata=(('authorization', ...),) for keys")


def _encoding(compression: Any) -> str:
    if compression is None:
        return "identity"
    found = COMPRESSIONS.get(str(compression).lower())
    if found is None:
        raise BadClientInput(f"compression must be 'NoCompression', 'Deflate' or 'Gzip', got {compression!r}")
    return found
