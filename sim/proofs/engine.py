"""Model checking of a harness: Yosys makes an and-inverter graph of it, ABC decides each property.

Property-directed reachability (ABC's `pdr`) either finds an invariant that holds for all time or a trace: A. R. Bradley,
"SAT-based model checking without unrolling", VMCAI 2011; N. Eén, A. Mishchenko, R. Brayton, "Efficient implementation of
property directed reachability", FMCAD 2011. Bounded model checking (`bmc3`) shortens the trace of a law, and looks for that
of a cover first.

A graph may leave out the head's memories: their read data are free in every cycle. This allows more than the hardware does,
so a law that is proved holds for the hardware. A counterexample may be one of the free data alone; `proof.Prover` tries such
a one again with all memories in place. That a cover is reached is shown for the graph that is given.
"""

import importlib.util
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from softstream.hw import processes
from softstream.hw.errors import ToolFailure
from softstream.hw.extras import absent
from softstream.sim.proofs.harness import HEAD, PROOF, TWIN, Property

__all__ = [
    "FORGET_MEMORIES",
    "FORGET_REGISTERS",
    "Answer",
    "Verdict",
    "ask",
    "decide",
    "decide_within",
    "is_proof",
    "none_within",
    "prepare",
    "run_abc",
    "run_yosys",
    "shortest_trace",
    "without_initial_blocks",
    "without_loops",
]

_YOSYS = "import sys; from pyosys import libyosys as y; d = y.Design(); [y.run_pass(c, d) for c in sys.argv[1:]]"

FORGET_REGISTERS = f"setattr -unset init {' '.join(f'w:{copy}.*' for copy in (HEAD, TWIN))}"
"""Command of Yosys after which the registers of heads hold anything at the start. They must be flat, and not yet merged."""

FORGET_MEMORIES = "setparam -set INIT 1'bx t:$mem_v2 r:WR_PORTS>0 %i"
"""Command of Yosys likewise for memories; those that are never written are tables and keep their contents."""

_INITIAL = re.compile(
    r"^( *)initial begin(?: : \w+)?\n(?:\1 +(?!.*(?:\b(?:begin|end|always|assign)\b|//|/\*|\*/|#))\S.*\n)*\1end\n",
    re.MULTILINE,
)
"""A block of initial values in the generator's Verilog, and of nothing else."""

_ZEROS = re.compile(
    r"^( *)initial begin(?: : \w+)?\n(?:\1 +for \((\w+) = \d+;\s+\2 < \d+;\s+\2 = \2 \+ 1\)\s+(\w+)\[\2\] = \d+'h0+;\n)+\1end\n",
    re.MULTILINE,
)
"""A block that fills a memory with zeros."""

_REACHED = re.compile(r"was asserted in frame (\d+)")
# ABC says "all outputs solved or timed out" in the first frame where simplification alone makes the output 0. The same words
# could stand for a time-out, so `_TIMEOUT` is looked for first.
_NEVER = re.compile(r"Property proved\.|All outputs solved or timed out in frame 1\.")
_CHECKED = re.compile(r"No output asserted in (\d+) frames")
_TIMEOUT = re.compile(r"timeout|time limit|resource limit", re.IGNORECASE)


def without_initial_blocks(verilog: str) -> str:
    """A text without its blocks of initial values."""
    return _INITIAL.sub("", verilog)


def without_loops(verilog: str) -> str:
    """A text without the loops that fill memories with zeros, over which Yosys takes long; loops over tables stay."""

    def replacement(block: re.Match[str]) -> str:
        names = "|".join(dict.fromkeys(re.findall(r"(\w+)\[\w+\] = ", block[0])))
        table = re.search(rf"\b(?:{names})\[\d+\] = |readmemh\([^)]*\b(?:{names})\b", verilog)
        return block[0] if table else ""

    return _ZEROS.sub(replacement, verilog)


Answer = Literal["proved", "refuted", "reached", "unreachable", "open"]
"""A law is proved or refuted, a cover reached or unreachable; each is open when the time is over."""


_DEEPEST = 200
"""Cycles of the longest trace that bounded search looks for before reachability decides."""


@dataclass(frozen=True)
class Verdict:
    """The answer to one property."""

    statement: Property
    answer: Answer
    method: str
    cycles: int | None
    """Of a refuted law or a reached cover: length of the shortest trace, in cycles. None: for all time."""
    seconds: float
    depth: int | None = None
    """Of an open law: cycles from the first reset within which bounded search proves it. None: not one."""


