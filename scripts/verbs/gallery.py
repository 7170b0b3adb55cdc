"""The gallery: each member of the softmax family with its formula, and its output for score codes beside the exact values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from softstream.boards.tools.measure import head_job, measure
from softstream.boards.tools.parts import PARTS
from softstream.hw.config.config import Config
from softstream.hw.config.presets import DIGITS_SCALE, ENSEMBLE_SCALE, PRESETS
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.plan.derive import plan
from softstream.scripts.measure.datasets import digits
from softstream.scripts.measure.recorded import recorded_gallery
from softstream.sim.data import ENSEMBLE_SCORES
from softstream.sim.golden import golden
from softstream.sim.golden.head import checked_sideband
from softstream.sim.reference.exact import Vectors, exact_values
from softstream.sim.reference.law import model_set

__all__ = [
    "MEMBERS",
    "SHOWN_PARTS",
    "Member",
    "Values",
    "evaluated",
    "measured",
    "recorded_parts",
    "settings",
    "vector",
]

SHOWN_PARTS = ("hx8k", "ecp5-25k")
"""Parts that each circuit is placed on."""

VECTOR = 1571
"""Index of the digit whose vector is shown: its classifier is the least confident, with a tie for the first place."""
DRAWS = 20_000
DISPUTED = 632
"""Index of the digit whose ensemble is shown: the two means decide differently on it."""
MASKED = (0, 8)
CLIP = (-5, 12)
_MASK = np.isin(np.arange(10), MASKED)[None].astype(np.int64)
INVERSE_TEMPERATURE = 0.25
LABELS = np.arange(10)
FLOOR = 2.0**-7
"""The floor that is shown: a whole number of guarded units."""
OFFSET = 105
"""Distance of the exponentials' reference from the largest code: the reference is just above the scores shown."""


@dataclass(frozen=True)
class Values:
    """Values of the model and exact values of the same codes, one for each position of the axis."""

    model: np.ndarray
    exact: np.ndarray
    bound: float
    """Bound of |model − exact|, in the unit of the values."""


@dataclass(frozen=True)
class Member:
    """One member of the family."""

    preset: str
    title: str
    formula: str
    """In the notation of `reports.mathml`; empty where the note says it."""
    note: str
    """Words that follow the formula."""
    evaluate: Callable[[Config, np.ndarray], Values]
    """Function of a configuration and one vector of score codes."""
    axis: str = "class"
    changes: tuple[tuple[str, object], ...] = ()
    """Keys that the command sets beyond the preset."""

    @property
    def config(self) -> Config:
        """The configuration shown: the preset for vectors of ten scores with the scale of the digits."""
        preset = PRESETS[self.preset]
        longest = preset.max_length if preset.groups else 10  # a packet of groups has any length
        return preset.replace(**{"max_length": longest, "score_scale": DIGITS_SCALE, **dict(self.changes)})

    @property
    def command(self) -> str:
        """The command that generates this head: the very circuit whose output and cost are shown."""
        own, usual = self.config.to_mapping(), PRESETS[self.preset].to_mapping()
        settings = " ".join(f"--set {key}={value}" for key, value in own.items() if value != usual[key])
        return f"softstream generate --preset {self.preset} {settings}".rstrip() + " -o build/head"


def _codes(array: str, rows: int = 1, **sidebands: np.ndarray) -> Callable[[Config, np.ndarray], Values]:
    """The evaluation of an output of codes, for `rows` copies of the vector with these sideband inputs."""

    def evaluate(config: Config, codes: np.ndarray) -> Values:
        return _compared(config, array, np.tile(codes, (rows, 1)), sidebands)

    return evaluate


def _compared(config: Config, array: str, scores: np.ndarray, sidebands: Mapping[str, np.ndarray]) -> Values:
    checked = checked_sideband(config, sidebands, scores.shape)
    vectors = Vectors(config, scores, np.full(len(scores), scores.shape[1]), checked)
    codes, exact = vectors.results(golden(config, scores, None, checked))[array], exact_values(array, vectors)
    if codes.ndim == 2:  # the results of groups, concatenated
        lengths = result_lengths(vectors.head_inputs.config, vectors.head_inputs.lengths)
        inside = np.arange(codes.shape[1]) < lengths[:, None]
        codes, exact = codes[inside], exact[inside]
    # An output without a bound is exact, except that 1.0 saturates one ulp lower in UQ0.
    ulps = plan(config).worst_ulp
    zero = config.output_zero_point if config.traits.probabilities else 0
    return Values((codes - zero) / config.levels, exact, (1.0 if ulps is None else ulps) / config.levels)


