"""What finds a fault: hundreds of heads that are broken on purpose, simulated and model checked.

    PYTHONPATH=tests python -m support.mutation --write      # make mutation; an hour on two cores

Each head is small, as `prove --whole` makes it, and has `PER_HEAD` faults in its Verilog (`support.mutants`). Three questions are
asked about each of them:

* simulation: does the testbench that `generate --all` emits fail, in Icarus, from registers that hold X: with long stalls, and
  resets of one cycle in the middle of vectors, after each of which it begins anew; or with 1300 random vectors, one reset,
  and stalls that fill the head? Where nothing else finds a fault: does it take other cycles for these vectors, or make the input
  wait in another number of them, than the head without a fault; and with 20000 or 200000 vectors?
* proof: does bounded model checking refute the law or the results (`prove --whole`) within some seconds?
* equivalence, where neither does: do the faulty and the original module, or the two heads, agree in every cycle from the initial
  values on, whatever the inputs, stalls and resets, proved without a bound on time? Such a change is no fault: it changes a value
  that nobody reads, for example a register while its valid bit is 0. The module alone may need a premise (`PREMISES`), which its
  surroundings keep for a reason that is stated, not proved.

What is left survives: either a trace exists on which the two heads differ, or nothing is known of it. Heads whose results the
ledger of `prove --whole` does not follow are model checked against the law alone.

`MUTATION` holds the outcome, from which the table of the page is made.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from amaranth import Const, Signal
from support.mutants import SELECTOR, SELECTOR_BITS, Mutant, mutants, schema

from softstream.hw.config.config import Config
from softstream.hw.contracts.vector_ledger import VectorLedger
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import Port, sidebands, top_ports
from softstream.hw.verilog import TOP, verilog
from softstream.scripts.emit.head import GeneratedHead
from softstream.scripts.emit.testbench import files
from softstream.sim.proofs import engine
from softstream.sim.proofs.harness import (
    PROOF,
    TwinHarness,
    harness_rtlil,
    harness_text,
    law_properties,
    twin_properties,
)
from softstream.sim.proofs.whole import output_rules, patience, shrunk

__all__ = ["HEADS", "MUTATION", "PER_HEAD", "PREMISES", "Premise", "examine", "without_initial_values"]

MUTATION = Path(__file__).resolve().parents[2] / "boards" / "measured" / "mutation.json"

PER_HEAD = 8

_SCORES: dict[str, Any] = {"max_length": 4, "score_width": 3, "score_scale": 0.5, "probability_width": 5}
"""Size of the heads that `shrunk` does not take."""

HEADS: dict[str, Config] = {
    "argmax, small": Config(mode="argmax", profile="small"),
    "argmax": Config(mode="argmax"),
    "argmax, masked": Config(mode="argmax", mask=True),
    "sigmoid": Config(mode="sigmoid"),
    "softmax, divider": Config(),
    "softmax, logarithm": Config(normaliser="logarithm"),
    "softmax, reciprocal": Config(normaliser="reciprocal"),
    "softmax, small": Config(profile="small"),
    "softmax, two passes": Config(accumulator="two_pass", profile="small"),
    "log-softmax": Config(mode="log_softmax"),
    "exponential": Config(mode="exponential"),
    "hardmax": Config(mode="hardmax"),
    "Top-K": Config(mode="top_k"),
    "Top-K with softmax": Config(mode="softmax_top_k"),
    "cumulative": Config(mode="cdf", max_length=3, minimum_code=1, normaliser="divider"),
    "argmax, null beats": Config(mode="argmax", tkeep=True),
    "softmax, null beats": Config(tkeep=True),
    "softmax, masked": Config(mask=True),
    "softmax, reference": Config(accumulator="reference", max_length=4, score_scale=0.1467),
    "softmax, two windows": Config(
        accumulator="two_windows", normaliser="reciprocal", max_length=4, score_width=12, score_scale=0.05
    ),
    "softmax, exact sum": Config(
        sum="exact", minimum_code=1, probability_format="UQ1", normaliser="divider", max_length=3
    ),
    "softmax, smoothed": Config(smoothing=(1, 2, 1), max_length=4),
    "softmax, floor": Config(probability_floor=1 / 16, max_length=4),
    "softmax, two lanes": Config(lanes=2, **_SCORES),
    "softmax, groups": Config(groups=(4,), per_vector="pipelined", **_SCORES),
    "softmax, temperature": Config(temperature_bits=4, temperature_fraction=2, **_SCORES),
    "mean of logits": Config(ensemble=2, ensemble_mean="logits", **_SCORES),
    "mean of probabilities": Config(ensemble=2, ensemble_mean="probabilities", **_SCORES),
    "cross-entropy": Config(mode="cross_entropy", max_length=4, score_width=3, score_scale=0.5),
    "sample": Config(mode="sample", max_length=4, score_width=3, score_scale=0.5),
    "sample, inverse CDF": Config(mode="sample", sampler="inverse_cdf", max_length=4, score_width=3, score_scale=0.5),
}


@dataclass(frozen=True)
class Premise:
    """What a module's surroundings keep, so that a change of it shows nowhere."""

    head: str
    module: str
    fault: str
    """The line with the change."""
    because: str
    """Why the surroundings keep it, for the page."""
    condition: str = "1'b1"
    """Verilog over the module's inputs and `registers`: 1 in every cycle."""
    registers: str = ""
    """Verilog of registers that only the proof needs."""
    seen: Mapping[str, str] = field(default_factory=dict)
    """Output → Verilog that says when its value is read; without one, always. `original_NAME`: an output without the fault."""


