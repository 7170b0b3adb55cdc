r"""The table of the sum in two passes: exponentials of differences from the true maximum, in fixed point, and their error.

Once a vector's maximum is known, its exponentials are those of differences d = maximum − score alone, 2^(−βd), the largest of
them exactly 1. One table in fixed point then serves the sum and the numerator, without exponent, shifter or rescaling. With
N = max_length, P and k:

==================== ============================ ====================================================================
width                value                        why
==================== ============================ ====================================================================
fraction F           P + ceil(log2 N) + k − 2     each of N − 1 terms is off by half a unit at most, of a sum of 1 at least
sum                  F + ceil(log2 N)             N terms of 2^F − 1 at most
dropped bits c       ceil(log2 N) − 2, or 0       the division needs P + k fraction bits, for the sum is 1 at least
==================== ============================ ====================================================================

e[d] = round((2^F − 1)·2^(−βd)): a common factor cancels, and so 1 needs no bit of its own.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.exponential import decay

__all__ = ["Differences", "differences"]

_WORKING = 128
_UNIT = 1 << _WORKING
"""1.0 in the arithmetic before rounding."""


@dataclass(frozen=True, eq=False)
class Differences:
    """The table of one configuration, the widths around it, and its largest errors."""

    score_width: int
    max_length: int
    probability_width: int
    probability_maximum: int
    """Code of 1.0: larger results saturate to it."""
    fraction: int
    """F: the largest entry is 2^F − 1."""
    dropped: int
    """c: lowest bits of exponential and sum that the division does without."""
    entries: tuple[int, ...]
    """e[d] for d = 0 … 2^W − 1."""
    largest_error: Fraction
    """η: the largest |e[d]/(2^F − 1) − 2^(−βd)|, rounded up."""
    sum_error: Fraction
    """A: the largest relative error of a sum, as `bound` derives it, rounded up."""

    @property
    def sum_width(self) -> int:
        """Bits of the sum."""
        return self.fraction + ceil_log2(self.max_length)

    @property
    def dividend_width(self) -> int:
        """Bits of an exponential that the division sees."""
        return self.fraction - self.dropped

    @property
    def divisor_width(self) -> int:
        """Bits of the sum that the division sees."""
        return self.sum_width - self.dropped

    @property
    def bits(self) -> int:
        """Storage of the table in bits."""
        return len(self.entries) * self.fraction

    @cached_property
    def exponential(self) -> np.ndarray:
        """e[d] by difference, int64 [2^W]."""
        return np.array(self.entries, dtype=np.int64)


@lru_cache(maxsize=64)
def _differences(
    score_width: int,
    score_scale: float,
    max_length: int,
    probability_width: int,
    probability_maximum: int,
    guard_bits: int,
) -> Differences:
    length_bits = ceil_log2(max_length)
    fraction = probability_width + length_bits + guard_bits - 2
    one, others = (1 << fraction) - 1, max_length - 1
    exact = decay(score_width, score_scale, _WORKING)
    entries = [(one * value + _UNIT // 2) // _UNIT for value in exact]
    # Rounded up; 1 is exact, all others are known to more than 90 bits.
    errors = [-(-abs(entry * _UNIT - one * value) // one) for entry, value in zip(entries, exact, strict=True)]
    errors = [0, *(error + (_UNIT >> 90) for error in errors[1:])]
    of_sum = [
        -(-others * error * _UNIT // (_UNIT + others * value)) for error, value in zip(errors, exact, strict=True)
    ]
    return Differences(
        score_width=score_width,
        max_length=max_length,
        probability_width=probability_width,
        probability_maximum=probability_maximum,
        fraction=fraction,
        dropped=max(0, length_bits - 2),
        entries=tuple(entries),
        largest_error=Fraction(max(errors), _UNIT),
        sum_error=Fraction(max(of_sum), _UNIT),
    )


def differences(config: Config) -> Differences:
    """The table for a configuration, from its numeric keys alone."""
    return _differences(
        config.score_width,
        config.effective_scale,
        config.max_length,
        config.probability_width,
        config.probability_maximum,
        config.guard_width,
    )
