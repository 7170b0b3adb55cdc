"""Heads whose codes sum to exactly 2^P, for the tests of their numbers and of their hardware."""

from typing import Any

from softstream.hw.config.config import Config

__all__ = ["CONFIGS", "exact"]


def exact(**keys: Any) -> Config:
    """A configuration with an exact sum."""
    return Config(**{"sum": "exact", "probability_format": "UQ1", "max_length": 16, **keys})


CONFIGS: dict[str, Config] = {
    "divider": exact(),
    "reciprocal": exact(normaliser="reciprocal", profile="fastest"),
    "chords": exact(normaliser="reciprocal", probability_width=12, mask=True),
    "minimum": exact(minimum_code=1, max_length=13),
    "minimum-product": exact(minimum_code=3, normaliser="reciprocal", max_length=9, lanes=2, mask=True),
    "small": exact(profile="small", max_length=7),
    "small-minimum": exact(profile="small", max_length=7, minimum_code=2, mask=True),
    "lanes": exact(lanes=4, max_length=13, per_vector="pipelined"),
    "lanes-masked": exact(lanes=2, max_length=13, mask=True, minimum_code=1),
    "pipelined": exact(per_vector="pipelined", max_length=9, mask=True, minimum_code=1),
    "split": exact(score_width=12, score_scale=0.005, lanes=2, max_length=9),
    "groups": exact(groups=(5, 3), max_length=5, minimum_code=1),
    "temperature": exact(temperature_bits=5, score_scale=0.01, max_length=9),
    "ensemble": exact(ensemble=3, max_length=9),
    "smallest": exact(select="smallest", tie="last", score_signed=False),
    "coarse": exact(probability_width=4, guard_bits=2, minimum_code=1, score_width=4, score_scale=0.4),
    "single": exact(max_length=1, score_width=3),
    "full": exact(minimum_code=16, max_length=16),
}
