"""The smallest head: one vector after the other, in three passes over one memory, with one table.

                        ┌────────────────────────────── best, index ─────────► winner
    scores ─► memory ─► best − score ─► table ─┬─► sum ──┐
                                               └────► division, one bit a cycle ─► probabilities

1. The scores come in, and their maximum and its index are found.
2. They are read from the last to the first, and the exponentials of their differences from the maximum are summed.
3. They are read from the first to the last, and each exponential is divided by the sum.

Nothing is stored twice, and no pass overlaps another: the widths and the error are those of `differences`.
"""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import memory

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.two_pass import differences
from softstream.hw.plan.schedule import two_pass_schedule
from softstream.hw.streams.registers import UNCHECKED, delay, table

__all__ = ["TwoPass"]


class TwoPass(HeadInterface):
    """probability = min(floor(2^P·(e >> c)/(S >> c) + 1/2), code of 1.0), S = Σe, e from the table of `differences`.

    A masked element takes no part: its exponential counts as 0, and so does its probability.

    The division is the non-restoring one of `division`. Its first step, which always subtracts, is the cycle in which the
    exponential is loaded; the last remainder's sign, known in that cycle for the element before, rounds.

    Ports: `i`, stream of scores; `o`, stream of probabilities; `o_best`, stream of winners, one per vector, that waits for no
    probability. `i.ready` comes from a register: it is set once all of the vector before has been taken. What follows the
    max_length-th element of an overlong vector is taken and dropped then. Latency and interval are those of
    `two_pass_schedule`.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._widths = differences(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cycles = self._config, two_pass_schedule(self._config)
        score = self.i.payload.score
        # Subtracting the smallest code of a two's complement format flips its sign bit.
        position = Cat(score[:-1], score[-1] ^ config.score_signed)
        contender: Value = position
        if config.mask:
            # What is masked never exceeds what is not; below, it counts as nothing.
            mask = self.i.payload.mask
            contender = Cat(position & ~mask.replicate(len(position)), ~mask)

        # What the head does now; in none of the three it waits until all has been taken.
        taking, summing, dividing = Signal(), Signal(), Signal()
        clear, load, dropping = Signal(), Signal(), Signal()
        # One bit more than an index: the sign, which tells that a pass is over.
        address = Signal(signed(config.index_width + 1), reset_less=True)
        # Elements that are left in the third pass, less one.
        left = Signal(signed(config.index_width + 1), reset_less=True)
        best = Signal(config.contender_width, reset_less=True)
        index = Signal(config.index_width, reset_less=True)

        # First pass.
        at_limit = address == config.max_length - 1
        taken = self.i.valid & taking
        kept = taken & ~dropping
        ends = kept & (self.i.payload.last | at_limit)
        m.d.comb += self.i.ready.eq(taking)
        with m.If(taken):
            m.d.sync += dropping.eq(~self.i.payload.last & (dropping | at_limit))
        # The carry of position − best − 1: a comparison would be made of the same carries and a test for equality.
        larger = (contender + ~best)[-1]
        with m.If(kept & larger):
            m.d.sync += [best.eq(contender), index.eq(address)]
        top = best[: config.score_width]
        m.d.sync += self.o_best.valid.eq(ends | (self.o_best.valid & ~self.o_best.ready))
        m.d.comb += [
            self.o_best.payload.index.eq(index),
            self.o_best.payload.score.eq(Cat(top[:-1], top[-1] ^ config.score_signed)),
            self.o_best.payload.overlong.eq(dropping),
        ]
        if config.mask:
            m.d.comb += self.o_best.payload.all_masked.eq(~best[-1])

        m.submodules.scores = scores = memory.Memory(
            shape=unsigned(config.contender_width), depth=config.max_length, init=[], attrs=UNCHECKED
        )
        write, read = scores.write_port(), scores.read_port()
        m.d.comb += [
            write.addr.eq(address),
            write.data.eq(contender),
            write.en.eq(kept),
            read.addr.eq(address),
        ]
        # best − score is ~(score + ~best): the table is turned round instead, and ~best is what the comparison takes as well.
        turned = Signal(config.score_width, reset_less=True)
        m.d.sync += turned.eq(read.data[: config.score_width] + ~top)
        exponential: Value = table(m, "exponentials", self._widths.fraction, self._widths.entries[::-1], turned, 1)
        if config.mask:
            exponential = Mux(delay(m, read.data[-1], 2, "counts"), exponential, 0)

        # Second pass.
        found = summing & address[-1]
        reading = summing & ~address[-1]
        adding = delay(m, reading, cycles.lookup, "adding", reset=True)
        total = Signal(self._widths.sum_width, reset_less=True)
        with m.If(adding):
            m.d.sync += total.eq(total + exponential)
        with m.If((kept & ~ends) | reading | load):
            m.d.sync += address.eq(address + Mux(summing, C(-1, 2), C(1, 2)))
        with m.If(reading | load):
            m.d.sync += left.eq(left + Mux(summing, C(1, 2), C(-1, 2)))
        with m.If(found):
            m.d.sync += address.eq(0)

        # Third pass.
        done = load & left[-1]
        m.d.comb += clear.eq(~(taking | summing | dividing | self.o.valid | self.o_best.valid))
        with m.If(clear):
            m.d.sync += [best.eq(0), index.eq(0), address.eq(0), left.eq(-1), total.eq(0)]
        m.d.sync += [
            taking.eq(clear | (taking & ~ends)),
            summing.eq(ends | reading),
            dividing.eq(found | (dividing & ~done)),
        ]
        last = Signal(reset_less=True)
        pending = Signal(reset_less=True)
        moves = ~self.o.valid | self.o.ready
        m.d.sync += self.o.valid.eq((load & pending) | (self.o.valid & ~self.o.ready))
        with m.If(load):
            m.d.sync += [last.eq(left[-1]), pending.eq(1)]
        with m.If(summing):
            m.d.sync += pending.eq(0)
        quotient = self._division(m, exponential, total, moves, dividing, load)
        m.d.comb += [
            # Where all is masked the sum is 0, and no quotient of any use.
            self.o.payload.probability.eq(Mux(best[-1], quotient, 0) if config.mask else quotient),
            self.o.payload.last.eq(last),
            self.o.payload.overlong.eq(dropping),
        ]
        return m

    def _division(
        self, m: Module, exponential: Value, total: Value, moves: Value, dividing: Value, load: Signal
    ) -> Value:
        """The quotient's register, which is the output in the cycle after `load`, a register that is set here."""
        config, widths, cycles = self._config, self._widths, two_pass_schedule(self._config)
        dividend, divisor = exponential[widths.dropped :], total[widths.dropped :]
        # Steps that are left before the next load.
        step = Signal(range(cycles.element), reset_less=True)
        final = step == 0
        remainder = Signal(signed(widths.divisor_width + 1), reset_less=True)
        negative = remainder[-1]
        # The dividend is 0 but for the cycle of the load, and the lower bits of the remainder are 0 in that cycle.
        loaded = Signal(len(dividend), reset_less=True)
        begun = Cat(remainder[: len(dividend)] | loaded, remainder[len(dividend) :])
        subtract = load | ~negative
        following = Signal(len(remainder))
        m.d.comb += following.eq(Cat(subtract, begun[:-1]) + (Cat(divisor, 0) ^ subtract.replicate(len(remainder))))
        m.d.sync += [load.eq(final & dividing), loaded.eq(Mux(final, dividend, 0))]
        with m.If(moves):
            m.d.sync += [remainder.eq(following), step.eq(Mux(final, cycles.element - 1, step - 1))]
            with m.If(final):
                m.d.sync += remainder[:-1].eq(0)
        with m.If(~dividing):
            m.d.sync += step.eq(cycles.lookup)

        quotient = Signal(config.output_width, reset_less=True)
        rounded = ~negative
        if config.probability_format == "UQ0":
            rounded &= ~quotient.all()
        shifted = Cat(~negative, quotient[: config.probability_width - 1])
        with m.If(moves & dividing):
            m.d.sync += quotient.eq(Mux(load, quotient + rounded, shifted))
        return quotient
