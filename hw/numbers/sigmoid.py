r"""Codes of the logistic function, exact on every machine: σ(x) = 1/(1 + e^−x), each correctly rounded.

x = (code − score_zero_point) · score_scale / temperature. The table has at most 2^`TABLE_WIDTH` codes. A narrow score is its
address. Of a wide score the middle 2^`TABLE_WIDTH` codes are addresses, and a score beyond either end takes the entry of that
end. That is exact if the code is that of 0 at the lower end and the largest at the upper end; other configurations are refused.
So every result is the nearest code, |p̂ − σ(x)| <= ½ ulp before saturation of 1.0. An ulp is 1/L where `output_levels` = L, else
2^−P. The table holds the codes with their zero point, so no key costs anything.

No value but that of x = 0 lies halfway between two codes: e^x is transcendental for every other rational x (Lindemann). At 0,
σ = ½ is a code if L is even, and is rounded up if L is odd. The computation of the table checks the distance of every other
value to the nearest middle.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.config.limits import SIGMOID_WIDTH
from softstream.hw.errors import UserError

__all__ = ["TABLE_WIDTH", "address_width", "sigmoid_codes"]

TABLE_WIDTH = SIGMOID_WIDTH
"""Bits of the widest address of the table. A wider score has the zero point 0."""

_CONTEXT = Context(prec=50, Emin=-(10**9), Emax=10**9)
_FAR = Decimal(64)
"""From here on σ is nearer to 0 or 1 than any code is, by far: 24 fraction bits reach to 17."""


def address_width(config: Config) -> int:
    """Bits of the table's address."""
    return min(config.score_width, TABLE_WIDTH)


def sigmoid_codes(config: Config) -> np.ndarray:
    """Probability codes by address, int64 [2^A]: entry a is σ of score code a (unsigned) or a − 2^(A−1) (signed).

    Raises `UserError` for scores that are too wide for the table and too fine to be cut to it, with a value that would do.
    """
    codes = _codes(
        address_width(config),
        config.score_signed,
        config.score_zero_point,
        config.effective_scale,
        config.levels,
        config.probability_maximum,
    )
    lowest_is_flat = not config.score_signed or codes[0] == 0
    if config.score_width > TABLE_WIDTH and not (lowest_is_flat and codes[-1] == config.probability_maximum):
        raise UserError(
            f"score_width = {config.score_width}, {config.scale_text}: a sigmoid of more than "
            f"{TABLE_WIDTH} bits needs scores of which the middle {1 << TABLE_WIDTH} codes reach both ends of the "
            f"probabilities; score_width = {TABLE_WIDTH} would do, or score_scale = {_coarse_enough(config)}"
        )
    return codes + config.output_zero_point


def _coarse_enough(config: Config) -> float:
    """A power of two, times the temperature, that is coarse enough for a wide score: no code changes beyond the last entry."""
    scale = config.temperature
    reach = (1 << (TABLE_WIDTH - config.score_signed)) - 1
    # σ(−x) < e^−x <= 2^−(P + 1) there.
    while scale / 2 / config.temperature * reach >= 0.6932 * (config.probability_width + 1):
        scale /= 2
    return scale


@lru_cache(maxsize=16)
def _codes(width: int, signed: bool, zero_point: int, scale: float, levels: int, maximum: int) -> np.ndarray:
    lowest = -(1 << (width - 1)) if signed else 0
    one, exact_scale = Decimal(1), Decimal(scale)
    codes = []
    for code in range(lowest, lowest + (1 << width)):
        x = max(-_FAR, min(_FAR, _CONTEXT.multiply(exact_scale, Decimal(code - zero_point))))
        sigma = _CONTEXT.divide(one, _CONTEXT.add(one, _CONTEXT.exp(_CONTEXT.minus(x))))
        value = _CONTEXT.multiply(sigma, Decimal(levels))
        # 50 digits carry an error of some 10^-40 units: far less than this distance from the middle of two codes.
        assert code == zero_point or abs(value % one - Decimal("0.5")) > Decimal("1e-30")
        codes.append(min(int(value.to_integral_value(ROUND_HALF_UP)), maximum))
    table = np.array(codes, dtype=np.int64)
    table.setflags(write=False)
    return table
