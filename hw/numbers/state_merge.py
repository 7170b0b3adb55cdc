r"""Tables and error of the merge of two states of a softmax, each the largest score and ln Σ e^(x − largest).

With the larger score of the first state, A = l_1 and B = l_2 − s·(x_1 − x_2), both in units of 2^-H, H = P + g:

    l = max(A, B) + ln(1 + e^(−|A − B|))

* Y[d] = round(s·d·2^H), one entry per difference of score codes.
* R[t] = round(2^H · ln(1 + e^(−t·2^-H))) + 2^(g − 1), up to the first t from which the rounded value is 0. The half ulp makes
  the cut of g bits a rounding half up.

**Error.** l is a function of A and B whose derivatives are in [0, 1] and add up to 1. Y is off by at most 1/2 unit of 2^-H, and
so is R, beyond its table too. With one rounding to P fraction bits

    |code − l·2^P| <= 1/2 + 2^-g

for the exact l of the two states as they are. The errors of merged states add up, weighed by their shares of the sum.
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.config.limits import DIRECT_WIDTH
from softstream.hw.errors import UserError
from softstream.hw.formats import QFormat
from softstream.hw.numbers.natural_logarithm import magnitude_format

__all__ = ["GUARD_BITS", "StateMerge", "state_merge"]

GUARD_BITS = 2
"""g. The table of ln(1 + e^−t) doubles with each."""
_CONTEXT = Context(prec=40)
_WIDEST_CODE = 12
"""Most fraction bits of a state, for which the table has 160 thousand entries."""


@dataclass(frozen=True)
class StateMerge:
    """Formats and tables of a merge."""

    format: QFormat
    """UQm.P of ln Σ, for the elements of the whole row."""
    distance: np.ndarray
    """Y, by the difference of the score codes."""
    rise: np.ndarray
    """R, by |A − B|; behind its end the half ulp alone."""

    @property
    def bound_ulp(self) -> Fraction:
        """The bound on |code − l·2^P| for the exact merge of two states."""
        return Fraction(1, 2) + Fraction(1, 1 << GUARD_BITS)


@lru_cache(maxsize=16)
def state_merge(config: Config, elements: int) -> StateMerge:
    """The merge of states of heads of `config` in mode log_sum_exp, for rows of up to `elements` elements.

    Raises `UserError` for another mode, for scores above 10 bits, and for more than 12 fraction bits.
    """
    if not config.traits.relative_sum:
        raise UserError(
            f"mode = {config.mode!r}: the states of a merge are those of log_sum_exp; mode = 'log_sum_exp' would do"
        )
    for key, most in (("score_width", DIRECT_WIDTH), ("probability_width", _WIDEST_CODE)):
        if getattr(config, key) > most:
            raise UserError(
                f"{key} = {getattr(config, key)} in a merge of states: must be at most {most}; {most} would do"
            )
    if elements < 1:
        raise UserError(f"elements = {elements}: must be at least 1; {config.max_length} would do")
    fraction = config.probability_width + GUARD_BITS
    unit, scale = Decimal(1 << fraction), Decimal(config.effective_scale)
    distance = [_rounded(_CONTEXT.multiply(scale * code, unit)) for code in range(1 << config.score_width)]
    rise: list[int] = []
    while True:
        small = _CONTEXT.exp(-Decimal(len(rise)) / unit)
        entry = _rounded(_CONTEXT.multiply(_CONTEXT.ln(1 + small), unit))
        if not entry:
            break
        rise.append(entry)
    return StateMerge(
        format=magnitude_format(0, config.effective_scale, elements, config.probability_width),
        distance=np.array(distance, dtype=np.int64),
        rise=np.array(rise, dtype=np.int64) + (1 << (GUARD_BITS - 1)),
    )


def _rounded(value: Decimal) -> int:
    return int(value.to_integral_value())
