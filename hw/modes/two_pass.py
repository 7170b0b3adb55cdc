"""The smallest head: one vector after the other, in three passes over one memory, with one table.

                        ┌────────────────────────────── best, index ─────────► winner
    scores ─► memory ─► best − score ─► table ─┬─► sum ──┐
                                               └────► division, one bit a cycle ─► probabilities

1. The scores enter the memory, and a register holds their maximum and its index.
2. The memory is read from the last to the first score, for the sum of the exponentials of best − score.
3. The memory is read from the first to the last score, and each exponential is divided by the sum.

A profile other than `small` has a register behind the scores and one behind the table, for the clock. The block RAMs of ECP5
contain them.

The head stores nothing twice, and no pass overlaps another. Widths and error bound are those of `numbers/two_pass.py`.
"""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import memory

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.two_pass import differences
from softstream.hw.plan.modes.two_pass import two_pass_schedule
from softstream.hw.stages.frame import code_of, position_of
from softstream.hw.stages.maximum import margin_of, replaces
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import UNCHECKED, delay, table

__all__ = ["TwoPass"]


class _Passes:
    """Registers of the passes, and the addresses that all of them share."""

    def __init__(self, config: Config, widths: Any) -> None:
        # The current pass. In none of the three the head waits until both outputs are taken.
        self.receiving = Signal()
        self.summing = Signal()
        self.dividing = Signal()
        # One bit more than an index: the sign tells that a pass is over.
        self.address = Signal(signed(config.index_width + 1), reset_less=True)
        # Elements still to come in the third pass, less one.
        self.left = Signal(signed(config.index_width + 1), reset_less=True)
        self.best = Signal(config.contender_width, reset_less=True)
        self.second = Signal(config.contender_width, reset_less=True)
        self.index = Signal(config.index_width, reset_less=True)
        self.total = Signal(widths.sum_width, reset_less=True)
        self.dropping = Signal()
        self.overlong: Value = self.dropping
        # An exponential enters the division.
        self.load = Signal()


