"""Golden model of `hw/normalisers/reciprocal.py`: one reciprocal per vector, one product per element.

The chords and their arithmetic are in `hw/numbers/reciprocal.py`.
"""

import numpy as np

from softstream.hw.numbers.softmax import Numerics
from softstream.hw.numbers.wide import power_quotient, shifted_product
from softstream.sim.golden.normalisers.emission import emission

__all__ = ["emit", "factor", "quotient"]


def factor(widths: Numerics, divisor: np.ndarray) -> np.ndarray:
    """r = min(floor(2^(R+D) / m), 2^R − 1), 1/m in UQ0.R with 1.0 saturated; by chords where the configuration has them."""
    if widths.reciprocals is not None:
        return widths.reciprocals.reciprocal(divisor)
    reciprocal = power_quotient(widths.reciprocal_width + widths.divisor_fraction, divisor)
    return np.minimum(reciprocal, (1 << widths.reciprocal_width) - 1)


def quotient(widths: Numerics, significand: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """floor(M·2^-B · r·2^-R · 2^(P+1)), in UQ1.(P+1)."""
    shift = widths.significand_fraction + widths.reciprocal_width - widths.probability_width - 1
    return shifted_product(significand, factor, shift, widths.significand_width + widths.reciprocal_width)


emit = emission(quotient)
