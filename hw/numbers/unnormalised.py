r"""Tables of unnormalised exponentials, equal on every machine, and their error over every score.

w(x) = min(1, exp(s·(x − c))), rounded to P fraction bits, is the dividend of softmax without its sum, in one pass. The constant
score code c lies `reference_offset` steps below the largest code. Scores above c saturate. With `select = smallest` it is
min(1, exp(s·(c − x))), and c lies `reference_offset` steps above the smallest code.

* Up to `DIRECT_WIDTH` bits of score one table holds the correctly rounded code of each score, so codes rise with the score.
* Above, w = 2^(E − e)·M from the tables of `exponential`. Their offset makes the exponential of c the power of two 2^e, so
  the hardware shifts M by d = e − E and rounds once, half up.

**Error.** Before saturation |code − w·2^P| <= 1/2 + 2^P·ε'. The direct table has ε' = 0. Otherwise ε' contains the relative
error of 2^E·M, measured over every position, and that of the offset, because w <= 1. The scale's cap (`BETA_LIMIT`) adds less
than 2^-64.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.config.limits import BETA_LIMIT, DIRECT_WIDTH
from softstream.hw.errors import UserError
from softstream.hw.formats import QFormat
from softstream.hw.numbers.bound import Bound
from softstream.hw.numbers.exponential import exponential_tables, scale_in_octaves
from softstream.hw.numbers.softmax import Numerics, numerics

__all__ = ["ExponentialCodes", "exponential_bound", "exponential_codes", "sum_format"]

_CONTEXT = Context(prec=50, Emin=-(10**9), Emax=10**9)
_OFFSET_BITS = 80
"""Fraction bits of the offset, which is rounded up, so that the exponential of c is not below its power of two."""


@dataclass(frozen=True, eq=False)
class ExponentialCodes:
    """Formats and tables of one configuration."""

    config: Config
    reference: int
    """Position of c, whose exponential is 1."""
    codes: np.ndarray | None
    """The code of each position, int64 [2^W]; None for a score too wide for one table."""
    widths: Numerics
    """Widths and tables of a wide score, with the offset; a narrow score does not use them."""
    octaves: int
    """e: the exponential of c is 2^e for a wide score; 0 for a narrow one."""

    @property
    def maximum(self) -> int:
        """The code of 1.0: larger results saturate to it."""
        return self.config.probability_maximum


def sum_format(config: Config) -> QFormat:
    """Format of the exact sum of max_length codes."""
    width = (config.max_length * config.probability_maximum).bit_length()
    return QFormat(width - config.probability_width, config.probability_width)


@lru_cache(maxsize=64)
def exponential_codes(config: Config) -> ExponentialCodes:
    """Tables for exponentials relative to the score code `reference_offset` steps below the largest one.

    Raises `UserError` as `numerics` does.
    """
    position = (1 << config.score_width) - 1 - config.reference_offset
    assert position >= 0  # the configuration checks it at construction
    widths = numerics(config)
    if config.score_width <= DIRECT_WIDTH:
        codes = np.array(_direct(config, position), dtype=np.int64)
        return ExponentialCodes(config, position, codes, widths, 0)
    exact = _CONTEXT.multiply(scale_in_octaves(config.effective_scale), Decimal(position))
    octaves = int(exact.to_integral_value(ROUND_CEILING))
    steps = _CONTEXT.multiply(octaves - exact, Decimal(1 << _OFFSET_BITS)).to_integral_value(ROUND_CEILING)
    offset = Fraction(int(steps), 1 << _OFFSET_BITS)
    tables = exponential_tables(config.score_width, config.effective_scale, widths.significand_fraction, offset)
    assert int(tables.all_positions[0][: position + 1].max()) <= octaves
    widths = replace(widths, tables=tables, exponent_width=max(1, tables.exponent_maximum.bit_length()))
    return ExponentialCodes(config, position, None, widths, octaves)


def _direct(config: Config, reference: int) -> list[int]:
    """The correctly rounded code of each position, saturated to the code of 1.0."""
    one, scale = Decimal(1 << config.probability_width), Decimal(config.effective_scale)
    codes = []
    for position in range(1 << config.score_width):
        exact = _CONTEXT.multiply(one, _CONTEXT.exp(_CONTEXT.multiply(scale, Decimal(min(position - reference, 0)))))
        codes.append(min(int((exact + Decimal("0.5")).to_integral_value(ROUND_FLOOR)), config.probability_maximum))
    return codes


def exponential_bound(codes: ExponentialCodes) -> Bound:
    """The bound on |code − w·2^P| in ulp for every score; the docstring of the module derives it.

    Raises `UserError` for a bound above 1 ulp.
    """
    config, half = codes.config, Fraction(1, 2)
    share = Fraction(0)
    if codes.codes is None:
        offset = Fraction(1, 1 << _OFFSET_BITS)  # 2^x − 1 < x for 0 < x < 1
        epsilon = (1 + codes.widths.tables.error) * (1 + offset) - 1
        share = (epsilon + Fraction(1, 1 << BETA_LIMIT)) * (1 << config.probability_width)
    if half + share > 1:
        raise UserError(
            f"guard_bits = {config.guard_width}: the error bound would be {float(half + share):.3f} ulp, at most 1 ulp is "
            "allowed; guard_bits = 4 would do"
        )
    return Bound(share, Fraction(0), Fraction(0), half, half + share, Fraction(int(config.probability_format == "UQ0")))