class TwoPass(HeadInterface):
    """probability = min(floor(2^P·(e >> c)/(S >> c) + 1/2), code of 1.0), S = Σe, e from the table of `numbers/two_pass.py`.

    A masked element takes no part: its exponential counts as 0, and so does its probability.

    The division is the non-restoring one of `normalisers/division.py`. Its first step, which always subtracts, falls into the
    cycle that loads the exponential. The sign of the last remainder, known in that cycle for the element before, rounds.

    Ports: `i`, stream of scores; `o`, stream of probabilities; `o_best`, stream of winners, one per vector, which waits for no
    probability. `i.ready` is a register, set once the user has taken all results of the vector before; that cuts the ready
    path. The head then drops the elements beyond the max_length-th of an overlong vector. Latency and interval are those of
    `two_pass_schedule`.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config
        self._widths = differences(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, passes = self._config, _Passes(self._config, self._widths)
        contender: Value = position_of(config, self.i.payload.score)
        if config.mask:
            # A masked element has position 0 and a low top bit, so that it never exceeds an unmasked one.
            mask = self.i.payload.mask
            contender = Cat(contender & ~mask.replicate(len(contender)), ~mask)
        elif config.has_margin:
            contender = Cat(contender, C(1, 1))
        accepted, ends = self._receive(m, passes, contender)
        exponential = self._exponential(m, passes, contender, accepted)
        self._advance(m, passes, exponential, accepted, ends)
        step, pending = self._output(m, passes, exponential)
        registers = {name: value for name, value in vars(passes).items() if isinstance(value, Signal)}
        publish(platform, self, **registers, step=step, pending=pending)
        return m

    def _receive(self, m: Module, passes: _Passes, contender: Value) -> tuple[Value, Value]:
        """First pass: the winner. Returns (an element of the vector enters, it is the last one)."""
        config, best = self._config, passes.best
        at_limit = passes.address == config.max_length - 1
        transferred = self.i.valid & passes.receiving
        accepted = transferred & ~passes.dropping
        ends = accepted & (self.i.payload.last | at_limit)
        m.d.comb += self.i.ready.eq(passes.receiving)
        with m.If(transferred):
            m.d.sync += passes.dropping.eq(~self.i.payload.last & (passes.dropping | at_limit))
        if config.reads_tkeep:
            gap = Signal(reset_less=True)
            passes.overlong = passes.dropping | gap
            with m.If(accepted):
                m.d.sync += gap.eq(self.i.payload.gap)
        # A carry, because a comparison would consist of the same carries and a test for equality.
        larger = replaces(config, contender, ~best)
        with m.If(accepted & larger):
            m.d.sync += [best.eq(contender), passes.index.eq(passes.address)]
        if config.has_margin:
            second = passes.second
            with m.If(accepted):
                m.d.sync += second.eq(Mux(larger, best, Mux(contender > second, contender, second)))
            m.d.comb += self.o_best.payload.margin.eq(margin_of(best, second))
        m.d.sync += self.o_best.valid.eq(ends | (self.o_best.valid & ~self.o_best.ready))
        m.d.comb += [
            self.o_best.payload.index.eq(passes.index),
            self.o_best.payload.score.eq(code_of(config, best[: config.score_width])),
            self.o_best.payload.overlong.eq(passes.overlong),
        ]
        if config.mask:
            m.d.comb += self.o_best.payload.all_masked.eq(~best[-1])
        return accepted, ends

    def _exponential(self, m: Module, passes: _Passes, contender: Value, accepted: Value) -> Value:
        """The exponential of the element at the address, `two_pass_schedule(config).lookup` cycles later."""
        config = self._config
        m.submodules.scores = scores = memory.Memory(
            shape=unsigned(config.score_width + config.mask), depth=config.max_length, init=[], attrs=UNCHECKED
        )
        write, read = scores.write_port(), scores.read_port()
        m.d.comb += [
            write.addr.eq(passes.address),
            write.data.eq(contender[: config.score_width + config.mask]),
            write.en.eq(accepted),
            read.addr.eq(passes.address),
        ]
        # best − score is ~(score + ~best). The table is reversed instead, and ~best serves the comparison of the first pass too.
        registers = two_pass_schedule(config).registers
        stored = delay(m, read.data, registers, "stored")
        reversed_difference = Signal(config.score_width, reset_less=True)
        m.d.sync += reversed_difference.eq(stored[: config.score_width] + ~passes.best[: config.score_width])
        entries = self._widths.entries[::-1]
        exponential: Value = table(
            m, "exponentials", self._widths.fraction, entries, reversed_difference, 1 + registers
        )
        if config.mask:
            exponential = Mux(delay(m, stored[-1], 2 + registers, "unmasked"), exponential, 0)
        return exponential

    def _advance(self, m: Module, passes: _Passes, exponential: Value, accepted: Value, ends: Value) -> None:
        """Second pass: the sum. The address runs back; then each load of the third pass moves it on."""
        address, left, total, load = passes.address, passes.left, passes.total, passes.load
        summed = passes.summing & address[-1]
        reading = passes.summing & ~address[-1]
        adding = delay(m, reading, two_pass_schedule(self._config).lookup, "adding", reset=True)
        with m.If(adding):
            m.d.sync += total.eq(total + exponential)
        with m.If((accepted & ~ends) | reading | load):
            m.d.sync += address.eq(address + Mux(passes.summing, C(-1, 2), C(1, 2)))
        with m.If(reading | load):
            m.d.sync += left.eq(left + Mux(passes.summing, C(1, 2), C(-1, 2)))
        with m.If(summed):
            m.d.sync += address.eq(0)
        clear, divided = Signal(), load & left[-1]
        busy = passes.receiving | passes.summing | passes.dividing
        m.d.comb += clear.eq(~(busy | self.o.valid | self.o_best.valid))
        with m.If(clear):
            m.d.sync += [passes.best.eq(0), passes.index.eq(0), address.eq(0), left.eq(-1), total.eq(0)]
            if self._config.has_margin:
                m.d.sync += passes.second.eq(0)
        m.d.sync += [
            passes.receiving.eq(clear | (passes.receiving & ~ends)),
            passes.summing.eq(ends | reading),
            passes.dividing.eq(summed | (passes.dividing & ~divided)),
        ]

    def _output(self, m: Module, passes: _Passes, exponential: Value) -> tuple[Signal, Signal]:
        """Third pass: the probabilities. A load makes the quotient of the load before valid.

        Returns (steps before the next load, whether a division is under way).
        """
        last, pending = Signal(reset_less=True), Signal(reset_less=True)
        moves = ~self.o.valid | self.o.ready
        m.d.sync += self.o.valid.eq((passes.load & pending) | (self.o.valid & ~self.o.ready))
        with m.If(passes.load):
            m.d.sync += [last.eq(passes.left[-1]), pending.eq(1)]
        with m.If(passes.summing):
            m.d.sync += pending.eq(0)
        quotient, step = self._division(m, passes, exponential, moves)
        m.d.comb += [
            # A fully masked vector has sum 0, by which no quotient is defined.
            self.o.payload.probability.eq(Mux(passes.best[-1], quotient, 0) if self._config.mask else quotient),
            self.o.payload.last.eq(last),
            self.o.payload.overlong.eq(passes.overlong),
        ]
        return step, pending

    def _division(self, m: Module, passes: _Passes, exponential: Value, moves: Value) -> tuple[Value, Signal]:
        """(the quotient's register, complete in the cycle after the next `load`; the steps before that one)."""
        config, widths, cycles = self._config, self._widths, two_pass_schedule(self._config)
        dividing, load = passes.dividing, passes.load
        dividend, divisor = exponential[widths.dropped :], passes.total[widths.dropped :]
        step = Signal(range(cycles.element), reset_less=True)
        final = step == 0
        remainder = Signal(signed(widths.divisor_width + 1), reset_less=True)
        negative = remainder[-1]
        # The dividend is 0 outside the cycle of the load, and the remainder's lower bits are 0 inside it, so an OR joins them.
        dividend_load = Signal(len(dividend), reset_less=True)
        partial = Cat(remainder[: len(dividend)] | dividend_load, remainder[len(dividend) :])
        subtract = load | ~negative
        following = Signal(len(remainder))
        m.d.comb += following.eq(Cat(subtract, partial[:-1]) + (Cat(divisor, 0) ^ subtract.replicate(len(remainder))))
        m.d.sync += [load.eq(final & dividing), dividend_load.eq(Mux(final, dividend, 0))]
        with m.If(moves):
            m.d.sync += [remainder.eq(following), step.eq(Mux(final, cycles.element - 1, step - 1))]
            with m.If(final):
                m.d.sync += remainder[:-1].eq(0)
        with m.If(~dividing):
            m.d.sync += step.eq(cycles.lookup)

        quotient = Signal(config.output_width, reset_less=True)
        rounded = ~negative
        shifted = Cat(~negative, quotient[: config.probability_width - 1])
        if config.probability_format == "UQ0":
            # The largest code is not rounded up. A register tells of it, so that no test of all bits stands before the adder.
            all_ones = Signal(reset_less=True)
            rounded &= ~all_ones
            with m.If(moves & dividing):
                m.d.sync += all_ones.eq(load | (all_ones & ~negative))
        with m.If(moves & dividing):
            m.d.sync += quotient.eq(Mux(load, quotient + rounded, shifted))
        return quotient, step
