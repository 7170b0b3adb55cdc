"""Build plans: refusals, settings, the same bytes on every machine, archives that name no place of this one."""

import getpass
import json
import os
import re
import sys
import sysconfig
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from support.board_builds import ARGMAX

import softstream.boards
from softstream.boards.flow.build import build
from softstream.boards.flow.plan import make_plan, portable
from softstream.boards.registry import BOARDS, board
from softstream.boards.tools.parts import PARTS
from softstream.hw.errors import UserError
from softstream.sim.data import DIGITS_SCORES

DEMO = np.load(DIGITS_SCORES)[:4].tolist()


def test_a_rate_that_the_clock_cannot_make_is_refused():
    with pytest.raises(UserError):
        make_plan(ARGMAX, board("icestick"), baud=10_000_000)


def test_a_plan_is_the_same_wherever_softstream_lies():
    plan = make_plan(ARGMAX, board("icestick"), demo=DEMO)
    assert plan.digest == make_plan(ARGMAX, board("icestick"), demo=DEMO).digest
    assert "softstream/hw/stages/maximum.py:" in plan.plan.files["top.il"]
    assert plan.digest != make_plan(ARGMAX, board("icestick"), clock_hz=24e6, demo=DEMO).digest


def places():
    """Texts that tell where something lies on this machine, or whose it is."""
    folders = {
        sys.prefix,
        sys.base_prefix,
        sysconfig.get_path("purelib"),
        sysconfig.get_path("stdlib"),
        str(Path.home()),
    }
    folders |= {str(Path(folder).resolve()) for folder in softstream.boards.__path__} | {os.getcwd(), *sys.path[1:]}
    return {folder for folder in folders if len(folder) > 5} | {"site-packages", f"/{getpass.getuser()}/"}


@pytest.mark.parametrize("name", ["icestick", "ulx3s-12f", "tang-nano-9k", "arty-a7-35", "de10-lite"])
@pytest.mark.parametrize("demo", [DEMO, None], ids=["demo", "link"])
def test_a_plan_names_no_place_of_this_machine(name, demo):
    archive = zipfile.ZipFile(BytesIO(make_plan(ARGMAX, board(name), demo=demo).archive()))
    for entry in archive.infolist():
        text = archive.read(entry).decode(errors="replace")
        assert not [place for place in places() if place in text], entry.filename
        assert not re.search(r'\\src "[^"]*(^|[|"])/', text), entry.filename
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("prefix", ["one", "two/lib/python3.11/site-packages"])
def test_a_netlist_is_the_same_from_any_installation(prefix, tmp_path):
    """Two installations: the same packages in two folders, and the standard library in a third."""
    package = tmp_path / prefix / "amaranth" / "lib"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    library = tmp_path / "python"
    library.mkdir()
    own = Path(softstream.boards.__file__).parent / "gateware" / "top.py"
    text = f"""\
attribute \\src "{package}/data.py:12"
wire width 1 \\a
attribute \\src "{own}:3|{library}/contextlib.py:137|{package}/__init__.py:9"
wire width 2 \\b
attribute \\name "/not/a/source:1"
"""
    assert portable(text).splitlines() == [
        'attribute \\src "amaranth/lib/data.py:12"',
        "wire width 1 \\a",
        'attribute \\src "softstream/boards/gateware/top.py:3|contextlib.py:137|amaranth/lib/__init__.py:9"',
        "wire width 2 \\b",
        'attribute \\name "/not/a/source:1"',
    ]


def test_a_max_10_plan_loads_its_memories_from_flash():
    plans = {name: make_plan(ARGMAX, row, demo=DEMO) for name, row in BOARDS.items() if row.toolchain == "quartus"}
    assert plans
    for name, plan in plans.items():
        settings = plan.plan.files["top.qsf"].splitlines()
        assignments = [line.split(None, 3)[2:] for line in settings if line.startswith("set_global_assignment -name")]
        values = {key: value for key, value in assignments if key != "VERILOG_FILE"}
        if "MAX 10" in board(name).device:
            assert values["INTERNAL_FLASH_UPDATE_MODE"] == '"SINGLE IMAGE WITH ERAM"'
        assert {"DEVICE", "TOP_LEVEL_ENTITY"} <= set(values)


def test_the_environment_does_not_reach_a_plan(monkeypatch):
    digest = make_plan(ARGMAX, board("icestick"), demo=DEMO).digest
    name = "AMARANTH_nextpnr_opts"  # as Amaranth spells it
    monkeypatch.setenv(name, "--seed 7")
    assert make_plan(ARGMAX, board("icestick"), demo=DEMO).digest == digest
    assert os.environ[name] == "--seed 7"


PROJECT = {"vivado": "top.v", "quartus": "top.qsf", "radiant": "top.pdc"}
"""Toolchain of a vendor → a file of its project."""


@pytest.mark.parametrize("name", [name for name, row in BOARDS.items() if row.vendor])
def test_a_vendor_board_gives_an_archive_without_paths(name, tmp_path):
    result = build(ARGMAX, board(name), tmp_path / "out", demo=DEMO)
    assert result.bitstream is None
    with zipfile.ZipFile(tmp_path / "out" / f"{name}-plan.zip") as archive:
        names = archive.namelist()
        assert {"build_top.sh", PROJECT[board(name).toolchain]} <= set(names)
        text = "".join(archive.read(entry).decode() for entry in names)
    assert not [place for place in places() if place in text]
    assert json.loads((tmp_path / "out" / "build.json").read_text())["bitstream"] is None


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
