"""Which endpoints an executor class has: its own and its bases', and what configuration makes of them.

Bindings belong to the class object, never to its name: two classes of one name in two modules do not meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType, FunctionType
from typing import Any, NamedTuple

from jina import hints
from jina.endpoint import Endpoint, check_signature, read_endpoint
from jina.executor.decorators import Binding, check_method, marks_of
from jina.hints import UnresolvedError
from jina.warning import warn_user

DRY_RUN = "_jina_dry_run_"
_STORE = "_jina_endpoints"


class Pending(NamedTuple):
    """An endpoint whose annotations name something that did not exist when the class was made."""

    path: str
    name: str
    fn: Callable[..., Any]
    binding: Binding

    def read(self, scopes: Sequence[Mapping[str, Any]] = ()) -> Endpoint:
        """Make the Endpoint; names in its annotations are looked up in `scopes` too."""
        return read_endpoint(
            self.path,
            self.name,
            self.fn,
            request_schema=self.binding.request_schema,
            response_schema=self.binding.response_schema,
            is_write=marks_of(self.fn).is_write,
            scopes=scopes,
        )

    def read_if_known(self, scopes: Sequence[Mapping[str, Any]] = ()) -> Endpoint | Pending:
        """The same, or this if the names do not exist yet."""
        try:
            return self.read(scopes)
        except UnresolvedError:
            return self


def collect(cls: type, frame: FrameType | None) -> None:
    """Read the endpoints that a new class defines itself and keep them with it.

    Args:
        cls: Made just now.
        frame: Where the class statement runs: what string annotations may name.

    Raises:
        TypeError: A method's signature does not make an endpoint.
    """
    own: dict[str, Endpoint | Pending] = {}
    decorated: dict[str, Pending] = {}
    scopes: Sequence[Mapping[str, Any]] | None = None
    for pending in _own_bindings(cls):
        if scopes is None and hints.has_strings(pending.fn):
            scopes = hints.enclosing_scopes(frame)
        if pending.path == DRY_RUN:
            warn_user(f"{hints.describe(pending.fn)} takes the place of the dry run, which checks services")
        if marks_of(pending.fn).bindings:
            _warn_if_twice(cls, decorated.setdefault(pending.path, pending), pending)
        own[pending.path] = pending.read_if_known(scopes or ())
    setattr(cls, _STORE, own)


def _warn_if_twice(cls: type, first: Pending, last: Pending) -> None:
    if last.fn is not first.fn:
        text = f"methods {first.name!r} and {last.name!r} of executor {cls.__name__!r} both have the endpoint {last.path!r}"
        warn_user(f"{text}; {last.name!r} takes its calls, so give {first.name!r} an `on=` of its own")


def _own_bindings(cls: type) -> list[Pending]:
    found = []
    for name, fn in vars(cls).items():
        if isinstance(fn, staticmethod | classmethod) and marks_of(fn.__func__).bindings:
            check_method(fn)
        bindings = marks_of(fn).bindings
        found += [Pending(path, name, fn, binding) for binding in bindings for path in binding.paths]
        if not bindings and isinstance(fn, FunctionType):
            found += _overrides(cls, name, fn)
    return found


def _overrides(cls: type, name: str, fn: FunctionType) -> list[Pending]:
    """Give the inherited endpoints that a method without decorator takes over, as overriding does everywhere in Python.

    What it does not annotate stays as its base says. A method that cannot serve as an endpoint leaves the base's in place.
    """
    inherited = [endpoint for base in cls.__mro__[:0:-1] for endpoint in _of_base(base) if endpoint.name == name]
    if not inherited:
        return []
    try:
        check_signature(fn)
    except TypeError:
        return []
    annotated = fn.__annotations__
    found = []
    for endpoint in inherited:
        if isinstance(endpoint, Pending):
            found.append(Pending(endpoint.path, name, fn, endpoint.binding))
            continue
        request = None if {"doc", "docs"} & annotated.keys() else endpoint.request_schema
        response = None if "return" in annotated or not endpoint.is_output_declared else endpoint.response_schema
        found.append(Pending(endpoint.path, name, fn, Binding((endpoint.path,), request, response)))
    return found


def _of_base(base: type) -> Iterable[Endpoint | Pending]:
    """Give what a class defines itself; nobody has collected a plain mixin's."""
    store = vars(base).get(_STORE)
    return store.values() if store is not None else (pending.read_if_known() for pending in _own_bindings(base))


def endpoints_of(cls: type) -> dict[str, Endpoint]:
    """Give all endpoints of a class, path to endpoint: its bases' first, overridden by its own.

    Raises:
        ConfigError: A string annotation still names something unknown.
        TypeError: A signature that could only be read now does not make an endpoint.
    """
    found: dict[str, Endpoint] = {}
    for base in reversed(cls.__mro__):
        store = vars(base).get(_STORE)
        if store is None:
            found.update({pending.path: pending.read() for pending in _own_bindings(base) if pending.binding.paths})
            continue
        for path, endpoint in store.items():
            if isinstance(endpoint, Pending):
                endpoint = store[path] = endpoint.read()
            found[path] = endpoint
    return found


def rebind(cls: type, endpoints: Mapping[str, Endpoint], changes: Mapping[Any, str]) -> dict[str, Endpoint]:
    """Apply `uses_requests` (endpoint, or tuple of them, to method name); what these methods were bound to before goes away.

    Raises:
        AttributeError: The class has no such method.
        TypeError: The method cannot be an endpoint.
    """
    changes = {paths: str(name) for paths, name in changes.items()}
    names = set(changes.values())
    kept = {path: endpoint for path, endpoint in endpoints.items() if endpoint.name not in names}
    old = {endpoint.name: endpoint for endpoint in endpoints.values()}
    for paths, name in changes.items():
        fn = getattr(cls, name, None)
        if not callable(fn):
            raise AttributeError(f"executor {cls.__name__!r} has no method {name!r}, which 'requests' binds to {paths!r}")
        binding = marks_of(fn).bindings[0] if marks_of(fn).bindings else Binding(())
        if name in old and old[name].fn is fn:
            binding = Binding((), old[name].request_schema, old[name].response_schema if old[name].is_output_declared else None)
        for path in paths if isinstance(paths, tuple) else (str(paths),):
            kept[path] = Pending(path, name, fn, binding).read()
    return kept


def batching_of(cls: type) -> dict[str, dict[str, Any]]:
    """Give what `@dynamic_batching` says, method name to configuration, a class's own over its bases'."""
    found: dict[str, dict[str, Any]] = {}
    for base in reversed(cls.__mro__):
        for name, fn in vars(base).items():
            config = marks_of(fn).batching
            if config is not None:
                found[name] = dict(config)
    return found