_FINE = "if (ends[1]) fine <= 1'h1 ? 2'b00 : 1'b0 ? 2'b01 : 1'b0 ? 2'b10 : 2'b11;"
_LOADED = {"stored": "original_loaded_4", "tag_2": "original_loaded_4"}
_SHORT_SUM = "so bit 12 is 0 and the next cycle writes `fine` again, before it is read"
_SPACED = "reg [2:0] near = 0; always @(posedge clk) near <= rst ? 0 : ends[1] ? 4 : near - (near != 0);"
_RUNNING = {
    "module": "head.emission.running_sum",
    "fault": "if (rst) valid_1_1 <= 1'h1;",
    "because": "the first element after a reset is the first of its vector, and a sum is read two cycles after its element",
    "condition": "!i_valid || !fresh || i_payload[10]",
    "registers": (
        "reg one = 0, two = 0, fresh = 1; always @(posedge clk) begin one <= i_valid && !rst; two <= one && !rst; "
        "if (rst) fresh <= 1; else if (i_valid) fresh <= 0; end"
    ),
    "seen": {"o_payload": "two"},
}

PREMISES: tuple[Premise, ...] = (
    Premise(
        "softmax, divider",
        "head.leading_one",
        _FINE,
        f"no sum of the 84 vectors exceeds 3518, {_SHORT_SUM}; vectors end at least five cycles apart",
        "!ends[1] || (!sum[12] && near == 0)",
        _SPACED,
        _LOADED,
    ),
    Premise(
        "softmax, logarithm",
        "head.leading_one",
        _FINE,
        f"no sum of the 84 vectors exceeds 1762, {_SHORT_SUM}",
        "!ends[1] || !sum[12]",
        seen=_LOADED,
    ),
    Premise(
        "softmax, null beats",
        "head.inner.leading_one",
        "if (rst) stored_2 <= 13'h1fff;",
        "the stage behind reads the register with its valid bit alone",
        seen=_LOADED,
    ),
    Premise(
        "softmax, two windows",
        "head.leading_one",
        "if (ends[1]) fine <= sum[19] ? 2'b00 : sum[18] ? 2'b01 : sum[16] ? 2'b10 : 2'b11;",
        "no sum of the 84 vectors exceeds 3432, so its upper bits are 0",
        "!ends[1] || sum[19:16] == 0",
    ),
    Premise(
        "softmax, reference",
        "head.leading_one",
        "wire [4:0] sum_2 = {1'b0, digit} + {4'b0000, 1'h0};",
        "the sums of the 84 vectors are 2064 to 27840, so each moves by four digits, and the count of digits is read modulo 2; "
        "vectors end at least eight cycles apart",
        "!ends || (sum[28:15] == 0 && |sum[14:11] && near == 0)",
        "reg [3:0] near = 0; always @(posedge clk) near <= rst ? 0 : ends ? 7 : near - (near != 0);",
        {"stored": "original_loaded_7", "tag_2": "original_loaded_7"},
    ),
    Premise(
        "softmax, groups",
        "head.inner.frame",
        "index <= both_2 | (index & {2{i_valid & i_ready & ~dropping}});",
        "the stage before the frame ends each group after four beats at most, so that the frame never cuts one",
        "!i_valid || i_payload[3] || place != 3",
        (
            "reg [1:0] place = 0; always @(posedge clk) if (rst) place <= 0; "
            "else if (i_valid && original_i_ready) place <= i_payload[3] ? 0 : place + 1;"
        ),
        {"o_payload": "original_o_valid", "ending": "i_valid || !original_i_ready && original_o_valid"},
    ),
    Premise(
        "softmax, null beats",
        "head.inner.accumulate",
        "wire [7:0] total_0 = {1'b0, {sum_0, 1'b1}} + {1'b0, {i_payload[5:0], 1'h1}};",
        "only the sum differs, by 1 for each term, and no probability of 4 bits shows it after any of the 84 vectors",
        seen={"sum": "0"},
    ),
    Premise("cumulative", **_RUNNING),  # type: ignore[arg-type]
    Premise("softmax, exact sum", **_RUNNING),  # type: ignore[arg-type]
)
"""Changes that no input of their head makes visible, with the premise of their proof."""

