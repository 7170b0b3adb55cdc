"""Members of the softmax family on the same scores: decisions, errors, calibration, cycles and cells of each.

    result = family(preset("digits-softmax"), entries("argmax,softmax,softmax:temperature=2,top-k-int8", base))
    result.rows()           # a table with a row for each member
    result.to_json()        # for machines
    family_report.write_html(result, path)

An entry names a mode or a preset, and may set keys behind colons. A mode is the base configuration in that mode; a preset
keeps its own keys, but the keys that describe the scores, `SHARED`, are those of the base configuration. Of floats each entry
quantises its own codes, so it may set the scale and the width of its scores. Codes are the same for all entries.

The reference is the exact result, in float64, of the scores that were given. Of floats the error is split in two: what
quantising costs, and what the hardware adds, which the bound limits.

The arrays in a head's output (`ports.outputs`) select the row of `DECISIONS` that gives its class, the row of
`CONFIDENCES` that gives the probability of that class, and the row of `sim.reference.exact.EXACT` that gives the exact values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import softstream
from softstream.boards.tools.measure import Measurement, tool_versions
from softstream.boards.tools.parts import Part
from softstream.boards.tools.parts import part_of_any_kind as find_part
from softstream.hw.config.config import Config, nearest, parse_setting
from softstream.hw.config.modes import MODES
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import Plan, plan
from softstream.hw.plan.ports import Field, outputs, sidebands
from softstream.scripts.measure.datasets import Dataset, DataSummary, dataset
from softstream.scripts.measure.float_error import Distance, FloatError, float_vectors, ulp_text
from softstream.scripts.measure.heads import PARTS, Progress, clock_text, measure_heads, resources_json
from softstream.scripts.measure.score_range import ScoreRange, score_range, share_text
from softstream.scripts.measure.statistics import (
    CALIBRATION,
    RELIABILITY_BINS,
    Bin,
    accuracy_of,
    percent_text,
    reliability,
)
from softstream.scripts.scale import AUTO
from softstream.scripts.scores import NO_LABEL, Scores, quantise
from softstream.sim.golden import golden
from softstream.sim.golden.head import checked_sideband
from softstream.sim.reference.exact import EXACT, Vectors, errors_ulp, exact_values
from softstream.sim.reference.law import draw_law, law_slack, model_set, total_variation
from softstream.sim.reference.softmax import float64_slack_ulp, winner_index

__all__ = ["CONFIDENCES", "DECISIONS", "SHARED", "Calibration", "Error", "Family", "MemberResult", "entries", "family"]

SHARED = ("max_length", "score_width", "score_signed", "score_scale", "score_zero_point")
"""Keys that describe the scores; a preset takes them from the base configuration."""
_OF_FLOATS = ("score_width", "score_scale", "score_zero_point")
"""Those of them that an entry may set where the scores are floats."""
JSON_FORMAT = 2
"""Raise it when a key of `to_json` changes its name or meaning."""
_MODEL_SHARE = 0.15  # of the progress bar; place and route has the rest
_LAW_ELEMENTS = 1 << 11
"""Elements of the vectors whose sampling distribution is computed: some milliseconds each."""


@dataclass(frozen=True)
class Decision:
    """The classes that a head decides on."""

    source: str
    """The part of the output that gives the class, in words."""
    accuracy: float | None
    """Fraction of the decisions that equal the label; None without labels."""
    flips: int
    """Results that differ from the winner among the given scores."""
    code_flips: int
    """Results for which the largest score code is another than the largest given score."""
    count: int
    """Results: one for each vector, ensemble or group."""

    def flips_of(self, vectors: int) -> str:
        """The flips as text, with the number of results where it differs from that of the vectors."""
        return f"{self.flips}" if self.count == vectors else f"{self.flips} of {self.count}"


@dataclass(frozen=True)
class Error:
    """The distance of a head from the exact values in ulp, or of a sampling distribution from softmax in total variation.

    The values are of the score codes, except for those of `float_error`.
    """

    unit: str
    count: int
    """Values compared: codes, or sampling distributions of the first vectors."""
    largest: float
    """Before saturation, which `bound` bounds."""
    worst: float
    """With saturation, which `worst_bound` bounds."""
    mean: float
    bound: float
    worst_bound: float
    slack: float
    """Error of the reference itself, which is computed in float64."""
    float_error: FloatError | None = None
    """Errors against the given floats; None where codes were given."""

    def text(self, value: float) -> str:
        """One of the values, with enough places to tell members apart."""
        return ulp_text(value) if self.unit == "ulp" else f"{value:.2g}"

    @property
    def within_bound(self) -> bool:
        """Whether both errors are within their proved bounds."""
        return self.largest <= self.bound + self.slack and self.worst <= self.worst_bound + self.slack


@dataclass(frozen=True)
class Calibration:
    """Reliability diagram and expected calibration error, as `CALIBRATION` defines it."""

    bins: tuple[Bin, ...]
    error: float


@dataclass(frozen=True)
class MemberResult:
    """One entry with its plan, decisions, errors and measurements."""

    title: str
    """The text of the entry."""
    plan: Plan
    scores: ScoreRange
    length: int
    """Elements per vector that the cycles are computed for."""
    decision: Decision | None
    """None where the head names no class."""
    error: Error | None
    """None where its output is exact."""
    calibration: Calibration | None
    """None without labels, and where the head has no confidence."""
    measurements: Mapping[str, Measurement]
    """By part; empty without place and route."""

    @property
    def interval(self) -> int:
        """Cycles from result to result."""
        return self.plan.interval_cycles(self.length)

    @property
    def elements_per_cycle(self) -> float:
        """Throughput of back-to-back vectors; an ensemble consumes one vector per member for one result."""
        return self.length * self.plan.config.ensemble / self.interval


@dataclass(frozen=True)
class Family:
    """The result of `family`."""

    config: Config
    data: DataSummary
    members: tuple[MemberResult, ...]
    given_accuracy: float | None
    """Of the largest given score."""
    given_calibration: Calibration | None
    """Of the exact softmax of the given scores, with the temperature of the base configuration."""
    parts: tuple[Part, ...]
    seeds: tuple[int, ...]
    tools: Mapping[str, str]
    version: str

    @property
    def kind(self) -> str:
        """`floats` or `codes`: what the person gave."""
        return self.members[0].scores.kind

    @property
    def floats(self) -> bool:
        """Whether the scores were floats, which each member quantised."""
        return self.kind == "floats"

    @property
    def columns(self) -> tuple[str, ...]:
        """Headings of `rows`."""
        labelled = self.data.labelled
        columns = ["", *(["accuracy, %"] if labelled else []), f"flips of {self.data.vectors}"]
        columns += ["saturated", "error against the floats", "by the hardware"] if self.floats else ["largest error"]
        columns += ["mean", "bound", *(["calibration error, %"] if labelled else [])]
        columns += ["first output", "last", "interval"]
        for part in self.parts:
            columns += [f"{part.name}: cells", f"{part.name}: MHz"]
        return tuple(columns)

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[str, ...]]:
        """(columns, rows, columns of numbers) as they are printed."""
        return self.columns, self.rows(), tuple(name for name in self.columns[1:] if not name.endswith("cells"))

    @property
    def range_lines(self) -> tuple[str, ...]:
        """The range of the scores beside that of each code, as a terminal shows it."""
        return tuple(dict.fromkeys(member.scores.line for member in self.members))

    @property
    def expendable(self) -> tuple[str, ...]:
        """Columns that a narrow terminal does without, the first of them first."""
        own = ("mean", "first output", "last", "calibration error, %", "saturated")
        return (*own, *(f"{part.name}: MHz" for part in self.parts), "interval")

    def rows(self) -> list[tuple[str, ...]]:
        """A row for each entry, after one for the given scores where there are labels; – where a member has no such value."""
        rows = []
        if self.given_calibration is not None:
            values = {"accuracy, %": percent_text(self.given_accuracy), f"flips of {self.data.vectors}": "0"}
            values["calibration error, %"] = percent_text(self.given_calibration.error)
            rows.append((f"given {self.kind}", *(values.get(name, "") for name in self.columns[1:])))
        return rows + [self._row(member) for member in self.members]

    def _row(self, member: MemberResult) -> tuple[str, ...]:
        d, e, c = member.decision, member.error, member.calibration
        cells = [member.title]
        if self.data.labelled:
            cells.append("–" if d is None or d.accuracy is None else percent_text(d.accuracy))
        cells.append("–" if d is None else d.flips_of(self.data.vectors))
        if self.floats:
            cells.append(share_text(member.scores.saturated_share) if member.scores.saturated else "0")
        if e is None:
            cells += ["exact", "", "", *([""] if self.floats else [])]
        else:
            if self.floats:
                cells.append("" if e.float_error is None else f"{e.text(e.float_error.total.largest)} {e.unit}")
            # Before saturation, because saturation costs every UQ0 member up to an ulp.
            cells += [f"{e.text(e.largest)} {e.unit}", e.text(e.mean), e.text(e.bound)]
        if self.data.labelled:
            cells.append("–" if c is None else percent_text(c.error))
        derived = member.plan
        cells += [f"{derived.first_output_cycle(member.length)}", f"{derived.last_output_cycle(member.length)}"]
        cells.append(f"{member.interval}")
        for part in self.parts:
            measured = member.measurements[part.name]
            counts = [f"{measured.cells[kind]} {kind}" for kind in part.counted if measured.cells[kind]]
            cells += [", ".join(counts), clock_text(measured, part)]
        return tuple(cells)

    @property
    def answer(self) -> str:
        """Flips, error, saturation and calibration in a few clauses, the worst of each first."""
        deciding = {
            m.title: m.decision
            for m in self.members
            if m.decision is not None and not m.plan.config.traits.random  # a draw may be any class
        }
        texts = []
        if deciding:
            worst_title = max(deciding, key=lambda title: deciding[title].flips / deciding[title].count)
            worst = deciding[worst_title]
            texts.append(
                f"all {len(deciding)} members that give a class decide every vector as the given {self.kind} do"
                if not worst.flips
                else f"up to {worst.flips} of {worst.count} decisions ({share_text(worst.flips / worst.count)}, "
                f"{worst_title}) differ from those of the given {self.kind}"
            )
        against = {m.title: m.error for m in self.members if m.error is not None and m.error.float_error is not None}
        ulps = {
            title: e.float_error.total.largest
            for title, e in against.items()
            if e.float_error is not None and e.unit == "ulp"
        }
        if ulps:
            title = max(ulps, key=lambda title: ulps[title])
            texts.append(f"results are up to {ulp_text(ulps[title])} ulp ({title}) off those of the floats")
        saturated = max(self.members, key=lambda m: m.scores.saturated_share)
        if saturated.scores.saturated:
            texts.append(f"{saturated.scores.saturated_text} ({saturated.title})")
        outside = [m.title for m in self.members if m.error is not None and not m.error.within_bound]
        texts.append(
            f"{', '.join(outside)}: error ABOVE the proved bound"
            if outside
            else "what the hardware adds is within all bounds"
            if self.floats
            else "all errors are within their bounds"
        )
        calibrated = {m.title: m.calibration.error for m in self.members if m.calibration is not None}
        if len(calibrated) > 1:
            best = min(calibrated, key=lambda title: calibrated[title])
            most = max(calibrated.values())
            texts.append(
                f"calibration errors are {percent_text(calibrated[best])} % ({best}) to {percent_text(most)} %"
                if most > calibrated[best]
                else f"all calibration errors are {percent_text(most)} %"
            )
        sentence = "; ".join(texts)
        return f"{sentence[0].upper()}{sentence[1:]}."

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values, None where there is no answer."""
        return {
            "format": JSON_FORMAT,
            "softstream": self.version,
            "answer": self.answer,
            "config": self.config.to_mapping(),
            "data": dict(vars(self.data)),
            "calibration": {"bins": RELIABILITY_BINS, "definition": CALIBRATION},
            "given": {
                "kind": self.kind,
                "accuracy": self.given_accuracy,
                "calibration": _calibration_json(self.given_calibration),
            },
            "length": self.data.longest,
            "members": [self._member(member) for member in self.members],
            "seeds": list(self.seeds),
            "tools": dict(self.tools),
        }

    def _member(self, member: MemberResult) -> dict[str, Any]:
        derived, error = member.plan, member.error
        return {
            "member": member.title,
            "config": derived.config.to_mapping(),
            "digest": derived.config.digest,
            "scores": member.scores.to_json(),
            "decision": None if member.decision is None else dict(vars(member.decision)),
            "error": None if error is None else {**asdict(error), "within_bound": error.within_bound},
            "calibration": _calibration_json(member.calibration),
            "cycles": {
                "first_output_cycle": derived.first_output_cycle(member.length),
                "last_output_cycle": derived.last_output_cycle(member.length),
                "interval_cycles": member.interval,
                "elements_per_cycle": member.elements_per_cycle,
            },
            "resources": {
                part.name: resources_json(member.measurements[part.name], part, member.elements_per_cycle)
                for part in self.parts
            },
        }


