"""What google-auth takes for passing the gateway asks again soon, what it takes for a refusal
slowly; and both tell Google's own words. Every case is a credential of one HAProxy."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from endpoints import Endpoints
from google.auth import _exponential_backoff, compute_engine
from google.auth import impersonated_credentials as impersonated
from google.oauth2.credentials import Credentials

from google_auth.behind import IAM, METADATA, OAUTH, STS
from google_auth.clients import gateway_settings, transport
from google_auth.errors import AGREE, CASES, MEANT, Again, Case
from google_auth.table import DEFAULT, Both, Given, file
from support.expect.eventually import eventually
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# Longer than the gateway waits for an answer.
HANGS_SECS = 30.0
# Of what `vertex show credentials` says of the next fetch, some time after the failure.
PAUSES = {
    Again.SOON: range(0, 7),
    Again.HALF_A_MINUTE: range(15, 39),
    Again.A_MINUTE: range(45, 77),
}


def credential(place: str, host: str, given: Given) -> tuple[Both, list[str]]:
    """One whose token comes from paths of its own."""
    account = f"{place}@standin-project.iam.gserviceaccount.com"
    if host == OAUTH:
        key = given.key_file(f"{place}.json", token_uri=f"https://{OAUTH}/{place}")
        return file(key, form="exchange"), [f"/{place}"]
    if host == STS:
        path = given.files.external_account(
            "subject.of.corp", name=f"{place}.json", token_url=f"https://{STS}/{place}"
        )
        return file(path), [f"/{place}"]
    if host == METADATA:
        base = f"/computeMetadata/v1/instance/service-accounts/{account}"
        theirs = compute_engine.Credentials(account, scopes=DEFAULT)
        # google-auth stops where it looks the account up.
        paths = [f"{base}/?recursive=true", f"{base}/token"]
        return Both({"type": "metadata", "account": account}, theirs), paths
    assert host == IAM
    source = given.files.folder / "machine.json"
    source.write_text('{"type": "metadata"}')
    path = given.files.impersonated_service_account(source, account, name=f"{place}.json")
    ours = {"type": "impersonated_service_account", "file": str(path)}
    theirs = impersonated.Credentials(Credentials("ya29.source"), account, DEFAULT, [])
    return Both(ours, theirs), [f"/v1/projects/-/serviceAccounts/{account}:generateAccessToken"]


def their_judgement(
    case: Case, credentials: Any, recorder: Endpoints, path: str
) -> tuple[Again, str]:
    ask = transport(recorder.port)
    if case.hangs:
        patient, ask = ask, lambda *a, **k: patient(*a, **{**k, "timeout": 0.2})
    try:
        credentials.refresh(ask)
    # Some answers make it stumble.
    except Exception as fault:  # noqa: BLE001
        tried_again = len(recorder.asked(path)) > 1
        retryable = getattr(fault, "retryable", False)
        told = " ".join(str(part) for part in fault.args)
        return (Again.THEIRS if tried_again or retryable else Again.REFUSED), told
    return Again.TAKEN, ""


def our_judgement(shown: dict[str, Any]) -> Again:
    if shown["ready"]:
        return Again.TAKEN
    [found] = [pause for pause, secs in PAUSES.items() if shown["next_signing_seconds"] in secs]
    return found


def surprises(case: Case, their: tuple[Again, str], shown: dict[str, Any]) -> Iterator[str]:
    (theirs, told), ours = their, our_judgement(shown)
    of = f"{case.host}: {case.name}"
    meant = MEANT.get((case.host, case.name))
    if meant is None and ours not in AGREE[theirs]:
        yield f"{of}: {theirs.value}, {ours.value}"
    if meant is not None and (meant.theirs, meant.ours) != (theirs, ours):
        yield f"{of}: not as listed: {theirs.value}, {ours.value}"
    for word in case.words:
        if word not in told or word not in shown["last_error"]:
            yield f"{of}: {word} is not told: {told}, {shown['last_error']}"


def test_who_asks_again_and_when(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    recorder: Endpoints,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    their_pauses: list[float] = []
    clock = SimpleNamespace(sleep=their_pauses.append)
    monkeypatch.setattr(_exponential_backoff, "time", clock)
    given = Given(standin, standin.credential_files(tmp_path))
    ours, theirs, paths = [], {}, {}
    for number, case in enumerate(CASES):
        place = f"case-{number}"
        both, paths[case] = credential(place, case.host, given)
        wait = HANGS_SECS if case.hangs else 0.0
        for path in paths[case]:
            answer = {"status": case.status, "body": case.body, "headers": case.headers}
            recorder.answer(path, **answer, after=wait)
        theirs[case] = their_judgement(case, both.theirs, recorder, paths[case][0])
        ours.append({"name": place, **both.ours})
    recorder.forget()

    settings = gateway_settings(standin, recorder.port, ours, {OAUTH, STS, IAM, METADATA})
    settings["vertex"]["roles"][0]["as"] = ours[0]["name"]
    haproxy = gateway(**settings)
    judged: dict[str, dict[str, Any]] = {}

    def all_are_judged() -> bool:
        for shown in json.loads(haproxy.ask("vertex show credentials json"))["credentials"]:
            if shown["ready"] or shown["last_error"]:
                judged.setdefault(shown["name"], shown)
        return len(judged) == len(CASES)

    eventually(all_are_judged, "every endpoint has answered, or is given up", within=20)
    pairs = zip(CASES, (judged[one["name"]] for one in ours), strict=True)
    found = [line for case, shown in pairs for line in surprises(case, theirs[case], shown)]
    assert not found, "\n".join(found)
    assert MEANT.keys() <= {(case.host, case.name) for case in CASES}

    # Both begin with a second and double it; the gateway never asks sooner than that.
    assert their_pauses[:2] == [pytest.approx(1, rel=0.11), pytest.approx(2, rel=0.11)]
    unavailable = next(case for case in CASES if (case.name, case.host) == ("unavailable", OAUTH))
    [path] = paths[unavailable]
    eventually(lambda: len(recorder.asked(path)) > 2, "it is asked three times")
    times = [asked.at for asked in recorder.asked(path)[:3]]
    first, second = (later - sooner for sooner, later in pairwise(times))
    assert first >= 1 and second >= 2
