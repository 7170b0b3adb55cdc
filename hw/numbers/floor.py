r"""The probability floor: no class has less than f, and the sum does not change.

    p' = f + (1 − f·N)·p,    N the vector's own length

In units of guarded codes, 2^−P', f is the code F = round(f·2^P'); from here on the floor is F·2^−P'. c = 2^P' − F·N is exact and
above 0, because F·N <= F·max_length < 2^P'. Then

    out = F + floor(c·p·2^−P' + 1/2)

has an error of half a guarded unit plus (1 − f·N) <= 1 − f times the error of p. As out >= F and the last rounding is
monotonic, no code is less than that of the floor itself. Σ p' = f·N + (1 − f·N)·Σ p = 1 where Σ p = 1.
"""

from fractions import Fraction

from softstream.hw.config.config import Config

__all__ = ["floor_code", "floor_error", "floor_warning"]


def floor_code(config: Config, inner: Config) -> int:
    """F, in units of the inner configuration's codes."""
    assert inner.probability_width == config.probability_width + config.guarded_bits
    return config.floor_code


def floor_error(config: Config, inner: Config, error: Fraction) -> Fraction:
    """Absolute error behind the floor for an error of at most `error` before it."""
    one = 1 << inner.probability_width
    return (1 - Fraction(floor_code(config, inner), one)) * error + Fraction(1, 2 * one)


def floor_warning(config: Config, inner: Config) -> str | None:
    """The warning about a floor that rounding removes; None for others."""
    code, extra = floor_code(config, inner), inner.probability_width - config.probability_width
    if code + (1 << (extra - 1)) >> extra:
        return None
    return (
        f"probability_floor = {config.probability_floor} is less than half an ulp: probabilities may still round to 0; "
        f"probability_floor = {2.0**-config.probability_width:.3g} would be 1 ulp"
    )
