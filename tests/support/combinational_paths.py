"""Combinational paths of the generated hardware, from input ports to output ports, bit by bit."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from support.rtlil_hashes import rtlil_text

from softstream.hw.config.config import Config
from softstream.hw.verilog.names import TOP
from softstream.hw.verilog.netlist import Assignment, Cell, Module, Signal, Switch, read_rtlil

__all__ = ["combinational_paths", "module_paths"]

Bit = tuple[str, int]
"""A bit of a wire."""

_BITWISE = ("$and", "$or", "$xor", "$not")


def _bits(signal: Signal) -> list[Bit]:
    """The bits of a signal, lowest first; constants are bits of a wire without a name."""
    return [(chunk.wire, chunk.low + place) for chunk in signal for place in range(chunk.width)]


def _driven(body: list[Assignment | Switch], conditions: list[Bit]) -> Iterator[tuple[Bit, list[Bit]]]:
    """Target bits of a process, each with the bits that it depends on."""
    for statement in body:
        if isinstance(statement, Assignment):
            for target, value in zip(_bits(statement.target), _bits(statement.value), strict=True):
                yield target, [value, *conditions]
        else:
            selector = _bits(statement.selector)
            for _, inner in statement.cases:
                yield from _driven(inner, [*conditions, *selector])


def _cell(cell: Cell, inside: dict[str, dict[Bit, set[Bit]]]) -> Iterator[tuple[Bit, list[Bit]]]:
    """Output bits of a cell, each with the input bits of the same cycle."""
    ports = {name: _bits(signal) for name, signal in cell.ports.items()}
    path = cell.kind.removeprefix("\\")
    if path in inside:
        for (port, place), sources in inside[path].items():
            if port in ports:
                yield ports[port][place], [ports[name][bit] for name, bit in sources if name in ports]
    elif cell.kind == "$memrd_v2":
        if not int(cell.parameters["CLK_ENABLE"].partition("'")[2] or cell.parameters["CLK_ENABLE"]):
            yield from ((bit, ports["ADDR"]) for bit in ports["DATA"])
    elif "CLK" in ports:
        return
    else:
        outputs = ports.pop("Y")
        for place, bit in enumerate(outputs):
            if cell.kind in _BITWISE:
                yield bit, [operand[min(place, len(operand) - 1)] for operand in ports.values() if operand]
            elif cell.kind == "$mux":
                yield bit, [ports["A"][place], ports["B"][place], *ports["S"]]
            else:
                yield bit, [source for operand in ports.values() for source in operand]


def module_paths(module: Module, inside: dict[str, dict[Bit, set[Bit]]]) -> dict[Bit, set[Bit]]:
    """Bits of output ports → the bits of input ports that they depend on in the same cycle; `inside`: those of submodules."""
    depends: dict[Bit, set[Bit]] = defaultdict(set)
    for cell in module.cells:
        for bit, sources in _cell(cell, inside):
            depends[bit].update(sources)
    for process in module.processes:
        for bit, sources in _driven(process.body, []):
            depends[bit].update(sources)
    for bit, sources in _driven(list(module.connections), []):
        depends[bit].update(sources)
    inputs = {wire.name for wire in module.ports if wire.direction == "input"}
    paths = {}
    for wire in module.ports:
        if wire.direction != "output":
            continue
        for place in range(wire.width):
            reached, stack = set(), [(wire.name, place)]
            while stack:
                bit = stack.pop()
                if bit not in reached:
                    reached.add(bit)
                    stack += depends.get(bit, ())
            paths[wire.name.removeprefix("\\"), place] = {
                (name.removeprefix("\\"), bit) for name, bit in reached if name in inputs
            }
    return paths


@cache
def combinational_paths(config: Config) -> frozenset[tuple[str, str]]:
    """(input port, output port) of the top, where the output depends on the input in the same cycle."""
    inside: dict[str, dict[Bit, set[Bit]]] = {}
    modules = read_rtlil(rtlil_text(config))
    for module in reversed(modules):
        inside[module.path] = module_paths(module, inside)
    return frozenset((source, port) for (port, _), sources in inside[TOP].items() for source, _ in sources)
