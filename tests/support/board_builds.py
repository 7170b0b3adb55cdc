"""The boards that tests build, with their configurations; the registry agrees on each."""

import json
import subprocess
import sys

import numpy as np

from softstream.boards.flow.simulation import BOARD
from softstream.hw.config.presets import preset
from softstream.sim.data import DIGITS_SCORES
from softstream.sim.simulators.board import SimulatedBoard

__all__ = [
    "ARGMAX",
    "BUILT",
    "CASES",
    "CLOCKS_PER_BIT",
    "FAMILIES",
    "GATEMATE",
    "OTHERS",
    "SOFTMAX",
    "answers_like_the_model",
]

ARGMAX = preset("digits-argmax")
# One per family: iCE40 HX and UP, ECP5, Gowin. The first bytes of what each part loads.
FAMILIES = {
    "icestick": b"\xff\x00\x00\xff\x7e\xaa\x99\x7e",
    "icebreaker": b"\xff\x00\x00\xff\x7e\xaa\x99\x7e",
    "ulx3s-12f": b"\xff\x00",
    "tang-nano-9k": b"1111",
}
# The others of which the registry says that they were built. One with the memories that a softmax head has: the part's are
# what place and route has trouble with (boards/tools/gowin.py).
OTHERS = {
    "hx8k-evn": ARGMAX,
    "upduino-v3": ARGMAX,
    "ulx3s-85f": ARGMAX,
    "orangecrab": ARGMAX,
    "ecpix5": ARGMAX,
    "colorlight-5a75b": ARGMAX,
    "colorlight-i5": ARGMAX,
    "icesugar": ARGMAX,
    "icesugar-nano": ARGMAX,
    "tinyfpga-bx": ARGMAX,
    "icesugar-pro": ARGMAX,
    "icepi-zero": ARGMAX,
    "tang-nano-20k": preset("digits-softmax"),
    "tang-primer-20k": ARGMAX,
    "tang-nano-1k": ARGMAX,
    "tang-nano-4k": preset("digits-softmax"),
    "fomu": ARGMAX,
    "colorlight-i9": ARGMAX,
}
GATEMATE = "gatemate-evb"
"""The board whose place and route is in an extra of its own: tests/boards/tools/test_gatemate.py builds it."""
BUILT = (*FAMILIES, *OTHERS, GATEMATE)
"""Boards whose bitstream is built."""
SOFTMAX = preset("digits-softmax")
# Seconds of one core with empty caches: the bitstream, then what was synthesised and what is decoded, each built for Verilator
# and run.
CASES = {
    "icestick": preset("digits-argmax"),  # 55, Verilator's library included
    "hx8k-evn": SOFTMAX,  # 94
    "icebreaker": SOFTMAX.replace(profile="small"),  # 78
}
"""Boards whose bitstream is decoded and simulated, with the head of each."""

CLOCKS_PER_BIT = 8
"""Of the link of a simulated board: fewer are a shorter wait."""
_DIGITS = 40


def answers_like_the_model(place, plan, verilog):
    """The host program's own verdict, over the pins of the design."""
    config = plan.config
    scores = np.load(DIGITS_SCORES)[:_DIGITS]
    np.save(place / "scores.npy", scores)
    (place / "config.toml").write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in config.to_mapping().items()))
    with SimulatedBoard(verilog, BOARD, divisor=CLOCKS_PER_BIT) as simulated:
        options = ["--port", simulated.port, "--config", "config.toml", "--scores", "scores.npy", "--timeout", "30"]
        command = [sys.executable, "-m", "softstream", "run-on-board", *options, "--vectors", "20", "--json"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["passed"], report["mismatches"], report["clock_hz"]) == (True, [], plan.clock.hz)
    assert report["digest"] == config.digest
    vectors = {group["name"]: group["vectors"] for group in report["groups"]}
    assert (vectors["random"], vectors["given"]) == (20, _DIGITS)
    assert vectors["corner"] > 20
    assert all(row["measured"] == row["planned"] for row in report["first_result_cycles"])
