"""Deployment arguments: how they may be written, what is refused, and with which words."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from jina.errors import ConfigError, NotSupportedError
from jina.limits import Limits
from jina.options import DeploymentOptions, PodRoleType, ProtocolType, arguments_of


def options(**given: Any) -> DeploymentOptions:
    return DeploymentOptions.from_mapping(given, environ={})


def test_defaults_are_jinas_but_for_the_host() -> None:
    """A bare Deployment listens on loopback, speaks gRPC on a free port and waits ten minutes to be ready."""
    bare = options()

    assert (bare.name, bare.host, bare.port, bare.ports) == ("executor", ("127.0.0.1",), (), (0,))
    assert bare.protocol == (ProtocolType.GRPC,)
    assert (bare.timeout_ready_s, bare.timeout_ctrl, bare.timeout_send_s) == (600.0, 60, None)
    assert bare.uses == "BaseExecutor"
    assert bare.to_dict() == {}
    assert bare == DeploymentOptions()


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({"port": "8080"}, "port", (8080,)),
        ({"port": 8080}, "port", (8080,)),
        ({"port": [8080]}, "port", (8080,)),
        ({"port_expose": 8080}, "port", (8080,)),
        ({"timeout_ready": "-1"}, "timeout_ready_s", None),
        ({"timeout_ready": 1500.0}, "timeout_ready_s", 1.5),
        ({"timeout_send": "250"}, "timeout_send_s", 0.25),
        ({"timeout_send": -1}, "timeout_send_s", None),
        ({"protocol": "http"}, "protocol", (ProtocolType.HTTP,)),
        ({"protocol": "Http, gRPC"}, "protocol", (ProtocolType.HTTP, ProtocolType.GRPC)),
        ({"protocols": [ProtocolType.HTTP, "grpc"]}, "protocol", (ProtocolType.HTTP, ProtocolType.GRPC)),
        ({"host": "localhost,127.0.0.1"}, "host", ("localhost", "127.0.0.1")),
        ({"cors": "true"}, "cors", True),
        ({"cors": 0}, "cors", False),
        ({"name": 5}, "name", "5"),
        ({"name": None}, "name", "executor"),
        ({"uses_with": '{"a": {"b": [1]}}'}, "uses_with", {"a": {"b": [1]}}),
        (
            {"uses_with": ["a=1", "b: x", "c=[1, y]", "d=true", "e='5'"]},
            "uses_with",
            {"a": 1, "b": "x", "c": [1, "y"], "d": True, "e": "5"},
        ),
        ({"env": {1: "x"}}, "env", {"1": "x"}),
        ({"py_modules": "a.py"}, "py_modules", ("a.py",)),
        ({"polling": '{"/index": "any", "*": "ALL"}'}, "polling", {"/index": "ANY", "*": "ALL"}),
        ({"max_body_bytes": "1.5 MiB"}, "max_body_bytes", 3 << 19),
        ({"max_body_bytes": -1}, "max_body_bytes", None),
        ({"max_body_bytes": None}, "max_body_bytes", None),
        ({"hang_timeout_s": "none"}, "hang_timeout_s", None),
        ({"pod_role": "worker"}, "pod_role", PodRoleType.WORKER),
        ({"disable_reduce": True}, "no_reduce", True),
    ],
)
@pytest.mark.filterwarnings("ignore:accepted, but without effect")
def test_values_may_be_written_in_many_ways(given: dict[str, Any], name: str, expected: Any) -> None:
    """Strings, numbers, lists, JSON and old names give the same typed value."""
    assert getattr(options(**given), name) == expected


def test_several_protocols_take_one_port_or_several() -> None:
    """A lone port is for all; of several a missing one is any free one."""
    assert options(protocol=["grpc", "http"], port=5000).ports == (5000, 5000)
    assert options(protocol="grpc,http", port="5000,5001").ports == (5000, 5001)
    assert options(protocol=["grpc", "http"]).ports == (0, 0)
    assert [options(protocol=["grpc", "http"], port=port).shares_port for port in (None, 0, 5000, [0, 0])] == [False, True, True, False]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"replicas": "two"}, r"replicas: expected a whole number, got 'two'"),
        ({"replicas": 0}, r"replicas must be >= 1, got 0"),
        ({"replicas": True}, r"replicas: expected a whole number"),
        ({"timeout_ready": -5}, r"timeout_ready must be >= 0, got -5"),
        ({"hang_timeout_s": -0.5}, r"hang_timeout_s must be >= 0, got -0.5; use None for no limit"),
        ({"max_header_bytes": -1}, r"max_header_bytes cannot be without a limit"),
        ({"max_body_bytes": "big"}, r"max_body_bytes: expected a number of bytes"),
        ({"port": 70000}, r"port must be from 0 to 65535, got 70000"),
        ({"port": [1, 2]}, r"2 ports were given for 1 protocol"),
        ({"port": 7, "host": "unix:/tmp/a"}, r"port 7 was given, but host unix:/tmp/a has no ports"),
        ({"host": "unix:"}, r"address 'unix:' names no socket; write it as unix:/path/to/socket"),
        ({"unix_access": "0660"}, r"unix_access must be owner, group or everyone, got '0660'"),
        ({"protocol": "soap"}, r"protocol: expected one of GRPC, HTTP, WEBSOCKET, got 'soap'"),
        ({"protocol": "grpc,GRPC"}, r"protocol names one twice"),
        ({"protocol": []}, r"protocol is empty"),
        ({"port": 1, "ports": 2}, r"argument 'port' is given twice"),
        ({"uses_with": "nothing"}, r"uses_with: expected a mapping"),
        ({"cors": "perhaps"}, r"cors: expected true or false, got 'perhaps'"),
        ({"polling": "SOME"}, r"polling: expected ANY or ALL, got 'SOME'"),
        ({"ssl_certfile": "c.pem"}, r"ssl_certfile was given without ssl_keyfile; TLS needs both"),
        ({"ssl_keyfile": "k.pem"}, r"ssl_keyfile was given without ssl_certfile"),
        ({"ssl_ca_certs": "ca.pem"}, r"ssl_ca_certs was given without ssl_certfile and ssl_keyfile"),
        ({"api_key": ""}, r"api_key is empty"),
        ({"api_key": ["k", " "]}, r"api_key is empty"),
        ({"api_key": "$API_KEY"}, r"api_key names the environment variable 'API_KEY', which is not set"),
        ({"api_key": "${API_KEY}"}, r"the environment variable 'API_KEY'"),
        ({"api_key": "$secret"}, r"api_key begins with '\$', so it names an environment variable; that is not set$"),
        ({"protocol": "https"}, r"got 'https'; ssl_certfile and ssl_keyfile give TLS"),
        ({"protocol": ["wss"]}, r"got 'wss'; ssl_certfile and ssl_keyfile give TLS"),
    ],
)
def test_wrong_values_are_refused_with_the_name_and_the_value(given: dict[str, Any], words: str) -> None:
    """A ConfigError is also a ValueError; its text tells what to write."""
    with pytest.raises(ConfigError, match=words) as caught:
        options(**given)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"replicas": 2}, "replicas=2"),
        ({"shards": 2}, "shards=2"),
        ({"stateful": True}, "RAFT"),
        ({"uses": "docker://image"}, "container image"),
        ({"uses": "jinaai://jina-ai/Encoder"}, "Hub is no longer available"),
        ({"uses": "jinahub+docker://Encoder"}, "container image"),
        ({"external": True}, "Flow"),
        ({"provider": "sagemaker"}, "provider=SAGEMAKER"),
    ],
)
def test_what_a_later_release_brings_is_refused_clearly(given: dict[str, Any], words: str) -> None:
    """Nothing is served in another way than it was asked for."""
    with pytest.raises(NotSupportedError, match=f"deployment 'executor': .*{words}"):
        options(**given)


def test_unknown_arguments_are_ignored_with_one_warning() -> None:
    """All unknown names stand in one warning, each with the nearest name."""
    with pytest.warns(UserWarning, match="unknown arguments") as caught:
        options(replcas=2, tiimeout_ready=5, zzz=1)

    assert len(caught) == 1
    text = str(caught[0].message)
    assert "'replcas' (did you mean 'replicas'?)" in text
    assert "'tiimeout_ready' (did you mean 'timeout_ready'?)" in text
    assert "'zzz'" in text
    with pytest.warns(UserWarning, match=r"'prot' \(did you mean 'protocol'\?\)"):
        options(prot="http")


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        *(("api_keyy", "api_key"), ("apikey", "api_key"), ("api-key", "api_key"), ("API_KEY", "api_key")),
        *(("ssl_cert", "ssl_certfile"), ("ssl_key", "ssl_keyfile"), ("ssl_ca", "ssl_ca_certs"), ("ca_certs", "ssl_ca_certs")),
        *(("max_body_size", "max_body_bytes"), ("header_timeout", "header_timeout_s"), ("unix_acces", "unix_access")),
    ],
)
def test_an_unknown_argument_that_resembles_one_that_protects_is_refused(unknown: str, meant: str) -> None:
    """A service that asks for no key although its owner gave one would be open to all."""
    with pytest.raises(ConfigError, match=f"unknown argument '{unknown}': did you mean '{meant}'"):
        options(**{unknown: "secret"})
    with pytest.warns(UserWarning, match="unknown argument"):
        options(replcas=2, max_workers=3)


def test_every_limit_protects() -> None:
    """Whoever misspells a limit hears of it, the newest limit's name included."""
    table = arguments_of(DeploymentOptions)

    assert [each.name for each in dataclasses.fields(Limits) if not table[each.name].protects] == []


