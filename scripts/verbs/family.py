"""Members of the softmax family side by side on the same scores: what each decides, how far off it is, what it costs.

    found = family(preset("digits-softmax"), entries("argmax,softmax,softmax:temperature=2,top-k-int8", base))
    found.rows()            # a table, a row for each
    found.to_json()         # for machines
    family_report.write_html(found, path)

An entry names a mode or a preset, and may set keys behind colons. A mode is the base configuration in that mode; a preset
keeps its own keys. All get the same score codes, so what says what the scores are is the base's: `SHARED`.

What a head can be asked follows from the arrays that it puts out (`ports.outputs`): one row of `DECISIONS` for the class
that it decides on, one of `CONFIDENCES` for how sure it is, and one of `sim.exact.EXACT` for what its codes stand for.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import softstream
from softstream.boards.tools.measure import Measurement, tool_versions
from softstream.boards.tools.parts import Part
from softstream.boards.tools.parts import part as find_part
from softstream.hw.config.config import Config, nearest, parse_setting
from softstream.hw.config.modes import MODES
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import Plan, plan
from softstream.hw.plan.ports import Field, outputs, sidebands
from softstream.scripts.scores import Scores
from softstream.scripts.verbs.compare import (
    CALIBRATION,
    PARTS,
    RELIABILITY_BINS,
    Bin,
    Data,
    Given,
    Progress,
    given_scores,
    measured_heads,
    mhz_text,
    percent_text,
    reliability,
    resources_json,
)
from softstream.sim.golden import golden
from softstream.sim.golden.head import checked_beside
from softstream.sim.reference.exact import EXACT, Vectors, errors_ulp, exact_values
from softstream.sim.reference.law import draw_law, law_slack, total_variation
from softstream.sim.reference.softmax import float64_slack_ulp

__all__ = ["CONFIDENCES", "DECISIONS", "SHARED", "Calibration", "Error", "Family", "Judged", "entries", "family"]

SHARED = ("max_length", "score_width", "score_signed", "score_scale")
"""Keys that all entries have in common: they say what the scores are."""
_MODEL_SHARE = 0.15  # of the progress bar; place and route has the rest
_LAW_ELEMENTS = 1 << 11
"""Elements of the vectors whose law of a draw is computed: some milliseconds each."""


@dataclass(frozen=True)
class Decision:
    """Which class a head decides on."""

    source: str
    """What of its output says so."""
    accuracy: float | None
    """Fraction of the vectors decided as labelled; None without labels."""
    flips: int
    """Results in which it differs from float64's argmax, first index on ties."""
    count: int
    """Results: as many as vectors, as ensembles, or as groups."""

    def flips_of(self, vectors: int) -> str:
        """The flips as text, with what they are of where that is not a result for each vector."""
        return f"{self.flips}" if self.count == vectors else f"{self.flips} of {self.count}"


@dataclass(frozen=True)
class Error:
    """How far a head is from float64, in ulp; a draw's law from softmax in total variation."""

    unit: str
    count: int
    """Values that were looked at: codes, or laws of draws, which are those of the first vectors."""
    largest: float
    """Before saturation, which `bound` bounds."""
    worst: float
    """With saturation, which `worst_bound` bounds."""
    mean: float
    bound: float
    worst_bound: float
    slack: float
    """What float64 itself may be off."""

    def text(self, value: float) -> str:
        """One of the values in as many places as tell it apart."""
        return f"{value:.4f}" if self.unit == "ulp" else f"{value:.2g}"

    @property
    def within_bound(self) -> bool:
        """Whether it is as near as was proved."""
        return self.largest <= self.bound + self.slack and self.worst <= self.worst_bound + self.slack


@dataclass(frozen=True)
class Calibration:
    """Reliability diagram and expected calibration error, as `compare.CALIBRATION` says."""

    bins: tuple[Bin, ...]
    error: float


@dataclass(frozen=True)
class Judged:
    """One entry with what was found."""

    title: str
    """As it was given."""
    plan: Plan
    length: int
    """Elements per vector that cycles are given for."""
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
        """Throughput, vectors back to back: an ensemble takes as many as it has members for one result."""
        return self.length * self.plan.config.ensemble / self.interval


