"""Bitstreams per family, refusals before a tool starts, failed tools and clocks, the cache, plans as archives."""

import contextlib
import errno
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.board_builds import ARGMAX, FAMILIES, OTHERS

from softstream.boards.flow import build as module
from softstream.boards.flow.build import build
from softstream.boards.flow.capacity import DOUBT
from softstream.boards.flow.fit import FULL, occupancy
from softstream.boards.flow.flash import find_bitstream
from softstream.boards.flow.plan import make_plan
from softstream.boards.registry import board
from softstream.boards.tools import shim
from softstream.hw.cache import load_folder
from softstream.hw.config.presets import preset
from softstream.hw.errors import MissingTool, ToolFailure, UserError
from softstream.scripts.measure.pairs import on_board
from softstream.scripts.measure.recorded import recorded_pairs
from softstream.sim.data import DIGITS_SCORES

DEMO = np.load(DIGITS_SCORES)[:4].tolist()


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "cache_directory", lambda: tmp_path / "cache" / "boards")


def stand_in(monkeypatch, name, script):
    """Another program in the place of one tool of the flow."""
    install = shim.install

    def installed(directory):
        install(directory)
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")

    monkeypatch.setattr(module.shim, "install", installed)


def left(directory):
    """Names in a directory; none where there is no such directory."""
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


QUICK = {
    "yosys": "echo {} > top.json",
    "nextpnr-ice40": "printf '%s' '{REPORT}' > report.json; echo > top.asc",
    "icepack": "echo bitstream > top.bin",
}
REPORT = json.dumps(
    {
        "fmax": {"clk": {"achieved": 99.5}},
        "critical_paths": [],
        "utilization": {"ICESTORM_LC": {"used": 9, "available": 1280}},
    }
)


def quick_tools(monkeypatch):
    """Tools that make a bitstream of one word at once."""
    for name, script in QUICK.items():
        stand_in(monkeypatch, name, script.replace("{REPORT}", REPORT))


@pytest.mark.boards
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_yields_a_bitstream_that_meets_its_clock_and_the_same_build_again_takes_no_tool(
    name, tmp_path, monkeypatch
):
    row = board(name)
    result = build(ARGMAX, row, tmp_path / "out")
    assert not result.cached
    assert result.report is not None
    assert result.report.asked_mhz == row.clock_hz / 1e6
    assert result.report.reached_mhz >= result.report.asked_mhz
    logic = next(iter(set(result.report.used) & {"logic cells", "LUTs and carries", "LUTs"}))
    used, available = result.report.used[logic]
    # What is refused for its size is what was measured, not a guess: the rest of the board adds a clock and lamps.
    expected = occupancy(ARGMAX, row).cells
    if row.measured:
        assert 0.9 * expected < used < expected + 150
    else:
        used += result.report.used["carries"][0]
        assert expected / DOUBT < used < expected * DOUBT
    assert used < available
    assert result.report.path
    assert all(re.fullmatch(r"softstream/(hw|boards)/[\w/]+\.py:\d+", line) for line in result.report.path)
    assert 0 < result.report.path_ns <= 1e3 / result.report.asked_mhz
    content = result.bitstream.read_bytes()
    assert content.startswith(FAMILIES[name])
    assert left(tmp_path / "out") == sorted(["build.json", "build.log", result.bitstream.name])
    record = json.loads((tmp_path / "out" / "build.json").read_text())
    assert (record["board"], record["digest"], record["demo"]) == (name, ARGMAX.digest, False)
    # Again, with tools that would fail: from the cache, byte for byte.
    stand_in(monkeypatch, "yosys", "exit 1")
    again = build(ARGMAX, row, tmp_path / "again")
    assert again.cached
    assert again.report == result.report
    assert again.bitstream.read_bytes() == content


@pytest.mark.boards
@pytest.mark.parametrize("name", OTHERS)
def test_every_other_board_yields_a_bitstream_that_meets_its_clock(name, tmp_path):
    result = build(OTHERS[name], board(name), tmp_path)
    assert result.report is not None
    assert result.report.met
    assert result.bitstream.stat().st_size > 1000


