import os
from collections.abc import Iterator

import pytest
from endpoints import Endpoints

from google_auth.behind import Behind
from support.world.standin import Standin


@pytest.fixture(autouse=True)
def no_identity_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither client knows anything of the machine that runs the tests."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "CLOUDSDK_", "GCE_", "GOOGLE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def behind(standin: Standin) -> Behind:
    return Behind(standin)


@pytest.fixture
def recorder(behind: Behind) -> Iterator[Endpoints]:
    """Writes down what both clients ask, and asks the stand-in for what it cannot answer."""
    server = Endpoints(behind)
    yield server
    server.stop()
