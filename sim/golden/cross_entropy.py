"""Golden model of `hw/cross_entropy.py`: the labelled element's log-softmax, negated."""

import numpy as np

from softstream.hw.log_numerics import LogNumerics

from .log_softmax import magnitude, vector_logarithm

__all__ = ["cross_entropy"]


def cross_entropy(
    numbers: LogNumerics, positions: np.ndarray, valid: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(loss codes [V], unlabelled [V]) of positions [V, N] where valid, and labels [V] from 0 on.

    A label that is none of its vector's elements is flagged, and its loss is the largest code.
    """
    inside = labels < valid.sum(axis=1)
    kept = np.where(inside, labels, 0)
    labelled = np.take_along_axis(positions, kept[:, None], axis=1)[:, 0]
    losses = magnitude(numbers, vector_logarithm(numbers, positions, valid), labelled)
    return np.where(inside, losses, numbers.limit), ~inside
