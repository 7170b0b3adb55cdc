"""What place and route reports: cells, clock, the critical path with its lines of Python, and why a design does not fit."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softstream.boards.flow.fit import FULL
from softstream.boards.gateware.clock import Clock
from softstream.hw.errors import ToolFailure

__all__ = ["BuildReport", "add_seed", "add_source_lines", "depends_on_seed", "read_report", "shortage"]

CELL_NAMES = {
    "ICESTORM_LC": "logic cells",
    "ICESTORM_RAM": "block RAMs",
    "ICESTORM_DSP": "multipliers",
    "ICESTORM_PLL": "PLLs",
    "TRELLIS_COMB": "LUTs and carries",
    "TRELLIS_FF": "flip-flops",
    "TRELLIS_RAMW": "write ports of distributed RAM",
    "DP16KD": "block RAMs",
    "MULT18X18D": "multipliers",
    "EHXPLLL": "PLLs",
    "LUT4": "LUTs",
    "ALU": "carries",
    "DFF": "flip-flops",
    "BSRAM": "block RAMs",
    "RAM16SDP4": "distributed RAMs",
    "MULT18X18": "multipliers",
    "rPLL": "PLLs",
    "CPE_LT": "LUTs",
    "CPE_FF": "flip-flops",
    "RAM_HALF": "block RAMs",
    "PLL": "PLLs",
}
"""Kind of cell in nextpnr's report → its name in ours."""
_INSIDE = "CPE_"
"""Beginning of the kinds of GateMate that take the place of another kind, so that none of them is available."""

_LOGIC = ("logic cells", "LUTs and carries", "LUTs")
_NO_PLACE = re.compile(
    r"unable to (find (a )?(legal )?placement|place cell)|failed to (place|route)|routing .*failed", re.IGNORECASE
)
_NO_PLACE_FOR_A_CELL = re.compile(r"^ERROR: Unable to find legal placement for cell ", re.MULTILINE)
"""What nextpnr's legaliser says after so many attempts for one cell; another seed begins it at other places."""


@dataclass(frozen=True)
class BuildReport:
    """The result of place and route."""

    asked_mhz: float
    reached_mhz: float
    used: Mapping[str, tuple[int, int]]
    """Kind of cell → used, available."""
    path_ns: float
    path: tuple[str, ...]
    """The critical path: the lines of Python that it runs through, in order; its nets where no line is known."""
    start: str
    """Cell that the critical path starts from."""
    end: str
    seed: int | None = None
    """Seed of place and route; None for nextpnr's own."""

    @property
    def met(self) -> bool:
        """Whether the clock is reached."""
        return self.reached_mhz >= self.asked_mhz


def read_report(content: bytes, clock: Clock) -> BuildReport:
    """nextpnr's JSON report. Raises `ToolFailure` for one without a clock and for one that is no such report."""
    try:
        document = json.loads(content)
        if not isinstance(document, dict):
            raise TypeError
        if not document.get("fmax"):
            raise ToolFailure("place and route reports no clock: the design was optimised away")
        return _report(document, clock)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ToolFailure("the report of place and route has another form than that of the pinned nextpnr") from None


def _report(document: Mapping[str, Any], clock: Clock) -> BuildReport:
    name, slowest = min(document["fmax"].items(), key=lambda item: item[1]["achieved"])
    edge = f"posedge {name}"
    paths = [entry["path"] for entry in document["critical_paths"] if entry["from"] == edge and entry["to"] == edge]
    steps = paths[0] if paths else []
    sources = [source for step in steps for source in step.get("sources", ()) if re.search(r"\.py:\d+$", source)]
    own = [source for source in sources if source.startswith("softstream/")]
    nets = [step["net"] for step in steps if step["type"] == "routing" and step["delay"] > 0]
    used = {
        CELL_NAMES[kind]: (int(cell["used"]), int(cell["available"]))
        for kind, cell in document["utilization"].items()
        if kind in CELL_NAMES and cell["used"]
    }
    return BuildReport(
        asked_mhz=round(clock.hz / 1e6, 3),
        reached_mhz=round(slowest["achieved"], 2),
        used=used,
        path_ns=round(sum(step["delay"] for step in steps), 2),
        path=tuple(dict.fromkeys(own or sources or nets)),
        start=steps[0]["from"]["cell"] if steps else "",
        end=steps[-1]["to"]["cell"] if steps else "",
        seed=document.get("seed"),
    )


