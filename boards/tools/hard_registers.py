"""ECP5: use the registers inside block RAMs and multipliers, which Yosys leaves idle.

A block RAM delivers its data 5.8 ns after the clock's edge without its own output register, and 1 ns with it; a multiplier is
likewise several times slower without its registers. A plain flip-flop behind an output, or before an input, does the same as
the block's own register. So flip-flops that drive, or are driven by, nothing but the block move into it.

Source: Lattice, ECP5 and ECP5-5G Memory Usage Guide (FPGA-TN-02204) and sysDSP Usage Guide (FPGA-TN-02205): REGMODE, REG_*_CLK.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

__all__ = ["absorb"]

_RAM, _MULTIPLIER, _FLIP_FLOP = "DP16KD", "MULT18X18D", "TRELLIS_FF"
_WIDE = 36
_OUTPUT_BITS, _FACTOR_BITS, _PRODUCT_BITS = 18, 18, 36


def absorb(module: dict[str, Any]) -> int:
    """Moves registers of a flattened module of a Yosys netlist (its JSON, as a dictionary) into hard blocks.

    A register moves only as a whole: every used bit of an output drives one flip-flop and nothing else, with the block's clock,
    without set or reset; every bit of a multiplier's input comes from such a flip-flop. A register with an enable moves into a
    block RAM whose port has the same enable, and into a multiplier if all its registers have that enable. The netlist's behaviour
    from reset on does not change. Returns the number of flip-flops that moved.
    """
    moved = 0
    netlist = _Netlist(module)
    for name, cell in list(module["cells"].items()):
        if cell["type"] in (_RAM, _MULTIPLIER):
            moved += (_ram if cell["type"] == _RAM else _multiplier)(netlist, name)
    return moved


class _Netlist:
    """The driver and the sinks of each bit."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells = module["cells"]
        self.sinks: dict[Any, list[tuple[str, str]]] = defaultdict(list)
        self.driver: dict[Any, str] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for bit in bits:
                    if cell["port_directions"][port] == "input":
                        self.sinks[bit].append((name, port))
                    else:
                        self.driver[bit] = name
        for port in module["ports"].values():
            if port["direction"] != "input":
                for bit in port["bits"]:
                    self.sinks[bit].append(("", "port"))

    def plain(self, name: str, clock: Any, enable: Any = "1") -> bool:
        """Whether a cell is a flip-flop of that clock and enable that starts at 0 and has no set or reset."""
        cell = self.cells.get(name)
        if cell is None or cell["type"] != _FLIP_FLOP:
            return False
        parameters, wires = cell["parameters"], cell["connections"]
        mux = parameters.get("CEMUX", "1").strip()
        [bit] = ["1"] if mux == "1" else wires.get("CE", ["1"])
        return (
            wires["CLK"] == [clock]
            and parameters.get("CLKMUX", "CLK") == "CLK"
            and parameters.get("REGSET", "RESET") == "RESET"
            and (bit == enable and mux in ("1", "CE"))
            and wires.get("LSR", ["0"]) == ["0"]
        )

    def after(self, bits: Iterable[Any], clock: Any, enable: Any = "1") -> dict[Any, str] | None:
        """The flip-flop behind each used bit; None if a bit has no flip-flop of that enable or another sink."""
        flip_flops = {}
        for bit in bits:
            sinks = self.sinks.get(bit, [])
            if not sinks:
                continue
            [(name, port), *others] = sinks
            if others or port != "DI" or not self.plain(name, clock, enable):
                return None
            flip_flops[bit] = name
        return flip_flops

    def enables(self, bits: Iterable[Any]) -> dict[Any, None]:
        """The enables of the flip-flops behind bits, each once; "1" is first."""
        cells = [self.cells.get(name, {}) for bit in bits for name, _ in self.sinks.get(bit, [])]
        flip_flops = [cell["connections"] for cell in cells if cell.get("type") == _FLIP_FLOP]
        return dict.fromkeys(["1", *(bit for wires in flip_flops for bit in wires.get("CE", []))])

    def before(self, bits: Iterable[Any], clock: Any, block: str, enable: Any) -> dict[Any, str] | None:
        """The flip-flop before each bit that is not constant 0; None if one has none of that enable, or another sink.

        A flip-flop of a constant may drive other cells, because each block can have its own.
        """
        flip_flops = {}
        for bit in bits:
            if bit == "0":
                continue
            name = self.driver.get(bit, "")
            if not self.plain(name, clock, enable):
                return None
            constant = self.cells[name]["connections"]["DI"] in (["0"], ["1"])
            if not constant and self.others(bit, block):
                return None
            flip_flops[bit] = name
        return flip_flops

    def others(self, bit: Any, block: str) -> list[tuple[str, str]]:
        """The sinks of a bit besides `block`."""
        return [sink for sink in self.sinks[bit] if sink[0] != block]

    def bypass(self, block: str, ports: Iterable[str], registers: dict[Any, str], *, output: bool) -> None:
        """Connects the block's ports to the far side of their registers, and removes the registers without another sink."""
        near, far = ("DI", "Q") if output else ("Q", "DI")
        connections = self.cells[block]["connections"]
        for port in ports:
            for place, bit in enumerate(connections.get(port, [])):
                if bit not in registers:
                    continue
                moved = self.cells[registers[bit]]["connections"][far][0]
                connections[port][place] = moved
                if output:
                    self.driver[moved] = block
                else:
                    self.sinks[moved].append((block, port))
        for bit, name in registers.items():
            flip_flop = self.cells[name]
            assert flip_flop["connections"][near] == [bit]
            others = [] if output else self.others(bit, block)
            if others:
                self.sinks[bit] = others
                continue
            del self.cells[name]
            data = flip_flop["connections"]["DI"][0]
            self.sinks[data] = [sink for sink in self.sinks[data] if sink[0] != name]


