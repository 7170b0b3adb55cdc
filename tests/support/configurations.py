"""Configurations that reach every branch of the data path, small enough to simulate."""

import numpy as np

from softstream.hw.config.config import Config

__all__ = ["MEMBERS", "PIPELINED", "SOFTMAX", "TWO_PASS", "WIDTHS", "score_vectors"]

SOFTMAX: dict[str, Config] = {
    "absolute": Config(max_length=16),
    "reference": Config(max_length=16, score_scale=0.1467),
    "unsigned": Config(max_length=16, score_scale=1.7, score_signed=False),
    "reciprocal": Config(max_length=16, normaliser="reciprocal"),
    "logarithm": Config(max_length=16, normaliser="logarithm"),
    "logarithm-reference": Config(
        max_length=16, normaliser="logarithm", score_scale=0.3, guard_bits=5, probability_format="UQ1"
    ),
    "none": Config(max_length=16, normaliser="none"),
    "split-absolute": Config(max_length=16, score_width=16, score_scale=2.0**-12, probability_width=16),
    "split-reference": Config(
        max_length=16,
        score_width=12,
        score_scale=0.5,
        probability_width=12,
        normaliser="reciprocal",
        probability_format="UQ1",
    ),
    "chords": Config(
        max_length=16,
        score_width=16,
        score_scale=2.0**-12,
        probability_width=16,
        guard_bits=3,
        normaliser="reciprocal",
        profile="fastest",
    ),
    "fastest": Config(max_length=16, profile="fastest"),
    "small": Config(max_length=16, profile="small"),
    "small-reciprocal": Config(max_length=16, profile="small", normaliser="reciprocal", score_scale=0.3),
    "small-logarithm": Config(
        max_length=16, profile="small", normaliser="logarithm", score_width=10, score_scale=0.05, score_signed=False
    ),
    "small-none": Config(max_length=16, profile="small", normaliser="none"),
    "tiny": Config(max_length=1, score_width=2, probability_width=2),
    "wide": Config(max_length=9, score_width=16, score_scale=3.0, probability_width=24, guard_bits=4),
}

MEMBERS: dict[str, Config] = {
    "log_softmax": Config(mode="log_softmax", max_length=16),
    "log_softmax-reference": Config(
        mode="log_softmax", max_length=16, score_scale=0.1467, guard_bits=3, score_signed=False, integer_bits=5
    ),
    "log_softmax-fastest-4": Config(mode="log_softmax", max_length=13, lanes=4, profile="fastest"),
    "log_softmax-small-split": Config(
        mode="log_softmax", max_length=9, profile="small", score_width=12, score_scale=0.011, normaliser="logarithm"
    ),
    "cross_entropy": Config(mode="cross_entropy", max_length=16, score_scale=0.1),
    "cross_entropy-4": Config(mode="cross_entropy", max_length=13, lanes=4, profile="fastest"),
    "exponential": Config(mode="exponential", max_length=16, reference_offset=30),
    "floor": Config(max_length=16, probability_floor=0.02, lanes=2, normaliser="reciprocal"),
    "smoothed": Config(max_length=16, smoothing=(1, 2, 1)),
    "smoothed-small": Config(
        max_length=9, profile="small", smoothing=(1, 3, 0), smoothing_edges="scatter", smoothing_passes=2, guard_bits=5
    ),
    "exponential-split-2": Config(mode="exponential", max_length=16, lanes=2, score_width=12, score_scale=0.01),
    "temperature": Config(temperature_bits=8, temperature_fraction=5, max_length=16),
    "temperature-lanes-4": Config(
        temperature_bits=2, max_length=13, lanes=4, normaliser="logarithm", score_scale=0.04, profile="fastest"
    ),
    "log_softmax-temperature": Config(mode="log_softmax", temperature_bits=5, temperature_fraction=2, max_length=9),
    "sample-inverse-cdf": Config(mode="sample", sampler="inverse_cdf", max_length=16),
    "sample-inverse-cdf-split": Config(
        mode="sample", sampler="inverse_cdf", max_length=16, score_width=12, score_scale=0.005, profile="small"
    ),
}
"""Other members of the softmax family."""

PIPELINED: dict[str, Config] = {
    name: {**SOFTMAX, **MEMBERS}[name].replace(per_vector="pipelined")
    for name in (
        *("absolute", "reference", "reciprocal", "chords", "small", "tiny"),
        *("log_softmax-small-split", "cross_entropy", "cross_entropy-4", "exponential"),
    )
} | {
    "softmax-4": Config(max_length=13, lanes=4, profile="fastest", normaliser="logarithm", per_vector="pipelined"),
    "softmax_top_k": Config(mode="softmax_top_k", max_length=9, top_k=3, per_vector="pipelined"),
    "softmax-masked": Config(mask=True, max_length=9, normaliser="logarithm", per_vector="pipelined"),
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
