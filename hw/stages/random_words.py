"""Random words from two linear feedback shift registers, one word for each element or vector."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.numbers.random_words import REGISTERS, WORD

__all__ = ["RandomWords"]


class RandomWords(wiring.Component):
    """word = the next `WORD` bits of both registers, added modulo 2 (see `numbers/random_words.py`).

    Ports: `word`; `step`, which consumes the word, so that the next one follows in the next cycle. One word per cycle. Reset
    starts the sequence again.
    """

    step: In(1)
    word: Out(WORD)

    def __init__(self, states: tuple[int, ...]) -> None:
        """`states`: those of the registers at reset, `initial_states(seed)` for the first word of a seed."""
        self._states = states
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = []
        for (n, k), init in zip(REGISTERS, self._states, strict=True):
            register = Signal(n, name=f"register_{n}", init=init)
            with m.If(self.step):
                m.d.sync += register.eq(Cat(register[WORD:], register[k : k + WORD] ^ register[:WORD]))
            bits.append(register[:WORD])
        m.d.comb += self.word.eq(bits[0] ^ bits[1])
        return m
