"""ECP5: block RAMs and multipliers as instances, with the registers inside them, in modules of their own.

Synthesis does not find these registers. A block RAM delivers its data 5.8 ns after the clock's edge without its output register,
and 1 ns with it. So a memory with a register behind its read port, and a product with a register behind it, become modules of
two bodies: the primitive where `SYNTHESIS` is defined, which Yosys defines by itself, and else the portable description. The
portable text has no such modules.

Source: Lattice, ECP5 and ECP5-5G Memory Usage Guide (FPGA-TN-02204) and sysDSP Usage Guide (FPGA-TN-02205). The places of bits,
bytes and words in a block RAM are those of Yosys' own mapping, `brams_map_16kd.v`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from softstream.hw.verilog.names import plain
from softstream.hw.verilog.netlist import (
    Assignment,
    Cell,
    Chunk,
    Memory,
    Module,
    Process,
    Signal,
    Switch,
    Wire,
    width_of,
)
from softstream.hw.verilog.usage import Usage

__all__ = ["HardBlock", "extract"]

_DEPTHS = {36: 512, 18: 1024, 9: 2048, 4: 4096, 2: 8192, 1: 16384}
"""Width of a port of a block RAM → its words."""
_LOWEST_ADDRESS = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}
"""Width of a port → the pin that takes the lowest bit of the address."""
_HALF = 18
"""Pins of a side: a port of 36 bits takes those of both sides."""
_BLOCK_BITS, _INIT_WORDS, _INIT_STEP = 18432, 16, 20
"""Bits of a block RAM; words of 18 bits in an INITVAL; bits from one of them to the next."""

_MOST_TILES = 20
"""Distributed RAMs of 16 × 4 bits that take the place of a block RAM, as Yosys decides for the memories of these heads."""
_SMALLEST_TABLE = 1024
"""Bits of a table from which on it is in block RAM."""
_FACTOR_BITS, _PRODUCT_BITS = 18, 36

_SIDES, _SUFFIXES = 2, ("", "_2")
"""Ports of a block RAM, and what the names of its readers' signals end with."""
_ONE, _ZERO = "1'b1", "1'b0"


@dataclass(frozen=True)
class HardBlock:
    """A module that is one memory or one product, and the body that it has on an ECP5."""

    module: Module
    title: str
    """What it is, for the comment."""
    body: Callable[[Mapping[str, str]], Iterator[str]]
    """Names of its ports, by their names in the netlist → the lines of the body."""


def extract(modules: dict[str, Module]) -> dict[str, HardBlock]:
    """Moves memories and products with their registers out of `modules`, by paths, into modules; path → block.

    The new modules stand in `modules` behind the ones that they come from.
    """
    blocks: dict[str, HardBlock] = {}
    for path, module in list(modules.items()):
        usage = Usage(module, modules)
        for cell in list(module.cells):
            block = None
            if cell.kind == "$memrd_v2":
                block = _memory(usage, cell)
            elif cell.kind == "$mul":
                block = _product(usage, cell)
            if block is not None:
                blocks[block.module.path] = block
                # Below its parent, because each module stands before those that it instantiates.
                rest = [(name, modules.pop(name)) for name in list(modules)[list(modules).index(path) + 1 :]]
                modules[block.module.path] = block.module
                modules.update(rest)
                usage = Usage(module, modules)
    return blocks


# Registers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Register:
    """A register without reset that starts at zero; `enable` is one bit."""

    cell: Cell
    process: Process | None
    output: Chunk
    enable: Chunk


def _register(usage: Usage, cell: Cell) -> _Register | None:
    """The register that a flip-flop is, if its next value is one wire, perhaps with an enable."""
    module = usage.module
    if cell.kind != "$dff" or len(cell.ports["Q"]) != 1 or len(cell.ports["D"]) != 1:
        return None
    [output] = cell.ports["Q"]
    [data] = cell.ports["D"]
    if output.width != module.wires[output.wire].width or module.wires[output.wire].initial:
        return None
    process = usage.next_values.get(data.wire)
    if process is None:
        return _Register(cell, None, output, Chunk("", 0, 1, 1))
    match process.body:
        case [Assignment(_, value), Switch([select], [([["1"], [Assignment()]]) as case])] if value == (output,):
            return _Register(cell, process, output, select) if case else None
    return None


def _data(register: _Register) -> Signal:
    """What a register loads."""
    if register.process is None:
        return register.cell.ports["D"]
    switch = register.process.body[1]
    assert isinstance(switch, Switch)
    [(_, [assignment])] = switch.cases
    assert isinstance(assignment, Assignment)
    return assignment.value


