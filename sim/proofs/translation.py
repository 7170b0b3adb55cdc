"""Proof that the generated Verilog is the description of the head: register by register, for all inputs and all states.

Amaranth's RTLIL is the description; statements about the parts of a head are about it. The text of the Verilog is written from
it, and Yosys reads it back. Both netlists are cut at their registers and memories, which the writer pairs by name:

    inputs, registers' values, words read ──► description ──►  next values, addresses, enables, words written, outputs
                    the same              ──►     text    ──►                    compared, bit by bit

Where all compared bits agree, equal states give equal outputs and equal next states, so the two agree in every cycle from equal
states on. The pairs need no trust: a wrong one makes bits differ. A register that only one side has is free, and so is each bit
without a value, which simulators show as X. Registers have the same initial values, tables the same words. What a
written memory holds at the start is free, the same on both sides, and not compared. A text with something that simulators and
synthesis read differently is refuted.

The method is translation validation: A. Pnueli, M. Siegel, E. Singerman, "Translation validation", TACAS 1998. Yosys and ABC
decide it, so an error of theirs in reading Verilog is not found here.
"""

import itertools
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from softstream.hw.config.config import Config
from softstream.hw.processes import tool_folder
from softstream.hw.verilog import TOP, description, generated_text
from softstream.sim.proofs.engine import Answer, Verdict, run_abc, run_yosys, without_initial_blocks, without_loops
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.proof import Progress, Proof

__all__ = ["prove_translation"]

Bit = int | str
"""A wire of one bit, by its number, or a constant."""

_MODULE, _CLOCK = "compared", "aclk"
_SHAPE = ("SIZE", "OFFSET", "WIDTH", "RD_PORTS", "WR_PORTS", "WR_PRIORITY_MASK")
_WITHOUT_VALUE = ("$shiftx", "$div", "$mod", "$divfloor", "$modfloor", "$pow", "$tribuf")
"""Kinds of cells that have no value for some operands; the writer uses none."""
_KINDS = {
    "register": "same next values",
    "memory": "same addresses, enables and words",
    "output": "same values",
}
"""Kind of what is compared → what is the same."""
_PLURALS = {"register": "registers", "memory": "memories", "output": "outputs", "table": "tables"}
_ANSWERS: Mapping[str, Answer] = {"UNSATISFIABLE": "proved", "SATISFIABLE": "refuted", "UNDECIDED": "open"}
"""ABC's words for whether an output of a graph without registers can be 1."""


class _Item(NamedTuple):
    """What is compared as one."""

    kind: Literal["register", "memory", "output"]
    name: str
    """In the text."""


class _Place(NamedTuple):
    """A bit of a register, of a memory's port or of a port of the head."""

    item: _Item
    pin: str
    bit: int


@dataclass
class _Side:
    """One of the netlists, cut at its registers and memories."""

    cells: dict[str, Any]
    inputs: dict[_Place, Bit] = field(default_factory=dict)
    """Values of registers, words that are read, inputs."""
    results: dict[_Place, Bit] = field(default_factory=dict)
    """Next values, what goes to memories, outputs."""
    initial: dict[_Place, str] = field(default_factory=dict)
    """Initial values of registers, where they have one."""
    tables: dict[str, str] = field(default_factory=dict)
    """Words of memories that nothing writes."""
    shapes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Memory → what its accesses do not tell: its size and the order of its ports."""
    foreign_cells: list[str] = field(default_factory=list)
    """Cells that hold something and are no register or memory of the one clock, or that may have no value."""


def prove_translation(
    config: Config,
    *,
    verilog: str | None = None,
    top: str = TOP,
    files: Mapping[str, str] | None = None,
    seconds: float = 60.0,
    reading_seconds: float | None = None,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Decides whether the Verilog of a head is its description.

    `verilog`: another text with the names of the generated one in its place; `top`: its top module; `files`: what it reads with
    `$readmemh`, by name. `seconds`: limit of each step of each tool; `reading_seconds`: of reading the Verilog, if that may take
    longer. A text for one technology has other registers than the portable one, and one with functions as tables has no tables,
    so these are refuted. Raises `MissingTool` and `ToolFailure`.
    """
    began = time.monotonic()
    generated = generated_text(config, top)
    text = without_loops(generated.verilog if verilog is None else verilog)
    sources = {"description.il": description(config, top), "text.v": text}
    with tool_folder({**(files or {}), **sources}) as folder:
        progress(0.1, "reading the Verilog")
        netlists = [
            _netlist(folder, top, command, reading_seconds or seconds)
            for command in ("read_rtlil description.il", "read_verilog text.v")
        ]
        progress(0.5, "comparing registers")
        if None in netlists:
            reading = Property("the Verilog is the description", "reading", False)
            verdicts = [Verdict(reading, "open", "–", None, seconds)]
        elif differences := _port_differences(*netlists):
            verdicts = [*_constants("same ports: all", differences)]
        else:
            places = dict(_flat_names(generated.places))
            names = [places, {name: name for name in places.values()}]
            described, written = (_cut(module, name) for module, name in zip(netlists, names, strict=True))
            verdicts = [*_form(text), *_facts(described, written)]
            if all(verdict.answer == "proved" for verdict in verdicts):
                verdicts += _compared(folder, described, written, seconds)
    return Proof(config, tuple(verdicts), time.monotonic() - began)