_RESETS = tuple(17 * k + k * k for k in range(1, 21))
"""Cycles of the simulation with a reset."""

_ALL = 10**6
_MANY = 1300
"""Random vectors of the simulation without resets, for faults that need many vectors, or a head that is full. With so many, all
84 vectors of up to 3 scores of 2 bits are among them, as some of `PREMISES` need."""

_MOST = (20_000, 200_000)
"""Random vectors of the simulations for a fault that nothing else finds."""

_LONGEST_SECONDS = 900
"""Of a simulation for a fault that nothing else finds."""

_SECONDS = 3
"""Of the first search for each fault; one that nothing else finds and that may be a fault is worth `_SEARCH_SECONDS`."""

_SEARCH_SECONDS = 30
_DEEPEST = 100
_EQUIVALENCE_SECONDS = 20
_MODULE_SECONDS = 10
_SELECTOR_PORT = Port(SELECTOR, "input", SELECTOR_BITS, "number of the active fault, 0 for none")


def without_initial_values(text: str) -> str:
    """The Verilog whose registers and written memories hold X at the start; tables keep their contents."""
    text = re.sub(r"^    \w+ = \d+'[hb][0-9a-f]+;\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^    for \((\w+) = 0; .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^  initial begin\n  end\n", "", text, flags=re.MULTILINE)


def _with_long_stalls(bench: str) -> str:
    """The testbench with one reset, and each output in turn stalled for 256 of 1024 cycles."""
    bench = re.sub(r"(m_axis\w*)_tready <= (.*);", r"\1_tready <= (\2) && cycle[9:8] != PHASE_\1 || cycle[12];", bench)
    return _with_phases(bench)


def _with_waits(bench: str) -> str:
    """The testbench that also prints in how many cycles a beat waits at the input."""
    counter = (
        "integer waits = 0;\n    always @(posedge aclk) if (s_axis_tvalid && !s_axis_tready) waits <= waits + 1;\n"
    )
    bench = bench.replace("    integer cycle = 0,", f"    {counter}    integer cycle = 0,")
    return re.sub(r'(display\("PASS: .*? cycles)", cycle\)', r'\1, a beat waits in %0d", cycle, waits)', bench)


def _with_phases(bench: str) -> str:
    """The testbench with a number from 1 for each output stream."""
    for phase, stream in enumerate(dict.fromkeys(re.findall(r"PHASE_(\w+)", bench)), start=1):
        bench = re.sub(rf"PHASE_{stream}\b", str(phase), bench)
    return bench


