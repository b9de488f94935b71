"""Frozen option classes, and the one table of arguments that Python, YAML and the command line all read."""

from jina.enums import DeploymentRoleType, DockerNetworkMode, PodRoleType, PollingType, ProtocolType, ProviderType
from jina.options.address import Address, parse_address
from jina.options.client import ClientOptions
from jina.options.deployment import DeploymentOptions
from jina.options.flow import FlowOptions
from jina.options.service import EVERYWHERE, LOOPBACK, ServiceOptions
from jina.options.table import Argument, arguments_of, names_of

__all__ = [
    "EVERYWHERE",
    "LOOPBACK",
    "Address",
    "Argument",
    "ClientOptions",
    "DeploymentOptions",
    "DeploymentRoleType",
    "DockerNetworkMode",
    "FlowOptions",
    "PodRoleType",
    "PollingType",
    "ProtocolType",
    "ProviderType",
    "ServiceOptions",
    "arguments_of",
    "names_of",
    "parse_address",
]
