"""The sum of a vector's exponentials: absolute, or against a running power-of-two reference."""

from typing import Any

from amaranth import C, Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.stage_cycles import reference_segments
from softstream.hw.stages.exponential import exponential_layout, term_width
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay, gates

__all__ = ["Accumulate", "Align", "LaneSum", "edges_layout", "term_layout"]


def edges_layout() -> data.StructLayout:
    """The edges of a vector, which accompany a term on its way into the sum."""
    return data.StructLayout({"first": 1, "last": 1})


def term_layout(widths: Numerics, lanes: int = 1) -> data.StructLayout:
    """A term of the sum, aligned to the reference, and the shift of the sum so far that precedes its addition.

    With several lanes the term is the sum of a beat's terms. In two windows the term's window accompanies it instead.
    """
    if widths.windows:
        return data.StructLayout(
            {"term": term_width(widths), "window": max(1, widths.coarse_width), "edges": edges_layout()}
        )
    return data.StructLayout(
        {
            "term": _aligned_width(widths) + ceil_log2(lanes),
            "shift": _steps(widths).bit_length(),
            "reference": max(1, widths.coarse_width),
            "edges": edges_layout(),
        }
    )


def _aligned_width(widths: Numerics) -> int:
    """Bits of one term: A fraction bits, and the octaves above the reference."""
    return (
        term_width(widths) if widths.absolute or widths.windows else widths.accumulator_fraction + widths.reference_step
    )


