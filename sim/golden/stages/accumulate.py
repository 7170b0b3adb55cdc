"""Golden model of `hw/stages/accumulate.py`: the sum of each vector's exponentials."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.sink import sink_positions
from softstream.hw.numbers.softmax import Numerics
from softstream.sim.golden.stages.exponential import exponential
from softstream.sim.golden.stages.frame import Block

__all__ = ["accumulate", "sum_of_exponentials", "with_sinks"]


def sum_of_exponentials(widths: Numerics, positions: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(reference H [V], sum [V]) of the exponentials of positions [V, N], as `accumulate` has them.

    An exact sum does not depend on the order of its terms. So each term is looked up whole, and a vector with more elements than
    positions exist is a histogram times the terms.
    """
    if not widths.absolute:
        return accumulate(widths, *exponential(widths, positions), valid)
    exponent, significand = widths.tables.all_positions
    terms, vectors, complete = significand << exponent, len(positions), valid.all()
    if positions.shape[1] > len(terms):
        cells = positions + np.arange(vectors)[:, None] * len(terms)
        counts = np.bincount(cells.ravel() if complete else cells[valid], minlength=vectors * len(terms))
        total = counts.reshape(vectors, len(terms)) @ terms
    else:
        total = (terms.take(positions) if complete else terms.take(positions) * valid).sum(axis=1)
    return np.zeros(vectors, dtype=np.int64), total + widths.sink_term


def with_sinks(config: Config, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """(positions, which of them take part) of the terms of a sum, [V, N]; where vectors bring a sink, with it, [V, N + 1]."""
    positions, valid = block.positions, block.taking_part
    if not config.sink_per_vector:
        return positions, valid
    sinks = sink_positions(config, block.sideband["sinks"])[:, None]
    return np.concatenate([positions, sinks], axis=1), np.concatenate([valid, np.ones_like(sinks, dtype=bool)], axis=1)


def accumulate(
    widths: Numerics, exponent: np.ndarray, significand: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(reference H [V], sum [V]): Σ 2^E·M = sum · 2^(c·H − A), over the valid elements in order; c = reference_step.

    Absolute: H = 0 and the sum is exact, from the term of the sink on. Otherwise H is the largest E // c so far, a term is
    M·2^(E mod c), truncated to A fraction bits below c·H, and when H grows the sum so far is shifted right by as much and
    truncated. The sum of the terms between two growths of H does not depend on their order, so they are added at once.
    Two windows: see `_two_windows`.
    """
    if widths.absolute:
        terms = (significand << exponent) * valid
        return np.zeros(len(exponent), dtype=np.int64), terms.sum(axis=1) + widths.sink_term
    if widths.windows:
        return _two_windows(widths, exponent, significand, valid)
    step, fraction = widths.reference_step, widths.accumulator_fraction
    # The step is a power of two, and shifts and masks are several times quicker than // and %.
    coarse = (exponent >> (step.bit_length() - 1)) * valid
    running = np.maximum.accumulate(coarse, axis=1)
    terms = significand << ((exponent & (step - 1)) + (fraction - widths.significand_fraction))
    terms >>= np.minimum(step * (running - coarse), 63)
    upto = np.cumsum(terms * valid, axis=1)
    # One round per growth of the reference: the terms under it are added, then the sum is shifted to the next.
    rows, last = np.arange(len(running)), running.shape[1] - 1
    reference, total, before = running[:, 0], np.zeros(len(running), dtype=np.int64), 0
    while True:
        end = np.count_nonzero(running <= reference[:, None], axis=1)
        total += upto[rows, end - 1] - before
        before = upto[rows, end - 1]
        if (end > last).all():
            return reference, total
        larger = running[rows, np.minimum(end, last)]
        total >>= np.minimum(step * (larger - reference), 63)
        reference = larger


def _two_windows(
    widths: Numerics, exponent: np.ndarray, significand: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(c [V], sum [V]) in two windows of W octaves; c is the highest window E // W of the vector, A the sum's fraction bits.

    `high` sums the terms M·2^(E mod W) of window c. `low` sums those of window c − 1 in steps of 2^B: the sum of all terms
    before the first of window c, truncated once, and each later term, truncated. sum = high·2^(A−B) + floor(low / 2^(W−A)).
    """
    octaves, fraction = widths.reference_step, widths.significand_fraction
    window = exponent // octaves * valid
    terms = (significand << (exponent - octaves * window)) * valid
    highest = window.max(axis=1)
    at_top, below = window == highest[:, None], window == highest[:, None] - 1
    earlier = np.arange(window.shape[1]) < at_top.argmax(axis=1)[:, None]
    high = (terms * at_top).sum(axis=1)
    low = (terms * (below & earlier)).sum(axis=1) >> fraction
    low += ((terms >> fraction) * (below & ~earlier)).sum(axis=1)
    cut = widths.accumulator_fraction
    return highest, (high << (cut - fraction)) + (low >> (octaves - cut))
