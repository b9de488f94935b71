"""What a Client is told: where the service is and how to speak to it."""

# ruff: noqa: RUF009 - `argument` makes a dataclass field; ruff cannot see that

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from jina.enums import ProtocolType
from jina.errors import ConfigError
from jina.options import values
from jina.options.address import parse_address, unix_path
from jina.options.service import LOOPBACK
from jina.options.table import argument, changed, check_minimum, inactive, read, warn_of_inactive

_SERVICE, _CALLS, _OBSERVE = "service", "calls", "logs, metrics, traces"


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """Where a Client calls, and how.

    `host` may be written with scheme and port (`grpcs://example.org:443`): `from_kwargs` takes it apart, so that the fields hold a
    bare host, its port, the protocol and whether it is TLS.
    """

    INACTIVE: ClassVar[tuple[str, ...]] = (
        *("proxy", "tracing", "traces_exporter_host", "traces_exporter_port"),
        *("metrics", "metrics_exporter_host", "metrics_exporter_port"),
    )
    LATER: ClassVar[tuple[str, ...]] = ()
    ALWAYS_SO: ClassVar[tuple[str, ...]] = ("reuse_session", "suppress_root_logging")

    host: str = argument(LOOPBACK, values.text, "the service: host, scheme://host:port, or unix:PATH", group=_SERVICE, aliases=("host_in",))
    port: int = argument(80, values.integer, "its port; 443 by default over TLS", group=_SERVICE, aliases=("port_expose", "port_in"))
    protocol: ProtocolType = argument(ProtocolType.GRPC, values.protocol, "grpc, http or websocket", group=_SERVICE, aliases=("protocols",))
    tls: bool = argument(False, values.flag, "call over TLS", group=_SERVICE, deprecated=("https",), protects=True)
    ssl_ca_certs: str | None = argument(
        None,
        values.text,
        "roots (PEM) that the service's certificate is checked by, instead of the system's",
        group=_SERVICE,
        protects=True,
    )
    ssl_certfile: str | None = argument(
        None, values.text, "client certificate (PEM), for services that ask for one", group=_SERVICE, protects=True
    )
    ssl_keyfile: str | None = argument(
        None, values.text, "its key (PEM), where the certificate's file does not hold it", group=_SERVICE, protects=True
    )
    asyncio: bool = argument(False, values.flag, "give coroutines and async iterators", group=_CALLS)
    proxy: bool = argument(False, values.flag, "go through http_proxy and https_proxy", group=_CALLS)
    prefetch: int = argument(1000, values.integer, "most requests on the way at once; 0 is no limit", group=_CALLS, minimum=0)
    reuse_session: bool = argument(False, values.flag, "accepted; connections are always kept", group=_CALLS)
    api_key: str | None = argument(
        None, values.text, "key of the service, sent as Authorization: Bearer KEY", group=_SERVICE, secret=True, protects=True
    )
    grpc_channel_options: dict[str, Any] | None = argument(
        None, values.mapping, "grpcio's channel options; those with a meaning here keep it", group=_CALLS
    )
    max_message_bytes: int | None = argument(
        1 << 30, values.size, "largest message that is read", group=_CALLS, none_is_value=True, minimum=1, protects=True
    )
    log_config: str = argument("default", values.text, "default, plain, json, docker, quiet, or a YAML file", group=_OBSERVE)
    suppress_root_logging: bool = argument(False, values.flag, "accepted; the root logger is never touched", group=_OBSERVE, hidden=True)
    tracing: bool = argument(False, values.flag, "send OpenTelemetry traces", group=_OBSERVE)
    traces_exporter_host: str | None = argument(None, values.text, "where traces go", group=_OBSERVE)
    traces_exporter_port: int | None = argument(None, values.integer, "its port", group=_OBSERVE)
    metrics: bool = argument(False, values.flag, "send OpenTelemetry metrics", group=_OBSERVE)
    metrics_exporter_host: str | None = argument(None, values.text, "where metrics go", group=_OBSERVE)
    metrics_exporter_port: int | None = argument(None, values.integer, "its port", group=_OBSERVE)

    def __post_init__(self) -> None:
        check_minimum(self)
        if self.api_key is not None and not self.api_key.strip():
            raise ConfigError("api_key is empty; give the service's key, or leave the argument out")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port must be from 0 to 65535, got {self.port}")
        for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
            if getattr(self, name) and not self.tls:
                raise ConfigError(f"{name} was given for a call without TLS; add tls=True, or write grpcs:// or https:// in host")
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ConfigError("ssl_keyfile was given without ssl_certfile; a client certificate needs both")

    @classmethod
    def from_kwargs(cls, **kwargs: Any) -> Self:
        """Options from Jina's keyword arguments; unknown ones are ignored with a warning.

        Raises:
            ConfigError: A value that cannot be read, or one that is said twice (in `host` and by keyword).
        """
        return cls.from_mapping(kwargs)

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], *, environ: Mapping[str, str] | None = None) -> Self:
        """Options by name."""
        environ = os.environ if environ is None else environ
        found = read(cls, given)
        address = parse_address(found.get("host") or environ.get("JINA_DEFAULT_HOST") or LOOPBACK)
        in_host = {"port": address.port, "tls": address.tls, "protocol": ProtocolType[address.protocol] if address.protocol else None}
        for name, value in in_host.items():
            if value is None:
                continue
            if name in found and not (name == "tls" and value == found[name]):
                raise ConfigError(f"{name} is given twice: as {found[name]} and in host {found['host']!r}; give it once")
            found[name] = value
        found["host"] = address.host or LOOPBACK
        if unix_path(found["host"]) is not None and found.setdefault("port", 0):
            raise ConfigError(f"port {found['port']} was given for host {found['host']!r}; a Unix socket has none")
        found.setdefault("port", 443 if found.get("tls") else 80)
        options = cls(**found)
        warn_of_inactive(inactive(options))
        return options

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, by name."""
        return changed(self)
