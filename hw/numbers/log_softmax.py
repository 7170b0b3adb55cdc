"""Widths, tables and error bound of log-softmax, cross-entropy and log-sum-exp, from the numeric keys."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.formats import QFormat, ceil_log2
from softstream.hw.numbers.bound import Bound, check_bound
from softstream.hw.numbers.natural_logarithm import LnTables, ln_tables, magnitude_format, signed_format
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.numbers.temperature import tempered

__all__ = ["LogNumerics", "log_bound", "log_numerics"]


@dataclass(frozen=True)
class LogNumerics:
    """Formats and tables of one configuration; P, its fraction bits, is `probability_width`."""

    widths: Numerics
    """Widths of the sum, which is the sum of softmax."""
    tables: LnTables
    format: QFormat
    """Format of the result: Qm.P of a log-softmax, UQm.P of a cross-entropy and of a log-sum-exp."""
    saturates: bool
    """Whether the format is narrower than the largest magnitude."""

    @property
    def limit(self) -> int:
        """The largest magnitude that the format holds; larger magnitudes saturate to it."""
        return max(-self.format.minimum, self.format.maximum)

    @property
    def logarithm_width(self) -> int:
        """Bits of L, the logarithm of the sum plus half an ulp."""
        return self.widths.sum_exponent_width + self.tables.working_fraction


@lru_cache(maxsize=256)
def log_numerics(config: Config, *, signed: bool) -> LogNumerics:
    """Numbers of a log-softmax (`signed`), or of a cross-entropy or log-sum-exp (not `signed`).

    With `integer_bits` = 0 the format holds every magnitude, up to scale·(2^W − 1) + ln(summands) nats, and the sign of a
    log-softmax; a log-sum-exp relative to the largest score is at most ln(max_length). With fewer integer bits results saturate;
    more would never be used. With temperatures at run time the numbers
    are those of the scores behind the multiplication by the temperature.

    Raises `UserError` as `numerics` does, and for more integer bits than a result can use.
    """
    if config.temperature_bits:
        return log_numerics(tempered(config), signed=signed)
    widths = numerics(config)
    keys = (config.score_width, config.effective_scale)
    octaves = widths.tables.exponent_maximum + ceil_log2(config.summands) + 1
    tables = ln_tables(*keys, octaves, config.probability_width, config.guard_width)
    distance = 0 if config.traits.relative_sum else config.score_width  # bits of the distance from the largest score
    widest = (signed_format if signed else magnitude_format)(
        distance, config.effective_scale, config.summands, config.probability_width
    )
    if config.integer_bits > widest.integer_bits:
        raise UserError(
            f"integer_bits = {config.integer_bits}: must be from 0 to {widest.integer_bits}, with which nothing overflows; "
            f"{widest.integer_bits} would do"
        )
    result_format = QFormat(config.integer_bits or widest.integer_bits, widest.fraction_bits, signed)
    numbers = LogNumerics(widths, tables, result_format, result_format != widest)
    # The integer part of L fits into the bits of n, because ln 2 < 1.
    assert int(tables.octave[-1] + tables.logarithm.max()) + 4 < 1 << numbers.logarithm_width
    return numbers


def log_bound(config: Config) -> Bound:
    """The bound on |code − a·2^P| in ulp, before saturation, of log-softmax, cross-entropy and log-sum-exp.

    `natural_logarithm` derives it. No error cancels in these modes: the relative error of the sum becomes the absolute error of
    the result. Raises `UserError` for a bound above 1 ulp; the text states a change of keys that brings it to 1 ulp or less.
    """
    limits = _log_bound(config)
    check_bound(config, limits, _log_bound)
    return limits


@lru_cache(maxsize=256)
def _log_bound(config: Config) -> Bound:
    numbers = log_numerics(config, signed=True)
    widths, tables = numbers.widths, numbers.tables
    epsilon, truncation, one = widths.tables.error, widths.sum_loss, Fraction(1)
    # The share of a step is its increase of the bound, so the shares sum to the total.
    ideal = tables.error(one, one)
    with_exponential = tables.error(1 - epsilon, 1 + epsilon)
    total = tables.error((1 - truncation) * (1 - epsilon), 1 + epsilon)
    half = Fraction(1, 2)
    return Bound(
        exponential=with_exponential - ideal,
        accumulator=total - with_exponential,
        normaliser=ideal - half,
        rounding=half,
        total=total,
        saturation=Fraction(0),
    )
