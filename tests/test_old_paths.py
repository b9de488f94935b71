"""Import paths that Jina 3's users have in their code."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import socket

import pytest

from jina import errors, helper


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("jina.serve.executors", "BaseExecutor", "jina.executor"),
        ("jina.serve.executors.decorators", "requests", "jina.executor"),
        ("jina.serve.executors.decorators", "write", "jina.executor"),
        ("jina.serve.executors.decorators", "dynamic_batching", "jina.executor"),
        ("jina.serve.executors.decorators", "monitor", "jina.executor"),
        ("jina.excepts", "RuntimeFailToStart", "jina.errors"),
        ("jina.excepts", "BadServer", "jina.errors"),
        ("jina.excepts", "ExecutorError", "jina.errors"),
    ],
)
def test_old_path_gives_the_same_object(module: str, name: str, home: str) -> None:
    """What an old path gives is what the new one gives, so `isinstance` and `except` agree."""
    assert getattr(importlib.import_module(module), name) is getattr(importlib.import_module(home), name)


@pytest.mark.parametrize("package", ["jina.clients", "jina.logging", "jina.serve", "jina.types", "jina.parsers", "jina.proto"])
def test_every_old_path_has_what_it_names(package: str) -> None:
    """All modules of the old packages can be imported, and all that they say they have is there."""
    names = [module.name for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")]
    for module in map(importlib.import_module, [package, *names]):
        assert module.__doc__
        for name in getattr(module, "__all__", ()):
            assert getattr(module, name) is not None


@pytest.mark.parametrize("name", ["Gateway"])
def test_names_that_come_later_say_so(name: str) -> None:
    """To whoever looks them up; who asks whether they are there is told no. An import is told in Python's own words, which hide ours."""
    jina = importlib.import_module("jina")

    assert not hasattr(jina, name)
    with pytest.raises(AttributeError, match="come with a later release"):
        getattr(jina, name)
    with pytest.raises(ImportError, match=f"cannot import name '{name}'"):
        exec(f"from jina import {name}")


def test_every_exception_of_jina_derives_from_its_base() -> None:
    """`except BaseJinaException` catches all of `jina.excepts`, as in Jina."""
    excepts = importlib.import_module("jina.excepts")

    assert all(issubclass(getattr(excepts, name), errors.BaseJinaException) for name in excepts.__all__)


def test_gateway_paths_say_what_they_need() -> None:
    """An old gateway path imports as a module; a class that is not there yet is an ImportError for its name."""
    module = importlib.import_module("jina.serve.runtimes.gateway.http.fastapi")

    with pytest.raises(AttributeError, match=r"FastAPIBaseGateway|no attribute"):
        module.FastAPIBaseGateway  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'Nonsense'"):
        module.Nonsense  # noqa: B018


def test_constants_read_the_environment_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """`__default_host__` follows the environment of the moment; nothing is read on import."""
    constants = importlib.import_module("jina.constants")
    monkeypatch.setenv("JINA_DEFAULT_HOST", "10.0.0.1")

    assert constants.__default_host__ == "10.0.0.1"
    assert constants.__default_endpoint__ == "/default"
    assert constants.__cache_path__.endswith("jina")


def test_random_port_can_be_listened_on() -> None:
    """A random port is free."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", helper.random_port()))


def test_random_port_stays_in_the_range_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`JINA_RANDOM_PORT_MIN` and `JINA_RANDOM_PORT_MAX` bound it."""
    monkeypatch.setenv("JINA_RANDOM_PORT_MIN", "20000")
    monkeypatch.setenv("JINA_RANDOM_PORT_MAX", "20100")

    assert 20000 <= helper.random_port() <= 20100


def test_random_ports_differ() -> None:
    """Several ports are several ports."""
    assert len(set(helper.random_ports(5))) == 5


def test_random_identity_is_32_hexadecimal_characters() -> None:
    """As Jina's request ids."""
    assert len(helper.random_identity()) == 32
    assert int(helper.random_identity(use_uuid1=True), 16) > 0


async def _double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_run_async_works_with_and_without_a_running_loop() -> None:
    """A notebook has a running loop, a script has none."""

    async def notebook() -> int:
        return helper.run_async(_double, 4)

    assert helper.run_async(_double, 3) == 6
    assert asyncio.run(notebook()) == 8


def test_run_async_raises_what_the_function_raises() -> None:
    """A failure inside a running loop is not lost with its thread."""

    async def fail() -> None:
        raise LookupError("no such thing")

    async def notebook() -> None:
        helper.run_async(fail)

    with pytest.raises(LookupError, match="no such thing"):
        asyncio.run(notebook())


def test_get_or_reuse_loop_gives_an_open_loop_again() -> None:
    """The same open loop twice; another one once it is closed."""
    loop = helper.get_or_reuse_loop()
    assert helper.get_or_reuse_loop() is loop
    loop.close()
    other = helper.get_or_reuse_loop()
    assert other is not loop
    other.close()
    asyncio.set_event_loop(None)
