r"""Every bit width of the softmax data path, derived once from the numeric keys of the configuration.

Let p = 2^(βx)/Σ2^(βx) with β = score_scale/temperature·log2(e). The hardware holds each exponential as 2^E·M with an integer
E and a significand M in [1, 2). The relative errors of M partly cancel between numerator and sum. So the accumulator grows with
the vector's length, but no table and no multiplier does. With P = probability_width, k = guard_bits and N = max_length:

====================== ============================ ==========================================================
width                  value                        why
====================== ============================ ==========================================================
significand fraction B P + k − 1                    M rounded to B bits: relative error 2^−(B+1)
accumulator fraction A P + ceil(log2 N) + k, or B   at most N − 1 truncations of 2^−A; none in the absolute form
window W               P + ceil(log2 N) + k         octaves of a window (`bound`); then A = D, because m keeps D bits of the sum
divisor fraction D     P + k, or P + k + 1          the sum truncated to D bits: relative error below 2^−D; one bit more
                                                    with `sum = exact` (`exact_sum`), which R follows
reciprocal bits R      P + k + 1, or P + k          1/m truncated to R bits: relative error below 2^−(R−1); a table of
                                                    chords gives P + k bits, rounded (`reciprocal`)
logarithms' fraction G P + k − 1                    see `logarithm`
quotient fraction      P + 1                        one rounding bit; further bits would change nothing, because
                                                    floor((floor(v) + h)/2^s) = floor((v + h)/2^s)
====================== ============================ ==========================================================

A sink is one more element of every vector, whose result nobody takes: N is then max_length + 1, and every bound of a vector of
N elements holds for the others. Its term comes from the same table, so the exact sum has the bits that it would have with it.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.formats import QFormat, ceil_log2
from softstream.hw.numbers.exponential import ExponentialTables, exponential_tables
from softstream.hw.numbers.logarithm import LogTables, log_tables
from softstream.hw.numbers.output_levels import Numerators, numerators
from softstream.hw.numbers.reciprocal import ReciprocalTables, reciprocal_tables

__all__ = ["ACCUMULATOR_LIMIT", "CHORDS", "Numerics", "TooManyOctaves", "exact_scale", "numerics", "refusals_of"]

ACCUMULATOR_LIMIT = 62
"""Bits of the widest accumulator: the golden model computes in 64-bit signed integers and reserves one more bit."""

CHORDS = range(16, 21)
"""P + k for which a table of chords gives the reciprocal. Below, a division bit by bit is fast enough; above, a chord of the
table's length is too far from the curve."""


