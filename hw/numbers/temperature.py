"""Temperatures at run time: the code in the sideband of a vector, its meaning, and the configuration behind the product.

u, of U = `temperature_bits`, is the inverse temperature: 1/T = u·2^−F, F = `temperature_fraction`, so that

    softmax(x / T)_i = softmax(s·2^−F·(position·u))_i,   position = score code − smallest code, s nats a step,

and position = largest code − score code with `select = smallest`, for softmax(−x / T).

position·u is an integer of W + U bits and is not rounded. So it is the score of a configuration with scores that wide and steps
2^F times as fine. The bound of that configuration holds for every vector of its scores, and so for every u. u = 0 is T = ∞,
where all scores are equal: 1/N each. T = 0 has no code. Its limit is the argmax, which is an output in any case and comes from
the raw scores.
"""

from typing import Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError

__all__ = ["range_text", "temperature_codes", "tempered", "untempered"]


_NO_SIDEBAND: dict[str, Any] = {"temperature_bits": 0, "temperature_fraction": Config.temperature_fraction}
"""Changes that switch the option off. They go with the changes of the scores: the steps before the product may be too coarse."""


def tempered(config: Config) -> Config:
    """The configuration behind the product."""
    return config.widened(
        **_NO_SIDEBAND,
        # A product is a position times u, so the largest one wins in either case.
        select="largest",
        # The winner is that of the scores before the product.
        confidence="none",
        score_width=config.score_width + config.temperature_bits,
        score_signed=False,
        score_scale=config.score_scale * 2.0**-config.temperature_fraction,
    )


def untempered(config: Config) -> Config | None:
    """The argmax head before the product, in modes with a winner, because all products are equal where u is 0."""
    if not config.traits.names_winner:
        return None
    return config.replace(**_NO_SIDEBAND, mode="argmax", accumulator="auto")


def _least(config: Config) -> float:
    """The lowest temperature that has a code."""
    return 2.0**config.temperature_fraction / ((1 << config.temperature_bits) - 1)


def range_text(config: Config) -> str:
    """Range and step of T, in words."""
    return (
        f"1/T in steps of 2^−{config.temperature_fraction}, T from {_least(config):.3g} to {1 << config.temperature_fraction}, "
        "and infinite"
    )


def temperature_codes(config: Config, temperatures: np.ndarray) -> np.ndarray:
    """Codes of temperatures, float64 [V] to int64 [V]: 1/T rounded to the nearest step, halves to even; 0 for infinite ones.

    Raises `UserError` for a temperature that is no number above 0 or too low for the codes, with a value that would do.
    """
    values = np.asarray(temperatures, dtype=np.float64)
    least = _least(config)
    outside = np.flatnonzero(~(values > 0))
    if len(outside):
        raise UserError(
            f"temperatures[{outside[0]}] = {values[outside[0]]:g}: must be above 0; for example {max(1.0, least):g}; "
            "mode = 'argmax' is the limit at 0"
        )
    codes = np.rint(2.0**config.temperature_fraction / values)
    outside = np.flatnonzero(codes >= 1 << config.temperature_bits)
    if len(outside):
        raise UserError(
            f"temperatures[{outside[0]}] = {values[outside[0]]:g}: the lowest of temperature_bits = {config.temperature_bits}, "
            f"temperature_fraction = {config.temperature_fraction} is {least:.4g}; a smaller temperature_fraction reaches lower, "
            "mode = 'argmax' is the limit at 0"
        )
    return codes.astype(np.int64)
