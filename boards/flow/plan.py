"""The build plan of a board: the files of the build and the script that runs the tools. It comes from Amaranth and needs no tool.

    plan = make_plan(config, board("icebreaker"))
    plan.digest, plan.archive()

A plan names no place of the machine that made it, so its digest is the same on every machine.
"""

from __future__ import annotations

import io
import os
import re
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from softstream.boards.flow.fit import check_clock, check_fit
from softstream.boards.gateware.clock import Clock, choose
from softstream.boards.registry import Board
from softstream.boards.tools.parts import part as find_part
from softstream.hw.config.config import Config
from softstream.hw.verilog.isolation import pinned_tools

if TYPE_CHECKING:
    from amaranth.build.run import BuildPlan

__all__ = ["TOP", "BoardPlan", "make_plan", "portable"]

TOP = "top"
"""Name of the design's top, and of its files."""
_ARCHIVE_DATE = (1980, 1, 1, 0, 0, 0)
_ROOMS = ("hw", "boards")
"""Packages of softstream that a design's lines come from. Each may lie in a folder of its own."""


@dataclass(frozen=True)
class BoardPlan:
    """A build before it runs."""

    row: Board
    config: Config
    clock: Clock
    baud: int
    demo: bool
    plan: BuildPlan

    @property
    def digest(self) -> str:
        """Identity of the plan: 32 hexadecimal digits."""
        return self.plan.digest(16).hex()

    def archive(self) -> bytes:
        """The plan as a zip file, the same bytes for the same plan."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in sorted(self.plan.files):
                entry = zipfile.ZipInfo(name, _ARCHIVE_DATE)
                entry.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
                archive.writestr(entry, self.plan.files[name])
        return buffer.getvalue()


def make_plan(
    config: Config,
    row: Board,
    *,
    clock_hz: float | None = None,
    baud: int | None = None,
    demo: Sequence[Sequence[int]] | None = None,
) -> BoardPlan:
    """The build plan. With `demo` the board plays those vectors and has no link.

    Raises `UserError` for a configuration that does not fit, a clock that the board cannot make and a rate that it cannot meet.
    """
    from amaranth.hdl import UnusedElaboratable

    from softstream.boards.gateware.top import BoardTop

    check_fit(config, row, link=demo is None)
    check_clock(config, row, clock_hz)
    clock = choose(row, clock_hz)
    rate = row.baud if baud is None else baud
    options = dict(row.options)
    if row.measured:  # the synthesis whose cells were measured
        options["synth_opts"] = find_part(row.part).synthesis_options
    if not row.vendor:
        # The plans of these have no constraint file for the clock.
        target = f"--freq {clock.hz / 1e6:g} " if row.toolchain in ("gowin", "gatemate") else ""
        options["nextpnr_opts"] = f"{target}--report report.json"
    with pinned_tools(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        top = BoardTop(config, row, clock, baud=rate, demo=demo)
        # A vendor's plan leaves this machine, and a person has no use for our lines there.
        plan = row.make_platform().build(top, name=TOP, do_build=False, emit_src=not row.vendor, **options)
    if not row.vendor:
        netlist = plan.files[f"{TOP}.il"]
        plan.files[f"{TOP}.il"] = portable(netlist if isinstance(netlist, str) else netlist.decode())
    return BoardPlan(row, config, clock, rate, demo is not None, plan)


def portable(rtlil: str) -> str:
    """The same RTLIL with its source files named by package instead of by their place on this machine."""
    names = {}

    def renamed(attribute: re.Match[str]) -> str:
        sources = []
        for source in attribute[2].split("|"):
            path, _, line = source.rpartition(":")
            if os.path.isabs(path):
                if path not in names:
                    names[path] = _portable_name(path)
                source = f"{names[path]}:{line}"
            sources.append(source)
        return f'{attribute[1]}"{"|".join(sources)}"'

    return re.sub(r'(attribute \\src )"([^"\n]*)"', renamed, rtlil)


def _portable_name(path: str) -> str:
    """`softstream/hw/head.py`, `amaranth/lib/data.py`: the file within its outermost package, wherever that is installed."""
    for room in _ROOMS:
        spec = util.find_spec(f"softstream.{room}")
        for folder in (spec.submodule_search_locations if spec else None) or ():
            if path.startswith(f"{folder}{os.sep}"):
                return Path("softstream", room, os.path.relpath(path, folder)).as_posix()
    package = Path(path).parent
    while (package / "__init__.py").is_file():
        package = package.parent
    return Path(path).relative_to(package).as_posix()