@pytest.mark.boards
def test_the_memories_of_a_gowin_part_are_those_whose_timing_is_checked(tmp_path):
    plan = make_plan(preset("digits-softmax"), board("tang-nano-20k"))
    plan.plan.extract(str(tmp_path))
    shim.install(tmp_path / "bin")
    subprocess.run([tmp_path / "bin" / "yosys", "-q", "-l", "log", "top.ys"], cwd=tmp_path, check=True)
    cells = json.loads((tmp_path / "top.syn.json").read_text())["modules"]["top"]["cells"].values()
    memories = [cell for cell in cells if re.match(r"SP|SDP|DP|ROM|pROM", cell["type"])]
    assert {cell["type"] for cell in memories} == {"SPX9", "SDPX9B"}
    assert all(int(cell["parameters"]["BIT_WIDTH"], 2) <= 18 for cell in memories if cell["type"] == "SPX9")


@pytest.mark.boards
def test_the_smallest_softmax_fits_the_smallest_part_with_its_link(tmp_path):
    result = build(preset("softmax-int8-small"), board("icestick"), tmp_path / "out")
    assert {kind: available for kind, (_, available) in result.report.used.items()} == {
        "logic cells": 1280,
        "block RAMs": 16,
    }
    assert all(used <= available for used, available in result.report.used.values())
    assert result.report.reached_mhz >= result.report.asked_mhz


def test_a_clock_that_is_not_met_leaves_an_earlier_build_as_it_was(tmp_path):
    row, out = board("icestick"), tmp_path / "out"
    out.mkdir()
    (out / "icestick.bin").write_bytes(b"an earlier build")
    (out / "build.json").write_text("{}")
    (out / "icestick-plan.zip").write_bytes(b"an earlier plan")
    with pytest.raises(ToolFailure) as failed:
        build(ARGMAX, row, out, clock_hz=250e6, demo=DEMO)
    text = str(failed.value)
    assert "MHz reached, 250" in text or "MHz reached, 249" in text
    assert "what helps: a lower clock (--clock " in text
    assert "a larger or faster part" in text
    assert "Max frequency" in failed.value.log.read_text()
    assert left(out) == ["build.json", "icestick-plan.zip", "icestick.bin"]
    assert (out / "icestick.bin").read_bytes() == b"an earlier build"
    # And nothing was kept that a second build would take for good.
    with pytest.raises(ToolFailure):
        build(ARGMAX, row, out, clock_hz=250e6, demo=DEMO)


def test_a_finished_build_replaces_an_earlier_one_of_either_kind(tmp_path, monkeypatch):
    quick_tools(monkeypatch)
    row, out = board("icestick"), tmp_path / "out"
    build(ARGMAX, row, out, plan_only=True, demo=DEMO)
    assert left(out) == ["build.json", "icestick-plan.zip"]
    build(ARGMAX, row, out, demo=DEMO)
    assert left(out) == ["build.json", "build.log", "icestick.bin"]
    assert find_bitstream(row, out).read_bytes() == b"bitstream\n"
    build(ARGMAX, row, out, plan_only=True, demo=DEMO)
    assert left(out) == ["build.json", "icestick-plan.zip"]


@pytest.mark.parametrize("plan_only", [False, True])
@pytest.mark.parametrize("count", range(4))
def test_a_disk_that_is_full_leaves_an_earlier_build_and_no_parts(plan_only, count, tmp_path, monkeypatch):
    """`count` files are written before the disk is full."""
    quick_tools(monkeypatch)
    row, out = board("icestick"), tmp_path / "out"
    build(ARGMAX, row, out, plan_only=plan_only, demo=DEMO)
    before = {name: (out / name).read_bytes() for name in left(out)}
    written = []

    def fsync(descriptor):
        if str(out) in os.readlink(f"/proc/self/fd/{descriptor}"):
            written.append(descriptor)
            if len(written) > count:
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with contextlib.suppress(UserError):
        build(ARGMAX, row, out, plan_only=plan_only, demo=DEMO)
    assert set(left(out)) == set(before)
    # The same build: whatever was replaced has the same content.
    assert {name: (out / name).read_bytes() for name in left(out)} == before
    assert not [name for name in left(out) if name.startswith(".")]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UserError, match=r"^-o .*out: cannot be written \(No space left on device\); give a path"):
        build(ARGMAX, board("icestick"), tmp_path / "out", plan_only=True, demo=DEMO)
    assert not (tmp_path / "out").exists()


