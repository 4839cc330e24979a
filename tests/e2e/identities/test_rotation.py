"""Credentials' files that change while HAProxy runs, in its chroot and as its user: what is new is
proved first, and until then, and if that fails, what was there serves on."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from endpoints import Endpoints

from support.expect.eventually import eventually
from support.expect.metrics import Pages, key
from support.log import secrets
from support.log.server import LogServer
from support.wire.calls import outcome, post
from support.world.configuration import section, vertex_json
from support.world.haproxy import Haproxy
from support.world.rotated import RotatedFile
from support.world.standin import Standin

OAUTH, STS = "oauth2.googleapis.com", "sts.googleapis.com"
RELOAD = "vertex reload credential ml-prod"
# The longest that a change may go unnoticed.
NOTICED_SECS = 60


@pytest.fixture
def key_file(tmp_path: Path, standin: Standin) -> RotatedFile:
    return RotatedFile(tmp_path / "keys", standin.new_key())


@pytest.fixture
def rotating(
    gateway: Callable[..., Haproxy], standin: Standin, pages: Pages
) -> Callable[..., Haproxy]:
    """A gateway with this credential and with backends for these of Google's identity services."""

    def start(
        file: RotatedFile, *services: str, admin_commands: bool = True, **credential: Any
    ) -> Haproxy:
        vertex = vertex_json(standin.service_account)
        vertex["admin_commands"] = admin_commands
        of = {"name": "ml-prod", "type": "service_account", "file": str(file.path)}
        vertex["credentials"] = [of | credential]
        backends = "\n".join(
            section(
                f"backend vertex_fetch_{service}.googleapis.com from vertex-fetch",
                [
                    f"server one 127.0.0.1:{standin.ports[f'{service}_https']} ssl verify required"
                    f" ca-file {standin.ca} sni str({service}.googleapis.com)"
                ],
            )
            for service in services
        )
        return gateway(vertex=vertex, sections=backends + "\n" + pages.section)

    return start


def shown(haproxy: Haproxy) -> dict[str, Any]:
    return json.loads(haproxy.ask("vertex show credentials json"))["credentials"][0]


def reaches(haproxy: Haproxy, within: float = 15, **members: Any) -> dict[str, Any]:
    """What is shown of the credential once it is so."""

    def look() -> dict[str, Any] | None:
        found = shown(haproxy)
        return found if all(found[name] == value for name, value in members.items()) else None

    found = eventually(look, f"{members}", within)
    assert found is not None
    return found


def takes(haproxy: Haproxy, file: RotatedFile, new: dict[str, Any]) -> None:
    """The new key comes into use."""
    file.rename(new)
    haproxy.ask(RELOAD)
    reaches(haproxy, file="in_use", key_id=new["private_key_id"])


def sent_kid(standin: Standin) -> str:
    """The key that signed the latest bearer, as Google received it."""
    return bearer_header(standin)["kid"]


def bearer_header(standin: Standin) -> dict[str, Any]:
    request = standin.requests(of="google")[-1]
    assert request["bearer"]["valid"], request["bearer"]
    [value] = [value for name, value in request["headers"] if name.lower() == "authorization"]
    head = value.split(" ")[1].split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=="))


@pytest.mark.parametrize("services", [("oauth2",), ()], ids=["exchange", "own signature"])
def test_a_new_key_is_proved_and_then_signs(
    rotating: Callable[..., Haproxy],
    key_file: RotatedFile,
    standin: Standin,
    logs: LogServer,
    services: tuple[str, ...],
) -> None:
    haproxy = rotating(key_file, *services)
    token = standin.token()
    assert outcome(post(haproxy, token)) == (200, "-")
    first = sent_kid(standin)
    assert reaches(haproxy, key_id=first)["file"] == "in_use"
    new = standin.new_key()
    assert new["private_key_id"] != first
    asked = standin.asked("oauth2")

    key_file.rename(new)
    assert haproxy.ask(RELOAD).startswith("credential ml-prod: its file is read now")

    after = reaches(haproxy, key_id=new["private_key_id"], file="in_use")
    assert after["file_age_seconds"] is not None and after["file_error"] is None
    assert standin.asked("oauth2") - asked == len(services)
    standin.delete_keys(first)
    eventually(
        lambda: outcome(post(haproxy, token)) == (200, "-")
        and sent_kid(standin) == new["private_key_id"],
        "the new key signs",
    )
    logs.wait_until(
        lambda lines: any(
            f"is in use: key {new['private_key_id']}" in line for line in lines
        ),
        "the log tells",
    )