def _with_resets(bench: str) -> str:
    """The testbench with long stalls and resets of one cycle, at the start and in `_RESETS`; each makes it begin anew."""
    times = " || ".join(f"cycle == {time}" for time in _RESETS)
    changes = (
        (r"aresetn <= 1;.*", f"aresetn <= !({times});"),
        (
            r"( +)if \(aresetn && \(!s_axis_tvalid",
            r"\1if (!aresetn) begin s_axis_tvalid <= 0; beat_in <= 0; end\n\g<0>",
        ),
        # Each output in turn stalls for 64 cycles, so that the head fills up behind it.
        (r"(m_axis\w*)_tready <= (.*);", r"\1_tready <= (\2) && cycle[7:6] != PHASE_\1;"),
        (r"( +)if \(aresetn\) begin\n +if \((\w+)_tvalid !== 0", r"\1if (!aresetn) beat_\2 <= 0;\n\g<0>"),
    )
    for pattern, replacement in changes:
        bench, count = re.subn(pattern, replacement, bench)
        assert count, pattern
    return _with_phases(bench)


class _Simulation:
    """The emitted testbench around a head with faults, in Icarus: with resets, or with many vectors and longer stalls."""

    def __init__(self, config: Config, text: str, folder: Path, *, vectors: int = 0) -> None:
        head, resets = GeneratedHead(plan(config), TOP, "head.v"), not vectors
        texts = files(head) if resets else files(head, random=vectors)
        change = _with_resets if resets else _with_long_stalls
        bench = texts[f"{TOP}_tb.v"]
        bench = bench.replace(f"    {TOP} dut (\n", f"    {TOP} dut (\n        .{SELECTOR}({SELECTOR}),\n")
        choice = (
            f"    reg [{SELECTOR_BITS - 1}:0] {SELECTOR};\n"
            f'    initial if (!$value$plusargs("{SELECTOR}=%d", {SELECTOR})) {SELECTOR} = 0;\n'
        )
        bench = _with_waits(bench)
        texts[f"{TOP}_tb.v"] = change(bench.replace(f"module {TOP}_tb;\n", f"module {TOP}_tb;\n{choice}"))
        texts["head.v"] = without_initial_values(text)
        for name, content in texts.items():
            (folder / name).write_text(content, encoding="utf-8")
        self._folder = folder
        command = ["iverilog", "-g2005", "-s", f"{TOP}_tb", "-o", "bench.vvp", f"{TOP}_tb.v", "head.v"]
        subprocess.run(command, cwd=folder, check=True)

    def report(self, number: int, seconds: int = 120) -> str:
        """What the testbench prints with this fault: PASS and the cycles, or FAIL; empty where the time is over."""
        command = ["vvp", "-N", "bench.vvp", f"+{SELECTOR}={number}"]
        try:
            done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout

    def passes(self, number: int) -> bool:
        """Whether all beats are as they must be with this fault."""
        report = self.report(number)
        return "PASS" in report and "FAIL" not in report

    def differs(self, number: int) -> bool:
        """Whether the testbench fails with this fault, or takes other cycles than without one."""
        report = self.report(number, _LONGEST_SECONDS)
        if "FAIL" in report:
            return True
        original = self.report(0, _LONGEST_SECONDS)
        return "PASS" in report and "PASS" in original and report != original