def _register_behind(usage: Usage, signal: Signal) -> _Register | None:
    """The register that is the only use of a signal."""
    [chunk] = signal
    if usage.counts[chunk.wire] != 1 or usage.module.wires[chunk.wire].direction:
        return None
    for cell in usage.module.cells:
        register = _register(usage, cell)
        if register is not None and _data(register) == signal:
            return register
    return None


@dataclass(frozen=True)
class _Source:
    """A register, or bits of it, that a signal comes from and that have no other use."""

    register: _Register
    part: Chunk

    @property
    def whole(self) -> bool:
        """Whether these are all bits of the register."""
        return self.part == self.register.output

    @property
    def data(self) -> Signal:
        """What these bits load."""
        return _part(_data(self.register), self.part.low, self.part.width)


def _part(signal: Signal, low: int, width: int) -> Signal:
    """Some bits of a signal."""
    chunks: list[Chunk] = []
    for chunk in signal:
        first, last = max(low, 0), min(low + width, chunk.width)
        if first < last:
            chunks.append(chunk.part(first, last - first))
        low -= chunk.width
    return tuple(chunks)


def _register_before(usage: Usage, signal: Signal, behind: _Register) -> _Source | None:
    """What a signal comes from, with the enable of the register `behind` the block."""
    if len(signal) != 1:
        return None
    [chunk] = signal
    cell = usage.registers.get(chunk.wire)
    register = None if cell is None else _register(usage, cell)
    if register is None or usage.module.wires[chunk.wire].direction:
        return None
    if _conditions(usage, (register.enable,)) != _conditions(usage, (behind.enable,)):
        return None
    reads = list(usage.reads[chunk.wire])
    if register.process is not None:  # a register with an enable reads itself
        reads.remove(register.output)
    overlapping = [read for read in reads if read.low < chunk.low + chunk.width and chunk.low < read.low + read.width]
    return _Source(register, chunk) if overlapping == [chunk] else None


def _conditions(usage: Usage, signal: Signal) -> frozenset[Signal]:
    """The conditions that are all 1 where a condition of one bit is 1.

    Amaranth writes the enable of a component as an `and`, in each place anew and with a constant 1 where there is no other.
    """
    driver = usage.drivers.get(signal[0].wire)
    if isinstance(driver, tuple) and driver[0].kind == "$and" and driver[0].ports["Y"] == signal:
        return frozenset().union(*(_conditions(usage, driver[0].ports[side]) for side in "AB"))
    return frozenset() if signal == (Chunk("", 0, 1, 1),) else frozenset((signal,))


# Moving --------------------------------------------------------------------------------------------------------------


class _Extraction:
    """A new module, and the instance of it that takes the place of cells of its parent."""

    def __init__(self, parent: Module, name: str, source: str) -> None:
        self._parent = parent
        self.module = Module(f"{parent.path}.{name}", source)
        self._cell = Cell(f"\\{self.module.path}", f"\\{name}", source)

    def wire(self, name: str, width: int, initial: int | None = None) -> Signal:
        """A wire inside."""
        wire = Wire(f"\\{name}", width, "", self.module.source, initial)
        self.module.wires[wire.name] = wire
        return (Chunk(wire.name, 0, width),)

    def input(self, name: str, signal: Signal) -> Signal:
        """The port that takes a signal of the parent; a constant needs no port."""
        if not any(chunk.wire for chunk in signal):
            return signal
        self._cell.ports[name] = signal
        wire = Wire(f"\\{name}", width_of(signal), "input", self.module.source, None)
        self.module.wires[wire.name] = wire
        return (Chunk(wire.name, 0, wire.width),)

    def output(self, name: str, register: _Register) -> None:
        """The port that drives the wire of a register, which moves."""
        width = register.output.width
        self._cell.ports[name] = (register.output,)
        self.module.wires[f"\\{name}"] = Wire(f"\\{name}", width, "output", self.module.source, None)
        self._parent.wires[register.output.wire].initial = None

    def register(self, register: _Register, data: Signal, enable: Signal, name: str) -> Signal:
        """A register of the same kind inside, as wide as `data`."""
        width = width_of(data)
        q = self.wire(name, width, 0)
        if register.process is None:
            following = data
        else:
            following = self.wire(f"{name}$next", width)
            hold = Assignment(following, q)
            load = Switch(enable, [(["1"], [Assignment(following, data)])])
            self.module.processes.append(Process(register.process.source, [hold, load]))
        ports = {"CLK": (Chunk("\\clk", 0, 1),), "D": following, "Q": q}
        parameters = {**register.cell.parameters, "WIDTH": str(width)}
        self.module.cells.append(Cell("$dff", f"${name}", register.cell.source, parameters, ports))
        return q

    def finish(self, *moved: Cell | _Register | None) -> None:
        """Replaces what moved by the instance."""
        for item in moved:
            if isinstance(item, _Register):
                self._parent.cells.remove(item.cell)
                if item.process is not None:
                    self._parent.processes.remove(item.process)
            elif item is not None:
                self._parent.cells.remove(item)
        self._parent.cells.append(self._cell)


