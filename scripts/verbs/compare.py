"""Argmax alone against softmax: benefit and cost of normalising the scores of a classifier.

    comparison = compare(preset("digits-softmax"))
    comparison.answer            # one sentence
    comparison.rows()            # a table
    comparison.to_json()         # for machines
    report.write_html(comparison, path)

Both heads come from one configuration and receive the same score codes. The reference is the softmax, in float64, of the scores
that were given, floats or codes: decisions are judged against the first of the largest given scores and against the labels,
probabilities in ulp. Of floats the error is split in two: what quantising the scores costs (softmax of the codes, in float64),
and what the hardware adds, which the bound from the plan limits. Cycles come from the plan; cells and Fmax are measured with
yosys and nextpnr.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, Literal

import numpy as np

import softstream
from softstream.boards.tools.measure import Measurement, tool_versions
from softstream.boards.tools.parts import Part
from softstream.boards.tools.parts import part_of_any_kind as find_part
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.notebook import html_table, text_table
from softstream.hw.plan.derive import Plan, plan
from softstream.hw.plan.texts import decimals
from softstream.scripts.measure.accuracy import Sweep, signed_errors, sweep_pairs
from softstream.scripts.measure.datasets import DataSummary, dataset
from softstream.scripts.measure.float_error import Distance, FloatError, float_vectors, ulp_text
from softstream.scripts.measure.heads import (
    PARTS,
    RANGE_WORDS,
    Progress,
    clock_text,
    measure_heads,
    resources_json,
    verify,
)
from softstream.scripts.measure.score_range import ScoreRange, score_range, share_text
from softstream.scripts.measure.statistics import Bin, accuracy_of, percent_text, reliability
from softstream.scripts.measure.toggles import TOGGLE_PARTS, Toggles
from softstream.scripts.measure.toggles import toggles as toggles_of
from softstream.scripts.scores import NO_LABEL, Scores
from softstream.sim.golden import Result, golden
from softstream.sim.reference.exact import Vectors
from softstream.sim.reference.softmax import winner_index

__all__ = ["Comparison", "Decisions", "Probabilities", "Row", "Side", "Sweep", "compare"]

JSON_FORMAT = 2
"""Raise it when a key of `to_json` changes its name or meaning."""
_MODEL_SHARE = 0.1  # of the progress bar; place and route has the rest
_TOGGLE_SHARE = 0.1  # of the progress bar, for the netlist of one head on one part


@dataclass(frozen=True)
class Decisions:
    """Differing decisions and accuracies. Accuracies are fractions of the vectors, None without labels."""

    head_flips: int
    """Vectors on which the two heads decide differently."""
    code_flips: int
    """Vectors on which the largest score code is another than the largest given score; first index on ties."""
    argmax_flips: int
    """Vectors on which the argmax head differs from the largest given score."""
    softmax_flips: int
    """Vectors on which the winner that the softmax head puts out differs from the largest given score."""
    probability_flips: int
    """Vectors that would differ from the largest given score if one took the argmax of the probability codes instead."""
    given_accuracy: float | None
    """Of the largest given score."""
    code_accuracy: float | None
    """Of the largest score code."""
    argmax_accuracy: float | None
    softmax_accuracy: float | None
    probability_accuracy: float | None


@dataclass(frozen=True)
class Probabilities:
    """The softmax head's probabilities against the softmax of the codes and of the given floats, both in float64."""

    float_error: FloatError | None
    """Errors in ulp against the given floats; None where codes were given."""
    maximum_error_ulp: float
    """Largest error that the hardware adds, before saturation, which `bound_ulp` bounds; of the scores and of the sweep."""
    worst_error_ulp: float
    """The same with the saturation of 1.0, which `worst_ulp` bounds."""
    mean_error_ulp: float
    """Mean error that the hardware adds."""
    bound_ulp: float
    worst_ulp: float
    saturated: int
    """Elements whose 1.0 became 1 − 2^−P."""
    sum_minimum: float
    """Smallest sum of one vector's probabilities."""
    sum_maximum: float
    exact: np.ndarray
    """Exact probability of every element, of the codes, flat."""
    error_ulp: np.ndarray
    """Signed error of every element against it."""
    given_exact: np.ndarray
    """Exact probability of every element, of the given scores, flat."""
    given_error_ulp: np.ndarray
    """Signed error of every element against it."""
    sweep: Sweep | None
    """None where vectors have one element."""
    reliability: tuple[Bin, ...]
    """Empty without labels."""
    calibration_error: float | None
    """Expected calibration error: mean over the vectors of |accuracy − confidence| of their bin."""
    given_calibration_error: float | None
    """That of the softmax of the given scores."""

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
    """Cycle of the winner. All three count from the vector's first input beat."""
    interval_cycles: int
    measurements: Mapping[str, Measurement]
    """By part; empty without place and route."""
    toggles: Mapping[str, Toggles] = field(default_factory=dict)
    """By part; empty where they were not asked for."""