def test_the_warning_points_at_the_callers_line() -> None:
    """from_kwargs blames the code that wrote the name."""
    with pytest.warns(UserWarning, match="zzz") as caught:
        DeploymentOptions.from_kwargs(zzz=1)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [({"override_with": {"a": 1}}, "uses_with", {"a": 1}), ({"parallel": "1"}, "replicas", 1), ({"https": True}, "tls", True)],
)
@pytest.mark.filterwarnings("ignore:accepted, but without effect")
def test_old_names_migrate_with_a_warning(given: dict[str, Any], name: str, expected: Any) -> None:
    """A name of Jina 2 still sets the value and tells the new name."""
    with pytest.warns(DeprecationWarning, match=f"use '{name}'"):
        assert getattr(options(**given), name) == expected


def test_environment_gives_defaults_only() -> None:
    """JINA_DEFAULT_HOST and JINA_DEFAULT_TIMEOUT_CTRL count where nothing is given."""
    environ = {"JINA_DEFAULT_HOST": "10.0.0.1", "JINA_DEFAULT_TIMEOUT_CTRL": "7"}

    assert DeploymentOptions.from_mapping({}, environ=environ).host == ("10.0.0.1",)
    assert DeploymentOptions.from_mapping({}, environ=environ).timeout_ctrl == 7
    given = DeploymentOptions.from_mapping({"host": "127.0.0.1", "timeout_ctrl": 1}, environ=environ)
    assert (given.host, given.timeout_ctrl) == (("127.0.0.1",), 1)
    assert DeploymentOptions.from_mapping({}, host="0.0.0.0", environ={}).host == ("0.0.0.0",)