def _calibration_json(calibration: Calibration | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    return {"error": calibration.error, "bins": [dict(vars(b)) for b in calibration.bins]}


# The members ------------------------------------------------------------------------------------------------------


def entries(
    text: str, base: Config, choose: Callable[[Callable[[float], Config]], float] | None = None
) -> dict[str, Config]:
    """Title → configuration of entries separated by commas, each `mode` or `preset` with any `:key=value` behind it.

    `choose` gives the scale of an entry with `score_scale=auto`, from a function that gives the configuration with a scale.

    Raises `UserError`, naming the entry, for an unknown name, for a `mode` or `max_length` behind a colon, and as the
    configuration does.
    """
    members: dict[str, Config] = {}
    for entry in re.split(r",(?![^\[]*\])", text):  # a list as a value contains commas
        name, *settings = entry.strip().split(":")
        if not name:
            raise UserError(
                f"--modes {text!r}: an entry is empty; for example --modes argmax,softmax,softmax:temperature=2"
            )
        known = (*MODES, *PRESETS)
        if name not in known and name.replace("-", "_") in MODES:
            name = name.replace("-", "_")
        if name not in known:
            raise UserError(
                f"--modes {name}: no mode or preset of that name{nearest(name, known)}; the modes are "
                f"{', '.join(MODES)}, and softstream presets lists the presets"
            )
        if entry.strip() in members:
            raise UserError(f"--modes {entry.strip()}: given twice; once would do")
        changes = dict(map(parse_setting, settings))
        if "mode" in changes:
            raise UserError(
                f"--modes {entry.strip()}: the entry names its mode already; for example --modes {changes['mode']}"
            )
        for key in changes:
            if key in SHARED and key not in _OF_FLOATS:
                raise UserError(
                    f"--modes {entry.strip()}: all entries share {key}, because they get the same scores; "
                    f"for example --set {key}={changes[key]}"
                )
        start = PRESETS.get(name, base)
        shared = {key: getattr(base, key) for key in SHARED}
        groups = changes.get("groups", start.groups)
        if isinstance(groups, list | tuple) and groups:
            shared["max_length"] = max(groups, default=1)  # a packet has any length
        try:
            values = {**({} if name in PRESETS else {"mode": name}), **shared, **changes}
            if values["score_scale"] == AUTO and choose is not None:
                values["score_scale"] = choose(partial(_with_scale, start, values))
            chosen = start.replace(**values)
            plan(chosen)
        except UserError as error:
            raise UserError(f"--modes {entry.strip()}: {error}") from None
        members[entry.strip()] = chosen
    return members


def _with_scale(start: Config, values: Mapping[str, Any], scale: float) -> Config:
    return start.replace(**{**values, "score_scale": scale})


@dataclass(frozen=True)
class _Inputs:
    """What a member receives."""

    scores: Scores
    codes: Vectors
    reference: Vectors
    """The scores as they were given: real numbers, or the codes."""


def _own_scores(
    title: str, config: Config, base: Config, scores: Scores, mask: np.ndarray | None, saturate: bool
) -> Scores:
    """The scores as a member receives them: floats are quantised for it, without those that the mask excludes; codes stay."""
    floats = scores.floats
    if floats is not None:
        if config.mask and mask is not None and mask.shape == floats.shape:
            floats = np.where(mask != 0, -np.inf, floats)
        whole = bool((scores.lengths == floats.shape[1]).all())
        try:
            return quantise(config, floats, None if whole else scores.lengths, saturate=saturate)
        except UserError as error:
            raise UserError(f"--modes {title}: {error}") from None
    for key in _OF_FLOATS:
        value = getattr(base, key)
        if getattr(config, key) != value:
            raise UserError(
                f"--modes {title}: the scores are codes, whose {key} is {value} for all entries; for example floats as scores, "
                f"or --set {key}={getattr(config, key)}"
            )
    return scores


def _inputs(title: str, config: Config, scores: Scores, data: Dataset, arrays: Mapping[str, np.ndarray]) -> _Inputs:
    """The scores, and those of the sideband `arrays` that the head takes."""
    available = {**scores.sideband, **arrays}
    if data.labels is not None:  # max_length is the index of no element
        available = {"labels": np.where(data.labels == NO_LABEL, config.max_length, data.labels), **available}
    if "mask" in arrays and scores.mask is not None and scores.mask.shape == arrays["mask"].shape:
        available["mask"] = arrays["mask"] | scores.mask
    for sideband in sidebands(config):
        if sideband.array not in available:
            option = "--labels Y.npy" if sideband.array == "labels" else f"--sideband {sideband.array}=F.npy"
            raise UserError(
                f"--modes {title}: takes the sideband input {sideband.array}, {sideband.meaning}, and none is given; for example "
                f"{option}, with their --scores"
            )
    own = {sideband.array: available[sideband.array] for sideband in sidebands(config)}
    codes = scores.codes
    if len(codes) % config.ensemble:
        raise UserError(
            f"--modes {title}: takes {config.ensemble} vectors for each result, and there are {len(codes)} vectors; "
            "without --scores the input is that of three classifiers, for ensemble=3"
        )
    vectors = Vectors(config, codes, scores.lengths, checked_sideband(config, own, codes.shape))
    return _Inputs(scores, vectors, float_vectors(config, scores, vectors.sideband) or vectors)


def _labels(title: str, config: Config, labels: np.ndarray | None) -> np.ndarray | None:
    """Labels of the results; the labels of an ensemble's members must agree."""
    if labels is None or config.groups:  # a label belongs to a vector, a packet has a winner for each group
        return None
    together = labels.reshape(-1, config.ensemble)
    wrong = np.flatnonzero((together != together[:, :1]).any(axis=1))
    if len(wrong):
        first = int(wrong[0]) * config.ensemble
        raise UserError(
            f"--modes {title}: vectors {first} to {first + config.ensemble - 1} are the members of one result, and their "
            f"labels are {together[wrong[0]].tolist()}; they must be the same, for example {together[wrong[0], 0]}"
        )
    return together[:, 0]


# Evaluation ----------------------------------------------------------------------------------------------------------


def _first_largest(codes: np.ndarray, vectors: Vectors) -> np.ndarray:
    """The index of the largest code among the valid elements; `tie` decides among equal ones."""
    return winner_index(vectors.config, codes, vectors.valid)


def _identity(index: np.ndarray, vectors: Vectors) -> np.ndarray:
    return index


DECISIONS: dict[str, tuple[str, Callable[[np.ndarray, Vectors], np.ndarray]]] = {
    "argmax": ("its winner", _identity),
    "sample": ("its draw", _identity),
    "top_indices": ("the first in order", lambda indices, vectors: indices[:, 0]),
    "one_hot": ("its one", _first_largest),
    "probabilities": ("its first largest code", _first_largest),
}
"""Array of a result → (its description, function to the class decided on [V]); the first match counts."""

CONFIDENCES: dict[str, Callable[[Config, np.ndarray, np.ndarray], np.ndarray]] = {
    "probabilities": lambda config, codes, chosen: config.probability_of(_at(codes, chosen)),
    "log_probabilities": lambda config, codes, chosen: np.exp(_at(codes, chosen) / 2.0**config.probability_width),
    "top_probabilities": lambda config, codes, chosen: config.probability_of(codes[:, 0]),
}
"""Array of a result → function to the probability of the class decided on [V]."""


def _at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, index[:, None], axis=1)[:, 0]