class _Graph:
    """An and-inverter graph in AIGER's binary form, whose selector becomes a constant."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        header, _, rest = content.partition(b"\n")
        _, self.highest, self.inputs, latches, outputs, ands, *others = header.split()
        self.extra = [int(number) for number in others]
        count = int(latches) + int(outputs) + sum(self.extra)
        lines = rest.split(b"\n", count)
        self.latches = [list(map(int, line.split())) for line in lines[: int(latches)]]
        self.outputs = [int(line) for line in lines[int(latches) : int(latches) + int(outputs)]]
        self.constraints = [int(line) for line in lines[int(latches) + int(outputs) : count]]
        first = int(self.inputs) + int(latches) + 1
        self.gates, data, position = [], lines[count], 0

        def delta() -> int:
            nonlocal position
            value, shift = 0, 0
            while True:
                byte = data[position]
                position += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value

        for number in range(int(ands)):
            left = 2 * (first + number)
            large = left - delta()
            self.gates.append((left, large, large - delta()))
        self.selector: dict[int, int] = {}
        self.names: dict[str, int] = {}
        for line in path.with_suffix(".map").read_text(encoding="utf-8").splitlines():
            fields = line.split()
            if fields[0] == "input" and fields[3] == SELECTOR:
                self.selector[2 * (int(fields[1]) + 1)] = int(fields[2])
            elif fields[0] == "output":
                self.names[fields[3]] = int(fields[1])

    def write(self, path: Path, number: int, outputs: Sequence[str]) -> None:
        """Writes the graph with a fault active, and one output: that one of these is 1."""
        constant = {literal: number >> bit & 1 for literal, bit in self.selector.items()}

        def value(literal: int) -> int:
            base = literal & ~1
            return constant[base] ^ (literal & 1) if base in constant else literal

        gates = [(left, *sorted((value(large), value(small)), reverse=True)) for left, large, small in self.gates]
        # No output of these is 1: a chain of gates; the output is its inversion.
        none = 1
        top = 2 * int(self.highest)
        for name in outputs:
            if name in self.names:
                literal = value(self.outputs[self.names[name]]) ^ 1
                top += 2
                gates.append((top, max(none, literal), min(none, literal)))
                none = top
        latches = [[value(latch[0]), *latch[1:]] for latch in self.latches]
        bad, constraints = [none ^ 1], [value(literal) for literal in self.constraints]
        header = [top // 2, int(self.inputs), len(latches), 1, len(gates), *self.extra]
        with path.open("wb") as file:
            file.write(("aig " + " ".join(map(str, header)) + "\n").encode())
            for latch in latches:
                file.write((" ".join(map(str, latch)) + "\n").encode())
            for literal in [*bad, *constraints]:
                file.write(f"{literal}\n".encode())
            for left, large, small in gates:
                file.write(_delta(left - large) + _delta(large - small))


def _delta(value: int) -> bytes:
    """A number in AIGER's form: 7 bits a byte, the lowest first."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


class _Checker:
    """The proof harness, or that of two copies, around a head with faults."""

    def __init__(self, text: str, harness: str, folder: Path, outputs: Sequence[str], *, initial: bool) -> None:
        self._folder, self._outputs = folder, outputs
        path = engine.prepare(text, harness, folder, memories=True, seconds=600, initial=initial)
        assert path is not None
        self._graph = _Graph(path)

    def ask(self, number: int, commands: str, seconds: int) -> str:
        """ABC's words about the statements with a fault active."""
        path = self._folder / f"fault_{number}.aig"
        self._graph.write(path, number, self._outputs)
        words = engine.ask(path, commands, seconds)
        if "combinational networks" in words:
            # Merged registers may leave none, which the model checkers refuse.
            words = engine.ask(path, commands.replace("scorr; ", ""), seconds)
        path.unlink()
        return words


def _modules(text: str) -> dict[str, str]:
    """Place in the head, as `head.frame` → name of the Verilog module."""
    parts = re.split(r"(?m)^(?=// (?:top|head\S*) - )", text)
    names = [(re.match(r"// (\S+) - ", part), re.search(r"^module (\w+)", part, re.MULTILINE)) for part in parts]
    return {place[1]: name[1] for place, name in names if place and name}