def _members(config: Config, _: np.ndarray) -> Values:
    """The evaluation of an ensemble, on the vectors of its own classifiers."""
    scores = np.load(ENSEMBLE_SCORES)[DISPUTED * config.ensemble :][: config.ensemble]
    return _compared(config, "probabilities", scores.astype(np.int64), {})


def _draws(config: Config, codes: np.ndarray) -> Values:
    drawn = golden(config, np.tile(codes, (DRAWS, 1)))["sample"]
    frequency = np.bincount(drawn, minlength=len(codes)) / DRAWS
    exact = np.where(model_set(config, codes), Vectors(config, codes[None], np.array([len(codes)])).softmax[0], 0)
    exact /= exact.sum()
    # The distance of the sampling distribution from softmax, and six standard deviations of a frequency.
    return Values(frequency, exact, (plan(config).distance or 0.0) + 3 / DRAWS**0.5)


MEMBERS: tuple[Member, ...] = (
    Member("softmax-int8", "Softmax", "p_i = e^x_i / Σ_j e^x_j", "", _codes("probabilities")),
    Member(
        "softmax-int8",
        "Temperature",
        "softmax(x / T), T = 3",
        "the tables contain T, so it costs nothing",
        _codes("probabilities"),
        changes=(("temperature", 3.0),),
    ),
    Member(
        "softmax-int8-temperature",
        "Temperature of each vector",
        f"softmax(x / T), T = {1 / INVERSE_TEMPERATURE:g}",
        "T comes from a sideband input of each vector",
        _codes("probabilities", temperatures=np.array([1 / INVERSE_TEMPERATURE])),
    ),
    Member(
        "softmax-int8-groups",
        "Groups",
        "",
        "softmax within each group of 8; the last two of ten scores are a short group",
        _codes("probabilities"),
    ),
    Member(
        "softmax-int8-masked",
        "Mask",
        "p_i = m_i·e^x_i / Σ_j m_j·e^x_j",
        f"m is 0 for classes {MASKED[0]} and {MASKED[1]}, which are excluded, and 1 for the others",
        _codes("probabilities", mask=_MASK),
    ),
    Member(
        "softmax-int8",
        "Clipped logits",
        "softmax(min(max(x, a), b))",
        f"a and b are the score codes −{-CLIP[0]} and {CLIP[1]}; the tables contain the clip",
        _codes("probabilities"),
        changes=(("clip_minimum", CLIP[0]), ("clip_maximum", CLIP[1])),
    ),
    Member(
        "softmax-int8-floor",
        "Probability floor",
        f"f + (1 − f·N)·p_i, f = {FLOOR:g}",
        "no class reaches 0",
        _codes("probabilities"),
        changes=(("probability_floor", FLOOR),),
    ),
    Member(
        "softmax-int8-smoothed",
        "Smoothing",
        "(p_(i−1) + 2·p_i + p_(i+1)) / w_i",
        "w_i is the sum of the weights within the vector",
        _codes("probabilities"),
    ),
    Member(
        "ensemble-logits-int8",
        "Mean of logits",
        "softmax((x_1 + … + x_M) / M)",
        "M = 3 classifiers of a digit",
        _members,
        changes=(("score_scale", ENSEMBLE_SCALE),),
    ),
    Member(
        "ensemble-probabilities-int8",
        "Mean of probabilities",
        "(softmax(x_1) + … + softmax(x_M)) / M",
        "the same M = 3 classifiers: another class wins",
        _members,
        changes=(("score_scale", ENSEMBLE_SCALE),),
    ),
    Member(
        "softmax-top-k-int8",
        "Top-K",
        "",
        "the K largest, with their share of the whole sum",
        _codes("top_probabilities"),
        "rank",
    ),
    Member(
        "cdf-int8",
        "Cumulative probabilities",
        "p_1 + … + p_i",
        "each p is at least one code, the last sum exactly 1",
        _codes("cumulative"),
    ),
    Member("hardmax-int8", "Hardmax", "", "1.0 for the first largest score, 0 for all others", _codes("one_hot")),
    Member(
        "log-softmax-int8",
        "Log-softmax",
        "x_i − ln Σ_j e^x_j",
        "in nats",
        _codes("log_probabilities"),
    ),
    Member(
        "cross-entropy-int8",
        "Cross-entropy",
        "ln Σ_j e^x_j − x_label",
        "in nats, for each label",
        _codes("losses", len(LABELS), labels=LABELS),
        "label",
    ),
    Member(
        "log-sum-exp-int8",
        "Log-sum-exp",
        "ln Σ_j e^(x_j − x_max)",
        "in nats, and x_max",
        _codes("log_sums"),
        "vector",
    ),
    Member(
        "entropy-int8",
        "Entropy",
        "log2 Σ_j e^x_j − Σ_j x_j·e^x_j / (ln 2 · Σ_j e^x_j)",
        "in bits, and the winner",
        _codes("entropies"),
        "vector",
    ),
    Member(
        "exponential-int8",
        "Exponentials",
        "min(1, e^(x_i − c))",
        f"c is the score code {127 - OFFSET}; no second pass",
        _codes("exponentials"),
        changes=(("reference_offset", OFFSET),),
    ),
    Member(
        "sigmoid-int8",
        "Sigmoid",
        "1 / (1 + e^−x_i)",
        "each score by itself",
        _codes("probabilities"),
    ),
    Member("sample-int8", "Sampling", "", f"how often each class is drawn, of {DRAWS} draws", _draws),
    Member(
        "sample-int8-cdf",
        "Sampling by inverse CDF",
        "e^x_1 + … + e^x_i > u·Σ_j e^x_j",
        f"the first i for which this holds, u one random number; of {DRAWS} draws",
        _draws,
    ),
    Member(
        "sample-int8",
        "Sampling among the K best",
        "",
        f"softmax over the 3 largest scores; of {DRAWS} draws",
        _draws,
        changes=(("draw_top_k", 3),),
    ),
    Member(
        "sample-int8-top-p",
        "Nucleus sampling",
        "",
        f"softmax over the fewest of the best classes whose probabilities reach p = 0.9; of {DRAWS} draws",
        _draws,
    ),
    Member(
        "sample-int8",
        "Min-p sampling",
        "",
        f"softmax over the classes with p_i ≥ 0.1·p_1; of {DRAWS} draws",
        _draws,
        changes=(("draw_top_k", 9), ("draw_min_p", 0.1)),
    ),
)


