"""Statistics of decisions with a confidence: reliability diagram and expected calibration error; and fractions as text."""

from dataclasses import dataclass

import numpy as np

from softstream.hw.plan.texts import decimals
from softstream.scripts.scores import NO_LABEL

__all__ = ["CALIBRATION", "RELIABILITY_BINS", "Bin", "accuracy_of", "percent_text", "reliability"]

RELIABILITY_BINS = 10
CALIBRATION = (
    f"expected calibration error: Σ_b (n_b/n)·|accuracy_b − confidence_b| over {RELIABILITY_BINS} bins of equal width on (0, 1] "
    "(M. P. Naeini et al., AAAI 2015; C. Guo et al., ICML 2017)"
)
"""The definition of the calibration error, in words."""


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability diagram: vectors whose confidence lies in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean confidence of the bin's vectors; the middle of the bin where it is empty."""
    accuracy: float
    """Fraction of them whose decision equals the label; 0 where it is empty."""


def accuracy_of(decisions: np.ndarray, labels: np.ndarray) -> float:
    """Fraction of the vectors with a label whose decision equals it, at least one of them."""
    known = labels != NO_LABEL
    return float(np.mean(decisions[known] == labels[known]))


def reliability(confidence: np.ndarray, correct: np.ndarray) -> tuple[tuple[Bin, ...], float]:
    """The reliability diagram and the expected calibration error, as `CALIBRATION` defines it.

    Both arguments are [V]: the probability of each decision, and whether it equals the label.
    """
    index = np.clip(np.ceil(confidence * RELIABILITY_BINS).astype(np.int64) - 1, 0, RELIABILITY_BINS - 1)
    bins, error = [], 0.0
    for i in range(RELIABILITY_BINS):
        inside = index == i
        count = int(np.count_nonzero(inside))
        low, high = i / RELIABILITY_BINS, (i + 1) / RELIABILITY_BINS
        mean = float(confidence[inside].mean()) if count else (low + high) / 2
        accuracy = float(correct[inside].mean()) if count else 0.0
        error += count * abs(accuracy - mean)
        bins.append(Bin(low, high, count, mean, accuracy))
    return tuple(bins), error / len(confidence)


def percent_text(fraction: float | None) -> str:
    """A fraction in per cent, an empty text for None."""
    return "" if fraction is None else decimals(100 * fraction, 2)