def _beside_original(text: str, module: str, premise: Premise | None) -> str:
    """A module with faults beside itself without one, on the same inputs: the top of a proof with the output `differ`."""
    header = re.search(rf"^module {module} \((.*?)^\);", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    ports = re.findall(r"(input|output)\s+(?:wire|reg)\s*(\[\d+:0\])?\s*(\w+)", header[1])
    inputs = [(size, name) for direction, size, name in ports if direction == "input"]
    outputs = [(size, name) for direction, size, name in ports if direction == "output"]
    seen = {} if premise is None else premise.seen
    lines = [f"module {PROOF}({', '.join([*(name for _, name in inputs), 'differ'])});"]
    lines += [f"  input {size} {name};" for size, name in inputs]
    lines += [f"  wire {size} {copy}_{name};" for size, name in outputs for copy in ("faulty", "original")]
    for copy in ("faulty", "original"):
        wires = [f".{name}({0 if name == SELECTOR and copy == 'original' else name})" for _, name in inputs]
        wires += [f".{name}({copy}_{name})" for _, name in outputs]
        lines.append(f"  {module} {copy}({', '.join(wires)});")
    if premise is not None:
        lines += [f"  {premise.registers}", f"  always @* assume ({premise.condition});"]
    differences = [f"(({seen.get(name, 1)}) && (faulty_{name} != original_{name}))" for _, name in outputs]
    return "\n".join([*lines, f"  output differ = {' || '.join(differences)};", "endmodule"]) + "\n"


def _module_agrees(text: str, fault: Mutant, premise: Premise | None, folder: Path) -> bool:
    """Whether a module with the fault and without it agree on every output, whatever its inputs, or where a premise holds."""
    place = folder / f"module_{fault.number}{'' if premise is None else '_premise'}"
    place.mkdir()
    top = _beside_original(text, _modules(text)[fault.module], premise)
    checker = _Checker(text + top, "", place, ["differ"], initial=True)
    return engine.is_proof(checker.ask(fault.number, f"scleanup; scorr; pdr -T {_MODULE_SECONDS}", _MODULE_SECONDS))


class _Twins(TwinHarness):
    """A faulty head beside the original one."""

    def twin_wires(self) -> dict[str, Signal]:
        """The second copy has no fault."""
        return super().twin_wires() | {SELECTOR: Const(0, SELECTOR_BITS)}  # type: ignore[dict-item]


def _ports(config: Config) -> tuple[Port, ...]:
    return (*top_ports(config), _SELECTOR_PORT)


def examine(
    config: Config, count: int, seed: int, *, proofs: bool = True, head: str = "", again: Sequence[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """The outcome of each fault of a small head: a row with the fault, and `found` by what.

    `head`: its name in `PREMISES`; `again`: rows of an earlier outcome, undecided after the searches in whole heads, whose faults
    are simulated and compared in their module alone.
    """
    original = verilog(config, TOP)
    faults = mutants(original, _ALL if again else count, seed)
    if again:
        lines = {(row["module"], row["original"], row["fault"]) for row in again}
        faults = [fault for fault in faults if (fault.module, fault.original, fault.fault) in lines]
        faults = [replace(fault, number=number) for number, fault in enumerate(faults, start=1)]
        if not faults:
            return []
    text = schema(original, faults)
    folder = Path(tempfile.mkdtemp(prefix="softstream-mutation-"))
    try:
        return _examine(config, text, faults, folder, head, proofs=proofs, searched=bool(again))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _small(config: Config) -> tuple[Config, bool]:
    """The small head, and whether the ledger follows its results."""
    try:
        return shrunk(config), True
    except UserError:
        return config, False


def _statements(config: Config) -> tuple[str, list[str]]:
    """(harness, its outputs that no head sets): the law, and the results where the ledger follows them."""
    ports = _ports(config)
    laws = [item.signal for item in law_properties(ports) if not item.reached]
    if not _small(config)[1]:
        return harness_rtlil(TOP, ports), laws
    width = config.score_width + sum(field.width for field in sidebands(config))
    ledger = VectorLedger(
        width, config.max_length, output_rules(config), patience(config), null_beats=config.reads_tkeep
    )
    return harness_rtlil(TOP, ports, ledger), [*laws, *(f"wrong_{rule.name}" for rule in ledger.rules), "late"]


def _refutes(checker: "_Checker", number: int, seconds: int) -> bool:
    """Whether bounded model checking breaks a statement with this fault active."""
    return "was asserted" in checker.ask(number, f"scleanup; bmc3 -T {seconds} -F {_DEEPEST}", seconds)


def _examine(
    config: Config,
    text: str,
    faults: Sequence[Mutant],
    folder: Path,
    head: str,
    *,
    proofs: bool,
    searched: bool,
) -> list[dict[str, Any]]:
    premises = {(one.module, one.fault): one for one in PREMISES if one.head == head}
    places = {name: folder / name for name in ("simulation", "long", "proof", "twins")}
    for place in places.values():
        place.mkdir()
    simulation = _Simulation(config, text, places["simulation"])
    assert simulation.passes(0), "the head without a fault fails"
    longer = _Simulation(config, text, places["long"], vectors=_MANY)
    assert longer.passes(0), "the head without a fault fails with many vectors"
    harness, statements = _statements(config)
    search = proofs and not searched
    checker = _Checker(text, harness, places["proof"], statements, initial=False) if search else None
    twins = None
    rows = []
    for fault in faults:
        by_simulation = not (simulation.passes(fault.number) and longer.passes(fault.number))
        premise = premises.get((fault.module, fault.fault))
        method = ""
        by_proof = checker is not None and _refutes(checker, fault.number, _SECONDS)
        equivalent = differs = False
        if proofs and not by_simulation and not by_proof:
            if _module_agrees(text, fault, None, folder):
                equivalent, method = True, "module"
            elif premise is not None and _module_agrees(text, fault, premise, folder):
                equivalent, method = True, "premise"
        if search and not by_simulation and not by_proof and not equivalent:
            if twins is None:
                names = [item.signal for item in twin_properties(top_ports(config)) if not item.reached]
                # The copies start from the same contents: that these do not matter is another statement.
                twin = _Twins(TOP, _ports(config), twin_properties(top_ports(config)))
                twins = _Checker(text, harness_text(twin), places["twins"], names, initial=True)
            differs = "was asserted" in twins.ask(fault.number, f"scleanup; scorr; bmc3 -T {_SECONDS}", _SECONDS)
            equivalent = not differs and engine.is_proof(
                twins.ask(fault.number, f"scleanup; scorr; pdr -T {_EQUIVALENCE_SECONDS}", _EQUIVALENCE_SECONDS)
            )
            method = "head" if equivalent else ""
            by_proof = not equivalent and checker is not None and _refutes(checker, fault.number, _SEARCH_SECONDS)
        if not (by_simulation or by_proof or equivalent):
            by_simulation = longer.differs(fault.number)
        for vectors in _MOST:
            if not (by_simulation or by_proof or equivalent):
                place = folder / f"{vectors}_{fault.number}"
                place.mkdir()
                by_simulation = _Simulation(config, text, place, vectors=vectors).differs(fault.number)
        because = premise.because if premise is not None and method == "premise" else ""
        rows.append(
            {
                "module": fault.module,
                "kind": fault.kind,
                "original": fault.original,
                "fault": fault.fault,
                "simulation": by_simulation,
                "proof": by_proof,
                "equivalent": equivalent,
                "differs": differs,
                "method": method,
                **({"because": because} if because else {}),
            }
        )
    return rows


def main() -> None:
    """Examines the heads and prints, or writes, the outcome."""
    parser = argparse.ArgumentParser(description="Faults in the Verilog of small heads, and what finds them.")
    parser.add_argument("--write", action="store_true", help=f"write {MUTATION.name} anew")
    parser.add_argument("--count", type=int, default=PER_HEAD, help="faults of each head")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--undecided",
        action="store_true",
        help="only what the record has as undecided: simulated, and in its module alone",
    )
    parser.add_argument("heads", nargs="*", help="some of the heads; without any, all")
    arguments = parser.parse_args()
    outcome: dict[str, list[dict[str, Any]]] = {}
    # A record of an earlier choice of faults stays for the heads that are not examined anew.
    before = json.loads(MUTATION.read_text(encoding="utf-8")) if MUTATION.exists() else {}
    for name in arguments.heads or HEADS:
        config, again = _small(HEADS[name])[0], []
        if arguments.undecided:
            means = ("simulation", "proof", "equivalent")
            again = [row for row in before.get(name, []) if not any(row[key] for key in means)]
            if not again:
                continue
        outcome[name] = examine(config, arguments.count, arguments.seed, head=name, again=again)
        counts = Counter(
            "simulation and proof" if row["simulation"] and row["proof"] else
            next((key for key in ("simulation", "proof", "equivalent") if row[key]), "undecided")
            for row in outcome[name]
        )  # fmt: skip
        print(name, dict(counts), flush=True)
        for row in outcome[name]:
            if not (row["simulation"] or row["proof"] or row["equivalent"]):
                verdict = "survives" if row["differs"] else "undecided"
                print(f"  {verdict}: {row['module']}: {row['original']}  →  {row['fault']}", flush=True)
        if arguments.write:
            if arguments.undecided:
                anew = {(row["module"], row["original"], row["fault"]): row for row in outcome[name]}
                outcome[name] = [anew.get((row["module"], row["original"], row["fault"]), row) for row in before[name]]
            rows = before | outcome
            document = {head: rows[head] for head in HEADS if head in rows}
            MUTATION.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
