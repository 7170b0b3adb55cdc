r"""Widths, table and error bound of the entropy of a vector's probabilities, from the numeric keys.

Let y_i = β·i be the octaves of position i, w_i = 2^(y_i), and p_i = w_i / Σw_j. The entropy in bits is

    H = −Σ p_i·log2 p_i = log2 Σ2^(y_i) − β·μ,   μ = Σ 2^(y_i)·i / Σ 2^(y_i).

So two exact sums suffice, S = Σ ŵ_i of the exponentials and T = Σ ŵ_i·i of their products with the positions, which a second
table holds. No exponential is divided, and nothing is stored. Once per vector μ = T/S is divided and H is a difference.

* The leading-one detector gives S = 2^n·m·2^-D and t = floor(T·2^(D−n)), D = P + k + 1 + ceil(log2 of the octaves).
* The quotient Q = floor(2^f·t/m) has `steps` = W + f bits q_j, the highest first, with f such that β·2^-f <= 2^-(P+k).
* β·μ = Σ q_j·(b >> j) with b = round(β·2^(W−1)·2^h): each step of the division adds a constant that has moved down by a bit.
* log2 S = n + log2 m: the first F = P + k − 3 bits of m address T2, the next bit b is worth half an interval, as in
  `natural_logarithm`, in units of 2^-H, H = F + 3 = P + k.
* code = max(0, floor((L·2^(h−H) + c − Σ q_j·(b >> j)) / 2^(h−P))): c is half an ulp, and the middle of the errors below.

**Error.** Let Ĥ = log2 S − β·T/S be the value of the exact quotient of the computed sums.

1. *Rounding of the steps.* Q/2^f − T/S lies between −2^-D − 2^-f and (2^W − 1)/(2^D − 1): t loses less than 1, which is at most
   2^-D of a position, and m loses less than 1 of at least 2^D. The weights b >> j differ from β·2^(W−1−j)·2^h by d_j, and the sum
   of the chosen ones by at least Σ min(0, d_j) and at most Σ max(0, d_j). The errors of T2 are measured over all real m.
2. *Exponentials.* ŵ_i = w_i·2^(r_i) with |r_i| <= r = −log2(1 − ε). Let G(t) be log2 Σ w_j·2^(t·r_j) − Σ p_j(t)·y_j with
   p_j(t) = w_j·2^(t·r_j) / Σ…, so G(0) = H and G(1) = Ĥ. Then G' = Σ p_j·r_j − ln 2·Cov(r, y), and y = log2 p(t) − t·r + const:

       |G'| <= r + r·E|ln p − E ln p| + t·r²·ln 2.

   The mean deviation of ln p is at most (1/2)·ln(N − 1) + 0.44778. *Proof.* Let A be the elements of ln p above the mean, a
   their mass, and B the others. The deviation is 2a(1 − a)·(mean of ln p in A − mean in B). No p in A exceeds a, and the
   entropy within B is at most ln(N − 1), so mean in B >= ln(1 − a) − ln(N − 1). So the deviation is at most
   2a(1 − a)·(ln(a/(1 − a)) + ln(N − 1)); 2a(1 − a) <= 1/2, and 2a(1 − a)·ln(a/(1 − a)) has its maximum 0.447743 where
   x·tanh(x/2) = 1 for x = ln(a/(1 − a)) = 1.5434. One likely class among equal ones attains it.
   Hence |Ĥ − H| <= r·(1 + (1/2)·ln(N − 1) + 0.44778) + r²·ln 2 / 2.

The maximum with 0 only brings a code nearer to the exact value, because no entropy is negative.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound, check_bound
from softstream.hw.numbers.exponential import scale_in_octaves
from softstream.hw.numbers.natural_logarithm import ENTRY_GUARD, significand_logarithms
from softstream.hw.numbers.softmax import Numerics, numerics

__all__ = ["EntropyNumerics", "entropy_bound", "entropy_numerics"]

_UP = Context(prec=40, rounding=ROUND_CEILING, Emin=-(10**9), Emax=10**9)
_LN2 = _UP.ln(Decimal(2))
_SLACK = Fraction(1, 1 << 60)
"""Allowance for the rounding of the decimal arithmetic, in units of the working fraction."""

_WEIGHT_GUARD = 4
"""Fraction bits of the weights of the quotient's bits below 2^-(P+k): each weight loses less than a unit."""

_DEVIATION = Decimal("0.44778")
"""More than the largest 2a(1 − a)·ln(a/(1 − a))."""