def test_a_change_is_noticed_however_it_is_made(
    rotating: Callable[..., Haproxy], key_file: RotatedFile, standin: Standin
) -> None:
    haproxy = rotating(key_file, admin_commands=False)
    token = standin.token()
    for change in (key_file.rename, key_file.write_in_place, key_file.swap_link, key_file.swap_link):
        new = standin.new_key()
        change(new)
        reaches(haproxy, NOTICED_SECS, key_id=new["private_key_id"])
        assert outcome(post(haproxy, token)) == (200, "-"), change


def test_a_key_that_google_does_not_know_is_not_used(
    rotating: Callable[..., Haproxy],
    key_file: RotatedFile,
    standin: Standin,
    logs: LogServer,
    pages: Pages,
) -> None:
    haproxy = rotating(key_file, "oauth2")
    token = standin.token()
    first = shown(haproxy)["key_id"]
    new = standin.new_key()
    standin.delete_keys(new["private_key_id"])

    key_file.rename(new)
    haproxy.ask(RELOAD)

    refused = reaches(haproxy, file="refused")
    assert refused["file_error"] == "status 400: invalid_grant: Invalid JWT Signature."
    assert (refused["key_id"], refused["ready"]) == (first, True)
    assert "Invalid JWT Signature." in haproxy.ask("vertex show credentials")
    assert outcome(post(haproxy, token)) == (200, "-")
    assert sent_kid(standin) == first
    samples = pages.metrics()
    assert samples[key("credential_file_pending_seconds", credential="ml-prod")] > 0
    of_refused = key("credential_file_changes_total", credential="ml-prod", outcome="refused")
    assert samples[of_refused] == 1
    logs.wait_until(
        lambda lines: any("is not used: status 400: invalid_grant" in line for line in lines), "told"
    )

    # The twin: once Google knows the key, it is in use.
    standin.delete_keys()
    haproxy.ask(RELOAD)
    reaches(haproxy, file="in_use", key_id=new["private_key_id"])
    assert pages.metrics()[key("credential_file_pending_seconds", credential="ml-prod")] == 0