@dataclass(frozen=True)
class Family:
    """The result of `family`."""

    config: Config
    data: Data
    members: tuple[Judged, ...]
    float64_accuracy: float | None
    float64_calibration: Calibration | None
    """Of the float64 softmax of the base configuration."""
    parts: tuple[Part, ...]
    seeds: tuple[int, ...]
    tools: Mapping[str, str]
    version: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Headings of `rows`."""
        labelled = self.data.labelled
        columns = ["", *(["as labelled, %"] if labelled else []), f"flips of {self.data.vectors}"]
        columns += ["largest error", "mean", "bound", *(["calibration error, %"] if labelled else [])]
        columns += ["first output", "last", "interval"]
        for part in self.parts:
            columns += [f"{part.name}: cells", f"{part.name}: MHz"]
        return tuple(columns)

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[str, ...]]:
        """(columns, rows, columns of numbers) as they are printed."""
        return self.columns, self.rows(), tuple(name for name in self.columns[1:] if not name.endswith("cells"))

    def rows(self) -> list[tuple[str, ...]]:
        """A row for each entry, and before them float64 where there are labels; – where one has no answer."""
        found = []
        if self.float64_calibration is not None:
            reference = ["float64", percent_text(self.float64_accuracy), "0", "", "", ""]
            reference.append(percent_text(self.float64_calibration.error))
            found.append((*reference, *[""] * (len(self.columns) - len(reference))))
        return found + [self._row(member) for member in self.members]

    def _row(self, member: Judged) -> tuple[str, ...]:
        d, e, c = member.decision, member.error, member.calibration
        cells = [member.title]
        if self.data.labelled:
            cells.append("–" if d is None or d.accuracy is None else percent_text(d.accuracy))
        cells.append("–" if d is None else d.flips_of(self.data.vectors))
        if e is None:
            cells += ["exact", "", ""]
        else:
            # Before saturation: that costs up to an ulp in every UQ0, and tells no member from another.
            cells += [f"{e.text(e.largest)} {e.unit}", e.text(e.mean), e.text(e.bound)]
        if self.data.labelled:
            cells.append("–" if c is None else percent_text(c.error))
        derived = member.plan
        cells += [f"{derived.first_output_cycle(member.length)}", f"{derived.last_output_cycle(member.length)}"]
        cells.append(f"{member.interval}")
        for part in self.parts:
            measured = member.measurements[part.name]
            counts = [f"{measured.cells[kind]} {kind}" for kind in measured.available if measured.cells[kind]]
            cells += [", ".join(counts), mhz_text(measured.fmax_mhz)]
        return tuple(cells)

    @property
    def answer(self) -> str:
        """What stands out, in a sentence."""
        deciding = {member.title: member.decision.flips for member in self.members if member.decision is not None}
        same = sum(not flips for flips in deciding.values())
        texts = [f"{same} of the {len(deciding)} that name a class decide every vector as float64 does"]
        outside = [m.title for m in self.members if m.error is not None and not m.error.within_bound]
        texts.append(
            f"{', '.join(outside)}: MORE than the proved bound off" if outside else "all are within their bound"
        )
        calibrated = {m.title: m.calibration.error for m in self.members if m.calibration is not None}
        if len(calibrated) > 1:
            best = min(calibrated, key=lambda title: calibrated[title])
            texts.append(f"{best} is calibrated best, with an error of {percent_text(calibrated[best])} %")
        return "; ".join(texts) + "."

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values, None where there is no answer."""
        return {
            "softstream": self.version,
            "answer": self.answer,
            "config": self.config.to_mapping(),
            "data": dict(vars(self.data)),
            "calibration": {"bins": RELIABILITY_BINS, "definition": CALIBRATION},
            "float64": {
                "accuracy": self.float64_accuracy,
                "calibration": _calibration_json(self.float64_calibration),
            },
            "length": self.data.longest,
            "members": [self._member(member) for member in self.members],
            "seeds": list(self.seeds),
            "tools": dict(self.tools),
        }

    def _member(self, member: Judged) -> dict[str, Any]:
        derived, error = member.plan, member.error
        return {
            "member": member.title,
            "config": derived.config.to_mapping(),
            "digest": derived.config.digest,
            "decision": None if member.decision is None else dict(vars(member.decision)),
            "error": None if error is None else {**vars(error), "within_bound": error.within_bound},
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


def _calibration_json(found: Calibration | None) -> dict[str, Any] | None:
    return None if found is None else {"error": found.error, "bins": [dict(vars(b)) for b in found.bins]}


# What is compared ----------------------------------------------------------------------------------------------------


def entries(text: str, base: Config) -> dict[str, Config]:
    """Entries separated by commas, each `mode` or `preset` with any `:key=value` behind it, as title → configuration.

    Raises `UserError` for what names neither, and as the configuration does, with the entry.
    """
    found: dict[str, Config] = {}
    for entry in re.split(r",(?![^\[]*\])", text):  # a list as a value has commas of its own
        name, *settings = entry.strip().split(":")
        if not name:
            raise UserError(
                f"--modes {text!r}: an entry is empty; for example --modes argmax,softmax,softmax:temperature=2"
            )
        known = (*MODES, *PRESETS)
        if name not in known:
            raise UserError(
                f"--modes {name}: no mode or preset of that name{nearest(name, known)}; the modes are "
                f"{', '.join(MODES)}, and softstream presets lists the presets"
            )
        if entry.strip() in found:
            raise UserError(f"--modes {entry.strip()}: given twice; once would do")
        changes = dict(map(parse_setting, settings))
        for key in changes:
            if key in SHARED:
                raise UserError(
                    f"--modes {entry.strip()}: {key} is one for all entries, which get the same scores; "
                    f"for example --set {key}={changes[key]}"
                )
        start = PRESETS.get(name, base)
        shared = {key: getattr(base, key) for key in SHARED}
        groups = changes.get("groups", start.groups)
        if isinstance(groups, list | tuple) and groups:
            shared["max_length"] = max(groups, default=1)  # a packet has any length
        try:
            chosen = start.replace(**({} if name in PRESETS else {"mode": name}), **shared, **changes)
            plan(chosen)
        except UserError as error:
            raise UserError(f"--modes {entry.strip()}: {error}") from None
        found[entry.strip()] = chosen
    return found


def _vectors(title: str, config: Config, given: Given, beside: Mapping[str, np.ndarray]) -> Vectors:
    """What a head is given: the scores, and of what comes beside them whatever it takes."""
    others = {**beside} if given.labels is None else {"labels": given.labels, **beside}
    for sideband in sidebands(config):
        if sideband.array not in others:
            option = "--labels Y.npy" if sideband.array == "labels" else f"--beside {sideband.array}=F.npy"
            raise UserError(
                f"--modes {title}: takes {sideband.array} beside the scores, {sideband.meaning}, and none are given; for example "
                f"{option}, with their --scores"
            )
    taken = {sideband.array: others[sideband.array] for sideband in sidebands(config)}
    codes = given.scores.codes
    if len(codes) % config.ensemble:
        raise UserError(
            f"--modes {title}: takes vectors {config.ensemble} by {config.ensemble}, and there are {len(codes)}; without "
            "--scores there are those of three classifiers, for ensemble=3"
        )
    return Vectors(config, codes, given.scores.lengths, checked_beside(config, taken, codes.shape))


def _labels(title: str, config: Config, labels: np.ndarray | None) -> np.ndarray | None:
    """Labels of the results: those of each ensemble's members, which have to agree."""
    if labels is None or config.groups:  # a label is of a vector, and a packet has a winner for each group
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


# Judging -------------------------------------------------------------------------------------------------------------


def _of_codes(codes: np.ndarray, vectors: Vectors) -> np.ndarray:
    """The first largest code among the elements that take part."""
    return np.asarray(np.where(vectors.valid, codes, codes.min() - 1).argmax(axis=1))


def _as_it_is(index: np.ndarray, vectors: Vectors) -> np.ndarray:
    return index


DECISIONS: dict[str, tuple[str, Callable[[np.ndarray, Vectors], np.ndarray]]] = {
    "argmax": ("its winner", _as_it_is),
    "sample": ("its draw", _as_it_is),
    "top_indices": ("the first in order", lambda indices, vectors: indices[:, 0]),
    "one_hot": ("its one", _of_codes),
    "probabilities": ("its first largest code", _of_codes),
}
"""Array of a result → what it is called, and the class decided on, [V]; the first of them that a head has."""

CONFIDENCES: dict[str, Callable[[Config, np.ndarray, np.ndarray], np.ndarray]] = {
    "probabilities": lambda config, codes, chosen: _at(codes, chosen) / 2.0**config.probability_width,
    "log_probabilities": lambda config, codes, chosen: np.exp(_at(codes, chosen) / 2.0**config.probability_width),
    "top_probabilities": lambda config, codes, chosen: codes[:, 0] / 2.0**config.probability_width,
}
"""Array of a result → the probability that it gives the class decided on, [V]."""


def _at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, index[:, None], axis=1)[:, 0]


