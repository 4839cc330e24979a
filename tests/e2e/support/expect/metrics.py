"""The pages for Prometheus and for load balancers: where they are, and what they say."""

import re
from collections.abc import Callable, Mapping

from support.expect.eventually import eventually
from support.wire.http1 import Response, once
from support.world.configuration import section
from support.world.place import free_port

SAMPLE = re.compile(
    r"(?P<name>haproxy_vertex_[a-z0-9_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>-?[0-9]+(?:\.[0-9]+)?)"
)
_LABEL = re.compile(r'(?P<name>[a-z_]+)="(?P<value>(?:[^"\\\n]|\\["\\n])*)"')

# Of a sample: its name and its labels.
Key = tuple[str, frozenset[tuple[str, str]]]


def key(name: str, **labels: str) -> Key:
    return f"haproxy_vertex_{name}", frozenset(labels.items())


def listening(port: int) -> str:
    """The section of production.cfg, at another port."""
    return section(
        "frontend vertex_metrics from vertex-internal",
        [
            f"bind 127.0.0.1:{port}",
            "http-request use-service lua.vertex-metrics if { path /metrics }",
            "http-request use-service lua.vertex-ready if { path /ready }",
            "http-request return status 404",
        ],
    )


class Pages:
    """An HAProxy's pages."""

    def __init__(self) -> None:
        self.port = free_port()
        self.section = listening(self.port)

    def get(
        self, path: str, method: str = "GET", body: bytes = b"", timeout: float = 10.0
    ) -> Response:
        return once(self.port, method, path, {"host": "localhost"}, body, timeout=timeout)

    def once(self, holds: Callable[[dict[Key, float]], bool], what: str) -> dict[Key, float]:
        """Every sample, once this holds: what is counted with a log line comes a moment after the
        answer."""

        def seen() -> dict[Key, float] | None:
            found = self.metrics()
            return found if holds(found) else None

        found = eventually(seen, what)
        assert found is not None
        return found

    def metrics(self) -> dict[Key, float]:
        """Every sample of the page, each once."""
        response = self.get("/metrics")
        assert response.status == 200, response
        return samples(response.text)


def samples(page: str) -> dict[Key, float]:
    """Reads each line strictly: comments in front of their family, samples, nothing else."""
    found: dict[Key, float] = {}
    family, kind, done = "", "", set()
    assert page.endswith("\n")
    for line in page[:-1].split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in done, f"{family} twice"
            done.add(family)
            assert len(line.split(" ", 3)[3]) > 3
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and kind in ("counter", "gauge", "histogram")
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, f"not a sample: {line!r}"
            endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            assert sample["name"] in [family + ending for ending in endings], line
            written = sample["labels"] or ""
            pairs = [(label["name"], label["value"]) for label in _LABEL.finditer(written)]
            assert ",".join(f'{name}="{value}"' for name, value in pairs) == written, line
            one = (sample["name"], frozenset(pairs))
            assert one not in found, f"twice: {line}"
            found[one] = float(sample["value"])
    return found


def grown(before: Mapping[Key, float], after: Mapping[Key, float]) -> dict[Key, float]:
    """What is more than before, by how much."""
    return {
        one: value - before.get(one, 0) for one, value in after.items() if value > before.get(one, 0)
    }