def _free_name(module: Module, base: str) -> str:
    """A name for an instance that no instance and no wire of the module has."""
    names = {plain(cell.name) for cell in module.cells if cell.kind.startswith("\\")} | {plain(w) for w in module.wires}
    name, number = base, 2
    while name in names:
        name, number = f"{base}_{number}", number + 1
    return name


# Memories ------------------------------------------------------------------------------------------------------------


def _port_width(depth: int, width: int) -> int | None:
    """The width of port with the fewest block RAMs; None where one block RAM has fewer words than the memory."""
    widths = [port for port, words in _DEPTHS.items() if words >= depth]
    return min(widths, key=lambda port: (ceil(width / port), port), default=None)


def _in_block_ram(memory: Memory) -> bool:
    """Whether Yosys has a memory in block RAM too, rather than in LUTs."""
    port = _port_width(memory.depth, memory.width)
    if port is None:
        return False
    if not memory.written:
        block = memory.attributes.get("rom_style") == '"block"'
        return block or memory.depth * memory.width >= _SMALLEST_TABLE
    if memory.attributes.get("ram_style") == '"block"':
        return True
    tiles = ceil(memory.depth / 16) * ceil(memory.width / 4)
    return tiles > _MOST_TILES * ceil(memory.width / port)


def _memory(usage: Usage, first: Cell) -> HardBlock | None:
    module = usage.module
    memory = module.memories.get(first.parameters["MEMID"])
    if memory is None:  # it has moved with its other read port
        return None
    ports = [cell for cell in module.cells if cell.parameters.get("MEMID") == memory.name]
    reads = [cell for cell in ports if cell.kind == "$memrd_v2"]
    writes = [cell for cell in ports if cell.kind == "$memwr_v2"]
    enables = {chunk.part(bit, 1) for cell in writes for chunk in cell.ports["EN"] for bit in range(chunk.width)}
    if len(writes) > 1 or len(reads) + len(writes) > _SIDES or len(enables) > 1 or not _in_block_ram(memory):
        return None
    width = _port_width(memory.depth, memory.width)
    if len(reads) > 1 and (width is None or width > _HALF):
        return None
    registers = []
    for read in reads:
        register = _register_behind(usage, read.ports["DATA"])
        if register is None:
            return None
        held = _conditions(usage, (register.enable,))
        if held and held != _conditions(usage, read.ports["EN"]):
            # What the output register does in a cycle without read enable is not in the guide, except for a plain register.
            return None
        registers.append((register, bool(held)))
    extraction = _Extraction(module, _free_name(module, f"{plain(memory.name)}_block"), memory.source)
    clock = extraction.input("clk", first.ports["CLK"])
    inside = extraction.module
    inside.memories[memory.name] = memory
    for read, (register, holds), suffix in zip(reads, registers, _SUFFIXES, strict=False):
        address = extraction.input(f"read_address{suffix}", read.ports["ADDR"])
        enable = extraction.input(f"read_enable{suffix}", (register.enable,) if holds else read.ports["EN"])
        word = extraction.wire(f"word{suffix}", memory.width)
        output = extraction.register(register, word, enable, f"held{suffix}")
        new_ports = {"CLK": clock, "EN": enable, "ADDR": address, "DATA": word}
        rest = {name: signal for name, signal in read.ports.items() if name not in new_ports}
        inside.cells.append(Cell("$memrd_v2", read.name, read.source, read.parameters, {**rest, **new_ports}))
        extraction.output(f"data{suffix}", register)
        inside.connections.append(Assignment((Chunk(f"\\data{suffix}", 0, memory.width),), output))
    for write in writes:
        new_ports = {
            "CLK": clock,
            "ADDR": extraction.input("write_address", write.ports["ADDR"]),
            "DATA": extraction.input("write_data", write.ports["DATA"]),
            "EN": extraction.input("write_enable", tuple(enables)) * memory.width,
        }
        inside.cells.append(Cell("$memwr_v2", write.name, write.source, write.parameters, new_ports))
    extraction.finish(*reads, *writes, *(register for register, _ in registers))
    del module.memories[memory.name]
    behind = "a register behind the read port" if len(reads) == 1 else "a register behind each of two read ports"
    title = f"{memory.depth} words of {memory.width} bits, with {behind}"
    return HardBlock(inside, title, _MemoryBody(memory, tuple(r.process is not None for r, _ in registers)).lines)


