"""The bitstream itself, simulated: the netlist before place and route, and the one that fpga-icestorm decodes from the finished
file, answer the unmodified host program over the pins of the board like the model, bit for bit. Multiplier-free: an SB_MAC16
is not decoded."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.board_builds import CASES, CLOCKS_PER_BIT, answers_like_the_model

from softstream.boards.flow import build as module
from softstream.boards.flow.build import build
from softstream.boards.flow.simulation import board_verilog
from softstream.boards.registry import board
from softstream.boards.tools import shim

pytestmark = pytest.mark.boards

BAUD = 12_000_000 // CLOCKS_PER_BIT
needs_icestorm = pytest.mark.skipif(
    shutil.which("icebox_vlog") is None or shutil.which("iceunpack") is None,
    reason="Debian's fpga-icestorm decodes the bitstream; apt install fpga-icestorm",
)


def cells(pads):
    """The vendor's cells as Verilog; with `pads`, ours in the place of theirs, which Verilator does not take."""
    spec = importlib.util.find_spec("pyosys")
    text = (Path(spec.submodule_search_locations[0]) / "share" / "ice40" / "cells_sim.v").read_text()
    if not pads:
        return text
    ours = (Path(module.__file__).parents[1] / "tools" / "primitives.v").read_text()
    names = "|".join(re.findall(r"^module (\w+)", ours, re.MULTILINE))
    return re.sub(rf"^module ({names}) \(.*?^endmodule", "", text, flags=re.MULTILINE | re.DOTALL) + ours


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(f"bitstream {name}")) for name in CASES]
)
def built_board(request, tmp_path_factory):
    """A bitstream that was built for this, with its plan, and the netlist that place and route was given."""
    place = tmp_path_factory.mktemp(request.param)
    run = module._run

    def keeping(plan, directory, report):
        run(plan, directory, report)
        shutil.copy(directory / "top.json", place)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "cache_directory", lambda: place / "cache" / "boards")
        patch.setattr(module, "_run", keeping)
        result = build(CASES[request.param], board(request.param), place, baud=BAUD)
    assert not result.cached
    assert "multipliers" not in result.report.used
    return place, result


def test_the_netlist_after_synthesis_answers_like_the_model(built_board):
    place, result = built_board
    (place / "netlist.ys").write_text("read_json top.json\nwrite_verilog -noattr netlist.v\n")
    command = [sys.executable, "-P", "-m", shim.__name__, "yosys", "-l", "log", "netlist.ys"]
    subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL)
    netlist = (place / "netlist.v").read_text()
    assert "SB_LUT4" in netlist
    answers_like_the_model(place, result.plan, board_verilog(result.plan, cells(pads=True) + netlist))


@needs_icestorm
def test_the_verilog_decoded_from_the_bitstream_answers_like_the_model(built_board):
    place, result = built_board
    (place / "top.pcf").write_text(result.plan.plan.files["top.pcf"])
    subprocess.run(["iceunpack", result.bitstream, place / "top.asc"], check=True, capture_output=True)
    decoded = subprocess.run(
        ["icebox_vlog", "-s", "-p", "top.pcf", "top.asc"], cwd=place, check=True, capture_output=True, text=True
    ).stdout
    # icebox_vlog declares the pins twice, as ports and as wires.
    ports = set(
        re.findall(r"(?:input|output|inout) (\w+)", re.search(r"^module chip \((.*?)\);", decoded, re.M | re.S)[1])
    )
    assert {"clk12_0__io", "uart_0__rx__io", "uart_0__tx__io"} <= ports
    lines = [
        "".join(f"wire {name};" for name in line[5:-1].split(", ") if name not in ports)
        if line.startswith("wire ")
        else line
        for line in decoded.split("\n")
    ]
    text = cells(pads=False) + "\n".join(lines)
    answers_like_the_model(place, result.plan, board_verilog(result.plan, text, "chip"))
