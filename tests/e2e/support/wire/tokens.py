"""Callers' tokens that somebody has changed."""

import base64
import json


def with_kid(token: str, kid: str) -> str:
    """The token with another `kid`, and so with a wrong signature."""
    header, rest = token.split(".", 1)
    decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    encoded = base64.urlsafe_b64encode(json.dumps({**decoded, "kid": kid}).encode())
    return f"{encoded.decode().rstrip('=')}.{rest}"
