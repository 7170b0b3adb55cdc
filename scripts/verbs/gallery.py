"""The gallery: each member of the softmax family with its formula, its output on a real vector beside float64, and its cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.config.presets import DIGITS_SCALE, ENSEMBLE_SCALE, PRESETS
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.plan.derive import plan
from softstream.scripts.measure.resources import recorded
from softstream.scripts.page import INK, MUTED, SOFTMAX, captioned, escape, page, svg
from softstream.scripts.verbs.compare import digits
from softstream.sim.data import ENSEMBLE_SCORES
from softstream.sim.golden import golden
from softstream.sim.golden.head import checked_beside
from softstream.sim.reference.exact import Vectors, exact_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MEMBERS", "Member", "Shown", "render", "shown", "vector"]

VECTOR = 1571
"""Which of the digits' vectors is shown: the one whose classifier is least sure, with a tie for the first place."""
DRAWS = 20_000
DISPUTED = 632
"""Which digit's ensemble is shown: one on which the two means decide differently."""
MASKED = (0, 8)
CLIP = (-5, 12)
_MASK = np.isin(np.arange(10), MASKED)[None].astype(np.int64)
INVERSE_TEMPERATURE = 0.25
LABELS = np.arange(10)
FLOOR = 2.0**-7
"""A whole number of guarded units."""
OFFSET = 105
"""How far below the largest score code the exponentials' 1 is put: a little above the vector's scores."""


@dataclass(frozen=True)
class Shown:
    """Values of the model and of float64, one for each place on the axis."""

    model: np.ndarray
    exact: np.ndarray
    bound: float
    """|model − exact| at most, in the unit of the values."""


@dataclass(frozen=True)
class Member:
    """One member of the family."""

    preset: str
    title: str
    formula: str
    shown: Callable[[Config, np.ndarray], Shown]
    """From a configuration and one vector of score codes."""
    axis: str = "class"
    changes: tuple[tuple[str, object], ...] = ()
    """What the command sets beyond the preset."""

    @property
    def config(self) -> Config:
        """The preset as it is shown: for vectors of ten scores with the scale of the digits."""
        preset = PRESETS[self.preset]
        longest = preset.max_length if preset.groups else 10  # a packet of groups is as long as it is
        return preset.replace(**{"max_length": longest, "score_scale": DIGITS_SCALE, **dict(self.changes)})

    @property
    def command(self) -> str:
        """What makes this head."""
        settings = " ".join(f"--set {key}={value}" for key, value in self.changes)
        return f"softstream generate --preset {self.preset} {settings}".rstrip() + " -o build/head"


def _codes(array: str, rows: int = 1, **beside: np.ndarray) -> Callable[[Config, np.ndarray], Shown]:
    """A member whose output is an array of codes, for the vector `rows` times with that beside it."""

    def found(config: Config, codes: np.ndarray) -> Shown:
        return _compared(config, array, np.tile(codes, (rows, 1)), beside)

    return found


def _compared(config: Config, array: str, scores: np.ndarray, beside: Mapping[str, np.ndarray]) -> Shown:
    taken = checked_beside(config, beside, scores.shape)
    vectors = Vectors(config, scores, np.full(len(scores), scores.shape[1]), taken)
    codes, exact = vectors.results(golden(config, scores, beside=taken))[array], exact_values(array, vectors)
    if codes.ndim == 2:  # groups one behind the other
        lengths = result_lengths(vectors.behind.config, vectors.behind.lengths)
        inside = np.arange(codes.shape[1]) < lengths[:, None]
        codes, exact = codes[inside], exact[inside]
    # Without a bound the code is exact, but for 1.0 in UQ0, which is an ulp less.
    ulps = plan(config).worst_ulp
    one = 2.0**config.probability_width
    return Shown(codes / one, exact, (1.0 if ulps is None else ulps) / one)


def _members(config: Config, _: np.ndarray) -> Shown:
    """An ensemble, which has vectors of its own."""
    scores = np.load(ENSEMBLE_SCORES)[DISPUTED * config.ensemble :][: config.ensemble]
    return _compared(config, "probabilities", scores.astype(np.int64), {})


def _draws(config: Config, codes: np.ndarray) -> Shown:
    drawn = golden(config, np.tile(codes, (DRAWS, 1)))["sample"]
    frequency = np.bincount(drawn, minlength=len(codes)) / DRAWS
    exact = Vectors(config, codes[None], np.array([len(codes)])).softmax[0]
    # The law's distance from softmax, and six standard deviations of a frequency.
    return Shown(frequency, exact, (plan(config).distance or 0.0) + 3 / DRAWS**0.5)


