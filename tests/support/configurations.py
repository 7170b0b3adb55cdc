"""Configurations that reach every branch of the data path, small enough to simulate."""

from typing import Any

import numpy as np

from softstream.hw.config.config import Config

__all__ = ["MEMBERS", "PIPELINED", "SOFTMAX", "TWO_PASS", "WIDTHS", "framed_vectors", "score_vectors"]


def _head(**keys: Any) -> Config:
    """A fast head with a divider, unless the keys say otherwise: the default alone would reach one normaliser and profile."""
    return Config(**{"normaliser": "divider", "profile": "fast", **keys})


SOFTMAX: dict[str, Config] = {
    "default": Config(max_length=16),
    "absolute": _head(max_length=16),
    "reference": _head(max_length=16, score_scale=0.1467, accumulator="reference"),
    "reference-fastest": _head(max_length=16, score_scale=0.1467, accumulator="reference", profile="fastest"),
    "windows": _head(max_length=16, score_scale=0.3, profile="fastest"),
    "split-windows": _head(
        max_length=16, score_width=12, score_scale=0.05, accumulator="two_windows", normaliser="reciprocal"
    ),
    "unsigned": _head(max_length=16, score_scale=1.7, score_signed=False),
    "reciprocal": _head(max_length=16, normaliser="reciprocal"),
    "logarithm": _head(max_length=16, normaliser="logarithm"),
    "logarithm-reference": _head(
        max_length=16,
        normaliser="logarithm",
        score_scale=0.3,
        guard_bits=5,
        probability_format="UQ1",
        accumulator="reference",
    ),
    "none": _head(max_length=16, normaliser="none"),
    "split-absolute": _head(max_length=16, score_width=16, score_scale=2.0**-12, probability_width=16),
    "split-reference": _head(
        max_length=16,
        score_width=12,
        score_scale=0.5,
        probability_width=12,
        normaliser="reciprocal",
        probability_format="UQ1",
    ),
    "chords": _head(
        max_length=16,
        score_width=16,
        score_scale=2.0**-12,
        probability_width=16,
        guard_bits=3,
        normaliser="reciprocal",
        profile="fastest",
    ),
    "fastest": _head(max_length=16, profile="fastest"),
    "small": _head(max_length=16, profile="small"),
    "small-reciprocal": _head(max_length=16, profile="small", normaliser="reciprocal", score_scale=0.3),
    "small-logarithm": _head(
        max_length=16, profile="small", normaliser="logarithm", score_width=10, score_scale=0.05, score_signed=False
    ),
    "small-none": _head(max_length=16, profile="small", normaliser="none"),
    "tiny": _head(max_length=1, score_width=2, probability_width=2),
    "wide": _head(max_length=9, score_width=16, score_scale=3.0, probability_width=24, guard_bits=4),
}

MEMBERS: dict[str, Config] = {
    "log_softmax": _head(mode="log_softmax", max_length=16),
    "log_softmax-reference": _head(
        mode="log_softmax",
        max_length=16,
        score_scale=0.1467,
        guard_bits=3,
        score_signed=False,
        integer_bits=5,
        accumulator="reference",
    ),
    "log_softmax-fastest-4": _head(mode="log_softmax", max_length=13, lanes=4, profile="fastest"),
    "log_softmax-small-split": _head(
        mode="log_softmax", max_length=9, profile="small", score_width=12, score_scale=0.011, normaliser="logarithm"
    ),
    "cross_entropy": _head(mode="cross_entropy", max_length=16, score_scale=0.1),
    "cross_entropy-4": _head(mode="cross_entropy", max_length=13, lanes=4, profile="fastest"),
    "log_sum_exp": _head(mode="log_sum_exp", max_length=16, score_scale=0.1),
    "log_sum_exp-4": _head(mode="log_sum_exp", max_length=13, lanes=4, profile="fastest", mask=True),
    "log_sum_exp-small": _head(
        mode="log_sum_exp", max_length=9, profile="small", select="smallest", score_width=12, score_scale=0.011
    ),
    "entropy-small-4": _head(mode="entropy", max_length=13, lanes=4, profile="small", mask=True, score_width=6),
    "exponential": _head(mode="exponential", max_length=16, reference_offset=30),
    "floor": _head(max_length=16, probability_floor=0.02, lanes=2, normaliser="reciprocal"),
    "smoothed": _head(max_length=16, smoothing=(1, 2, 1)),
    "smoothed-small": _head(
        max_length=9, profile="small", smoothing=(1, 3, 0), smoothing_edges="scatter", smoothing_passes=2, guard_bits=5
    ),
    "sink": _head(max_length=16, sink="fixed", sink_code=20, mask=True),
    "sink-per-vector-4": _head(max_length=13, sink="vector", lanes=4, mask=True, profile="fastest"),
    "log_softmax-sink-2": _head(mode="log_softmax", max_length=13, sink="fixed", score_scale=0.1, lanes=2),
    "margin-4": _head(max_length=13, lanes=4, profile="fastest", confidence="margin"),
    "exponential-split-2": _head(mode="exponential", max_length=16, lanes=2, score_width=12, score_scale=0.01),
    "temperature": _head(temperature_bits=8, temperature_fraction=5, max_length=16),
    "temperature-lanes-4": _head(
        temperature_bits=2, max_length=13, lanes=4, normaliser="logarithm", score_scale=0.04, profile="fastest"
    ),
    "log_softmax-temperature": _head(mode="log_softmax", temperature_bits=5, temperature_fraction=2, max_length=9),
    "sample-inverse-cdf": _head(mode="sample", sampler="inverse_cdf", max_length=16),
    "sample-inverse-cdf-split": _head(
        mode="sample", sampler="inverse_cdf", max_length=16, score_width=12, score_scale=0.005, profile="small"
    ),
}
"""Other members of the softmax family."""

