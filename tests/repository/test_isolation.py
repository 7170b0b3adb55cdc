"""No tool on PATH and no variable of the environment changes a byte of what softstream generates."""

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import hashlib
from softstream.boards.flow.plan import make_plan
from softstream.boards.registry import board
from softstream.hw.config.presets import PRESETS
from softstream.hw.verilog import synthesis_verilog, verilog

config = PRESETS["argmax-int8-small"]
texts = {
    "verilog": verilog(config),
    "text for measurements": synthesis_verilog(config),
    "iCE40 plan": make_plan(config, board("icestick")).digest,
    "Vivado plan": make_plan(config, board("arty-a7-35")).digest,
}
for name, text in texts.items():
    print(name, hashlib.sha256(text.encode()).hexdigest())
"""


def hashes(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_foreign_tools_and_variables_change_nothing(tmp_path: Path) -> None:
    """A `yosys` on PATH that says it is a suitable one, and the variables that Amaranth and its platforms read."""
    used = tmp_path / "used"
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("yosys", "yosys-config", "nextpnr-ice40", "icepack", "iverilog", "verilator", "vivado"):
        program = tools / name
        program.write_text(f'#!/bin/sh\necho "$0 $*" >> {used}\necho "Yosys 0.99+1 (foreign)"\n')
        program.chmod(0o755)
    foreign = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "YOSYS": str(tools / "yosys"),
        "NEXTPNR_ICE40": str(tools / "nextpnr-ice40"),
        "VERILATOR_ROOT": str(tmp_path),
        "AMARANTH_USE_YOSYS": "system",
        "AMARANTH_YOSYS": str(tools / "yosys"),
        "AMARANTH_VERBOSE": "1",
        "AMARANTH_SYNTH_OPTS": "-noabc",
        "AMARANTH_NEXTPNR_OPTS": "--seed 7",
        "AMARANTH_ADD_CONSTRAINTS": "set_io nothing A1",
        "AMARANTH_READ_VERILOG_OPTS": "-sv",
        "AMARANTH_SCRIPT_AFTER_SYNTH": "exit",
    }
    clean = hashes()
    assert len(clean) == 4
    assert hashes(**foreign) == clean
    assert not used.exists(), used.read_text()
