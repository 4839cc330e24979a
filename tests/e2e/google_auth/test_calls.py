"""The gateway asks Google what google-auth asks, with the same credential: the calls in their
order, method, URL, headers, fields of the body, claims of an assertion. The stand-in verifies
both."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from endpoints import Endpoints

from google_auth import meant
from google_auth.behind import IAM, MACHINE, METADATA, OAUTH, STS, Behind
from google_auth.calls import Call, compare, credentials, read
from google_auth.clients import gateway_settings, transport
from google_auth.table import FEDERATED, ROWS, Given, Row
from support.wire.calls import CLAIMS, outcome, post
from support.world.haproxy import Haproxy
from support.world.standin import Standin

HOSTS = {OAUTH, STS, IAM, METADATA, MACHINE, "www.googleapis.com"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.credential.__name__)
def test_the_same_is_asked(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    recorder: Endpoints,
    behind: Behind,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    row: Row,
) -> None:
    for name, value in row.environment.items():
        monkeypatch.setenv(name, value)
    for path, body in row.answers.items():
        recorder.answer(path, body=body)
    standin.accept_token(FEDERATED["access_token"])
    caller = standin.token(dict(CLAIMS))
    both = row.credential(Given(standin, standin.credential_files(tmp_path)))

    both.theirs.refresh(transport(recorder.port))
    theirs = [read(asked, behind.giver) for asked in recorder.asked()]
    headers: dict[str, str] = {}
    both.theirs.apply(headers)
    theirs.append(to_vertex(headers, behind))

    recorder.forget()
    credential = {"name": "ml-prod", **both.ours}
    haproxy = gateway(**gateway_settings(standin, recorder.port, [credential], HOSTS))
    assert outcome(post(haproxy, caller)) == (200, "-")
    ours = [read(asked, behind.giver) for asked in recorder.asked()]
    [left] = standin.requests(of="google")
    ours.append(to_vertex(dict(left["headers"]), behind))

    assert len(theirs) > 1 and len(ours) > 1
    assert compare(theirs, ours) == Counter(one.difference for one in row.meant)


def to_vertex(headers: dict[str, str], behind: Behind) -> Call:
    """Of a request to Vertex AI what the credential is in charge of."""
    headers = {name.lower(): value for name, value in headers.items()}
    fields = credentials(headers["authorization"], behind.giver)
    if "x-goog-user-project" in headers:
        fields["header.x-goog-user-project"] = headers["x-goog-user-project"]
    return Call("POST", meant.VERTEX, "", fields)
