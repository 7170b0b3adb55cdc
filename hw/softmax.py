"""The softmax head: the stages in data-path order, joined.

    scores ─► frame ─┬─► maximum ──────────────────────────────────────────────────────► winner
                     ├─► exponential ─► accumulate ─► normalise ─► factor ─┐ one per vector
                     └─► replay ◄──────────────────────────────────────────┘
                           └─► emission: exponential ─► distance ─► quotient ─► round, or a difference of logarithms
                                 └─► probabilities

Elastic at the edges, rigid between: `frame` lets an element in only if credits assure room for it, for its vector and
for its winner, so no stage in between ever waits.
"""

from types import ModuleType
from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from . import divider, logarithm, reciprocal, unnormalised
from .accumulate import Accumulate, Align, Merge, edges_layout, term_layout
from .exponential import Exponential, Terms
from .frame import Frame
from .interface import HeadInterface
from .maximum import Maximum, SkewedMaximum
from .normalise import Normalise
from .normaliser import factor_layout
from .numerics import numerics
from .replay import Factors, Replay, entries, stored_layout
from .schedule import schedule, skewed
from .streams import (
    Credit,
    Hold,
    Queue,
    Spacing,
    delay,
    each_lane,
    keep_names,
    probability_layout,
    pulse,
    winner_layout,
)

__all__ = ["NORMALISERS", "Softmax"]

NORMALISERS: dict[str, ModuleType] = {
    "divider": divider,
    "reciprocal": reciprocal,
    "logarithm": logarithm,
    "none": unnormalised,
}


def vector_layout(elements: int) -> data.StructLayout:
    """What belongs to a vector on its way from the sum to the factor: its flag, and the address of its last element."""
    return data.StructLayout({"overlong": 1, "last": range(entries(elements))})


