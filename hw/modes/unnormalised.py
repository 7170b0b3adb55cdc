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
from softstream.hw.plan.modes.unnormalised import exponential_schedule
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, skewed
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.frame import Frame, masks
from softstream.hw.stages.maximum import maximum_of
from softstream.hw.streams.flow import Buffered, Queue, vector_buffers
from softstream.hw.streams.layouts import each_lane, keep_names, probability_layout, pulse, winner_layout
from softstream.hw.streams.registers import delay, table

__all__ = ["Unnormalised", "Lookup"]


class _Quotient(QuotientInterface):
    """quotient = floor(M·2^(P+1−B)), M in UQ1.(P+1). Latency 0."""

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
    """code = round(2^P·min(1, exp(s·(x − c)))): one table, or for a wide score significand, shift and rounding.

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
            # In a block RAM, because as logic the table would be larger and slower than the rest of the head.
            code = table(
                m, "codes", config.output_width, codes.codes.tolist(), self.i.payload, cycles.memory, block=True
            )
            m.d.comb += [
                self.o.valid.eq(delay(m, self.i.valid, cycles.memory, "valid", reset=True)),
                self.o.payload.eq(code),
            ]
            return m
        position, valid = self.i.payload, self.i.valid
        if config.reference_offset:
            position = Mux(position > codes.reference, codes.reference, position)
            position = delay(m, position, 1, "clipped")
            valid = delay(m, valid, 1, "clipped_valid", reset=True)
        m.submodules.emission = lookup = _Emission(
            config.replace(mode="softmax", sum="rounded", minimum_code=0, normaliser="none", lanes=1), codes.widths
        )
        m.d.comb += [
            lookup.i.valid.eq(valid),
            lookup.i.payload.position.eq(position),
            lookup.factor.exponent.eq(codes.octaves),
            self.o.valid.eq(lookup.o.valid),
            self.o.payload.eq(lookup.o.payload.probability),
        ]
        return m


class Unnormalised(HeadInterface):
    """min(1, exp(s·(x_i − c))) of each score as it arrives, and at the end the exact sum of the vector's codes.

    The winner comes from the raw scores, as in every mode, so it is that of the softmax and equal codes do not make a tie.
    Its exponential is the vector's largest, because no larger score has a smaller exponential.

    A sum of 0 means that every score lay so far below c that its code is 0; a masked element also has code 0. The sum's error
    is at most the vector's length times the bound of one code.

    Ports: `i`, stream of scores; `o`, stream of {exponential, last, overlong}, one beat per beat of scores, with the flag of a
    cut vector on its last beat alone, because earlier beats leave before the cut; `o_best`, stream of {index, score, overlong,
    sum}, one per vector. The user must take both outputs. Latency and interval are those of `plan(config)`. The head stores
    only the elements in flight. Credits and queues cut the ready paths.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        cycles, times = schedule(config.replace(lanes=1)), exponential_schedule(config)
        m.submodules.frame = frame = Frame(config, indexed=not skewed(config), lookahead=False)
        m.submodules.maximum = maximum = maximum_of(config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        in_flight = times.lookup + QUEUE_LATENCY + 4  # a credit counts two cycles late, on either side
        admission = Admission(
            m,
            frame,
            interval=times.interval,
            elements=Room(in_flight, 1),
            vectors={"vector_credit": Room(times.room, int(cycles.pipelined))},
        )
        m.d.comb += [
            admission.credits["element_credit"].give.eq(self.o.valid & self.o.ready),
            admission.credits["vector_credit"].give.eq(self.o_best.valid & self.o_best.ready),
        ]
        framed = frame.o.payload
        edges = {name: delay(m, framed[name], times.lookup, name) for name in ("first", "last", "overlong")}
        valid, codes = self._codes(m, framed, admission.element, edges, in_flight)
        admission.enter(m, maximum, framed)
        self._results(m, maximum.o, self._sum(m, valid, codes, edges))
        return m

    def _codes(
        self, m: Module, framed: Any, element: Value, edges: dict[str, Value], in_flight: int
    ) -> tuple[Value, list[Value]]:
        """(valid, the codes of a beat's lanes), which also enter the output queue; a lane without an element has code 0."""
        config, times = self._config, exponential_schedule(self._config)
        m.submodules.output = output = Queue(probability_layout(config), in_flight)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        beat = output.i.payload
        present: list[Value] = [Const(1), *(framed[name] for name in keep_names(config.lanes))]
        keeps = [delay(m, keep, times.lookup, f"keep_{lane}") for lane, keep in enumerate(present)]
        participants = keeps
        if config.mask:
            participants = [
                delay(m, ~mask, times.lookup, f"participates_{lane}") for lane, mask in enumerate(masks(config, framed))
            ]
        codes: list[Value] = []
        names = zip(each_lane("position", config.lanes), each_lane("exponential", config.lanes), strict=True)
        for lane, (position, exponential) in enumerate(names):
            m.submodules[f"lookup_{lane}"] = lookup = Lookup(exponential_codes(config))
            codes.append(Mux(participants[lane], lookup.o.payload, 0) if lane or config.mask else lookup.o.payload)
            m.d.comb += [
                lookup.i.valid.eq(element),
                lookup.i.payload.eq(framed[position]),
                beat[exponential].eq(codes[lane]),
            ]
            if lane == 0:
                m.d.comb += output.i.valid.eq(lookup.o.valid)
        m.d.comb += [
            beat.last.eq(edges["last"]),
            beat.overlong.eq(edges["overlong"]),
            *(beat[name].eq(keep) for name, keep in zip(keep_names(config.lanes), keeps[1:], strict=True)),
        ]
        return output.i.valid, codes

    def _sum(self, m: Module, valid: Value, codes: list[Value], edges: dict[str, Value]) -> Any:
        """The stream of the vectors' sums: a tree over the lanes, and an accumulator."""
        levels = ceil_log2(self._config.lanes)
        for level in range(levels):
            sums = [
                Signal(len(codes[0]) + 1, name=f"level{level}_{k}", reset_less=True) for k in range(len(codes) // 2)
            ]
            m.d.sync += [total.eq(codes[2 * k] + codes[2 * k + 1]) for k, total in enumerate(sums)]
            codes = list(sums)
        first, last = (delay(m, edges[name], levels, f"sum_{name}") for name in ("first", "last"))
        valid = delay(m, valid, levels, "sum_valid", reset=True)
        total, done = Signal(sum_format(self._config).width, reset_less=True), Signal()
        with m.If(valid):
            m.d.sync += total.eq(Mux(first, 0, total) + codes[0])
        m.d.sync += done.eq(valid & last)
        result = pulse(len(total)).create(path=("vector_sum",))
        m.d.comb += [result.valid.eq(done), result.payload.eq(total)]
        return result

    def _results(self, m: Module, winner: Any, vector_sum: Any) -> None:
        """Joins winner and sum, which wait for each other in registers or queues; their credit assures the room."""
        config, times = self._config, exponential_schedule(self._config)
        results = [
            Buffered("winner", winner, winner_layout(config), skewed(config)),
            Buffered("sum", vector_sum, len(vector_sum.payload), rigid=True),
        ]
        registers = schedule(config.replace(lanes=1)).winners
        winner, vector_sum = vector_buffers(m, results, registers, times.room, quick=config.profile == "fast")
        m.d.comb += [
            self.o_best.valid.eq(winner.valid & vector_sum.valid),
            winner.ready.eq(self.o_best.ready & vector_sum.valid),
            vector_sum.ready.eq(self.o_best.ready & winner.valid),
            *(self.o_best.payload[name].eq(winner.payload[name]) for name in winner_layout(config).members),
            self.o_best.payload.sum.eq(vector_sum.payload),
        ]