@dataclass(frozen=True, eq=False)
class EntropyNumerics:
    """Formats and constants of one configuration; see the module's text."""

    widths: Numerics
    """Widths of the sum S, with the fraction D of m."""
    moment: Numerics
    """Widths of the sum T: its table holds the product of each exponential and its position."""
    fraction: int
    """F: address bits of the table of logarithms."""
    logarithm: np.ndarray
    """T2[m] in units of 2^-H, int64 [2^F]."""
    quotient_fraction: int
    """f."""
    weight: int
    """b: β·2^(W−1) in units of 2^-h."""
    offset: int
    """c in units of 2^-h."""
    format: QFormat
    """UQm.P, with the integer bits of log2 of the length."""
    error: Fraction
    """The largest error of a code before its rounding, against Ĥ, in units of 2^-h."""

    @property
    def position_bits(self) -> int:
        """W: bits of a position, and of the integer part of the quotient."""
        return self.widths.tables.score_width

    @property
    def steps(self) -> int:
        """Bits of the quotient."""
        return self.position_bits + self.quotient_fraction

    @property
    def logarithm_fraction(self) -> int:
        """H: fraction bits of a logarithm."""
        return self.fraction + 1 + ENTRY_GUARD

    @property
    def working_fraction(self) -> int:
        """h: fraction bits of the weights and of the difference."""
        return self.logarithm_fraction + _WEIGHT_GUARD

    @property
    def shift(self) -> int:
        """Bits that the rounding removes."""
        return self.working_fraction - self.format.fraction_bits

    @property
    def weights(self) -> list[int]:
        """b >> j for each bit of the quotient, the highest first."""
        return [self.weight >> step for step in range(self.steps)]

    @property
    def moment_width(self) -> int:
        """Bits of t."""
        return self.widths.divisor_width + self.position_bits

    @property
    def table_bits(self) -> int:
        """Storage of the table of logarithms in bits."""
        return len(self.logarithm) * int(self.logarithm.max()).bit_length()


def _rational(value: Decimal) -> Fraction:
    return Fraction(value)


def _ceil_log2(value: Fraction) -> int:
    """The least integer e with value <= 2^e."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length() - 1
    while Fraction(2) ** exponent < value:
        exponent += 1
    return exponent


@lru_cache(maxsize=256)
def entropy_numerics(config: Config) -> EntropyNumerics:
    """Numbers of a configuration in mode entropy.

    Raises `UserError` where the sum of the products is wider than the accumulator; the text names a scale that fits.
    """
    widths = numerics(config)
    width, precision = config.score_width, config.probability_width + config.guard_width
    beta = _rational(scale_in_octaves(config.effective_scale))
    octaves = beta * ((1 << width) - 1)
    divisor = max(width, precision + 1 + max(0, _ceil_log2(octaves)))
    quotient_fraction = max(1, precision + _ceil_log2(beta))
    fraction = precision - 3
    working = precision + _WEIGHT_GUARD
    entries, low, high = significand_logarithms(fraction, _UP.divide(Decimal(1 << precision), _LN2))
    weight = round(beta * (1 << (width - 1 + working)))

    scaled = beta * (1 << working)  # octaves of a position in units of 2^-h
    misses = [
        (weight >> step) - scaled * Fraction(2) ** (width - 1 - step) for step in range(width + quotient_fraction)
    ]
    mean_low = -scaled * (Fraction(1, 1 << divisor) + Fraction(1, 1 << quotient_fraction))
    mean_high = scaled * Fraction((1 << width) - 1, (1 << divisor) - 1)
    mean_low += sum(miss for miss in misses if miss < 0)
    mean_high += sum(miss for miss in misses if miss > 0)
    unit = 1 << _WEIGHT_GUARD
    least, largest = _rational(low) * unit - mean_high, _rational(high) * unit - mean_low
    centre = -round((least + largest) / 2)
    moment = replace(
        widths,
        tables=replace(
            widths.tables, high=tuple((e, x * position) for position, (e, x) in enumerate(widths.tables.high))
        ),
        significand_fraction=widths.significand_fraction + width,
        accumulator_width=widths.accumulator_width + width,
    )
    bits = _UP.divide(_UP.ln(Decimal(config.max_length)), _LN2)
    # A code exceeds the largest entropy by 1 ulp at most.
    code = int(_UP.multiply(bits, Decimal(1 << config.probability_width)).to_integral_value(ROUND_CEILING)) + 1
    return EntropyNumerics(
        widths=replace(widths, divisor_fraction=divisor),
        moment=moment,
        fraction=fraction,
        logarithm=np.array(entries, dtype=np.int64),
        quotient_fraction=quotient_fraction,
        weight=weight,
        offset=centre + (1 << (working - config.probability_width - 1)),
        format=QFormat(max(0, code.bit_length() - config.probability_width), config.probability_width),
        error=max(abs(least + centre), abs(largest + centre)) + _SLACK,
    )


def entropy_bound(config: Config) -> Bound:
    """The bound on |code − H·2^P| in ulp.

    Raises `UserError` for a bound above 1 ulp; the text states a change of keys that brings it to 1 ulp or less.
    """
    limits = _entropy_bound(config)
    check_bound(config, limits, _entropy_bound)
    return limits


@lru_cache(maxsize=256)
def _entropy_bound(config: Config) -> Bound:
    numbers = entropy_numerics(config)
    epsilon = numbers.widths.tables.error
    # −log2(1 − ε) <= ε / ((1 − ε)·ln 2), and 1/ln 2 < 1.4427.
    largest = epsilon / (1 - epsilon) * Fraction(14427, 10000)
    spread = _rational(_UP.ln(Decimal(max(1, config.max_length - 1)))) / 2 + _rational(_DEVIATION)
    exponential = largest * (1 + spread) + largest**2 * Fraction(7, 20)  # ln 2 / 2 < 7/20
    half = Fraction(1, 2)
    share = exponential * (1 << config.probability_width)
    normaliser = numbers.error / (1 << numbers.shift)
    return Bound(
        exponential=share,
        accumulator=Fraction(0),
        normaliser=normaliser,
        rounding=half,
        total=share + normaliser + half,
        saturation=Fraction(0),
    )
