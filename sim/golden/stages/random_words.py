"""Golden model of `hw/stages/random_words.py`: the words of a seed."""

import numpy as np

from softstream.hw.numbers.random_words import REGISTERS, WORD, initial_states

__all__ = ["words"]

_BLOCK_WORDS = 1 << 16
_BYTES = WORD // 8
assert WORD % 8 == 0


def words(seed: int, count: int, start: int = 0) -> np.ndarray:
    """Words `start`, `start` + 1, … after reset, int64 [count]."""
    # Squared three times, the recurrence of the bits is that of the bytes, with the same n and k. So n bytes are the state, and
    # a step adds bytes.
    states = [
        np.packbits(_sequence(n, k, _state(n, k, state, WORD * start), 8 * n), bitorder="little")
        for (n, k), state in zip(REGISTERS, initial_states(seed), strict=True)
    ]
    drawn = np.zeros(count, dtype="<i8")
    for first in range(0, count, _BLOCK_WORDS):
        block = drawn[first : first + _BLOCK_WORDS]
        sequences = [
            _sequence(n, k, state, _BYTES * len(block) + n) for (n, k), state in zip(REGISTERS, states, strict=True)
        ]
        states = [sequence[_BYTES * len(block) :] for sequence in sequences]
        combined = np.bitwise_xor(*(sequence[: _BYTES * len(block)] for sequence in sequences))
        block.view(np.uint8).reshape(len(block), 8)[:, :_BYTES] = combined.reshape(len(block), _BYTES)
    return drawn.astype(np.int64)


def _state(n: int, k: int, state: int, steps: int) -> np.ndarray:
    """Bits s[steps] … s[steps + n − 1], where those of `state` are s[0] … s[n − 1].

    Modulo x^n + x^k + 1, x^steps is a sum of x^j with j < n; s[steps + i] is the sum of the same s[j + i].
    """
    power, square = 1, 2
    while steps:
        if steps & 1:
            power = _product(n, k, power, square)
        square, steps = _product(n, k, square, square), steps >> 1
    bits = _sequence(n, k, np.array([state >> bit & 1 for bit in range(n)], dtype=np.uint8), 2 * n)
    chosen = [j for j in range(n) if power >> j & 1]
    return np.bitwise_xor.reduce([bits[j : j + n] for j in chosen])


def _product(n: int, k: int, one: int, other: int) -> int:
    """Of two polynomials modulo 2 and x^n + x^k + 1, a bit for each coefficient."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one, other = one << 1, other >> 1
        if one >> n:
            one ^= 1 << n | 1 << k | 1
    return product


def _sequence(n: int, k: int, state: np.ndarray, count: int) -> np.ndarray:
    """Bits s[0] … s[count − 1] of s[t + n] = s[t + k] + s[t]; `state` holds the first n. Or bytes, with an addition per bit.

    Squared modulo 2, the recurrence holds with twice n and twice k. So the longer the known part is, the more bits one step adds.
    """
    items = np.empty(max(count, n), dtype=np.uint8)
    items[:n] = state
    filled, times = n, 1
    while filled < count:
        while 2 * times * n <= filled:
            times *= 2
        size = min((n - k) * times, count - filled)
        one, other = filled - n * times, filled - (n - k) * times
        np.bitwise_xor(items[one : one + size], items[other : other + size], out=items[filled : filled + size])
        filled += size
    return items[:count]
