"""The page for Prometheus: what promtool takes, what is counted, who gets it."""

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.expect.eventually import eventually
from support.expect.metrics import Key, Pages, grown, key
from support.wire.calls import BODY, GENERATE, headers, outcome, outcomes, post
from support.wire.http1 import Connection, once
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.place import ROOT
from support.world.standin import Standin

ALLOWED = key("decisions_total", decision="allow", reason="ok")
CORP = {"issuer": "corp"}


@pytest.fixture
def warm(gateway: Callable[..., Haproxy], standin: Standin, pages: Pages) -> Haproxy:
    haproxy = gateway(sections=pages.section)
    assert post(haproxy, standin.token()).status == 200
    pages.once(lambda seen: seen[ALLOWED] == 1, "it is counted")
    return haproxy


def decisions(before: dict[Key, float], after: dict[Key, float]) -> dict[Key, float]:
    """Those that grew, and by how much."""
    return {one: more for one, more in grown(before, after).items() if one[0] == ALLOWED[0]}


def denied(reason: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return key("decisions_total", decision="deny", reason=reason)


def test_promtool_and_a_strict_reader_take_the_page(warm: Haproxy, pages: Pages) -> None:
    response = pages.get("/metrics")

    assert response.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert response.header("content-length") == str(len(response.body))
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=response.body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert pages.metrics()


def test_each_decision_moves_its_counter_and_no_other(
    warm: Haproxy, pages: Pages, standin: Standin
) -> None:
    # Each refusal beside a twin that passes.
    asked = [
        (standin.token(), ALLOWED),
        (standin.token(sign_with="other"), denied("bad_signature")),
        (standin.token(claims={"aud": "another"}), denied("audience_wrong")),
        (standin.token({"groups": ["none"]}), denied("role_none")),
    ]
    for token, counter in asked:
        before = pages.metrics()
        answer = post(warm, token)
        after = pages.once(lambda seen: decisions(before, seen) != {}, "it is counted")
        assert decisions(before, after) == {counter: 1}, outcome(answer)
    requests = key("requests_total", role="ml-team", model="google/gemini-2.5-*")
    assert pages.metrics()[requests] == 2


def test_a_body_that_is_read_in_a_second_call_counts_once(
    warm: Haproxy, pages: Pages, standin: Standin
) -> None:
    before = pages.metrics()
    with Connection(warm.port) as connection:
        connection.send_request("POST", GENERATE, headers(standin.token()) | {
            "content-length": str(len(BODY))}, b"")  # fmt: skip
        time.sleep(0.3)
        connection.send(BODY)
        assert connection.read().status == 200
    after = pages.once(lambda seen: decisions(before, seen) != {}, "it is counted")
    assert decisions(before, after) == {ALLOWED: 1}


def test_many_threads_lose_no_count(warm: Haproxy, pages: Pages, standin: Standin) -> None:
    token = standin.token()
    before = pages.metrics()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(warm, token).status, range(400)))
    assert answers == [200] * 400
    counted = before[ALLOWED] + 400
    after = pages.once(lambda seen: seen[ALLOWED] >= counted, "all are counted")
    assert decisions(before, after) == {ALLOWED: 400}


def test_an_outage_shows_in_the_issuers_metrics_and_waits_in_the_histogram(
    gateway: Callable[..., Haproxy], standin: Standin, pages: Pages
) -> None:
    standin.down("idp")
    haproxy = gateway(sections=pages.section)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(post, haproxy, standin.token())
        eventually(lambda: pages.metrics()[key("waiting")] == 1, "it waits")
        assert waits.result().status == 503
    away = pages.once(lambda seen: seen[denied("keys_unavailable")] > 0, "it is counted")
    assert away[key("waiting")] == 0
    assert away[key("wait_seconds_count")] == 1
    assert 5 <= away[key("wait_seconds_sum")] < 6
    assert away[denied("keys_unavailable")] == 1
    assert away[key("issuer_keys", **CORP)] == 0
    assert key("issuer_keys_age_seconds", **CORP) not in away
    assert away[key("issuer_fetch_failures_total", **CORP)] > 1
    assert away[key("issuer_failing_seconds", **CORP)] >= 4

    standin.down("idp", False)

    eventually(lambda: pages.metrics()[key("issuer_keys", **CORP)] > 0, "it is back", within=15)
    back = pages.metrics()
    assert back[key("issuer_failing_seconds", **CORP)] == 0
    stamp = back[key("issuer_last_success_timestamp_seconds", **CORP)]
    assert abs(stamp - time.time()) < 5


