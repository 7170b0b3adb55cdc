"""A random share of a vector's sum: the threshold for its running sum."""

from typing import Any

from amaranth import C, Cat, Const, Module, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.numbers.inverse_cdf import CdfLaw
from softstream.hw.numbers.random_words import initial_states
from softstream.hw.plan.modes.inverse_cdf import CdfSchedule
from softstream.hw.stages.random_words import RandomWords
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["SumShare", "threshold_layout"]


def threshold_layout(law: CdfLaw, tag: ShapeLike) -> data.StructLayout:
    """The threshold of a vector, and the vector's tag."""
    return data.StructLayout({"threshold": law.widths.accumulator_width, "tag": tag})


class SumShare(wiring.Component):
    """threshold = floor((u + ½)·S / 2^U), u the lowest U bits of the vector's random word (see `numbers/inverse_cdf.py`).

    A bit of 1, the half, comes first, then u from its lowest bit on, and each step halves the sum so far:
    V' = floor((V + u_t·S) / 2), which drops the same bits as a cut of the whole product at the end. V is a carry-save pair
    s + c, which needs no carry chain: with a = u_t·S,

        s' = (s ⊕ c ⊕ a) >> 1      c' = majority(s, c, a)

    and the dropped bit is that of s alone, hence of the sum. At the end one addition joins s and c, by segments, each a
    cycle after the one below it. V < S throughout, so s, c and the threshold are no wider than S.

    Ports: `sum`, `ends`, the outputs of `Accumulate`; `tag`, along with the last segment; `o`, threshold and tag, which stay
    until the next vector's; no back-pressure. Latency `CdfSchedule.threshold` cycles from the last segment. Vectors must be
    as far apart, because a later one overwrites the registers. The generator steps once per vector; reset starts the
    sequence of `seed` again.
    """

    def __init__(self, law: CdfLaw, cycles: CdfSchedule, seed: int, tag: ShapeLike) -> None:
        self._law, self._seed = law, seed
        self.segments, self.latency = cycles.sums.segments, cycles.threshold
        self.steps, self.digit = cycles.steps, cycles.digit
        super().__init__(
            {
                "sum": In(law.widths.accumulator_width),
                "ends": In(len(self.segments)),
                "tag": In(tag),
                "o": Out(pulse(threshold_layout(law, tag))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        steps, digit, segments, width = self.steps, self.digit, self.segments, len(self.sum)
        loaded = self.ends[-1]
        m.submodules.random_words = random_words = RandomWords(initial_states(self._seed))
        m.d.comb += random_words.step.eq(loaded)

        # Remaining steps less one: negative in idle cycles.
        left = Signal(range(-1, steps), init=-1)
        done = Signal()
        whole, share = Signal(width, reset_less=True), Signal(steps * digit, reset_less=True)
        ones, carries = Signal(width, reset_less=True), Signal(width, reset_less=True)
        moved: tuple[Value, Value] = (ones, carries)
        for bit in range(digit):
            addend, (s, c) = whole & share[bit].replicate(width), moved
            moved = (s ^ c ^ addend)[1:], (s & c) | ((s ^ c) & addend)
        tag = Signal.like(Value.cast(self.tag), reset_less=True)
        m.d.sync += done.eq(left == 0)
        with m.If(loaded):
            # Zeros below the half make it and u a whole number of digits and add nothing.
            padding = len(share) - self._law.share_bits - 1
            m.d.sync += [
                left.eq(steps - 1),
                share.eq(Cat(C(0, padding), C(1, 1), random_words.word[: self._law.share_bits])),
                ones.eq(0),
                carries.eq(0),
                tag.eq(Value.cast(self.tag)),
            ]
        with m.Elif(~left[-1]):
            m.d.sync += [left.eq(left - 1), share.eq(share[digit:]), ones.eq(moved[0]), carries.eq(moved[1])]

        low = 0
        carry: Value = Const(0, 1)
        threshold = Signal(width, reset_less=True)
        for j, size in enumerate(segments):
            part = slice(low, low + size)
            with m.If(self.ends[j]):
                m.d.sync += whole[part].eq(self.sum[part])
            # The carry enters through one bit below the segment, so that every fabric builds a single carry chain.
            total = Signal(size + 2, name=f"total_{j}")
            m.d.comb += total.eq(Cat(C(1, 1), ones[part]) + Cat(carry, carries[part]))
            with m.If(delay(m, done, j, f"done_{j}", reset=True)):
                m.d.sync += threshold[part].eq(total[1:-1])
            carry = Signal(name=f"carry_{j}", reset_less=True)
            m.d.sync += carry.eq(total[-1])
            low += size
        m.d.comb += [
            self.o.valid.eq(delay(m, done, len(segments), "joined", reset=True)),
            self.o.payload.threshold.eq(threshold),
            Value.cast(self.o.payload.tag).eq(tag),
        ]
        publish(platform, self, left=left, done=done, whole=whole, ones=ones, carries=carries)
        return m
