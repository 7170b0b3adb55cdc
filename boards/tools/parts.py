"""The FPGAs that a head is measured on, one row each.

`PARTS` are placed, and figures of them are checked in; of `LARGER` these are rows of the benchmark alone. `UNRECORDED` are placed
too, without checked-in figures. Of `CELLS_ONLY` cells are counted. A part is everything that a measurement depends on besides the
Verilog: the synthesis command, the arguments of place and route, and what the cells of the fabric are called. Adding a part is
adding a row to one of the tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from softstream.hw.config.config import Config, nearest
from softstream.hw.errors import UserError

__all__ = [
    "BENCH_PARTS",
    "CELLS_ONLY",
    "LARGER",
    "PARTS",
    "UNRECORDED",
    "Cell",
    "ClockCell",
    "Limit",
    "Part",
    "head_on",
    "part",
    "part_of_any_kind",
]

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


@dataclass(frozen=True)
class ClockCell:
    """The cell that drives the clock, where place and route takes no clock from a bare port."""

    kind: str
    output: str
    input: str
    """The port behind the pin of the clock, or that enables an oscillator."""
    one: str = ""
    """The cell that drives the enable of an oscillator; empty where `input` is behind a pin."""
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """One FPGA in one package and speed grade, and how it is measured, always out of context (without IO cells)."""

    name: str
    title: str
    family: Literal["ice40", "ecp5", "xilinx", "cyclonev", "nexus", "gatemate", "gowin", "machxo2"]
    synthesis: str
    """The yosys command, without `-top` and `-json`."""
    arguments: tuple[str, ...] = ()
    """Arguments of nextpnr that choose the part."""
    target_mhz: int = 0
    """What place and route is asked for: above what a head reaches, so that it never stops trying early."""
    cells: tuple[Cell, ...]
    keep_ports: bool = True
    """Whether nextpnr can leave the ports of the top alone (`--out-of-context`). Otherwise every port but the clock is
    taken off the netlist first: no IO cell is placed, and no pad pulls the logic towards the edge."""
    moves_registers: bool = True
    """ECP5: whether the registers behind block RAMs and multipliers move into them after synthesis (`hard_registers`)."""
    clock: ClockCell | None = None
    """The cell in front of the clock, for parts without `keep_ports` that need one."""
    constraints: tuple[tuple[str, str], ...] = ()
    """Name and text of the files that the arguments name."""
    limits: tuple[Limit, ...] = ()
    """Empty where no data sheet is read."""
    no_clock: str = ""
    """Why the part has no clock here; empty where place and route measures one."""

    @property
    def profile(self) -> Literal["fast", "fastest"]:
        """The profile that suits the fabric: an iCE40 spends a logic cell on each register that follows no LUT."""
        return "fast" if self.family == "ice40" else "fastest"

    @property
    def block_bits(self) -> int:
        """Bits of a block RAM."""
        return {"ice40": 4096, "ecp5": 18432}[self.family]

    @property
    def package(self) -> str:
        """The package of the Python package index that places this family."""
        return f"yowasp-nextpnr-{self.nextpnr}"

    @property
    def nextpnr(self) -> str:
        """The variant of nextpnr that places this family, as its program is called."""
        return f"himbaechel-{self.family}" if self.family in ("gatemate", "gowin") else self.family

    @property
    def packs(self) -> bool:
        """Whether cells are counted after packing, which needs place and route."""
        return any(cell.placed for cell in self.cells)

    def limit(self, cells: Mapping[str, int]) -> Limit | None:
        """The lowest of the limits that hold for a design with these cells, by kind; None where the row has no limits."""
        limits = (limit for limit in self.limits if limit.cell is None or cells.get(limit.cell))
        return min(limits, key=lambda limit: limit.mhz, default=None)

    def usable(self, mhz: float, cells: Mapping[str, int]) -> float:
        """A clock of place and route, or the limit of a design with these cells where that is lower."""
        limit = self.limit(cells)
        return mhz if limit is None else min(mhz, limit.mhz)

    def method(self) -> str:
        """How the part is measured, for the pages: the commands of synthesis and of place and route."""
        if self.no_clock:
            return f"{self.synthesis}; no place and route, because {self.no_clock}"
        return f"{self.synthesis}; nextpnr-{self.nextpnr} {' '.join(self.arguments)} --freq {self.target_mhz}"

    @property
    def synthesis_options(self) -> str:
        """The options of the synthesis command, for flows that bring the command's name themselves."""
        return self.synthesis.partition(" ")[2]

    @property
    def counted(self) -> list[str]:
        """The kinds of cells that hold no other kind, and are not inside one."""
        return [cell.name for cell in self.cells if cell.placed or not self.packs]

    def cell(self, group: Group) -> Cell | None:
        """The cell that stands for `group`, or None where the part has none."""
        return next((cell for cell in self.cells if cell.group == group), None)


def head_on(config: Config, part: Part) -> Config:
    """The configuration with the profile of the part, where its profile is the default, as if nobody had named one.

    The measurements of presets are of these heads, and so are the choices of `--part`, which go by the measurements.
    """
    return config if config.profile != Config().profile else config.replace(profile=part.profile)


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