def test_gauges_say_how_credentials_and_caches_are(warm: Haproxy, pages: Pages) -> None:
    seen = pages.metrics()

    for location in ("us-central1", "global", "europe-west4"):
        labels = {"credential": "ml-prod", "location": location}
        assert seen[key("credential_ready", **labels)] == 1
        assert 3500 < seen[key("credential_expires_in_seconds", **labels)] <= 3600
    assert seen[key("verified_tokens")] == 1
    assert seen[key("ready")] == 1
    [version] = [labels for name, labels in seen if name == "haproxy_vertex_build_info"]
    assert dict(version)["version"] in (ROOT / "Cargo.toml").read_text()


def test_the_times_of_a_location_are_those_that_haproxy_measures(
    warm: Haproxy, pages: Pages, standin: Standin
) -> None:
    standin.google(delay_ms=200)
    for _ in range(3):
        assert post(warm, standin.token()).status == 200

    # A mean that also holds the first, quick answer.
    response = key("location_response_seconds", location="us-central1")
    seen = pages.once(lambda seen: seen[response] > 0.05, "they are measured")
    assert seen[response] < 1
    assert 0 <= seen[key("location_connect_seconds", location="us-central1")] < 1
    asked = {dict(labels)["location"] for name, labels in seen if "location_response" in name}
    assert asked == {"us-central1"}, "nothing is said of what was not measured"


def test_labels_are_names_of_the_configuration_whatever_callers_send(
    warm: Haproxy, pages: Pages, standin: Standin
) -> None:
    before = pages.metrics()
    for number in range(50):
        token = standin.token({"sub": f"hostile-{number}", "email": f'x"}} {number}\n'})
        post(warm, token)
        target = f"/v1/projects/p{number}/locations/l{number}/publishers/google/models/m{number}:x"
        post(warm, token, target)
    # Each waits for keys: together they wait no longer than one.
    hostile = [standin.token(header={"kid": f"hostile-{number}"}) for number in range(50)]
    assert set(outcomes((warm, token) for token in hostile)) == {(401, "key_unknown")}

    after = pages.once(lambda seen: sum(decisions(before, seen).values()) >= 150, "all counted")
    page = pages.get("/metrics").text
    assert set(after) == set(before)
    assert "hostile" not in page and standin.token().split(".")[0] not in page


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/metrics", "/ready"])
def test_only_get_is_answered(warm: Haproxy, pages: Pages, path: str, method: str) -> None:
    body = b"x" * 100_000 if method in ("POST", "PUT") else b""
    refused = pages.get(path, method, body)

    assert (refused.status, refused.header("allow")) == (405, "GET")
    assert pages.get(path).status == 200
    assert post(warm, "x").status == 401


def test_other_paths_are_not_there(warm: Haproxy, pages: Pages) -> None:
    for path in ("/", "/metrics/", "/Metrics", "/metrics.txt", "//metrics", "/v1/projects"):
        assert pages.get(path).status == 404, path
    assert pages.get("/metrics?name=x").status == 200
    # And the gateway itself has no such pages.
    for path in ("/metrics", "/ready"):
        assert once(warm.port, "GET", path, {"host": "x"}).status == 401


def test_one_connection_serves_many_scrapes(warm: Haproxy, pages: Pages) -> None:
    with Connection(pages.port) as connection:
        for path in ("/metrics", "/ready", "/x", "/metrics"):
            expected = 404 if path == "/x" else 200
            assert connection.request("GET", path, {"host": "x"}).status == expected


def test_ten_thousand_roles_make_no_long_page_and_whoever_leaves_harms_nobody(
    gateway: Callable[..., Haproxy], standin: Standin, pages: Pages
) -> None:
    vertex = vertex_json(standin.service_account)
    [role] = vertex["roles"]
    vertex["roles"] = [{**role, "name": f"role-{number}"} for number in range(10_000)]
    vertex["credentials"] = [
        {**vertex["credentials"][0], "name": f"c{number}"} for number in range(50)
    ] + vertex["credentials"]
    haproxy = gateway(vertex=vertex, sections=pages.section)
    worker = haproxy.worker
    assert post(haproxy, standin.token()).status == 200
    assert len(pages.get("/metrics").body) < 100_000
    for _ in range(50):
        with Connection(pages.port) as connection:
            connection.send_request("GET", "/metrics", {"host": "x"})
            connection.reset()

    pages.once(lambda seen: seen[ALLOWED] == 1, "it is counted")
    assert post(haproxy, standin.token()).status == 200
    assert haproxy.worker == worker
