# mypy: disable-error-code="empty-body, no-untyped-def, no-any-return, misc, valid-type, name-defined"
# mypy: disable-error-code="override, attr-defined, arg-type, comparison-overlap, unused-ignore"
"""What an Executor subclass is, and what one made of it has."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jina.docs import BaseDoc, DocList
from jina.errors import NotSupportedError
from jina.executor import BaseExecutor, Executor, create_executor, dynamic_batching, monitor, requests, write
from jina.executor.lock import turn_of


class Text(BaseDoc):
    text: str = ""


class Echo(Executor):
    def __init__(self, prefix: str = "", *, times: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prefix, self.times = prefix, times

    @requests(on="/echo")
    def echo(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return docs

    @requests
    def other(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return docs

    def spare(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return docs


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_LOCKS_ROOT", str(tmp_path / "locks"))


def test_executor_is_base_executor() -> None:
    """Both names mean one class."""
    assert Executor is BaseExecutor


def test_executor_made_by_hand_has_the_defaults() -> None:
    """Without a service there are a name, no runtime arguments, no tracer, and all endpoints."""
    executor = Echo("a")

    assert vars(executor.metas) == {"name": "Echo", "description": "", "workspace": "", "py_modules": ""}
    assert vars(executor.runtime_args) == {}
    assert (executor.tracer, executor.meter, executor.tracer_provider, executor.meter_provider) == (None, None, None, None)
    assert set(executor.requests) == {"/echo", "/default", "_jina_dry_run_"}
    assert executor.write_endpoints == []
    assert executor.dynamic_batching == {}


def test_bare_executor_answers_every_endpoint() -> None:
    """The default `uses` has a `/default` that does nothing."""
    assert set(Executor().requests) == {"/default", "_jina_dry_run_"}


def test_requests_are_the_executors_own_copy() -> None:
    """What is done to one executor's endpoints does not show in another's."""
    first = Echo()
    first.requests.clear()

    assert "/echo" in Echo().requests


def test_init_arguments_are_recorded_for_the_configuration() -> None:
    """The user's own arguments, defaults included, without those that the framework adds."""
    assert Echo("a", metas={"name": "x"})._init_kwargs_dict == {"prefix": "a", "times": 1}


def test_init_without_kwargs_is_refused_when_the_class_is_made() -> None:
    """The framework passes more than the user's arguments."""
    with pytest.raises(TypeError, match=r"'Bad\.__init__' cannot take .*add `\*\*kwargs`"):

        class Bad(Executor):
            def __init__(self, x: int = 1) -> None: ...


def test_init_may_name_what_the_framework_adds() -> None:
    """Instead of `**kwargs`."""

    class Named(Executor):
        def __init__(self, metas: Any = None, requests: Any = None, runtime_args: Any = None, dynamic_batching: Any = None) -> None:
            super().__init__(metas, requests, runtime_args)

    assert create_executor(Named, uses_metas={"name": "n"}).metas.name == "n"


def test_creating_for_a_service_passes_everything_on(tmp_path: Path) -> None:
    """`with`, metas, requests, batching and runtime arguments arrive."""
    executor = create_executor(
        Echo,
        uses_with={"prefix": "p"},
        uses_metas={"name": "mine", "description": "d"},
        uses_requests={("/a", "/b"): "spare"},
        uses_dynamic_batching={"/a": {"timeout": 5}},
        runtime_args={"name": "executor/rep-0", "shard_id": 0, "workspace": str(tmp_path)},
    )

    assert isinstance(executor, Echo)
    assert executor.prefix == "p"
    assert (executor.metas.name, executor.metas.description) == ("mine", "d")
    assert set(executor.requests) == {"/echo", "/default", "/a", "/b", "_jina_dry_run_"}
    assert executor.dynamic_batching == {"/a": {"timeout": 5}}
    assert executor.runtime_args.name == "executor/rep-0"
    assert executor.workspace == str(tmp_path / "mine" / "0")
    assert os.path.isdir(executor.workspace)


def test_executor_that_keeps_kwargs_to_itself_is_set_up_all_the_same(tmp_path: Path) -> None:
    """What the framework adds is there before `__init__` begins, whether it is passed on or not."""
    seen = []

    class Closed(Executor):
        def __init__(self, **kwargs: Any) -> None:
            seen.append(self.workspace)

    executor = create_executor(Closed, uses_metas={"name": "c"}, runtime_args={"workspace": str(tmp_path)})

    assert executor.metas.name == "c"
    assert seen == [str(tmp_path / "c")]