def _codes(config: Config) -> Field | None:
    """The first field whose codes stand for real numbers."""
    return next((field for output in outputs(config) for field in output.fields if field.array in EXACT), None)


def _error(inputs: _Inputs, derived: Plan, result: Mapping[str, np.ndarray]) -> Error | None:
    vectors, reference = inputs.codes, inputs.reference
    config = vectors.config
    if derived.distance is not None:
        return _law_error(inputs, derived.distance)
    code = _codes(config)
    if code is None or derived.bound_ulp is None or derived.worst_ulp is None:
        return None
    codes, exact, of_given = result[code.array], exact_values(code.array, vectors), exact_values(code.array, reference)
    vectors = vectors.head_inputs
    if codes.shape == vectors.valid.shape and code.array != "top_probabilities":
        counted = vectors.valid
    elif codes.ndim == 2:  # Top-K of a vector with fewer than K elements
        counted = np.arange(codes.shape[1]) < vectors.valid.sum(axis=1)[:, None]
    else:  # the loss of a label outside the vector is infinite
        counted = np.isfinite(exact)
    error, saturated = (both[counted] for both in errors_ulp(config, code, codes, exact))
    total = errors_ulp(config, code, codes, of_given)[0][counted]
    hardware = Distance.of(error)
    return Error(
        unit="ulp",
        count=len(error),
        largest=Distance.of(error[~saturated]).largest,
        worst=hardware.largest,
        mean=hardware.mean,
        bound=derived.bound_ulp,
        worst_bound=derived.worst_ulp,
        slack=float64_slack_ulp(config),
        float_error=None if inputs.scores.floats is None else FloatError.of(total, error),
    )