def _tools() -> Path:
    """The folder of pyosys, which holds ABC. Raises `MissingTool` where the package is not installed."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or not spec.submodule_search_locations:
        raise absent(("pyosys",), "prove")
    return Path(spec.submodule_search_locations[0])


def _run(command: Sequence[str], log: Path, seconds: float) -> str | None:
    """Output of a tool, which also goes to the log; None where the time is over. Raises `ToolFailure` for its failure."""
    with tempfile.NamedTemporaryFile(dir=log.parent) as latest:
        code = processes.run(command, log.parent, Path(latest.name), seconds)
        output = Path(latest.name).read_text(encoding="utf-8", errors="replace")
    if code is None:
        return None
    with log.open("a", encoding="utf-8") as text:
        text.write(output)
    if code:
        raise ToolFailure(f"{Path(command[0]).name} failed with exit code {code}", log)
    return output


def prepare(
    verilog: str, harness: str, folder: Path, *, memories: bool, seconds: float, initial: bool = False
) -> Path | None:
    """The and-inverter graph of a harness and its head; None where the time is over.

    `memories`: whether the head's memories are part of it; if not, what they read is free. `initial`: whether registers and
    memories start with the initial values of the Verilog, those without one with zeros; if not, with anything.
    """
    _tools()
    stem = "whole" if memories else "free"
    # Where registers and memories start with anything, Yosys need not spread tables and memories over a cell for each entry.
    text = verilog if memories or initial else without_initial_blocks(verilog)
    (folder / "head.v").write_text(text, encoding="utf-8")
    (folder / "harness.il").write_text(harness, encoding="utf-8")
    graph = folder / f"{stem}.aig"
    unknown = "-zero" if initial else "-anyseq"
    commands = [
        "read_verilog -formal head.v",
        "read_rtlil harness.il",
        # Nothing is known of the head's registers and memories before the reset; the harness has its own first cycle. `prep` must
        # know this, because it merges registers with the same input and the same initial value: one of the harness with one of
        # the head, or one of a copy of the head with that of the other.
        *([] if initial else [f"hierarchy -top {PROOF}", "proc", "flatten", FORGET_REGISTERS]),
        f"prep -flatten -top {PROOF}",
        *([] if memories else ["delete t:$mem_v2"]),
        *([] if initial else [FORGET_MEMORIES]),
        "chformal -lower",
        "memory_map -formal",
        "opt_clean",
        # The register behind a memory's read port has no initial value of its own.
        *(["setundef -init -zero"] if initial else []),
        *(f"setundef {undriven}{unknown}" for undriven in ("-undriven ", "")),
        "opt_clean",
        f"write_rtlil {stem}.il",  # what a trace is simulated on
        # Two rounds: the first one makes adders out of products, the second one gates out of adders.
        *["simplemap", "techmap t:* t:$assume t:$anyseq t:$anyinit %u %u %d"] * 2,
        "simplemap",
        "dffunmap",
        "aigmap",
        "opt_clean",
        f"write_aiger -zinit -map {stem}.map -ywmap {stem}.yw {graph.name}",
    ]
    return graph if run_yosys(commands, folder, seconds=seconds) else None


def run_yosys(commands: Sequence[str], folder: Path, *, seconds: float) -> bool:
    """Runs commands of Yosys in a folder; False where the time is over. Raises `ToolFailure` where one fails."""
    return _run([sys.executable, "-c", _YOSYS, *commands], folder / "yosys.log", seconds) is not None


def _outputs(graph: Path) -> dict[str, int]:
    """Output of the graph → its number."""
    lines = graph.with_suffix(".map").read_text(encoding="utf-8").splitlines()
    return {fields[3]: int(fields[1]) for fields in map(str.split, lines) if fields[0] == "output"}


def _constant(graph: Path, signal: str) -> bool:
    """Value of an output that is a constant."""
    text = graph.with_suffix(".il").read_text(encoding="utf-8")
    return re.search(rf"connect \\{signal} 1'([01])\n", text)[1] == "1"  # type: ignore[index]


def _with_output(graph: bytes, number: int) -> bytes:
    """A graph in AIGER's binary form (A. Biere, "The AIGER and-inverter graph format", 2007) with one of its outputs."""
    header, _, rest = graph.partition(b"\n")
    form, highest, inputs, latches, outputs, *others = header.split()
    lines = rest.split(b"\n", int(latches) + int(outputs))
    chosen = lines[int(latches) + number]
    return b"\n".join(
        [
            b" ".join([form, highest, inputs, latches, b"1", *others]),
            *lines[: int(latches)],
            chosen,
            *lines[int(latches) + int(outputs) :],
        ]
    )


def decide(graph: Path, item: Property, *, seconds: float) -> Verdict:
    """Decides one property of a graph within some seconds.

    Writes `<signal>.aiw`, the trace in AIGER's form, of a law that is refuted or a cover that is reached.
    """
    single = _single(graph, item)
    if isinstance(single, Verdict):
        return single
    limit = max(1, int(seconds))
    trace = f"{item.signal}.aiw"
    began = time.monotonic()
    answer: Answer = "open"
    method, cycles = "bmc", None
    if item.reached:  # a trace may be long, which bounded search takes more easily
        answer, cycles = _answer(single, f"bmc3 -T {limit} -F {_DEEPEST}; write_cex -a {trace}", item, seconds)
    if answer == "open":
        method = "pdr"
        answer, cycles = _answer(single, f"pdr -T {limit}; write_cex -a {trace}", item, seconds)
    if answer == "refuted" and cycles is not None:
        shorter = _answer(single, f"bmc3 -T {limit} -F {cycles}; write_cex -a {trace}", item, seconds)
        cycles = shorter[1] or cycles
    depth = None
    if answer == "open" and not item.reached:
        depth = _depth(single, limit)
    return Verdict(item, answer, method, cycles, time.monotonic() - began, depth)


