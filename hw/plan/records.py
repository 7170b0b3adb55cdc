"""What a plan says of a head: a row for each stage, and cycles as formulas and as numbers."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.notebook import html_table, text_table
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.fields import Output, Port, Sideband
from softstream.hw.plan.texts import beats_text, decimals

__all__ = ["FORMAT", "Cycles", "ModePlan", "OptionPlan", "Plan", "StagePlan"]

FORMAT = 2
"""Version of `Plan.to_json`: 2 names each stage after its file. A rise tells readers that names have changed."""


@dataclass(frozen=True)
class Cycles:
    """Clock cycles as a line over the beats B of a vector: slope·B + constant."""

    slope: int
    constant: int = 0

    def at(self, beats: int) -> int:
        """The cycles for a vector of that many beats."""
        return self.slope * beats + self.constant

    def times(self, count: int) -> "Cycles":
        """The cycles of that many vectors."""
        return Cycles(self.slope * count, self.constant * count)

    def text(self, beats: str) -> str:
        """The formula, with `beats` for B."""
        product = f"{self.slope if self.slope > 1 else ''}{beats}"
        if not self.slope:
            return f"{self.constant}"
        return f"{product} + {self.constant}" if self.constant else product

    @staticmethod
    def largest(terms: "tuple[Cycles, ...]", beats: int) -> int:
        """The largest of several terms; 0 of none."""
        return max((term.at(beats) for term in terms), default=0)


@dataclass(frozen=True)
class StagePlan:
    """One stage of the data path."""

    name: str
    """Stem of the stage's file in `hw/stages`, `normalisers`, `modes` or `options`, and of its golden model."""
    computes: str
    input_format: str
    output_format: str
    latency_cycles: int
    interval: str
    """How often the stage takes a payload."""
    table_bits: int = 0
    bound_share_ulp: float = 0.0
    note: str = ""
    memory_bits: int = 0
    """Of scores, or of sums of scores, that the stage stores; queues of a few entries do not count."""


