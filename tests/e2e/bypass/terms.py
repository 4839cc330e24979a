"""What a body makes Google do with the gateway's rights: rows for it."""

from support.wire.calls import BODY, GENERATE, PROJECT

from bypass.bodies import CONTENTS
from bypass.pair import Kind, Pair, Request, body_arrives, dumps

NOT_ALLOWED = "body_not_allowed"
IMAGEN = f"{PROJECT}/publishers/google/models/gemini-2.5-image:predict"


def term(
    kind: Kind,
    name: str,
    attack: object,
    twin: object = None,
    target: str = GENERATE,
    group: str = "docs",
    expect: str = NOT_ALLOWED,
) -> None:
    """Members of a body beside its contents, as objects or as they are written."""
    sent, honest = _body(attack), BODY if twin is None else _body(twin)
    request = Request(target=target, group=group)
    kind.pairs.append(
        Pair(
            kind.name,
            name,
            request.but(body=sent),
            request.but(body=honest),
            expect,
            body_arrives(sent),
        )
    )


def _body(members: object) -> bytes:
    if isinstance(members, bytes):
        return members
    return dumps({"contents": CONTENTS, **members})  # type: ignore[dict-item]