_NO_FLOW = "the Python package index has no place and route for it"

_MACHXO_CELLS = (
    Cell("LUT4", "LUTs of 4 inputs", "logic", netlist=("LUT4",)),
    Cell("CCU2D", "carry cells of 2 bits", netlist=("CCU2D",)),
    Cell("MUX", "multiplexers behind LUTs", netlist=("PFUMX", "L6MUX21")),
    Cell("FF", "flip-flops", "registers", netlist=("TRELLIS_FF",)),
    Cell("DPR16X4", "distributed RAMs", netlist=("TRELLIS_DPR16X4",)),
    Cell("DP8KC", "block RAMs of 9 Kbit", "memory", netlist=("DP8KC", "PDPW8KC")),
)

_XILINX_CELLS = (
    Cell("LUT", "LUTs of up to 6 inputs", "logic", netlist=("LUT[1-6]", "INV")),
    Cell("CARRY", "carry chains of 4 or 8 bits", netlist=("CARRY[48]",)),
    Cell("MUX", "multiplexers behind LUTs", netlist=("MUXF[789]",)),
    Cell("FF", "flip-flops", "registers", netlist=("FD[RSCP]E",)),
    Cell("SRL", "shift registers in LUTs", netlist=("SRL*",)),
    Cell("LUTRAM", "distributed RAMs, of several LUTs each", netlist=("RAM32*", "RAM64*", "RAM128*", "RAM256*")),
    Cell("RAMB18", "block RAMs of 18 Kbit", "memory", netlist=("RAMB18*",)),
    Cell("RAMB36", "block RAMs of 36 Kbit", netlist=("RAMB36*",)),
    Cell("DSP48", "multiplier-accumulators", "multipliers", netlist=("DSP48*",)),
)

CELLS_ONLY: dict[str, Part] = {
    row.name: row
    for row in (
        Part(
            name="xc7a35t",
            title="AMD Artix-7 XC7A35T",
            family="xilinx",
            synthesis="synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
            cells=_XILINX_CELLS,
            no_clock=_NO_FLOW,
        ),
        Part(
            name="xcku5p",
            title="AMD Kintex UltraScale+ XCKU5P",
            family="xilinx",
            synthesis="synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
            cells=_XILINX_CELLS,
            no_clock=_NO_FLOW,
        ),
        Part(
            name="5cseba6",
            title="Intel Cyclone V 5CSEBA6",
            family="cyclonev",
            synthesis="synth_intel_alm -family cyclonev",
            cells=(
                Cell(
                    "ALUT", "LUTs of up to 6 inputs, two to an ALM", "logic", netlist=("MISTRAL_ALUT*", "MISTRAL_NOT")
                ),
                Cell("FF", "flip-flops", "registers", netlist=("MISTRAL_FF",)),
                Cell("MLAB", "distributed RAMs", netlist=("MISTRAL_MLAB",)),
                Cell("M10K", "block RAMs of 10 Kbit", "memory", netlist=("MISTRAL_M10K",)),
                Cell("MUL", "multipliers", "multipliers", netlist=("MISTRAL_MUL*",)),
            ),
            no_clock=_NO_FLOW,
        ),
        Part(
            name="lcmxo2-7000",
            title="Lattice MachXO2 LCMXO2-7000",
            family="machxo2",
            synthesis="synth_lattice -family xo2",
            cells=_MACHXO_CELLS,
            no_clock="place and route of the Python package index has no LCMXO2-7000",
        ),
    )
}
"""Parts whose cells Yosys' synthesis counts, before packing. None of them says whether a head fits."""

