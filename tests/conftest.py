"""What all tests share: settings of hypothesis, and which async backend anyio's plugin uses."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# CI must not fail by chance on a slow machine, nor find something new by chance: the same examples each time, no time limit for one.
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as the product does."""
    return "asyncio"
