"""The emission of an exact sum of codes: the running sum over the sum, rounded, and the differences of the rounded codes."""

from typing import Any

from amaranth import C, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.normalisers.division import division_of
from softstream.hw.normalisers.interface import factor_layout
from softstream.hw.numbers.exact_sum import exact_sum
from softstream.hw.plan.normalisers.exact_sum import SHIFT_CYCLES
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import schedule
from softstream.hw.stages.exponential_sum import lane_terms
from softstream.hw.stages.replay import stored_layout
from softstream.hw.stages.running_sum import RunningSum
from softstream.hw.streams.adders import sum_tree
from softstream.hw.streams.layouts import each_lane, keep_names, probability_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["ExactEmission", "share_width"]


def share_width(config: Config) -> int:
    """Bits of K, which a vector hands to its elements behind its flag; 0 without a minimum code, where K is 2^P."""
    return config.probability_width + 1 if config.minimum_code else 0


class ExactEmission(wiring.Component):
    """code_i = C_i − C_(i−1), C_i = F·c_i + round(K·A_i / S): codes that sum to 2^P (see `numbers/exact_sum.py`); or C_i itself.

    Ports: `i`, stored beats; `next`, a request for the vector's factor, which is on `factor` from the schedule's `memory`
    cycles later on; `o`, the codes of the beat's lanes, 0 in a lane without an element; no back-pressure. Latency
    `Schedule.probability` cycles, one beat per `quotient_interval` cycles.
    """

    def __init__(self, config: Config, factor_width: int) -> None:
        self._config, self._numbers, self._cycles = config, exact_sum(config), schedule(config)
        widths = self._numbers.widths
        super().__init__(
            {
                "i": In(pulse(stored_layout(widths, config.lanes, mask=config.mask))),
                "next": Out(1),
                "factor": In(factor_layout(widths, factor_width, 1 + share_width(config))),
                "o": Out(pulse(probability_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, numbers, cycles, lanes = self._config, self._numbers, self._cycles, self._config.lanes
        normaliser = cycles.normaliser
        starts = Signal(init=1)
        with m.If(self.i.valid):
            m.d.sync += starts.eq(self.i.payload.last)
        publish(platform, self, starts=starts)
        before, latency = normaliser.late, cycles.probability
        m.d.comb += self.next.eq(delay(m, self.i.valid & starts, before - cycles.memory, "request", reset=True))

        shifted = self._shifted(m, self._running_sums(m, starts))
        factor = delay(m, self.factor.factor, SHIFT_CYCLES, "factor")
        quotient = normaliser.step("quotient")
        ready = delay(m, self.i.valid, before + SHIFT_CYCLES, "ready", reset=True)
        ratios = [self._quotient(m, lane, cut, factor, ready) for lane, cut in enumerate(shifted)]
        shares = [self._share(m, lane, ratio, SHIFT_CYCLES + quotient) for lane, ratio in enumerate(ratios)]

        participants = [
            delay(m, self._takes_part(lane), latency - 1, f"participant_{lane}") if numbers.minimum else Const(0, 1)
            for lane in range(lanes)
        ]
        first, valid = (
            delay(m, starts, latency - 1, "first"),
            delay(m, self.i.valid, latency - 1, "rounded_valid", reset=True),
        )
        # The last element's share of K in difference codes; the minimum codes so far in cumulative ones.
        carried = Signal(numbers.code_width, name="minima" if config.traits.cumulative else "earlier", reset_less=True)
        previous: Value = Mux(first, 0, carried)
        beat = self.o.payload
        fields = each_lane(outputs(config)[0].fields[0].name, lanes)
        for lane, (share, participant) in enumerate(zip(shares, participants, strict=True)):
            least = Mux(participant, numbers.minimum, 0)
            if config.traits.cumulative:
                previous = (previous + least)[: numbers.code_width]
                m.d.sync += beat[fields[lane]].eq(share + previous)
            else:
                m.d.sync += beat[fields[lane]].eq(share - previous + least)
                previous = share
        with m.If(valid):
            m.d.sync += carried.eq(previous)
        m.d.comb += [
            self.o.valid.eq(delay(m, valid, 1, "valid", reset=True)),
            beat.last.eq(delay(m, self.i.payload.last, latency, "last")),
            beat.overlong.eq(delay(m, self.factor.tag[0], latency - before, "overlong")),
            *(beat[keep].eq(delay(m, self.i.payload[keep], latency, keep)) for keep in keep_names(lanes)),
        ]
        return m

    def _takes_part(self, lane: int) -> Value:
        """Whether a lane holds an element that is not masked."""
        config, stored = self._config, self.i.payload
        present: Value = stored[keep_names(config.lanes)[lane - 1]] if lane else Const(1, 1)
        return present & ~stored[each_lane("mask", config.lanes)[lane]] if config.mask else present

    def _running_sums(self, m: Module, first: Value) -> list[Value]:
        """A of each lane, the schedule's `late` cycles after its beat."""
        config, numbers, cycles = self._config, self._numbers, self._cycles
        # The mask is applied below, because here a fully masked vector has the sum 0.
        plain = config.replace(mask=False)
        fields = {**stored_layout(numbers.widths, config.lanes).members, "first": 1}
        framed = Signal(data.StructLayout(fields))
        m.d.comb += [framed[name].eq(first if name == "first" else self.i.payload[name]) for name in fields]
        m.submodules.running_sum = running_sum = RunningSum(numbers.widths, cycles.segments, config.lanes)
        latency = cycles.lookup + cycles.align
        for lane in range(config.lanes):
            terms = lane_terms(m, plain, lane, framed, self.i.valid)
            term = terms.payload.term
            if config.mask:
                term = Mux(delay(m, self._takes_part(lane), latency, f"takes_part_{lane}"), term, 0)
            m.d.comb += running_sum.i.payload.terms[lane].eq(term)
            if lane == 0:
                m.d.comb += [
                    running_sum.i.valid.eq(terms.valid),
                    running_sum.i.payload.first.eq(terms.payload.edges.first),
                ]
        return [running_sum.o.payload.sums[lane] for lane in range(config.lanes)]

    def _shifted(self, m: Module, sums: list[Value]) -> list[Value]:
        """a = floor(A / 2^(n−D)) of each lane, in three shifts; a <= m, so the upper bits are 0."""
        numbers, exponent = self._numbers, self.factor.exponent
        width = numbers.widths.divisor_width
        steps = (
            (exponent[4:], 4, 15),
            (delay(m, exponent[2:4], 1, "fours"), 2, 3),
            (delay(m, exponent[:2], 2, "ones"), 0, 0),
        )
        cut = []
        for lane, total in enumerate(sums):
            value: Value = Cat(Const(0, numbers.raised), total)
            for number, (amount, unit, more) in enumerate(steps):
                register = Signal(min(len(value), width + more), name=f"shifted_{lane}_{number}", reset_less=True)
                m.d.sync += register.eq(value >> Cat(C(0, unit), amount))
                value = register
            cut.append(value)
        return cut

    def _quotient(self, m: Module, lane: int, dividend: Value, factor: Value, valid: Value) -> Value:
        """q of a lane, T bits, or T + 1 from a multiplier."""
        numbers, cycles = self._numbers, self._cycles.normaliser
        steps = cycles.step("quotient")
        if self._config.division == "reciprocal":
            widths = numbers.widths
            one, other = delay(m, dividend, 1, f"dividend_{lane}"), delay(m, factor, 1, f"reciprocal_{lane}")
            product = delay(
                m, (one * other)[: widths.divisor_width + widths.reciprocal_width], steps - 1, f"product_{lane}"
            )
            return product[numbers.product_shift :][: numbers.quotient_width + 1]
        division = division_of(
            numbers.widths.divisor_width, numbers.quotient_width, 0, pipelined=cycles.quotient_interval == 1
        )
        m.submodules[f"division_{lane}"] = division
        m.d.comb += [
            division.i.valid.eq(valid),
            division.i.payload.remainder.eq(dividend),
            division.i.payload.divisor.eq(factor),
        ]
        return division.o.payload.quotient

    def _share(self, m: Module, lane: int, ratio: Value, cycles: int) -> Value:
        """round(K·q / 2^T) of a lane; `cycles` after the factor, K accompanies q."""
        numbers = self._numbers
        rounded = Signal(numbers.code_width, name=f"share_{lane}", reset_less=True)
        total: Value = ratio
        if not numbers.minimum:
            m.d.sync += rounded.eq((ratio + 1) >> 1)
            return rounded
        share = delay(m, self.factor.tag[1:], cycles, f"remaining_{lane}")
        if self._config.division == "reciprocal":
            one, other = delay(m, ratio, 1, f"ratio_{lane}"), delay(m, share, 1, f"factor_{lane}")
            total = delay(m, one * other, 1, f"shared_{lane}")
        else:
            terms = [(delay(m, Mux(bit, share, 0), 1, f"part_{lane}_{k}") << k, False) for k, bit in enumerate(ratio)]
            half = 1 << (numbers.quotient_width - 1)
            total, _ = sum_tree(m, f"shared_{lane}", [*terms, (Const(half), False)])
            m.d.sync += rounded.eq(total >> numbers.quotient_width)
            return rounded
        m.d.sync += rounded.eq((total + (1 << (numbers.quotient_width - 1))) >> numbers.quotient_width)
        return rounded