def _number(text: str) -> int:
    return int(text, 2) if set(text) <= {"0", "1"} else int(text)


def _port_enable(cell: dict[str, Any], side: str) -> list[Any]:
    """The enable of a port of a block RAM, where it has one."""
    used = cell["parameters"].get(f"CE{side}MUX", f"CE{side}") == f"CE{side}"
    return cell["connections"].get(f"CE{side}", []) if used else []


def _ram(netlist: _Netlist, name: str) -> int:
    cell = netlist.cells[name]
    wires, parameters = cell["connections"], cell["parameters"]
    moved = 0
    # A read port of 36 bits has both halves of the outputs.
    wide = _number(parameters["DATA_WIDTH_B"]) == _WIDE
    groups = [("B", ("A", "B"))] if wide else [("A", ("A",)), ("B", ("B",))]
    for clock_side, sides in groups:
        ports = [f"DO{side}{index}" for side in sides for index in range(_OUTPUT_BITS)]
        bits = [bit for port in ports for bit in wires.get(port, [])]
        idle = parameters.get(f"CLK{clock_side}MUX", f"CLK{clock_side}") != f"CLK{clock_side}" or any(
            parameters.get(f"REGMODE_{side}", "NOREG") != "NOREG" for side in sides
        )
        # The register is enabled in every cycle or with the port. Another enable stays outside, because the guide does not say
        # what the register does while the port's own enable is low.
        registers, enable = None, "1"
        for enable in [] if idle else dict.fromkeys(["1", *_port_enable(cell, clock_side)]):
            registers = netlist.after(bits, wires[f"CLK{clock_side}"][0], enable)
            if registers:
                break
        if not registers:
            continue
        netlist.bypass(name, ports, registers, output=True)
        for side in sides:
            parameters[f"REGMODE_{side}"] = "OUTREG"
            wires[f"OCE{side}"] = [enable]
            cell["port_directions"][f"OCE{side}"] = "input"
        moved += len(registers)
    return moved


def _multiplier(netlist: _Netlist, name: str) -> int:
    cell = netlist.cells[name]
    wires, parameters = cell["connections"], cell["parameters"]
    factors = {side: [f"{side}{index}" for index in range(_FACTOR_BITS)] for side in "AB"}
    products = [f"P{index}" for index in range(_PRODUCT_BITS)]

    def bits(ports: Iterable[str]) -> list[Any]:
        return [bit for port in ports for bit in wires.get(port, [])]

    # The multiplier gets the clock of the flip-flops around it.
    clocks = {
        netlist.cells[sink]["connections"]["CLK"][0]
        for bit in bits(products)
        for sink, _ in netlist.sinks.get(bit, [])
        if netlist.cells.get(sink, {}).get("type") == _FLIP_FLOP
    }
    if len(clocks) != 1 or any(parameters.get(f"REG_{what}_CLK", "NONE") != "NONE" for what in ("INPUTA", "OUTPUT")):
        return 0
    [clock] = clocks
    moved = 0
    behind, enable = None, "1"
    for enable in netlist.enables(bits(products)):
        behind = netlist.after(bits(products), clock, enable)
        if behind:
            break
    else:
        enable = "1"

    def use(what: str) -> None:
        parameters.update({f"REG_{what}_CLK": "CLK0", f"REG_{what}_CE": "CE0", f"REG_{what}_RST": "RST0"})
        for port, bit in (("CLK0", clock), ("CE0", enable), ("RST0", "0")):
            wires[port] = [bit]
            cell["port_directions"][port] = "input"

    if behind:
        netlist.bypass(name, products, behind, output=True)
        use("OUTPUT")
        moved += len(behind)
    # Place and route knows the timing with both inputs registered or with none.
    before = {side: netlist.before(bits(ports), clock, name, enable) for side, ports in factors.items()}
    if all(before.values()):
        # In one step: a square has the same registers on both sides.
        registers = {bit: name for side in before.values() for bit, name in (side or {}).items()}
        netlist.bypass(name, [*factors["A"], *factors["B"]], registers, output=False)
        for side in factors:
            use(f"INPUT{side}")
        moved += len(registers)
    return moved
