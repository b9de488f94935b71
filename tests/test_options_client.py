"""Client arguments and addresses."""

from __future__ import annotations

from typing import Any

import pytest

from jina.errors import ConfigError
from jina.options import Address, ClientOptions, ProtocolType, parse_address


def options(**given: Any) -> ClientOptions:
    return ClientOptions.from_mapping(given, environ={})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h", Address("h")),
        ("h:1", Address("h", 1)),
        ("grpc://h:1/", Address("h", 1, "GRPC", False)),
        ("GRPCS://h", Address("h", None, "GRPC", True)),
        ("https://h:1//", Address("h", 1, "HTTP", True)),
        ("ws://h", Address("h", None, "WEBSOCKET", False)),
        ("websocket://h:1", Address("h", 1, "WEBSOCKET", False)),
        ("wss://[::1]:9", Address("::1", 9, "WEBSOCKET", True)),
        ("::1", Address("::1")),
        ("a+b:1", Address("a+b", 1)),
        ("unix:/run/a", Address("unix:/run/a")),
        ("unix:///run/a", Address("unix:///run/a")),
        ("unix-abstract:a", Address("unix-abstract:a")),
        ("grpc+unix:///run/a", Address("unix:///run/a", None, "GRPC", False)),
        ("HTTPS+unix:/run/a", Address("unix:/run/a", None, "HTTP", True)),
        ("ws+unix-abstract:a", Address("unix-abstract:a", None, "WEBSOCKET", False)),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    """Scheme and port are optional; IPv6 addresses with a port stand in brackets."""
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ftp://h", "scheme 'ftp'"),
        ("ftp+unix:/a", "scheme 'ftp'"),
        ("h:x", "port 'x'"),
        ("h:99999", "'99999'"),
        ("[::1", "IPv6"),
        ("h:-1", "'-1'"),
        ("unix:", "names no socket"),
        ("grpc+unix://", "names no socket"),
    ],
)
def test_wrong_addresses(text: str, words: str) -> None:
    """The error names the part that is wrong."""
    with pytest.raises(ConfigError, match=words):
        parse_address(text)


def test_host_is_taken_apart() -> None:
    """One address says protocol, host, port and TLS."""
    client = options(host="https://example.org:8443/")
    assert (client.host, client.port, client.protocol, client.tls) == ("example.org", 8443, ProtocolType.HTTP, True)


def test_default_ports_follow_tls() -> None:
    """80, or 443 over TLS, as in Jina."""
    assert (options().host, options().port) == ("127.0.0.1", 80)
    assert options(tls=True).port == 443
    assert options(host="grpcs://h").port == 443


@pytest.mark.parametrize("given", [{"host": "http://h", "protocol": "http"}, {"host": "h:1", "port": 1}, {"host": "grpc://h", "tls": True}])
def test_the_same_thing_twice_is_refused(given: dict[str, Any]) -> None:
    """Scheme and keyword must not both say it."""
    with pytest.raises(ValueError, match="given twice"):
        options(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": "unix:/a", "port": 1}, "port 1 was given for host 'unix:/a'; a Unix socket has none"),
        ({"protocol": "https"}, "got 'https'; tls=True gives TLS"),
        ({"ssl_ca_certs": "a.pem"}, "ssl_ca_certs was given for a call without TLS; add tls=True"),
        ({"ssl_certfile": "a.pem", "host": "grpc://h"}, "ssl_certfile was given for a call without TLS"),
        ({"ssl_keyfile": "a.pem", "tls": True}, "ssl_keyfile was given without ssl_certfile"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], words: str) -> None:
    """Before a connection is tried."""
    with pytest.raises(ConfigError, match=words):
        options(**given)


def test_unknown_and_old_names() -> None:
    """The same table rules as for a Deployment."""
    with pytest.warns(UserWarning, match="did you mean 'prefetch'"):
        options(prefech=3)
    with pytest.warns(DeprecationWarning, match="use 'tls'"):
        assert options(https=True).tls


def test_default_host_of_the_environment() -> None:
    """JINA_DEFAULT_HOST may hold a whole address."""
    assert ClientOptions.from_mapping({}, environ={"JINA_DEFAULT_HOST": "http://h:9"}).port == 9


def test_an_unknown_argument_that_resembles_one_that_protects_is_refused() -> None:
    """Here too: calls that were meant to be secret would not be."""
    with pytest.raises(ConfigError, match="unknown argument 'ssl_ca_cert': did you mean 'ssl_ca_certs'"):
        ClientOptions.from_kwargs(ssl_ca_cert="root.pem")
