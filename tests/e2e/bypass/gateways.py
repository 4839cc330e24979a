"""The gateways that the table is sent to, with every check on, or without some of them."""

from dataclasses import dataclass
from typing import Any

from support.log.server import LogServer
from support.world.configuration import vertex_json
from support.world.faults import lua_path_with_panic
from support.world.gateway import in_front_of
from support.world.haproxy import Haproxy
from support.world.place import haproxy_version
from support.world.ruleset import ChangedRules, replaced
from support.world.standin import Standin

_LENGTH_OF_CHUNKS = """    .if version_before(3.0)
    http-request del-header transfer-encoding if !allowed is_undeclared """

# Rules of vertex.cfg that stop something, each as it is and as it is without: a text of the file
# and what takes its place. The module's own checks have switches, see src/test_switches.rs.
RULES: dict[str, tuple[str, str]] = {
    "headers": (
        '    http-request del-header "^(?!',
        '    # http-request del-header "^(?!',
    ),
    "uri": ("    http-request set-uri ", "    # http-request set-uri "),
    "host": ("    http-request set-header host ", "    # http-request set-header host "),
    "user-agent": (",regsub(haproxy-vertex,client,gi)]", "]"),
    "encoding": (
        "    http-request set-header accept-encoding identity\n",
        "",
    ),
    "trailers": (
        ("    option http-drop-request-trailers\n", "")
        if haproxy_version() >= (3, 2)
        else (_LENGTH_OF_CHUNKS, _LENGTH_OF_CHUNKS.replace("3.0", "2.0"))
    ),
}


@dataclass
class Without(ChangedRules):
    """`without`: names of `RULES`."""

    without: tuple[str, ...] = ()

    def changed(self, rules: str) -> str:
        return replaced(rules, (RULES[name] for name in self.without))


INFERENCE = [
    "generateContent", "streamGenerateContent", "countTokens", "rawPredict", "streamRawPredict",
    "predict", "embedContent", "batchEmbedContents", "chat.completions", "openapi.embeddings",
]  # fmt: skip


def _role(name: str, may: dict[str, Any], **more: Any) -> dict[str, Any]:
    who = {"issuer": "corp", "groups": [name]}
    where = {"locations": ["us-central1", "global"], "models": ["*"], "methods": INFERENCE}
    return {"name": name, "who": who, "may": where | may, "as": "ml-prod", **more}


def _configuration(standin: Standin, *roles: dict[str, Any]) -> dict[str, Any]:
    vertex = vertex_json(standin.service_account)
    vertex["credentials"][0]["form"] = "scope"  # good for any host
    return vertex | {"roles": list(roles)}


MODELS = ["google/gemini-2.5-*", "google/*-embedding-*", "anthropic/claude-*", "endpoints/77*"]


def shared(standin: Standin) -> dict[str, Any]:
    """A team with some models of one project; a platform group with nearly everything, for
    spellings that only a wide role could let through; and groups with terms for bodies."""
    lists = {
        "tools": ["googleSearch", "web_search_2*", "retrieval"],
        "file_uris": ["gs://acme-docs/in/", "https://search.acme.example/"],
        "stored_state": [
            "projects/acme-docs/locations/*/cachedContents/*", "file_own*", "msg_own*",
            "projects/acme-docs/locations/*/ragCorpora/*",
            "projects/acme-docs/locations/*/collections/*/engines/*",
        ],
        "secrets": ["projects/acme-docs/secrets/search/versions/*"],
        "output_uris": ["gs://acme-docs/out/"],
        "model_armor_templates": ["projects/acme-docs/locations/*/templates/strict"],
    }  # fmt: skip
    return _configuration(
        standin,
        _role("ml", {"projects": ["acme-ml"], "models": MODELS}),
        _role("docs", {"projects": ["acme-ml", "acme-docs"], "models": MODELS, **lists}),
        _role("short", {"projects": ["acme-ml"], "max_output_tokens": 1000}),
        _role("small", {"projects": ["acme-ml"], "max_request_bytes": 500}),
        _role("unread", {"projects": ["acme-ml"]}, body="unread"),
        _role("platform", {"projects": ["*"]}),
    )


def tenants(standin: Standin) -> dict[str, Any]:
    """Two tenants, each with a project of its own and all that Google keeps there."""

    def tenant(name: str) -> dict[str, Any]:
        methods = [*INFERENCE, "stateful/*"]
        return _role(
            name, {"projects": [f"tenant-{name}"], "methods": methods, "stored_state": ["*"]}
        )

    return _configuration(standin, tenant("red"), tenant("blue"))


DESKS = {"shared": shared, "tenants": tenants}


class Gateways:
    """A set of gateways, one for each desk, started when it is asked for."""

    def __init__(
        self,
        standin: Standin,
        logs: LogServer,
        checks: tuple[str, ...] = (),
        rules: tuple[str, ...] = (),
    ) -> None:
        self._standin, self._logs = standin, logs
        self._checks, self._rules = checks, rules
        self._running: dict[str, Haproxy] = {}

    def port(self, desk: str) -> int:
        if desk not in self._running:
            self._running[desk] = self._start(desk)
        return self._running[desk].port

    def _start(self, desk: str) -> Haproxy:
        environment: dict[str, str | None] = {}
        if self._checks:
            environment = {
                **lua_path_with_panic(),
                "HAPROXY_VERTEX_WITHOUT": " ".join(self._checks),
            }
        configuration = in_front_of(
            self._standin,
            self._logs,
            Without,
            vertex=DESKS[desk](self._standin),
            environment=environment,
            without=self._rules,
        )
        return Haproxy(configuration).start()

    def stop(self) -> None:
        for haproxy in self._running.values():
            haproxy.remove()
        self._running.clear()