MEMBERS: tuple[Member, ...] = (
    Member("softmax-int8", "Softmax", "p_i = e^x_i / Σ e^x_j", _codes("probabilities")),
    Member(
        "softmax-int8",
        "Temperature",
        "softmax(x / T), T = 3: in the tables, so it costs nothing",
        _codes("probabilities"),
        changes=(("temperature", 3.0),),
    ),
    Member(
        "softmax-int8-temperature",
        "Temperature of each vector",
        f"softmax(x / T), T = {1 / INVERSE_TEMPERATURE:g}, from a code beside the vector",
        _codes("probabilities", temperatures=np.array([1 / INVERSE_TEMPERATURE])),
    ),
    Member(
        "softmax-int8-groups",
        "Groups",
        "softmax inside each group of 8; of ten scores the last two are a short group",
        _codes("probabilities"),
    ),
    Member(
        "softmax-int8-masked",
        "Mask",
        f"softmax of what is left; classes {MASKED} are excluded",
        _codes("probabilities", mask=_MASK),
    ),
    Member(
        "softmax-int8",
        "Clipped logits",
        f"softmax(min(max(x, a), b)), a and b the score codes {CLIP[0]} and {CLIP[1]}: in the tables as well",
        _codes("probabilities"),
        changes=(("clip_minimum", CLIP[0]), ("clip_maximum", CLIP[1])),
    ),
    Member(
        "softmax-int8-floor",
        "Probability floor",
        f"f + (1 − f·N)·p_i, f = {FLOOR:g}: no class is ever excluded",
        _codes("probabilities"),
        changes=(("probability_floor", FLOOR),),
    ),
    Member(
        "softmax-int8-smoothed",
        "Smoothing",
        "(p_(i−1) + 2·p_i + p_(i+1)) / the sum of the weights within the vector",
        _codes("probabilities"),
    ),
    Member(
        "ensemble-logits-int8",
        "Mean of logits",
        "softmax((x_1 + … + x_M) / M) of M = 3 classifiers of a digit",
        _members,
        changes=(("score_scale", ENSEMBLE_SCALE),),
    ),
    Member(
        "ensemble-probabilities-int8",
        "Mean of probabilities",
        "(softmax(x_1) + … + softmax(x_M)) / M of the same M = 3: another class wins",
        _members,
        changes=(("score_scale", ENSEMBLE_SCALE),),
    ),
    Member(
        "softmax-top-k-int8",
        "Top-K",
        "the K largest, with their share of the whole sum",
        _codes("top_probabilities"),
        "rank",
    ),
    Member("hardmax-int8", "Hardmax", "1.0 for the first largest score, 0 for all others", _codes("one_hot")),
    Member(
        "log-softmax-int8",
        "Log-softmax",
        "x_i − ln Σ e^x_j, in nats",
        _codes("log_probabilities"),
    ),
    Member(
        "cross-entropy-int8",
        "Cross-entropy",
        "ln Σ e^x_j − x_label, in nats, for each label",
        _codes("losses", len(LABELS), labels=LABELS),
        "label",
    ),
    Member(
        "exponential-int8",
        "Exponentials",
        f"min(1, e^(x_i − c)), c the score code {127 - OFFSET}; no second pass",
        _codes("exponentials"),
        changes=(("reference_offset", OFFSET),),
    ),
    Member(
        "sigmoid-int8",
        "Sigmoid",
        "1 / (1 + e^−x_i), each score by itself",
        _codes("probabilities"),
    ),
    Member("sample-int8", "Sampling", f"how often each class is drawn, of {DRAWS} draws", _draws),
    Member(
        "sample-int8-cdf",
        "Sampling by the sum",
        f"first i with e^x_1 + … + e^x_i > u·Σ e^x_j, u one random number; of {DRAWS} draws",
        _draws,
    ),
)


def vector() -> np.ndarray:
    """The score codes that are shown."""
    scores, _ = digits(PRESETS["digits-softmax"])
    return np.asarray(scores.codes[VECTOR])


def shown() -> Iterator[tuple[Member, Shown]]:
    """Each member with its values."""
    codes = vector()
    for member in MEMBERS:
        yield member, member.shown(member.config, codes)


def _plot(member: Member, values: Shown) -> str:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(values.model))
        axes.bar(places, values.model, color=SOFTMAX, width=0.7, label="the model, which is the hardware")
        axes.plot(places, values.exact, "o", markersize=4, markerfacecolor="none", markeredgecolor=INK, label="float64")
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.set_xticks(places)
        axes.set_xlabel(member.axis)
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    return svg(f"member-{member.title.lower()}", f"{member.title} on a vector of the digits", 2.4, draw)


def _facts(member: Member) -> Iterator[tuple[str, str]]:
    """What is told of a member: of its preset, at the lengths that it is for."""
    found = plan(PRESETS[member.preset].replace(**dict(member.changes)))
    if found.distance is not None:
        yield "error", f"total variation from softmax at most {found.distance:.2g}"
    else:
        yield "error", "none" if found.bound_ulp is None else f"at most {found.bound_ulp:.3f} ulp"
    yield "first output", f"after {found.latency_text} cycles"
    entries = recorded()["presets"].get(member.preset, {})
    for part, entry in entries.items():
        cells = ", ".join(f"{entry['cells'][kind]} {kind}" for kind in entry["available"] if entry["cells"][kind])
        yield part, cells + ("" if entry["fmax_mhz"] is None else f"; {entry['fmax_mhz']:.0f} MHz")
    if not entries:
        yield "cells", "not measured yet"


def render(members: Iterable[tuple[Member, Shown]]) -> str:
    """The page's HTML, of what `shown` gives; the same bytes from the same package."""
    figures = "\n".join(
        captioned(member.title, _plot(member, values), f"{member.formula}.", list(_facts(member)), member.command)
        for member, values in members
    )
    scores = ", ".join(f"{code * DIGITS_SCALE:.2f}" for code in vector())
    main = f"""<p class="kicker">softstream · gallery</p>
<h1>The softmax family</h1>
<p class="answer">Each member in hardware, on one vector of a digits classifier: {escape(scores)}.</p>
<p>What is told is of the preset, at its own lengths; the command makes its Verilog.</p>
<div class="plots">{figures}</div>"""
    return page("softstream: the softmax family", main)
