"""A netlist as Amaranth's RTLIL text holds it: modules with wires, cells, processes and memories.

The reader knows what Amaranth writes, which is a part of the language: https://yosyshq.readthedocs.io, "RTLIL text
representation". A signal is a tuple of chunks, lowest bits first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = [
    "Assignment",
    "Cell",
    "Chunk",
    "Memory",
    "Module",
    "Process",
    "Signal",
    "Switch",
    "Wire",
    "read_rtlil",
    "width_of",
]


class Chunk(NamedTuple):
    """Bits of a wire, or, where `wire` is empty, a constant."""

    wire: str
    low: int
    width: int
    value: int = 0

    def part(self, low: int, width: int) -> Chunk:
        """Some of its bits."""
        if self.wire:
            return Chunk(self.wire, self.low + low, width)
        return Chunk("", 0, width, (self.value >> low) & ((1 << width) - 1))


Signal = tuple[Chunk, ...]


def width_of(signal: Signal) -> int:
    """Bits of a signal."""
    return sum(chunk.width for chunk in signal)


@dataclass
class Wire:
    """A wire, and its direction where it is a port."""

    name: str
    width: int
    direction: str
    source: str
    initial: int | None


@dataclass
class Memory:
    """A memory; `words` are its initial values."""

    name: str
    width: int
    depth: int
    attributes: dict[str, str]
    source: str
    words: list[int] = field(default_factory=list)
    written: bool = False


@dataclass
class Cell:
    """An operator, a flip-flop, a port of a memory, or the instance of a module."""

    kind: str
    name: str
    source: str
    parameters: dict[str, str] = field(default_factory=dict)
    ports: dict[str, Signal] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """A parameter that is an integer."""
        return int(self.parameters[name])


@dataclass
class Assignment:
    """Bits of wires that get a value."""

    target: Signal
    value: Signal


@dataclass
class Switch:
    """The first case with a pattern that matches is taken; a case without a pattern always matches; `-` matches any bit."""

    selector: Signal
    cases: list[tuple[list[str], list[Assignment | Switch]]] = field(default_factory=list)


@dataclass
class Process:
    """Combinational assignments in order; the last one that applies counts."""

    source: str
    body: list[Assignment | Switch]


@dataclass
class Module:
    """A module; `path` names its place in the hierarchy."""

    path: str
    source: str
    wires: dict[str, Wire] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    connections: list[Assignment] = field(default_factory=list)

    @property
    def ports(self) -> list[Wire]:
        """Its ports, in order."""
        return [wire for wire in self.wires.values() if wire.direction]


_CONSTANT = re.compile(r"(\d+)'([01x]*)")


def read_rtlil(text: str) -> list[Module]:
    """The modules of a text, each before those that it instantiates; wires without bits are left out."""
    return list(_Reader(text).modules())


class _Reader:
    def __init__(self, text: str) -> None:
        self._lines = iter(text.splitlines())
        self._attributes: dict[str, str] = {}
        self._module = Module("", "")
        self._ahead: list[str] = []
        """The line that ended the last body: `end`, or the header of the next case."""

    def _words(self) -> Iterator[list[str]]:
        for line in self._lines:
            if words := line.split():
                yield words

    def modules(self) -> Iterator[Module]:
        for words in self._words():
            match words[0]:
                case "attribute":
                    self._attributes[words[1][1:]] = " ".join(words[2:])
                    continue
                case "module":
                    self._module = Module(words[1][1:], self._source())
                case "wire":
                    self._wire(words)
                case "memory":
                    self._memory(words)
                case "cell":
                    self._cell(words)
                case "process":
                    source = self._source()
                    self._module.processes.append(Process(source, list(self._body())))
                case "connect":
                    self._module.connections += self._assignment(words[1:])
                case "end":
                    yield self._module
                case _:
                    raise ValueError(f"unknown line of RTLIL: {' '.join(words)}")
            self._attributes = {}

    def _source(self) -> str:
        return self._attributes.get("src", "").strip('"')

    def _wire(self, words: list[str]) -> None:
        name, width = words[-1], int(words[2])
        direction = next((word for word in words if word in ("input", "output")), "")
        initial = self._attributes.get("init")
        self._module.wires[name] = Wire(
            name, width, direction, self._source(), None if initial is None else self._constant(initial).value
        )

    def _memory(self, words: list[str]) -> None:
        attributes = {name: value for name, value in self._attributes.items() if name != "src"}
        memory = Memory(words[-1], int(words[2]), int(words[4]), attributes, self._source())
        self._module.memories[memory.name] = memory

    def _cell(self, words: list[str]) -> None:
        cell = Cell(words[1], words[2], self._source())
        for line in self._words():
            if line[0] == "end":
                break
            if line[0] == "parameter":
                cell.parameters[line[-2][1:]] = line[-1].strip('"').replace("\\\\", "\\")
            else:
                cell.ports[line[1][1:]] = self._signal(line[2:])[0]
        memory = self._module.memories.get(cell.parameters.get("MEMID", ""))
        if memory is not None and cell.kind == "$meminit_v2":
            [data] = cell.ports["DATA"] or (Chunk("", 0, 0),)
            memory.words = [data.part(memory.width * row, memory.width).value for row in range(memory.depth)]
            return
        if memory is not None and cell.kind == "$memwr_v2":
            memory.written = True
        self._module.cells.append(cell)

    def _body(self) -> Iterator[Assignment | Switch]:
        for words in self._words():
            match words[0]:
                case "assign":
                    yield from self._assignment(words[1:])
                case "switch":
                    switch = self._switch(words)
                    if switch.selector:
                        yield switch
                    else:  # Amaranth writes assignments that follow a switch as the only case of a switch without selector
                        yield from switch.cases[0][1]
                case "attribute":
                    continue
                case _:
                    self._ahead = words
                    return

    def _switch(self, words: list[str]) -> Switch:
        switch = Switch(self._signal(words[1:])[0])
        header = next(self._words())
        while header[0] == "attribute":
            header = next(self._words())
        while header[0] == "case":
            patterns = [word.rstrip(",").partition("'")[2] for word in header[1:]]
            switch.cases.append((patterns, list(self._body())))
            header = self._ahead
        return switch

    def _assignment(self, words: list[str]) -> list[Assignment]:
        target, rest = self._signal(words)
        value, _ = self._signal(rest)
        return [Assignment(target, value)] if target else []

    @staticmethod
    def _constant(word: str) -> Chunk:
        match = _CONSTANT.fullmatch(word)
        if match is None:
            return Chunk("", 0, 32, int(word))
        return Chunk("", 0, int(match[1]), int(match[2].replace("x", "0") or "0", 2))

    def _signal(self, words: list[str]) -> tuple[Signal, list[str]]:
        """The signal that the words begin with, and the words after it."""
        if words[0] == "{}":
            return (), words[1:]
        if words[0] == "{":
            end = words.index("}")
            chunks: list[Chunk] = []
            inside = words[1:end]
            while inside:
                part, inside = self._signal(inside)
                chunks = [*part, *chunks]  # the highest come first
            return tuple(chunk for chunk in chunks if chunk.width), words[end + 1 :]
        if words[0][0] not in "\\$":
            constant = self._constant(words[0])
            return ((constant,) if constant.width else ()), words[1:]
        wire, rest = self._module.wires[words[0]], words[1:]
        low, width = 0, wire.width
        if rest and rest[0][0] == "[":
            high, _, last = rest[0][1:-1].partition(":")
            low = int(last or high)
            width, rest = int(high) - low + 1, rest[1:]
        return ((Chunk(wire.name, low, width),) if width else ()), rest
