"""Argmax alone against softmax: what does normalising a classifier's scores buy, and what does it cost?

    comparison = compare(preset("digits-softmax"))
    comparison.answer            # one sentence
    comparison.rows()            # a table
    comparison.to_json()         # for machines
    report.write_html(comparison, path)

Both heads come from one configuration and get the same score codes. Decisions are judged against the labels and against
float64 (the argmax of the float64 softmax of the same codes, first index on ties), probabilities against float64 in ulp
and against the bound that the plan derives. Cycles are the plan's; cells and Fmax are measured with yosys and nextpnr.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import softstream
from softstream.boards.tools.measure import Job, Measurement, measure, tool_versions
from softstream.boards.tools.parts import Part
from softstream.boards.tools.parts import part as find_part
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import Plan, plan
from softstream.hw.verilog import verilog
from softstream.scripts.scores import Scores, to_codes
from softstream.scripts.verbs.accuracy import Sweep, signed_errors, sweep_pairs
from softstream.scripts.verbs.run import verify
from softstream.sim.data import DIGITS_DESCRIPTION, DIGITS_LABELS, DIGITS_SCORES, ENSEMBLE_DESCRIPTION, ENSEMBLE_SCORES
from softstream.sim.golden import Result, golden
from softstream.sim.reference.softmax import softmax_float64, valid_elements

__all__ = [
    "CALIBRATION",
    "PARTS",
    "RELIABILITY_BINS",
    "Bin",
    "Comparison",
    "Data",
    "Decisions",
    "Given",
    "Probabilities",
    "Row",
    "Side",
    "Sweep",
    "compare",
    "digits",
    "given_scores",
    "measured_heads",
    "mhz_text",
    "one_by_one",
    "percent_text",
    "reliability",
    "resources_json",
]

Progress = Callable[[float, str], None]

PARTS = ("hx8k", "ecp5-25k")
"""What heads are measured on: an iCE40 and an ECP5."""
RELIABILITY_BINS = 10
CALIBRATION = (
    f"expected calibration error: Σ_b (n_b/n)·|accuracy_b − confidence_b| over {RELIABILITY_BINS} bins of equal width on (0, 1] "
    "(M. P. Naeini et al., AAAI 2015; C. Guo et al., ICML 2017)"
)
"""What the calibration error is, in words."""
_MODEL_SHARE = 0.1  # of the progress bar; place and route has the rest


@dataclass(frozen=True)
class Data:
    """What went into both heads."""

    source: str
    vectors: int
    shortest: int
    longest: int
    """Elements of the shortest and of the longest vector."""
    saturated: int
    """Real scores that were outside the score format and became its smallest or largest code."""
    labelled: bool


@dataclass(frozen=True)
class Decisions:
    """Who decides what. Accuracies are fractions of the vectors, None without labels."""

    head_flips: int
    """Vectors on which the two heads decide differently."""
    argmax_flips: int
    """Vectors on which the argmax head differs from float64."""
    softmax_flips: int
    """Vectors on which the winner that the softmax head puts out differs from float64."""
    probability_flips: int
    """Vectors that would differ from float64 if one took the argmax of the probability codes instead."""
    argmax_accuracy: float | None
    softmax_accuracy: float | None
    probability_accuracy: float | None
    float64_accuracy: float | None


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability diagram: vectors whose confidence lies in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean confidence of the bin's vectors; the middle of the bin where it is empty."""
    accuracy: float
    """Fraction of them decided as labelled; 0 where it is empty."""


