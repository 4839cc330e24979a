"""Requests to an HAProxy with rules of its own, and what came of them."""

from typing import Any

from support.calls import BODY, GENERATE, headers
from support.client import Response, once
from support.haproxy import Haproxy
from support.standin import Standin


def ask(haproxy: Haproxy, token: str | None, target: str = GENERATE, **more: str) -> Response:
    return once(haproxy.port, "POST", target, headers(token, **more), BODY, timeout=20)


def arrived(standin: Standin) -> list[dict[str, Any]]:
    return standin.requests(of="google")
