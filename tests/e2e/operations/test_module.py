"""The built modules: what they export, that they stay mapped, that their Lua loads them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.world.faults import module_with_panic
from support.world.place import ROOT, lua_version

LUAS = ("5.3", "5.4")


def module(lua: str) -> str:
    return str(ROOT / "dist" / "lua" / lua / "haproxy_vertex.so")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("lua", LUAS)
def test_it_exports_its_two_faces_and_nothing_else(lua: str) -> None:
    names = {line.split()[-1] for line in output("nm", "-D", "--defined-only", module(lua)).splitlines()}
    assert "luaopen_haproxy_vertex" in names
    header = (ROOT / "include" / "haproxy_vertex.h").read_text()
    others = names - {"luaopen_haproxy_vertex"}
    assert others == {
        "hv_answer", "hv_decide", "hv_free", "hv_open", "hv_request_free", "hv_step", "hv_version",
    }  # fmt: skip
    assert all(f"{name}(" in header for name in others)


def test_its_checks_have_switches_only_in_the_build_for_tests() -> None:
    host = (ROOT / "src" / "host.rs").read_text()
    [variable] = set(re.findall(r'env::var\("(\w+)"\)', host))
    assert variable.encode() in module_with_panic().read_bytes()
    for lua in LUAS:
        assert variable.encode() not in Path(module(lua)).read_bytes()


@pytest.mark.parametrize("lua", LUAS)
def test_only_the_build_for_tests_has_functions_for_tests(lua: str) -> None:
    def functions(of: str) -> set[str]:
        program = shutil.which(f"lua{lua}")
        assert program is not None, f"lua{lua} is not installed"
        opened = f'assert(package.loadlib("{of}", "luaopen_haproxy_vertex"))()'
        return set(output(program, "-e", f"for name in pairs({opened}) do print(name) end").split())

    assert {"decide", "step"} <= functions(module(lua))
    for_tests = {"asked", "panic"}
    assert not for_tests & functions(module(lua))
    if lua == lua_version():
        assert functions(str(module_with_panic())) - functions(module(lua)) == for_tests


@pytest.mark.parametrize("lua", LUAS)
def test_it_stays_mapped_when_a_lua_state_closes(lua: str) -> None:
    assert "NODELETE" in output("readelf", "-d", module(lua))


@pytest.mark.parametrize("lua", LUAS)
def test_its_own_lua_loads_it_and_the_other_does_not(lua: str) -> None:
    for name in LUAS:
        program = shutil.which(f"lua{name}")
        assert program is not None, f"lua{name} is not installed"
        script = f'package.cpath = "{module(lua)}" print(require("haproxy_vertex").version)'
        loaded = subprocess.run([program, "-e", script], capture_output=True, text=True)
        assert (loaded.returncode == 0) == (name == lua), loaded.stderr
        if name == lua:
            assert loaded.stdout.strip() in (ROOT / "Cargo.toml").read_text()
