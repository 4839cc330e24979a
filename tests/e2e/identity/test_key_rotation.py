"""An issuer that rotates its keys while tokens come that somebody made up: nobody who brings a token
of a key that is published now is told 401, and a new key is there within two seconds."""

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from support.wire.calls import outcome, post
from support.wire.tokens import with_kid
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

UNKNOWN, FORGED, PASSES = (401, "key_unknown"), (401, "bad_signature"), (200, "-")


@pytest.fixture
def idp(own_standin: Standin) -> Standin:
    """A stand-in whose keys are replaced, which no other test would survive."""
    return own_standin


@pytest.fixture
def rotating(gateway: Callable[..., Haproxy], idp: Standin) -> Haproxy:
    haproxy = gateway(
        google_http=idp.ports["google_http"],
        idp_https=idp.ports["idp_https"],
        ca=idp.ca,
        vertex=vertex_json(idp.service_account),
    )
    assert outcome(post(haproxy, idp.token())) == PASSES
    return haproxy


def rotate(idp: Standin) -> str:
    """A token of a key that takes the place of all others."""
    return idp.token(alg="ES256", kid=idp.rotate_keys(alg="ES256", keep_old=False))


def passes_within_two_seconds(haproxy: Haproxy, token: str) -> None:
    begun = time.monotonic()
    assert outcome(post(haproxy, token)) == PASSES
    assert time.monotonic() - begun < 2


@contextmanager
def flood(haproxy: Haproxy, tokens: Iterator[str], clients: int) -> Iterator[set[tuple[int, str]]]:
    """That many clients send these tokens as fast as they can; what they are told."""
    over, told = threading.Event(), set()

    def run() -> None:
        while not over.is_set():
            told.add(outcome(post(haproxy, next(tokens))))

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(run) for _ in range(clients)]
        try:
            yield told
        finally:
            over.set()
        for client in running:
            client.result()


class Made:
    """Endless tokens for several threads."""

    def __init__(self, make: Callable[[int], str]) -> None:
        self._lock, self._numbers, self._make = threading.Lock(), itertools.count(), make

    def __iter__(self) -> "Made":
        return self

    def __next__(self) -> str:
        with self._lock:
            return self._make(next(self._numbers))


def test_one_made_up_key_before_each_rotation_holds_none_of_them_up(
    rotating: Haproxy, idp: Standin
) -> None:
    model = idp.token()
    for number, pause in enumerate([0, 0.3, 0.9, 1.4, 3, 6]):
        assert outcome(post(rotating, with_kid(model, f"made-up-{number}"))) == UNKNOWN
        time.sleep(pause)

        passes_within_two_seconds(rotating, rotate(idp))


def test_rotations_in_quick_succession_refuse_nobody(rotating: Haproxy, idp: Standin) -> None:
    for _ in range(8):
        passes_within_two_seconds(rotating, rotate(idp))


def test_a_flood_of_made_up_keys_holds_no_rotation_up_and_hammers_no_issuer(
    rotating: Haproxy, idp: Standin
) -> None:
    model = idp.token()
    tokens = Made(lambda number: with_kid(model, f"made-up-{number}"))
    before, begun = idp.counters()["idp_jwks"], time.monotonic()

    with flood(rotating, tokens, clients=40) as told:
        for _ in range(5):
            time.sleep(1)
            passes_within_two_seconds(rotating, rotate(idp))

    assert told == {UNKNOWN}
    fetched = idp.counters()["idp_jwks"] - before
    assert fetched <= 2 + (time.monotonic() - begun) / 1.5


def test_a_flood_of_forged_signatures_causes_few_fetches_and_hides_no_rotation(
    rotating: Haproxy, idp: Standin
) -> None:
    kid = idp.rotate_keys(alg="ES256", keep_old=False)
    good, forged = (idp.token(alg="ES256", kid=kid, sign_with=key) for key in ("own", "other"))
    passes_within_two_seconds(rotating, good)
    assert outcome(post(rotating, forged)) == FORGED
    before, begun = idp.counters()["idp_jwks"], time.monotonic()

    with flood(rotating, Made(lambda _: forged), clients=20) as told:
        for _ in range(20):
            time.sleep(0.5)
            assert outcome(post(rotating, good)) == PASSES
        fetched, took = idp.counters()["idp_jwks"] - before, time.monotonic() - begun
        passes_within_two_seconds(rotating, rotate(idp))

    assert told <= {FORGED, UNKNOWN}
    assert fetched <= 2 + took / 4


def test_a_token_without_kid_passes_where_one_key_fits(
    rotating: Haproxy, idp: Standin
) -> None:
    kid = idp.rotate_keys(alg="ES256", keep_old=False)
    bare = idp.token(alg="ES256", kid=kid, header={"kid": None})
    assert "kid" not in json.loads(base64.urlsafe_b64decode(bare.split(".")[0] + "=="))

    passes_within_two_seconds(rotating, bare)

    other = idp.rotate_keys(alg="ES256")
    passes_within_two_seconds(rotating, idp.token(alg="ES256", kid=other))
    # One that was verified before is known by then.
    assert outcome(post(rotating, bare)) == PASSES
    refused = post(rotating, idp.token({"jti": "2"}, alg="ES256", kid=kid, header={"kid": None}))
    assert outcome(refused) == UNKNOWN
    assert "it has no kid, and more than one key" in refused.text