@dataclass(frozen=True)
class Probabilities:
    """The softmax head's probabilities against float64."""

    maximum_error_ulp: float
    """Largest error before saturation, which `bound_ulp` bounds."""
    worst_error_ulp: float
    """Largest error with the saturation of 1.0, which `worst_ulp` bounds."""
    mean_error_ulp: float
    bound_ulp: float
    worst_ulp: float
    saturated: int
    """Elements whose 1.0 became 1 − 2^−P."""
    sum_minimum: float
    """Smallest sum of one vector's probabilities."""
    sum_maximum: float
    exact: np.ndarray
    """True probability of every element, flat; and beside it the signed error in ulp."""
    error_ulp: np.ndarray
    sweep: Sweep | None
    """None where vectors have one element."""
    reliability: tuple[Bin, ...]
    """Empty without labels."""
    calibration_error: float | None
    """Expected calibration error: mean over the vectors of |accuracy − confidence| of their bin."""
    float64_calibration_error: float | None

    @property
    def within_bound(self) -> bool:
        """Whether every error, of the scores and of the sweep, is within its bound."""
        return self.maximum_error_ulp <= self.bound_ulp and self.worst_error_ulp <= self.worst_ulp


@dataclass(frozen=True)
class Side:
    """One of the two heads: its plan at the length at hand, and its measurements."""

    plan: Plan
    first_output_cycle: int
    last_output_cycle: int
    best_output_cycle: int
    """When the winner comes out. All three count from the vector's first input beat."""
    interval_cycles: int
    measurements: Mapping[str, Measurement]
    """By part; empty without place and route."""