class Softmax(HeadInterface):
    """Streaming softmax. `o`: stream of {probability, last, overlong}, one beat per beat of scores; `o_best`: stream of
    winners, one per vector; both have to be taken. Latency and interval are those of `plan(config)`.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        widths, cycles = numerics(config), schedule(config)
        normaliser = NORMALISERS[config.normaliser]
        factor_width = normaliser.factor_width(widths)
        longest = config.beats(config.max_length)
        beats, vectors = cycles.replay_entries(longest), cycles.vectors(longest)
        vector = vector_layout(beats)
        m.submodules.frame = frame = Frame(config, indexed=not skewed(config))
        m.submodules.maximum = maximum = (SkewedMaximum if skewed(config) else Maximum)(config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        framed = frame.o.payload
        element, ends = Signal(), Signal()
        m.d.comb += [element.eq(frame.o.valid & frame.o.ready), ends.eq(element & framed.last)]

        # What works once per vector takes its time: a vector's last element waits where it would come too soon.
        m.submodules.spacing = spacing = Spacing(cycles.vector_interval)
        m.submodules.element_credit = element_credit = Credit(beats, 1)
        m.submodules.vector_credit = vector_credit = Credit(vectors)
        m.submodules.winner_credit = winner_credit = Credit(cycles.winners)
        m.d.comb += [
            spacing.taken.eq(ends),
            spacing.allowed.eq(vector_credit.available & winner_credit.available),
            frame.o.ready.eq(element_credit.available & (spacing.free | ~framed.last)),
        ]

        # The winner waits in registers; its credit was taken before its vector's last element came in.
        m.d.comb += [
            maximum.i.valid.eq(element),
            Value.cast(maximum.i.payload).eq(Value.cast(framed)),
            winner_credit.take.eq(ends),
            winner_credit.give.eq(self.o_best.valid & self.o_best.ready),
        ]
        waiting: Any = maximum.o
        for place in range(cycles.winners):
            m.submodules[f"winner_{place}"] = hold = Hold(winner_layout(config))
            m.d.comb += [
                hold.i.valid.eq(waiting.valid),
                Value.cast(hold.i.payload).eq(Value.cast(waiting.payload)),
                waiting.ready.eq(hold.i.ready) if place or not skewed(config) else [],
            ]
            waiting = hold.o
        wiring.connect(m, waiting, wiring.flipped(self.o_best))

        # First pass: the sum.
        m.submodules.accumulate = accumulate = Accumulate(widths, cycles.segments, config.lanes)
        lanes = [self._terms(m, lane, framed, element) for lane in range(config.lanes)]
        if config.lanes == 1:
            wiring.connect(m, lanes[0], accumulate.i)
        else:
            m.submodules.merge = merge = Merge(widths, config.lanes)
            wiring.connect(m, lanes[0], merge.i)
            # Only lane 0 always holds an element; the others' presence travels in the place of the vector's edges.
            m.d.comb += [
                merge.others[lane].eq(Mux(terms.payload.edges.first, terms.payload.term, 0))
                for lane, terms in enumerate(lanes[1:])
            ]
            wiring.connect(m, merge.o, accumulate.i)

        # Once per vector: the divisor, and what the normaliser makes of it.
        stored = stored_layout(widths, config.lanes, mask=config.mask)
        m.submodules.replay = replay = Replay(
            stored, beats=beats, interval=cycles.quotient_interval, memory=cycles.memory
        )
        m.submodules.normalise = normalise = Normalise(widths, cycles.segments, vector)
        m.submodules.factor = factor = normaliser.Factor(widths, factor_width, vector, cycles.memory)
        m.submodules.factors = factors = Factors(factor_layout(widths, factor_width, 1), vectors, cycles.memory)
        wiring.connect(m, normalise.o, factor.i)
        ended = Signal(vector)
        with m.If(ends):
            m.d.sync += [ended.overlong.eq(framed.overlong), ended.last.eq(replay.address)]
        made = factor.o.payload
        m.d.comb += [
            replay.i.valid.eq(element),
            *(replay.i.payload[name].eq(framed[name]) for name in stored.members),
            normalise.sum.eq(accumulate.sum),
            normalise.ends.eq(accumulate.ends),
            normalise.reference.eq(accumulate.reference),
            Value.cast(normalise.tag).eq(Value.cast(ended)),
            factors.i.valid.eq(factor.o.valid),
            factors.i.payload.exponent.eq(made.exponent),
            factors.i.payload.factor.eq(made.factor),
            factors.i.payload.tag.eq(made.tag.overlong),
            replay.complete.valid.eq(factor.o.valid),
            replay.complete.payload.eq(made.tag.last),
        ]

        # Second pass: the probabilities.
        in_flight = cycles.emission_latency + 4  # credits are counted two cycles late, on either side
        m.submodules.output = output = Queue(probability_layout(config), in_flight)
        m.submodules.output_credit = output_credit = Credit(in_flight, 1)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        out = output.i.payload
        for lane in range(config.lanes):
            emission = normaliser.Emission(config.replace(lanes=1), widths)
            m.submodules["emission" if lane == 0 else f"emission_{lane}"] = emission
            made = emission.o.payload
            m.d.comb += [
                emission.i.valid.eq(replay.o.valid),
                emission.i.payload.position.eq(replay.o.payload[each_lane("position", config.lanes)[lane]]),
                Value.cast(emission.factor).eq(Value.cast(factors.o)),
            ]
            probability = out[each_lane("probability", config.lanes)[lane]]
            if config.mask:
                masked = delay(
                    m, replay.o.payload.mask, cycles.emission_latency - cycles.replay + 1 - cycles.queue, "masked"
                )
                code = Mux(masked, 0, made.probability)
            else:
                code = made.probability
            if lane == 0:
                m.d.comb += [
                    emission.i.payload.last.eq(replay.o.payload.last),
                    factors.next.eq(emission.next),
                    output.i.valid.eq(emission.o.valid),
                    probability.eq(code),
                    out.last.eq(made.last),
                    out.overlong.eq(made.overlong),
                ]
            else:
                # Whether the lane holds an element travels in the place of the vector's end.
                keep = keep_names(config.lanes)[lane - 1]
                m.d.comb += [
                    emission.i.payload.last.eq(replay.o.payload[keep]),
                    probability.eq(Mux(made.last, made.probability, 0)),
                    out[keep].eq(made.last),
                ]
        m.d.comb += [
            output_credit.take.eq(replay.taken),
            output_credit.give.eq(self.o.valid & self.o.ready),
            replay.room.eq(output_credit.available),
        ]

        # Room for what comes in.
        m.d.comb += [
            element_credit.take.eq(element),
            element_credit.give.eq(replay.taken),
            vector_credit.take.eq(ends),
            vector_credit.give.eq(factors.next),
        ]
        return m

    def _terms(self, m: Module, lane: int, framed: Any, element: Value) -> Any:
        """The stream of a lane's terms; its `first` tells, but for lane 0, whether the lane holds an element."""
        config = self._config
        widths, cycles = numerics(config), schedule(config)
        suffix = "" if lane == 0 else f"_{lane}"
        if cycles.align:
            lookup = Exponential(widths, edges_layout(), cycles.memory)
            m.submodules[f"exponential{suffix}"] = lookup
            m.submodules[f"align{suffix}"] = align = Align(widths)
            wiring.connect(m, lookup.o, align.i)
            terms = align.o
        else:
            m.submodules[f"terms{suffix}"] = lookup = Terms(widths, edges_layout(), cycles.memory)
            terms = pulse(term_layout(widths)).create(path=(f"term{suffix}",))
            m.d.comb += [
                terms.valid.eq(lookup.o.valid),
                terms.payload.term.eq(lookup.o.payload.term),
                Value.cast(terms.payload.edges).eq(Value.cast(lookup.o.payload.tag)),
            ]
        m.d.comb += [
            lookup.i.valid.eq(element),
            lookup.i.payload.position.eq(framed[each_lane("position", config.lanes)[lane]]),
            lookup.i.payload.tag.first.eq(framed.first if lane == 0 else framed[keep_names(config.lanes)[lane - 1]]),
            lookup.i.payload.tag.last.eq(framed.last),
        ]
        if not config.mask:
            return terms
        # What is masked counts as nothing; but a sum is never 0, for that has no leading one: where all is masked, and
        # nothing depends on the sum, the last element counts.
        counted = pulse(term_layout(widths)).create(path=("counted",))
        some = Signal()
        before = some & ~framed.first
        with m.If(element):
            m.d.sync += some.eq(before | ~framed.mask)
        skipped = framed.mask & (before | ~framed.last)
        masked = delay(m, skipped, cycles.lookup + cycles.align, "term_masked")
        m.d.comb += [
            counted.valid.eq(terms.valid),
            Value.cast(counted.payload).eq(Value.cast(terms.payload)),
            counted.payload.term.eq(Mux(masked, 0, terms.payload.term)),
        ]
        return counted
