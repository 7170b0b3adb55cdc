"""Other people's Verilog front ends: each reads a text and returns what it complains about."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from softstream.sim.simulators import toolbox

__all__ = ["icarus", "icarus_run", "slang", "verible", "verilator", "yosys"]


def _output(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else f"{done.stdout}\nexit code {done.returncode}"


def icarus(text: str, folder: Path, *options: str) -> str:
    """What `iverilog -Wall` says of a text; skips the test where Icarus is not installed."""
    program = shutil.which("iverilog")
    if program is None:
        pytest.skip("needs iverilog")
    (folder / "text.v").write_text(text)
    return _output([program, "-g2005", "-Wall", "-t", "null", *options, "text.v"], folder)


def icarus_run(text: str, folder: Path, top: str = "") -> str:
    """What a testbench prints in Icarus, from `top` or all roots; skips the test where Icarus is not installed."""
    said = icarus(text, folder)
    assert said == "", said
    compiled = _output(["iverilog", "-g2005", *(["-s", top] if top else []), "-o", "text.vvp", "text.v"], folder)
    return compiled or _output(["vvp", "-n", "text.vvp"], folder)


def verilator(text: str, folder: Path, *options: str) -> str:
    """What `verilator --lint-only` says of a text, without its report of times."""
    tool = toolbox.verilator()
    (folder / "text.v").write_text(text)
    command = [str(tool.program), "--lint-only", *options, "text.v"]
    lines = _output(command, folder, VERILATOR_ROOT=str(tool.root)).splitlines()
    return "\n".join(line for line in lines if not line.startswith("- "))


def yosys(text: str, folder: Path) -> str:
    """What Yosys says against a text that it reads and elaborates."""
    (folder / "text.v").write_text(text)
    program = (
        "from pyosys import libyosys as y; d = y.Design()\n"
        "for c in ('tee -q read_verilog text.v', 'tee -q hierarchy -check'): y.run_pass(c, d)"
    )
    lines = _output([sys.executable, "-c", program], folder).splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.startswith("-- "))


_SLANG = """
import sys
from pyslang import DiagnosticEngine
from pyslang.driver import Driver

driver = Driver()
driver.addStandardArgs()
assert driver.parseCommandLine(" ".join(["slang", *sys.argv[1:]])) and driver.processOptions()
if not driver.parseAllSources():
    sys.exit("the text does not parse")
compilation = driver.createCompilation()
# The analysis comes after the other diagnostics, as in the program: it sees what is never read, and what has two drivers.
complaints = list(compilation.getAllDiagnostics())
analysis = driver.runAnalysis(compilation)
complaints += analysis.getDiagnostics()
print(end=DiagnosticEngine.reportAll(driver.sourceManager, complaints))
"""


def slang(text: str, folder: Path, *options: str) -> str:
    """What slang says of a text after elaboration and analysis; skips the test where pyslang is not installed.

    It has a process of its own, because its library crashed in one that had loaded those of other tests.
    """
    if importlib.util.find_spec("pyslang") is None:
        pytest.skip("pyslang is not installed")
    (folder / "text.v").write_text(text)
    return _output([sys.executable, "-c", _SLANG, *options, "text.v"], folder)


def verible(text: str, folder: Path) -> str:
    """What Verible's parser says of a text; skips the test where verible is not installed."""
    program = shutil.which("verible-verilog-syntax", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("verible is not installed")
    (folder / "text.v").write_text(text)
    return _output([program, "text.v"], folder)
