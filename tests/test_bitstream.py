"""The bitstream itself, simulated: what was synthesised, and what Debian's fpga-icestorm decodes from the finished file,
answer over the pins of the board like the model, bit for bit. Multiplier-free: an SB_MAC16 is not decoded."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from softstream.boards.build import build, make_plan
from softstream.boards.protocol import Decoder, Frame, Info, Trailer, Type, encode
from softstream.boards.registry import board
from softstream.hw.presets import preset
from softstream.sim.data import DIGITS_SCORES
from softstream.sim.golden import golden

pytestmark = pytest.mark.boards

BAUD = 1_000_000
CASES = [("icestick", "digits-argmax", 6)]
needs_icestorm = pytest.mark.skipif(
    shutil.which("icebox_vlog") is None or shutil.which("iceunpack") is None,
    reason="Debian's fpga-icestorm decodes the bitstream; apt install fpga-icestorm",
)
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="apt install iverilog")

# Plays `script` (a byte to send, or from 256 on a number of clocks to wait less 256) and prints the bytes that come back.
BENCH = """
`timescale 1ns/1ps
module bench;
  reg clk = 0, rx = 1;
  wire tx;
  wire clk_pin = clk, rx_pin = rx;  // a pin of the netlist is an inout
  reg [16:0] script [0:LENGTH-1];
  integer at, bits, count, seen;
  reg [7:0] heard;
  MODULE dut (CONNECTIONS);
  always #41.667 clk = ~clk;
  task clocks(input integer number); repeat (number) @(posedge clk); endtask
  initial begin
    $readmemh("script.hex", script);
    // Past power-on, where an undriven line is allowed to be anything.
    clocks(400);
    for (at = 0; at < LENGTH; at = at + 1)
      if (script[at] >= 256) clocks(script[at] - 256);
      else begin
        rx = 0; clocks(DIVISOR);
        for (bits = 0; bits < 8; bits = bits + 1) begin rx = script[at][bits]; clocks(DIVISOR); end
        rx = 1; clocks(DIVISOR);
      end
    $display("end");
    $finish;
  end
  initial begin
    clocks(390);
    forever begin
      if (tx === 1'bx || tx === 1'bz) begin $display("unknown level on tx"); $finish; end
      if (tx) clocks(1);
      else begin
        clocks(DIVISOR + DIVISOR / 2);
        for (seen = 0; seen < 8; seen = seen + 1) begin heard[seen] = tx; clocks(DIVISOR); end
        $display("%02x", heard);
        if (!tx) begin $display("no stop bit"); $finish; end
      end
    end
  end
endmodule
"""


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0])
def made(request, tmp_path_factory):
    """A built bitstream, its plan, and what to send: digits, one vector a frame, each after the one before is answered."""
    name, preset_name, vectors = request.param
    place = tmp_path_factory.mktemp(name)
    config, row = preset(preset_name), board(name)
    result = build(config, row, place, baud=BAUD)
    scores = np.load(DIGITS_SCORES)[:vectors]
    (place / "top.pcf").write_text(result.plan.plan.files["top.pcf"])
    return place, result, config, scores


def conversation(config, scores, divisor):
    """The script of a host that shakes hands and sends each vector, acknowledging what came before."""
    script = [*encode(Frame(Type.INFO, 77, 0)), 256 + 80 * 10 * divisor]
    frames_per_vector = 1 if config.mode == "argmax" else 2
    for number, vector in enumerate(scores):
        payload = bytes(int(code) & 0xFF for code in vector)
        script += encode(Frame(Type.RUN_END, number, number * frames_per_vector & 0xFF, payload))
        script.append(256 + (60 if config.mode == "argmax" else 90) * 10 * divisor)
    return script


def simulate(place, verilog, module, ports, config, scores, *options):
    """The frames that a design answers with, in Icarus."""
    divisor = 12_000_000 // BAUD
    script = conversation(config, scores, divisor)
    (place / "script.hex").write_text("\n".join(f"{entry:x}" for entry in script))
    connections = ", ".join(f".\\{pin} ({signal})" for pin, signal in ports.items())
    text = BENCH.replace("MODULE", module).replace("CONNECTIONS", connections)
    text = text.replace("LENGTH", str(len(script))).replace("DIVISOR", str(divisor))
    (place / "bench.v").write_text(text)
    program = place / f"{module}.vvp"
    subprocess.run(
        ["iverilog", "-g2012", "-s", "bench", "-o", program, *options, "bench.v", *verilog],
        cwd=place, check=True, capture_output=True, text=True,
    )  # fmt: skip
    done = subprocess.run(["vvp", "-n", program], cwd=place, check=True, capture_output=True, text=True, timeout=600)
    lines = [line for line in done.stdout.split("\n") if line and "$finish" not in line]
    assert lines[-1] == "end", done.stdout[-500:]
    return list(Decoder().feed(bytes(int(line, 16) for line in lines[:-1])))


def compare(frames, config, scores):
    """Every frame against the protocol, every result against the model."""
    assert all(isinstance(frame, Frame) for frame in frames), frames
    assert frames[0].type == Type.INFO
    info = Info.from_bytes(frames[0].payload)
    assert (info.digest, info.clock_hz) == (config.digest, 12_000_000)
    model = golden(config, scores.astype(np.int64))
    trailers = [Trailer.from_bytes(frame.payload) for frame in frames if frame.type == Type.RESULT_END]
    assert [trailer.index for trailer in trailers] == model.argmax.tolist()
    assert [trailer.score for trailer in trailers] == [code & 0xFF for code in model.best.tolist()]
    assert not any(frame.type == Type.ERROR for frame in frames)
    if config.mode == "softmax":
        results = [list(frame.payload) for frame in frames if frame.type == Type.RESULT]
        assert results == model.probabilities.tolist()
    assert len(set(model.argmax.tolist())) > 2


PORTS = {"clk12_0__io": "clk_pin", "uart_0__rx__io": "rx_pin", "uart_0__tx__io": "tx"}


@needs_icestorm
@needs_icarus
def test_the_verilog_decoded_from_the_bitstream_answers_like_the_model(made):
    place, result, config, scores = made
    subprocess.run(["iceunpack", result.bitstream, place / "top.asc"], check=True, capture_output=True)
    decoded = subprocess.run(
        ["icebox_vlog", "-s", "-p", "top.pcf", "top.asc"], cwd=place, check=True, capture_output=True, text=True
    )
    (place / "decoded.v").write_text(decoded.stdout)
    cells = Path(importlib.util.find_spec("pyosys").submodule_search_locations[0]) / "share" / "ice40" / "cells_sim.v"
    options = ("-DNO_ICE40_DEFAULT_ASSIGNMENTS",)
    compare(simulate(place, ["decoded.v", cells], "chip", PORTS, config, scores, *options), config, scores)


@needs_icarus
def test_the_netlist_after_synthesis_answers_like_the_model(made):
    place, result, config, scores = made
    plan = make_plan(config, result.plan.row, baud=BAUD)
    assert plan.digest == result.plan.digest
    netlist = place / "netlist"
    plan.plan.extract(str(netlist))
    from pyosys import libyosys

    design = libyosys.Design()
    libyosys.run_pass(f"read_rtlil {netlist}/top.il", design)
    libyosys.run_pass(f"tee -q -o {netlist}/log synth_ice40 -top top", design)
    libyosys.run_pass(f"write_verilog -noattr {place}/netlist.v", design)
    cells = Path(importlib.util.find_spec("pyosys").submodule_search_locations[0]) / "share" / "ice40" / "cells_sim.v"
    options = ("-DNO_ICE40_DEFAULT_ASSIGNMENTS",)
    compare(simulate(place, ["netlist.v", cells], "top", PORTS, config, scores, *options), config, scores)
