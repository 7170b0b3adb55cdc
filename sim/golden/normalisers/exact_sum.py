"""Golden model of `hw/normalisers/exact_sum.py`: the running sum of exponentials as cumulative codes, and their differences."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.exact_sum import ExactSum, exact_sum
from softstream.hw.numbers.wide import shifted_product
from softstream.sim.golden.normalisers import reciprocal
from softstream.sim.golden.stages.exponential import exponential
from softstream.sim.golden.stages.frame import Block
from softstream.sim.golden.stages.leading_one import normalise
from softstream.sim.golden.stages.running_sum import running_sum

__all__ = ["cumulative_codes", "element_codes", "quotient"]


def quotient(numbers: ExactSum, division: str, dividend: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """floor(2^T · a / m), at most 2^T − 1; or the product with the reciprocal of m."""
    widths, width = numbers.widths, numbers.quotient_width
    if division == "reciprocal":
        factor = reciprocal.factor(widths, divisor)
        product_width = widths.divisor_width + widths.reciprocal_width
        return shifted_product(dividend, factor, numbers.product_shift, product_width)
    # In two steps, because 2^T · a may have more than 63 bits.
    first = width // 2
    high, rest = np.divmod(dividend << first, divisor)
    low = (rest << (width - first)) // divisor
    return np.minimum((high << (width - first)) + low, (1 << width) - 1)


def cumulative_codes(config: Config, block: Block) -> np.ndarray:
    """C_i of each element, int64 [V, N]; that of the last element is 2^P, and elements beyond it repeat it."""
    numbers, taking_part = exact_sum(config), block.taking_part
    widths = numbers.widths
    # In a fully masked vector the last element makes the sum, as in the hardware with one lane.
    sums = running_sum(*exponential(widths, block.positions), taking_part)
    total = np.where(taking_part.any(axis=1), sums[:, -1], 1 << widths.significand_fraction)
    exponent, divisor = normalise(widths, np.zeros_like(total), total)
    shift = exponent[:, None] - numbers.raised
    cut = np.where(shift > 0, sums >> np.maximum(shift, 0), sums << np.maximum(-shift, 0))
    ratios = quotient(numbers, config.division, cut, divisor[:, None])
    count = np.cumsum(taking_part, axis=1)
    share = numbers.one - numbers.minimum * count[:, -1:]
    half = 1 << (numbers.quotient_width - 1)
    return numbers.minimum * count + ((share * ratios + half) >> numbers.quotient_width)


def element_codes(config: Config, block: Block) -> np.ndarray:
    """code_i = C_i − C_(i−1), int64 [V, N]; 0 for an element that does not take part."""
    return np.diff(cumulative_codes(config, block), axis=1, prepend=0)