@dataclass(frozen=True, repr=False)
class Plan:
    """Everything that may be asked of a configuration."""

    config: Config
    stages: tuple[StagePlan, ...]
    fixed_latency_cycles: int
    """c: the first output beat is transferred a·B + c cycles after the first input beat, in an idle pipeline without stalls,
    where B = ⌈N/lanes⌉ is the number of the vector's beats, and a `passes`. Of an ensemble, after that of the last member."""
    best_latency_cycles: int
    """The same for the winner, with a `best_passes`."""
    interval_terms: tuple[Cycles, ...]
    """The interval of back-to-back vectors is the largest of these, or `output_spacing` times the output beats of a vector
    plus `output_pause`, whichever is more."""
    output_spacing: int
    """Cycles between two output beats of a vector."""
    bound: Bound | None
    warnings: tuple[str, ...]
    passes: int = 1
    """Cycles for each beat of a vector before its first output beat: 0 where elements leave as they come."""
    best_passes: int = 1
    """a of the winner."""
    lead_terms: tuple[Cycles, ...] = ()
    """From the first input beat of an ensemble to the first one of its last member: the largest of these."""
    ahead: int = 0
    """Output beats behind a vector's first that have to be worked out before it leaves, where it has as many; each is
    waited for longer where they come `output_spacing` cycles apart."""
    ranks: int = 0
    """Elements of an ordered list inside the head, of which the last one decides the output; they take the place of output beats
    in `output_spacing` and `output_pause`. 0: no such list."""
    rereads: bool = False
    """Whether that list is read a second time, a cycle for each element, before the output."""
    output_pause: int = 0
    """Cycles between the last output beat of a vector and the first of the next one, at the least, beyond that spacing."""
    distance: float | None = None
    """In sample mode: no vector's draws have a law farther from softmax than this, in total variation."""
    smallest: float | None = None
    """In sample mode: the smallest probability of a class that a draw honours; less probable ones come too rarely, or never."""
    class_error: float | None = None
    """In sample mode: from there on a class has its probability within this share of it, by proof."""
    searched: bool = False
    """Whether the one output beat of a vector comes as soon as it is found: i cycles later if it is that of element i."""
    vectors: "Plan | None" = None
    """Of packets of groups, the plan of a group. Formulas are those of a group of N elements, cycles those of a packet."""
    outputs: tuple[Output, ...] = ()
    """The output streams; `derive.plan` fills them in, and the ports, from the mode and the options."""
    ports: tuple[Port, ...] = ()

    def _of_group(self, length: int) -> int:
        """Elements of a packet's first group."""
        return min(length, self.config.groups[0])

    @property
    def latency_formula(self) -> str:
        """Cycles from a vector's first input beat to its first output beat."""
        wait = self.output_spacing - 1 if self.ahead else 0
        ahead = f" + {wait}min({beats_text(self.config)} − 1, {self.ahead})" if wait else ""
        if self.ranks:
            constant = self.fixed_latency_cycles - self._rank_cycles
            return self._formula(self.passes, constant, f"{self._ranks_text(self._rank_cycles)} ")
        return self._formula(self.passes, self.fixed_latency_cycles) + ahead

    @property
    def latency_text(self) -> str:
        """The same; for an output that comes as soon as it is found, from the earliest to the latest."""
        return f"{self.latency_formula} to {self.last_output_formula}" if self.searched else self.latency_formula

    @property
    def best_formula(self) -> str:
        """Cycles from a vector's first input beat to its winner."""
        return self.latency_formula if self.ranks else self._formula(self.best_passes, self.best_latency_cycles)

    @property
    def last_output_formula(self) -> str:
        """Cycles from a vector's first input beat to its last output beat."""
        if self.vectors is not None:
            return self.vectors.last_output_formula
        per = self.outputs[0].per
        if per == "vector" and not self.searched:
            return self.latency_formula
        if per == "rank":
            constant = self.fixed_latency_cycles - self.output_spacing
            return self._formula(1, constant, f"{self._ranks_text(self.output_spacing)} ")
        return self._formula(self.output_spacing + self.passes, self.fixed_latency_cycles - self.output_spacing)

    def _formula(self, slope: int, constant: int, between: str = "") -> str:
        """Cycles from a vector's first input beat: slope·B + constant, behind those before its ensemble's last member."""
        lead = ""
        if len(self.lead_terms) == 1:
            slope, constant = slope + self.lead_terms[0].slope, constant + self.lead_terms[0].constant
        elif self.lead_terms:
            lead = f"{self._largest_text(self.lead_terms)} + "
        beats = f"{slope if slope > 1 else ''}{beats_text(self.config)} " if slope else ""
        plus = "+ " if beats or between else ""
        return f"{lead}{beats}{f'+ {between}' if between else ''}{plus if constant >= 0 else '− '}{abs(constant)}"

    @property
    def interval_formula(self) -> str:
        """Cycles from a vector's first input beat to the next one's, back to back."""
        ranks = []
        # With one lane and a beat in every cycle, never more beats come out than came in.
        if (self.ranks or self.outputs[0].per == "rank") and (self.output_spacing > 1 or self.config.lanes > 1):
            ranks = [self._ranks_text(self.output_spacing) + (f" + {self.output_pause}" if self.output_pause else "")]
        return self._largest_text(self.interval_terms, ranks)

    def _ranks_text(self, cycles: int) -> str:
        """So many cycles for each of the K largest."""
        return f"{cycles if cycles > 1 else ''}min(N, {self.ranks or self.config.top_k})"

    @property
    def _rank_cycles(self) -> int:
        """Cycles of the latency for each element of the ordered list."""
        return self.output_spacing + self.rereads

    def _largest_text(self, terms: tuple[Cycles, ...], more: list[str] | None = None) -> str:
        """The largest of several terms, in formulas."""
        texts = [*(term.text(beats_text(self.config)) for term in terms), *(more or [])]
        return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"

    def _lead_cycles(self, length: int) -> int:
        """Cycles from the first input beat to that of an ensemble's last member."""
        return Cycles.largest(self.lead_terms, self.config.beats(length))

    def first_output_cycle(self, length: int) -> int:
        """Cycle of the first output beat's transfer, counted from the first input beat's."""
        length = int(length)  # a scalar of NumPy would wrap
        if self.vectors is not None:
            return self.vectors.first_output_cycle(self._of_group(length))
        if self.ranks:
            return self._unhindered(length) + self._rank_cycles * (self._emitted(length) - 1)
        return self._unhindered(length) + (self.output_spacing - 1) * min(self.config.beats(length) - 1, self.ahead)

    def _unhindered(self, length: int) -> int:
        """The same where all beats came in every cycle."""
        return self._lead_cycles(length) + self.passes * self.config.beats(length) + self.fixed_latency_cycles

    def last_output_cycle(self, length: int) -> int:
        """Cycle of the last output beat's transfer, counted from the first input beat's."""
        length = int(length)  # a scalar of NumPy would wrap
        if self.vectors is not None:
            return self.vectors._last_of(Grouping(self.config.groups, np.array([length])).lengths.tolist())
        if self.ranks:
            return self.first_output_cycle(length)
        last = length if self.searched else self._emitted(length)
        return self._unhindered(length) + self.output_spacing * (last - 1)

    def _emitted(self, length: int) -> int:
        """Beats that come out for a vector, of its ordered list where a draw follows."""
        if self.ranks:
            return min(length, self.ranks)
        per = self.outputs[0].per
        return {"element": self.config.beats(length), "vector": 1, "rank": min(length, self.config.top_k)}[per]

    def _last_of(self, lengths: list[int]) -> int:
        """Cycle of the last output beat's transfer of vectors of these lengths back to back, from the first input beat's."""
        start, came, gone = 0, -1, -1
        for length in lengths:
            if self.passes > 1:  # the next one comes in when all of this one is out
                gone = start + self.last_output_cycle(length)
                start += self.interval_cycles(length)
                continue
            beats = self.config.beats(length)
            # A vector's last beat comes in no sooner than what works once per vector allows.
            came += beats if came < 0 else Cycles.largest(self.interval_terms, beats)
            first = came + self.fixed_latency_cycles + self.passes
            span = self.output_spacing * (self._emitted(length) - 1) if self.passes else 0
            gone = max(first, gone + self.output_spacing) + span
        return gone

    def best_output_cycle(self, length: int) -> int:
        """Cycle of the winner's transfer, counted from the first input beat's; of a packet's first."""
        length = int(length)  # a scalar of NumPy would wrap
        if self.vectors is not None:
            return self.vectors.best_output_cycle(self._of_group(length))
        if self.ranks:
            return self.first_output_cycle(length)
        return self._lead_cycles(length) + self.best_passes * self.config.beats(length) + self.best_latency_cycles

    def interval_cycles(self, length: int) -> int:
        """Sustained cycles per vector, vectors of that length back to back, outputs always taken."""
        length = int(length)  # a scalar of NumPy would wrap
        if self.vectors is not None:
            lengths = Grouping(self.config.groups, np.array([length])).lengths.tolist()
            return sum(map(self.vectors.interval_cycles, lengths))
        emitted = self.output_spacing * self._emitted(length) + self.output_pause
        return max(emitted, Cycles.largest(self.interval_terms, self.config.beats(length)))

    @property
    def bound_ulp(self) -> float | None:
        """|p̂ − p| in ulp for every input, before saturation of 1.0; None in modes without probabilities."""
        return None if self.bound is None else float(self.bound.total)

    @property
    def worst_ulp(self) -> float | None:
        """The bound with the saturation of 1.0 in UQ0.P included."""
        return None if self.bound is None else float(self.bound.worst)

    @property
    def table_bits(self) -> int:
        """Bits of all tables, as stored."""
        return sum(stage.table_bits for stage in self.stages)

    @property
    def memory_bits(self) -> int:
        """Bits of all memories of scores."""
        return sum(stage.memory_bits for stage in self.stages)

    def stage_table(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """(columns, rows) of the stages, in data-path order, with their shares of the error bound where there is one."""
        bounded = self.bound is not None
        header = ("stage", "computes", "in", "out", "latency", "interval", "table bits")
        rows: list[tuple[object, ...]] = [
            (
                stage.name,
                stage.computes,
                stage.input_format,
                stage.output_format,
                stage.latency_cycles,
                stage.interval,
                stage.table_bits or "–",
                *((decimals(stage.bound_share_ulp, 4) if stage.bound_share_ulp else "–",) if bounded else ()),
            )
            for stage in self.stages
        ]
        return (*header, "error, ulp") if bounded else header, rows

    @property
    def _packet(self) -> str:
        """The noun of what ends with tlast."""
        return "packet" if self.config.groups else "vector"

    @property
    def cycle_text(self) -> str:
        """Latency and interval in one sentence."""
        noun, elements = ("group", ", N the elements of a group") if self.config.groups else ("vector", "")
        return (
            f"cycles from a {self._packet}'s first beat in, unstalled: first beat out after {self.latency_text}, "
            f"next {noun} after {self.interval_formula}{elements}"
        )

    def cycle_table(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """(columns, rows) of latency and interval at some lengths."""
        limit, groups = self.config.max_length, self.config.groups
        lengths = sorted({1, min(10, limit), limit, 8 * sum(groups) or 1})
        rows: list[tuple[object, ...]] = [
            (n, self.first_output_cycle(n), self.last_output_cycle(n), self.interval_cycles(n)) for n in lengths
        ]
        return ("N", "first beat out", "last beat out", f"next {self._packet} in"), rows

    @property
    def bound_text(self) -> str:
        """The error bound for a person, with the unit of an ulp; empty in modes without one."""
        if self.bound_ulp is None or self.worst_ulp is None:
            return ""
        saturated = f", {self.worst_ulp:.4f} with 1.0 saturated" if self.worst_ulp != self.bound_ulp else ""
        step = f"1/{self.config.levels}" if self.config.rescales else f"2^-{self.config.probability_width}"
        return f"{self.bound_ulp:.4f} ulp for every input{saturated} (1 ulp = {step})"

    @property
    def law_texts(self) -> list[str]:
        """The law of a draw for a person: its distance from softmax, and the probabilities that are honoured; a sentence each."""
        if self.distance is None or self.smallest is None or self.class_error is None:
            return []
        law = "softmax over its set" if self.ranks else "softmax"
        return [
            f"law of a draw: within {self.distance:.3g} of {law} in total variation, for every vector",
            f"each class: from a probability of {self.smallest:.2g} on honoured, within {100 * self.class_error:.2g} % of it",
        ]

    def notes(self) -> list[str]:
        """Table bits, error bound, law of a draw, the choice of a normaliser, and warnings: a sentence each."""
        lines = [f"tables: {self.table_bits} bits"]
        if self.bound_text:
            lines.append(f"error bound: {self.bound_text}")
        lines += self.law_texts
        if self.config.normaliser_text:
            lines.append(self.config.normaliser_text)
        return [*lines, *(f"note: {warning}" for warning in self.warnings)]

    def __repr__(self) -> str:
        """The stages, cycles and notes as text."""
        tables = [text_table(*table) for table in (self._narrow_table(), self.cycle_table())]
        return "\n".join([f"Plan of {self.config!r}", tables[0], self.cycle_text, tables[1], *self.notes()])

    def _narrow_table(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """The table of the stages without the columns of long texts."""
        header, rows = self.stage_table()
        columns = [k for k, name in enumerate(header) if name not in ("computes", "in", "interval")]
        return tuple(header[k] for k in columns), [tuple(row[k] for k in columns) for row in rows]

    def _repr_html_(self) -> str:
        """The stages, cycles and notes as tables for notebooks."""
        notes = "".join(f"<li>{escape(line)}</li>" for line in self.notes())
        stages = html_table(f"Plan of {self.config!r}", *self.stage_table())
        return f"{stages}{html_table(self.cycle_text, *self.cycle_table())}<ul>{notes}</ul>"

    def stage(self, name: str) -> StagePlan:
        """The first stage of that name."""
        return next(stage for stage in self.stages if stage.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `describe --json` and the manifest."""
        return {
            "format": FORMAT,
            "config": self.config.to_mapping(),
            "digest": self.config.digest,
            "stages": [asdict(stage) for stage in self.stages],
            "ports": [asdict(port) for port in self.ports],
            "latency": {
                "first_output": self.latency_formula,
                "last_output": self.last_output_formula,
                "best_output": self.best_formula,
                "interval": self.interval_formula,
                "at_max_length": {
                    "first_output": self.first_output_cycle(self.config.max_length),
                    "last_output": self.last_output_cycle(self.config.max_length),
                    "interval": self.interval_cycles(self.config.max_length),
                },
            },
            "table_bits": self.table_bits,
            "bound_ulp": self.bound_ulp,
            "worst_ulp": self.worst_ulp,
            "total_variation": self.distance,
            "smallest_probability": self.smallest,
            "class_error": self.class_error,
            "warnings": list(self.warnings),
        }


def _no_sidebands(config: Config) -> tuple[Sideband, ...]:
    return ()


@dataclass(frozen=True)
class ModePlan:
    """One mode: the row of `MODE_PLANS`."""

    plan: Callable[[Config], Plan]
    """The plan of the mode's head, without the stages of options around it."""
    outputs: Callable[[Config], tuple[Output, ...]]
    sidebands: Callable[[Config], tuple[Sideband, ...]] = _no_sidebands
    passes_ready: Callable[[Config], bool] = lambda config: False
    """Whether the ready of the output reaches that of the input in the same cycle."""


@dataclass(frozen=True)
class OptionPlan:
    """One option: the row of `OPTION_PLANS`."""

    applies: Callable[[Config], bool]
    without: Callable[[Config], Config]
    """The configuration with the option switched off."""
    row: Callable[[Config, Config], StagePlan] | None = None
    """The row of the stage: of the configurations before and behind a front stage, of outer and inner one for a post stage."""
    outputs: Callable[[Config, tuple[Output, ...]], tuple[Output, ...]] | None = None
    """The output streams, from those without the option."""
    sidebands: Callable[[Config], tuple[Sideband, ...]] = _no_sidebands
    """The sidebands that the option adds."""
    times: Callable[[Config, Plan], Plan] = lambda config, head: head
    """The times of a head with the option, but for the latency of the option's row."""
    ahead: Callable[[Config], int] = lambda config: 0
    """Elements behind a vector's first that the stage needs before the first leaves it."""
    warnings: Callable[[Config, Config], list[str]] = lambda config, inner: []