def _law_error(inputs: _Inputs, bound: float) -> Error:
    """Exact distance of the law of a draw from softmax over its set, for the first vectors up to `_LAW_ELEMENTS` elements."""
    vectors, reference = inputs.codes.head_inputs, inputs.reference.head_inputs
    counts = vectors.valid.sum(axis=1)
    rows = range(max(1, int(np.searchsorted(np.cumsum(counts), _LAW_ELEMENTS, side="right"))))
    hardware, total, quantisation = [], [], []
    for row in rows:
        valid = vectors.valid[row]
        if not valid.any():
            continue
        bounds = {name: int(values[row]) for name, values in vectors.sideband.items() if values.ndim == 1}
        law = draw_law(vectors.config, vectors.scores[row][valid], bounds)
        members = model_set(vectors.config, vectors.scores[row][valid], bounds)
        of_codes, of_given = (_shared_out(values.softmax[row][valid], members) for values in (vectors, reference))
        hardware.append(total_variation(law, of_codes))
        total.append(total_variation(law, of_given))
        quantisation.append(total_variation(of_codes, of_given))
    whole = Distance.of(np.array(hardware))
    against = FloatError(Distance.of(np.array(total)), Distance.of(np.array(quantisation)))
    return Error(
        unit="total variation",
        count=len(hardware),
        largest=whole.largest,
        worst=whole.largest,
        mean=whole.mean,
        bound=bound,
        worst_bound=bound,
        slack=law_slack(vectors.config),
        float_error=None if inputs.scores.floats is None else against,
    )