def _single(graph: Path, item: Property) -> Path | Verdict:
    """The graph with the output of a property alone; its verdict where Yosys writes no output, because it is a constant."""
    if item.signal not in _outputs(graph):
        if _constant(graph, item.signal):
            return Verdict(item, "reached" if item.reached else "refuted", "constant", 1, 0.0)
        return Verdict(item, "unreachable" if item.reached else "proved", "constant", None, 0.0)
    single = graph.with_name(f"{item.signal}.aig")
    single.write_bytes(_with_output(graph.read_bytes(), _outputs(graph)[item.signal]))
    return single


def decide_within(graph: Path, item: Property, cycles: int, *, seconds: float) -> Verdict:
    """Decides whether a trace of at most some cycles sets the signal of a property; `proved` and `unreachable` mean no more."""
    verdict, checked = _search(graph, item, cycles, seconds)
    if checked is not None and checked >= cycles:
        return replace(verdict, answer="unreachable" if item.reached else "proved")
    return verdict


def shortest_trace(graph: Path, item: Property, cycles: int, *, seconds: float) -> Verdict:
    """Looks for the shortest trace that sets the signal of a property, and writes it as `decide` does.

    `depth` of an answer that is open: cycles in which none does, at most `cycles`.
    """
    verdict, checked = _search(graph, item, cycles, seconds, f"; write_cex -a {item.signal}.aiw")
    return verdict if checked is None else replace(verdict, depth=checked)


def _search(
    graph: Path, item: Property, cycles: int, seconds: float, following: str = ""
) -> tuple[Verdict, int | None]:
    """(verdict of a search through some cycles, cycles that it checked in vain); None where it is decided.

    `following`: commands behind the search.
    """
    single = _single(graph, item)
    if isinstance(single, Verdict):
        return single, None
    began = time.monotonic()
    output = ask(single, f"bmc3 -T {max(1, int(seconds))} -F {cycles}{following}", seconds)
    answer, length = _read(output, item)
    hit = _CHECKED.search(output)
    checked = int(hit[1]) if answer == "open" and hit else None
    return Verdict(item, answer, "bmc", length, time.monotonic() - began), checked


def none_within(graph: Path, items: Sequence[Property], cycles: int, *, seconds: float) -> list[Verdict]:
    """Whether no trace of at most some cycles breaks any of the properties, which are all the outputs of a graph.

    One search for all of them; where it fails, one for each tells which. `proved` means no more than that.
    """
    began = time.monotonic()
    constant = [verdict for item in items if isinstance(verdict := _single(graph, item), Verdict)]
    hit = _CHECKED.search(ask(graph, f"bmc3 -T {max(1, int(seconds))} -F {cycles}", seconds))
    if hit and int(hit[1]) >= cycles and all(verdict.answer == "proved" for verdict in constant):
        share = (time.monotonic() - began) / len(items)
        return [Verdict(item, "proved", "bmc", None, share) for item in items]
    return [decide_within(graph, item, cycles, seconds=seconds) for item in items]


def _depth(graph: Path, seconds: int) -> int | None:
    """Cycles in which no trace breaks a law, as far as bounded search gets in some seconds."""
    output = ask(graph, f"bmc3 -T {seconds}", seconds)
    hit = _CHECKED.search(output)
    return int(hit[1]) if hit else None


def _answer(graph: Path, commands: str, item: Property, seconds: float) -> tuple[Answer, int | None]:
    """ABC's answer to a property, and the cycles of a trace."""
    return _read(ask(graph, commands, seconds), item)


def ask(graph: Path, commands: str, seconds: float) -> str:
    """ABC's words about a graph; empty where the time is over."""
    return run_abc(f"read_aiger {graph.name}; fold; strash; {commands}", graph.parent, seconds=seconds) or ""


def run_abc(script: str, folder: Path, *, seconds: float) -> str | None:
    """The output of a script of ABC in a folder; None where the time is over. Raises `ToolFailure` where ABC fails."""
    return _run([str(_tools() / "yosys-abc"), "-c", script], folder / "abc.log", seconds + 10)


def _read(output: str, item: Property) -> tuple[Answer, int | None]:
    """ABC's words for an answer."""
    hit = _REACHED.search(output)
    if hit:
        return ("reached" if item.reached else "refuted"), int(hit[1]) + 1
    if is_proof(output):
        return ("unreachable" if item.reached else "proved"), None
    return "open", None


def is_proof(output: str) -> bool:
    """Whether ABC's words are those of a proof for all time."""
    return bool(_NEVER.search(output)) and not _TIMEOUT.search(output)
