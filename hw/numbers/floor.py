r"""The numbers of the probability floor: no class gets less than f, and the sum stays what it was.

    p' = f + (1 − f·N)·p,    N the vector's own length

On guarded codes, units of 2^−P': f is the code F = round(f·2^P'), and all that follows is meant of F·2^−P', the floor in
use. c = 2^P' − F·N is exact, N times at most F·max_length < 2^P', so

    out = F + floor(c·p·2^−P' + 1/2)

is off by half a guarded unit and by (1 − f·N) <= 1 − f of what p is off. As out >= F and the last rounding is monotonic, no
code is less than that of the floor itself. Σ p' = f·N + (1 − f·N)·Σ p = 1 where Σ p = 1.
"""

from fractions import Fraction

from softstream.hw.config.config import Config

__all__ = ["floor_code", "floor_error", "floor_warning"]


def floor_code(config: Config, inner: Config) -> int:
    """F, in units of the inner configuration's codes."""
    assert inner.probability_width == config.probability_width + config.guarded_bits
    return config.floor_code


def floor_error(config: Config, inner: Config, error: Fraction) -> Fraction:
    """The error behind, absolute, where it is at most `error` before."""
    one = 1 << inner.probability_width
    return (1 - Fraction(floor_code(config, inner), one)) * error + Fraction(1, 2 * one)


def floor_warning(config: Config, inner: Config) -> str | None:
    """What to say of a floor that is rounded away."""
    code, extra = floor_code(config, inner), inner.probability_width - config.probability_width
    if code + (1 << (extra - 1)) >> extra:
        return None
    return (
        f"probability_floor = {config.probability_floor} is less than half an ulp: probabilities may still round to 0; "
        f"probability_floor = {2.0**-config.probability_width:.3g} would be 1 ulp"
    )
