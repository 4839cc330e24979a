"""Labels for Google's billing export: the role's and the caller's, never those that a caller sends."""

import base64
import json
from collections.abc import Callable
from typing import Any

from support.clients.callers import every_dialect
from support.wire.calls import GENERATE, post
from support.world.haproxy import Haproxy
from support.world.standin import Standin


def test_labels_of_the_role_and_the_caller_go_to_google_and_the_caller_s_own_do_not(
    gateway: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    vertex = every_dialect(standin.service_account)
    own = base64.b64encode(b'{"team":"mine"}').decode()

    def labels() -> Any:
        [seen] = standin.requests(of="google")
        values = [v for name, v in seen["headers"] if name.lower() == "x-vertex-ai-labels"]
        return [json.loads(base64.b64decode(value)) for value in values]

    assert post(gateway(vertex=vertex), token, GENERATE, X_Vertex_AI_Labels=own).status == 200
    assert labels() == []

    standin.forget_requests()
    vertex["roles"][0] |= {"labels": {"team": "ml"}, "principal_label": "caller"}
    assert post(gateway(vertex=vertex), token, GENERATE, X_Vertex_AI_Labels=own).status == 200
    [sent] = labels()
    assert sent["team"] == "ml" and sent["caller"].startswith("corp_alice-")
