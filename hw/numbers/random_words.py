r"""The random words of a seed: two linear feedback shift registers, added modulo 2.

Both registers follow s[t + n] = s[t + k] + s[t] modulo 2, with (n, k) of `REGISTERS`. They advance by `WORD` bits for each
draw, and the word is the sum modulo 2 of their next `WORD` bits.

* *Period.* Both polynomials x^n + x^k + 1 are primitive, so the registers have the periods 2^63 − 1 and 2^65 − 1. Neither shares
  a factor with the other or with `WORD`. So the sequence of words repeats after (2^63 − 1)(2^65 − 1), about 2^128, words.
* *Distribution.* 128 successive bits are a one-to-one image of the registers. So over the period every value of three successive
  words occurs equally often, to one part in 2^62.

(R. C. Tausworthe, Math. Comp. 19, 1965; P. L'Ecuyer, Math. Comp. 65, 1996, for the sum of two registers, which hides the
three-term recurrence of each.) The words are not fit for secrets.
"""

import hashlib

__all__ = ["REGISTERS", "WORD", "initial_states", "next_states", "word_of"]

REGISTERS = ((63, 1), (65, 18))
"""(n, k) of the shift registers: x^n + x^k + 1 is primitive modulo 2."""

WORD = 40
"""Bits of a word, by which both registers advance: at most n − k, because each new bit is computed from old ones."""


def initial_states(seed: int) -> tuple[int, ...]:
    """The registers after reset, none of them 0; bit t of a register is s[t]. Seeds that are close give unrelated states."""
    states = []
    for number, (n, _) in enumerate(REGISTERS):
        digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
        states.append(1 + int.from_bytes(digest, "little") % ((1 << n) - 1))
    return tuple(states)


def word_of(states: tuple[int, ...]) -> int:
    """The word that the registers give in these states."""
    one, other = states
    return (one ^ other) & ((1 << WORD) - 1)


def next_states(states: tuple[int, ...]) -> tuple[int, ...]:
    """The states of the registers for the next word."""
    return tuple(
        state >> WORD | (((state >> k) ^ state) & ((1 << WORD) - 1)) << (n - WORD)
        for state, (n, k) in zip(states, REGISTERS, strict=True)
    )
