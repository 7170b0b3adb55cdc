"""The given scores against the hardware: the error in all, and the shares of the quantiser and of the hardware.

An error code − p·2^P of a result, against the value p of the given scores, is the sum of two: what the quantised scores
change, and what the hardware adds. Where codes were given, nothing was quantised and the error is that of the hardware.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.plan.texts import decimals
from softstream.scripts.scores import Scores
from softstream.sim.reference.float_scores import FloatVectors

__all__ = ["Distance", "FloatError", "float_vectors", "ulp_text"]


@dataclass(frozen=True)
class Distance:
    """Magnitudes of errors."""

    largest: float
    mean: float

    @classmethod
    def of(cls, errors: np.ndarray) -> "Distance":
        """Of signed errors in any shape."""
        sizes = np.abs(errors)
        return cls(float(sizes.max(initial=0.0)), float(sizes.mean()) if sizes.size else 0.0)


@dataclass(frozen=True)
class FloatError:
    """The errors against the given floats."""

    total: Distance
    """Of the results, with whatever saturates."""
    quantisation: Distance
    """Of the exact values of the codes: what rounding and saturation of the scores cost."""

    @classmethod
    def of(cls, total: np.ndarray, hardware: np.ndarray) -> "FloatError":
        """Of signed errors against the given floats, and against the exact values of the codes."""
        return cls(Distance.of(total), Distance.of(total - hardware))


def float_vectors(
    config: Config, scores: Scores, sideband: Mapping[str, np.ndarray] | None = None
) -> FloatVectors | None:
    """The given floats as inputs of the exact formulas; None where codes were given."""
    if scores.floats is None:
        return None
    return FloatVectors.of(config, scores.floats, scores.shift, scores.lengths, sideband)


def ulp_text(value: float) -> str:
    """An error in ulp: four places, fewer digits where it is large, two that count where it is small."""
    return decimals(value, 4) if value < 100 else f"{value:.1f}" if value < 1e6 else f"{value:.3g}"
