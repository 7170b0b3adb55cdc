"""Logic that nothing reads, such as a stage of a delay line behind its last user: the text of a head leaves it out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from softstream.hw.verilog.netlist import Cell, Module, Signal
from softstream.hw.verilog.usage import output_ports, process_reads, process_targets

__all__ = ["drop_unread"]

Node = tuple[str, str]
"""Path of a module, and a wire or a memory in it."""


def drop_unread(modules: dict[str, Module]) -> None:
    """Removes each operator, register, memory, port and instance that no output of the top depends on.

    Synthesis removes the same; front ends such as slang warn of it. The first of `modules` is the top; they have their paths as
    keys.
    """
    top = next(iter(modules.values()))
    graph = _Graph(modules)
    read = graph.closure({(top.path, wire.name) for wire in top.ports})
    used_outside = {(top.path, wire.name) for wire in top.ports}
    for path, module in modules.items():
        module.cells = [cell for cell in module.cells if graph.results(path, cell) & read]
        for cell in module.cells:
            if cell.kind.startswith("\\"):
                outputs = output_ports(cell, modules)
                cell.ports = {
                    port: bits
                    for port, bits in cell.ports.items()
                    if (
                        read.intersection(_nodes(path, bits))
                        if port in outputs
                        else (cell.kind[1:], f"\\{port}") in read
                    )
                }
                used_outside |= {(cell.kind[1:], f"\\{port}") for port in cell.ports}
    for path, module in list(modules.items()):
        _drop(module, {name for place, name in read if place == path})
        driven = {chunk.wire for connection in module.connections for chunk in connection.target}
        for wire in module.ports:
            if (path, wire.name) not in used_outside and wire.name not in driven:
                wire.direction = ""  # an output that its own module reads, and no other
        if not module.ports:
            del modules[path]


def _drop(module: Module, read: set[str]) -> None:
    """Leaves processes, memories and ports that are read."""
    module.processes = [process for process in module.processes if read.intersection(process_targets(process.body))]
    module.memories = {name: memory for name, memory in module.memories.items() if name in read}
    ports = {wire.name for wire in module.ports}
    module.wires = {name: wire for name, wire in module.wires.items() if name not in ports or name in read}
    module.connections = [
        connection
        for connection in module.connections
        if all(chunk.wire in module.wires for chunk in connection.target)
    ]


@dataclass
class _Graph:
    """What each wire and memory depends on."""

    modules: Mapping[str, Module]
    sources: defaultdict[Node, set[Node]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        for path, module in self.modules.items():
            for cell in module.cells:
                if cell.kind.startswith("\\"):
                    self._add_instance(path, cell)
                    continue
                outputs = output_ports(cell, self.modules)
                inputs = set(_nodes(path, *(bits for port, bits in cell.ports.items() if port not in outputs)))
                if cell.kind == "$memrd_v2":
                    inputs.add((path, cell.parameters["MEMID"]))
                for node in self.results(path, cell):
                    self.sources[node] |= inputs
            for process in module.processes:
                inputs = set(_nodes(path, *process_reads(process.body)))
                for wire in process_targets(process.body):
                    self.sources[path, wire] |= inputs
            for connection in module.connections:
                for node in _nodes(path, connection.target):
                    self.sources[node] |= set(_nodes(path, connection.value))

    def _add_instance(self, path: str, cell: Cell) -> None:
        outputs = output_ports(cell, self.modules)
        for port, bits in cell.ports.items():
            inside = (cell.kind[1:], f"\\{port}")
            for node in _nodes(path, bits):
                source, target = (inside, node) if port in outputs else (node, inside)
                self.sources[target].add(source)

    def results(self, path: str, cell: Cell) -> set[Node]:
        """What a cell drives: wires, a memory, or of an instance its ports."""
        if cell.kind == "$memwr_v2":
            return {(path, cell.parameters["MEMID"])}
        if cell.kind.startswith("\\"):
            return {(cell.kind[1:], f"\\{port}") for port in cell.ports}
        outputs = output_ports(cell, self.modules)
        return set(_nodes(path, *(bits for port, bits in cell.ports.items() if port in outputs)))

    def closure(self, roots: set[Node]) -> set[Node]:
        """The roots, and everything that they depend on."""
        read, waiting = set(roots), list(roots)
        while waiting:
            for node in self.sources[waiting.pop()] - read:
                read.add(node)
                waiting.append(node)
        return read


def _nodes(path: str, *signals: Signal) -> Iterator[Node]:
    return ((path, chunk.wire) for signal in signals for chunk in signal if chunk.wire)
