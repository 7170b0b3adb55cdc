"""The GateMate evaluation board: its bitstream, its netlist after synthesis in simulation, the frequency of its PLL."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.board_builds import ARGMAX, CLOCKS_PER_BIT, GATEMATE, SOFTMAX, answers_like_the_model

from softstream.boards.flow import build as module
from softstream.boards.flow.build import build
from softstream.boards.flow.plan import make_plan
from softstream.boards.flow.report import shortage
from softstream.boards.flow.simulation import board_verilog
from softstream.boards.registry import board
from softstream.boards.tools import shim


def run_tool(place, name, *arguments):
    command = [sys.executable, "-P", "-m", shim.__name__, name, *arguments]
    subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_cells_that_take_the_place_of_others_are_no_shortage():
    log = "Info: \t CPE_ADDF:      13/      0     0%\nInfo: \t CPE_LT:   41000/  40960   100%\n"
    assert shortage(log.splitlines()[0], "") == ""
    assert shortage(log, "") == "needs 41000 LUTs, the part has 40960, 40 are missing"


@pytest.mark.interop
def test_the_board_yields_a_bitstream_that_meets_its_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "cache_directory", lambda: tmp_path / "cache" / "boards")
    result = build(ARGMAX, board(GATEMATE), tmp_path / "out")
    assert result.report.met
    assert {"LUTs", "flip-flops", "block RAMs"} <= set(result.report.used)
    assert all(used <= available for used, available in result.report.used.values())
    assert all(re.fullmatch(r"softstream/(hw|boards)/[\w/]+\.py:\d+", line) for line in result.report.path)
    # CMD_PATH, the first command of a bitstream (docs/source/bitstream/commands.rst of prjpeppercorn).
    assert result.bitstream.read_bytes()[:2] == b"\xd9\x01"


@pytest.mark.interop
def test_the_netlist_after_synthesis_answers_like_the_model(tmp_path):
    row = board(GATEMATE)
    plan = make_plan(SOFTMAX, row, baud=row.clock_hz // CLOCKS_PER_BIT)
    plan.plan.extract(str(tmp_path))
    run_tool(tmp_path, "yosys", "-q", "-l", "log", "top.ys")
    (tmp_path / "netlist.ys").write_text("read_json top.json\nwrite_verilog -noattr netlist.v\n")
    run_tool(tmp_path, "yosys", "-l", "log", "netlist.ys")
    netlist = (tmp_path / "netlist.v").read_text()
    used = set(re.findall(r"^  (CC_\w+) ", netlist, re.MULTILINE))
    assert {"CC_DFF", "CC_BRAM_20K"} <= used
    spec = importlib.util.find_spec("pyosys")
    text = (Path(spec.submodule_search_locations[0]) / "share" / "gatemate" / "cells_sim.v").read_text()
    cells = [cell[0] for cell in re.finditer(r"^module (\w+).*?^endmodule\n", text, re.M | re.S) if cell[1] in used]
    # The model of a block RAM compares an unsigned address with 0.
    design = "\n".join(("/* verilator lint_off UNSIGNED */", *cells, netlist))
    answers_like_the_model(tmp_path, plan, board_verilog(plan, design))


@pytest.mark.interop
@pytest.mark.parametrize("mhz", [24])
def test_place_and_route_makes_the_frequency_that_the_plan_names(mhz, tmp_path):
    """It finds the dividers of the PLL itself."""
    plan = make_plan(ARGMAX, board(GATEMATE), clock_hz=mhz * 1e6, demo=[[1, 2, 3]])
    plan.plan.extract(str(tmp_path))
    run_tool(tmp_path, "yosys", "-q", "-l", "log", "top.ys")
    options = ["--device", "CCGM1A1", "--json", "top.json", "--vopt", "fpga_mode=2", "--vopt", "ccf=top.ccf"]
    run_tool(tmp_path, "nextpnr-gatemate", *options, "--quiet", "--log", "top.tim", "--pack-only")
    log = (tmp_path / "top.tim").read_text()
    assert f"PLL fout= {plan.clock.hz / 1e6:.4f} MHz (fout error 0.00000%" in log
    assert f"to {plan.clock.hz / 1e6:.2f} MHz" in log
