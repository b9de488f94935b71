"""Old import path of Jina's argument parsers; see `jina.options` and `jina.cli.flags`."""

from __future__ import annotations

import argparse

from jina.cli.flags import make_full_parser
from jina.options import ClientOptions, DeploymentOptions, FlowOptions


def set_deployment_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """All arguments of a Deployment."""
    return make_full_parser("deployment", DeploymentOptions)


def set_pod_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """All arguments of an Executor's process."""
    return make_full_parser("executor", DeploymentOptions)


def set_flow_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """All arguments of a Flow and its gateway."""
    return make_full_parser("flow", FlowOptions)


def set_client_cli_parser(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """All arguments of a Client."""
    return make_full_parser("client", ClientOptions)


__all__ = ["set_client_cli_parser", "set_deployment_parser", "set_flow_parser", "set_pod_parser"]
