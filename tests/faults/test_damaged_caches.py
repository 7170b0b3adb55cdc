"""Damaged entries of every cache: removed and made anew, with one line, and never believed."""

import json
import os
from pathlib import Path

import pytest

from softstream.boards.tools.parts import PARTS
from softstream.hw import cache
from softstream.hw.config.config import Config
from softstream.hw.errors import ToolFailure
from softstream.scripts.verbs import explore
from softstream.sim.simulators import build as module
from softstream.sim.simulators import toolbox
from softstream.sim.simulators.build import VerilatorBuild

OUTCOME = {"cells": {"LC": 120}, "fits": True, "fmax_mhz": 99.5}
DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "a bit": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "the last byte": lambda data: data[:-1] + bytes([data[-1] ^ 0x80]),
    "longer": lambda data: data + b"\0",
    "zeros": lambda data: bytes(len(data)),
    "another form": lambda data: b"[1]",
    "an empty object": lambda data: b"{}",
}


@pytest.fixture
def points(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "user_root", lambda: tmp_path)
    return explore._Cache(PARTS["hx8k"], (1,), {"tool": "1"})


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_point_of_a_sweep_is_measured_again(damage, points, caplog):
    points.store(Config(), OUTCOME)
    assert points.load(Config()) == OUTCOME
    path = points._path(Config())
    path.write_bytes(damage(path.read_bytes()))
    assert points.load(Config()) is None
    assert not path.exists()
    assert caplog.messages == [f"cache entry {path} was damaged: removed, and made anew"]


@pytest.mark.parametrize(("key", "value"), [("LC", 1), ("fits", False), ("fmax_mhz", 999.0)])
def test_a_point_with_another_value_is_not_believed(key, value, points):
    points.store(Config(), OUTCOME)
    path = points._path(Config())
    document = json.loads(path.read_text())
    (document["value"]["cells"] if key == "LC" else document["value"])[key] = value
    path.write_text(json.dumps(document))
    assert points.load(Config()) is None


# Simulations ---------------------------------------------------------------------------------------------------------


class Compiler:
    """Stands in for Verilator and the compiler: the library is one object, the executable holds its content."""

    def __init__(self, monkeypatch):
        self.broken, self.compiled, self.linked = "", 0, 0
        monkeypatch.setattr(module, "_run_all", self.run)
        monkeypatch.setattr(module, "_library_files", lambda makefile: ["verilated"])
        monkeypatch.setattr(toolbox, "compiler", lambda: ("g++", "1"))

    def run(self, commands, log, environment=None, failure=ToolFailure):
        log.touch()
        for command in commands:
            if "-Mdir" in command:
                continue
            target = Path(command[command.index("-o") + 1])
            if "-c" in command:
                self.compiled += target.name == "verilated.o"
                target.write_bytes(b"object code")
                continue
            objects = [Path(name).read_bytes() for name in command if name.endswith(".o")]
            if self.broken and objects[-1] == self.broken:
                raise failure("ld ended with exit code 1", log)
            self.linked += 1
            target.write_bytes(b"".join(objects))


@pytest.fixture
def compiler(monkeypatch):
    toolbox.verilator()  # its version and place are part of the key
    return Compiler(monkeypatch)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_executable_is_built_again(damage, compiler, tmp_path, caplog):
    build = VerilatorBuild("module top; endmodule", "top", cache=tmp_path)
    build.ensure()
    whole = build.executable.read_bytes()
    build.executable.write_bytes(damage(whole))
    again = VerilatorBuild("module top; endmodule", "top", cache=tmp_path)
    assert not again.is_cached
    again.ensure()
    assert again.executable.read_bytes() == whole
    assert (compiler.linked, compiler.compiled) == (2, 1)
    assert caplog.messages == [f"cache entry {build.directory} was damaged: removed, and made anew"]


def test_a_missing_executable_or_manifest_is_built_again(compiler, tmp_path):
    for name in ("top", "manifest.json"):
        build = VerilatorBuild("module top; endmodule", "top", cache=tmp_path)
        (build.ensure() / name).unlink()
        assert not build.is_cached
        build.ensure()
        assert build.is_cached


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("name", ["verilated.o", "headers.h.gch", "headers.h"])
def test_a_damaged_library_is_compiled_again(name, damage, compiler, tmp_path, caplog):
    first = VerilatorBuild("module top; endmodule", "top", cache=tmp_path)
    first.ensure()
    path = first._library_directory / name
    path.write_bytes(damage(path.read_bytes()))
    VerilatorBuild("module top; wire other; endmodule", "top", cache=tmp_path).ensure()
    assert compiler.compiled == 2
    assert caplog.messages == [f"cache entry {path.parent} was damaged: removed, and made anew"]


def test_a_library_that_was_stored_wrong_heals_at_the_link(compiler, tmp_path):
    first = VerilatorBuild("module top; endmodule", "top", cache=tmp_path)
    first.ensure()
    library = first._library_directory
    (library / "verilated.o").write_bytes(b"wrong from the start")
    cache.seal(library)
    compiler.broken = b"wrong from the start"
    VerilatorBuild("module top; wire other; endmodule", "top", cache=tmp_path).ensure()
    assert compiler.compiled == 2


def test_a_design_that_never_links_fails_once_and_leaves_no_entry(compiler, tmp_path):
    compiler.broken = b"object code"
    build = VerilatorBuild("module top; endmodule", "top", cache=tmp_path)
    with pytest.raises(ToolFailure, match="exit code 1"):
        build.ensure(tmp_path / "log")
    assert not build.is_cached
    assert not list((tmp_path / "verilator").glob("compiling-*"))


def test_an_executable_is_synced_before_it_gets_its_name(compiler, tmp_path, monkeypatch):
    synced, fsync = set(), os.fsync

    def recorded(descriptor):
        synced.add(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    VerilatorBuild("module top; endmodule", "top", cache=tmp_path).ensure()
    assert {"top", "verilated.o", "headers.h.gch"} <= synced
