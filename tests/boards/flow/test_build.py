"""Bitstreams per family, what is refused before a tool starts, failed tools and clocks, the cache, plans as archives."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.board_builds import ARGMAX, FAMILIES, OTHERS

from softstream.boards.flow import build as module
from softstream.boards.flow.build import build, check_fit, fitting_presets, make_plan, memory_bits, needed_cells
from softstream.boards.registry import BOARDS, board
from softstream.boards.tools import shim
from softstream.boards.tools.parts import PARTS
from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.hw.errors import MissingTool, ToolFailure, UserError
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
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.boards
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_yields_a_bitstream_that_meets_its_clock_and_the_same_build_again_takes_no_tool(
    name, tmp_path, monkeypatch
):
    row = board(name)
    made = build(ARGMAX, row, tmp_path / "out")
    assert not made.cached
    assert made.report is not None
    assert made.report.asked_mhz == row.clock_hz / 1e6
    assert made.report.reached_mhz >= made.report.asked_mhz
    logic = next(iter(set(made.report.used) & {"logic cells", "LUTs and carries", "LUTs"}))
    used, available = made.report.used[logic]
    # What is refused for its size is what was measured, not a guess: the rest of the board adds a clock and lamps.
    expected = sum(needed_cells(ARGMAX, row))
    if row.measured:
        assert 0.9 * expected < used < expected + 150
    else:
        used += made.report.used["carries"][0]
        assert expected / module.DOUBT < used < expected * module.DOUBT
    assert used < available
    assert made.report.path
    assert all(re.fullmatch(r"softstream/(hw|boards)/[\w/]+\.py:\d+", line) for line in made.report.path)
    assert 0 < made.report.path_ns <= 1e3 / made.report.asked_mhz
    content = made.bitstream.read_bytes()
    assert content.startswith(FAMILIES[name])
    assert left(tmp_path / "out") == sorted(["build.json", "build.log", made.bitstream.name])
    told = json.loads((tmp_path / "out" / "build.json").read_text())
    assert (told["board"], told["digest"], told["demo"]) == (name, ARGMAX.digest, False)
    # Again, with tools that would fail: from the cache, byte for byte.
    stand_in(monkeypatch, "yosys", "exit 1")
    again = build(ARGMAX, row, tmp_path / "again")
    assert again.cached
    assert again.report == made.report
    assert again.bitstream.read_bytes() == content


@pytest.mark.boards
@pytest.mark.parametrize("name", OTHERS)
def test_every_other_board_yields_a_bitstream_that_meets_its_clock(name, tmp_path):
    made = build(OTHERS[name], board(name), tmp_path)
    assert made.report is not None
    assert made.report.met
    assert made.bitstream.stat().st_size > 1000


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
    made = build(preset("softmax-int8-small"), board("icestick"), tmp_path / "out")
    assert {kind: available for kind, (_, available) in made.report.used.items()} == {
        "logic cells": 1280,
        "block RAMs": 16,
    }
    assert all(used <= available for used, available in made.report.used.values())
    assert made.report.reached_mhz >= made.report.asked_mhz


def test_a_clock_that_is_not_met_leaves_nothing_that_looks_finished(tmp_path):
    row, out = board("icestick"), tmp_path / "out"
    out.mkdir()
    (out / "icestick.bin").write_bytes(b"an earlier build")
    (out / "build.json").write_text("{}")
    with pytest.raises(ToolFailure) as failed:
        build(ARGMAX, row, out, clock_hz=250e6, demo=DEMO)
    text = str(failed.value)
    assert "MHz reached, 250" in text or "MHz reached, 249" in text
    assert "what helps: a lower clock (--clock " in text
    assert "a larger or faster part" in text
    assert "Max frequency" in failed.value.log.read_text()
    assert left(out) == []
    # And nothing was kept that a second build would take for good.
    with pytest.raises(ToolFailure):
        build(ARGMAX, row, out, clock_hz=250e6, demo=DEMO)


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
        # What comes before is not the point, and is quick.
        made = {"yosys": "echo {} > top.json", "nextpnr-ice40": "echo {} > report.json; echo > top.asc"}[name]
        stand_in(monkeypatch, name, made)
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


def test_memory_that_the_part_lacks_is_refused_before_the_tools(tmp_path, monkeypatch):
    config = preset("softmax-int8").replace(max_length=16384)
    row = board("icestick")
    assert memory_bits(config) == 16384 * 9
    stand_in(monkeypatch, "yosys", "echo ran > ran; exit 1")
    with pytest.raises(
        UserError,
        match=r"max_length = 16384 on icestick: .* 81920 are missing; it holds 7281 elements; presets that fit: argmax-int8, "
        r"argmax-int8-small, .*digits-argmax.*; for example --set profile=small --set max_length=1024$",
    ):
        build(config, row, tmp_path / "out")
    check_fit(config.replace(max_length=4096, profile="small"), row)
    check_fit(config.replace(mode="argmax"), row)


def test_lanes_that_nothing_fills_are_refused():
    check_fit(Config(mode="sample"), board("icebreaker"))
    with pytest.raises(UserError, match=r"^lanes = 4 on icebreaker: a board's scores come one at a time; .* lanes=1$"):
        make_plan(ARGMAX.replace(lanes=4), board("icebreaker"), demo=DEMO)


@pytest.mark.parametrize("mode", ["hardmax", "sigmoid"])
def test_every_mode_has_a_place_on_a_board_with_its_link_and_alone(mode):
    """With something for the lamps, and without."""
    row = board("ulx3s-12f")
    plans = [make_plan(ARGMAX.replace(mode=mode), row, demo=demo) for demo in (None, DEMO)]
    assert plans[0].digest != plans[1].digest
    assert [name for name in fitting_presets(row) if preset(name).mode == mode]


def test_logic_that_the_part_lacks_is_refused_where_it_was_measured(monkeypatch):
    measured = {
        "softmax-int8": {"hx8k": {"cells": {"LC": 900}, "link_cells": {"LC": 500}}},
        "digits-argmax": {"hx8k": {"cells": {"LC": 150}, "link_cells": {"LC": 450}}},
    }
    monkeypatch.setattr(module, "recorded", lambda: measured)
    row = board("icestick")
    with pytest.raises(UserError, match=r"needs about 1400 logic cells, iCE40 HX1K has 1280, 120 are missing"):
        check_fit(preset("softmax-int8"), row)
    check_fit(preset("softmax-int8"), row, link=False)
    assert "softmax-int8" not in fitting_presets(row)
    assert "digits-argmax" in fitting_presets(row)
    assert "softmax-int8" in fitting_presets(board("hx8k-evn"))


def test_what_only_packing_tells_is_told_with_the_resource_and_what_fits(tmp_path, monkeypatch):
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
        r"presets that fit: argmax-int8, argmax-int8-small, .*digits-argmax.*; for example --set profile=small$",
    ):
        build(config, board("icestick"), tmp_path / "out")
    assert left(tmp_path / "out") == []


def test_a_part_that_is_not_measured_is_judged_by_half_of_an_ecp5(monkeypatch):
    row = board("tang-nano-9k")
    assert not row.measured
    for cells, fits in ((2 * 8640, True), (2 * 8640 + 2, False)):
        measured = {"softmax-int8": {"ecp5-25k": {"cells": {"COMB": cells - 400}, "link_cells": {"COMB": 400}}}}
        monkeypatch.setattr(module, "recorded", lambda measured=measured: measured)
        assert ("softmax-int8" in fitting_presets(row)) is fits


def test_a_rate_that_the_clock_cannot_make_is_refused():
    with pytest.raises(UserError):
        make_plan(ARGMAX, board("icestick"), baud=10_000_000)


def test_a_plan_is_the_same_wherever_softstream_lies():
    plan = make_plan(ARGMAX, board("icestick"), demo=DEMO)
    assert plan.digest == make_plan(ARGMAX, board("icestick"), demo=DEMO).digest
    text = plan.plan.files["top.il"]
    assert "softstream/hw/stages/maximum.py:" in text
    assert str(Path(module.__file__).parents[2]) not in text
    assert sys.prefix not in text
    assert plan.digest != make_plan(ARGMAX, board("icestick"), clock_hz=24e6, demo=DEMO).digest


def test_the_environment_does_not_reach_a_plan(monkeypatch):
    digest = make_plan(ARGMAX, board("icestick"), demo=DEMO).digest
    name = "AMARANTH_nextpnr_opts"  # as Amaranth spells it
    monkeypatch.setenv(name, "--seed 7")
    assert make_plan(ARGMAX, board("icestick"), demo=DEMO).digest == digest
    assert os.environ[name] == "--seed 7"


@pytest.mark.parametrize("name", [name for name, row in BOARDS.items() if row.vendor])
def test_a_vendor_board_gives_an_archive_without_paths(name, tmp_path):
    made = build(ARGMAX, board(name), tmp_path / "out", demo=DEMO)
    assert made.bitstream is None
    with zipfile.ZipFile(tmp_path / "out" / f"{name}-plan.zip") as archive:
        names = archive.namelist()
        assert {"build_top.sh", "top.v" if board(name).toolchain == "vivado" else "top.qsf"} <= set(names)
        text = "".join(archive.read(entry).decode() for entry in names)
    assert str(Path(module.__file__).parents[2]) not in text
    assert json.loads((tmp_path / "out" / "build.json").read_text())["bitstream"] is None


def test_the_dfu_suffix_is_one(tmp_path):
    import binascii

    path = tmp_path / "top.bit"
    path.write_bytes(b"configuration")
    assert shim.TOOLS["dfu-suffix"](["-v", "1209", "-p", "5af0", "-a", str(path)]) == 0
    content = path.read_bytes()
    assert content[:-16] == b"configuration"
    assert content[-16:-4] == bytes.fromhex("ffff f05a 0912 0001") + b"UFD\x10"
    assert int.from_bytes(content[-4:], "little") == ~binascii.crc32(content[:-4]) & 0xFFFFFFFF


@pytest.mark.parametrize("name", [name for name, row in BOARDS.items() if row.measured])
def test_a_board_is_synthesised_as_its_part_was_measured(name):
    row = board(name)
    plan = make_plan(ARGMAX, row, demo=DEMO)
    lines = [line.strip() for line in plan.plan.files["top.ys"].splitlines()]
    [line] = [line for line in lines if line.startswith("synth_")]
    assert line.split(" -top ")[0] == PARTS[row.part].synthesis
    assert PARTS[row.part].family == row.toolchain


def test_an_ecp5_board_takes_no_wide_multiplexers_and_an_up5k_its_multipliers():
    assert PARTS["ecp5-25k"].synthesis_options == "-nowidelut"
    assert "-dsp" in PARTS["up5k"].synthesis_options.split()


@pytest.mark.parametrize(
    ("name", "changes", "needed", "nearest"),
    [
        ("softmax-int8", {}, r"needs about \d+ logic cells", "--set profile=small"),
        # Not measured with this length, but at least as wide as what was.
        ("softmax-int8", {"max_length": 30}, r"needs about \d+ logic cells", "--set profile=small"),
        ("softmax-int8-dsp", {"max_length": 30}, r"needs about \d+ logic cells", "--set normaliser=logarithm"),
        ("softmax-int16", {}, r"needs about \d+ logic cells", "--preset digits-argmax"),
    ],
)
def test_a_profile_or_normaliser_that_the_part_cannot_hold_is_refused_with_the_nearest_that_fits(
    name, changes, needed, nearest, tmp_path
):
    row, config = board("icestick"), preset(name).replace(**changes)
    with pytest.raises(UserError, match=rf"^this configuration on icestick: {needed}.*; for example {nearest}$"):
        build(config, row, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    settings = dict(text.split("=") for text in nearest.removeprefix("--set ").split(" --set ") if "=" in text)
    check_fit(config.replace(**settings) if settings else ARGMAX, row)


def test_what_is_narrower_than_anything_measured_is_not_refused_unseen():
    check_fit(preset("softmax-int8").replace(score_width=4, max_length=30), board("icestick"))


def test_a_clock_far_out_of_reach_is_refused_before_the_tools_with_one_that_is_reached(tmp_path):
    for asked, text in ((90e6, "90"), (400e6, "400")):
        with pytest.raises(
            UserError, match=rf"^clock {text} MHz on icebreaker: .* reaches (\d+) MHz .*; for example --clock (\d+)$"
        ) as told:
            build(preset("digits-softmax"), board("icebreaker"), tmp_path / "out", clock_hz=asked)
        reached, lower = map(int, re.search(r"reaches (\d+) MHz.*--clock (\d+)", str(told.value)).groups())
        assert 0.9 * reached < lower < reached
        module.choose(board("icebreaker"), lower * 1e6)
    assert not (tmp_path / "out").exists()
    # What seeds or a faster grade might reach is left to the tools.
    module.check_clock(preset("digits-softmax"), board("icebreaker"), 70e6)
    module.check_clock(preset("digits-softmax"), board("tang-nano-9k"), 900e6)


def test_a_clock_out_of_reach_names_the_profile_that_is_measured_to_be_quicker():
    with pytest.raises(UserError, match=r"or the profile that reaches \d+ MHz \(--set profile=fastest\)$"):
        make_plan(preset("softmax-int8-log"), board("colorlight-i5"), clock_hz=390e6)
    with pytest.raises(UserError, match=r"\(--set profile=fast\)$"):
        make_plan(preset("argmax-int8-small"), board("colorlight-i5"), clock_hz=390e6)
