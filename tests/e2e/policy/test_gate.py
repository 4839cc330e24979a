"""The gate stands in the Vertex backend: whichever way a request gets there, it leaves as its
verdict says or not at all."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.log.server import LogServer, all_lines
from support.wire.calls import BODY, GENERATE, headers, outcome, post
from support.wire.http1 import once
from support.world.configuration import Configuration, google_host, section, vertex_json
from support.world.haproxy import Haproxy, NotStarted
from support.world.place import free_port
from support.world.ruleset import elsewhere
from support.world.standin import Standin

HOST = google_host("us-central1")
GLOBAL = GENERATE.replace("us-central1", "global")


@pytest.fixture
def token(standin: Standin) -> str:
    return standin.token()


def is_canonical(seen: dict[str, Any], target: str = GENERATE, host: str = HOST) -> bool:
    hosts = [value for name, value in seen["headers"] if name == "host"]
    bearers = [value for name, value in seen["headers"] if name == "authorization"]
    where = (seen["method"], seen["target"], hosts) == ("POST", target, [host])
    return where and len(bearers) == 1 and seen["bearer"]["valid"]


def second_frontend(port: int, *lines: str, parent: str = "") -> str:
    """One that is not `from vertex`, beside `ai`; the load would refuse a name that it can read."""
    own = ["mode http", "timeout client 10s", f"bind 127.0.0.1:{port}", *lines]
    return section(f"frontend other{parent}", own, "use_backend %[str(vertex_us-central1)]")


# A location without a backend.


def test_a_location_of_a_role_without_backend_is_refused_at_start_whatever_the_default_backend(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
) -> None:
    made = configuration(
        frontend_lines="default_backend elsewhere",
        sections=elsewhere(standin),
        locations=("global",),
    )
    haproxy = launch(made, start=False)

    check = haproxy.check()
    assert check.status == 1
    assert "backend vertex_us-central1 from vertex-upstream" in check.output
    with pytest.raises(NotStarted, match="no backend vertex_us-central1"):
        haproxy.start()

    made.locations = ("global", "us-central1")
    assert haproxy.check().status == 0
    haproxy.start()


def test_a_location_without_backend_is_refused_whatever_the_default_backend(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    everywhere = vertex_json(standin.service_account)
    everywhere["roles"][0]["may"]["locations"] = ["*"]
    haproxy = gateway(
        frontend_lines="default_backend elsewhere",
        sections=elsewhere(standin),
        locations=("global",),
        vertex=everywhere,
    )

    assert outcome(post(haproxy, token)) == (403, "location_without_backend")
    assert standin.requests(of="google") == []
    assert post(haproxy, token, GLOBAL).status == 200
    [seen] = standin.requests(of="google")
    assert is_canonical(seen, GLOBAL, google_host("global"))
    [refusal] = [line for line in all_lines(haproxy, logs, 2) if line.status == 403]
    assert (refusal["decision"], refusal["reason"]) == ("deny", "location_without_backend")


# Rules of the user's own around ours.


@pytest.mark.parametrize(
    "rule",
    [
        "set-path /v1/projects/other/locations/us-central1/publishers/google/models/m:predict",
        "set-pathq /elsewhere?key=1",
        "set-uri https://elsewhere.example/elsewhere",
        "set-query alt=sse&key=1",
        "replace-path (.*) /elsewhere",
        "set-header host elsewhere.example",
        "add-header host elsewhere.example",
        "set-header authorization Bearer\\ elsewhere",
        "add-header authorization Bearer\\ elsewhere",
        "add-header x-goog-user-project elsewhere",
        "del-header authorization",
    ],
)
def test_what_a_rule_of_the_frontend_writes_does_not_reach_google(
    gateway: Callable[..., Haproxy], standin: Standin, token: str, rule: str
) -> None:
    haproxy = gateway(frontend_lines=f"http-request {rule}")

    assert post(haproxy, token).status == 200

    [seen] = standin.requests(of="google")
    assert is_canonical(seen), seen
    assert "elsewhere" not in json.dumps(seen["headers"])


@pytest.mark.parametrize("parent", ["", " from vertex-internal"])
def test_a_request_from_another_frontend_is_refused(
    gateway: Callable[..., Haproxy], standin: Standin, token: str, parent: str
) -> None:
    port = free_port()
    haproxy = gateway(sections=second_frontend(port, parent=parent))
    assert post(haproxy, token).status == 200
    standin.forget_requests()

    answer = once(port, "POST", GENERATE, headers(token), BODY)

    assert outcome(answer) == (503, "internal")
    assert standin.requests(of="google") == []


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (f"allow|us-central1|0.deadbeef|{HOST}|/v1/x|x", "credential_unavailable"),
        (f"allow|us-central1|0|{HOST}|/v1/x|x", "credential_unavailable"),
        (f"allow|us-central1||{HOST}|/v1/x|x", "credential_unavailable"),
        ("allow|us-central1", "credential_unavailable"),
        (f"allow|us-central|0.deadbeef|{HOST}|/v1/x|x", "internal"),
        (f"allow|us-central1x|0.deadbeef|{HOST}|/v1/x|x", "internal"),
        (f"xallow|us-central1|0.deadbeef|{HOST}|/v1/x|x", "internal"),
        ("allow", "internal"),
    ],
)
def test_a_verdict_that_a_rule_makes_up_lends_no_bearer(
    gateway: Callable[..., Haproxy], standin: Standin, token: str, verdict: str, reason: str
) -> None:
    port = free_port()
    rule = f"http-request set-var(txn.vertex.verdict) str({verdict})"
    haproxy = gateway(sections=second_frontend(port, rule))
    assert post(haproxy, token).status == 200
    standin.forget_requests()

    forged = once(port, "POST", GENERATE, headers(token), BODY)

    assert outcome(forged) == (503, reason)
    assert standin.requests(of="google") == []


def test_a_request_allowed_for_one_location_cannot_leave_by_another_ones_backend(
    gateway: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    haproxy = gateway(use_backend="use_backend vertex_global")

    assert outcome(post(haproxy, token)) == (503, "internal")
    assert standin.requests(of="google") == []

    assert post(haproxy, token, GLOBAL).status == 200
    [seen] = standin.requests(of="google")
    assert is_canonical(seen, GLOBAL, google_host("global"))


def test_the_log_line_of_a_refusal_by_the_gate_is_no_allow(
    gateway: Callable[..., Haproxy], logs: LogServer, token: str
) -> None:
    haproxy = gateway(use_backend="use_backend vertex_global")

    assert outcome(post(haproxy, token)) == (503, "internal")

    [line] = all_lines(haproxy, logs)
    assert line.status == 503
    assert (line["decision"], line["reason"]) == ("deny", "internal")


# What Google answers to the gateway's own credential.


@pytest.mark.parametrize(
    ("google", "told", "reason"),
    [(401, 503, "google_credential_refused"), (403, 502, "google_denied")],
)
def test_googles_refusal_of_the_gateway_is_not_the_callers(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    token: str,
    google: int,
    told: int,
    reason: str,
) -> None:
    haproxy = gateway()
    standin.google(status=google)

    answer = post(haproxy, token)

    assert outcome(answer) == (told, reason)
    assert answer.header("www-authenticate") is None
    assert answer.header("content-type") == "application/json"
    [line] = all_lines(haproxy, logs)
    assert (line.status, line["google"]) == (told, reason)


def test_any_other_answer_of_googles_passes(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    haproxy = gateway()
    for status in (200, 404, 429, 500):
        standin.google(status=status)
        assert post(haproxy, token).status == status

    lines = all_lines(haproxy, logs, 4)
    # Two threads write them, in no order.
    assert {line.status for line in lines} == {200, 404, 429, 500}
    assert [line["google"] for line in lines] == ["-"] * 4


def tls_upstream(standin: Standin, ca: object, name: str) -> str:
    port = standin.ports["google_https"]
    server = f"server google 127.0.0.1:{port} ssl verify required ca-file {ca} sni str({name})"
    return section("backend vertex_us-central1 from vertex-upstream", ["filter lua.vertex-meter", "retries 0", server])


@pytest.mark.parametrize("wrong", ["authority", "name", "nothing"])
def test_the_bearer_goes_only_to_a_google_whose_certificate_is_verified(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    token: str,
    certificate: object,
    wrong: str,
) -> None:
    ca = certificate if wrong == "authority" else standin.ca
    name = "elsewhere.example" if wrong == "name" else HOST
    haproxy = gateway(sections=tls_upstream(standin, ca, name), locations=("global",))

    status = post(haproxy, token).status

    assert (status, len(standin.requests(of="google"))) == ((200, 1) if wrong == "nothing" else (503, 0))
