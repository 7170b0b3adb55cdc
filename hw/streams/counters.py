"""Counters made of shift registers: no carry chain, for uses in which only the order of the states matters."""

from collections.abc import Iterator
from functools import cache, reduce
from itertools import islice
from operator import xor

from amaranth import Cat, Value

__all__ = ["TAPS", "following", "following_of_all", "shifted", "states"]

TAPS = {
    1: (0,), 2: (1, 0), 3: (2, 1), 4: (3, 2), 5: (4, 2), 6: (5, 4), 7: (6, 5), 8: (7, 5, 4, 3), 9: (8, 4), 10: (9, 6),
    11: (10, 8), 12: (11, 5, 3, 0), 13: (12, 3, 2, 0), 14: (13, 4, 2, 0), 15: (14, 13), 16: (15, 14, 12, 3),
    17: (16, 13), 18: (17, 10), 19: (18, 5, 1, 0), 20: (19, 16),
}  # fmt: skip
"""Width → feedback taps of a linear feedback shift register of maximal length: it visits every state but 0."""


@cache
def shifted(width: int, steps: int) -> int:
    """The state of the shift register that many steps after state 1."""
    return next(islice(states(width), steps, None))


def states(width: int) -> Iterator[int]:
    """The states of the shift register in turn, from state 1 on."""
    state = 1
    while True:
        yield state
        state = (state << 1 | reduce(xor, (state >> bit & 1 for bit in TAPS[width]))) & ((1 << width) - 1)


def following(state: Value) -> Value:
    """The state after `state`, in hardware: a single gate and wires. State 0 never leaves 0."""
    return Cat(reduce(xor, (state[bit] for bit in TAPS[len(state)])), state[:-1])


def following_of_all(state: Value) -> Value:
    """The state after `state` in a cycle of all 2^width states: 0 stands between 10…0 and 0…01.

    For a few bits this is still a single gate.
    """
    after = following(state)
    return Cat(after[0] ^ ~state[:-1].any(), after[1:])