def spoiled(good: dict[str, Any]) -> dict[str, tuple[object, str]]:
    text = json.dumps(good)
    other = {**good, "client_email": "other@acme-ml.iam.gserviceaccount.com"}
    pem = good["private_key"]
    return {
        "cut short": (text[: len(text) // 2], "not JSON"),
        "empty": ("", "not JSON"),
        "of another account": (other, "reload HAProxy for another identity"),
        "of another type": ({**good, "type": "authorized_user"}, "a person's own credentials"),
        "with a broken key": (
            {**good, "private_key": pem[:200] + pem[202:]},
            "private_key",
        ),
        "too large": (text + " " * (1 << 20), "larger than 1 MB"),
    }


def test_a_file_that_the_load_would_refuse_is_refused(
    rotating: Callable[..., Haproxy], key_file: RotatedFile, standin: Standin
) -> None:
    haproxy = rotating(key_file, "oauth2")
    token = standin.token()
    first = shown(haproxy)["key_id"]
    for what, (content, why) in spoiled(standin.new_key()).items():
        key_file.rename(content)
        haproxy.ask(RELOAD)
        stage = "unreadable" if what == "too large" else "refused"
        eventually(
            lambda: (found := shown(haproxy))["file"] == stage and why in found["file_error"],
            f"{what}: {shown(haproxy)}",
        )
        assert shown(haproxy)["key_id"] == first, what
        assert outcome(post(haproxy, token)) == (200, "-"), what
    good = standin.new_key()
    takes(haproxy, key_file, good)


def test_a_file_that_names_another_host_is_refused(
    rotating: Callable[..., Haproxy], key_file: RotatedFile, standin: Standin
) -> None:
    haproxy = rotating(key_file, "oauth2", "sts", form="exchange")
    token = standin.token()
    assert outcome(post(haproxy, token)) == (200, "-")
    new = standin.new_key()

    key_file.rename({**new, "token_uri": f"https://{STS}/token"})
    haproxy.ask(RELOAD)

    refused = reaches(haproxy, file="refused")
    assert f"it names {STS}" in refused["file_error"]
    takes(haproxy, key_file, new)
    assert outcome(post(haproxy, token)) == (200, "-")


@pytest.mark.needs_root
def test_a_file_that_only_root_can_read_is_used_as_it_was_at_load(
    rotating: Callable[..., Haproxy], key_file: RotatedFile, standin: Standin, logs: LogServer
) -> None:
    first = json.loads(key_file.path.read_text())["private_key_id"]
    key_file.close()
    haproxy = rotating(key_file, "oauth2")
    token = standin.token()
    unreadable = reaches(haproxy, file="unreadable")
    assert "permission denied" in unreadable["file_error"]
    assert outcome(post(haproxy, token)) == (200, "-")
    logs.wait_until(lambda lines: any("its file is not followed" in line for line in lines), "told")

    # The twin: its group is HAProxy's.
    key_file.open()
    haproxy.ask(RELOAD)
    reaches(haproxy, file="in_use", key_id=first)
    new = standin.new_key()
    takes(haproxy, key_file, new)


def test_an_access_token_is_read_anew(
    rotating: Callable[..., Haproxy], tmp_path: Path, standin: Standin
) -> None:
    for token in ("ya29.first", "ya29.second"):
        standin.accept_token(token)
    file = RotatedFile(tmp_path / "tokens", "ya29.first\n", "token")
    haproxy = rotating(file, type="access_token")
    caller = standin.token()
    assert outcome(post(haproxy, caller)) == (200, "-")
    standin.refuse_token("ya29.first")
    assert outcome(post(haproxy, caller)) == (503, "google_credential_refused")

    file.rename("ya29.second\n")
    haproxy.ask(RELOAD)

    eventually(lambda: outcome(post(haproxy, caller)) == (200, "-"), "the new one is sent")


def test_a_subject_token_is_read_anew_for_each_exchange(
    acting_as: Callable[..., Haproxy], endpoints: Endpoints, tmp_path: Path, standin: Standin
) -> None:
    standin.accept_token("ya29.federated")
    subject = RotatedFile(tmp_path / "projected", "subject.one", "token")
    content = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/pool/providers/corp",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"https://{STS}/v1/token",
        "credential_source": {"file": str(subject.path)},
    }
    file = RotatedFile(tmp_path / "files", content, "external.json")
    answer = {"access_token": "ya29.federated", "expires_in": 10, "token_type": "Bearer"}
    endpoints.answer("/v1/token", body=answer)
    room = {"VERTEX_MAXREWRITE": "16384", "VERTEX_BUFSIZE": "65536"}
    credential = {"type": "external_account", "file": str(file.path)}
    haproxy = acting_as(credential, STS, environment=room)
    assert outcome(post(haproxy, standin.token())) == (200, "-")

    subject.swap_link("subject.two")

    def last_subject() -> str:
        return endpoints.asked("/v1/token")[-1].form["subject_token"]

    eventually(lambda: last_subject() == "subject.two", "the new one is exchanged", 20)
    assert endpoints.asked("/v1/token")[0].form["subject_token"] == "subject.one"
    assert shown(haproxy)["file"] == "in_use"


def test_commands_that_change_something_are_there_where_they_are_allowed(
    rotating: Callable[..., Haproxy], key_file: RotatedFile
) -> None:
    closed = rotating(key_file, admin_commands=False)
    assert "Unknown command" in closed.ask(RELOAD)
    assert "vertex reload" not in closed.ask("help")
    opened = rotating(key_file)
    assert opened.ask(RELOAD).startswith("credential ml-prod: its file is read now")
    assert opened.ask("vertex reload credential other").startswith("vertex reload: no credential")
    assert "are wanted" in opened.ask("vertex reload credential")


def test_a_file_that_is_too_old_is_told(
    rotating: Callable[..., Haproxy],
    key_file: RotatedFile,
    standin: Standin,
    logs: LogServer,
    pages: Pages,
) -> None:
    import os
    import time

    old = time.time() - 100 * 24 * 3600
    os.utime(key_file.path, (old, old))
    rotating(key_file, max_age_days=90)
    overdue = key("credential_file_overdue", credential="ml-prod")
    pages.once(lambda samples: samples.get(overdue) == 1, "it is overdue")
    logs.wait_until(
        lambda lines: any(
            "was written 100 days ago, and max_age_days is 90" in line for line in lines
        ),
        "told",
    )
    key_file.rename(standin.new_key())
    pages.once(lambda samples: samples.get(overdue) == 0, "it is not any more")


def test_nothing_that_is_written_holds_a_secret(
    rotating: Callable[..., Haproxy], key_file: RotatedFile, standin: Standin, logs: LogServer
) -> None:
    haproxy = rotating(key_file, "oauth2")
    caller = standin.token()
    known = secrets.of_a_key_file(key_file.path) | secrets.of_a_token(caller)
    bodies = [post(haproxy, caller).body]
    new = standin.new_key()
    key_file.rename(new)
    known |= secrets.of_a_key_file(key_file.path)
    haproxy.ask(RELOAD)
    reaches(haproxy, key_id=new["private_key_id"])
    bodies.append(post(haproxy, caller).body)
    text = json.dumps(standin.new_key())
    for spoilt in (text[: len(text) // 2], text.replace("PRIVATE", "PUBLIC")):
        key_file.rename(spoilt)
        haproxy.ask(RELOAD)
        reaches(haproxy, file="refused")
    known |= {line for line in json.loads(text)["private_key"].splitlines() if "-----" not in line}
    for request in standin.requests(of="oauth2"):
        known |= {part for part in request["body_text"].split("assertion=")[-1:] if part}
    known |= secrets.sent_to_google(standin)
    assert len(known) > 60
    written = secrets.written_by(haproxy, list(logs.lines), bodies)
    for place, told in written.items():
        for secret in known - {""}:
            assert secret not in told, place
    # It would be seen: what is no secret is found.
    assert new["private_key_id"] in written["vertex show credentials"]


def test_a_token_that_google_refuses_is_replaced(
    rotating: Callable[..., Haproxy], key_file: RotatedFile, standin: Standin
) -> None:
    haproxy = rotating(key_file, "oauth2", form="exchange")
    caller = standin.token()
    assert outcome(post(haproxy, caller)) == (200, "-")
    given = standin.tokens_given("oauth2")
    standin.revoke()

    refused = post(haproxy, caller)

    assert outcome(refused) == (503, "google_credential_refused")
    assert refused.header("retry-after") == "1"
    assert refused.header("x-should-retry") is None
    eventually(lambda: outcome(post(haproxy, caller)) == (200, "-"), "a fresh one is sent", 5)
    assert standin.tokens_given("oauth2") == given + 1


def test_a_bearer_that_google_refuses_is_signed_anew_once(
    rotating: Callable[..., Haproxy], key_file: RotatedFile, standin: Standin
) -> None:
    haproxy = rotating(key_file)
    caller = standin.token()
    assert outcome(post(haproxy, caller)) == (200, "-")
    standin.delete_keys(shown(haproxy)["key_id"])

    def refused() -> str | None:
        response = post(haproxy, caller)
        assert outcome(response) == (503, "google_credential_refused")
        return response.header("retry-after")

    assert refused() == "1"
    # The key itself is no good: what was signed anew is refused too, and nothing is promised.
    eventually(lambda: refused() is None, "nothing is promised")
    final = post(haproxy, caller)
    assert (final.header("retry-after"), final.header("x-should-retry")) == (None, "false")
