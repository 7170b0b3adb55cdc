"""The leading-one detector: the sum as 2^n times a divisor m in [1, 2)."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import DIGIT, normalise_digits, normalise_levels
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.registers import delay

__all__ = ["LeadingOne", "PipelinedLeadingOne", "divisor_layout", "leading_one_detector", "moment_layout"]


def divisor_layout(widths: Numerics, tag: ShapeLike) -> data.StructLayout:
    """n + s on the scale of the elements' E, m in UQ1.D, and the vector's tag."""
    return data.StructLayout({"exponent": widths.sum_exponent_width, "divisor": widths.divisor_width, "tag": tag})


def moment_layout(widths: Numerics, tag: ShapeLike, weight: int) -> data.StructLayout:
    """n, m, and the moment in the units of m, which has `weight` bits more."""
    return data.StructLayout(
        {
            "exponent": widths.sum_exponent_width,
            "divisor": widths.divisor_width,
            "moment": widths.divisor_width + weight,
            "tag": tag,
        }
    )


class _Interface(wiring.Component):
    def __init__(
        self, widths: Numerics, segments: tuple[int, ...], tag: ShapeLike, moment: tuple[int, ...] = ()
    ) -> None:
        self._widths, self._segments, self._moment = widths, segments, moment
        self._weight = sum(moment) - widths.accumulator_width if moment else 0
        layout = moment_layout(widths, tag, self._weight) if moment else divisor_layout(widths, tag)
        moment_port = {"moment": In(sum(moment))} if moment else {}
        super().__init__(
            {
                "sum": In(widths.accumulator_width),
                "ends": In(len(segments)),
                "reference": In(max(1, widths.coarse_width)),
                **moment_port,
                "tag": In(tag),
                "o": Out(pulse(layout)),
            }
        )


class LeadingOne(_Interface):
    """2^n <= sum < 2^(n+1), m = floor(sum / 2^(n−D)): the sum moves up four bits a cycle.

    The shift stops as soon as a one is among the first four bits; the last shift, by less than four, is a selection. n is
    the number of bits below the leading one: position within the accumulator − A + c·H. `o` has n + s (`numerator_octaves`).

    Ports: `sum`, `ends`, `reference`, the outputs of `Accumulate`; `tag`, along with the last segment; `o`, n, m and the
    tag, which stay until the next vector's; no back-pressure. With K = `normalise_digits` the latency is K + 2 cycles from
    the last segment. Vectors must keep the schedule's `normalise_interval`, because a later sum overwrites the earlier one.

    With the widths of the segments of a `moment`, as many as those of the sum, the port `moment` takes the sum of the terms times
    numbers below 2^weight. It moves up with the sum, and `o` has floor(moment / 2^(n−D)).
    """

    def __init__(
        self, widths: Numerics, segments: tuple[int, ...], tag: ShapeLike, moment: tuple[int, ...] = ()
    ) -> None:
        if len(segments) > 1 and segments[-1] < DIGIT:
            raise ValueError(f"segments {segments}: the last must hold the first {DIGIT} bits of the sum")
        super().__init__(widths, segments, tag, moment)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        digits, first_digit, padding = normalise_digits(widths)
        loaded = self.ends[-1]

        # Zeros above the sum align its digits with the numbers of the positions.
        total = Signal(widths.accumulator_width + padding, reset_less=True)
        moving = Signal()
        self._raise(m, total, self.sum, self._segments, moving)

        # Whether the sum moves is decided a cycle ahead, from the digit that comes to the top.
        digit = Signal((first_digit + digits).bit_length(), reset_less=True)
        tag = Signal.like(Value.cast(self.tag), reset_less=True)
        reference = Signal.like(self.reference, reset_less=True)
        fine = Signal(range(DIGIT), reset_less=True)
        # The digit at the top, and the one that comes there next.
        above = Cat(Const(0, DIGIT), self.sum, Const(0, padding))[-DIGIT:]
        coming = Cat(Const(0, DIGIT), total)[-2 * DIGIT : -DIGIT]
        with m.If(loaded):
            m.d.sync += [
                moving.eq(~above.any()),
                fine.eq(_zeros(above)),
                digit.eq(first_digit),
                tag.eq(Value.cast(self.tag)),
                reference.eq(self.reference),
            ]
        with m.Elif(moving):
            m.d.sync += [moving.eq(~coming.any()), fine.eq(_zeros(coming)), digit.eq(digit + 1)]

        window_width = widths.divisor_width + DIGIT - 1
        missing = max(0, window_width - len(total))
        window = Cat(Const(0, missing), total[max(0, len(total) - window_width) :])
        m.d.comb += [
            self.o.valid.eq(delay(m, loaded, digits + 2, "loaded", reset=True)),
            Value.cast(self.o.payload.tag).eq(tag),
        ]
        m.d.sync += [
            self.o.payload.divisor.eq(window.bit_select(~fine, widths.divisor_width)),
            # Positions count down from a power of two, so their complements count up from 0.
            self.o.payload.exponent.eq(~Cat(fine, digit)[: _position_width(widths)] + _above(widths, reference)),
        ]
        if self._moment:
            moment = Signal(sum(self._moment) + padding, reset_less=True)
            self._raise(m, moment, self.moment, self._moment, moving)
            above = moment[max(0, len(moment) - window_width - self._weight) :]
            aligned = Cat(Const(0, missing), above).bit_select(~fine, len(self.o.payload.moment))
            m.d.sync += self.o.payload.moment.eq(aligned)
        return m

    def _raise(self, m: Module, total: Signal, source: Value, segments: tuple[int, ...], moving: Value) -> None:
        """Loads `total` from the segments of `source` as they end, and moves it up by a digit where it is `moving`."""
        raised = Cat(Const(0, DIGIT), total[:-DIGIT])
        low = 0
        for j, width in enumerate(segments):
            high = low + width if j < len(segments) - 1 else len(total)
            with m.If(self.ends[j]):
                m.d.sync += total[low:high].eq(source[low:high])
            with m.Elif(moving):
                m.d.sync += total[low:high].eq(raised[low:high])
            low = high


class PipelinedLeadingOne(_Interface):
    """The same n and m, one sum in every cycle, by a binary search for the leading one.

    Level l, from the highest down, moves the sum up by 2^l where its first 2^l bits are zeros. The test for zeros happens a
    cycle early, on both possible results of the level above. The bits of n below c·H are the complements of the tests'
    results, because zeros above the sum make the number of positions a power of two.

    Ports as those of `LeadingOne`; `tag` is read with the last segment. With b of `normalise_levels` the latency is b + 1
    cycles from the last segment, for which the lower segments wait; one sum per cycle. The registers become fewer from level
    to level.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths, last = self._widths, len(self._segments) - 1
        levels, padding = normalise_levels(widths)
        parts, low = [], 0
        for j, width in enumerate(self._segments):
            parts.append(delay(m, self.sum[low : low + width], last - j, f"segment_{j}"))
            low += width
        whole: Value = Cat(*parts, Const(0, padding))

        def registered(value: Value, positions: int, name: str) -> Signal:
            """A register of the bits that the result may need, with that many positions still to search."""
            upper = value[max(0, len(value) - widths.divisor_width - positions) :]
            register = Signal(len(upper), name=name, reset_less=True)
            m.d.sync += register.eq(upper)
            return register

        half = 1 << (levels - 1)
        word = registered(whole, 2 * half - 1, "word")
        empty = Signal(name="empty", reset_less=True)
        m.d.sync += empty.eq(~whole[-half:].any())
        zeros: Value = Const(0, 0)
        for level in reversed(range(levels)):
            half, quarter = 1 << level, 1 << level >> 1
            moved, zeros = Mux(empty, Cat(Const(0, half), word[:-half]), word), Cat(empty, zeros)
            if level:
                following = Signal(name=f"empty_{level}", reset_less=True)
                m.d.sync += following.eq(Mux(empty, ~word[-half - quarter : -half].any(), ~word[-quarter:].any()))
                word, empty = registered(moved, half - 1, f"word_{level}"), following
                zeros = delay(m, zeros, 1, f"zeros_{level}")
        missing = max(0, widths.divisor_width - len(moved))
        m.d.sync += [
            self.o.payload.divisor.eq(Cat(Const(0, missing), moved[max(0, len(moved) - widths.divisor_width) :])),
            self.o.payload.exponent.eq(~zeros + _above(widths, delay(m, self.reference, levels, "reference"))),
        ]
        m.d.comb += [
            self.o.valid.eq(delay(m, self.ends[-1], levels + 1, "valid", reset=True)),
            Value.cast(self.o.payload.tag).eq(delay(m, Value.cast(self.tag), levels + 1, "tag")),
        ]
        return m


