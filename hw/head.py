"""The head: the stages in data-path order, joined.

    scores ─► frame ─┬─► maximum ──────────────────────────────────────────────────────► winner
                     ├─► exponential ─► accumulate ─► normalise ─► factor ─┐ one per vector
                     └─► replay ◄──────────────────────────────────────────┘
                           └─► exponential ─► distance ─► quotient ─► round ─► probabilities

Elastic at the edges, rigid between: `frame` lets an element in only if credits assure room for it, for its vector and
for its winner, so no stage in between ever waits.
"""

from types import ModuleType
from typing import Any

from amaranth import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from . import divider, reciprocal, unnormalised
from .accumulate import Accumulate, Align, edges_layout
from .config import Config
from .exponential import Exponential, Terms
from .frame import Frame
from .maximum import Maximum
from .normalise import Normalise, SerialNormalise
from .numerics import numerics
from .replay import Replay
from .round import Distance, Round, emission_layout, shift_layout
from .schedule import schedule
from .streams import Credit, Hold, Queue, probability_layout, score_layout, winner_layout

__all__ = ["NORMALISERS", "Head"]

NORMALISERS: dict[str, ModuleType] = {"divider": divider, "reciprocal": reciprocal, "none": unnormalised}


class Head(wiring.Component):
    """A streaming argmax or softmax head, to instantiate in an Amaranth design.

    Ports: `i`, stream of {score, last}. Argmax mode: `o`, stream of {index, score, overlong}, one per vector. Softmax
    mode: `o`, stream of {probability, last, overlong}, one per element, and `o_best`, stream of winners, one per vector;
    both have to be taken. Latency and interval are those of `plan(config)`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        ports = {"i": In(stream.Signature(score_layout(config)))}
        if config.mode == "argmax":
            ports["o"] = Out(stream.Signature(winner_layout(config)))
        else:
            ports["o"] = Out(stream.Signature(probability_layout(config)))
            ports["o_best"] = Out(stream.Signature(winner_layout(config)))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.frame = frame = Frame(self._config)
        m.submodules.maximum = maximum = Maximum(self._config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        if self._config.mode == "argmax":
            self._argmax(m, frame, maximum)
        else:
            self._softmax(m, frame, maximum)
        return m

    def _argmax(self, m: Module, frame: Frame, maximum: Maximum) -> None:
        wiring.connect(m, frame.o, maximum.i)
        if self._config.profile == "small":
            wiring.connect(m, maximum.o, wiring.flipped(self.o))
            return
        # With a register more, the next vector runs on while its predecessor's winner waits.
        m.submodules.hold = hold = Hold(winner_layout(self._config))
        wiring.connect(m, maximum.o, hold.i)
        wiring.connect(m, hold.o, wiring.flipped(self.o))

    def _softmax(self, m: Module, frame: Frame, maximum: Maximum) -> None:
        config = self._config
        widths, cycles = numerics(config), schedule(config)
        normaliser = NORMALISERS[config.normaliser]
        factor_width = normaliser.factor_width(widths)
        framed = frame.o.payload
        ends = frame.o.valid & framed.last
        m.d.comb += frame.o.ready.eq(1)

        # The winner: a queue that never overflows, because its credits are taken before a vector comes in.
        reported = 2  # cycles between the decision to accept a vector's last element and its credit's being counted
        vectors = cycles.vector_latency + 4
        m.submodules.winners = winners = Queue(winner_layout(config), vectors)
        m.submodules.winner_credit = winner_credit = Credit(vectors + reported, reported)
        m.d.comb += [
            maximum.i.valid.eq(frame.o.valid),
            Value.cast(maximum.i.payload).eq(Value.cast(framed)),
            winner_credit.take.eq(ends),
            winner_credit.give.eq(self.o_best.valid & self.o_best.ready),
        ]
        wiring.connect(m, maximum.o, winners.i)
        wiring.connect(m, winners.o, wiring.flipped(self.o_best))

        # First pass: the sum.
        m.submodules.accumulate = accumulate = Accumulate(widths)
        if cycles.align:
            m.submodules.exponential = lookup = Exponential(widths, edges_layout())
            m.submodules.align = align = Align(widths)
            wiring.connect(m, lookup.o, align.i)
            wiring.connect(m, align.o, accumulate.i)
        else:
            m.submodules.terms = lookup = Terms(widths, edges_layout())
            m.d.comb += [
                accumulate.i.valid.eq(lookup.o.valid),
                accumulate.i.payload.term.eq(lookup.o.payload.term),
                Value.cast(accumulate.i.payload.edges).eq(Value.cast(lookup.o.payload.tag)),
            ]
        m.d.comb += [
            lookup.i.valid.eq(frame.o.valid),
            lookup.i.payload.position.eq(framed.position),
            lookup.i.payload.tag.first.eq(framed.first),
            lookup.i.payload.tag.last.eq(framed.last),
            lookup.i.payload.tag.overlong.eq(framed.overlong),
        ]

        # Once per vector: the divisor, and what the normaliser makes of it.
        m.submodules.factor = factor = normaliser.Factor(widths, factor_width, serial=cycles.serial)
        elements = cycles.replay_entries(config.max_length)
        m.submodules.replay = replay = Replay(
            widths, factor_width, elements=elements, vectors=vectors, interval=cycles.quotient_interval
        )
        m.submodules.normalise = normalise = (SerialNormalise if cycles.serial else Normalise)(widths)
        wiring.connect(m, normalise.o, factor.i)
        m.d.comb += [
            normalise.i.valid.eq(accumulate.o.valid),
            Value.cast(normalise.i.payload).eq(Value.cast(accumulate.o.payload)),
            accumulate.o.ready.eq(normalise.i.ready),
            replay.i_vector.valid.eq(factor.o.valid),
            Value.cast(replay.i_vector.payload).eq(Value.cast(factor.o.payload)),
            replay.i_element.valid.eq(frame.o.valid),
            replay.i_element.payload.position.eq(framed.position),
            replay.i_element.payload.last.eq(framed.last),
        ]
        if cycles.serial:
            m.d.comb += factor.o.ready.eq(replay.i_vector.ready)
        m.submodules.element_credit = element_credit = Credit(elements, 1)
        m.submodules.vector_credit = vector_credit = Credit(vectors + reported, reported)
        m.d.comb += [
            element_credit.take.eq(frame.o.valid),
            element_credit.give.eq(replay.element_done),
            vector_credit.take.eq(ends),
            vector_credit.give.eq(replay.vector_done),
        ]
        room = element_credit.available & vector_credit.available & winner_credit.available
        if cycles.serial:
            # The sum stays in the accumulator until the serial normaliser takes it: no element of the next vector before.
            m.submodules.sum_credit = sum_credit = Credit(1)
            m.d.comb += [
                sum_credit.take.eq(frame.ends),
                sum_credit.give.eq(accumulate.o.valid & normalise.i.ready),
            ]
            room = room & sum_credit.available
        m.d.comb += frame.room.eq(room)

        # Second pass: the probabilities.
        m.submodules.emission = exponential = Exponential(widths, emission_layout(widths, factor_width))
        m.submodules.distance = distance = Distance(widths, factor_width)
        m.submodules.quotient = quotient = normaliser.Quotient(
            widths, factor_width, shift_layout(widths), serial=cycles.serial
        )
        m.submodules.round = rounding = Round(config, widths)
        in_flight = cycles.emission_latency + 2
        m.submodules.output = output = Queue(probability_layout(config), in_flight)
        m.submodules.output_credit = output_credit = Credit(in_flight)
        wiring.connect(m, replay.o, exponential.i)
        wiring.connect(m, exponential.o, distance.i)
        wiring.connect(m, distance.o, quotient.i)
        wiring.connect(m, quotient.o, rounding.i)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        m.d.comb += [
            output.i.valid.eq(rounding.o.valid),
            Value.cast(output.i.payload).eq(Value.cast(rounding.o.payload)),
            output_credit.take.eq(replay.element_done),
            output_credit.give.eq(self.o.valid & self.o.ready),
            replay.room.eq(output_credit.available),
        ]