@dataclass(frozen=True)
class Numerics:
    """Formats and integer constants of one softmax configuration; see the module's table."""

    tables: ExponentialTables
    probability_width: int
    probability_maximum: int
    """Code of 1.0: larger results saturate to it."""
    max_length: int
    """The most terms of a sum: N, and one more with a sink."""
    significand_fraction: int
    """B: M is an integer in [2^B, 2^(B+1))."""
    exponent_width: int
    """Bits of E, which runs from 0 (smallest score) to `tables.exponent_maximum`."""
    absolute: bool
    """Whether the accumulator spans every exponent at once: no reference, no truncation."""
    windows: bool
    """Whether the accumulator holds the two highest windows of `reference_step` octaves each, instead of a running reference."""
    reference_step: int
    """Octaves between two values of the running reference, or of a window; in the absolute form the span of all exponents."""
    accumulator_fraction: int
    accumulator_width: int
    divisor_fraction: int
    reciprocal_width: int
    reciprocals: ReciprocalTables | None
    """Chords of the reciprocal normaliser where P + k is in `CHORDS`; otherwise None."""
    logarithms: LogTables | None
    """Tables of the logarithmic normaliser; None with any other normaliser."""
    numerators: Numerators | None = None
    """Scaled tables of the elements, where codes have steps of 1/L and a quotient is computed; otherwise None."""
    sink_term: int = 0
    """The term of a fixed sink, with which each exact sum begins; 0 without one."""

    @property
    def element_tables(self) -> ExponentialTables:
        """The exponentials of the elements, in the scale of the output codes."""
        return self.tables if self.numerators is None else self.numerators.tables

    @property
    def numerator_octaves(self) -> int:
        """s: octaves that are added to n, because the exponentials of the elements are scaled by λ·2^s."""
        return 0 if self.numerators is None else self.numerators.octaves

    @cached_property
    def antilogarithm(self) -> np.ndarray:
        """Probability codes of the logarithmic normaliser by address, saturated to the code of 1.0."""
        assert self.logarithms is not None
        return np.minimum(self.logarithms.antilogarithm, self.probability_maximum)

    @property
    def significand_width(self) -> int:
        """Bits of M, its leading one included."""
        return self.significand_fraction + 1

    @property
    def sum_loss(self) -> Fraction:
        """The largest part of a sum that the accumulator leaves out; see `bound`."""
        if self.absolute:
            return Fraction(0)
        return Fraction(self.max_length - 1, 1 << (self.reference_step if self.windows else self.accumulator_fraction))

    @property
    def window_width(self) -> int:
        """Bits of the sum of the terms of one window."""
        return self.reference_step + self.significand_fraction + ceil_log2(self.max_length)

    @property
    def coarse_width(self) -> int:
        """Bits of the coarse exponent E // reference_step (0 in the absolute form)."""
        return (self.tables.exponent_maximum // self.reference_step).bit_length()

    @property
    def divisor_width(self) -> int:
        """Bits of the normalised sum m, an integer in [2^D, 2^(D+1))."""
        return self.divisor_fraction + 1

    @property
    def sum_exponent_width(self) -> int:
        """Bits of n + s with 2^n <= sum < 2^(n+1), on the scale of E."""
        octaves = max(1, self.numerator_octaves)
        return (self.tables.exponent_maximum + octaves + ceil_log2(self.max_length)).bit_length()

    @property
    def quotient_width(self) -> int:
        """Bits of the quotient M/m in (1/2, 2): one integer bit, P + 1 fraction bits."""
        return self.probability_width + 2

    @property
    def significand_format(self) -> QFormat:
        """UQ1.B."""
        return QFormat(1, self.significand_fraction)

    @property
    def accumulator_format(self) -> QFormat:
        """Integer bits for reference_step octaves and max_length terms."""
        return QFormat(self.accumulator_width - self.accumulator_fraction, self.accumulator_fraction)

    @property
    def divisor_format(self) -> QFormat:
        """UQ1.D."""
        return QFormat(1, self.divisor_fraction)

    @property
    def quotient_format(self) -> QFormat:
        """UQ1.(P+1)."""
        return QFormat(1, self.probability_width + 1)


@lru_cache(maxsize=256)
def _numerics(
    score_width: int,
    score_scale: float,
    max_length: int,
    probability_width: int,
    probability_maximum: int,
    guard_bits: int,
    accumulator: str,
    normaliser: str,
    clip: tuple[int, int] | None,
    levels: int | None,
    exact_sum: bool,
    sink: int | None,
) -> Numerics:
    length_bits = ceil_log2(max_length)
    fraction = probability_width + guard_bits - 1
    logarithms = None
    if normaliser == "logarithm":
        logarithms = log_tables(score_width, score_scale, probability_width, guard_bits, levels)
    tables = exponential_tables(score_width, score_scale, fraction, logarithms.offset if logarithms else Fraction(0))
    if clip is not None:
        # The error was measured over all entries, so it also bounds the error of the entries that remain.
        tables, logarithms = tables.clipped(*clip), logarithms and logarithms.clipped(*clip)
    scaled = None
    if levels is not None and normaliser != "logarithm":
        scaled = numerators(tables, levels, probability_width)
    largest = max(tables.exponent_maximum, scaled.tables.exponent_maximum if scaled else 0)
    span = tables.exponent_maximum + 1
    absolute_width = fraction + span + length_bits
    absolute = accumulator == "absolute" or exact_sum or (accumulator == "auto" and absolute_width <= ACCUMULATOR_LIMIT)
    window = probability_width + guard_bits + length_bits
    if tables.low_width:
        # The window of a product's exponent is read from its bits; a table of terms holds it whatever its octaves.
        window = 1 << (window - 1).bit_length()
    window_sum = probability_width + guard_bits + window + length_bits
    # Behind a product, windows take more cells than a running reference and save little time.
    preferred = not absolute and not tables.low_width and window_sum <= ACCUMULATOR_LIMIT
    windows = accumulator == "two_windows" or (accumulator == "auto" and preferred)
    if absolute:
        if absolute_width > ACCUMULATOR_LIMIT:
            raise UserError(
                f"accumulator = 'absolute': scores that span {span} octaves need {absolute_width} bits, at most "
                f"{ACCUMULATOR_LIMIT} are available; accumulator = 'auto' would do"
            )
        step, accumulator_fraction, width = span, fraction, absolute_width
    elif windows:
        if window_sum > ACCUMULATOR_LIMIT:
            raise UserError(
                f"accumulator = 'two_windows': windows of {window} octaves need {window_sum} bits, at most "
                f"{ACCUMULATOR_LIMIT} are available; accumulator = 'auto' would do"
            )
        step, accumulator_fraction, width = window, probability_width + guard_bits, window_sum
    else:
        accumulator_fraction = probability_width + length_bits + guard_bits
        for step in (16, 8, 4, 2, 1):
            width = accumulator_fraction + step + length_bits
            if width <= ACCUMULATOR_LIMIT:
                break
        else:
            fewer = guard_bits - (width - ACCUMULATOR_LIMIT)
            raise UserError(
                f"probability_width = {probability_width}, guard_bits = {guard_bits}, max_length = {max_length}: the "
                f"accumulator would need {width} bits, at most {ACCUMULATOR_LIMIT} are available; guard_bits = {fewer} would do"
            )
    precise = probability_width + guard_bits + exact_sum
    chords = normaliser == "reciprocal" and precise in CHORDS
    return Numerics(
        tables=tables,
        probability_width=probability_width,
        probability_maximum=probability_maximum,
        max_length=max_length,
        significand_fraction=fraction,
        exponent_width=max(1, largest.bit_length()),
        absolute=absolute,
        windows=windows,
        reference_step=step,
        accumulator_fraction=accumulator_fraction,
        accumulator_width=width,
        divisor_fraction=precise,
        reciprocal_width=precise if chords else precise + 1,
        reciprocals=reciprocal_tables(precise) if chords else None,
        logarithms=logarithms,
        numerators=scaled,
        sink_term=0 if sink is None else int(tables.all_positions[1][sink]) << int(tables.all_positions[0][sink]),
    )


def numerics(config: Config) -> Numerics:
    """The widths for a configuration, from its numeric keys alone.

    `two_pass.differences` holds the widths in two passes. Raises `UserError` for an accumulator wider than `ACCUMULATOR_LIMIT`;
    the text names a value that fits.
    """
    if config.exact_sum:
        try:
            return _numerics_of(config)
        except UserError:
            setting, alternative = ("sum = 'exact'", "sum = 'rounded'")
            if config.traits.cumulative:
                setting, alternative = ("mode = 'cdf'", "mode = 'softmax'")
            raise TooManyOctaves(config, setting, alternative) from None
    if config.traits.entropy:
        try:
            widths = _numerics_of(config)
        except UserError:
            widths = None
        # The sum of the products with the positions is as much wider as a position.
        if widths is None or not widths.absolute or widths.accumulator_width + config.score_width > ACCUMULATOR_LIMIT:
            raise TooManyOctaves(config, "mode = 'entropy'", "mode = 'log_sum_exp'")
        return widths
    if config.has_sink:
        try:
            return _numerics_of(config)
        except UserError:
            raise TooManyOctaves(config, f"sink = {config.sink!r}", "sink = 'none'") from None
    return _numerics_of(config)


def _exact_octaves(config: Config) -> int:
    """Octaves that the scores of an exact sum may span."""
    weight = config.score_width if config.traits.entropy else 0
    return ACCUMULATOR_LIMIT - weight - (config.probability_width + config.guard_width - 1) - ceil_log2(config.summands)


def exact_scale(config: Config) -> float:
    """The largest `score_scale` of two digits with which the sum of exponentials surely fits an exact accumulator."""
    return _two_digits(_exact_scale(config))


def _exact_scale(config: Config) -> float:
    # One octave less: a significand that is rounded up to 2 raises the exponent.
    return (_exact_octaves(config) - 1) * math.log(2) / ((1 << config.score_width) - 1) * config.temperature


def _two_digits(value: float) -> float:
    """A number rounded down to two digits."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / digit) * digit


class TooManyOctaves(UserError):
    """The refusal of scores whose exact sum of exponentials is wider than `ACCUMULATOR_LIMIT`: the range that fits."""

    def __init__(self, config: Config, setting: str, alternative: str, outer: Config | None = None) -> None:
        self._arguments = config, setting, alternative
        asked = config if outer is None else outer
        scale = _two_digits(_exact_scale(config) * (asked.score_scale / config.score_scale))
        super().__init__(
            f"{asked.scale_text} with {setting}: the exact sum of exponentials has room for scores that span "
            f"{_exact_octaves(config)} octaves, in {ACCUMULATOR_LIMIT} bits; score_scale = {scale:.2g} would do, or {alternative}"
        )

    def behind(self, config: Config) -> "TooManyOctaves":
        """The refusal in the keys of a configuration whose front stages give these scores, in steps of another size."""
        return TooManyOctaves(*self._arguments, config)

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker of `explore` sends it as its message alone."""
        return UserError, self.args


@contextmanager
def refusals_of(config: Config) -> Iterator[None]:
    """Names the scale of `config`, not that behind its front stages, where the sum of its inner head is refused."""
    try:
        yield
    except TooManyOctaves as refusal:
        raise refusal.behind(config) from None


def _numerics_of(config: Config) -> Numerics:
    return _numerics(
        config.score_width,
        config.effective_scale,
        config.summands,
        config.probability_width,
        config.probability_maximum,
        config.guard_width,
        "absolute" if config.has_sink else config.accumulator,
        # All other normalisers have the same numbers, so they share one cache entry.
        config.division if config.division in ("logarithm", "reciprocal") else "",
        config.clip_positions if config.clips else None,
        config.levels if config.traits.normalised and config.rescales else None,
        config.exact_sum,
        int(config.position(config.sink_code)) if config.sink == "fixed" else None,
    )