def leading_one_detector(config: Config, widths: Numerics, tag: ShapeLike) -> LeadingOne | PipelinedLeadingOne:
    """The detector that the configuration's schedule asks for."""
    cycles = schedule(config)
    return (PipelinedLeadingOne if cycles.pipelined else LeadingOne)(widths, cycles.segments, tag)


def _zeros(digit: Value) -> Value:
    """Zeros above the leading one of a digit that has one."""
    return Mux(digit[-1], 0, Mux(digit[-2], 1, Mux(digit[-3], 2, 3)))


def _position_width(widths: Numerics) -> int:
    return max(2, (widths.accumulator_width - 1 - widths.accumulator_fraction).bit_length())


def _above(widths: Numerics, reference: Value) -> Value:
    """What the position of the leading one lacks to n + s."""
    octaves = widths.numerator_octaves
    if widths.absolute:
        return Const(octaves) if octaves else Const(0, 1)
    if widths.windows:
        # A sum of shifts, one of a few windows: synthesis would take a multiplier for the product.
        above: Value = Const(octaves) if octaves else Const(0, 1)
        for bit in range(widths.reference_step.bit_length()):
            if widths.reference_step >> bit & 1:
                above = above + (reference << bit)
        return above
    above = reference * widths.reference_step
    return above + octaves if octaves else above
