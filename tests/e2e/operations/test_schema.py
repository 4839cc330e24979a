"""The JSON schema takes what the gateway takes, and refuses what an editor should mark."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from support.world.configuration import vertex_json
from support.world.place import ROOT
from support.world.standin import Standin

CONF = ROOT / "haproxy-conf"
SCHEMA = json.loads((CONF / "vertex.schema.json").read_text())


def check(document: Any) -> None:
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_shipped_configurations_are_of_the_schema_that_they_name() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    shipped = [json.loads((CONF / name).read_text()) for name in ("vertex.json", "quickstart.json")]
    for document in shipped:
        assert document["$schema"] == "vertex.schema.json"
        check(document)
    [readme] = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    check(json.loads(readme))


Change = Callable[[dict[str, Any]], Any]


def role(**members: Any) -> Change:
    return lambda vertex: vertex["roles"][0].update(members)


def may(**members: Any) -> Change:
    return lambda vertex: vertex["roles"][0]["may"].update(members)


# What differs, the twin that the schema takes, and where it is marked.
TWINS: dict[str, tuple[Change, Change, str]] = {
    "an unknown member": (role(limit=1), role(body="unread"), "roles"),
    "another word for unread": (role(body="read"), role(body="unread"), "roles"),
    "a text instead of a list": (may(tools="googleSearch"), may(tools=["googleSearch"]), "roles"),
    "a number as text": (may(max_output_tokens="9"), may(max_output_tokens=9), "roles"),
    "a claim without its test": (
        role(who={"issuer": "corp", "claims": {"a": "x"}}),
        role(who={"issuer": "corp", "claims": {"a": {"equals": "x"}}}), "roles",
    ),
    "a claim that is not absent": (
        role(who={"issuer": "corp", "claims": {"a": {"absent": False}}}),
        role(who={"issuer": "corp", "claims": {"a": {"absent": True}}}), "roles",
    ),
    "a day in full": (
        role(who={"issuer": "corp", "anyone": True,
                  "times": [{"days": ["monday"], "from": "08:00", "to": "18:00"}]}),
        role(who=[{"issuer": "corp", "anyone": True,
                   "times": [{"days": ["mon"], "from": "08:00", "to": "18:00"}]}]), "roles",
    ),
    "an amount of nothing": (
        role(limits={"tokens_per_hour": 0}),
        role(limits=[{"per": ["principal", "model"], "tokens_per_hour": 1}]), "roles",
    ),
    "a role's limit per role": (
        role(limits={"per": "role", "requests_per_hour": 9}),
        lambda vertex: vertex.update(limits={"per": "role", "requests_per_hour": 9}), "roles",
    ),
    "a credential of another type": (
        lambda vertex: vertex["credentials"][0].update(type="password"),
        lambda vertex: vertex["credentials"][0].update(max_age_days=90), "credentials",
    ),
    "an unknown tier": (may(tiers=["turbo"]), may(tiers=["flex", "*"]), "roles"),
    "an unknown header of tokens": (
        lambda vertex: vertex.update(token_headers=["cookie"]),
        lambda vertex: vertex.update(token_headers=["x-api-key"]), "token_headers",
    ),
    "a header of tokens twice": (
        lambda vertex: vertex.update(token_headers=["x-api-key", "x-api-key"]),
        lambda vertex: vertex.update(token_headers=["x-api-key", "authorization"]),
        "token_headers",
    ),
    "no headers of tokens": (
        lambda vertex: vertex.update(token_headers=[]), lambda _: None, "token_headers",
    ),
    "no issuers": (lambda vertex: vertex.pop("issuers"), lambda _: None, ""),
}  # fmt: skip


@pytest.mark.parametrize("what", TWINS)
def test_the_schema_marks_what_the_gateway_refuses(standin: Standin, what: str) -> None:
    wrong, right, where = TWINS[what]
    good = vertex_json(standin.service_account)
    twin, document = copy.deepcopy(good), copy.deepcopy(good)
    right(twin)
    wrong(document)

    check(twin)
    with pytest.raises(jsonschema.ValidationError) as error:
        check(document)
    assert (list(error.value.absolute_path) or [""])[0] == where