def add_seed(report_path: Path, seed: int) -> None:
    """Adds to a report the seed that its run was given, as nextpnr does not. `read_report` refuses what is no report."""
    with contextlib.suppress(ValueError, TypeError):
        report = json.loads(report_path.read_text(encoding="utf-8"))
        report_path.write_text(json.dumps({**report, "seed": seed}), encoding="utf-8")


def add_source_lines(report_path: Path, netlist_path: Path, top: str) -> None:
    """Adds to a report the lines of Python that synthesis lost.

    Synthesis names a net of its own after a signal: `a.b_SB_LUT4_I0_O` after `a.b`, whose line the netlist has. The line of a
    signal from a library is that of another name of the same net. `read_report` refuses a report of another form; here it stays.
    """
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        _add_source_lines(report_path, netlist_path, top)


def _add_source_lines(report_path: Path, netlist_path: Path, top: str) -> None:
    report = json.loads(report_path.read_text(encoding="utf-8"))
    modules = json.loads(netlist_path.read_text(encoding="utf-8")).get("modules", {})
    signals = modules.get(top, {}).get("netnames", {})
    lines = {name: entry.get("attributes", {}).get("src", "").partition("|")[0] for name, entry in signals.items()}
    ours = {name: line for name, line in lines.items() if line.startswith("softstream/")}
    line_of_bit = {bit: line for name, line in ours.items() for bit in signals[name]["bits"]}
    for path in report.get("critical_paths", ()):
        for step in path["path"]:
            name = step.get("net", "").partition("[")[0]
            while name:
                bits = signals[name]["bits"] if name in signals else ()
                line = ours.get(name) or next((line_of_bit[bit] for bit in bits if bit in line_of_bit), None)
                if line is not None:
                    step["sources"] = [line, *step.get("sources", ())]
                    break
                name = name.rpartition("_")[0]
    report_path.write_text(json.dumps(report), encoding="utf-8")


def depends_on_seed(packing_log: str, tool_log: str) -> bool:
    """Whether place and route failed in a way that another seed can mend: no legal place for one cell, on a part with room.

    A part that is fuller than `FULL` takes minutes to fail with each seed.
    """
    room = all(used <= FULL * available for name, (used, available) in _counts(packing_log).items() if name in _LOGIC)
    return room and bool(_NO_PLACE_FOR_A_CELL.search(tool_log))


def _counts(packing_log: str) -> dict[str, tuple[int, int]]:
    """Kind of cell → used, available, as counted after packing."""
    return {
        CELL_NAMES.get(kind, kind): (int(used), int(available))
        for kind, used, available in re.findall(r"^Info:\s+(\w+): *(\d+)/ *(\d+) ", packing_log, re.MULTILINE)
    }


def shortage(packing_log: str, tool_log: str) -> str:
    """Why a design does not fit, in words; empty if another reason made place and route fail.

    Place and route writes no report for a design that does not fit; its log has the cells that it counted after packing.
    """
    counts = _counts(packing_log)
    over = [
        f"needs {used} {name}, the part has {available}, {used - available} are missing"
        for name, (used, available) in counts.items()
        if used > available and (available or not name.startswith(_INSIDE))
    ]
    if over or not _NO_PLACE.search(tool_log):
        return ", ".join(over)
    full = [
        f"{used} of {available} {name} ({100 * used // available} %)"
        for name, (used, available) in counts.items()
        if name in (*_LOGIC, "block RAMs") and used
    ]
    return f"place and route found no place for all cells, it takes {' and '.join(full) or 'too much of the part'}"
