"""Golden model of `hw/accumulate.py`: the sum of each vector's exponentials."""

import numpy as np

from softstream.hw.numerics import Numerics

__all__ = ["accumulate"]

_NEVER = np.iinfo(np.int64).max


def accumulate(
    widths: Numerics, exponent: np.ndarray, significand: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(reference H [V], sum [V]): Σ 2^E·M = sum · 2^(c·H − A), over the valid elements in order; c = reference_step.

    Absolute: H = 0 and the sum is exact. Otherwise H is the largest E // c so far, a term is M·2^(E mod c), truncated to
    A fraction bits below c·H, and when H grows the sum so far is shifted right by as much and truncated. Terms between
    two growths of H do not depend on their order, so they are added in one go.
    """
    if widths.absolute:
        terms = (significand << exponent) * valid
        return np.zeros(len(exponent), dtype=np.int64), terms.sum(axis=1)
    step, fraction = widths.reference_step, widths.accumulator_fraction
    coarse = np.where(valid, exponent // step, 0)
    terms = np.where(valid, significand << (exponent % step) << (fraction - widths.significand_fraction), 0)
    running = np.maximum.accumulate(coarse, axis=1)
    terms >>= np.minimum(step * (running - coarse), 63)
    # One round per growth of the reference: the sum so far is shifted, then the terms under that reference are added.
    reference, total = running[:, 0].copy(), np.zeros(len(exponent), dtype=np.int64)
    grows = np.ones(len(exponent), dtype=bool)
    while grows.any():
        total += np.where((running == reference[:, None]) & grows[:, None], terms, 0).sum(axis=1)
        larger = np.where(running > reference[:, None], running, _NEVER).min(axis=1)
        grows = larger != _NEVER
        total >>= np.where(grows, np.minimum(step * (larger - reference), 63), 0)
        reference = np.where(grows, larger, reference)
    return reference, total
