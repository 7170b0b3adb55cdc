"""Faults in the Verilog of a head, all in one text: an input of every module chooses which of them is active.

Each fault changes one token of one expression: an operator, an inversion, a condition, a constant, a bit of a slice, or the value
of a reset. The text holds both forms of the expression, `mutant == K ? fault : original`, so one build serves all faults. With
`mutant` = 0 the text is the head as it was generated. The method is that of mutant schemata: R. H. Untch, A. J. Offutt,
M. J. Harrold, "Mutation analysis using mutant schemata", ISSTA 1993.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["SELECTOR", "Mutant", "mutants", "schema"]

SELECTOR = "mutant"
"""Name of the input that chooses the fault."""

SELECTOR_BITS = 12


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    number: int
    """Value of the selector that activates it; 0 is none."""
    line: int
    """Line of the generated Verilog, from 0."""
    kind: str
    module: str
    """Place in the head, as `head.frame`."""
    original: str
    fault: str


_TOKENS: tuple[tuple[str, str, str], ...] = (
    ("operator", r" & ", " | "),
    ("operator", r" \| ", " & "),
    ("operator", r" \^ ", " & "),
    ("operator", r" \+ ", " - "),
    ("operator", r" - ", " + "),
    ("comparison", r" == ", " != "),
    ("comparison", r" != ", " == "),
    ("comparison", r" < ", " <= "),
    ("comparison", r" <= ", " < "),
    ("comparison", r" >= ", " > "),
    ("inversion", r"~", ""),
)

_CONSTANT = re.compile(r"(\d+)'([hb])([0-9a-f]+)")
_SLICE = re.compile(r"(?<=[a-z0-9_])\[(\d+)\]")
_HEADING = re.compile(r"// (top|head\S*) - ")
_IF = re.compile(r"\s*(?:else )?if \(")
_ASSIGN = re.compile(r"\s*(?:assign [^=]+=|wire [^=]+=|(?:else )?[a-z_0-9\[\]:]+ <=) (?P<expression>.*);$")


def _changes(expression: str) -> Iterator[tuple[str, str]]:
    """(kind, expression with one token changed)."""
    for kind, pattern, replacement in _TOKENS:
        for hit in re.finditer(pattern, expression):
            yield kind, expression[: hit.start()] + replacement + expression[hit.end() :]
    for hit in _CONSTANT.finditer(expression):
        width, base, digits = int(hit[1]), hit[2], hit[3]
        value = int(digits, 16 if base == "h" else 2)
        for step in (1, -1):
            constant = f"{width}'h{(value + step) % (1 << width):x}"
            yield "constant", expression[: hit.start()] + constant + expression[hit.end() :]
            if width == 1:
                break
    for hit in _SLICE.finditer(expression):
        if int(hit[1]):
            yield "bit", expression[: hit.start()] + f"[{int(hit[1]) - 1}]" + expression[hit.end() :]


def _joined(verilog: str) -> list[str]:
    """Lines, each statement on one: expressions that are wrapped come together again."""
    lines: list[str] = []
    for line in verilog.splitlines():
        if lines and re.match(r"^      \S", line) and re.search(r"[=&|?:^+,{(-]$|<=$", lines[-1].rstrip()):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _parts(line: str) -> Iterator[tuple[str, str, str, str]]:
    """Mutable expressions of a line: (kind or empty, text before, expression, text behind)."""
    if line.lstrip().startswith("//"):
        return
    position, resets = 0, False
    while hit := _IF.match(line, position):
        position = _balanced(line, hit.end())
        condition = line[hit.end() : position]
        resets = condition == "rst"
        yield ("reset" if resets else "condition"), line[: hit.end()], condition, line[position:]
        position += len(") ")
    assignment = _ASSIGN.match(line, position)
    if assignment:
        before = line[: assignment.start("expression")]
        yield ("reset value" if resets else ""), before, assignment["expression"], ";"


def _balanced(text: str, start: int) -> int:
    """Position of the parenthesis that closes the one before `start`."""
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if not depth:
            return position
    raise ValueError(f"no closing parenthesis: {text}")


def _faults(line: str) -> Iterator[tuple[str, str, str, str, str]]:
    """(kind, text before, expression, fault, text behind) of each fault of a line."""
    for kind, before, expression, behind in _parts(line):
        if kind == "reset":
            yield "reset", before, expression, "1'b0", behind
            continue
        if kind == "condition":
            yield "condition", before, expression, f"~({expression})", behind
            yield "condition", before, expression, "1'b1", behind
        for change, fault in _changes(expression):
            yield kind or change, before, expression, fault, behind


def mutants(verilog: str, count: int, seed: int) -> list[Mutant]:
    """So many faults of a head, drawn from all of them: from each kind about as many."""
    lines = _joined(verilog)
    module = ""
    pool: dict[str, list[Mutant]] = {}
    for number, line in enumerate(lines):
        if heading := _HEADING.match(line):
            module = heading[1]
        for kind, before, expression, fault, behind in _faults(line):
            original = (before + expression + behind).strip()
            changed = (before + fault + behind).strip()
            pool.setdefault(kind, []).append(Mutant(0, number, kind, module, original, changed))
    rng = random.Random(seed)
    for rows in pool.values():
        rng.shuffle(rows)
    chosen: list[Mutant] = []
    while len(chosen) < count and any(pool.values()):
        for rows in pool.values():
            if rows and len(chosen) < count:
                chosen.append(rows.pop())
    return [
        Mutant(number, item.line, item.kind, item.module, item.original, item.fault)
        for number, item in enumerate(sorted(chosen, key=lambda item: item.line), start=1)
    ]


def schema(verilog: str, faults: Sequence[Mutant]) -> str:
    """The Verilog with all these faults, and an input `mutant` in every module."""
    lines = _joined(verilog)
    by_line: dict[int, list[Mutant]] = {}
    for fault in faults:
        by_line.setdefault(fault.line, []).append(fault)
    for number, rows in by_line.items():
        lines[number] = _with_faults(lines[number], rows)
    text = "\n".join(lines) + "\n"
    names = re.findall(r"^module (\S+) \($", text, re.MULTILINE)
    text = re.sub(
        r"^(module \S+ \()$", rf"\1\n  input  wire [{SELECTOR_BITS - 1}:0] {SELECTOR},", text, flags=re.MULTILINE
    )
    instance = re.compile(rf"^(  (?:{'|'.join(map(re.escape, names))}) \S+ \()$", re.MULTILINE)
    return instance.sub(rf"\1\n    .{SELECTOR}({SELECTOR}),", text)


def _with_faults(line: str, rows: Sequence[Mutant]) -> str:
    """A line in which each faulty expression is chosen by the selector."""
    choices: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for before, expression, behind, fault in (
        (before, expression, behind, fault) for _, before, expression, fault, behind in _faults(line)
    ):
        for row in rows:
            if row.fault == (before + fault + behind).strip():
                choices.setdefault((before, expression, behind), []).append((row.number, fault))
    # From the right to the left, so that positions to the left stay.
    for (before, expression, _), alternatives in sorted(choices.items(), key=lambda item: -len(item[0][0])):
        chain = f"({expression})"
        for number, fault in alternatives:
            chain = f"(({SELECTOR} == {SELECTOR_BITS}'d{number}) ? ({fault}) : {chain})"
        start = len(before)
        line = line[:start] + chain + line[start + len(expression) :]
    return line
