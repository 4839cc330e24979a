"""The configuration of a gateway in front of the stand-in."""

from typing import Any

from support.log.server import LogServer
from support.world.configuration import Configuration, vertex_json
from support.world.standin import Standin


def in_front_of(
    standin: Standin,
    logs: LogServer,
    kind: type[Configuration] = Configuration,
    **different: Any,
) -> Configuration:
    """`different`: members of `Configuration` that are to be otherwise."""
    usual = {
        "google_http": standin.ports["google_http"],
        "google_https": standin.ports["google_https"],
        "idp_https": standin.ports["idp_https"],
        "ca": standin.ca,
        "log_port": logs.port,
        "vertex": vertex_json(standin.service_account),
    }
    return kind(**usual | different)
