"""How the actions are loaded without the packaged rule set, and what the load says."""

from collections.abc import Callable
from typing import Any

import pytest

from support.wire.calls import post
from support.world.bare import GATE, Bare, bare
from support.world.configuration import Configuration, vertex_json
from support.world.haproxy import Haproxy, NotStarted
from support.world.place import haproxy_version
from support.world.standin import Standin

LOADED = ("lua-load-per-thread", "lua-load")


@pytest.mark.parametrize("nbthread", [1, 2])
@pytest.mark.parametrize("load", LOADED)
def test_one_lua_for_all_threads_is_taken_where_it_is_sound(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    token: str,
    load: str,
    nbthread: int,
) -> None:
    haproxy = launch(bare(configuration(), load=load, nbthread=nbthread), start=False)
    sound = load == LOADED[0] or nbthread == 1 or haproxy_version() >= (3, 0)

    if sound:
        haproxy.start()
        assert [post(haproxy, token).status for _ in range(4)] == [200] * 4
        assert post(haproxy, standin.token(sign_with="other")).status == GATE
    else:
        with pytest.raises(NotStarted, match="write lua-load-per-thread"):
            haproxy.start()


def test_the_load_says_what_a_configuration_of_ones_own_lacks(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy], standin: Standin
) -> None:
    class Small(Bare):
        def text(self, folder: Any) -> str:
            return super().text(folder).replace("tune.maxrewrite 8192", "tune.maxrewrite 1024")

    small = bare(configuration())
    check = launch(Small(**vars(small)), start=False).check()
    assert check.status == 1
    assert "write tune.maxrewrite 8192 and tune.bufsize 32768 in the global section" in check.output

    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"]["locations"] = ["*"]
    check = launch(bare(configuration(), vertex=vertex), start=False).check()
    assert check.status == 1
    assert "name them one by one" in check.output

    assert launch(small, start=False).check().status == 0