def _codes(config: Config) -> Field | None:
    """The first field whose codes stand for real numbers."""
    return next((field for output in outputs(config) for field in output.fields if field.array in EXACT), None)


def _error(vectors: Vectors, derived: Plan, result: Mapping[str, np.ndarray]) -> Error | None:
    config = vectors.config
    if derived.distance is not None:
        return _law_error(vectors, derived.distance)
    code = _codes(config)
    if code is None or derived.bound_ulp is None or derived.worst_ulp is None:
        return None
    codes, exact = result[code.array], exact_values(code.array, vectors)
    vectors = vectors.behind
    if codes.shape == vectors.valid.shape and code.array != "top_probabilities":
        counted = vectors.valid
    elif codes.ndim == 2:  # of the K largest as many as there are
        counted = np.arange(codes.shape[1]) < vectors.valid.sum(axis=1)[:, None]
    else:  # a loss, but of a label that is none of the vector's elements
        counted = np.isfinite(exact)
    error, saturated = (both[counted] for both in errors_ulp(config, code, codes, exact))
    return Error(
        unit="ulp",
        count=len(error),
        largest=float(np.abs(error[~saturated]).max(initial=0.0)),
        worst=float(np.abs(error).max(initial=0.0)),
        mean=float(np.abs(error).mean()),
        bound=derived.bound_ulp,
        worst_bound=derived.worst_ulp,
        slack=float64_slack_ulp(config),
    )


