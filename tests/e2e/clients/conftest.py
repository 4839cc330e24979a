"""Fixtures of the tests of client libraries."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.clients.callers import Callers, Wallet, every_dialect
from support.log.server import LogServer
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# Libraries that want an older google-genai have an environment of their own: see the Makefile.
if find_spec("langchain_google_vertexai") is None:
    collect_ignore = ["test_clients_aiplatform.py", "test_clients_langchain_older.py"]


@pytest.fixture
def callers(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    certificate: Path,
    no_settings: None,
) -> Callers:
    """A gateway for all client libraries."""
    vertex = every_dialect(standin.service_account)
    return Callers(gateway(vertex=vertex, tls_certificate=certificate), standin, logs)


@pytest.fixture
def wallet(callers: Callers) -> Wallet:
    return Wallet(callers.token())