def test_a_wrong_value_in_the_environment_is_refused_with_the_variables_name() -> None:
    """Who never wrote `timeout_ctrl` is not told of it."""
    with pytest.raises(ConfigError, match=r"JINA_DEFAULT_TIMEOUT_CTRL: expected a whole number, got 'soon'"):
        DeploymentOptions.from_mapping({}, environ={"JINA_DEFAULT_TIMEOUT_CTRL": "soon"})


@pytest.mark.filterwarnings("ignore:accepted, but without effect")
def test_round_trip_through_plain_values() -> None:
    """to_dict gives what from_kwargs reads as the same options."""
    first = options(
        port=[5000, 0], protocol=["http", "grpc"], uses_with={"a": (1, 2)}, max_body_bytes=None, polling={"/a": "all"}, api_key="k"
    )

    written = first.to_dict()

    assert written["protocol"] == ["http", "grpc"]
    assert written["uses_with"] == {"a": [1, 2]}
    assert options(**written).to_dict() == written


def test_the_key_is_not_shown() -> None:
    """A secret is in no repr, and so in no log and traceback."""
    assert "hunter2" not in repr(options(api_key="hunter2"))


def test_options_cannot_change() -> None:
    """They are passed on whole and shared."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        options().name = "x"  # type: ignore[misc]


def test_every_argument_is_explained_and_has_a_readable_default() -> None:
    """The table is complete: help for each, and each default is what its own parser gives back."""
    for argument in arguments_of(DeploymentOptions).values():
        assert argument.help
        if argument.default is not None:
            assert argument.parse(argument.default) == argument.default, argument.name


def test_inactive_arguments_are_told() -> None:
    """What is accepted without an effect is named in one warning."""
    with pytest.warns(UserWarning, match="without effect in this release: reload, monitoring$"):
        options(monitoring=True, reload=True)
