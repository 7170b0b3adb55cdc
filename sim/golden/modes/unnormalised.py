"""Golden model of `hw/modes/unnormalised.py`: the exponential of each score relative to a constant, and their sum."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.unnormalised import ExponentialCodes, exponential_codes
from softstream.sim.golden.modes.argmax import argmax
from softstream.sim.golden.normalisers.round import distance, round_quotient
from softstream.sim.golden.stages.exponential import exponential
from softstream.sim.golden.stages.frame import Block

__all__ = ["emit", "exponentials", "quotient"]


def quotient(codes: ExponentialCodes, significand: np.ndarray) -> np.ndarray:
    """M in UQ1.(P+1), cut."""
    widths = codes.widths
    return (significand << 1) >> (widths.significand_fraction - widths.probability_width)


def emit(codes: ExponentialCodes, position: np.ndarray) -> np.ndarray:
    """min(1, exp(s·(x − c))) as codes."""
    if codes.codes is not None:
        return codes.codes[position]
    exponent, significand = exponential(codes.widths, np.minimum(position, codes.reference))
    shift = distance(np.array(codes.octaves), exponent)
    return round_quotient(codes.widths, quotient(codes, significand), shift)


def exponentials(config: Config, block: Block) -> dict[str, np.ndarray]:
    """The winner, the code of each element, [V, N], 0 beyond each length and where masked, and their exact sums, [V]."""
    emitted = np.where(block.taking_part, emit(exponential_codes(config), block.positions), 0)
    return {**argmax(config, block), "exponentials": emitted, "sums": emitted.sum(axis=1)}
