"""The whole table."""

from support.world.place import haproxy_version

from bypass import (
    bodies,
    framing,
    headers,
    http2,
    lengths,
    limits,
    models,
    queries,
    reads,
    tenants,
    uploads,
    urls,
    writes,
)  # fmt: skip
from bypass.pair import HOST, Kind, Pair

FILES = [
    urls, queries, headers, framing, bodies, models, lengths, reads, writes, limits, tenants, http2,
    uploads,
]  # fmt: skip

KINDS: list[Kind] = [kind for file in FILES for kind in file.KINDS]


def pairs() -> list[Pair]:
    """Those that hold on the HAProxy under test."""
    version = haproxy_version()
    return [pair for kind in KINDS for pair in kind.pairs if pair.since <= version]


def is_hosts_own(pair: Pair) -> bool:
    """Whether HAProxy refuses it in every version of HTTP: no check of ours to switch off."""
    return all(pair.expected(version) == HOST for version in pair.over)