@dataclass(frozen=True)
class Row:
    """One line of the table, ready to print; empty text where a column has no answer."""

    section: str
    quantity: str
    unit: str
    argmax: str
    softmax: str
    reference: str
    """What it is to be held against: float64's value, or the bound."""


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`."""

    config: Config
    data: Data
    length: int
    """Elements per vector that cycles and throughput are given for: those of the longest."""
    engine: str
    argmax: Side
    softmax: Side
    decisions: Decisions
    probabilities: Probabilities
    parts: tuple[Part, ...]
    """Empty where place and route was left out."""
    seeds: tuple[int, ...]
    tools: Mapping[str, str]
    version: str

    @property
    def answer(self) -> str:
        """The comparison in two sentences: what argmax alone decides, and what softmax adds at what cost."""
        n, d, p = self.data.vectors, self.decisions, self.probabilities
        if d.head_flips == 0 == d.argmax_flips:
            decided = f"Argmax alone decides identically: 0 flips of {n} against softmax, and 0 against float64."
        else:
            decided = (
                f"Argmax alone flips {d.head_flips} of {n} decisions against softmax, {d.argmax_flips} against float64."
            )
        proved = f"proved: {p.bound_ulp:.3f}" if p.within_bound else f"MORE than the bound of {p.bound_ulp:.3f}"
        proved += f", and {p.worst_ulp:.0f} where 1.0 saturates" if p.worst_ulp > p.bound_ulp else ""
        later = self.softmax.last_output_cycle - self.argmax.last_output_cycle
        costs = [f"a last output {abs(later)} cycles {'later' if later >= 0 else 'sooner'} at N = {self.length}"]
        for part in self.parts:
            cell = part.cell("logic")
            assert cell is not None  # every part has logic
            extra = self.softmax.measurements[part.name].cells[cell.name]
            extra -= self.argmax.measurements[part.name].cells[cell.name]
            costs.append(f"{abs(extra)} {'more' if extra >= 0 else 'fewer'} {cell.name} on {part.name}")
        cost = " and ".join(filter(None, [", ".join(costs[:-1]), costs[-1]]))
        return f"{decided} Softmax adds probabilities at most {p.maximum_error_ulp:.3f} ulp off ({proved}), for {cost}."

    def rows(self) -> list[Row]:
        """The table, section by section."""
        return [*self._decision_rows(), *self._probability_rows(), *self._timing_rows(), *self._resource_rows()]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[str, ...]]:
        """(columns, rows, columns of numbers) as they are printed: a section is named where it begins."""
        rows: list[tuple[str, ...]] = []
        previous = ""
        for row in self.rows():
            name = "" if row.section == previous else row.section
            rows.append((name, row.quantity, row.unit, row.argmax, row.softmax, row.reference))
            previous = row.section
        return ("", "", "unit", "argmax", "softmax", "against"), rows, ("argmax", "softmax")

    def _decision_rows(self) -> list[Row]:
        d, section = self.decisions, "Decision"
        rows = [
            Row(
                section,
                "differs from float64",
                f"of {self.data.vectors}",
                f"{d.argmax_flips}",
                f"{d.softmax_flips}",
                "",
            ),
            Row(
                section,
                "… if taken from the probabilities",
                f"of {self.data.vectors}",
                "",
                f"{d.probability_flips}",
                "",
            ),
        ]
        if d.argmax_accuracy is not None:
            rows = [
                Row(
                    section,
                    "as labelled",
                    "%",
                    percent_text(d.argmax_accuracy),
                    percent_text(d.softmax_accuracy),
                    f"float64 {percent_text(d.float64_accuracy)}",
                ),
                *rows,
                Row(
                    section,
                    "as labelled, if taken from the probabilities",
                    "%",
                    "",
                    percent_text(d.probability_accuracy),
                    "",
                ),
            ]
        return rows

    def _probability_rows(self) -> list[Row]:
        p, section = self.probabilities, "Probabilities"
        places = 2 + round(0.3 * self.config.probability_width)  # a hundredth of an ulp
        rows = [
            Row(section, "largest error", "ulp", "", f"{p.maximum_error_ulp:.4f}", f"bound {p.bound_ulp:.4f}"),
            Row(section, "… with 1.0 saturated", "ulp", "", f"{p.worst_error_ulp:.4f}", f"bound {p.worst_ulp:.4f}"),
            Row(section, "mean error", "ulp", "", f"{p.mean_error_ulp:.4f}", ""),
            Row(section, "smallest sum", "", "", f"{p.sum_minimum:.{places}f}", "exact 1"),
            Row(section, "largest sum", "", "", f"{p.sum_maximum:.{places}f}", "exact 1"),
        ]
        if p.worst_ulp <= p.bound_ulp:  # UQ1.P holds 1.0: nothing saturates
            del rows[1]
        if self.config.normaliser == "none":  # a power of two stands in for the sum
            rows = [
                Row(r.section, r.quantity, r.unit, r.argmax, r.softmax, r.reference.replace("exact 1", ""))
                for r in rows
            ]
        if p.calibration_error is not None:
            expected = f"float64 {percent_text(p.float64_calibration_error)}"
            rows.append(
                Row(section, "expected calibration error", "%", "", percent_text(p.calibration_error), expected)
            )
        return rows

    def _timing_rows(self) -> list[Row]:
        section = f"Cycles at N = {self.length}"
        heads = (self.argmax, self.softmax)

        def row(quantity: str, unit: str, values: Sequence[str]) -> Row:
            return Row(section, quantity, unit, values[0], values[1], "")

        return [
            row("first input to the winner", "cycles", [str(head.best_output_cycle) for head in heads]),
            row("first input to first output", "cycles", [str(head.first_output_cycle) for head in heads]),
            row("first input to last output", "cycles", [str(head.last_output_cycle) for head in heads]),
            row("from vector to vector", "cycles", [str(head.interval_cycles) for head in heads]),
            row("throughput", "elements/cycle", [f"{self.length / head.interval_cycles:.3g}" for head in heads]),
        ]

    def _resource_rows(self) -> list[Row]:
        rows = []
        for part in self.parts:
            section = part.title
            pair = (self.argmax.measurements[part.name], self.softmax.measurements[part.name])
            for cell in part.cells:
                if any(measured.cells[cell.name] for measured in pair):
                    available = pair[0].available.get(cell.name)
                    has = "" if available is None else f"part has {available}"
                    counts = [str(measured.cells[cell.name]) for measured in pair]
                    rows.append(Row(section, cell.meaning, cell.name, counts[0], counts[1], has))
            speeds = [measured.fmax_mhz for measured in pair]
            limits = [part.limit(measured.cells).mhz for measured in pair]
            limit = f"the part: at most {' and '.join(map(str, dict.fromkeys(limits)))}"
            rows.append(
                Row(section, "Fmax, register to register", "MHz", mhz_text(speeds[0]), mhz_text(speeds[1]), limit)
            )
            speeds = [None if mhz is None else min(mhz, most) for mhz, most in zip(speeds, limits, strict=True)]
            flows, delays = [], []
            for head, mhz in zip((self.argmax, self.softmax), speeds, strict=True):
                flows.append("" if mhz is None else f"{mhz * self.length / head.interval_cycles:.1f}")
                delays.append("" if mhz is None else f"{head.last_output_cycle / mhz:.3f}")
            rows.append(Row(section, "throughput at Fmax", "Melements/s", flows[0], flows[1], ""))
            rows.append(Row(section, "first input to last output at Fmax", "µs", delays[0], delays[1], ""))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values: integers and floats, None where there is no answer."""
        d, p = self.decisions, self.probabilities
        return {
            "softstream": self.version,
            "answer": self.answer,
            "config": self.softmax.plan.config.to_mapping(),
            "digest": {"argmax": self.argmax.plan.config.digest, "softmax": self.softmax.plan.config.digest},
            "engine": self.engine,
            "data": dict(vars(self.data)),
            "decisions": dict(vars(d)),
            "probabilities": {
                "maximum_error_ulp": p.maximum_error_ulp,
                "worst_error_ulp": p.worst_error_ulp,
                "mean_error_ulp": p.mean_error_ulp,
                "bound_ulp": p.bound_ulp,
                "worst_ulp": p.worst_ulp,
                "within_bound": p.within_bound,
                "saturated": p.saturated,
                "sum_minimum": p.sum_minimum,
                "sum_maximum": p.sum_maximum,
                "calibration_error": p.calibration_error,
                "float64_calibration_error": p.float64_calibration_error,
                "reliability": [dict(vars(b)) for b in p.reliability],
            },
            "length": self.length,
            "cycles": {name: self._cycles(head) for name, head in self._heads()},
            "resources": {
                part.name: {
                    name: resources_json(head.measurements[part.name], part, self.length / head.interval_cycles)
                    for name, head in self._heads()
                }
                for part in self.parts
            },
            "seeds": list(self.seeds),
            "tools": dict(self.tools),
        }

    def _heads(self) -> tuple[tuple[str, Side], tuple[str, Side]]:
        return ("argmax", self.argmax), ("softmax", self.softmax)

    def _cycles(self, head: Side) -> dict[str, Any]:
        return {
            "first_output_cycle": head.first_output_cycle,
            "last_output_cycle": head.last_output_cycle,
            "best_output_cycle": head.best_output_cycle,
            "interval_cycles": head.interval_cycles,
            "elements_per_cycle": self.length / head.interval_cycles,
        }


def resources_json(measured: Measurement, part: Part, elements_per_cycle: float) -> dict[str, Any]:
    """What a head costs and reaches on a part, as plain values."""
    limit = part.limit(measured.cells)
    mhz = None if measured.fmax_mhz is None else min(measured.fmax_mhz, limit.mhz)
    return {
        "cells": dict(measured.cells),
        "available": dict(measured.available),
        "fits": not measured.over,
        "fmax_mhz": measured.fmax_mhz,
        "limit_mhz": limit.mhz,
        "limit_source": limit.source,
        "fmax_mhz_by_seed": {str(placement.seed): placement.fmax_mhz for placement in measured.placements},
        "megaelements_per_second": None if mhz is None else mhz * elements_per_cycle,
        "critical_path": [
            {"start": c.start, "end": c.end, "logic_ns": c.logic_ns, "routing_ns": c.routing_ns}
            for c in (placement.critical_path for placement in measured.placements)
        ],
    }


def percent_text(fraction: float | None) -> str:
    """A fraction in per cent, nothing of None."""
    return "" if fraction is None else f"{100 * fraction:.2f}"


def mhz_text(value: float | None) -> str:
    """Megahertz, or that there are none."""
    return "does not fit" if value is None else f"{value:.1f}"


# The scores ----------------------------------------------------------------------------------------------------------


def digits(config: Config, *, members: bool = False) -> tuple[Scores, np.ndarray]:
    """The stored scores of the digits classifier as codes of `config`, and their labels; or those of the ensemble's `members`,
    as many vectors for each digit.

    They are taken as the real numbers that they stand for, so a configuration with the scale and width that they were
    stored with gives the stored codes. An unsigned format gets each vector with its smallest score at 0, which changes
    neither softmax nor argmax.
    """
    scores, description = (ENSEMBLE_SCORES, ENSEMBLE_DESCRIPTION) if members else (DIGITS_SCORES, DIGITS_DESCRIPTION)
    stored = np.load(scores).astype(np.int64)
    labels = np.load(DIGITS_LABELS).astype(np.int64)
    scale = float(tomllib.loads(description.read_text(encoding="utf-8"))["score_scale"])
    if not config.score_signed:
        stored -= stored.min(axis=1, keepdims=True)
    return to_codes(config, stored * scale, name="the digits"), np.repeat(labels, len(stored) // len(labels))


def _checked_labels(labels: np.ndarray, vectors: int, columns: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (vectors,) or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"labels: an array of {labels.dtype} with shape {labels.shape}; must be one integer per vector, "
            f"shape ({vectors},)"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= columns))
    if len(wrong):
        raise UserError(
            f"labels[{wrong[0]}] = {labels[wrong[0]]}: must be an index, 0 to {columns - 1}; for example {columns - 1}"
        )
    return labels.astype(np.int64)


@dataclass(frozen=True)
class Given:
    """Scores as the heads take them, where they come from, and the right index of each vector, where it is known."""

    source: str
    scores: Scores
    labels: np.ndarray | None

    @property
    def data(self) -> Data:
        """What is told of them."""
        lengths = self.scores.lengths
        return Data(
            self.source,
            len(lengths),
            int(lengths.min()),
            int(lengths.max()),
            self.scores.saturated,
            self.labels is not None,
        )


def one_by_one(config: Config) -> None:
    """Raises `UserError` for a head whose results are not one for each vector."""
    if config.ensemble > 1:
        raise UserError(
            f"ensemble = {config.ensemble}: results are compared vector by vector, and there is one for {config.ensemble}; "
            f"ensemble = 1 would do, or softstream compare --modes softmax,softmax:ensemble={config.ensemble}"
        )
    if config.groups:
        raise UserError(
            f"groups = {list(config.groups)}: a packet has a winner for each group; for a comparison groups = [] would do, with "
            "the groups as vectors"
        )


def given_scores(
    config: Config,
    scores: np.ndarray | Scores | None,
    labels: np.ndarray | None,
    lengths: np.ndarray | None,
    *,
    ensemble: bool = False,
) -> Given:
    """The arguments of `compare`, checked: without scores those of the digits, of one classifier or of an `ensemble`.

    Raises `UserError` where they do not match.
    """
    one_by_one(config)
    if isinstance(scores, Scores):
        if lengths is not None:
            raise UserError("lengths: given twice; Scores have lengths of their own; leave lengths out")
        source, taken = "scores given", scores
    elif scores is not None:
        source = "scores given"
        taken = to_codes(config, np.asarray(scores), None if lengths is None else np.asarray(lengths))
    elif labels is not None or lengths is not None:
        what = "labels" if labels is not None else "lengths"
        raise UserError(f"{what} without scores: give the scores that they belong to, or neither, for the digits")
    elif ensemble:
        source = "handwritten digits (UCI), scores of three trained classifiers, one after the other"
        taken, labels = digits(config, members=True)
    else:
        source = "handwritten digits (UCI), scores of a trained classifier"
        taken, labels = digits(config)
    return Given(source, taken, None if labels is None else _checked_labels(labels, *taken.codes.shape))


def _run(engine: str, config: Config, scores: Scores) -> Result:
    """What the head answers. The simulated Verilog has to answer as the model does, or `Mismatch` is raised."""
    model = golden(config, scores.codes, scores.lengths)
    if engine == "rtl":
        from softstream.sim.simulators.runner import run_rtl

        verify(run_rtl(config, scores.codes, scores.lengths), model)
    return model


# Judging -------------------------------------------------------------------------------------------------------------


def reliability(confidence: np.ndarray, right: np.ndarray) -> tuple[tuple[Bin, ...], float]:
    """The reliability diagram, and the expected calibration error as `CALIBRATION` says: confidence and whether right, [V]."""
    index = np.clip(np.ceil(confidence * RELIABILITY_BINS).astype(np.int64) - 1, 0, RELIABILITY_BINS - 1)
    bins, error = [], 0.0
    for i in range(RELIABILITY_BINS):
        inside = index == i
        count = int(np.count_nonzero(inside))
        low, high = i / RELIABILITY_BINS, (i + 1) / RELIABILITY_BINS
        mean = float(confidence[inside].mean()) if count else (low + high) / 2
        accuracy = float(right[inside].mean()) if count else 0.0
        error += count * abs(accuracy - mean)
        bins.append(Bin(low, high, count, mean, accuracy))
    return tuple(bins), error / len(confidence)


def _judge(
    config: Config, scores: Scores, labels: np.ndarray | None, results: tuple[Result, Result], head: Plan
) -> tuple[Decisions, Probabilities]:
    alone, normalised = results
    codes, bound, worst = normalised.probabilities, head.bound_ulp, head.worst_ulp
    assert codes is not None
    assert bound is not None
    assert worst is not None
    valid = valid_elements(config, scores.codes, scores.lengths)
    exact = softmax_float64(config, scores.codes, scores.lengths)
    # argmax takes the first of equals, as the heads do; beyond a vector's end nothing may win.
    by_float = np.where(valid, exact, -1.0).argmax(axis=1)
    by_codes = np.where(valid, codes, -1).argmax(axis=1)

    def accuracy(decision: np.ndarray) -> float | None:
        return None if labels is None else float(np.mean(decision == labels))

    decisions = Decisions(
        head_flips=int(np.count_nonzero(alone.argmax != normalised.argmax)),
        argmax_flips=int(np.count_nonzero(alone.argmax != by_float)),
        softmax_flips=int(np.count_nonzero(normalised.argmax != by_float)),
        probability_flips=int(np.count_nonzero(by_codes != by_float)),
        argmax_accuracy=accuracy(alone.argmax),
        softmax_accuracy=accuracy(normalised.argmax),
        probability_accuracy=accuracy(by_codes),
        float64_accuracy=accuracy(by_float),
    )
    error, saturated = (both[valid] for both in signed_errors(config, codes, exact))
    swept = sweep_pairs(config)
    every, cut = (error, saturated) if swept is None else (np.append(error, swept[1]), np.append(saturated, swept[2]))
    real = codes / 2.0**config.probability_width
    sums = real.sum(axis=1)
    bins: tuple[Bin, ...] = ()
    calibration = float_calibration = None
    if labels is not None:
        rows = np.arange(len(labels))
        bins, calibration = reliability(real[rows, normalised.argmax], normalised.argmax == labels)
        _, float_calibration = reliability(exact[rows, by_float], by_float == labels)
    return decisions, Probabilities(
        maximum_error_ulp=float(np.abs(every[~cut]).max(initial=0.0)),
        worst_error_ulp=float(np.abs(every).max()),
        mean_error_ulp=float(np.abs(error).mean()),
        bound_ulp=bound,
        worst_ulp=worst,
        saturated=int(np.count_nonzero(saturated)),
        sum_minimum=float(sums.min()),
        sum_maximum=float(sums.max()),
        exact=exact[valid],
        error_ulp=error,
        sweep=None if swept is None else swept[0],
        reliability=bins,
        calibration_error=calibration,
        float64_calibration_error=float_calibration,
    )


# The comparison ------------------------------------------------------------------------------------------------------


def compare(
    config: Config,
    scores: np.ndarray | Scores | None = None,
    labels: np.ndarray | None = None,
    *,
    lengths: np.ndarray | None = None,
    parts: Sequence[str] = PARTS,
    place: bool = True,
    seeds: Sequence[int] = (1,),
    engine: Literal["golden", "rtl"] = "golden",
    progress: Progress | None = None,
) -> Comparison:
    """Compare `config` in argmax mode with `config` in softmax mode.

    `scores` [vectors, N] are score codes, real numbers that are quantised with the configured scale, or `Scores` as
    `scripts.scores` reads them; by default those of the digits classifier with their `labels` [vectors]. Scores without
    labels leave accuracy and reliability out. `lengths` [vectors] counts the elements that matter. `engine` says who
    answers: the model, or the simulated Verilog, which is held against the model. Without `place` the resources are left
    out; `seeds` are those of place and route, and Fmax is their median.

    Raises `UserError` for scores, labels and lengths that do not match, and for unknown parts, before anything runs;
    `Mismatch` where Verilog and model differ; `MissingTool` and `ToolFailure` as `boards.toolchain.measure` does.
    """
    if not seeds:
        raise UserError("seeds: none given; place and route needs at least one; for example 1")
    chosen = tuple(find_part(name) for name in parts) if place else ()
    tools = tool_versions(chosen) if chosen else {}
    alone, normalised = config.replace(mode="argmax"), config.replace(mode="softmax")
    plans = plan(alone), plan(normalised)
    given = given_scores(normalised, scores, labels, lengths)
    taken, truth = given.scores, given.labels

    tell = progress or (lambda fraction, what: None)
    tell(0.0, "scores through both heads")
    results = _run(engine, alone, taken), _run(engine, normalised, taken)
    tell(_MODEL_SHARE / 2, "errors against float64")
    decisions, probabilities = _judge(normalised, taken, truth, results, plans[1])
    tell(_MODEL_SHARE, "Verilog")
    heads: dict[str, Config] = {head.mode: head for head in (alone, normalised)}
    measured = measured_heads(
        heads, chosen, tuple(seeds), lambda done, what: tell(_MODEL_SHARE + (1 - _MODEL_SHARE) * done, what)
    )
    tell(1.0, "done")

    length = int(taken.lengths.max())
    sides = [
        Side(
            plan=head,
            first_output_cycle=head.first_output_cycle(length),
            last_output_cycle=head.last_output_cycle(length),
            best_output_cycle=head.best_output_cycle(length),
            interval_cycles=head.interval_cycles(length),
            measurements=found,
        )
        for head, found in zip(plans, measured, strict=True)
    ]
    return Comparison(
        config=normalised,
        data=given.data,
        length=length,
        engine=engine,
        argmax=sides[0],
        softmax=sides[1],
        decisions=decisions,
        probabilities=probabilities,
        parts=chosen,
        seeds=tuple(seeds) if chosen else (),
        tools=tools,
        version=softstream.__version__,
    )


def measured_heads(
    heads: Mapping[str, Config], parts: tuple[Part, ...], seeds: tuple[int, ...], tell: Progress
) -> list[dict[str, Measurement]]:
    """For each head, by its title, part name → measurement; `tell` is told how much of it is done."""
    if not parts:
        return [{} for _ in heads]
    jobs = [Job(verilog(head), part, seeds, title) for title, head in heads.items() for part in parts]
    found = iter(measure(jobs, progress=tell))
    return [{part.name: next(found) for part in parts} for _ in heads]