@dataclass(frozen=True)
class Row:
    """One line of the table, ready to print; empty text where a column has no answer."""

    section: str
    quantity: str
    unit: str
    argmax: str
    softmax: str
    reference: str
    """Value to compare with: that of the given scores, the bound, or the size of the part."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """The result of `compare`."""

    config: Config
    data: DataSummary
    scores: ScoreRange
    length: int
    """Elements of the longest vector; cycles and throughput are those of this length."""
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

    def __repr__(self) -> str:
        """The answer and the table as text."""
        header, rows, _ = self.table()
        return f"{self.answer}\n{text_table(header, rows)}"

    def _repr_html_(self) -> str:
        """The answer and the table for notebooks."""
        header, rows, _ = self.table()
        return html_table(self.answer, header, rows)

    @property
    def answer(self) -> str:
        """The comparison in a few sentences: flips, error and saturation first, then the hardware's part and its cost."""
        p = self.probabilities
        proved = f"proved: {p.bound_ulp:.3f}" if p.within_bound else f"MORE than the bound of {p.bound_ulp:.3f}"
        proved += f", and {p.worst_ulp:.0f} where 1.0 saturates" if p.worst_ulp > p.bound_ulp else ""
        sentences = [self._decided]
        if p.float_error is None:
            sentences.append(
                f"Softmax adds probabilities at most {decimals(p.maximum_error_ulp, 3)} ulp off ({proved}), for {self._cost}."
            )
        else:
            largest = p.float_error.total.largest
            sentences.append(
                f"Probabilities are up to {ulp_text(largest)} ulp ({largest / self.config.levels:.2g}) off the "
                "softmax of the floats."
            )
            if self.scores.saturated:
                sentences.append(f"{self.scores.saturated_text} at score_scale = {self.config.score_scale:.4g}.")
            sentences.append(
                f"The hardware adds at most {decimals(p.maximum_error_ulp, 3)} ulp of the error ({proved})."
            )
            sentences.append(f"Softmax costs {self._cost}.")
        return " ".join(sentences)

    @property
    def _cost(self) -> str:
        """Cycles and cells that softmax takes more than argmax alone."""
        later = self.softmax.last_output_cycle - self.argmax.last_output_cycle
        costs = [f"a last output {abs(later)} cycles {'later' if later >= 0 else 'sooner'} at N = {self.length}"]
        for part in self.parts:
            cell = part.cell("logic")
            assert cell is not None  # every part has logic
            extra = self.softmax.measurements[part.name].cells[cell.name]
            extra -= self.argmax.measurements[part.name].cells[cell.name]
            costs.append(f"{abs(extra)} {'more' if extra >= 0 else 'fewer'} {cell.name} on {part.name}")
        return " and ".join(filter(None, [", ".join(costs[:-1]), costs[-1]]))

    @property
    def _decided(self) -> str:
        """The decisions of the heads against those of the given scores, in a sentence."""
        n, d, kind = self.data.vectors, self.decisions, self.scores.kind
        if d.head_flips == 0 == d.argmax_flips:
            return f"Argmax alone makes the same {n} decisions as softmax and as the given {kind}."
        flips = max(d.argmax_flips, d.softmax_flips)
        sentence = f"{flips} of {n} decisions ({share_text(flips / n)}) differ from those of the given {kind}"
        right = percent_text(min((a for a in (d.argmax_accuracy, d.softmax_accuracy) if a is not None), default=None))
        if right != percent_text(d.given_accuracy):
            sentence += f", and {right} % are right instead of {percent_text(d.given_accuracy)} %"
        if d.head_flips:
            sentence += f"; argmax alone differs from softmax in {d.head_flips}"
        return f"{sentence}."

    @property
    def range_lines(self) -> tuple[str, ...]:
        """The range of the scores beside that of the code, as a terminal shows it."""
        return (self.scores.line,)

    def rows(self) -> list[Row]:
        """The table, section by section."""
        return [*self._decision_rows(), *self._probability_rows(), *self._timing_rows(), *self._resource_rows()]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[str, ...]]:
        """(columns, rows, columns of numbers) as they are printed: each section has a line of its own."""
        table: list[tuple[str, ...]] = []
        for section, rows in groupby(self.rows(), key=lambda row: row.section):
            table.append((section, "", "", ""))
            for row in rows:
                quantity = ", ".join(filter(None, [row.quantity, row.unit]))
                table.append((f"  {quantity}", row.argmax, row.softmax, row.reference))
        return ("quantity", "argmax", "softmax", "against"), table, ("argmax", "softmax")

    @property
    def expendable(self) -> tuple[str, ...]:
        """Columns that a narrow terminal does without."""
        return ("against",)

    def _decision_rows(self) -> list[Row]:
        d, kind, section = self.decisions, self.scores.kind, "Decision"
        of = f"of {self.data.vectors}"
        rows = []
        if d.given_accuracy is not None:
            expected = [f"{kind} {percent_text(d.given_accuracy)}"]
            if kind == "floats":
                expected.append(f"codes {percent_text(d.code_accuracy)}")
            argmax, softmax = percent_text(d.argmax_accuracy), percent_text(d.softmax_accuracy)
            rows.append(Row(section, "accuracy", "%", argmax, softmax, ", ".join(expected)))
        by_quantising = f"by quantising {d.code_flips}" if kind == "floats" else ""
        rows += [
            Row(
                section, f"differs from the given {kind}", of, f"{d.argmax_flips}", f"{d.softmax_flips}", by_quantising
            ),
            Row(section, "… if taken from the probabilities", of, "", f"{d.probability_flips}", ""),
        ]
        if d.given_accuracy is not None:
            accuracy = percent_text(d.probability_accuracy)
            rows.append(Row(section, "accuracy, if taken from the probabilities", "%", "", accuracy, ""))
        if kind == "floats":
            saturated = f"{self.scores.saturated}"
            share = share_text(self.scores.saturated_share)
            rows.append(Row(section, "saturated scores", f"of {self.scores.count}", saturated, saturated, share))
        return rows

    def _probability_rows(self) -> list[Row]:
        p, section = self.probabilities, "Probabilities"
        places = 2 + round(0.3 * self.config.probability_width)  # a hundredth of an ulp
        largest, mean = "largest error", "mean error"
        rows, means = [], []
        if p.float_error is not None:
            total, quantisation = p.float_error.total, p.float_error.quantisation
            real = f"{total.largest / self.config.levels:.2g} in probability"
            by_quantising = "… by quantising the scores"
            rows = [
                Row(section, f"{largest} against the floats", "ulp", "", ulp_text(total.largest), real),
                Row(section, by_quantising, "ulp", "", ulp_text(quantisation.largest), ""),
            ]
            means = [
                Row(section, f"{mean} against the floats", "ulp", "", ulp_text(total.mean), ""),
                Row(section, by_quantising, "ulp", "", ulp_text(quantisation.mean), ""),
            ]
            largest = mean = "… by the hardware"
        rows.append(Row(section, largest, "ulp", "", ulp_text(p.maximum_error_ulp), f"bound {p.bound_ulp:.4f}"))
        if p.worst_ulp > p.bound_ulp:  # UQ1.P holds 1.0: nothing saturates
            worst = f"bound {p.worst_ulp:.4f}"
            rows.append(Row(section, "… with 1.0 saturated", "ulp", "", ulp_text(p.worst_error_ulp), worst))
        rows += [*means, Row(section, mean, "ulp", "", ulp_text(p.mean_error_ulp), "")]
        one = "" if self.config.normaliser == "none" else "exact 1"  # or a power of two stands in for the sum
        rows += [
            Row(section, "smallest sum", "", "", f"{p.sum_minimum:.{places}f}", one),
            Row(section, "largest sum", "", "", f"{p.sum_maximum:.{places}f}", one),
        ]
        if p.calibration_error is not None:
            expected = f"{self.scores.kind} {percent_text(p.given_calibration_error)}"
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
            row("interval between vectors", "cycles", [str(head.interval_cycles) for head in heads]),
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
            clocks = [clock_text(measured, part) for measured in pair]
            limits = [limit.mhz for measured in pair if (limit := part.limit(measured.cells)) is not None]
            note = f"device limit {' and '.join(map(str, dict.fromkeys(limits)))}" if limits else part.no_clock
            fmax = "Fmax, register to register" + (
                f": {RANGE_WORDS}" if len(self.seeds) > 1 and not part.no_clock else ""
            )
            rows.append(Row(section, fmax, "MHz", clocks[0], clocks[1], note))
            if part.no_clock:
                continue
            speeds = [
                None if measured.fmax_mhz is None else part.usable(measured.fmax_mhz, measured.cells)
                for measured in pair
            ]
            flows, delays = [], []
            for head, mhz in zip((self.argmax, self.softmax), speeds, strict=True):
                flows.append("" if mhz is None else f"{mhz * self.length / head.interval_cycles:.1f}")
                delays.append("" if mhz is None else f"{head.last_output_cycle / mhz:.3f}")
            rows.append(Row(section, "throughput at Fmax", "Melements/s", flows[0], flows[1], ""))
            rows.append(Row(section, "first input to last output at Fmax", "µs", delays[0], delays[1], ""))
            rows += self._toggle_rows(part)
        return rows

    def _toggle_rows(self, part: Part) -> list[Row]:
        if part.name not in self.softmax.toggles:
            return []
        pair = [side.toggles[part.name].per_element for side in (self.argmax, self.softmax)]
        kinds = [cell for cell in part.cells if any(cell.name in counts for counts in pair)]

        def row(quantity: str, counts: Sequence[float]) -> Row:
            return Row(part.title, quantity, "per element", f"{counts[0]:.1f}", f"{counts[1]:.1f}", "")

        rows = [row(f"toggles of {cell.name}", [counts.get(cell.name, 0) for counts in pair]) for cell in kinds]
        return [*rows, row("toggles of all outputs of cells", [sum(counts.values()) for counts in pair])]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values: integers and floats, None where there is no answer."""
        d, p = self.decisions, self.probabilities
        return {
            "format": JSON_FORMAT,
            "softstream": self.version,
            "answer": self.answer,
            "config": self.softmax.plan.config.to_mapping(),
            "digest": {"argmax": self.argmax.plan.config.digest, "softmax": self.softmax.plan.config.digest},
            "engine": self.engine,
            "data": dict(vars(self.data)),
            "scores": self.scores.to_json(),
            "decisions": dict(vars(d)),
            "probabilities": {
                "given": None if p.float_error is None else asdict(p.float_error),
                "hardware": {
                    "maximum_error_ulp": p.maximum_error_ulp,
                    "worst_error_ulp": p.worst_error_ulp,
                    "mean_error_ulp": p.mean_error_ulp,
                    "bound_ulp": p.bound_ulp,
                    "worst_ulp": p.worst_ulp,
                    "within_bound": p.within_bound,
                },
                "saturated": p.saturated,
                "sum_minimum": p.sum_minimum,
                "sum_maximum": p.sum_maximum,
                "calibration_error": p.calibration_error,
                "given_calibration_error": p.given_calibration_error,
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
            "toggles_per_element": {
                name: {part: counts.per_element for part, counts in head.toggles.items()}
                for name, head in self._heads()
                if head.toggles
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


def _run(engine: str, config: Config, scores: Scores) -> Result:
    """The results of a head. Raises `Mismatch` where the simulated Verilog differs from the model."""
    model = golden(config, scores.codes, scores.lengths, scores.sideband)
    if engine == "rtl":
        from softstream.sim.simulators.runner import run_rtl

        verify(run_rtl(config, scores.codes, scores.lengths, scores.sideband), model)
    return model


# Judging -------------------------------------------------------------------------------------------------------------


def _judge(
    config: Config, scores: Scores, labels: np.ndarray | None, results: tuple[Result, Result], head: Plan
) -> tuple[Decisions, Probabilities]:
    alone, normalised = results
    codes, bound, worst = normalised.probabilities, head.bound_ulp, head.worst_ulp
    assert codes is not None
    assert bound is not None
    assert worst is not None
    vectors = Vectors(config, scores.codes, scores.lengths, scores.sideband)
    valid, exact = vectors.valid, vectors.softmax
    # Where codes were given, they are the given scores.
    of_given = float_vectors(config, scores, scores.sideband)
    reference = vectors if of_given is None else of_given
    winners, given_exact = reference.winners, reference.softmax
    by_codes = winner_index(config, codes, valid)

    def accuracy(decision: np.ndarray) -> float | None:
        return None if labels is None else accuracy_of(decision, labels)

    def flips(decision: np.ndarray) -> int:
        return int(np.count_nonzero(decision != winners))

    decisions = Decisions(
        head_flips=int(np.count_nonzero(alone.argmax != normalised.argmax)),
        code_flips=flips(vectors.winners),
        argmax_flips=flips(alone.argmax),
        softmax_flips=flips(normalised.argmax),
        probability_flips=flips(by_codes),
        given_accuracy=accuracy(winners),
        code_accuracy=accuracy(vectors.winners),
        argmax_accuracy=accuracy(alone.argmax),
        softmax_accuracy=accuracy(normalised.argmax),
        probability_accuracy=accuracy(by_codes),
    )
    error, saturated = (both[valid] for both in signed_errors(config, codes, exact))
    given_error = signed_errors(config, codes, given_exact)[0][valid]
    swept = sweep_pairs(config.replace(mask=False))
    every, cut = (error, saturated) if swept is None else (np.append(error, swept[1]), np.append(saturated, swept[2]))
    real = np.where(valid, config.probability_of(codes), 0)
    sums = real.sum(axis=1)[valid.any(axis=1)]  # of a fully masked vector nothing is left to sum
    bins: tuple[Bin, ...] = ()
    calibration = given_calibration = None
    if labels is not None:
        rows = np.arange(len(labels))
        known = labels != NO_LABEL
        bins, calibration = reliability(real[rows, normalised.argmax][known], (normalised.argmax == labels)[known])
        _, given_calibration = reliability(given_exact[rows, winners][known], (winners == labels)[known])
    return decisions, Probabilities(
        float_error=None if of_given is None else FloatError.of(given_error, error),
        maximum_error_ulp=float(np.abs(every[~cut]).max(initial=0.0)),
        worst_error_ulp=float(np.abs(every).max(initial=0.0)),
        mean_error_ulp=Distance.of(error).mean,
        bound_ulp=bound,
        worst_ulp=worst,
        saturated=int(np.count_nonzero(saturated)),
        sum_minimum=float(sums.min()) if sums.size else 0.0,
        sum_maximum=float(sums.max(initial=0.0)),
        exact=exact[valid],
        error_ulp=error,
        given_exact=given_exact[valid],
        given_error_ulp=given_error,
        sweep=None if swept is None else swept[0],
        reliability=bins,
        calibration_error=calibration,
        given_calibration_error=given_calibration,
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
    toggles: bool = False,
    seeds: Sequence[int] = (1,),
    engine: Literal["golden", "rtl"] = "golden",
    progress: Progress | None = None,
) -> Comparison:
    """Compare `config` in argmax mode with `config` in softmax mode.

    `scores` [vectors, N] are score codes, real numbers that are quantised with the configured scale, or `Scores` as
    `scripts.scores` reads them; by default those of the digits classifier with their `labels` [vectors]. Without labels
    accuracy and reliability are None. `lengths` [vectors] counts the valid elements of each vector. `engine` selects the
    model, or the simulated Verilog, whose results must equal those of the model. Without `place` the resources are empty;
    `parts` are of any kind: those without a clock have cells alone. `seeds` are those of place and route, and Fmax is their
    median. With `toggles` the scores also pass through the synthesised netlist of each part whose cells have a simulation
    model.

    Raises `UserError` for scores, labels and lengths that do not match, and for unknown parts, before anything runs;
    `Mismatch` where Verilog and model differ; `MissingTool` and `ToolFailure` as `boards.toolchain.measure` does.
    """
    if not seeds:
        raise UserError("seeds: none given; place and route needs at least one; for example 1")
    chosen = tuple(find_part(name) for name in parts) if place else ()
    tools = tool_versions(chosen) if chosen else {}
    alone, normalised = config.replace(mode="argmax"), config.replace(mode="softmax")
    plans = plan(alone), plan(normalised)
    data = dataset(normalised, scores, labels, lengths)
    codes, truth = data.scores, data.labels

    tell = progress or (lambda fraction, what: None)
    tell(0.0, "scores through both heads")
    results = _run(engine, alone, codes), _run(engine, normalised, codes)
    tell(_MODEL_SHARE / 2, "errors")
    decisions, probabilities = _judge(normalised, codes, truth, results, plans[1])
    tell(_MODEL_SHARE, "Verilog")
    heads: dict[str, Config] = {head.mode: head for head in (alone, normalised)}
    begun = _MODEL_SHARE
    counts: list[dict[str, Toggles]] = [{}, {}]
    for row in (row for row in chosen if toggles and row.name in TOGGLE_PARTS):
        for head, of_head in zip((alone, normalised), counts, strict=True):
            tell(begun, f"netlist of {head.mode} for {row.name}, simulated")
            of_head[row.name] = toggles_of(head, codes.codes, codes.lengths, codes.sideband, row)
            begun += _TOGGLE_SHARE
    measured = measure_heads(heads, chosen, tuple(seeds), lambda done, what: tell(begun + (1 - begun) * done, what))
    tell(1.0, "done")

    length = int(codes.lengths.max())
    sides = [
        Side(
            plan=head,
            first_output_cycle=head.first_output_cycle(length),
            last_output_cycle=head.last_output_cycle(length),
            best_output_cycle=head.best_output_cycle(length),
            interval_cycles=head.interval_cycles(length),
            measurements=measurements,
            toggles=of_head,
        )
        for head, measurements, of_head in zip(plans, measured, counts, strict=True)
    ]
    return Comparison(
        config=normalised,
        data=data.summary,
        scores=score_range(normalised, codes),
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
