"""The FuseSoC core: FuseSoC runs its targets, and the simulation fails where the head differs from the model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.generated_files import NAME, generated, head

from softstream.hw.config.config import Config
from softstream.scripts.emit import artefact_files
from softstream.scripts.emit.fusesoc import core_name, files
from softstream.sim.simulators.toolbox import installed_simulators, verilator

SMALL = Config(mode="argmax", max_length=8)

# A program `yosys` that runs a Tcl script. The Yosys of the Python package has no Tcl of its own, so Python's calls its passes.
YOSYS = """\
import sys
import tkinter
from pyosys import libyosys

script = sys.argv[sys.argv.index("-p") + 1]
tcl = tkinter.Tcl()
tcl.createcommand("run_pass", lambda *words: libyosys.run_pass(" ".join(words)))
tcl.eval("proc unknown args {run_pass {*}$args}; proc yosys args {if {$args ne {-import}} {run_pass {*}$args}}")
tcl.eval(f"source {script.split()[1]}")
"""


@pytest.mark.interop
def test_every_file_of_the_core_is_written() -> None:
    import yaml

    core = yaml.safe_load(files(head(SMALL))[f"{NAME}.core"].removeprefix("CAPI=2:"))
    named = [
        next(iter(file)) if isinstance(file, dict) else file
        for entry in core["filesets"].values()
        for file in entry["files"]
    ]
    written = {file for group in artefact_files(head(SMALL), ["fusesoc"]).values() for file in group}
    assert sorted(named) == sorted({f"{NAME}.v", *written} - {f"{NAME}.core"})
    assert set(core["targets"]) == {"default", "lint", "sim", "synth"}


def run(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    """FuseSoC's target, with the tools of the Python packages on the path."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    root = verilator().root
    scripts = {
        "verilator": f'#!/bin/sh\nVERILATOR_ROOT="{root}" exec "{verilator().program}" "$@"\n',
        "yosys": f"#!{sys.executable}\n{YOSYS}",
    }
    for name, text in scripts.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(folder),
        "HOME": str(folder),
    }
    command = [sys.executable, "-c", "from fusesoc.main import main; main()", "--cores-root", "."]
    command += ["run", f"--target={target}", core_name(head(SMALL))]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.interop
def test_lint(tmp_path: Path) -> None:
    done = run(generated(tmp_path, SMALL, ["fusesoc"]), "lint")
    assert (done.returncode, "verilator -f" in done.stdout + done.stderr) == (0, True), done.stderr
    verilog = tmp_path / f"{NAME}.v"
    verilog.write_text(verilog.read_text(encoding="utf-8").replace("endmodule", "", 1), encoding="utf-8")
    assert run(tmp_path, "lint").returncode != 0


@pytest.mark.interop
def test_sim(tmp_path: Path) -> None:
    if "icarus" not in installed_simulators():
        pytest.skip("icarus is not installed")
    done = run(generated(tmp_path, SMALL, ["fusesoc"]), "sim")
    assert (done.returncode, "PASS: " in done.stdout + done.stderr) == (0, True), done.stderr
    beats = tmp_path / f"{NAME}_tb_m_axis.hex"
    first, rest = beats.read_text(encoding="ascii").split("\n", 1)
    beats.write_text(f"{int(first, 16) ^ 1:0{len(first)}x}\n{rest}", encoding="ascii")
    done = run(tmp_path, "sim")
    assert (done.returncode != 0, "FAIL: m_axis: wrong beat, beat 0" in done.stdout + done.stderr) == (True, True)


@pytest.mark.interop
def test_synth(tmp_path: Path) -> None:
    pytest.importorskip("tkinter", reason="this Python has no Tcl")
    done = run(generated(tmp_path, SMALL, ["fusesoc"]), "synth")
    assert done.returncode == 0, done.stdout + done.stderr
    [netlist] = (tmp_path / "build").rglob("*.json")
    assert '"SB_LUT4"' in netlist.read_text(encoding="utf-8")
