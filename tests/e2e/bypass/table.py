"""The whole table."""

from bypass import bodies, headers, http2, queries, tenants, terms, urls
from bypass.pair import HOST, Kind, Pair
from support.place import haproxy_version

KINDS: list[Kind] = [
    *urls.KINDS, *queries.KINDS, *headers.KINDS, *bodies.KINDS, *terms.KINDS, *tenants.KINDS,
    *http2.KINDS,
]  # fmt: skip


def pairs() -> list[Pair]:
    """Those that hold on the HAProxy under test."""
    version = haproxy_version()
    return [pair for kind in KINDS for pair in kind.pairs if pair.since <= version]


def is_hosts_own(pair: Pair) -> bool:
    """Whether HAProxy refuses it in every version of HTTP: no check of ours to switch off."""
    return all(pair.expected(version) == HOST for version in pair.over)
