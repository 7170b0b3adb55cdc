"""Golden model of `hw/generator.py`: the words of a seed."""

import numpy as np

from softstream.hw.sampling import REGISTERS, WORD, initial_states

__all__ = ["words"]

_BLOCK_WORDS = 1 << 16


def words(seed: int, count: int) -> np.ndarray:
    """The first `count` words after reset, int64 [count]."""
    states = [np.array([state >> bit & 1 for bit in range(n)], dtype=np.uint8)
              for (n, _), state in zip(REGISTERS, initial_states(seed), strict=True)]  # fmt: skip
    found = np.zeros(count, dtype="<i8")
    for start in range(0, count, _BLOCK_WORDS):
        block = found[start : start + _BLOCK_WORDS]
        sequences = [
            _sequence(n, k, state, WORD * len(block) + n) for (n, k), state in zip(REGISTERS, states, strict=True)
        ]
        states = [sequence[WORD * len(block) :] for sequence in sequences]
        bits = np.bitwise_xor(*(sequence[: WORD * len(block)] for sequence in sequences)).reshape(len(block), WORD)
        block.view(np.uint8).reshape(len(block), 8)[:, : WORD // 8] = np.packbits(bits, axis=1, bitorder="little")
    return found.astype(np.int64)


def _sequence(n: int, k: int, state: np.ndarray, count: int) -> np.ndarray:
    """Bits s[0] … s[count − 1] of s[t + n] = s[t + k] + s[t], the first n given.

    Squared modulo 2, the recurrence holds with twice n and twice k: the more there is, the more comes at once.
    """
    found = np.empty(max(count, n), dtype=np.uint8)
    found[:n] = state
    filled, times = n, 1
    while filled < count:
        while 2 * times * n <= filled:
            times *= 2
        size = min((n - k) * times, count - filled)
        one, other = filled - n * times, filled - (n - k) * times
        found[filled : filled + size] = found[one : one + size] ^ found[other : other + size]
        filled += size
    return found[:count]