def vector() -> np.ndarray:
    """The score codes of the vector shown."""
    scores, _ = digits(PRESETS["digits-softmax"])
    return np.asarray(scores.codes[VECTOR])


def evaluated() -> Iterator[tuple[Member, Values]]:
    """Each member with its values."""
    codes = vector()
    for member in MEMBERS:
        yield member, member.evaluate(member.config, codes)


def measured(progress: Callable[[float, str], None] | None = None) -> dict[str, dict[str, Any]]:
    """Cells and Fmax of each member's circuit, by its title and part, placed with one seed."""
    rows = [PARTS[name] for name in SHOWN_PARTS]
    jobs = [head_job(member.config, row, (1,), member.title) for member in MEMBERS for row in rows]
    results = iter(measure(jobs, progress=progress))
    content: dict[str, dict[str, Any]] = {}
    for member in MEMBERS:
        content[member.title] = {}
        for row in rows:
            result = next(results)
            content[member.title][row.name] = {
                "cells": dict(result.cells),
                "fits": not result.over,
                "fmax_mhz": result.fmax_mhz,
            }
    return content


def settings(config: Config) -> dict[str, Any]:
    """The keys that differ from their defaults: a configuration's name in the record, which a new key leaves as it is."""
    usual = Config().to_mapping()
    return {key: value for key, value in config.to_mapping().items() if value != usual[key]}


def recorded_parts() -> dict[str, dict[str, Any]]:
    """The same as `boards/measured/gallery.json` has it, of the members whose configuration is that of the record."""
    entries = {entry["member"]: entry for entry in recorded_gallery()["members"]}
    return {
        member.title: entries[member.title]["parts"]
        for member in MEMBERS
        if member.title in entries and entries[member.title]["settings"] == settings(member.config)
    }