@dataclass(frozen=True)
class _MemoryBody:
    """The block RAMs of a memory, side by side: port A writes, or has the second reader, and port B reads."""

    memory: Memory
    held: tuple[bool, ...]
    """For each read port, whether its output register has the enable of the port."""

    def lines(self, names: Mapping[str, str]) -> Iterator[str]:
        """The lines of the body."""
        memory = self.memory
        port = _port_width(memory.depth, memory.width)
        assert port is not None
        for number in range(ceil(memory.width / port)):
            low = number * port
            yield from self._block(names, port, low, min(port, memory.width - low), number)

    def _block(self, names: Mapping[str, str], port: int, low: int, width: int, number: int) -> Iterator[str]:
        wide, second = port > _HALF, len(self.held) > 1
        parameters = {
            "DATA_WIDTH_A": str(port),
            "DATA_WIDTH_B": str(port),
            "REGMODE_A": '"OUTREG"' if wide or second else '"NOREG"',
            "REGMODE_B": '"OUTREG"',
            "CSDECODE_A": '"0b000"',
            "CSDECODE_B": '"0b000"',
            "GSR": '"DISABLED"',
            **dict(self._contents(port, low, width)),
        }
        enables = [names.get(f"read_enable{suffix}", _ONE) for suffix in _SUFFIXES]
        held = [enable if holds else _ONE for enable, holds in zip(enables, self.held, strict=False)]
        pins = {"CLKA": names["clk"], "CLKB": names["clk"], "CEA": enables[1] if second else _ONE, "CEB": enables[0]}
        pins |= {"OCEA": held[-1], "OCEB": held[0]}
        writes = names.get("write_enable", _ONE) if self.memory.written else _ZERO
        # From 18 bits on the lowest pins of the address enable single bytes.
        pins |= {"WEA": writes, "WEB": _ZERO, "RSTA": _ZERO, "RSTB": _ZERO}
        pins |= {f"CS{side}{index}": _ZERO for side in "AB" for index in range(3)}
        other = names.get("read_address_2" if second else "write_address", "")
        for side, address in (("A", other), ("B", names.get("read_address", ""))):
            pins |= dict(self._address(side, address, port, writing=side == "A" and not second))
        pins |= dict(self._bits("DI", names.get("write_data", ""), port, low, width, _ZERO))
        pins |= dict(self._bits("DO", names["data"], port, low, width, ""))
        if second:
            outputs = dict(self._bits("DI", names["data_2"], port, low, width, ""))
            pins |= {f"DOA{index}": outputs[f"DIA{index}"] for index in range(_HALF)}
        yield from _instance("DP16KD", f"block_{number}", parameters, pins)

    def _address(self, side: str, address: str, port: int, *, writing: bool) -> Iterator[tuple[str, str]]:
        lowest, bits = _LOWEST_ADDRESS[port], max(self.memory.depth - 1, 0).bit_length()
        for index in range(14):
            bit = index - lowest
            if address and 0 <= bit < bits:
                yield f"AD{side}{index}", f"{address}[{bit}]" if bits > 1 else address
            else:
                byte_enable = writing and index < port // 9 and port >= _HALF
                yield f"AD{side}{index}", _ONE if byte_enable else _ZERO

    def _bits(self, pins: str, signal: str, port: int, low: int, width: int, idle: str) -> Iterator[tuple[str, str]]:
        """Pins of both sides. Of a port of 36 bits, A has the low half; else A writes and B reads."""
        for index in range(2 * _HALF):
            side = "AB"[index // _HALF]
            bit = index if port > _HALF or pins == "DI" else index - _HALF
            used = bool(signal) and 0 <= bit < width
            text = f"{signal}[{low + bit}]" if self.memory.width > 1 else signal
            yield f"{pins}{side}{index % _HALF}", text if used else idle

    def _contents(self, port: int, low: int, width: int) -> Iterator[tuple[str, str]]:
        """The initial values that are not zero."""
        values = [0] * (_BLOCK_BITS // (_HALF * _INIT_WORDS))
        for address, word in enumerate(self.memory.words):
            for bit in range(width):
                if word >> (low + bit) & 1:
                    place = address * port + bit
                    if port < 9:  # the ninth bit of a byte is out of reach
                        place = place // 8 * 9 + place % 8
                    step, within = divmod(place, _HALF)
                    values[step // _INIT_WORDS] |= 1 << (step % _INIT_WORDS * _INIT_STEP + within)
        for index, value in enumerate(values):
            if value:
                yield f"INITVAL_{index:02X}", f"320'h{value:080x}"


# Products ------------------------------------------------------------------------------------------------------------


def _product(usage: Usage, cell: Cell) -> HardBlock | None:
    factors, product = (cell.ports["A"], cell.ports["B"]), cell.ports["Y"]
    widths = [width_of(factor) for factor in factors]
    constant = any(not chunk.wire for factor in factors for chunk in factor)
    if cell.number("A_SIGNED") or constant or len(product) != 1 or not all(1 < w <= _FACTOR_BITS for w in widths):
        return None
    if width_of(product) > _PRODUCT_BITS:
        return None
    register = _register_behind(usage, product)
    if register is None:
        return None
    before = [_register_before(usage, factor, register) for factor in factors]
    # Place and route knows the timing with both factors registered or with none.
    moved = [item for item in before if item is not None] if all(before) else []
    extraction = _Extraction(usage.module, _free_name(usage.module, "multiplier"), cell.source)
    extraction.input("clk", register.cell.ports["CLK"])
    enable = extraction.input("enable", (register.enable,))
    signals = []
    for name, factor, item in zip(("factor_a", "factor_b"), factors, before, strict=True):
        operand = extraction.input(name, item.data if item is not None and moved else factor)
        if item is not None and moved:
            operand = extraction.register(item.register, operand, enable, f"{name}_held")
        signals.append(operand)
    inside = extraction.module
    result = extraction.wire("result", width_of(product))
    ports = {"A": signals[0], "B": signals[1], "Y": result}
    inside.cells.append(Cell("$mul", cell.name, cell.source, cell.parameters, ports))
    held = extraction.register(register, result, enable, "held")
    extraction.output("data", register)
    inside.connections.append(Assignment((Chunk("\\data", 0, register.output.width),), held))
    # Synthesis removes the bits without a use of a register that stays in part.
    extraction.finish(cell, register, *(item.register for item in moved if item.whole))
    title = f"product of {widths[0]} and {widths[1]} bits, with a register behind it{' and before it' if moved else ''}"
    return HardBlock(inside, title, _ProductBody(widths, register.output.width, bool(moved)).lines)


@dataclass(frozen=True)
class _ProductBody:
    """A multiplier with its output register, and with its input registers where both factors have one; one enable for all."""

    widths: Sequence[int]
    product_width: int
    inputs: bool

    def lines(self, names: Mapping[str, str]) -> Iterator[str]:
        """The lines of the body."""
        registers = ["OUTPUT", *(("INPUTA", "INPUTB") if self.inputs else ())]
        parameters: dict[str, str] = {}
        for what in registers:
            parameters |= {
                f"REG_{what}_CLK": '"CLK0"',
                f"REG_{what}_CE": '"CE0"',
                f"REG_{what}_RST": '"RST0"',
            }
        pins = {"CLK0": names["clk"], "CE0": names.get("enable", _ONE), "RST0": _ZERO}
        pins |= dict.fromkeys(("SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB"), _ZERO)
        for side, name, width in zip("AB", ("factor_a", "factor_b"), self.widths, strict=True):
            pins |= {f"{side}{k}": f"{names[name]}[{k}]" if k < width else _ZERO for k in range(_FACTOR_BITS)}
        pins |= {f"C{k}": _ZERO for k in range(_FACTOR_BITS)}
        pins |= {f"P{k}": f"{names['data']}[{k}]" if k < self.product_width else "" for k in range(_PRODUCT_BITS)}
        yield from _instance("MULT18X18D", "block", parameters, pins)


def _instance(kind: str, name: str, parameters: Mapping[str, str], pins: Mapping[str, str]) -> Iterator[str]:
    """An instance, several short items to a line."""
    yield f"  {kind} #("
    yield from _listed([f".{parameter}({value})" for parameter, value in parameters.items()])
    yield f"  ) {name} ("
    yield from _listed([f".{pin}({signal})" for pin, signal in pins.items()])
    yield "  );"


def _listed(items: Sequence[str]) -> Iterator[str]:
    text = "   "
    for item in items:
        piece = f" {item}{',' if item is not items[-1] else ''}"
        if len(text) + len(piece) > 118 and text.strip():
            yield text
            text = "   "
        text += piece
    yield text
