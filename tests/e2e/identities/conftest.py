from collections.abc import Callable, Iterator

import pytest
from endpoints import Endpoints

from support.world.configuration import section, vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    server = Endpoints()
    yield server
    server.stop()


@pytest.fixture
def acting_as(
    gateway: Callable[..., Haproxy], endpoints: Endpoints, standin: Standin
) -> Callable[..., Haproxy]:
    """A gateway with this credential, for which `hosts` are asked."""

    def start(credential: dict[str, object], *hosts: str, **different: object) -> Haproxy:
        vertex = vertex_json(standin.service_account)
        vertex["credentials"] = [{"name": "ml-prod", **credential}]
        server = f"server one 127.0.0.1:{endpoints.port}"
        backends = "\n".join(
            section(f"backend vertex_fetch_{host} from vertex-fetch", [server]) for host in hosts
        )
        return gateway(vertex=vertex, sections=backends, **different)

    return start