def _shared_out(probabilities: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Probabilities [N] of softmax over the classes that are members, or over all of them as they are."""
    if members.all():
        return probabilities
    shares = np.where(members, probabilities, 0)
    return np.asarray(shares / shares.sum())


def _calibration(confidence: np.ndarray, decisions: np.ndarray, labels: np.ndarray) -> Calibration:
    """The calibration over the vectors with a label."""
    known = labels != NO_LABEL
    return Calibration(*reliability(confidence[known], (decisions == labels)[known]))


def _evaluate(title: str, inputs: _Inputs, labels: np.ndarray | None) -> MemberResult:
    vectors, winners = inputs.codes, inputs.reference.head_inputs.winners
    config = vectors.config
    derived = plan(config)
    result = vectors.results(golden(config, vectors.scores, vectors.lengths, vectors.sideband))
    decision = calibration = None
    for array, (source, decide) in DECISIONS.items():
        if array not in result:
            continue
        chosen = decide(result[array], vectors.head_inputs)
        decision = Decision(
            source=source,
            accuracy=None if labels is None else accuracy_of(chosen, labels),
            flips=int(np.count_nonzero(chosen != winners)),
            code_flips=int(np.count_nonzero(vectors.head_inputs.winners != winners)),
            count=len(chosen),
        )
        confident = next((name for name in CONFIDENCES if name in result), None)
        if labels is not None and confident is not None:
            confidence = CONFIDENCES[confident](config, result[confident], chosen)
            calibration = _calibration(confidence, chosen, labels)
        break
    return MemberResult(
        title=title,
        plan=derived,
        scores=score_range(config, inputs.scores),
        length=int(vectors.lengths.max()),
        decision=decision,
        error=_error(inputs, derived, result),
        calibration=calibration,
        measurements={},
    )


def family(
    base: Config,
    members: Mapping[str, Config],
    scores: np.ndarray | Scores | None = None,
    labels: np.ndarray | None = None,
    *,
    lengths: np.ndarray | None = None,
    sideband: Mapping[str, np.ndarray] | None = None,
    saturate: bool = False,
    parts: Sequence[str] = PARTS,
    place: bool = True,
    seeds: Sequence[int] = (1,),
    progress: Progress | None = None,
) -> Family:
    """Evaluate every member, title → configuration as `entries` gives them, on the same scores.

    Scores, labels, lengths, parts, place and seeds are those of `compare.compare`; `sideband` holds the sideband arrays of
    the members that take any, and `saturate` is that of `quantise`.

    Raises `UserError` before anything runs where an input is missing or does not match.
    """
    arrays = sideband or {}
    chosen = tuple(find_part(name) for name in parts) if place else ()
    ensemble = any(config.ensemble > 1 for config in members.values())
    data = dataset(base, scores, labels, lengths, ensemble=ensemble)
    saturating = saturate or scores is None  # the digits, as their codes were quantised
    own = {
        title: _own_scores(title, config, base, data.scores, arrays.get("mask"), saturating)
        for title, config in members.items()
    }
    inputs = {title: _inputs(title, config, own[title], data, arrays) for title, config in members.items()}
    for name in arrays:
        if not any(name in member.codes.sideband for member in inputs.values()):
            raise UserError(f"--sideband {name}: none of {', '.join(members)} takes it; leave it out")
    truth = {title: _labels(title, config, data.labels) for title, config in members.items()}
    tools = tool_versions(chosen) if chosen else {}
    tell = progress or (lambda fraction, what: None)
    results = []
    for index, (title, member_inputs) in enumerate(inputs.items()):
        tell(_MODEL_SHARE * index / len(inputs), f"{title}: the model against the given scores")
        results.append(_evaluate(title, member_inputs, truth[title]))
    tell(_MODEL_SHARE, "Verilog")
    measured = measure_heads(
        members, chosen, tuple(seeds), lambda done, what: tell(_MODEL_SHARE + (1 - _MODEL_SHARE) * done, what)
    )
    tell(1.0, "done")
    accuracy = calibration = None
    if data.labels is not None:
        reference = _reference(base, data.scores)
        accuracy = accuracy_of(reference.winners, data.labels)
        calibration = _calibration(_at(reference.softmax, reference.winners), reference.winners, data.labels)
    return Family(
        config=base,
        data=data.summary,
        members=tuple(replace(member, measurements=by_part) for member, by_part in zip(results, measured, strict=True)),
        given_accuracy=accuracy,
        given_calibration=calibration,
        parts=chosen,
        seeds=tuple(seeds) if chosen else (),
        tools=tools,
        version=softstream.__version__,
    )


def _reference(base: Config, scores: Scores) -> Vectors:
    """The given scores of a softmax of the base configuration."""
    config = base.replace(mode="softmax", mask=scores.mask is not None, normaliser="divider")
    return float_vectors(config, scores, scores.sideband) or Vectors(
        config, scores.codes, scores.lengths, scores.sideband
    )
