"""Exponentials of the scores relative to a constant, in one pass, with their sum and the winner once per vector."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.formats import ceil_log2
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.normalisers.emission import emission
from softstream.hw.normalisers.interface import QuotientInterface
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.numbers.unnormalised import ExponentialCodes, exponential_codes, sum_format
from softstream.hw.plan.schedule import QUEUE_LATENCY, exponential_schedule, schedule, skewed
from softstream.hw.stages.frame import Frame, masks
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.streams.flow import Buffered, Credit, Queue, Spacing, vector_buffers
from softstream.hw.streams.layouts import each_lane, keep_names, probability_layout, pulse, winner_layout
from softstream.hw.streams.registers import delay, table

__all__ = ["Exponentials", "Lookup"]


class _Quotient(QuotientInterface):
    """M in UQ1.(P+1), cut. Latency 0."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = self._widths
        cut = (self.i.payload.significand << 1) >> (widths.significand_fraction - widths.probability_width)
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            Value.cast(self.o.payload.tag).eq(Value.cast(self.i.payload.tag)),
            self.o.payload.quotient.eq(cut),
        ]
        return m


def _no_factor(widths: Numerics) -> int:
    return 0


_Emission: Any = emission(_Quotient, _no_factor)


class Lookup(wiring.Component):
    """code = round(2^P·min(1, exp(s·(x − c)))): one table, or of a wide score significand, shift and rounding.

    Ports: `i`, a position; `o`, its code, UQ0.P or UQ1.P; no back-pressure. One element per cycle, constant latency.
    """

    def __init__(self, codes: ExponentialCodes) -> None:
        self._codes = codes
        super().__init__({"i": In(pulse(codes.config.score_width)), "o": Out(pulse(codes.config.output_width))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        codes, config = self._codes, self._codes.config
        cycles = schedule(config.replace(lanes=1))
        if codes.codes is not None:
            entries = codes.codes.tolist()
            m.d.comb += [
                self.o.valid.eq(delay(m, self.i.valid, cycles.memory, "valid", reset=True)),
                self.o.payload.eq(table(m, "codes", config.output_width, entries, self.i.payload, cycles.memory)),
            ]
            return m
        position, valid = self.i.payload, self.i.valid
        if config.reference_offset:
            position = Mux(position > codes.reference, codes.reference, position)
            position = delay(m, position, 1, "clipped")
            valid = delay(m, valid, 1, "clipped_valid", reset=True)
        m.submodules.emission = lookup = _Emission(
            config.replace(mode="softmax", normaliser="none", lanes=1), codes.widths
        )
        m.d.comb += [
            lookup.i.valid.eq(valid),
            lookup.i.payload.position.eq(position),
            lookup.factor.exponent.eq(codes.octaves),
            self.o.valid.eq(lookup.o.valid),
            self.o.payload.eq(lookup.o.payload.probability),
        ]
        return m


class Exponentials(HeadInterface):
    """min(1, exp(s·(x_i − c))) of each score as it comes, and at the end the exact sum of the vector's codes.

    The winner beside the sum comes from the raw scores, as in every mode, so it is that of softmax; and since no larger
    score has a smaller exponential, its exponential is the vector's largest (a table of a narrow score is correctly
    rounded). Equal codes do not make a tie.

    A sum of 0 says that every score lay so far below c that its code is 0; and that of a masked element is 0. The sum of
    the codes is off by at most the vector's length times the bound of one.

    `o`: stream of {exponential, last, overlong}, one beat per beat of scores; the flag of a vector that was cut is on its
    last beat, for before nobody knows. `o_best`: stream of {index, score, overlong, sum}, one per vector. Both have to be
    taken. Latency and interval are those of `plan(config)`. Nothing is stored but what is under way.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, codes = self._config, exponential_codes(self._config)
        cycles, times = schedule(config.replace(lanes=1)), exponential_schedule(config)
        m.submodules.frame = frame = Frame(config, indexed=not skewed(config))
        m.submodules.maximum = maximum = (SkewedMaximum if skewed(config) else Maximum)(config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        framed = frame.o.payload
        element, ends = Signal(), Signal()
        m.d.comb += [element.eq(frame.o.valid & frame.o.ready), ends.eq(element & framed.last)]

        # Room for an element in the output queue, and for its vector's result.
        in_flight = times.lookup + QUEUE_LATENCY + 4  # credits are counted two cycles late, on either side
        m.submodules.spacing = spacing = Spacing(times.interval)
        m.submodules.element_credit = element_credit = Credit(in_flight, 1)
        m.submodules.vector_credit = vector_credit = Credit(times.room, int(cycles.pipelined))
        m.d.comb += [
            spacing.taken.eq(ends),
            spacing.allowed.eq(vector_credit.available),
            frame.o.ready.eq(element_credit.available & (spacing.free | ~framed.last)),
            element_credit.take.eq(element),
            element_credit.give.eq(self.o.valid & self.o.ready),
            vector_credit.take.eq(ends),
            vector_credit.give.eq(self.o_best.valid & self.o_best.ready),
        ]

        # The codes.
        m.submodules.output = output = Queue(probability_layout(config), in_flight)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        out = output.i.payload
        present: list[Value] = [Const(1), *(framed[name] for name in keep_names(config.lanes))]
        kept = [delay(m, keep, times.lookup, f"keep_{lane}") for lane, keep in enumerate(present)]
        counts = kept
        if config.mask:
            counts = [
                delay(m, ~mask, times.lookup, f"counts_{lane}") for lane, mask in enumerate(masks(config, framed))
            ]
        emitted: list[Value] = []
        for lane, (position, exponential) in enumerate(
            zip(each_lane("position", config.lanes), each_lane("exponential", config.lanes), strict=True)
        ):
            m.submodules[f"lookup_{lane}"] = lookup = Lookup(codes)
            emitted.append(Mux(counts[lane], lookup.o.payload, 0) if lane or config.mask else lookup.o.payload)
            m.d.comb += [
                lookup.i.valid.eq(element),
                lookup.i.payload.eq(framed[position]),
                out[exponential].eq(emitted[lane]),
            ]
            if lane == 0:
                m.d.comb += output.i.valid.eq(lookup.o.valid)
        edges = {name: delay(m, framed[name], times.lookup, name) for name in ("first", "last", "overlong")}
        m.d.comb += [
            out.last.eq(edges["last"]),
            out.overlong.eq(edges["overlong"]),
            *(out[name].eq(keep) for name, keep in zip(keep_names(config.lanes), kept[1:], strict=True)),
        ]

        # Their sum.
        levels = ceil_log2(config.lanes)
        for level in range(levels):
            sums = [
                Signal(len(emitted[0]) + 1, name=f"level{level}_{k}", reset_less=True) for k in range(len(emitted) // 2)
            ]
            m.d.sync += [total.eq(emitted[2 * k] + emitted[2 * k + 1]) for k, total in enumerate(sums)]
            emitted = list(sums)
        first, last = (delay(m, edges[name], levels, f"sum_{name}") for name in ("first", "last"))
        valid = delay(m, output.i.valid, levels, "sum_valid", reset=True)
        total, done = Signal(sum_format(config).width, reset_less=True), Signal()
        with m.If(valid):
            m.d.sync += total.eq(Mux(first, 0, total) + emitted[0])
        m.d.sync += done.eq(valid & last)

        # Sum and winner wait for each other in registers, or queues; their credit was taken before their vector's last element
        # came in.
        m.d.comb += [maximum.i.valid.eq(element), Value.cast(maximum.i.payload).eq(Value.cast(framed))]
        winner, summed = maximum.o, pulse(len(total)).create(path=("summed",))
        m.d.comb += [summed.valid.eq(done), summed.payload.eq(total)]
        results = [
            Buffered("winner", winner, winner_layout(config), skewed(config)),
            Buffered("sum", summed, len(total), rigid=True),
        ]
        winner, summed = vector_buffers(m, results, cycles.winners, times.room)
        m.d.comb += [
            self.o_best.valid.eq(winner.valid & summed.valid),
            winner.ready.eq(self.o_best.ready & summed.valid),
            summed.ready.eq(self.o_best.ready & winner.valid),
            *(self.o_best.payload[name].eq(winner.payload[name]) for name in winner_layout(config).members),
            self.o_best.payload.sum.eq(summed.payload),
        ]
        return m
