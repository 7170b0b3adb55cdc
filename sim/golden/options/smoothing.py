"""Golden model of `hw/options/smoothing.py`: a kernel over guarded codes, with the constants of the edges from tables."""

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.smoothing import SmoothingTables, smoothing_tables
from softstream.sim.golden.stages.frame import Block

__all__ = ["smoothing"]


def divide(tables: SmoothingTables, dividend: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Σ_d T_d[D, digit d of the dividend]; `which` says which D."""
    total, start = np.zeros_like(dividend), 0
    for bits, entries in zip(tables.digits, tables.entries, strict=True):
        digit = dividend >> start & ((1 << bits) - 1)
        total += np.array(entries, dtype=np.int64)[(which << bits) + digit]
        start += bits
    return total


def weigh(tables: SmoothingTables, values: np.ndarray) -> np.ndarray:
    """Σ_k w_k·value_(i+k), values beyond each vector being 0; [V, N]."""
    radius, length = tables.radius, values.shape[1]
    padded = np.pad(values, ((0, 0), (radius, radius)))
    return sum((weight * padded[:, k : k + length] for k, weight in enumerate(tables.weights)), np.zeros_like(values))


def smoothing(config: Config, inner: Config, block: Block, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with their probability codes smoothed, 0 beyond each length."""
    tables, valid = smoothing_tables(config, inner), block.valid
    radius, index = tables.radius, np.arange(valid.shape[1])
    left = np.minimum(index, radius)[None]
    right = np.clip(block.lengths[:, None] - 1 - index, 0, radius)
    choice = np.zeros((radius + 1, radius + 1), dtype=np.int64)
    for pair, which in tables.choice.items():
        choice[pair] = which
    chosen, codes = choice[left, right], arrays["probabilities"]
    for _ in range(tables.passes):
        if tables.scatter:
            shares = np.where(valid, divide(tables, codes, chosen), 0)
            codes = (weigh(tables, shares) + (1 << (tables.fraction - 1))) >> tables.fraction
        else:
            codes = divide(tables, weigh(tables, codes), chosen) >> tables.fraction
        codes = np.where(valid, codes, 0)
    return {**arrays, "probabilities": codes}