def test_dataclass_executor_gets_its_fields_and_the_rest() -> None:
    """The generated `__init__` receives the `with` values alone."""

    @dataclass
    class Sized(Executor):
        size: int = 1

        @requests(on="/size")
        def get(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
            return docs

    executor = create_executor(Sized, uses_with={"size": 3}, uses_metas={"name": "s"}, uses_requests={"/other": "get"})

    assert isinstance(executor, Sized)
    assert executor.size == 3
    assert executor.metas.name == "s"
    assert set(executor.requests) == {"/other", "_jina_dry_run_"}
    assert Sized(size=2).metas.name == "Sized"


def test_metas_take_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known ones are replaced, unknown ones refused by name."""
    monkeypatch.setenv("MY_NAME", "fine")

    assert Echo(metas={"name": "$MY_NAME-${MY_NAME}"}).metas.name == "fine-fine"
    with pytest.raises(ValueError, match="environment has no variable 'NO_SUCH'"):
        Echo(metas={"workspace": "${NO_SUCH}/x"})


@pytest.mark.parametrize(
    ("worker", "metas", "argument", "shard", "expected"),
    [
        ("w", "m", "a", 2, "w/Echo/2"),
        (None, "m", "a", None, "m/Echo"),
        (None, "", "a", -1, "a/Echo"),
    ],
)
def test_workspace_is_the_first_that_is_named(
    worker: str | None, metas: str, argument: str, shard: int | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's, then metas', then the argument's; below it the executor's name and shard."""
    monkeypatch.chdir(tmp_path)
    executor = Echo(workspace=argument, metas={"workspace": metas}, runtime_args={"workspace": worker, "shard_id": shard})

    assert executor.workspace == str(tmp_path / expected)


def test_context_manager_closes_once() -> None:
    """Leaving the block calls `close`."""
    closed = []

    class Closing(Executor):
        def close(self) -> None:
            closed.append(1)

    with Closing() as executor:
        assert isinstance(executor, Closing)
    assert closed == [1]


def test_calling_an_executor_calls_the_endpoints_method() -> None:
    """By path, or what `/default` is bound to; both sync and awaited."""

    class Both(Executor):
        @requests(on="/now")
        def now(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
            return docs

        @requests
        async def later(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
            return DocList[Text]([])

    docs = DocList[Text]([Text(text="a")])
    executor = Both()

    assert executor("/now", docs=docs) is docs
    assert asyncio.run(executor.__acall__("/now", docs=docs)) is docs
    assert asyncio.run(executor.__acall__("/unknown", docs=docs)) == DocList[Text]([])


def test_logger_is_named_after_the_class() -> None:
    """One an executor, made when it is first asked for; a user may put another in its place."""
    executor = Echo()
    first = executor.logger

    assert type(first).__name__ == "JinaLogger"
    assert executor.logger is first
    executor.logger = "mine"
    assert executor.logger == "mine"


def test_snapshot_is_refused_until_it_is_written() -> None:
    """The default raises, restoring does nothing."""
    with pytest.raises(NotImplementedError, match=r"executor 'Echo' has no snapshot\(\)"):
        Echo().snapshot("file")
    Echo().restore("file")


def test_features_that_are_gone_or_not_there_yet_name_what_there_is() -> None:
    """Hub, images, Kubernetes and Compose shortcuts."""
    with pytest.raises(NotSupportedError, match=r"use Executor\.load_config"):
        Executor.from_hub("jinahub://X")
    with pytest.raises(NotSupportedError, match="give a class or a YAML file"):
        Executor.from_hub("jinahub+docker://X")
    with pytest.raises(NotSupportedError, match="Kubernetes come with a later release; containers run `jina executor"):
        Executor.to_k8s_yaml("X", "folder")
    with pytest.raises(NotSupportedError, match="Compose come with a later release; containers run `jina executor"):
        Executor.to_docker_compose_yaml("X")


def test_standalone_types_keep_their_numbers() -> None:
    """They stand in people's scripts."""
    kinds = Executor.StandaloneExecutorType

    assert (kinds.EXTERNAL, kinds.SHARED) == (0, 1)


def test_configuration_can_be_written_and_read(tmp_path: Path) -> None:
    """`save_config` and `load_config` go in a circle."""
    path = tmp_path / "echo.yml"
    Echo("a", times=3, metas={"description": "d"}, requests={"/x": "spare"}).save_config(str(path))

    again = Echo.load_config(str(path))

    assert (again.prefix, again.times, again.metas.description) == ("a", 3, "d")
    assert "/x" in again.requests


def test_class_reads_its_own_configuration_though_another_of_its_name_came_later() -> None:
    """The class that is asked is meant where its name stands, not whichever was defined last."""
    other = type("Echo", (Executor,), {})

    assert type(Echo.load_config("!Echo {}")) is Echo
    assert type(other.load_config("!Echo {}")) is other


def test_batching_is_stored_whatever_the_order_of_decorators() -> None:
    """Under the method's name; a subclass's counts before its base's, and configuration is laid over it."""

    class Batched(Executor):
        @dynamic_batching(preferred_batch_size=4, timeout=50)
        @requests(on="/a")
        def a(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
            return docs

        @requests(on="/b")
        @dynamic_batching
        def b(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
            return docs

    executor = Batched(dynamic_batching={"a": {"timeout": 9}, "/b": {"preferred_batch_size": 2}})

    assert executor.dynamic_batching["a"]["preferred_batch_size"] == 4
    assert executor.dynamic_batching["a"]["timeout"] == 9
    assert executor.dynamic_batching["b"]["timeout"] == 10_000
    assert executor.dynamic_batching["/b"] == {"preferred_batch_size": 2}
    assert set(executor.requests) == {"/a", "/b", "_jina_dry_run_"}


def test_monitor_goes_with_requests_in_any_order() -> None:
    """It changes nothing but is accepted, as a decorator and as a context manager."""

    class Watched(Executor):
        @monitor(name="x", documentation="y")
        @requests(on="/a")
        def a(self, docs: DocList[Text], **kwargs: Any) -> None:
            with self.monitor("inner", "z"):
                pass

        @requests(on="/b")
        @monitor
        def b(self, docs: DocList[Text], **kwargs: Any) -> None: ...

    executor = Watched()
    executor("/a", docs=DocList[Text]([]))
    assert {"/a", "/b"} <= set(executor.requests)


class Ledger(Executor):
    """Counts how many writers are inside at once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_inside, self.most = 0, 0
        self.entered = threading.Event()

    def _enter(self) -> None:
        self.n_inside += 1
        self.most = max(self.most, self.n_inside)

    @write
    @requests(on="/sync")
    def sync(self, docs: Any = None, **kwargs: Any) -> None:
        self._enter()
        self.entered.set()
        sum(range(20_000))
        self.n_inside -= 1

    @requests(on="/async")
    @write
    async def coroutine(self, docs: Any = None, **kwargs: Any) -> None:
        self._enter()
        await asyncio.sleep(0)
        self.n_inside -= 1

    @write
    def outer(self) -> None:
        self.sync()

    @requests(on="/read")
    def read(self, docs: Any = None, **kwargs: Any) -> None: ...


def test_write_endpoints_are_known() -> None:
    """In whatever order the decorators stand."""
    assert set(Ledger().write_endpoints) == {"/sync", "/async"}


def test_writers_exclude_each_other_in_threads_and_coroutines() -> None:
    """At most one is inside at a time; nobody waits for ever."""
    ledger = Ledger()

    async def run() -> None:
        await asyncio.gather(*(ledger.coroutine() for _ in range(20)), *(asyncio.to_thread(ledger.sync) for _ in range(20)))

    asyncio.run(asyncio.wait_for(run(), 30))
    assert ledger.most == 1
    assert ledger.n_inside == 0


def test_writer_may_call_another() -> None:
    """Who holds the lock may enter again."""
    ledger = Ledger()
    ledger.outer()

    assert ledger.most == 1


def test_cancelled_writer_leaves_the_lock_free() -> None:
    """A coroutine that is cancelled while it waits takes nothing with it."""
    ledger = Ledger()

    async def run() -> None:
        with ledger._write_lock.held():
            waiting = asyncio.get_running_loop().create_task(_in_fresh_context(ledger))
            for _ in range(20):
                await asyncio.sleep(0.001)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await asyncio.wait_for(ledger.coroutine(), 10)

    asyncio.run(run())


async def _in_fresh_context(ledger: Ledger) -> None:
    from jina.executor.decorators import _holding

    _holding.set(frozenset())
    await ledger.coroutine()


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_class_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    """A second holder waits its time and goes on without; after the first has left, the lock is free."""
    with turn_of("X", folder=tmp_path) as is_mine:
        assert is_mine
        with turn_of("X", folder=tmp_path, max_wait_s=0.0) as is_second:
            assert not is_second
    with turn_of("X", folder=tmp_path, max_wait_s=0.0) as is_mine:
        assert is_mine


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_lock_file_left_behind_locks_nothing(tmp_path: Path) -> None:
    """Only a living process can hold it."""
    (tmp_path / "X.lock").write_text("12345")

    with turn_of("X", folder=tmp_path, max_wait_s=0.0) as is_mine:
        assert is_mine


def test_lock_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    """A read-only home must not keep an executor from starting."""
    (tmp_path / "file").write_text("")

    with turn_of("X", folder=tmp_path / "file" / "below") as is_mine:
        assert not is_mine


def test_what_init_raises_passes_through() -> None:
    """The user's own exception, not one of ours."""

    class Broken(Executor):
        def __init__(self, **kwargs: Any) -> None:
            raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        create_executor(Broken)


def test_unknown_argument_of_init_is_pythons_own_error() -> None:
    """Recording arguments does not hide what Python says of them."""

    class Strict(Executor):
        def __init__(self, metas: Any = None, requests: Any = None, runtime_args: Any = None) -> None: ...

    with pytest.raises(TypeError, match="unexpected keyword argument 'nope'"):
        Strict(nope=1)  # type: ignore[call-arg]