PIPELINED: dict[str, Config] = {
    name: {**SOFTMAX, **MEMBERS}[name].replace(per_vector="pipelined")
    for name in (
        *("absolute", "reference", "windows", "reciprocal", "chords", "small", "tiny"),
        *("log_softmax-small-split", "cross_entropy", "cross_entropy-4", "log_sum_exp-4", "exponential"),
    )
} | {
    "softmax-4": _head(max_length=13, lanes=4, profile="fastest", normaliser="logarithm", per_vector="pipelined"),
    "softmax_top_k": _head(mode="softmax_top_k", max_length=9, top_k=3, per_vector="pipelined"),
    "softmax-masked": _head(mask=True, max_length=9, normaliser="logarithm", per_vector="pipelined"),
}
"""Heads whose vectors follow each other without a bubble, whatever their length."""

WIDTHS = {name: config for name, config in SOFTMAX.items() if not name.startswith("small")}

TWO_PASS: dict[str, Config] = {
    name: Config(**{"profile": "small", "accumulator": "two_pass", **keys})  # type: ignore[arg-type]
    for name, keys in {
        "two-pass": {"max_length": 16},
        "two-pass-fast": {"max_length": 12, "probability_width": 6, "profile": "fast"},
        "two-pass-unsigned": {"max_length": 13, "score_scale": 0.3, "score_signed": False, "probability_format": "UQ1"},
        "two-pass-wide": {"max_length": 9, "score_width": 10, "score_scale": 2.0**-7, "probability_width": 16},
        "two-pass-tiny": {"max_length": 1, "score_width": 2, "probability_width": 4},
    }.items()
}
"""Heads that are one stage of their own."""


def framed_vectors(config: Config, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """The longest vector, single elements, an overlong one and `count` random ones; the members of an ensemble are equal."""
    low, high = config.score_format.minimum, config.score_format.maximum
    lengths = [config.max_length, 1, config.max_length + 3, *rng.integers(1, config.max_length + 1, count), 1, 1]
    vectors = [
        rng.integers(low, high, n, endpoint=True) for n in lengths[: len(lengths) // config.ensemble * config.ensemble]
    ]
    return [vectors[place - place % config.ensemble] for place in range(len(vectors))]


def score_vectors(config: Config, seed: int) -> list[np.ndarray]:
    """Corners (one element, ties, extremes, ramps, overlong, short after long) and random vectors."""
    rng = np.random.default_rng(seed)
    low, high = config.score_format.minimum, config.score_format.maximum
    longest = config.max_length
    ramp = np.linspace(low, high, longest).astype(int)
    corners = [
        np.array([low]),
        np.array([high]),
        np.full(longest, low),
        np.full(longest, high),
        np.full(longest, (low + high) // 2),
        ramp,
        ramp[::-1],
        np.array([high] + [low] * (longest - 1)),
        np.array([low] * (longest - 1) + [high]),
        np.full(longest + 1, high),
        np.full(1, low),
        rng.integers(low, high + 1, 3 * longest),
        np.full(1, high),
        np.full(1, low),
    ]
    corners += [rng.integers(low, high + 1, rng.integers(1, longest + 2)) for _ in range(12)]
    near = [rng.integers(max(low, high - 20), high + 1, rng.integers(1, longest + 1)) for _ in range(6)]
    return corners + near
