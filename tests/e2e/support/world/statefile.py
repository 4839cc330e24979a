"""The keys that outlive a reload, as the unit file's reload command keeps them."""

import json
import os
from pathlib import Path
from typing import Any

from support.world.haproxy import Haproxy


def save_keys(haproxy: Haproxy, state_file: Path) -> dict[str, Any]:
    """What the command line prints goes to a new file, which then takes the old one's place."""
    text = haproxy.ask("vertex show keys json")
    new = state_file.with_suffix(".new")
    new.write_text(text)
    os.replace(new, state_file)
    return json.loads(text)


def age_by(state: dict[str, Any], seconds: int) -> dict[str, Any]:
    issuers = [{**kept, "fetched_at": kept["fetched_at"] - seconds} for kept in state["issuers"]]
    return {**state, "issuers": issuers}