def damaged(entry, way):
    """Damages an entry of the cache."""
    match way:
        case "a bit":
            content = bytearray((entry / "top.bin").read_bytes())
            content[3] ^= 4
            (entry / "top.bin").write_bytes(content)
        case "empty":
            (entry / "top.bin").write_bytes(b"")
        case "missing":
            (entry / "top.bin").unlink()
        case "report cut":
            (entry / "report.json").write_text(REPORT[:20])
        case "report changed":
            (entry / "report.json").write_text(REPORT.replace("99.5", "999"))
        case "report a list":
            (entry / "report.json").write_text("[]")
        case "log":
            (entry / "log").write_text("another log")
        case "manifest missing":
            (entry / "manifest.json").unlink()
        case "manifest cut":
            (entry / "manifest.json").write_text("{")
        case "manifest without files":
            (entry / "manifest.json").write_text(json.dumps({"entry": entry.name, "sha256": {}}))
        case "a file":
            shutil.rmtree(entry)
            entry.write_text("no folder")
        case "a dangling link":
            shutil.rmtree(entry)
            entry.symlink_to("nowhere")
        case "another entry":
            shutil.copytree(entry, entry.with_name("f" * 32))
            shutil.rmtree(entry)
            entry.with_name("f" * 32).rename(entry)
            (entry / "manifest.json").write_text((entry / "manifest.json").read_text().replace(entry.name, "f" * 32))


@pytest.mark.parametrize(
    "way",
    ["a bit", "empty", "missing", "report cut", "report changed", "report a list", "log", "manifest missing", "manifest cut",
     "manifest without files", "a file", "a dangling link", "another entry"],
)  # fmt: skip
def test_a_damaged_entry_of_the_cache_is_removed_and_rebuilt(way, tmp_path, monkeypatch, caplog):
    quick_tools(monkeypatch)
    row = board("icestick")
    first = build(ARGMAX, row, tmp_path / "first", demo=DEMO)
    [entry] = [path for path in (tmp_path / "cache" / "boards").iterdir() if path.is_dir()]
    damaged(entry, way)
    second = build(ARGMAX, row, tmp_path / "second", demo=DEMO)
    assert not second.cached
    assert second.report == first.report
    assert find_bitstream(row, tmp_path / "second").read_bytes() == b"bitstream\n"
    [line] = caplog.messages
    assert line == f"cache entry {entry} was damaged: removed, and made anew"
    assert build(ARGMAX, row, tmp_path / "third", demo=DEMO).cached


@pytest.mark.parametrize("report", ["[]", "{}", '{"fmax": {"clk": 3}}', '{"fmax": {"clk": {"achieved": "x"}}}', "x"])
def test_a_report_of_another_form_is_a_failure_in_one_line(report, tmp_path, monkeypatch):
    quick_tools(monkeypatch)
    stand_in(monkeypatch, "nextpnr-ice40", f"printf '%s' '{report}' > report.json; echo > top.asc")
    with pytest.raises(ToolFailure, match="place and route"):
        build(ARGMAX, board("icestick"), tmp_path / "out", demo=DEMO)


