"""The Verilog of one module of a netlist: plain names, continuous assignments, clocked blocks.

All combinational logic is in continuous assignments. Icarus does not evaluate an `always @*` block at time zero if its inputs
have their values from their declarations, so that its outputs stay X; it does evaluate a continuous assignment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from softstream.hw.verilog.expressions import Expression, choice, concatenated, constant, extended, infix, prefix, span
from softstream.hw.verilog.names import Names, plain
from softstream.hw.verilog.netlist import Assignment, Cell, Chunk, Memory, Process, Signal, Switch, width_of
from softstream.hw.verilog.usage import Usage, edges

__all__ = ["TABLES", "InitialValues", "Line", "ModuleText"]

_LONGEST_LINE = 118
_LONGEST_LOOP = 4096
"""Iterations of a loop: Quartus refuses more than 5000."""
_SHORT_LOOP = 512
"""Iterations of each loop of a deeper memory. Yosys takes time with the square of the iterations in a block: 65574 words took
five minutes of processor time in one block, and take 13 s in blocks of 512."""
_LONGEST_INLINE = 60
"""Characters of an expression that stands where it is used, if it is used once."""

_BITWISE = {"$and": "&", "$or": "|", "$xor": "^"}
_ARITHMETIC = {"$add": "+", "$sub": "-", "$mul": "*"}
_COMPARISONS = {"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}
_REDUCTIONS = {"$reduce_and": "&", "$reduce_or": "|", "$reduce_bool": "|", "$reduce_xor": "^"}
_SHIFTS = {"$shl": "<<", "$shr": ">>", "$shift": ">>"}

_GENERIC = re.compile(r"^\\[io]_|\$")
"""Names of streams, which each component calls `i` and `o`, and numbered or missing names."""

_BREAKS = (", ", " | ", " & ", " ^ ", " + ", " : ", " ? ")


@dataclass(frozen=True)
class InitialValues:
    """Which initial values the text states, and how."""

    state: bool = True
    """Whether registers and written memories have one; the tables of constants always do."""
    tables: str = "inline"
    """How tables of constants get their words: one of `TABLES`."""


TABLES = ("inline", "readmemh", "case")
"""Assignments in an `initial` block, a file beside the text, or a function instead of a memory."""


@dataclass(frozen=True)
class Line:
    """A line of text, and the line of Python that it comes from; `declares` is the signal that it declares."""

    text: str
    source: str = ""
    declares: str = ""


def _folded(text: str, source: str = "", declares: str = "") -> Iterator[Line]:
    """A line, broken where it is too long."""
    indent = text[: len(text) - len(text.lstrip())] + "    "
    while len(text) > _LONGEST_LINE:
        cut = max(text.rfind(mark, len(indent) + 20, _LONGEST_LINE) + len(mark) - 1 for mark in _BREAKS)
        if cut <= len(indent) + 20:
            break
        yield Line(text[:cut].rstrip(), source, declares)
        text, declares = indent + text[cut:].lstrip(), ""
    yield Line(text, source, declares)


def _filled(items: Sequence[str], indent: str, source: str) -> Iterator[Line]:
    """Short statements, as many in a line as it holds."""
    text = ""
    for item in items:
        if text and len(text) + 1 + len(item) > _LONGEST_LINE:
            yield Line(text, source)
            text = ""
        text = f"{text} {item}" if text else f"{indent}{item}"
    if text:
        yield Line(text, source)


class ModuleText:
    """The text of a module.

    `ports`: module → port in the netlist → its name in the text. `modules`: module → its name in the text.
    """

    def __init__(
        self, usage: Usage, ports: Mapping[str, Mapping[str, str]], modules: Mapping[str, str], initial: InitialValues
    ) -> None:
        self._usage, self._module = usage, usage.module
        self._ports, self._modules = ports, modules
        self._initial = initial
        self.files: dict[str, str] = {}
        """File name → text: the contents of memories that the module reads from files."""
        self._names = Names(self._module.path.rpartition(".")[2])
        self._chosen: dict[str, str] = {}
        self._aliases: dict[Chunk, str] = {}
        self._inline: dict[str, Expression] = {}
        self._early: list[Line] = []
        """Declarations of wires that are used before their assignment, for example of outputs of instances."""
        self._wires: list[Line] = []
        self._open: set[str] = set()
        self._clock = ""

    def lines(self) -> Iterator[Line]:
        """The lines of the module."""
        self._choose_names()
        registers = list(self._registers())
        memories = list(self._memories())
        self._declare_instances()
        clocked = list(self._clocked())
        instances = list(self._instances())
        outputs = list(self._outputs())
        yield from self._header()
        for section in (registers, self._early, memories, self._wires, instances, clocked, outputs):
            if section:
                yield Line("")
                yield from section
        yield Line("endmodule")

    def storage_names(self) -> dict[str, str]:
        """Register or memory of the netlist → its name in the text, once `lines` has named it."""
        wires = [*self._usage.registers, *self._module.memories]
        return {wire: self._chosen[wire] for wire in wires if wire in self._chosen}

    def instance_names(self) -> dict[str, str]:
        """Module of the netlist → the name of its instance in the text, once `lines` has named it."""
        cells = [cell for cell in self._module.cells if cell.kind.startswith("\\")]
        return {cell.kind[1:]: self._chosen[f"cell {cell.name}"] for cell in cells}

    # Names -----------------------------------------------------------------------------------------------------------

    def _choose_names(self) -> None:
        own = self._ports[self._module.path]
        for wire, name in own.items():
            self._chosen[f"\\{wire}"] = self._names.new(name)
        for cell in self._module.cells:
            if cell.kind.startswith("\\"):
                self._chosen[f"cell {cell.name}"] = self._names.new(plain(cell.name), "stage")
        for memory in self._module.memories:
            self._chosen[memory] = self._names.new(plain(memory))
        for wire in self._usage.drivers:
            if wire not in self._chosen and plain(wire) and not _GENERIC.search(wire):
                self._chosen[wire] = self._names.new(plain(wire))

    def _name(self, wire: str) -> str:
        if wire not in self._chosen:
            self._chosen[wire] = self._names.new(self._description(wire))
        return self._chosen[wire]

    def _description(self, wire: str) -> str:
        """A name for a wire; of one that many wires have in the design, the instance at its end tells more."""
        driver = self._usage.drivers.get(wire)
        if isinstance(driver, tuple) and driver[0].kind.startswith("\\"):
            return self._usage.noun(wire, self._ports)
        if _GENERIC.search(wire) and wire in self._usage.consumers:
            cell, port = self._usage.consumers[wire]
            return f"{self._chosen[f'cell {cell.name}']}_{self._ports[cell.kind[1:]][port]}"
        return plain(wire) or self._usage.noun(wire, self._ports)

    # Signals ---------------------------------------------------------------------------------------------------------

    def _signal(self, signal: Signal) -> Expression:
        return concatenated([self._chunk(chunk) for chunk in reversed(signal)])

    def _chunk(self, chunk: Chunk) -> Expression:
        if not chunk.wire:
            return constant(chunk.width, chunk.value)
        width = self._module.wires[chunk.wire].width
        if chunk.width == width and chunk.low == 0:
            return self._need(chunk.wire)
        self._need(chunk.wire)
        if chunk in self._usage.fields:
            return Expression(self._alias(chunk), chunk.width)
        return Expression(f"{self._name(chunk.wire)}{_range(chunk.low, chunk.width)}", chunk.width)

    def _alias(self, chunk: Chunk) -> str:
        if chunk not in self._aliases:
            wire = self._name(chunk.wire)
            name = self._aliases[chunk] = self._names.new(f"{wire}_{self._usage.fields[chunk]}")
            text = f"  wire {span(chunk.width)}{name} = {wire}{_range(chunk.low, chunk.width)};"
            self._wires += _folded(text, self._module.wires[chunk.wire].source, name)
        return self._aliases[chunk]

    def _need(self, wire: str) -> Expression:
        """A wire as a whole: its name, declared by now, or the expression that stands for it."""
        if wire in self._inline:
            return self._inline[wire]
        width = self._module.wires[wire].width
        named = Expression(self._name(wire) if wire in self._chosen else "", width)
        driver = self._usage.drivers.get(wire)
        if driver is None or wire in self._usage.registers or self._module.wires[wire].direction:
            return named
        if isinstance(driver, tuple) and driver[0].kind.startswith("\\"):
            return named
        if wire in self._open:  # a loop through other bits of the same wire
            self._early_declaration(wire)
            return Expression(self._name(wire), width)
        self._open.add(wire)
        value = self._driven(wire, driver)
        once = self._usage.counts[wire] == 1 and wire not in self._usage.divided and wire.startswith("$")
        if value is not None and once and len(value.text) <= _LONGEST_INLINE:
            self._inline[wire] = value
            return value
        name = self._name(wire)
        self._inline[wire] = Expression(name, width)
        source = driver[0].source if isinstance(driver, tuple) else driver.source
        source = self._module.wires[wire].source or source
        if value is None:
            pass  # assigned part by part
        elif any(line.declares == name for line in self._early):
            self._wires += _folded(f"  assign {name} = {value.text};", source)
        else:
            self._wires += _folded(f"  wire {span(width)}{name} = {value.text};", source, name)
        return self._inline[wire]

    def _early_declaration(self, wire: str) -> None:
        name, width = self._name(wire), self._module.wires[wire].width
        if not any(line.declares == name for line in self._early):
            self._early.append(Line(f"  wire {span(width)}{name};", self._module.wires[wire].source, name))

    # Operators -------------------------------------------------------------------------------------------------------

    def _driven(self, wire: str, driver: tuple[Cell, str] | Process) -> Expression | None:
        """The value of a wire; None where its parts are assigned one by one."""
        if isinstance(driver, Process):
            return self._computed(wire, driver)
        return self._operator(driver[0])

    def _operator(self, cell: Cell) -> Expression:
        kind, width = cell.kind, cell.number("Y_WIDTH") if "Y_WIDTH" in cell.parameters else 0
        if kind == "$mux":
            condition = self._signal(cell.ports["S"])
            return choice(condition, self._signal(cell.ports["B"]), self._signal(cell.ports["A"]))
        if kind in ("$shl", "$shr", "$shift", "$sshr"):
            return self._shift(cell, width)
        first = self._signal(cell.ports["A"])
        signed = cell.number("A_SIGNED") == 1
        if kind in _REDUCTIONS and not first.width:
            return constant(1, kind == "$reduce_and")
        if kind in _REDUCTIONS:
            return prefix(_REDUCTIONS[kind], first, 1)._replace(operator="reduce")
        if kind == "$not":
            return prefix("~", self._widened(first, width, signed), width)
        if kind == "$neg":
            return prefix("-", self._widened(first, width, signed), width)
        second = self._signal(cell.ports["B"])
        if kind in _BITWISE:
            return infix(_BITWISE[kind], first, second, width)
        if kind in _ARITHMETIC:
            left, right = (self._widened(value, width, signed) for value in (first, second))
            return infix(_ARITHMETIC[kind], left, right, width)
        if kind in _COMPARISONS:
            widest = max(first.width, second.width)
            if not widest:
                return constant(1, kind in ("$eq", "$le", "$ge"))
            one, other = (self._widened(value, widest, signed) for value in (first, second))
            if signed and kind not in ("$eq", "$ne"):
                one, other = (Expression(f"$signed({value.text})", widest) for value in (one, other))
            return infix(_COMPARISONS[kind], one, other, 1)
        raise ValueError(f"no Verilog for a cell of kind {kind}")

    def _widened(self, value: Expression, width: int, signed: bool) -> Expression:
        """A value with zeros, or copies of its sign, above it."""
        if not signed or value.width == width:
            return extended(value, width)
        if not value.text.isidentifier():
            value = self._helper("operand", value)
        sign = Expression(f"{value.text}{_range(value.width - 1, 1) if value.width > 1 else ''}", 1)
        return concatenated([sign] * (width - value.width) + [value])

    def _helper(self, base: str, value: Expression) -> Expression:
        """A wire for a value whose bits are needed."""
        name = self._names.new(base)
        self._wires += _folded(f"  wire {span(value.width)}{name} = {value.text};", "", name)
        return Expression(name, value.width)

    def _shift(self, cell: Cell, width: int) -> Expression:
        signal, amount = cell.ports["A"], cell.ports["B"]
        if not any(chunk.wire for chunk in amount):
            return self._signal(_moved(cell, width, sum(chunk.value << low for low, chunk in _placed(amount))))
        if cell.kind == "$sshr":
            raise ValueError("no Verilog for an arithmetic shift by a variable")
        value = extended(self._signal(signal), max(width, width_of(signal)))
        shifted = infix(_SHIFTS[cell.kind], value, self._signal(amount), value.width)
        if value.width == width:
            return shifted
        name = self._helper("shifted", shifted).text
        return Expression(f"{name}{_range(0, width)}", width)

    # Processes -------------------------------------------------------------------------------------------------------

    def _computed(self, wire: str, process: Process) -> Expression | None:
        width = self._module.wires[wire].width
        cuts = sorted({0, width} | edges(process.body, wire))
        parts = [(low, high - low) for low, high in pairwise(cuts)]
        conditional = any(isinstance(item, Switch) for item in process.body)
        if not conditional or len(parts) == 1:
            values = [self._value(process.body, Chunk(wire, low, size), None) for low, size in reversed(parts)]
            signals = [value for value in values if isinstance(value, tuple) and not isinstance(value, Expression)]
            if len(signals) == len(values):
                return self._signal(_merged([chunk for signal in reversed(signals) for chunk in signal]))
            [value] = values
            assert isinstance(value, Expression)
            return value
        self._early_declaration(wire)
        name = self._name(wire)
        for low, size in parts:
            value = self._rendered(self._value(process.body, Chunk(wire, low, size), None))
            self._wires += _folded(f"  assign {name}{_range(low, size)} = {value.text};", process.source)
        return None

    def _rendered(self, value: Signal | Expression | None) -> Expression:
        assert value is not None
        return value if isinstance(value, Expression) else self._signal(value)

    def _value(
        self, body: Sequence[Assignment | Switch], part: Chunk, before: Signal | Expression | None
    ) -> Signal | Expression | None:
        """The value of some bits of a wire after the assignments; `before` is the one before them."""
        value = before
        for item in body:
            if isinstance(item, Assignment):
                for low, chunk in _placed(item.target):
                    if chunk.wire == part.wire and chunk.low <= part.low < chunk.low + chunk.width:
                        value = _slice(item.value, low + part.low - chunk.low, part.width)
                continue
            branches: list[tuple[Expression | None, Expression]] = []
            for condition, inner in self._branches(item):
                branches.append((condition, self._rendered(self._value(inner, part, value))))
            if all(branch == branches[0][1] for _, branch in branches) and branches[-1][0] is None:
                value = branches[0][1]
                continue
            last = branches.pop()[1] if branches[-1][0] is None else self._rendered(value)
            for condition, branch in reversed(branches):
                assert condition is not None
                last = branch if branch == last else choice(condition, branch, last)
            value = last
        return value

    def _branches(self, switch: Switch) -> list[tuple[Expression | None, Sequence[Assignment | Switch]]]:
        """Condition → body, in order; the last one has no condition if one of the cases always applies."""
        branches: list[tuple[Expression | None, Sequence[Assignment | Switch]]] = []
        left = set(range(1 << width)) if (width := width_of(switch.selector)) <= 4 else None
        for patterns, body in switch.cases:
            if left is not None:
                left -= {value for value in left if any(_matches(pattern, value) for pattern in patterns)}
            if not patterns or left == set():
                return [*branches, (None, body)]
            conditions = [self._matching(switch.selector, pattern) for pattern in patterns]
            condition = conditions[0]
            for other in conditions[1:]:
                condition = infix("|", condition, other, 1)
            if condition.text == "1'b1":
                return [*branches, (None, body)]
            branches.append((condition, body))
        return branches

    def _matching(self, selector: Signal, pattern: str) -> Expression:
        """Whether a selector has the bits of a pattern, whose first character is the highest bit."""
        if "-" not in pattern and len(pattern) > 1:
            return infix("==", self._signal(selector), constant(len(pattern), int(pattern, 2)), 1)
        terms = []
        for bit, character in enumerate(reversed(pattern)):
            if character != "-":
                one = self._signal(_slice(selector, bit, 1))
                terms.append(one if character == "1" else prefix("~", one, 1))
        condition = terms[0]
        for term in terms[1:]:
            condition = infix("&", condition, term, 1)
        return condition

    # Registers, memories, instances ----------------------------------------------------------------------------------

    def _header(self) -> Iterator[Line]:
        own = self._ports[self._module.path]
        yield Line(f"module {self._modules[self._module.path]} (", self._module.source)
        ports = [wire for wire in self._module.ports if wire.width]
        for wire in ports:
            kind = "reg " if wire.name in self._usage.registers else "wire"
            text = f"  {wire.direction:<6} {kind} {span(wire.width)}{own[wire.name[1:]]}"
            yield Line(f"{text}{',' if wire is not ports[-1] else ''}", wire.source, own[wire.name[1:]])
        yield Line(");")

    def _registers(self) -> Iterator[Line]:
        initial = []
        for wire, cell in self._usage.registers.items():
            row, name = self._module.wires[wire], self._name(wire)
            if not row.direction:
                yield Line(f"  reg {span(row.width)}{name};", row.source or cell.source, name)
            if row.initial is not None and self._initial.state:
                initial.append(Line(f"    {name} = {constant(row.width, row.initial).text};", row.source))
        if initial:
            yield from (Line("  initial begin"), *initial, Line("  end"))

    def _memories(self) -> Iterator[Line]:
        for memory in self._module.memories.values():
            if self._is_function(memory):
                yield from self._function(memory)
                continue
            name = self._name(memory.name)
            attributes = ", ".join(f"{key} = {value}" for key, value in memory.attributes.items())
            prefix_text = f"(* {attributes} *) " if attributes else ""
            yield Line(f"  {prefix_text}reg {span(memory.width)}{name} [0:{memory.depth - 1}];", memory.source, name)
            if memory.written and not any(memory.words):
                if self._initial.state:
                    yield from self._zeros(name, memory.width, memory.depth)
            elif self._initial.tables == "readmemh":
                file = f"{self._modules[self._module.path]}_{name}.mem"
                digits = -(-memory.width // 4)
                self.files[file] = "".join(f"{word:0{digits}x}\n" for word in memory.words)
                yield Line(f'  initial $readmemh("{file}", {name});', memory.source)
            else:
                yield Line("  initial begin")
                items = [
                    f"{name}[{row}] = {constant(memory.width, word).text};" for row, word in enumerate(memory.words)
                ]
                yield from _filled(items, "    ", memory.source)
                yield Line("  end")

    def _is_function(self, memory: Memory) -> bool:
        """Whether the text has a function in place of a memory."""
        return self._initial.tables == "case" and not memory.written

    def _function(self, memory: Memory) -> Iterator[Line]:
        """A table as a function, for tools that ignore the initial values of memories."""
        name = self._name(memory.name)
        digits, row_name = max(1, (memory.depth - 1).bit_length()), self._names.new(f"{name}_row")
        yield Line(f"  function {span(memory.width)}{name};", memory.source, name)
        yield Line(f"    input {span(digits)}{row_name};")
        yield Line(f"    case ({row_name})")
        items = [
            f"{constant(digits, row).text}: {name} = {constant(memory.width, word).text};"
            for row, word in enumerate(memory.words)
        ]
        yield from _filled(items, "      ", memory.source)
        yield Line(f"      default: {name} = {constant(memory.width, 0).text};")
        yield Line("    endcase")
        yield Line("  endfunction")

    def _zeros(self, name: str, width: int, depth: int) -> Iterator[Line]:
        if depth > _LONGEST_LOOP:
            yield from self._zeros_in_blocks(name, width, depth)
            return
        index = self._names.new(f"{name}_index")
        yield Line(f"  integer {index};")
        yield Line("  initial begin")
        step = f"{index} = 0; {index} < {depth}; {index} = {index} + 1"
        yield Line(f"    for ({step}) {name}[{index}] = {constant(width, 0).text};")
        yield Line("  end")

    def _zeros_in_blocks(self, name: str, width: int, depth: int) -> Iterator[Line]:
        """Each block has an index of its own, because the order of `initial` blocks is not defined."""
        for low in range(0, depth, _SHORT_LOOP):
            block, index = (self._names.new(f"{name}_{low}_{part}") for part in ("zero", "index"))
            step = f"{index} = {low}; {index} < {min(depth, low + _SHORT_LOOP)}; {index} = {index} + 1"
            yield Line(f"  initial begin : {block}")
            yield Line(f"    integer {index};")
            yield Line(f"    for ({step}) {name}[{index}] = {constant(width, 0).text};")
            yield Line("  end")

    def _declare_instances(self) -> None:
        for wire, driver in self._usage.drivers.items():
            if isinstance(driver, tuple) and driver[0].kind.startswith("\\"):
                self._name(wire)
                if not self._module.wires[wire].direction:
                    self._early_declaration(wire)

    def _instances(self) -> Iterator[Line]:
        for cell in self._module.cells:
            if not cell.kind.startswith("\\"):
                continue
            names = self._ports[cell.kind[1:]]
            outputs = self._usage.output_ports(cell)
            rows = []
            for port, signal in cell.ports.items():
                if signal:
                    text = self._output(signal) if port in outputs else self._signal(signal).text
                    rows.append(f"    .{names[port]}({text})")
            yield Line(f"  {self._modules[cell.kind[1:]]} {self._chosen[f'cell {cell.name}']} (", cell.source)
            for row in rows:
                yield from _folded(f"{row}{',' if row is not rows[-1] else ''}", cell.source)
            yield Line("  );")

    def _output(self, signal: Signal) -> str:
        return concatenated(
            [
                Expression(
                    self._name(chunk.wire)
                    + ("" if chunk.width == self._module.wires[chunk.wire].width else _range(chunk.low, chunk.width)),
                    chunk.width,
                )
                for chunk in reversed(signal)
            ]
        ).text

    def _outputs(self) -> Iterator[Line]:
        for port in self._module.ports:
            if port.direction != "output" or not port.width or port.name in self._usage.registers:
                continue
            driver = self._usage.drivers.get(port.name)
            name = self._name(port.name)
            if driver is None:
                value = self._signal(self._usage.outputs[port.name])
            elif isinstance(driver, tuple) and driver[0].kind.startswith("\\"):
                continue
            else:
                if any(line.text.startswith(f"  assign {name}[") for line in self._wires):
                    continue
                driven = self._driven(port.name, driver)
                if driven is None:
                    continue
                value = driven
            yield from _folded(f"  assign {name} = {value.text};", port.source)

    def _clocked(self) -> Iterator[Line]:
        plain_lines: list[Line] = []
        conditional: list[list[Line]] = []
        for cell in self._module.cells:
            if cell.kind == "$dff":
                [q] = cell.ports["Q"]
                data, name = cell.ports["D"], self._name(q.wire)
                clock = self._signal(cell.ports["CLK"]).text
                process = self._usage.next_values.get(data[0].wire) if len(data) == 1 else None
                source = self._module.wires[q.wire].source or cell.source
                if process is None:
                    plain_lines += _folded(f"    {name} <= {self._signal(data).text};", source)
                else:
                    body = list(self._statements(process.body, data[0].wire, q.wire, "    "))
                    if len(body) == 1:
                        plain_lines += body
                    elif body:
                        conditional.append([Line(f"  always @(posedge {clock}) begin"), *body, Line("  end")])
            elif cell.kind == "$memrd_v2":
                clock = self._signal(cell.ports["CLK"]).text
                enable = self._enable(cell.ports["EN"])
                name, address = self._chosen[cell.parameters["MEMID"]], self._address(cell.ports["ADDR"])
                if self._is_function(self._module.memories[cell.parameters["MEMID"]]):
                    word = f"{name}({address})"
                else:
                    word = f"{name}[{address}]"
                text = f"{self._name(cell.ports['DATA'][0].wire)} <= {word};"
                conditional.append([*_folded(f"  always @(posedge {clock}) {enable}{text}", cell.source)])
            elif cell.kind == "$memwr_v2":
                clock = self._signal(cell.ports["CLK"]).text
                memory, address = self._chosen[cell.parameters["MEMID"]], self._address(cell.ports["ADDR"])
                block: list[Line] = []
                for low, enable_bit, size in _granules(cell.ports["EN"]):
                    whole = size == width_of(cell.ports["DATA"])
                    target = f"{memory}[{address}]{'' if whole else _range(low, size)}"
                    data_text = self._signal(_slice(cell.ports["DATA"], low, size)).text
                    block += _folded(
                        f"  always @(posedge {clock}) {self._enable((enable_bit,))}{target} <= {data_text};",
                        cell.source,
                    )
                conditional.append(block)
            else:
                continue
            self._clock = clock
        if plain_lines:
            yield from (Line(f"  always @(posedge {self._clock}) begin"), *plain_lines, Line("  end"))
        for lines in conditional:
            yield from lines

    def _address(self, signal: Signal) -> str:
        """The address of a word; a memory of one word has an address without bits."""
        return self._signal(signal).text if signal else "1'b0"

    def _enable(self, signal: Signal) -> str:
        if not signal[0].wire:
            assert signal[0].value
            return ""
        return f"if ({self._signal(signal).text}) "

    def _statements(self, body: Sequence[Assignment | Switch], data: str, q: str, indent: str) -> Iterator[Line]:
        """The assignments of a process to the next value of a register, as statements of its clocked block."""
        items = [
            item for item in body if not (isinstance(item, Assignment) and item.value == _as(item.target, data, q))
        ]
        last = items[-1] if items else None
        if len(items) > 1 and isinstance(last, Switch) and self._covers(last, data):
            # A reset that overrides all else stands first.
            [(condition, inner)] = self._branches(last)
            assert condition is not None
            [statement] = self._statements(inner, data, q, "")
            yield Line(f"{indent}if ({condition.text}) {statement.text}", statement.source)
            rest = list(self._statements(items[:-1], data, q, indent))
            if len(rest) == 1 or (len(items) == 2 and rest[0].text.lstrip().startswith("if")):
                first, *others = rest
                yield Line(f"{indent}else {first.text.lstrip()}", first.source)
                yield from others
            else:
                yield Line(f"{indent}else begin")
                yield from (Line(f"  {line.text}", line.source) for line in rest)
                yield Line(f"{indent}end")
            return
        for item in items:
            if isinstance(item, Assignment):
                [target] = item.target
                whole = target.width == self._module.wires[q].width
                place = f"{self._name(q)}{'' if whole else _range(target.low, target.width)}"
                source = self._module.wires[q].source
                yield from _folded(f"{indent}{place} <= {self._signal(item.value).text};", source)
                continue
            branches = self._branches(item)
            if branches[0][0] is None:  # always
                yield from self._statements(branches[0][1], data, q, indent)
                continue
            word = "if"
            for condition, inner in branches:
                lines = list(self._statements(inner, data, q, f"{indent}  "))
                head = f"{word} ({condition.text})" if condition else "else"
                word = "else if"
                # An `else` that follows would belong to an inner `if` of the same statement.
                ambiguous = len(branches) > 1 and lines and lines[0].text.lstrip().startswith("if")
                if not lines:
                    yield Line(f"{indent}{head} begin end")
                elif (
                    len(lines) == 1
                    and not ambiguous
                    and len(f"{indent}{head} {lines[0].text.lstrip()}") < _LONGEST_LINE
                ):
                    yield Line(f"{indent}{head} {lines[0].text.lstrip()}", lines[0].source)
                else:
                    yield Line(f"{indent}{head} begin")
                    yield from lines
                    yield Line(f"{indent}end")

    def _covers(self, switch: Switch, data: str) -> bool:
        """Whether a switch has one case, which assigns the whole next value."""
        if len(switch.cases) != 1 or len(switch.cases[0][1]) != 1:
            return False
        [item] = switch.cases[0][1]
        return isinstance(item, Assignment) and item.target == (Chunk(data, 0, self._module.wires[data].width),)


def _range(low: int, width: int) -> str:
    return f"[{low}]" if width == 1 else f"[{low + width - 1}:{low}]"


def _placed(signal: Signal) -> Iterator[tuple[int, Chunk]]:
    """Lowest bit in the signal → chunk."""
    low = 0
    for chunk in signal:
        yield low, chunk
        low += chunk.width


def _slice(signal: Signal, low: int, width: int) -> Signal:
    chunks = []
    for begin, chunk in _placed(signal):
        first, end = max(low, begin), min(low + width, begin + chunk.width)
        if first < end:
            chunks.append(chunk.part(first - begin, end - first))
    return tuple(chunks)


def _merged(chunks: Sequence[Chunk]) -> Signal:
    """Neighbours that continue each other are one chunk."""
    merged: list[Chunk] = []
    for chunk in chunks:
        last = merged[-1] if merged else None
        if last is not None and last.wire == chunk.wire and chunk.wire and last.low + last.width == chunk.low:
            merged[-1] = Chunk(last.wire, last.low, last.width + chunk.width)
        elif last is not None and not last.wire and not chunk.wire:
            merged[-1] = Chunk("", 0, last.width + chunk.width, last.value | chunk.value << last.width)
        else:
            merged.append(chunk)
    return tuple(merged)


def _as(target: Signal, data: str, q: str) -> Signal:
    """The bits of the register that belong to bits of its next value."""
    return tuple(Chunk(q, chunk.low, chunk.width) if chunk.wire == data else chunk for chunk in target)


def _matches(pattern: str, value: int) -> bool:
    return all(c in ("-", str(value >> bit & 1)) for bit, c in enumerate(reversed(pattern)))


def _granules(enable: Signal) -> Iterator[tuple[int, Chunk, int]]:
    """Lowest bit, enable, and width of each part of a word that is written on its own."""
    bits = [chunk.part(bit, 1) for chunk in enable for bit in range(chunk.width)]
    low = 0
    while low < len(bits):
        size = 1
        while low + size < len(bits) and bits[low + size] == bits[low]:
            size += 1
        yield low, bits[low], size
        low += size


def _moved(cell: Cell, width: int, amount: int) -> Signal:
    """The operand of a shift by a constant, moved."""
    signal = cell.ports["A"]
    top = _slice(signal, width_of(signal) - 1, 1) if cell.kind == "$sshr" else (Chunk("", 0, 1, 0),)
    if cell.kind == "$shl":
        signal = (*([Chunk("", 0, amount, 0)] if amount else []), *signal)
    else:
        signal = _slice(signal, amount, width_of(signal))
    missing = width - width_of(signal)
    return (*signal, *(top * missing)) if missing > 0 else _slice(signal, 0, width)