def _law_error(vectors: Vectors, bound: float) -> Error:
    """Of the law of a draw, exactly, from softmax: of so many vectors as have `_LAW_ELEMENTS` together."""
    vectors = vectors.behind
    counts = vectors.valid.sum(axis=1)
    rows = range(max(1, int(np.searchsorted(np.cumsum(counts), _LAW_ELEMENTS, side="right"))))
    distances = []
    for row in rows:
        there = vectors.valid[row]
        if not there.any():
            continue
        law = draw_law(vectors.config, vectors.scores[row][there])
        distances.append(total_variation(law, vectors.softmax[row][there]))
    found = np.array(distances)
    worst = float(found.max())
    return Error(
        "total variation", len(found), worst, worst, float(found.mean()), bound, bound, law_slack(vectors.config)
    )


def _judged(title: str, vectors: Vectors, labels: np.ndarray | None) -> Judged:
    config = vectors.config
    derived = plan(config)
    result = vectors.results(golden(config, vectors.scores, vectors.lengths, vectors.beside))
    decision = calibration = None
    for array, (source, decide) in DECISIONS.items():
        if array not in result:
            continue
        chosen = decide(result[array], vectors.behind)
        right = None if labels is None else chosen == labels
        accuracy = None if right is None else float(right.mean())
        decision = Decision(source, accuracy, int(np.count_nonzero(chosen != vectors.behind.winners)), len(chosen))
        confident = next((name for name in CONFIDENCES if name in result), None)
        if right is not None and confident is not None:
            calibration = Calibration(*reliability(CONFIDENCES[confident](config, result[confident], chosen), right))
        break
    length = int(vectors.lengths.max())
    return Judged(title, derived, length, decision, _error(vectors, derived, result), calibration, {})


def family(
    base: Config,
    members: Mapping[str, Config],
    scores: np.ndarray | Scores | None = None,
    labels: np.ndarray | None = None,
    *,
    lengths: np.ndarray | None = None,
    beside: Mapping[str, np.ndarray] | None = None,
    parts: Sequence[str] = PARTS,
    place: bool = True,
    seeds: Sequence[int] = (1,),
    progress: Progress | None = None,
) -> Family:
    """Judge every member, title → configuration as `entries` gives them, on the same scores.

    Scores, labels, lengths, parts, place and seeds as `compare.compare` takes them; `beside` holds what comes beside the
    scores, for the members that take it. Raises `UserError` before anything runs where a member cannot be served.
    """
    chosen = tuple(find_part(name) for name in parts) if place else ()
    ensemble = any(config.ensemble > 1 for config in members.values())
    given = given_scores(base, scores, labels, lengths, ensemble=ensemble)
    taken = {title: _vectors(title, config, given, beside or {}) for title, config in members.items()}
    for name in beside or {}:
        if not any(name in vectors.beside for vectors in taken.values()):
            raise UserError(f"--beside {name}: none of {', '.join(members)} takes it; leave it out")
    right_ones = {title: _labels(title, config, given.labels) for title, config in members.items()}
    tools = tool_versions(chosen) if chosen else {}
    tell = progress or (lambda fraction, what: None)
    judged = []
    for index, (title, vectors) in enumerate(taken.items()):
        tell(_MODEL_SHARE * index / len(taken), f"{title}: the model against float64")
        judged.append(_judged(title, vectors, right_ones[title]))
    tell(_MODEL_SHARE, "Verilog")
    measured = measured_heads(
        members, chosen, tuple(seeds), lambda done, what: tell(_MODEL_SHARE + (1 - _MODEL_SHARE) * done, what)
    )
    tell(1.0, "done")
    exact = Vectors(
        base.replace(mode="softmax", mask=False, normaliser="divider"), given.scores.codes, given.scores.lengths
    )
    accuracy = calibration = None
    if given.labels is not None:
        right = exact.winners == given.labels
        sure = _at(exact.softmax, exact.winners)
        accuracy, calibration = float(right.mean()), Calibration(*reliability(sure, right))
    return Family(
        config=base,
        data=given.data,
        members=tuple(replace(member, measurements=found) for member, found in zip(judged, measured, strict=True)),
        float64_accuracy=accuracy,
        float64_calibration=calibration,
        parts=chosen,
        seeds=tuple(seeds) if chosen else (),
        tools=tools,
        version=softstream.__version__,
    )