UNRECORDED: dict[str, Part] = {
    row.name: row
    for row in (
        Part(
            name="lifcl-40",
            title="Lattice CrossLink-NX LIFCL-40 (Nexus)",
            family="nexus",
            synthesis="synth_nexus -family lifcl -noiopad",
            arguments=("--device", "LIFCL-40-9BG400C"),
            target_mhz=300,
            keep_ports=False,
            clock=ClockCell("OSCA", "HFCLKOUT", "HFOUTEN", "VHI", (("HF_CLK_DIV", "1"), ("HF_OSC_EN", "ENABLED"))),
            cells=(
                Cell("LUT4", "LUTs of 4 inputs", "logic", netlist=("LUT4", "INV")),
                Cell("CCU2", "carry cells of 2 bits", netlist=("CCU2",)),
                Cell("WIDEFN9", "multiplexers behind LUTs", netlist=("WIDEFN9",)),
                Cell("FF", "flip-flops", "registers", netlist=("FD1P3*",)),
                Cell("DPR16X4", "distributed RAMs", netlist=("DPR16X4",)),
                Cell("EBR", "block RAMs of 18 Kbit", "memory", netlist=("DP16K", "PDP16K", "PDPSC16K", "SP16K")),
                Cell("MULT", "multipliers", "multipliers", netlist=("MULT*",)),
            ),
        ),
        Part(
            name="ccgm1a1",
            title="Cologne Chip GateMate CCGM1A1",
            family="gatemate",
            synthesis="synth_gatemate -luttree -nomx8 -noiopad -noclkbuf",
            arguments=("--device", "CCGM1A1", "--vopt", "allow-unconstrained"),
            target_mhz=200,
            keep_ports=False,
            clock=ClockCell("CC_BUFG", "O", "I"),
            cells=(
                Cell(
                    "LUT",
                    "LUTs and trees of LUTs, of up to 5 inputs",
                    "logic",
                    netlist=("CC_LUT[1-4]", "CC_L2T*", "CC_MX*"),
                ),
                Cell("ADDF", "full adders", netlist=("CC_ADDF",)),
                Cell("FF", "flip-flops", "registers", netlist=("CC_DFF",)),
                Cell("BRAM20K", "block RAMs of 20 Kbit", "memory", netlist=("CC_BRAM_20K",)),
                Cell("BRAM40K", "block RAMs of 40 Kbit", netlist=("CC_BRAM_40K",)),
                Cell("MULT", "multipliers, of the fabric's cells", "multipliers", netlist=("CC_MULT",)),
            ),
        ),
        Part(
            name="gw1nr-9",
            title="Gowin GW1NR-9",
            family="gowin",
            synthesis="synth_gowin -family gw1n -noiopads",
            arguments=("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C", "--vopt", "cst=pins.cst"),
            target_mhz=350,
            keep_ports=False,
            clock=ClockCell("IBUF", "O", "I"),
            constraints=(("pins.cst", 'IO_LOC "aclk" 52;\n'),),
            cells=(
                Cell("LUT", "LUTs of up to 4 inputs", "logic", netlist=("LUT[1-4]",)),
                Cell("ALU", "adder cells", netlist=("ALU",)),
                Cell("MUX2", "multiplexers behind LUTs", netlist=("MUX2*",)),
                Cell("FF", "flip-flops", "registers", netlist=("DFF*",)),
                Cell("RAM16", "distributed RAMs", netlist=("RAM16*",)),
                Cell("BSRAM", "block RAMs of 18 Kbit", "memory", netlist=("SP", "SPX9", "SDP*", "DP*", "pROM*")),
                Cell("MULT", "multipliers", "multipliers", netlist=("MULT*",)),
            ),
        ),
        Part(
            name="lcmxo3lf-6900",
            title="Lattice MachXO3LF LCMXO3LF-6900C, speed 6 (CABGA256)",
            family="machxo2",
            synthesis="synth_lattice -family xo3",
            arguments=("--device", "LCMXO3LF-6900C-6BG256C"),
            target_mhz=350,
            cells=_MACHXO_CELLS,
            keep_ports=False,
        ),
    )
}
"""Parts that are placed on request. Their cells are those of synthesis, before packing, so a head that does not fit fails."""

_VENDOR_NAMES = {
    "ice40hx8k": "hx8k",
    "ice40up5k": "up5k",
    "lfe5u-25f": "ecp5-25k",
    "lfe5u-45f": "ecp5-45k",
}

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


LARGER: dict[str, Part] = {
    row.name: row
    for row in (
        replace(
            PARTS["ecp5-25k"],
            name="ecp5-45k",
            title="Lattice ECP5 LFE5U-45F, speed 6 (CABGA381)",
            arguments=("--45k", "--package", "CABGA381", "--speed", "6"),
        ),
    )
}
"""Parts for heads that the parts above are too small for: rows of the benchmark alone have figures on them."""

BENCH_PARTS: dict[str, Part] = {**PARTS, **LARGER}


def part(name: str) -> Part:
    """The row of `PARTS` called `name`, which may be the vendor's. Raises `UserError` naming the nearest where there is none."""
    return _row(name, PARTS)


def part_of_any_kind(name: str) -> Part:
    """The row of `BENCH_PARTS`, `UNRECORDED` or `CELLS_ONLY`. Raises `UserError` as `part` does."""
    return _row(name, {**BENCH_PARTS, **UNRECORDED, **CELLS_ONLY})


def _row(name: str, rows: Mapping[str, Part]) -> Part:
    key = _VENDOR_NAMES.get(name.lower(), name.lower())
    row = rows.get(key)
    if row is None:
        known = ", ".join(rows)
        likely = nearest(name, (*rows, *_VENDOR_NAMES))
        reason, example = "", "hx8k"
        if key in CELLS_ONLY:
            reason = f" has cells and no clock, because {CELLS_ONLY[key].no_clock}"
        elif key in UNRECORDED:
            reason = " has no checked-in figures"
        elif key in LARGER:
            # A smaller die of the family has the same cells at the same clock.
            reason = " has no checked-in figures of presets"
            example = next(each.name for each in rows.values() if each.family == LARGER[key].family)
        begin = f"part '{name}'{reason}" if reason else f"unknown part '{name}'{likely}"
        raise UserError(f"{begin}: must be one of {known}; for example {example}")
    return row