def test_an_entry_of_the_cache_is_readable_by_others_and_a_foreign_one_is_no_error(tmp_path, monkeypatch):
    quick_tools(monkeypatch)
    umask = os.umask(0o022)
    try:
        build(ARGMAX, board("icestick"), tmp_path / "out", demo=DEMO)
    finally:
        os.umask(umask)
    [entry] = [path for path in (tmp_path / "cache" / "boards").iterdir() if path.is_dir()]
    assert stat.S_IMODE(entry.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in entry.iterdir()} == {0o644}

    def closed(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", closed)
    assert load_folder(entry) is None
    assert entry.is_dir()


@pytest.mark.parametrize(
    ("tool", "script", "why"),
    [
        ("yosys", "echo 'ERROR: it broke'; exit 1", "it broke"),
        ("nextpnr-ice40", "echo {} > report.json; kill -9 $$", "see its log"),
        ("icepack", "echo half > top.bin; exit 1", "see its log"),
        ("icepack", ": > top.bin", "see its log"),
    ],
)
def test_a_tool_that_fails_or_is_killed_leaves_nothing(tool, script, why, tmp_path, monkeypatch):
    for name in ("yosys", "nextpnr-ice40", "icepack"):
        if name == tool:
            break
        stand_in(monkeypatch, name, QUICK[name].replace("{REPORT}", REPORT))
    stand_in(monkeypatch, tool, script)
    with pytest.raises(ToolFailure, match=f"build for icestick failed: {why}") as failed:
        build(ARGMAX, board("icestick"), tmp_path / "out", demo=DEMO)
    assert failed.value.log.is_file()
    assert left(tmp_path / "out") == []
    assert not [path for path in (tmp_path / "cache" / "boards").glob("*") if path.is_dir()]


def test_a_missing_package_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(module.PACKAGES, "ice40", ("pyosys", "yowasp-nextpnr-nothing"))
    with pytest.raises(MissingTool, match=r"pip install yowasp-nextpnr-nothing, or --plan-only"):
        build(ARGMAX, board("icestick"), tmp_path / "out", demo=DEMO)
    assert not (tmp_path / "out").exists()
    assert build(ARGMAX, board("icestick"), tmp_path / "out", demo=DEMO, plan_only=True).bitstream is None


def test_a_design_that_packing_refuses_is_reported_with_the_resource_and_a_remedy(tmp_path, monkeypatch):
    stand_in(monkeypatch, "yosys", "echo {} > top.json")
    counted = "Info: \\t ICESTORM_LC:  2293/  1280   179%\\nInfo: \\t ICESTORM_RAM:  13/  16   81%"
    stand_in(
        monkeypatch, "nextpnr-ice40", f"printf '{counted}\\n' > top.tim; echo 'ERROR: Unable to place cell'; exit 1"
    )
    config = preset("digits-softmax").replace(
        score_width=4
    )  # narrower than what was measured: nothing is known to be missing
    with pytest.raises(
        UserError,
        match=r"this configuration on icestick: needs 2293 logic cells, the part has 1280, 1013 are missing; "
        r"presets built for icestick: argmax-int8, .*digits-argmax.*; for example --preset softmax-int8-small$",
    ):
        build(config, board("icestick"), tmp_path / "out")
    assert left(tmp_path / "out") == []


NO_PLACE = "ERROR: Unable to find legal placement for cell core.link of type ICESTORM_LC after 191272 attempts"


def place_and_route_with_seeds(monkeypatch, tmp_path, error, works="", cells=int(FULL * 1280)):
    """Quick tools whose place and route reports `error`, but with the seed `works`; returns the arguments of each run."""
    counted = f"Info: \\t ICESTORM_LC:  {cells}/  1280    90%%\\nInfo: \\t ICESTORM_RAM:  11/  16   68%%\\n"
    quick_tools(monkeypatch)
    stand_in(monkeypatch, "yosys", f"echo synthesis >> {tmp_path}/runs; echo {{}} > top.json; echo a warning")
    done = QUICK["nextpnr-ice40"].replace("{REPORT}", REPORT)
    failed = f"printf '{counted}' > top.tim; echo '{error}'; exit 125"
    stand_in(
        monkeypatch,
        "nextpnr-ice40",
        f'test "$*" = --version || echo "$*" | grep -o "seed.*\\|asc.*" >> {tmp_path}/runs\n'
        f'case "$*" in --version) ;; *"--seed {works or "none"}") {done} ;; *) {failed} ;; esac',
    )
    return lambda: (tmp_path / "runs").read_text().split("\n")[:-1]


def test_other_seeds_are_tried_where_placement_finds_no_legal_place(tmp_path, monkeypatch):
    runs = place_and_route_with_seeds(monkeypatch, tmp_path, NO_PLACE, works="3")
    row = board("icestick")
    result = build(ARGMAX, row, tmp_path / "out", demo=DEMO)
    assert result.report.seed == 3
    # One synthesis, nextpnr's own seed, then three.
    assert runs() == ["synthesis", "asc top.asc", *(f"asc top.asc --seed {seed}" for seed in (1, 2, 3))]
    assert json.loads((tmp_path / "out" / "build.json").read_text())["report"]["seed"] == 3
    log = (tmp_path / "out" / "build.log").read_text()
    assert (log.count(NO_PLACE), log.count("a warning")) == (3, 1)
    # The cache has the seed, too.
    again = build(ARGMAX, row, tmp_path / "again", demo=DEMO)
    assert (again.cached, again.report) == (True, result.report)


def test_the_verb_prints_the_seed_that_found_a_place(tmp_path, monkeypatch, cli):
    place_and_route_with_seeds(monkeypatch, tmp_path, NO_PLACE, works="2")
    words = ("build", "--board", "icestick", "digits-argmax", "--demo", "-o", str(tmp_path / "out"))
    code, out, _ = cli(*words)
    assert code == 0
    assert re.search(r"^ *seed of placement +2 +no legal place with 2 others *$", out, re.MULTILINE)
    _, out, _ = cli(*words, "--json")
    assert json.loads(out)["report"]["seed"] == 2


def test_a_build_without_other_seeds_names_none(tmp_path, monkeypatch, cli):
    quick_tools(monkeypatch)
    _, out, _ = cli("build", "--board", "icestick", "digits-argmax", "--demo", "-o", str(tmp_path / "verb"))
    assert "clock reached" in out
    assert "seed" not in out
    assert build(ARGMAX, board("icestick"), tmp_path / "out", demo=DEMO).report.seed is None
    assert json.loads((tmp_path / "out" / "build.json").read_text())["report"]["seed"] is None


@pytest.mark.parametrize(
    ("error", "cells", "kind"),
    [
        (NO_PLACE, int(FULL * 1280) + 1, UserError),  # a part with more cells in use than a listed preset takes
        ("ERROR: Unable to place cell core.link, no BELs remaining to implement cell type ICESTORM_LC", 900, UserError),
        (
            "ERROR: Unable to find legal placement for all cells, design is probably at utilisation limit.",
            900,
            UserError,
        ),
        ("ERROR: Max frequency for clock clk: 9.00 MHz (FAIL at 12.00 MHz)", 900, ToolFailure),
        ("ERROR: it broke", 900, ToolFailure),
        ("Info: Unable to find legal placement for cell a, which is no error", 900, UserError),
    ],
)
def test_another_error_is_not_tried_again(error, cells, kind, tmp_path, monkeypatch):
    runs = place_and_route_with_seeds(monkeypatch, tmp_path, error, works="1", cells=cells)
    with pytest.raises(kind) as refusal:
        build(ARGMAX, board("icestick"), tmp_path / "out", demo=DEMO)
    assert "seeds tried" not in str(refusal.value)
    assert runs() == ["synthesis", "asc top.asc"]


def test_a_design_that_placement_refuses_with_every_seed_is_reported_with_their_number_and_a_remedy(
    tmp_path, monkeypatch
):
    runs = place_and_route_with_seeds(monkeypatch, tmp_path, NO_PLACE)
    number = module._MORE_SEEDS + 1
    with pytest.raises(
        UserError,
        match=r"^this configuration on icestick: place and route found no place for all cells, it takes 1177 of 1280 logic cells "
        rf"\(91 %\) and 11 of 16 block RAMs \(68 %\), {number} seeds tried; presets built for icestick: argmax-int8, .*; "
        r"for example --preset \S+$",
    ):
        build(preset("cross-entropy-int8"), board("icestick"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(runs()) == 1 + number


@pytest.mark.boards
def test_a_preset_that_few_seeds_place_is_built(tmp_path):
    """Its recorded seed is what a build finds, and a bitstream of nextpnr alone with this seed is the same."""
    row = board("icesugar-nano")
    [(name, record)] = [(n, entry) for n, entry in recorded_pairs()["boards"][row.name].items() if "seed" in entry]
    result = build(on_board(name, row), row, tmp_path / "out")
    assert result.report.seed == record["seed"]
    make_plan(on_board(name, row), row).plan.extract(str(tmp_path / "plan"))
    shim.install(tmp_path / "plan" / "bin")
    script = tmp_path / "plan" / "build_top.sh"
    script.write_text(script.read_text().replace("--asc top.asc", f"--asc top.asc --seed {record['seed']}"))
    path = f"{tmp_path}/plan/bin:/usr/bin:/bin"
    subprocess.run(["/bin/sh", script], cwd=tmp_path / "plan", env={**os.environ, "PATH": path}, check=True)
    assert (tmp_path / "plan" / "top.bin").read_bytes() == result.bitstream.read_bytes()


def test_the_dfu_suffix_is_one(tmp_path):
    import binascii

    path = tmp_path / "top.bit"
    path.write_bytes(b"configuration")
    assert shim.TOOLS["dfu-suffix"](["-v", "1209", "-p", "5af0", "-a", str(path)]) == 0
    content = path.read_bytes()
    assert content[:-16] == b"configuration"
    assert content[-16:-4] == bytes.fromhex("ffff f05a 0912 0001") + b"UFD\x10"
    assert int.from_bytes(content[-4:], "little") == ~binascii.crc32(content[:-4]) & 0xFFFFFFFF
