"""The FPGAs that a head is measured on, one row each.

A part is everything that a measurement depends on besides the Verilog: the synthesis command, the arguments of place
and route, and what the cells of the fabric are called. Adding a part is adding a row to `PARTS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from softstream.hw.config.config import nearest
from softstream.hw.errors import UserError

__all__ = ["PARTS", "Cell", "Limit", "Part", "part"]

Group = Literal["logic", "registers", "memory", "multipliers"]


@dataclass(frozen=True)
class Cell:
    """One kind of cell, and what of it is counted.

    `placed` is its name in the report of place and route: exact after packing, with the number that the part has.
    `netlist` are the cell types of the synthesised netlist that are summed instead, for what packing hides inside
    another cell (an iCE40 logic cell holds a LUT, a carry and a flip-flop).
    """

    name: str
    meaning: str
    group: Group | None = None
    """The group that this cell stands for where parts are compared, or None where another cell already does."""
    placed: str | None = None
    netlist: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limit:
    """A clock that the data sheet states as the most, whatever a register-to-register path would allow."""

    mhz: int
    source: str
    cell: str | None = None
    """The kind of cell that it is stated for, by its name in the part's row; None where it is the clock network's."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One FPGA in one package and speed grade, and how it is measured, always out of context (without IO cells)."""

    name: str
    title: str
    family: Literal["ice40", "ecp5"]
    synthesis: str
    """The yosys command, without `-top` and `-json`."""
    arguments: tuple[str, ...]
    """Arguments of nextpnr that choose the part."""
    target_mhz: int
    """What place and route is asked for: above what a head reaches, so that it never stops trying early."""
    cells: tuple[Cell, ...]
    keep_ports: bool
    """Whether nextpnr can leave the ports of the top alone (`--out-of-context`). Otherwise every port but the clock is
    taken off the netlist first: no IO cell is placed, and no pad pulls the logic towards the edge."""
    limits: tuple[Limit, ...]

    @property
    def block_bits(self) -> int:
        """Bits of a block RAM."""
        return {"ice40": 4096, "ecp5": 18432}[self.family]

    @property
    def package(self) -> str:
        """The package of the Python package index that places this family."""
        return f"yowasp-nextpnr-{self.family}"

    def limit(self, cells: Mapping[str, int]) -> Limit:
        """The lowest of the limits that hold for a design with these cells, by kind."""
        return min(
            (limit for limit in self.limits if limit.cell is None or cells.get(limit.cell)), key=lambda limit: limit.mhz
        )

    @property
    def synthesis_options(self) -> str:
        """The options of the synthesis command, for flows that bring the command's name themselves."""
        return self.synthesis.partition(" ")[2]

    def cell(self, group: Group) -> Cell | None:
        """The cell that stands for `group`, or None where the part has none."""
        return next((cell for cell in self.cells if cell.group == group), None)


_ICE40_CELLS = (
    Cell("LC", "logic cells (LUT, carry and flip-flop)", "logic", placed="ICESTORM_LC"),
    Cell("LUT4", "… their LUTs in use", netlist=("SB_LUT4",)),
    Cell("CARRY", "… their carries in use", netlist=("SB_CARRY",)),
    Cell("DFF", "… their flip-flops in use", "registers", netlist=("SB_DFF*",)),
    Cell("RAM4K", "block RAMs of 4 Kbit", "memory", placed="ICESTORM_RAM"),
)

_ECP5_CELLS = (
    Cell("COMB", "combinational cells (LUT or carry)", "logic", placed="TRELLIS_COMB"),
    Cell("FF", "flip-flops", "registers", placed="TRELLIS_FF"),
    Cell("RAMW", "write ports of distributed RAM", placed="TRELLIS_RAMW"),
    Cell("DP16KD", "block RAMs of 18 Kbit", "memory", placed="DP16KD"),
    Cell("MULT18", "18 × 18 multipliers", "multipliers", placed="MULT18X18D"),
)

_HX_SHEET = "iCE40 LP/HX family data sheet (FPGA-DS-02029)"
# Its 50 MHz of a multiplier are of one without its pipeline register, which synthesis uses.
_UP_SHEET = "iCE40 UltraPlus family data sheet (FPGA-DS-02008)"
# Its table of block RAM and multipliers is of the fastest grade alone: a slower grade is at most as fast.
_ECP5_SHEET = "ECP5 family data sheet (FPGA-DS-02012), speed 8, the fastest grade"

PARTS: dict[str, Part] = {
    row.name: row
    for row in (
        Part(
            name="hx8k",
            title="Lattice iCE40 HX8K (CT256)",
            family="ice40",
            synthesis="synth_ice40 -device hx",
            arguments=("--hx8k", "--package", "ct256"),
            target_mhz=350,
            cells=_ICE40_CELLS,
            keep_ports=False,
            limits=(
                Limit(275, f"global buffer clock network, {_HX_SHEET}"),
                Limit(403, f"256 × 16 block RAM, {_HX_SHEET}", "RAM4K"),
            ),
        ),
        Part(
            name="up5k",
            title="Lattice iCE40 UltraPlus 5K (SG48)",
            family="ice40",
            synthesis="synth_ice40 -device u -dsp",  # without -dsp its multipliers stay idle
            arguments=("--up5k", "--package", "sg48"),
            target_mhz=120,
            cells=(
                *_ICE40_CELLS,
                Cell("MAC16", "16 × 16 multiplier-accumulators", "multipliers", placed="ICESTORM_DSP"),
            ),
            keep_ports=False,
            limits=(
                Limit(185, f"global buffer clock network, {_UP_SHEET}"),
                Limit(150, f"256 × 16 block RAM, {_UP_SHEET}", "RAM4K"),
            ),
        ),
        Part(
            name="ecp5-25k",
            title="Lattice ECP5 LFE5U-25F, speed 6 (CABGA381)",
            family="ecp5",
            synthesis="synth_ecp5 -nowidelut",
            arguments=("--25k", "--package", "CABGA381", "--speed", "6"),
            target_mhz=350,
            cells=_ECP5_CELLS,
            keep_ports=True,
            limits=(
                Limit(370, f"primary clock tree, {_ECP5_SHEET}"),
                Limit(272, f"block RAM with output registers, {_ECP5_SHEET}", "DP16KD"),
                Limit(225, f"18 × 18 multiplier with all registers, {_ECP5_SHEET}", "MULT18"),
            ),
        ),
    )
}


def part(name: str) -> Part:
    """The row of `PARTS` called `name`. Raises `UserError` naming the nearest where there is none."""
    if name not in PARTS:
        known = ", ".join(PARTS)
        raise UserError(f"unknown part '{name}'{nearest(name, tuple(PARTS))}: must be one of {known}; for example hx8k")
    return PARTS[name]