def _steps(widths: Numerics) -> int:
    """Reference steps after which no bit of a term or a sum is left."""
    return 0 if widths.absolute else -(-widths.accumulator_width // widths.reference_step)


def _shift_steps(m: Module, value: Value, steps: Value, widths: Numerics, name: str) -> Value:
    """`value` >> (reference_step · steps), with steps saturated at `_steps`, where no bit is left."""
    shifted = Signal(len(value), name=name)
    with m.Switch(steps):
        for count in range(_steps(widths)):
            with m.Case(count):
                m.d.comb += shifted.eq(value >> (widths.reference_step * count))
        with m.Default():
            m.d.comb += shifted.eq(0)
    return shifted


class Align(wiring.Component):
    """Exponent and significand to a term of the sum.

    Absolute: term = M·2^E, shifted in three cycles. Reference: H_i = max(H_(i−1), E_i // c) with c = reference_step,
    term = floor(M·2^(E mod c)·2^(A−B) / 2^(c·(H_i − E // c))), and shift = H_i − H_(i−1) is the distance by which the
    accumulator moves the sum so far down; a vector's first term moves the sum of the vector before away. Only the coarse
    exponents are compared inside the loop. Two windows: term = M·2^(E mod W) in three cycles, with its window E // W.

    Ports: `i`, E, M and the element's edges; `o`, the aligned term; no back-pressure. With `gated`, for the absolute form,
    the term is 0 where `o` is not valid. Latency `cycles` of `align_cycles`, one element per cycle: three, or for the reference
    form also two, in which the distance to the reference and its limit share a cycle.
    """

    def __init__(self, widths: Numerics, cycles: int, *, gated: bool = False, by_gates: bool = False) -> None:
        if cycles not in ((3,) if widths.absolute or widths.windows else (2, 3)):
            raise ValueError(f"{cycles} cycles are too few or too many for the alignment")
        self._widths, self._cycles, self._gated, self._by_gates = widths, cycles, gated, by_gates
        super().__init__(
            {"i": In(pulse(exponential_layout(widths, edges_layout()))), "o": Out(pulse(term_layout(widths)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths, element, cycles = self._widths, self.i.payload, self._cycles
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            Value.cast(self.o.payload.edges).eq(delay(m, Value.cast(element.tag), cycles, "edges")),
        ]
        term = Signal(_aligned_width(widths), reset_less=True)
        m.d.comb += self.o.payload.term.eq(term)
        if widths.absolute or widths.windows:
            octave = element.exponent
            if widths.windows:
                octave = element.exponent[: ceil_log2(widths.reference_step)]
                window = element.exponent[len(octave) :]
                m.d.comb += self.o.payload.window.eq(delay(m, window, cycles, "window"))
            # Two bits of the exponent in each of two cycles and all others in the third keep the shifters shallow.
            low = Signal(widths.significand_width + 3, reset_less=True)
            middle = Signal(widths.significand_width + 15, reset_less=True)
            middle_bits = delay(m, octave[2:4], 1, "middle_bits")
            high_bits = delay(m, octave[4:], 2, "high_bits")
            shifted: Value = (middle << Cat(C(0, 4), high_bits))[: len(term)]
            if self._gated:
                shifted = Mux(delay(m, self.i.valid, 2, "present", reset=True), shifted, 0)
            m.d.sync += [
                low.eq(element.significand << octave[:2]),
                middle.eq(low << Cat(C(0, 2), middle_bits)),
                term.eq(shifted),
            ]
            return m

        fine_bits = (widths.reference_step - 1).bit_length()
        fine, coarse = element.exponent[:fine_bits], element.exponent[fine_bits:]
        running = Signal(max(1, widths.coarse_width), reset_less=True)
        shifted = Signal(_aligned_width(widths), reset_less=True)
        steps = _steps(widths)
        below = Signal(steps.bit_length(), reset_less=True)
        grown = Signal(steps.bit_length(), reset_less=True)
        larger = Signal()
        rise = Signal(len(coarse) + 1)
        fall = Signal(len(coarse) + 1)
        m.d.comb += [
            # A comparison with a number of no bits is constant, of which Verilator warns.
            larger.eq(element.tag.first | (coarse > running) if len(coarse) else element.tag.first),
            rise.eq(coarse - running),
            fall.eq(running - coarse),
        ]
        wait = cycles - 2
        first, exceeds, up, down, significand, octave = (
            delay(m, value, wait, name)
            for value, name in (
                (element.tag.first, "first"),
                (larger, "exceeds"),
                (rise, "up"),
                (fall, "down"),
                (element.significand, "significand"),
                (fine, "fine"),
            )
        )
        distances = [
            below.eq(Mux(exceeds, 0, Mux(down < steps, down, steps))),
            # A vector's first term shifts the former sum away, which needs no multiplexer behind the adder.
            grown.eq(Mux(first, steps, Mux(exceeds & (up < steps), up, Mux(exceeds, steps, 0)))),
            shifted.eq((significand << octave) << (widths.accumulator_fraction - widths.significand_fraction)),
        ]
        with m.If(self.i.valid):
            if not self._by_gates:
                m.d.sync += running.eq(Mux(larger, coarse, running))
            if not wait:
                m.d.sync += distances
        if self._by_gates:
            m.d.sync += running.eq(gates(self.i.valid & larger, coarse[: len(running)], running))
        if wait:
            m.d.sync += distances
        m.d.sync += term.eq(_shift_steps(m, shifted, below, widths, "aligned"))
        m.d.comb += [
            self.o.payload.shift.eq(delay(m, grown, 1, "grown")),
            self.o.payload.reference.eq(delay(m, running, 1 + wait, "reference")),
        ]
        return m


class LaneSum(wiring.Component):
    """The exact sum of a beat's terms over its lanes, in a tree of adders.

    Ports: `i`, lane 0's terms and edges; `others`, the other lanes' terms, 0 where a lane holds no element; `o`, the sum
    and the edges; no back-pressure. Latency `ceil_log2(lanes)` cycles, one beat per cycle.
    """

    def __init__(self, widths: Numerics, lanes: int) -> None:
        self._lanes = lanes
        super().__init__(
            {
                "i": In(pulse(term_layout(widths))),
                "others": In(data.ArrayLayout(_aligned_width(widths), lanes - 1)),
                "o": Out(pulse(term_layout(widths, lanes))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        terms: list[Value] = [self.i.payload.term, *(self.others[lane] for lane in range(self._lanes - 1))]
        levels = 0
        while len(terms) > 1:
            sums = [
                Signal(len(terms[0]) + 1, name=f"level{levels}_{k}", reset_less=True) for k in range(len(terms) // 2)
            ]
            m.d.sync += [sums[k].eq(terms[2 * k] + terms[2 * k + 1]) for k in range(len(sums))]
            terms, levels = list(sums), levels + 1
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, levels, "valid", reset=True)),
            self.o.payload.term.eq(terms[0]),
            Value.cast(self.o.payload.edges).eq(delay(m, Value.cast(self.i.payload.edges), levels, "edges")),
        ]
        return m


class Accumulate(wiring.Component):
    """sum = Σ terms of a vector, in the order of their arrival; Σ 2^E·M = sum · 2^(c·H − A).

    Absolute: the sum is exact, cut into segments of the given widths. A register holds a segment's carry, and the next
    segment works one cycle later, so that no carry chain is longer than a segment. Reference:
    sum_i = floor(sum_(i−1) / 2^(c·shift_i)) + term_i, in one segment or in those of `reference_segments`.

    Ports: `i`, aligned terms, no back-pressure; `sum`, whose segment j is complete in the cycle in which bit j of `ends` is
    set; `reference`, H along with the last segment. Latency of segment j: j + 1 cycles from the vector's last term. One
    element per cycle, no bubble between vectors.

    A shift moves segments of the reference form by whole digits of c bits, so all of them work in the same cycle, and their
    carries wait in registers: sum = Σ_j 2^(c·j)·(segment_j + carry_j). The next addition takes them in, and a shift moves them
    along with their segments. A carry into the digits that a shift drops leaves them where all their bits from there on are
    ones, and then waits below segment 0. Behind a vector's end its carries run through copies of the segments, one per cycle.

    A sum with a sink begins with the term of the sink. So it is cleared to that number, segment by segment, and costs nothing.

    With `limited`, for the absolute form, two more ports exist. `limit` is the limit of the vector whose first term comes in.
    `over` tells, as many cycles after a term as there are segments, whether the sum exceeds the limit with this term for the
    first time. Such a sum begins at the limit's complement, so that it overflows at the limit and nowhere else.

    With `cleared` the component must not stand under a clock enable, which would keep a reset from the sum.
    """

    def __init__(
        self,
        widths: Numerics,
        segments: tuple[int, ...],
        lanes: int = 1,
        *,
        cleared: bool = False,
        limited: bool = False,
        uniform: bool = False,
    ) -> None:
        if sum(segments) != widths.accumulator_width or (
            not widths.absolute and segments not in ((widths.accumulator_width,), reference_segments(widths))
        ):
            raise ValueError(f"segments {segments} do not make up the accumulator")
        self._widths, self.segments = widths, segments
        self.cleared, self.limited, self._uniform = cleared and not limited, limited, uniform
        self.of_terms_alone = widths.absolute and not widths.sink_term
        limit_ports = {"limit": In(widths.accumulator_width), "over": Out(1)} if limited else {}
        super().__init__(
            {
                "i": In(pulse(term_layout(widths, lanes))),
                "sum": Out(widths.accumulator_width),
                "ends": Out(len(segments)),
                "reference": Out(max(1, widths.coarse_width)),
                **limit_ports,
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if len(self.segments) > 1 and not self._widths.absolute:
            self._by_digits(m)
            return m
        term = self.i.payload
        low = 0
        carry: Value = Const(0, 1)
        sums: dict[str, Signal] = {}
        # A reset clears segment 0 and then, on its way through the registers, all others, before a term can reach them. So the
        # clear of each of them is a register's output.
        clear = (self.i.valid & term.edges.last) | ResetSignal()
        for j, width in enumerate(self.segments):
            begin = (self._widths.sink_term >> low) & ((1 << width) - 1)
            sums[f"sum_{j}"] = segment = Signal(width, name=f"sum_{j}", reset_less=True, init=begin)
            addend = delay(m, term.term[low : low + width], j, f"term_{j}")
            valid = delay(m, self.i.valid, j, f"valid_{j}", reset=True)
            edges = delay(m, Value.cast(term.edges), j, f"edges_{j}")
            first, last = edges[0], edges[1]
            augend: Value = segment
            if not self._widths.absolute:
                augend = _shift_steps(m, segment, term.shift, self._widths, "scaled")
            # The carry enters through one bit below the segment, so that every fabric builds a single carry chain.
            total = Signal(width + 2, name=f"total_{j}")
            if self.limited:
                augend = Mux(first, ~delay(m, self.limit[low : low + width], j, f"limit_{j}"), augend)
            m.d.comb += total.eq(Cat(C(1, 1), augend) + Cat(carry, addend))
            following, carries = total[1:-1], total[-1]
            if self._widths.absolute and not self.cleared and not self.limited:
                # As gates, the first term is no reset of the bits that no term has, which would cut their carry chain.
                begun = addend & first.replicate(width) | following & ~first.replicate(width)
                following, carries = begun if self._uniform else Mux(first, addend, following), carries & ~first
            carry = Signal(name=f"carry_{j}", reset_less=True)
            with m.If(valid):
                m.d.sync += segment.eq(following)
                if self._uniform:
                    # The gate decides nothing but keeps the carry in its chain.
                    m.d.sync += carry.eq(carries & valid)
            complete = segment
            if self.cleared:
                complete = Signal(width, name=f"whole_{j}", reset_less=True)
                m.d.sync += complete.eq(total[1:-1])
                with m.If(delay(m, clear, j, f"clear_{j}")):
                    m.d.sync += segment.eq(begin)
            if not self._uniform:
                m.d.sync += carry.eq(carries)
            m.d.sync += self.ends[j].eq(valid & last)
            m.d.comb += self.sum[low : low + width].eq(complete)
            low += width
        with m.If(self.i.valid):
            m.d.sync += self.reference.eq(term.reference)
        if self.limited:
            m.d.comb += self.over.eq(carry & delay(m, self.i.valid, len(self.segments), "present", reset=True))
        publish(platform, self, **sums)
        return m

    def _by_digits(self, m: Module) -> None:
        """The reference form in several segments, whose lowest bits are those of digits."""
        widths, term, last = self._widths, self.i.payload, len(self.segments) - 1
        step, steps, valid = widths.reference_step, _steps(widths), self.i.valid
        sums = [Signal(width, name=f"sum_{j}", reset_less=True) for j, width in enumerate(self.segments)]
        waiting = [Signal(name=f"carry_{j}", reset_less=True) for j in range(last + 1)]
        so_far = Cat(*sums)
        # Digits inside the last segment, and those above the sum, have no carry of their own.
        carries = [*waiting, *(Const(0, 1) for _ in range(steps))]
        # The carry out of the digits that a shift drops.
        overflow, dropped = Signal(), Const(0, 1)
        with m.Switch(term.shift):
            for count in range(1, steps):
                digit = so_far[step * (count - 1) : step * count]
                dropped = digit.all() & (carries[count - 1] | dropped)
                with m.Case(count):
                    m.d.comb += overflow.eq(dropped)
        scaled = _shift_steps(m, so_far, term.shift, widths, "scaled")
        with m.If(valid):
            m.d.sync += waiting[0].eq(overflow)
        low = 0
        ripple: Value = Const(0, 1)
        for j, width in enumerate(self.segments):
            carry = Signal(name=f"scaled_carry_{j}")
            with m.Switch(term.shift):
                for count in range(steps):
                    with m.Case(count):
                        m.d.comb += carry.eq(carries[j + count])
            total, whole = (Signal(width + 2, name=f"{name}_{j}") for name in ("total", "whole"))
            m.d.comb += total.eq(Cat(C(1, 1), scaled[low : low + width]) + Cat(carry, term.term[low : low + width]))
            with m.If(valid):
                m.d.sync += sums[j].eq(total[1:-1])
                if j < last:
                    # The gate, which decides nothing, keeps the carry in its chain: without it, two cells more would pass it on.
                    m.d.sync += waiting[j + 1].eq(total[-1] & valid if self._uniform else total[-1])
            segment, late = delay(m, sums[j], j, f"segment_{j}"), delay(m, waiting[j], j, f"late_{j}")
            m.d.comb += [
                whole.eq(Cat(C(1, 1), segment) + Cat(ripple, late)),
                self.sum[low : low + width].eq(whole[1:-1]),
            ]
            ripple = delay(m, whole[-1], 1, f"ripple_{j}")
            m.d.sync += self.ends[j].eq(self.ends[j - 1] if j else valid & term.edges.last)
            low += width
        reference = Signal.like(self.reference, name="reference_0", reset_less=True)
        with m.If(valid):
            m.d.sync += reference.eq(term.reference)
        m.d.comb += self.reference.eq(delay(m, reference, last, "reference"))
