"""`Executor`, the one class that users subclass: typed endpoints around a model.

A subclass is read when it is made (`__init_subclass__`): its endpoints, and whether its `__init__` can be given what the framework adds.
An instance has all that the framework gives it before its `__init__` begins (`__new__`), so a dataclass, or a class that never calls
`super().__init__`, is an executor too. What runs methods for calls is `runtime/invoke.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from jina import hints
from jina.docarray_repairs import repair_when_imported
from jina.endpoint import Endpoint
from jina.enums import BetterEnum
from jina.errors import NotSupportedError
from jina.executor.bindings import DRY_RUN, Pending, batching_of, collect, endpoints_of
from jina.executor.decorators import DEFAULT_ENDPOINT, Binding, WriteLock
from jina.executor.setup import ADDED, check_init, recorded, set_up
from jina.warning import warn_user

_METAS = {"name": "", "description": "", "workspace": "", "py_modules": ""}


class BaseExecutor:
    """Base of all executors; `Executor` is its usual name.

    Attributes:
        metas: Namespace with name (the class's unless configured), description, workspace and py_modules.
        requests: Endpoint path to Endpoint; this executor's own copy.
        runtime_args: What the worker tells (name, shard_id, replicas, ...); an empty namespace when made by hand.
        dynamic_batching: Method name or endpoint to its configuration.
    """

    metas: SimpleNamespace
    requests: dict[str, Endpoint]
    runtime_args: SimpleNamespace
    dynamic_batching: dict[str, dict[str, Any]]
    _jina_endpoints: ClassVar[dict[str, Endpoint | Pending]]
    _init_kwargs_dict: dict[str, Any]
    _write_lock: WriteLock
    _workspace_given: str | None
    _requests_given: dict[Any, str]
    _batching_given: dict[str, Any]

    class StandaloneExecutorType(BetterEnum):
        """Whether an exported executor has a gateway of its own."""

        EXTERNAL = 0
        SHARED = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_init(cls)
        collect(cls, hints.class_statement_frame(1))

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self.requests = endpoints_of(cls)
        if cls is BaseExecutor:
            self.requests[DEFAULT_ENDPOINT] = dataclasses.replace(self.requests[DRY_RUN], path=DEFAULT_ENDPOINT)
        self.dynamic_batching = batching_of(cls)
        self.metas = SimpleNamespace(**{**_METAS, "name": cls.__name__})
        self.runtime_args = SimpleNamespace()
        self._workspace_given = None
        self._requests_given, self._batching_given = {}, {}
        self._write_lock = WriteLock()
        self._init_kwargs_dict = recorded(cls, self, args, kwargs)
        set_up(self, {name: kwargs.get(name) for name in ADDED})
        return self

    def __init__(
        self,
        metas: Mapping[str, Any] | None = None,
        requests: Mapping[Any, str] | None = None,
        runtime_args: Mapping[str, Any] | None = None,
        workspace: str | None = None,
        dynamic_batching: Mapping[str, Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take what the framework adds; a subclass passes its `**kwargs` on.

        Args:
            metas: Values for `self.metas`; variables of the environment are expanded.
            requests: Endpoint (or tuple of them) to method name, in place of what `@requests` says of these methods.
            runtime_args: Values for `self.runtime_args`.
            workspace: Folder for files, unless the worker or `metas` name one.
            dynamic_batching: Method name or endpoint to configuration, laid over that of `@dynamic_batching`.
            kwargs: Ignored.

        Raises:
            AttributeError: `requests` names a method that does not exist.
            ValueError: A value of `metas` names a variable that the environment does not have.
        """
        set_up(self, dict(zip(ADDED, (metas, requests, runtime_args, workspace, dynamic_batching), strict=True)))

    @property
    def workspace(self) -> str:
        """Absolute path of this executor's own folder, made if need be: `<workspace>/<metas.name>/<shard>`."""
        base = getattr(self.runtime_args, "workspace", None) or self.metas.workspace or self._workspace_given
        folder = Path(os.path.abspath(base or Path.home() / ".cache" / "jina")) / self.metas.name
        shard = getattr(self.runtime_args, "shard_id", None)
        if shard is not None and shard != -1:
            folder /= str(shard)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    @property
    def logger(self) -> Any:
        """A JinaLogger named after the class."""
        own = self.__dict__.get("_logger")
        if own is None:
            from jina.logging.logger import JinaLogger

            own = self.__dict__["_logger"] = JinaLogger(type(self).__name__)
        return own

    @logger.setter
    def logger(self, value: Any) -> None:
        self.__dict__["_logger"] = value

    @property
    def tracer_provider(self) -> Any:
        """OpenTelemetry's tracer provider of this worker, or None."""
        return getattr(self.runtime_args, "tracer_provider", None)

    @property
    def meter_provider(self) -> Any:
        """OpenTelemetry's meter provider of this worker, or None."""
        return getattr(self.runtime_args, "meter_provider", None)

    @property
    def tracer(self) -> Any:
        """An OpenTelemetry tracer named after the class, or None."""
        return self.tracer_provider.get_tracer(type(self).__name__) if self.tracer_provider is not None else None

    @property
    def meter(self) -> Any:
        """An OpenTelemetry meter named after the class, or None."""
        return self.meter_provider.get_meter(type(self).__name__) if self.meter_provider is not None else None

    @property
    def write_endpoints(self) -> list[str]:
        """Endpoints whose method carries `@write`."""
        return [path for path, endpoint in self.requests.items() if endpoint.is_write]

    def monitor(self, name: str | None = None, documentation: str | None = None) -> contextlib.AbstractContextManager[Any]:
        """Time a block under a metric; for now a context manager that does nothing."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Override to release what the executor holds; called once when its service stops."""

    def snapshot(self, snapshot_file: str) -> None:
        """Override to write the executor's state to a file."""
        raise NotImplementedError(f"executor {type(self).__name__!r} has no snapshot(); define it to keep the executor's state")

    def restore(self, snapshot_file: str) -> None:
        """Override to read the executor's state from a file that `snapshot` wrote."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, req_endpoint: str, **kwargs: Any) -> Any:
        """Call the method of an endpoint, or of `/default`, with the arguments as they are; None if there is neither.

        An `async def` method gives its coroutine, one that yields its generator.
        """
        endpoint = self.requests.get(req_endpoint) or self.requests.get(DEFAULT_ENDPOINT)
        return None if endpoint is None else endpoint.fn(self, **kwargs)

    async def __acall__(self, req_endpoint: str, **kwargs: Any) -> Any:
        """Do the same as `executor(...)` and await the result where it can be awaited."""
        result = self(req_endpoint, **kwargs)
        return await result if inspect.isawaitable(result) else result

    def _dry_run(self, docs: Any, **kwargs: Any) -> None:
        """Show that the worker answers."""

    @classmethod
    def load_config(cls, source: Any, **kwargs: Any) -> Self:
        """Make an executor of a YAML file or text, a dict, a class name, a stream; see `jina.yaml.load_executor`."""
        from jina.yaml import load_executor

        executor: Self = load_executor(source, base=cls, **kwargs)
        return executor

    def save_config(self, filename: str | None = None) -> bool:
        """Write this executor's class and arguments as YAML, by default to the file that it came from."""
        from jina.yaml import save_executor

        return save_executor(self, filename)

    @classmethod
    def serve(
        cls,
        uses_with: dict[str, Any] | None = None,
        uses_metas: dict[str, Any] | None = None,
        uses_requests: dict[Any, str] | None = None,
        stop_event: Any = None,
        uses_dynamic_batching: dict[str, Any] | None = None,
        reload: bool = False,
        **kwargs: Any,
    ) -> None:
        """Serve this class until `stop_event` is set or Ctrl-C. Deprecated: use `Deployment(uses=...)`."""
        warn_user("Executor.serve() is deprecated; use Deployment(uses=...)", DeprecationWarning)
        from jina.deployment import Deployment

        deployment = Deployment(
            uses=cls,
            uses_with=uses_with,
            uses_metas=uses_metas,
            uses_requests=uses_requests,
            uses_dynamic_batching=uses_dynamic_batching,
            reload=reload,
            **kwargs,
        )
        with deployment:
            deployment.block(stop_event)

    @classmethod
    def from_hub(cls, uri: str, *args: Any, **kwargs: Any) -> Self:
        """Not supported: the hosted hub is gone."""
        if "docker" in uri.partition("://")[0]:
            raise NotSupportedError(f"cannot load {uri!r}: containers come with a later release; give a class or a YAML file")
        raise NotSupportedError(f"cannot load {uri!r}: the hosted hub is gone; use Executor.load_config(path) with the executor's files")

    @staticmethod
    def to_kubernetes_yaml(*args: Any, **kwargs: Any) -> None:
        """Not supported yet."""
        raise NotSupportedError("exports to Kubernetes come with a later release; containers run `jina executor --uses config.yml`")

    to_k8s_yaml = to_kubernetes_yaml

    @staticmethod
    def to_docker_compose_yaml(*args: Any, **kwargs: Any) -> None:
        """Not supported yet."""
        raise NotSupportedError("exports to Compose come with a later release; containers run `jina executor --uses config.yml`")


BaseExecutor._jina_endpoints = {DRY_RUN: Pending(DRY_RUN, "_dry_run", BaseExecutor._dry_run, Binding((DRY_RUN,)))}
Executor = BaseExecutor

repair_when_imported()