def _flat_names(places: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    """The name that Yosys gives a register or memory when it flattens the description, and its name in the text."""
    for (path, wire), name in places.items():
        instances = path.split(".")[1:]
        flat = "".join(["$flatten", *(f"\\{instance}." for instance in instances), wire])
        if wire.startswith("\\"):
            flat = ".".join([*instances, wire[1:]])
            yield f"{flat}[0]", f"{name}[0]"  # the register of a memory of one word
        yield flat, name


def _netlist(folder: Path, top: str, command: str, seconds: float) -> Any:
    """The flat module that a command reads, with its registers and memories as cells; None where the time is over."""
    commands = [
        command,
        f"hierarchy -check -top {top}",
        "proc",
        "flatten",
        "memory_nordff",  # the register behind a read port becomes one like all others
        "memory_collect",
        # Yosys reads a memory of one word as a register.
        "memory_map t:$mem_v2 r:SIZE=1 %i",
        "dffunmap",
        "clean_zerowidth",  # an operand without bits is 0, as of a floor that is 0 units; synthesis would leave its result open
        "check -assert",  # a wire has one driver, and no loop is without a register
        "write_json netlist.json",
    ]
    if not run_yosys(commands, folder, seconds=seconds):
        return None
    return json.loads((folder / "netlist.json").read_text(encoding="utf-8"))["modules"][top]


# Cutting -------------------------------------------------------------------------------------------------------------


def _cut(module: Mapping[str, Any], names: Mapping[str, str]) -> _Side:
    """A netlist without its registers and memories. `names`: those of its registers and memories → those in the text."""
    side = _Side(dict(module["cells"]))
    [clock] = module["ports"][_CLOCK]["bits"]
    aliases: dict[Bit, _Place] = {}
    initial: dict[Bit, str] = {}
    for name, net in module["netnames"].items():
        values = reversed(net["attributes"].get("init", ""))
        initial |= {bit: value for bit, value in zip(net["bits"], values, strict=False) if value in "01"}
        if name in names:
            item = _Item("register", names[name])
            aliases |= {bit: _Place(item, "", index) for index, bit in enumerate(net["bits"])}
    numbers = itertools.count(1 + _highest(module))
    for name, cell in list(side.cells.items()):
        pins = cell["connections"]
        if cell["type"] == "$mem_v2":
            _cut_memory(side, cell, names, numbers, clock)
        elif cell["type"] == "$dff" and pins["CLK"] == [clock] and _integer(cell, "CLK_POLARITY"):
            for stored, following in zip(pins["Q"], pins["D"], strict=True):
                if stored in aliases:
                    place = aliases[stored]
                    side.inputs[place], side.results[place] = stored, following
                    if stored in initial:
                        side.initial[place] = initial[stored]
        elif re.search("ff|latch|mem|sr", cell["type"]) or cell["type"] in _WITHOUT_VALUE:
            side.foreign_cells.append(name)
            continue
        else:
            continue
        del side.cells[name]
    for name, port in module["ports"].items():
        where = side.inputs if port["direction"] == "input" else side.results
        where |= {_Place(_Item("output", name), "", index): bit for index, bit in enumerate(port["bits"])}
    _free_unknown(side, numbers)
    return side


def _cut_memory(
    side: _Side, cell: Mapping[str, Any], names: Mapping[str, str], numbers: Iterator[int], clock: Bit
) -> None:
    """Makes the pins of a memory places: what is read is free, and what goes to it is driven."""
    pins, memory = cell["connections"], cell["parameters"]["MEMID"].removeprefix("\\")
    name = names.get(memory, memory)
    ports, width, address = (_integer(cell, key) for key in ("WR_PORTS", "WIDTH", "ABITS"))
    edges = _integer(cell, "WR_CLK_ENABLE") & _integer(cell, "WR_CLK_POLARITY")
    if edges != (1 << ports) - 1 or pins["WR_CLK"] != [clock] * ports or _integer(cell, "RD_CLK_ENABLE"):
        side.foreign_cells.append(memory)

    def places(pin: str, bits: Iterable[Bit]) -> dict[_Place, Bit]:
        return {_Place(_Item("memory", name), pin, index): bit for index, bit in enumerate(bits)}

    def gate(kind: str, one: Bit, other: Bit) -> Bit:
        result = next(numbers)
        side.cells[f"${name}${result}"] = _gate(kind, one, other, result)
        return result

    side.shapes[name] = tuple(cell["parameters"][key] for key in _SHAPE)
    side.inputs |= places("word read", pins["RD_DATA"])
    side.results |= places("address read", pins["RD_ADDR"])
    if not ports:
        side.tables[name] = cell["parameters"]["INIT"]
        return
    side.results |= places("enable", pins["WR_EN"])
    # Without the enable, address and word may be anything.
    words = [gate("$_AND_", enable, bit) for enable, bit in zip(pins["WR_EN"], pins["WR_DATA"], strict=True)]
    addresses: list[Bit] = []
    for port in range(ports):
        writes, *others = dict.fromkeys(pins["WR_EN"][port * width : (port + 1) * width])
        for other in others:
            writes = gate("$_OR_", writes, other)
        addresses += [gate("$_AND_", writes, bit) for bit in pins["WR_ADDR"][port * address : (port + 1) * address]]
    side.results |= places("word written", words) | places("address written", addresses)


def _free_unknown(side: _Side, numbers: Iterator[int]) -> None:
    """Gives each bit without a value a number of its own. `_joined` makes an input of every wire that nothing drives."""
    for cell in side.cells.values():
        for bits in cell["connections"].values():
            bits[:] = [next(numbers) if bit in ("x", "z") else bit for bit in bits]
    side.results = {place: next(numbers) if bit in ("x", "z") else bit for place, bit in side.results.items()}


def _gate(kind: str, one: Bit, other: Bit, result: Bit) -> dict[str, Any]:
    """A gate of two inputs, as a cell of Yosys' JSON."""
    return {
        "type": kind,
        "parameters": {},
        "attributes": {},
        "port_directions": {"A": "input", "B": "input", "Y": "output"},
        "connections": {"A": [one], "B": [other], "Y": [result]},
    }


def _integer(cell: Mapping[str, Any], parameter: str) -> int:
    return int(cell["parameters"][parameter], 2)


def _highest(module: Mapping[str, Any]) -> int:
    """The highest number of a wire."""
    groups = [net["bits"] for net in module["netnames"].values()]
    groups += [bits for cell in module["cells"].values() for bits in cell["connections"].values()]
    return max((bit for bits in groups for bit in bits if isinstance(bit, int)), default=1)


# Comparison ----------------------------------------------------------------------------------------------------------


_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_OBEYED = re.compile(r"\b(?:translate_off|translate_on|synthesis|synopsys|pragma)\b")
_FORM = {
    "a directive, which tools define differently": re.compile(r"`.*"),
    "a delay": re.compile(r".*#(?!\().*"),
    "a block that no clock edge starts": re.compile(r"\balways\b(?! @\(posedge \w+\)).*"),
    "an assignment that blocks": re.compile(
        r"^ *(?:always @\(posedge \w+\) |begin |(?:else )?if \(.*\) |else )*[\w\[\]:]+ = .*", re.MULTILINE
    ),
}
"""What simulators and synthesis read differently → a line with it, outside of comments and initial blocks."""


def _form(verilog: str) -> Iterator[Verdict]:
    """Whether a text has only what simulators and synthesis read alike: the solver sees what synthesis reads."""
    comments = [hit[0] for hit in _COMMENT.finditer(verilog) if _OBEYED.search(hit[0])]
    code = without_initial_blocks(_COMMENT.sub("", verilog))
    faults = [f"a comment that tools obey: {comment}" for comment in comments]
    faults += [f"{what}: {hit[0].strip()}" for what, pattern in _FORM.items() for hit in pattern.finditer(code)]
    yield from _constants("form: what simulators and synthesis read alike", faults)


def _port_differences(description: Any, text: Any) -> list[str]:
    """The ports that differ in name, direction or width."""
    one, other = (
        {f"{port['direction']} {name} of {len(port['bits'])} bits" for name, port in module["ports"].items()}
        for module in (description, text)
    )
    return sorted(one ^ other)


def _facts(description: _Side, text: _Side) -> Iterator[Verdict]:
    """What needs no solver: kinds of cells, initial values, sizes of memories and tables."""
    yield from _constants("cells: gates, and registers with the rising edge of aclk", text.foreign_cells)
    initialised = text.initial.keys() & description.inputs.keys()
    if initialised:  # a text states all initial values or none
        differences = [place for place in initialised if description.initial.get(place) != text.initial[place]]
        # The word of a memory may start with anything.
        differences += [
            place
            for place in (description.initial.keys() & text.inputs.keys()) - text.initial.keys()
            if not place.item.name.endswith("]")
        ]
        registers = {place.item for place in initialised}
        title = f"same initial values: {_count(len(registers), 'register')}"
        yield from _constants(title, (place.item.name for place in differences))
    memories = text.shapes.keys() & description.shapes.keys()
    if memories:
        title = f"same sizes: {_count(len(memories), 'memory')}"
        yield from _constants(title, (name for name in memories if text.shapes[name] != description.shapes[name]))
    tables = text.tables.keys() | description.tables.keys()
    if tables:
        title = f"same contents: {_count(len(tables), 'table')}"
        yield from _constants(title, (name for name in tables if text.tables.get(name) != description.tables.get(name)))


def _constants(title: str, faults: Iterable[str]) -> Iterator[Verdict]:
    """The verdict on a fact, or one for each fault; `title`: what is stated, a colon, and of what."""
    names = [f"{title.partition(':')[0]}: {fault}" for fault in sorted({*faults})]
    for name in names or [title]:
        yield Verdict(Property(name, name, False), "refuted" if names else "proved", "constant", None, 0.0)


def _count(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun if number == 1 else _PLURALS[noun]}"


def _compared(folder: Path, description: _Side, text: _Side, seconds: float) -> Iterator[Verdict]:
    """Compares every bit that both sides drive, and every output of the head."""
    module, items = _joined(description, text)
    kinds = {kind: [item for item in items if item.kind == kind] for kind in _KINDS}
    (folder / "joined.json").write_text(json.dumps({"creator": "softstream", "modules": {_MODULE: module}}))
    commands = [
        "read_json joined.json",
        f"hierarchy -top {_MODULE}",
        # Products with the same operands become one, because a solver takes long to see that two products agree.
        "wreduce",
        "opt_clean",
        "opt_merge",
        # Two rounds: the first one makes adders out of products, the second one gates out of adders.
        *["simplemap", "techmap"] * 2,
        "simplemap",
        "opt_clean",
        "aigmap",
        "opt_clean",
        "write_aiger -map joined.map joined.aig",
    ]
    began = time.monotonic()
    done = run_yosys(commands, folder, seconds=seconds)
    [answer] = _ask(folder, ["orpos"], seconds) if done else ["open"]
    differences: list[_Item] = []
    if answer == "refuted":
        answers = _ask(folder, [f"cone -O {number}" for number in range(len(items))], seconds)
        differences = [item for item, single in zip(items, answers, strict=True) if single != "proved"]
        answer = answer if differences else "open"
    spent = (time.monotonic() - began) / len(_KINDS)
    for kind, name in _KINDS.items():
        if not kinds[kind]:
            continue
        statement = Property(f"{name}: {_count(len(kinds[kind]), kind)}", kind, False)
        of_kind = [item for item in differences if item.kind == kind]
        if not of_kind:
            yield Verdict(statement, "open" if answer == "open" else "proved", "iprove", None, spent)
        for item in of_kind:
            yield Verdict(Property(f"{name}: {item.name}", item.name, False), "refuted", "iprove", None, spent)


def _ask(folder: Path, choices: Sequence[str], seconds: float) -> list[Answer]:
    """ABC's answers to whether the outputs of the graph that each command chooses are never 1."""
    script = "; ".join(f"read_aiger joined.aig; strash; {choice}; iprove" for choice in choices)
    output = run_abc(script, folder, seconds=seconds) or ""
    answers: list[Answer] = [_ANSWERS[word] for word in re.findall(f"^({'|'.join(_ANSWERS)})", output, re.MULTILINE)]
    missing: list[Answer] = ["open"] * (len(choices) - len(answers))
    return [*answers, *missing]


def _joined(description: _Side, text: _Side) -> tuple[dict[str, Any], list[_Item]]:
    """(a module with both sides on the same free bits, an output for each item that is 1 where they differ; the items)."""
    offset = 1 + max((bit for bit in _bits(description) if isinstance(bit, int)), default=0)
    same = {
        bit: description.inputs[place]
        for place, bit in text.inputs.items()
        if place in description.inputs and isinstance(bit, int)
    }

    def renumber(bit: Bit) -> Bit:
        return same.get(bit, bit + offset) if isinstance(bit, int) else bit

    cells = {f"description.{name}": cell for name, cell in description.cells.items()}
    for name, cell in text.cells.items():
        pins = {pin: [renumber(bit) for bit in bits] for pin, bits in cell["connections"].items()}
        cells[f"text.{name}"] = {**cell, "connections": pins}
    pairs: dict[_Item, list[tuple[Bit, Bit]]] = {}
    for place in description.results.keys() | text.results.keys():
        one, other = description.results.get(place), text.results.get(place)
        if place.item.kind == "memory" and place.item.name in description.shapes.keys() & text.shapes.keys():
            # A narrower address has zeros above it. Of a memory that one side does not have, any word may be read.
            one, other = one if one is not None else "0", other if other is not None else "0"
        if one is not None and other is not None:
            pairs.setdefault(place.item, []).append((one, renumber(other)))
    items = sorted(pairs)
    highest = max((bit for bit in map(renumber, _bits(text)) if isinstance(bit, int)), default=0)
    numbers = itertools.count(1 + max(offset, highest))
    ports: dict[str, Any] = {}
    for number, item in enumerate(items):
        differs = next(numbers)
        cells[f"difference.{number}"] = {
            "type": "$ne",
            "parameters": {
                "A_SIGNED": 0, "B_SIGNED": 0, "A_WIDTH": len(pairs[item]), "B_WIDTH": len(pairs[item]), "Y_WIDTH": 1,
            },
            "attributes": {},
            "port_directions": {"A": "input", "B": "input", "Y": "output"},
            "connections": {
                "A": [one for one, _ in pairs[item]], "B": [other for _, other in pairs[item]], "Y": [differs],
            },
        }  # fmt: skip
        ports[f"d{number:05}"] = {"direction": "output", "bits": [differs]}
    driven = {
        bit
        for cell in cells.values()
        for pin, bits in cell["connections"].items()
        if cell["port_directions"][pin] == "output"
        for bit in bits
    }
    used = {bit for cell in cells.values() for bits in cell["connections"].values() for bit in bits}
    inputs = sorted(bit for bit in used - driven if isinstance(bit, int))
    ports |= {f"i{bit}": {"direction": "input", "bits": [bit]} for bit in inputs}
    nets = {name: {"hide_name": 0, "bits": port["bits"], "attributes": {}} for name, port in ports.items()}
    return {"attributes": {}, "ports": ports, "cells": cells, "netnames": nets}, items


def _bits(side: _Side) -> Iterator[Bit]:
    """Every bit of a side."""
    yield from side.inputs.values()
    yield from side.results.values()
    for cell in side.cells.values():
        for bits in cell["connections"].values():
            yield from bits
