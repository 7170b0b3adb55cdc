"""What drives and what uses each wire of a module, and which names follow from it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from softstream.hw.verilog.names import Names, plain
from softstream.hw.verilog.netlist import Assignment, Cell, Chunk, Module, Process, Signal, Switch

__all__ = ["Usage", "edges", "output_ports", "port_names", "process_reads", "process_targets"]

_NOUNS = {
    "$add": "sum", "$sub": "difference", "$mul": "product", "$neg": "negative", "$mux": "choice", "$eq": "equal",
    "$ne": "unequal", "$lt": "less", "$le": "less", "$gt": "greater", "$ge": "greater", "$and": "both", "$or": "either",
    "$xor": "differ", "$not": "inverse", "$reduce_and": "all_of", "$reduce_or": "any_of", "$reduce_bool": "any_of",
    "$reduce_xor": "parity", "$shl": "shifted", "$shr": "shifted", "$shift": "shifted", "$sshr": "shifted",
    "$dff": "stored",
}  # fmt: skip
"""Kind of a cell → name of its result, where the design has none."""


_DIVIDING = {"$shl", "$shr", "$shift", "$sshr", "$memwr_v2"}


def process_targets(body: Sequence[Assignment | Switch]) -> list[str]:
    """Wires that a process drives, in the order of its text: names are given out in this order."""
    wires: dict[str, None] = {}
    for item in body:
        if isinstance(item, Assignment):
            wires |= dict.fromkeys(chunk.wire for chunk in item.target)
        else:
            wires |= dict.fromkeys(wire for _, inner in item.cases for wire in process_targets(inner))
    return list(wires)


def process_reads(body: Sequence[Assignment | Switch]) -> Iterator[Signal]:
    """Values and selectors of a process."""
    for item in body:
        if isinstance(item, Assignment):
            yield item.value
        else:
            yield item.selector
            for _, inner in item.cases:
                yield from process_reads(inner)


def edges(body: Sequence[Assignment | Switch], wire: str) -> set[int]:
    """Bits at which an assignment to a wire begins or ends."""
    bits: set[int] = set()
    for item in body:
        if isinstance(item, Assignment):
            bits |= {edge for c in item.target if c.wire == wire for edge in (c.low, c.low + c.width)}
        else:
            bits = bits.union(*(edges(inner, wire) for _, inner in item.cases))
    return bits


def output_ports(cell: Cell, modules: Mapping[str, Module]) -> set[str]:
    """Ports of a cell that drive wires; `modules` are all modules of the netlist, by their paths."""
    if cell.kind.startswith("\\"):
        return {port.name[1:] for port in modules[cell.kind[1:]].ports if port.direction == "output"}
    return {"DATA"} if cell.kind == "$memrd_v2" else {"Y", "Q"}


class Usage:
    """Drivers and uses of the wires of one module; `modules` are all modules of the netlist, by their paths."""

    def __init__(self, module: Module, modules: Mapping[str, Module]) -> None:
        self.module = module
        self._modules = modules
        self.drivers: dict[str, tuple[Cell, str] | Process] = {}
        """Wire → the cell and its port, or the process, that drives it."""
        self.counts: Counter[str] = Counter()
        self.reads: defaultdict[str, list[Chunk]] = defaultdict(list)
        """Wire → the part of it that each use takes."""
        self.divided: set[str] = set()
        """Wires of which a use takes a part."""
        self.registers: dict[str, Cell] = {}
        """Wire → the flip-flop or the read port behind it."""
        self.next_values: dict[str, Process] = {}
        """Wire that is the next value of one register and has no other use → its process."""
        self.fields: dict[Chunk, str] = {}
        """Part of a wire → its name in the payload that the wire carries."""
        self.consumers: dict[str, tuple[Cell, str]] = {}
        """Wire → the first instance, and its port, that takes it as a whole."""
        self.outputs: dict[str, Signal] = {}
        """Output port that no cell drives → its value."""
        self._find()

    def _find(self) -> None:
        for cell in self.module.cells:
            outputs = self.output_ports(cell)
            for port, signal in cell.ports.items():
                if port not in outputs:
                    if cell.kind.startswith("\\") and len(signal) == 1:
                        self.consumers.setdefault(signal[0].wire, (cell, port))
                    # A shift by a constant, and a write of parts of a word, take some bits of the signal.
                    self._use(signal, parts=cell.kind in _DIVIDING)
                    continue
                for chunk in signal:
                    self.drivers[chunk.wire] = (cell, port)
                    if cell.kind in ("$dff", "$memrd_v2"):
                        self.registers[chunk.wire] = cell
        for process in self.module.processes:
            for wire in process_targets(process.body):
                self.drivers[wire] = process
            for wire in process_targets(process.body):
                several = len(edges(process.body, wire) - {0, self.module.wires[wire].width}) > 0
                for signal in process_reads(process.body):
                    self._use(signal, parts=several)
        for connection in self.module.connections:
            [target] = connection.target
            path = target.wire.partition(".")[2]
            if self.module.wires[target.wire].direction == "output":
                self.outputs[target.wire] = connection.value
                self._use(connection.value)
            elif path and len(connection.value) == 1 and connection.value[0].wire:
                self.fields.setdefault(connection.value[0], plain(path))
        for cell in self.registers.values():
            data = cell.ports["D"] if cell.kind == "$dff" else ()
            wire = data[0].wire if len(data) == 1 else ""
            process_or_cell = self.drivers.get(wire)
            if (
                isinstance(process_or_cell, Process)
                and self.counts[wire] == 1
                and data[0].width == self.module.wires[wire].width
                and process_targets(process_or_cell.body) == [wire]
            ):
                self.next_values[wire] = process_or_cell

    def output_ports(self, cell: Cell) -> set[str]:
        """Ports of a cell that drive wires."""
        return output_ports(cell, self._modules)

    def _use(self, signal: Signal, *, parts: bool = False) -> None:
        for chunk in signal:
            if chunk.wire:
                self.counts[chunk.wire] += 1
                self.reads[chunk.wire].append(chunk)
                if parts or chunk.width != self.module.wires[chunk.wire].width:
                    self.divided.add(chunk.wire)

    def noun(self, wire: str, ports: Mapping[str, Mapping[str, str]]) -> str:
        """A name from what drives a wire. `ports`: module → port in the netlist → its name in the text."""
        value = self.outputs.get(wire, ())
        if len(value) == 1 and value[0].wire and value[0].wire != wire:
            return plain(value[0].wire) or self.noun(value[0].wire, ports)
        driver = self.drivers.get(wire)
        if not isinstance(driver, tuple):
            return "value"
        cell, port = driver
        if cell.kind.startswith("\\"):
            name = ports.get(cell.kind[1:], {}).get(port) or plain(port) or "output"
            return f"{plain(cell.name)}_{name}"
        if cell.kind == "$memrd_v2":
            return f"{plain(cell.parameters['MEMID'])}_data"
        return _NOUNS.get(cell.kind, "value")


def port_names(usages: Mapping[str, Usage]) -> dict[str, dict[str, str]]:
    """Module → port in the netlist → its name in the text. A port without a name takes that of what drives it.

    `usages` has each module before those that it instantiates.
    """
    hints: dict[str, dict[str, str]] = {path: {} for path in usages}
    for path in reversed(list(usages)):
        for port in usages[path].module.ports:
            if port.direction == "output":
                hints[path][port.name[1:]] = plain(port.name) or usages[path].noun(port.name, hints)
    names: dict[str, dict[str, str]] = {}
    for path, usage in usages.items():
        scope = Names()
        names[path] = {}
        # A port that has a name of its own keeps it.
        for port in sorted(usage.module.ports, key=lambda port: not plain(port.name)):
            base = plain(port.name) or hints[path].get(port.name[1:], "operand")
            names[path][port.name[1:]] = scope.new(base)
        for cell in usage.module.cells:
            for port_name, signal in cell.ports.items() if cell.kind.startswith("\\") else ():
                if len(signal) == 1 and signal[0].wire:
                    wire = signal[0].wire
                    base = names[path].get(wire[1:]) or plain(wire) or usage.noun(wire, hints)
                    field = usage.fields.get(signal[0])
                    hints[cell.kind[1:]].setdefault(port_name, f"{base}_{field}" if field else base)
    return names
