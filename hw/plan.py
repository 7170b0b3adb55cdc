"""The plan of a configuration: what every stage computes, its formats, latency, interval, tables and share of the bound.

Hardware, documents, `describe`, latency tests and reports read the plan; nothing is derived twice.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from .bound import Bound, bound, post_shares, unchecked_bound
from .cdf_law import cdf_law, exact_sum
from .composition import Composition, composition
from .config import Config
from .differences import differences
from .ensemble import mean_format
from .ensemble_schedule import best_mean_latency, mean_latency
from .exponential_codes import exponential_bound, exponential_codes, sum_format
from .floor_numerics import floor_code, floor_warning
from .floor_schedule import floor_latency
from .formats import QFormat
from .grouping import Grouping
from .hardmax_schedule import HARDMAX_VECTORS, hardmax_latency
from .inverse_cdf_schedule import inverse_cdf_schedule
from .log_numerics import LogNumerics, log_bound, log_numerics
from .numerics import Numerics, numerics
from .ports import Port, outputs, top_ports
from .sampling import WORD, gumbel_table
from .schedule import (
    QUEUE_LATENCY,
    Schedule,
    exponential_schedule,
    loss_schedule,
    maximum_latency,
    memory_cycles,
    sample_latency,
    schedule,
    sigmoid_latency,
    skewed,
    two_pass_schedule,
)
from .sigmoid_tables import sigmoid_codes
from .smoothing_schedule import smoothing_ahead, smoothing_latency
from .smoothing_tables import smoothing_tables
from .temperatures import product_cycles, range_text
from .top_k_schedule import (
    INSERTION_LATENCY,
    KEPT_LATENCY,
    kept_vectors,
    join_latency,
    list_of,
    softmax_top_k_latency,
    softmax_top_k_vectors,
    tag_width,
    top_k_latency,
    top_k_vectors,
)

__all__ = ["PLANS", "Plan", "StagePlan", "plan"]


@dataclass(frozen=True)
class StagePlan:
    """One stage of the data path."""

    name: str
    """Stem of the stage's file in `hw/` and of its golden model."""
    computes: str
    input_format: str
    output_format: str
    latency_cycles: int
    interval: str
    """How often the stage takes a payload."""
    table_bits: int = 0
    bound_share_ulp: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """Everything that may be asked of a configuration."""

    config: Config
    stages: tuple[StagePlan, ...]
    ports: tuple[Port, ...]
    fixed_latency_cycles: int
    """c: the first output beat is transferred a·B + c cycles after the first input beat, in an idle pipeline without stalls,
    where B = ⌈N/lanes⌉ is the number of the vector's beats, and a `passes`. Of an ensemble, after that of the last member."""
    best_latency_cycles: int
    """The same for the winner, with a `best_passes`."""
    interval_terms: tuple[tuple[str, int, int], ...]
    """(text, a, b): the interval of back-to-back vectors of B beats is the largest a·B + b, or `output_spacing` times the
    beats that come out, where that is more."""
    output_spacing: int
    """Cycles between two output beats of a vector."""
    bound: Bound | None
    warnings: tuple[str, ...]
    passes: int = 1
    """Cycles for each beat of a vector before its first output beat: 0 where elements leave as they come."""
    best_passes: int = 1
    """a of the winner."""
    lead_terms: tuple[tuple[str, int, int], ...] = ()
    """Of an ensemble, likewise the cycles from its first input beat to the first one of its last member."""
    ahead: int = 0
    """Output beats behind a vector's first that have to be worked out before it leaves, where it has as many; each is
    waited for longer where they come `output_spacing` cycles apart."""
    distance: float | None = None
    """In sample mode: no vector's draws have a law farther from softmax than this, in total variation."""
    searched: bool = False
    """Whether the one output beat of a vector comes as soon as it is found: i cycles later if it is that of element i."""
    vectors: "Plan | None" = None
    """Of packets of groups, the plan of a group. Formulas are those of a group of N elements, cycles those of a packet."""

    def _of_group(self, length: int) -> int:
        """Elements of a packet's first group."""
        return min(length, self.config.groups[0])

    @property
    def latency_formula(self) -> str:
        """Cycles from a vector's first input beat to its first output beat."""
        wait = self.output_spacing - 1 if self.ahead else 0
        ahead = f" + {wait}min({_beats(self.config)} − 1, {self.ahead})" if wait else ""
        return self._formula(self.passes, self.fixed_latency_cycles) + ahead

    @property
    def latency_text(self) -> str:
        """The same; for an output that comes as soon as it is found, from the earliest to the latest."""
        return f"{self.latency_formula} to {self.last_output_formula}" if self.searched else self.latency_formula

    @property
    def best_formula(self) -> str:
        """Cycles from a vector's first input beat to its winner."""
        return self._formula(self.best_passes, self.best_latency_cycles)

    @property
    def last_output_formula(self) -> str:
        """Cycles from a vector's first input beat to its last output beat."""
        if self.vectors is not None:
            return self.vectors.last_output_formula
        per = outputs(self.config)[0].per
        if per == "vector" and not self.searched:
            return self.latency_formula
        if per == "rank":
            constant, spacing = self.fixed_latency_cycles - self.output_spacing, self.output_spacing
            emitted = f"{spacing if spacing > 1 else ''}min(N, {self.config.top_k})"
            return self._formula(1, constant, f"{emitted} ")
        return self._formula(self.output_spacing + self.passes, self.fixed_latency_cycles - self.output_spacing)

    def _formula(self, slope: int, constant: int, between: str = "") -> str:
        """Cycles from a vector's first input beat: slope·B + constant, behind those before its ensemble's last member."""
        lead = ""
        if len(self.lead_terms) == 1:
            _, more, later = self.lead_terms[0]
            slope, constant = slope + more, constant + later
        elif self.lead_terms:
            lead = f"{_largest(self.lead_terms)} + "
        beats = f"{slope if slope > 1 else ''}{_beats(self.config)} " if slope else ""
        plus = "+ " if beats or between else ""
        return f"{lead}{beats}{f'+ {between}' if between else ''}{plus if constant >= 0 else '− '}{abs(constant)}"

    @property
    def interval_formula(self) -> str:
        """Cycles from a vector's first input beat to the next one's, back to back."""
        return _largest(self.interval_terms)

    def _lead_cycles(self, length: int) -> int:
        """Cycles from the first input beat to that of an ensemble's last member."""
        return max((a * self.config.beats(length) + b for _, a, b in self.lead_terms), default=0)

    def first_output_cycle(self, length: int) -> int:
        """Cycle of the first output beat's transfer, counted from the first input beat's."""
        if self.vectors is not None:
            return self.vectors.first_output_cycle(self._of_group(length))
        return self._unhindered(length) + (self.output_spacing - 1) * min(self.config.beats(length) - 1, self.ahead)

    def _unhindered(self, length: int) -> int:
        """The same where all beats came in every cycle."""
        return self._lead_cycles(length) + self.passes * self.config.beats(length) + self.fixed_latency_cycles

    def last_output_cycle(self, length: int) -> int:
        """Cycle of the last output beat's transfer, counted from the first input beat's."""
        if self.vectors is not None:
            return self.vectors._last_of(Grouping(self.config.groups, np.array([length])).lengths.tolist())
        last = length if self.searched else self._emitted(length)
        return self._unhindered(length) + self.output_spacing * (last - 1)

    def _emitted(self, length: int) -> int:
        """Beats that come out for a vector."""
        per = outputs(self.config)[0].per
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
            came += beats if came < 0 else max(a * beats + b for _, a, b in self.interval_terms)
            first = came + self.fixed_latency_cycles + self.passes
            span = self.output_spacing * (self._emitted(length) - 1) if self.passes else 0
            gone = max(first, gone + self.output_spacing) + span
        return gone

    def best_output_cycle(self, length: int) -> int:
        """Cycle of the winner's transfer, counted from the first input beat's; of a packet's first."""
        if self.vectors is not None:
            return self.vectors.best_output_cycle(self._of_group(length))
        return self._lead_cycles(length) + self.best_passes * self.config.beats(length) + self.best_latency_cycles

    def interval_cycles(self, length: int) -> int:
        """Sustained cycles per vector, vectors of that length back to back, outputs always taken."""
        if self.vectors is not None:
            lengths = Grouping(self.config.groups, np.array([length])).lengths.tolist()
            return sum(map(self.vectors.interval_cycles, lengths))
        emitted = self.output_spacing * self._emitted(length)
        return max(emitted, *(a * self.config.beats(length) + b for _, a, b in self.interval_terms))

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

    def stage(self, name: str) -> StagePlan:
        """The first stage of that name."""
        return next(stage for stage in self.stages if stage.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `describe --json` and the manifest."""
        return {
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
            "warnings": list(self.warnings),
        }


@lru_cache(maxsize=256)
def plan(config: Config) -> Plan:
    """The plan of a configuration.

    Raises `UserError` where its error bound exceeds 1 ulp or its accumulator would be too wide, with a value that would do.
    """
    if config.groups:
        return _grouped_plan(config)
    parts = composition(config)
    return PLANS[config.mode](config) if parts is None else _composed_plan(config, parts)


def _grouped_plan(config: Config) -> Plan:
    """The plan of the head of vectors, each of which is a group."""
    found = plan(config.replace(groups=[]))
    # A winner has to wait for its group's mark, which goes through a queue.
    found = replace(found, best_latency_cycles=max(found.best_latency_cycles, QUEUE_LATENCY - 1))
    code = f"{config.score_format}"
    row = StagePlan(
        "groups",
        f"ends of groups of {', '.join(map(str, config.groups))}, over and over",
        code,
        code,
        0,
        _each_cycle(config),
        note="packets' ends and short groups wait beside the head, a mark for each group",
    )
    return replace(found, config=config, stages=(row, *found.stages), ports=top_ports(config), vectors=found)


def _composed_plan(config: Config, parts: Composition) -> Plan:
    """The plan of the inner head with the rows of the stages around it."""
    if not parts.finished:
        found, posts, limits = plan(parts.inner), [], None
    else:
        limits = bound(config)
        scale = 1 / (1 << (parts.inner.probability_width - config.probability_width))
        found = _softmax_plan(parts.inner, unchecked_bound(parts.inner))
        found = replace(
            found,
            stages=tuple(replace(row, bound_share_ulp=row.bound_share_ulp * scale) for row in found.stages),
            warnings=(*_warnings(config), *_post_warnings(config, parts)),
        )
        before, after, each = parts.inner.probability_qformat, f"{config.probability_qformat}", _each_cycle(config)
        posts = [
            *(
                replace(POST_ROWS[name](config, parts.inner), bound_share_ulp=float(share))
                for name, share in post_shares(config, parts)
            ),
            StagePlan("finish", "rounded half up, saturated", f"{before}", after, 1, each, bound_share_ulp=0.5),
            StagePlan("skid", "probability kept until taken", after, after, 1, each),
        ]
    fronts = [FRONT_ROWS[front.name](front.before, front.after) for front in parts.fronts]
    earlier = sum(row.latency_cycles for row in fronts)
    if config.ensemble > 1:
        found = _ensemble_times(config, found)
    best = found.best_latency_cycles + earlier
    for number, front in enumerate(parts.fronts):
        if front.winner is not None:
            winner = plan(front.winner)
            best = winner.fixed_latency_cycles + sum(row.latency_cycles for row in fronts[:number])
            maximum = winner.stage("maximum")
            found = replace(found, stages=tuple(maximum if row.name == "maximum" else row for row in found.stages))
    return replace(
        found,
        config=config,
        stages=(*fronts, *found.stages, *posts),
        ports=top_ports(config),
        fixed_latency_cycles=found.fixed_latency_cycles + earlier + sum(row.latency_cycles for row in posts),
        best_latency_cycles=best,
        bound=limits or found.bound,
        ahead=smoothing_ahead(config) if "smoothing" in parts.posts else 0,
    )


def _ensemble_times(config: Config, found: Plan) -> Plan:
    """The times of a head for the ensembles of a mean around it, but for the latency that the mean itself adds.

    In front of it a beat of each member is taken in every cycle; behind it, as the head takes them.
    """
    beats, members = _beats(config), config.ensemble
    if config.ensemble_mean == "probabilities":
        slope = found.passes + found.output_spacing
        return replace(
            found,
            lead_terms=_times(members - 1, beats, found.interval_terms),
            interval_terms=_times(members, beats, found.interval_terms),
            best_passes=slope,
            # From the last member's last probability, which stands for its winner, through the skid.
            best_latency_cycles=found.fixed_latency_cycles - found.output_spacing + best_mean_latency(config) + 1,
        )
    steady = (f"{members}{beats}", members, 0)
    slower = tuple(term for term in found.interval_terms if term[2] or term[1] > members)
    return replace(
        found,
        lead_terms=((beats, members - 1, 0),),
        interval_terms=(steady, *slower),
        # The flags go beside the head, through a queue.
        best_latency_cycles=max(found.best_latency_cycles, QUEUE_LATENCY - 1),
    )


def _times(count: int, beats: str, terms: tuple[tuple[str, int, int], ...]) -> tuple[tuple[str, int, int], ...]:
    """Terms of formulas, each that many times."""
    found = []
    for _, a, b in terms:
        slope, constant = count * a, count * b
        parts = [f"{slope if slope > 1 else ''}{beats}"] * (a > 0) + [f"{constant}"] * (b > 0)
        found.append((" + ".join(parts), slope, constant))
    return tuple(found)


def _mean_probabilities_row(config: Config, inner: Config) -> StagePlan:
    form = f"{inner.probability_qformat}"
    return StagePlan(
        "mean_probabilities",
        f"Σ of the probabilities of {config.ensemble} members, over {config.ensemble}; first index of the largest sum",
        form,
        form,
        mean_latency(config, inner),
        _each_cycle(config),
        note=f"sums exact, {mean_format(config, inner)}, with a memory of {config.beats(config.max_length)}",
    )


def _mean_logits_row(config: Config, after: Config) -> StagePlan:
    return StagePlan(
        "mean_logits",
        f"Σ of the scores of {config.ensemble} members, in steps of {after.score_scale:.4g} nats; cut at max_length",
        f"{config.score_format}",
        f"{after.score_format}",
        memory_cycles(config) + 3,
        _each_cycle(config),
        note=f"exact, with a memory of {config.beats(config.max_length)} sums",
    )


def _largest(terms: tuple[tuple[str, int, int], ...]) -> str:
    """The largest of some terms, in formulas."""
    texts = [text for text, _, _ in terms]
    return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"


def _beats(config: Config) -> str:
    """The number of beats of a vector of N elements, in formulas."""
    return "N" if config.lanes == 1 else f"⌈N/{config.lanes}⌉"


def _each_cycle(config: Config) -> str:
    return "1 element/cycle" if config.lanes == 1 else f"{config.lanes} elements/cycle"


def _once(interval: int) -> str:
    return "1 vector/cycle" if interval == 1 else f"{interval} cycles/vector"


def _frame_row(config: Config, cycles: int = 1) -> StagePlan:
    code = f"{config.score_format}"
    return StagePlan(
        "frame",
        "position = code − smallest code; cut at max_length",
        code,
        f"UQ{config.score_width}.0",
        cycles,
        _each_cycle(config),
    )


def _maximum_row(config: Config, cycles: int) -> StagePlan:
    return StagePlan(
        "maximum",
        "first index of the largest score",
        f"UQ{config.score_width}.0",
        f"{config.index_width}-bit index, {config.score_format}",
        cycles,
        _each_cycle(config),
        note="exact, from the raw scores",
    )


def _serial_term(interval: int) -> list[tuple[str, int, int]]:
    """What the parts that work once per vector make of the interval of vectors, where they are serial."""
    return [(str(interval), 0, interval)] if interval > 1 else []


def _steady_plan(config: Config, stages: tuple[StagePlan, ...], constant: int) -> Plan:
    """The plan of a mode that takes a beat in every cycle and is exact."""
    return Plan(
        config=config,
        stages=stages,
        ports=top_ports(config),
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=((_beats(config), 1, 0),),
        output_spacing=1,
        bound=None,
        warnings=(),
    )


def _argmax_plan(config: Config) -> Plan:
    stages = [_frame_row(config), _maximum_row(config, maximum_latency(config))]
    if skewed(config):
        winner = stages[-1].output_format
        stages.append(StagePlan("skid", "winner kept until taken", winner, winner, 1, "1 vector/cycle"))
    return _steady_plan(config, tuple(stages), sum(stage.latency_cycles for stage in stages) - 1)


def _two_pass_plan(config: Config, limits: Bound) -> Plan:
    table, cycles = differences(config), two_pass_schedule(config)
    position, total = f"UQ{config.score_width}.0", f"{QFormat(table.sum_width - table.fraction, table.fraction)}"
    exponential = f"{QFormat(0, table.fraction)}"
    spacing = f"{cycles.element} cycles/element"
    stages = (
        _maximum_row(config, 1),
        StagePlan(
            "two_pass",
            f"Σ 2^(−βd), d = maximum − score: one table of {len(table.entries)} entries",
            position,
            total,
            1 + cycles.lookup,
            "1 element/cycle",
            table.bits,
            float(limits.exponential),
        ),
        StagePlan(
            "two_pass",
            f"2^(−βd) / Σ, one bit a step, without the lowest {table.dropped} bits",
            f"{exponential}, {total}",
            f"{config.probability_qformat}",
            cycles.output + 2,
            spacing,
            bound_share_ulp=float(limits.normaliser + limits.rounding),
            note="rounded half up, saturated",
        ),
    )
    beats, slope = _beats(config), cycles.element + 2
    return Plan(
        config=config,
        stages=stages,
        ports=top_ports(config),
        fixed_latency_cycles=cycles.first_output,
        best_latency_cycles=0,
        interval_terms=((f"{slope}{beats} + {cycles.vector}", slope, cycles.vector),),
        output_spacing=cycles.element,
        bound=limits,
        warnings=tuple(_warnings(config)),
        passes=2,
    )


def _softmax_plan(config: Config, limits: Bound | None = None) -> Plan:
    """`limits` where they are not to be checked."""
    if config.accumulator == "two_pass":
        return _two_pass_plan(config, limits or bound(config))
    widths, cycles = numerics(config), schedule(config)
    limits = limits or bound(config, widths)
    beats = _beats(config)
    constant = cycles.fixed_latency
    terms: list[tuple[str, int, int]] = [(beats, 1, 0)]
    if cycles.quotient_interval > 1:
        terms = [(f"{cycles.quotient_interval}{beats}", cycles.quotient_interval, 0)]
    return Plan(
        config=config,
        stages=tuple(_softmax_stages(config, widths, cycles, limits)),
        ports=top_ports(config),
        fixed_latency_cycles=constant,
        best_latency_cycles=cycles.frame + cycles.entry + cycles.maximum + cycles.winners - 1,
        interval_terms=(*terms, *_serial_term(cycles.vector_interval)),
        output_spacing=cycles.quotient_interval,
        bound=limits,
        warnings=tuple(_warnings(config)),
    )


def _hardmax_plan(config: Config) -> Plan:
    maximum, code = _maximum_row(config, maximum_latency(config)), f"{config.probability_qformat}"
    stages = (
        _frame_row(config),
        maximum,
        StagePlan("hardmax", "1.0 at the winner's index, 0 elsewhere", maximum.output_format, code, QUEUE_LATENCY + 1,
                  _each_cycle(config), note=f"with a queue of {HARDMAX_VECTORS} winners and lengths"),
    )  # fmt: skip
    return _steady_plan(config, stages, hardmax_latency(config))


def _insertion_row(config: Config) -> StagePlan:
    count = list_of(config, 0).top_k
    tags = f"{count} tags of {tag_width(count)} bits"
    return StagePlan(
        "insertion",
        f"sorted list of the {count} largest{' of each lane' if config.lanes > 1 else ''}",
        f"UQ{config.score_width}.0",
        tags if config.lanes == 1 else f"{config.lanes} times {tags}",
        INSERTION_LATENCY,
        _each_cycle(config),
        note="exact, from the raw scores",
    )


def _kept_row(config: Config, vectors: int, cycles: int) -> StagePlan:
    stored = f"{vectors} · {1 << tag_width(list_of(config, 0).top_k)} entries"
    several = config.lanes > 1
    return StagePlan(
        "merged" if several else "kept",
        f"the first of {config.lanes} lists' largest, again and again" if several else f"index and score by tag, {stored}",
        _insertion_row(config).output_format,
        f"{config.index_width}-bit index, UQ{config.score_width}.0",
        cycles,
        "1 element/cycle",
        note=f"with {config.lanes} memories, index and score by tag, {stored}" if several else "a memory, not a table",
    )


def _ranks_term(config: Config, spacing: int) -> list[tuple[str, int, int]]:
    """What the beats that come out make of the interval of vectors, where they may take longer than those that come in."""
    text = f"{spacing if spacing > 1 else ''}min(N, {config.top_k})"
    return [(text, 0, 0)] if spacing > 1 or config.lanes > 1 else []


def _top_k_plan(config: Config) -> Plan:
    cycles = join_latency(config) + QUEUE_LATENCY + KEPT_LATENCY
    kept = _kept_row(config, kept_vectors(top_k_vectors(config)), cycles)
    found = _steady_plan(config, (_frame_row(config), _insertion_row(config), kept), top_k_latency(config))
    return replace(found, interval_terms=(*found.interval_terms, *_ranks_term(config, 1)))


def _softmax_top_k_plan(config: Config) -> Plan:
    widths, cycles = numerics(config), schedule(config)
    limits = bound(config, widths)
    constant = softmax_top_k_latency(cycles)
    terms = [
        (_beats(config), 1, 0),
        *_serial_term(cycles.vector_interval),
        *_ranks_term(config, cycles.quotient_interval),
    ]
    # The sum and the emission are the softmax's; the list stands in the place of the winner, and of the ring of scores.
    kept = kept_vectors(softmax_top_k_vectors(config, cycles))
    instead = {
        "maximum": _insertion_row(config),
        "replay": _kept_row(config, kept, 1 + KEPT_LATENCY + cycles.memory - 1),
    }
    one = config.replace(lanes=1)  # of whose elements one leaves after the other
    stages = [instead.get(row.name, row) for row in _softmax_stages(config, widths, cycles, limits, one)]
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=tuple(terms),
        output_spacing=cycles.quotient_interval,
        bound=limits,
        warnings=tuple(_warnings(config)),
    )


def _sum_stages(
    config: Config, widths: Numerics, cycles: Schedule, accumulator: Fraction, maximum: bool
) -> list[StagePlan]:
    """The rows up to the normalised sum, with or without that of the winner."""
    tables = widths.tables
    position = f"UQ{config.score_width}.0"
    direct_terms = cycles.align == 0
    total = f"{widths.accumulator_format}"
    each = _each_cycle(config)
    rows = [
        _frame_row(config, cycles.frame + cycles.entry),
        *([_maximum_row(config, cycles.maximum)] if maximum else []),
    ]
    if direct_terms:
        term = QFormat(1 + tables.exponent_maximum, widths.significand_fraction)
        rows.append(
            StagePlan("exponential", f"M·2^E, shifted terms from a table{_clip_text(config)}", position, f"{term}",
                      cycles.lookup, each, config.lanes * len(tables.high) * term.width)
        )  # fmt: skip
    else:
        rows.append(
            StagePlan("exponential", f"2^(βx): {_method(widths)}{_clip_text(config)}", position,
                      _exponential_format(widths), cycles.lookup, each,
                      config.lanes * tables.bits,
                      note="monotone" if tables.monotone else "not monotone; the winner is not affected")
        )  # fmt: skip
    rows += [
        StagePlan(
            "accumulate",
            "Σ exact, every octave at once"
            if widths.absolute
            else f"Σ against a running reference of {widths.reference_step} octaves",
            rows[-1].output_format,
            total,
            cycles.align + cycles.merge + cycles.accumulate,
            each,
            bound_share_ulp=float(accumulator),
        ),
        StagePlan(
            "normalise",
            "leading one: Σ = 2^n·m",
            total,
            f"n {widths.sum_exponent_width} bits, m {widths.divisor_format}",
            cycles.normalise,
            _once(cycles.normalise_interval),
        ),
    ]
    return rows


def _replay_row(config: Config, cycles: Schedule, element: str) -> StagePlan:
    position = f"UQ{config.score_width}.0"
    return StagePlan(
        "replay",
        f"raw scores again, {cycles.replay_entries(config.beats(config.max_length))} entries",
        position,
        position,
        cycles.replay,
        element,
        note="a memory, not a table",
    )


def _clip_text(config: Config) -> str:
    return f", x clipped to {config.clip_minimum}…{config.clip_maximum}" if config.clips else ""


def _method(widths: Numerics) -> str:
    tables = widths.tables
    if not tables.low:
        return f"one table of {len(tables.high)} entries"
    return f"tables of {len(tables.high)} and {len(tables.low)} entries, interpolating product"


def _exponential_format(widths: Numerics) -> str:
    return f"2^E·M, E {widths.exponent_width} bits, M {widths.significand_format}"


def _softmax_stages(
    config: Config, widths: Numerics, cycles: Schedule, limits: Bound, emitting: Config | None = None
) -> list[StagePlan]:
    """The rows of a softmax; `emitting` where elements leave in other lanes than they came in."""
    tables = widths.tables
    position = f"UQ{config.score_width}.0"
    factor = {
        "divider": f"{widths.divisor_format}",
        "reciprocal": f"{QFormat(0, widths.reciprocal_width)}",
        "logarithm": f"{QFormat(0, widths.divisor_fraction - 1)}",
        "none": "–",
    }[config.normaliser]
    chords = widths.reciprocals
    rows = _sum_stages(config, widths, cycles, limits.accumulator, True)
    config = emitting or config
    each = _each_cycle(config)
    if config.normaliser == "reciprocal":
        rows.append(
            StagePlan("reciprocal", "r = 1/m, one bit a step", f"{widths.divisor_format}", factor, cycles.factor,
                      _once(cycles.factor_interval))
            if chords is None
            else StagePlan("reciprocal", f"r = 1/m, by {len(chords.start)} chords", f"{widths.divisor_format}", factor,
                           cycles.factor, "1 vector/cycle", chords.bits)
        )  # fmt: skip
    logarithms = widths.logarithms
    if logarithms is not None:
        rows.append(
            StagePlan("logarithm", f"log2 m, one table of {1 << logarithms.fraction} entries", f"{widths.divisor_format}",
                      factor, cycles.factor, "1 vector/cycle", len(logarithms.logarithm) * logarithms.working_fraction)
        )  # fmt: skip
    element = (
        each
        if cycles.quotient_interval == 1
        else f"{cycles.quotient_interval} cycles/{'element' if config.lanes == 1 else 'beat'}"
    )
    rows.append(_replay_row(config, cycles, element))
    if logarithms is not None:
        rows.append(
            StagePlan(
                "logarithm",
                f"2^-(log2 Σ − βx), tables of {len(logarithms.position)} and {2 << logarithms.fraction} entries",
                f"{position}, {factor}",
                f"{config.probability_qformat}",
                cycles.exponential + cycles.distance + cycles.quotient + cycles.round + QUEUE_LATENCY,
                each,
                config.lanes
                * (
                    len(logarithms.position) * int(logarithms.position.max()).bit_length()
                    + (2 << logarithms.fraction) * config.output_width
                ),
                float(limits.exponential + limits.normaliser + limits.rounding),
                "with the output queue",
            )
        )
        return rows
    quotient = {
        "divider": ("divider", "M / m, one bit a step"),
        "reciprocal": ("reciprocal", "M · r, one multiplier"),
        "none": ("unnormalised", "M / 2: over a power of two, no divider"),
    }[config.normaliser]
    rows += [
        StagePlan(
            "exponential",
            f"2^(βx): {_method(widths)}{_clip_text(config)}",
            position,
            _exponential_format(widths),
            cycles.exponential,
            each,
            config.lanes * tables.bits,
            float(limits.exponential),
            "monotone" if tables.monotone else "not monotone; the winner is not affected",
        ),
        StagePlan(
            quotient[0],
            quotient[1],
            f"M {widths.significand_format}, {factor}",
            f"{widths.quotient_format}",
            cycles.distance + cycles.quotient,
            element,
            bound_share_ulp=float(limits.normaliser),
        ),
        StagePlan(
            "round",
            "shift by n − E, round half up, saturate",
            f"{widths.quotient_format}",
            f"{config.probability_qformat}",
            cycles.round + QUEUE_LATENCY,
            each,
            bound_share_ulp=float(limits.rounding),
            note="with the output queue",
        ),
    ]
    return rows


def _warnings(config: Config) -> list[str]:
    found = []
    if config.max_length > 1 << (config.probability_width - 2) and config.normaliser != "none":
        found.append(
            f"max_length = {config.max_length} exceeds 2^(P − 2) = {1 << (config.probability_width - 2)}: in a long vector "
            f"many probabilities lie below half an ulp and round to 0; probability_width = "
            f"{min(24, (config.max_length - 1).bit_length() + 2)} would keep them apart"
        )
    if config.effective_scale * 2**config.score_width < 2.0**-config.probability_width:
        found.append(
            f"{config.scale_text}: the whole range of scores changes a probability by less than one ulp; "
            "check the scale"
        )
    return found


def _log_sum_row(config: Config, numbers: LogNumerics, limits: Bound) -> StagePlan:
    cycles, tables = schedule(config), numbers.tables
    return StagePlan(
        "log_sum",
        f"ln Σ, tables of {len(tables.octave)} and {1 << tables.fraction} entries",
        f"{numbers.widths.divisor_format}",
        f"{QFormat(numbers.widths.sum_exponent_width, tables.working_fraction)}",
        cycles.factor,
        "1 vector/cycle",
        tables.sum_bits,
        float(limits.exponential + limits.normaliser),
    )


def _positions(numbers: LogNumerics) -> str:
    """How a position becomes nats."""
    tables = numbers.tables
    if tables.position_shift is not None:
        return "the position shifted"
    parts = [len(entries) for entries in (tables.position_high, tables.position_low) if len(entries)]
    return f"{'table' if len(parts) == 1 else 'tables'} of {' and '.join(map(str, parts))} entries"


def _log_softmax_plan(config: Config) -> Plan:
    numbers, cycles = log_numerics(config, signed=True), schedule(config)
    limits, each, beats = log_bound(config), _each_cycle(config), _beats(config)
    stages = [
        *_sum_stages(config, numbers.widths, cycles, limits.accumulator, True),
        _log_sum_row(config, numbers, limits),
        _replay_row(config, cycles, each),
        StagePlan(
            "log_softmax",
            f"x − ln Σ, {_positions(numbers)}; rounded half away from zero",
            f"UQ{config.score_width}.0, {QFormat(numbers.widths.sum_exponent_width, numbers.tables.working_fraction)}",
            f"{numbers.format}",
            cycles.probability + cycles.queue,
            each,
            config.lanes * numbers.tables.position_bits,
            float(limits.rounding),
            "with the output queue",
        ),
    ]
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=cycles.fixed_latency,
        best_latency_cycles=cycles.frame + cycles.entry + cycles.maximum + cycles.winners - 1,
        interval_terms=((beats, 1, 0), *_serial_term(cycles.vector_interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
    )


def _cross_entropy_plan(config: Config) -> Plan:
    numbers, cycles, times = log_numerics(config, signed=False), schedule(config), loss_schedule(config)
    limits = log_bound(config)
    stages = [
        *_sum_stages(config, numbers.widths, cycles, limits.accumulator, False),
        _log_sum_row(config, numbers, limits),
        StagePlan(
            "cross_entropy",
            f"ln Σ − x of the label, {_positions(numbers)}; rounded half up",
            f"UQ{config.score_width}.0, {QFormat(numbers.widths.sum_exponent_width, numbers.tables.working_fraction)}",
            f"{numbers.format}",
            times.lookup + QUEUE_LATENCY,
            "1 vector/cycle",
            numbers.tables.position_bits,
            float(limits.rounding),
            "with the output queue; the label's score is caught while its vector passes",
        ),
    ]
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=times.vector - 1,
        best_latency_cycles=times.vector - 1,
        interval_terms=((_beats(config), 1, 0), *_serial_term(times.interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
    )


def _exponential_plan(config: Config) -> Plan:
    codes = exponential_codes(config)
    limits, cycles, each = exponential_bound(codes), exponential_schedule(config), _each_cycle(config)
    narrow = codes.codes is not None
    tables = codes.widths.tables
    lookup = (
        f"min(1, e^(s(x − c))), one table of {1 << config.score_width} entries"
        if narrow
        else f"min(1, e^(s(x − c))), {_method(codes.widths)}, shift and rounding"
    )
    stages = [
        _frame_row(config),
        _maximum_row(config, maximum_latency(config)),
        StagePlan(
            "exponentials",
            lookup,
            f"UQ{config.score_width}.0",
            f"{config.probability_qformat}",
            cycles.lookup + QUEUE_LATENCY,
            each,
            config.lanes * ((1 << config.score_width) * config.output_width if narrow else tables.bits),
            float(limits.total),
            f"with the output queue; Σ of the codes beside the winner, {sum_format(config)}",
        ),
    ]
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=cycles.element,
        best_latency_cycles=cycles.vector - 1,
        interval_terms=((_beats(config), 1, 0), *_serial_term(cycles.interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
        passes=0,
    )


def _sigmoid_plan(config: Config) -> Plan:
    codes = sigmoid_codes(config)
    half = Fraction(1, 2)
    limits = Bound(
        exponential=Fraction(0),
        accumulator=Fraction(0),
        normaliser=Fraction(0),
        rounding=half,
        total=half,
        saturation=Fraction(int(config.probability_format == "UQ0")),
    )
    result = f"{config.probability_qformat}"
    rows = [
        _frame_row(config),
        StagePlan(
            "sigmoid",
            f"1/(1 + e^−x), one table of {len(codes)} entries",
            f"UQ{config.score_width}.0",
            result,
            memory_cycles(config),
            _each_cycle(config),
            len(codes) * config.output_width,
            float(half),
            "correctly rounded",
        ),
    ]
    if config.profile != "small":
        rows.append(StagePlan("skid", "probability kept until taken", result, result, 1, _each_cycle(config)))
    return replace(_steady_plan(config, tuple(rows), sigmoid_latency(config)), bound=limits, passes=0)


def _inverse_cdf_plan(config: Config) -> Plan:
    law, cycles = cdf_law(config), inverse_cdf_schedule(config)
    inner, sums, widths, each = exact_sum(config), cycles.sums, law.widths, _each_cycle(config)
    first_pass = _sum_stages(inner, widths, sums, Fraction(0), False)[:-1]
    position, exponential, total = f"UQ{config.score_width}.0", first_pass[-2], f"{widths.accumulator_format}"
    interval, share = f"{cycles.threshold} cycles/vector", f"UQ0.{law.share_bits}"
    stages = [
        *first_pass,
        StagePlan("generator", "a random word per vector", "–", f"{law.share_bits} of {WORD} bits", 0, "1 vector/cycle",
                  note=f"seed {config.seed}"),
        StagePlan("threshold", f"Σ · u, {cycles.digit} of the {law.share_bits} bits of u a step", f"{total}, {share}", total,
                  cycles.threshold, interval),
        replace(_replay_row(inner, sums, each),
                computes=f"raw scores again, {cycles.elements(config.max_length)} entries"),
        StagePlan("search", f"first index whose running sum exceeds it; {exponential.computes}", f"{position}, {total}",
                  f"{config.index_width}-bit index, {config.score_format}", cycles.search + QUEUE_LATENCY, each,
                  exponential.table_bits,
                  note=f"with the output queue; total variation from softmax at most {float(law.bound):.2g}, for every vector"),
    ]  # fmt: skip
    constant = cycles.vector_latency + cycles.output - 1
    return Plan(
        config=config,
        stages=tuple(stages),
        ports=top_ports(config),
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=((_beats(config), 1, 0), (str(cycles.vector_interval), 0, cycles.vector_interval)),
        output_spacing=1,
        bound=None,
        warnings=(),
        distance=float(law.bound),
        searched=True,
    )


def _sample_plan(config: Config) -> Plan:
    if config.sampler == "inverse_cdf":
        return _inverse_cdf_plan(config)
    noise = gumbel_table(config)
    each, position = _each_cycle(config), f"UQ{config.score_width}.0"
    units = f"UQ{noise.noise_maximum.bit_length()}.0 in units of {noise.unit:.3g} nats"
    winner = f"{config.index_width}-bit index, {config.score_format}"
    rows = [
        _frame_row(config),
        StagePlan("generator", "a random word per element", "–", f"{WORD} bits", 1, each, note=f"seed {config.seed}"),
        StagePlan(
            "sample",
            f"first index of the largest x − ln(−ln u), {len(noise.base)} segments of a straight line",
            f"{position}, {units}",
            winner,
            4 + memory_cycles(config),
            each,
            noise.bits,
            note=f"total variation from softmax at most {noise.bound:.2g}, for every vector",
        ),
    ]
    if config.profile != "small":
        rows.append(StagePlan("skid", "draw kept until taken", winner, winner, 1, "1 vector/cycle"))
    return replace(_steady_plan(config, tuple(rows), sample_latency(config) - 1), distance=noise.bound)


def _post_warnings(config: Config, parts: Composition) -> list[str]:
    found = floor_warning(config, parts.inner) if "floor" in parts.posts else None
    return [] if found is None else [found]


def _smoothing_row(config: Config, inner: Config) -> StagePlan:
    tables, form = smoothing_tables(config, inner), f"{inner.probability_qformat}"
    computes = "Σ w_k·p_(i+k) / D_(i+k)" if tables.scatter else "Σ w_k·p_(i+k) / D_i"
    times = f", {tables.passes} times" if tables.passes > 1 else ""
    return StagePlan(
        "smoothing",
        f"{computes}, {len(tables.weights)} weights, {len(tables.sums)} values of D{times}",
        form,
        form,
        smoothing_latency(config, inner),
        _each_cycle(config),
        tables.passes * tables.bits,
        note="mass preserved" if tables.scatter else "local average",
    )


def _floor_row(config: Config, inner: Config) -> StagePlan:
    form = f"{inner.probability_qformat}"
    code = floor_code(config, inner)
    return StagePlan(
        "floor",
        f"f + (1 − f·N)·p, f = {code}·2^−{inner.probability_width} = {code / (1 << inner.probability_width):.6g}",
        form,
        form,
        floor_latency(config, inner),
        _each_cycle(config),
        note="N at run time, counted while the vector comes in",
    )


def _inverse_temperature_row(before: Config, after: Config) -> StagePlan:
    code = QFormat(before.temperature_bits - before.temperature_fraction, before.temperature_fraction)
    return StagePlan(
        "inverse_temperature",
        f"(code − smallest code) · u, exact; {range_text(before)}",
        f"{before.score_format}, {code}",
        f"UQ{after.score_width}.0",
        product_cycles(before) + 1,
        _each_cycle(before),
        note="the bound holds for every u",
    )


FRONT_ROWS: dict[str, Callable[[Config, Config], StagePlan]] = {
    "mean_logits": _mean_logits_row,
    "inverse_temperature": _inverse_temperature_row,
}
"""Front stage → its row, of the configurations before and behind it."""

POST_ROWS: dict[str, Callable[[Config, Config], StagePlan]] = {
    "mean_probabilities": _mean_probabilities_row,
    "smoothing": _smoothing_row,
    "floor": _floor_row,
}
"""Post stage → its row, of the outer and the inner configuration."""

PLANS: dict[str, Callable[[Config], Plan]] = {
    "argmax": _argmax_plan,
    "softmax": _softmax_plan,
    "log_softmax": _log_softmax_plan,
    "cross_entropy": _cross_entropy_plan,
    "exponential": _exponential_plan,
    "sigmoid": _sigmoid_plan,
    "sample": _sample_plan,
    "hardmax": _hardmax_plan,
    "top_k": _top_k_plan,
    "softmax_top_k": _softmax_top_k_plan,
}
"""Mode → what plans it."""
