"""Client libraries that are too heavy to install for every run: `make test-libraries`."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest

from support.clients.callers import Callers, Wallet, every_dialect
from support.log.server import LogServer
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# They want different openai, so each environment has some of them.
NEEDS = {
    "test_adk.py": "google.adk",
    "test_langchain_openai.py": "langchain_openai",
    "test_litellm.py": "litellm",
    "test_llama_index.py": "llama_index",
    "test_pydantic_ai.py": "pydantic_ai",
}


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [file for file, module in NEEDS.items() if not _there(module)]


@pytest.fixture
def callers(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, no_settings: None
) -> Callers:
    return Callers(gateway(vertex=every_dialect(standin.service_account)), standin, logs)


@pytest.fixture
def wallet(callers: Callers) -> Wallet:
    return Wallet(callers.token())
