"""The sampling head by the inverse of the cumulative distribution: one random number per vector.

    scores ─► frame ─┬─► exponential ─► accumulate ─► threshold: a random share of the sum ─┐ one per vector
                     └─► replay ◄───────────────────────────────────────────────────────────┘
                           └─► search: exponential ─► running sum over the threshold? ─► draw

Elastic at the edges, rigid between, as the softmax head.
"""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.inverse_cdf import cdf_law, exact_sum
from softstream.hw.plan.inverse_cdf import inverse_cdf_schedule
from softstream.hw.stages.cdf_search import Search, flags_layout
from softstream.hw.stages.exponential_sum import lane_terms, sum_of
from softstream.hw.stages.frame import Frame, took_part
from softstream.hw.stages.replay import Factors, Replay, end_layout, stored_layout
from softstream.hw.stages.sum_share import Threshold
from softstream.hw.streams.flow import Credit, Queue, Spacing

__all__ = ["DRAWS", "InverseCdf"]

DRAWS = 16
"""Draws that may wait: more than what the credits take cycles for, so that none stops the ring."""


class InverseCdf(HeadInterface):
    """A draw per vector: index = min{i : t_1 + … + t_i > floor(u·S / 2^U)}, t_i the exponentials, S their sum (`cdf_law`).

    The n-th vector after reset has the n-th word of `seed`, whatever stalls, lengths and ends there are, so that the draws are
    those of the golden model, and the same after every reset.

    `o`: stream of {index, score, overlong}, one per vector, score being that of the class drawn. It leaves as soon as it is
    found: latency and interval are those of `plan(config)`, and each element before the one drawn adds a cycle.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, law, cycles = self._config, cdf_law(self._config), inverse_cdf_schedule(self._config)
        inner, sums = exact_sum(config), cycles.sums
        elements, vectors = cycles.elements(config.max_length), cycles.vectors(config.max_length)
        m.submodules.frame = frame = Frame(config, indexed=False)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        framed = frame.o.payload
        element, ends = Signal(), Signal()
        m.d.comb += [element.eq(frame.o.valid & frame.o.ready), ends.eq(element & framed.last)]

        # What works once per vector takes its time: a vector's last element waits where it would come too soon.
        m.submodules.spacing = spacing = Spacing(cycles.vector_interval)
        m.submodules.element_credit = element_credit = Credit(elements, 1)
        m.submodules.vector_credit = vector_credit = Credit(vectors)
        m.d.comb += [
            spacing.taken.eq(ends),
            spacing.allowed.eq(vector_credit.available),
            frame.o.ready.eq(element_credit.available & (spacing.free | ~framed.last)),
        ]

        # First pass: the sum, and a share of it.
        accumulate = sum_of(m, inner, [lane_terms(m, inner, 0, framed, element)])
        stored = stored_layout(law.widths, mask=config.mask)
        m.submodules.replay = replay = Replay(stored, beats=elements, interval=1, memory=sums.ring)
        tag = data.StructLayout({"flags": flags_layout(config), "end": end_layout(elements)})
        ended = Signal(tag, reset_less=True)
        with m.If(ends):
            m.d.sync += [
                ended.flags.overlong.eq(framed.overlong),
                ended.end.last.eq(replay.address),
                ended.end.single.eq(framed.first),
            ]
        if config.mask:
            some = took_part(m, config, framed, element)
            with m.If(ends):
                m.d.sync += ended.flags.all_masked.eq(framed.mask & ~some)
        m.submodules.threshold = threshold = Threshold(law, cycles, config.seed, ended.shape())
        shape = data.StructLayout({"threshold": law.widths.accumulator_width, "flags": flags_layout(config)})
        m.submodules.thresholds = thresholds = Factors(shape, vectors, sums.memory)
        made = threshold.o.payload
        m.d.comb += [
            replay.i.valid.eq(element),
            *(replay.i.payload[name].eq(framed[name]) for name in stored.members),
            threshold.sum.eq(accumulate.sum),
            threshold.ends.eq(accumulate.ends),
            Value.cast(threshold.tag).eq(Value.cast(ended)),
            thresholds.i.valid.eq(threshold.o.valid),
            thresholds.i.payload.threshold.eq(made.threshold),
            Value.cast(thresholds.i.payload.flags).eq(Value.cast(made.tag.flags)),
            replay.complete.valid.eq(threshold.o.valid),
            Value.cast(replay.complete.payload).eq(Value.cast(made.tag.end)),
        ]

        # Second pass: the draw. Room for it is assured before its vector's first element leaves the ring.
        m.submodules.search = search = Search(config, law, cycles)
        m.submodules.output = output = Queue(self.o.payload.shape(), DRAWS)
        m.submodules.output_credit = output_credit = Credit(DRAWS, cycles.margin)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        starts = Signal(init=1)
        with m.If(replay.o.valid):
            m.d.sync += starts.eq(replay.o.payload.last)
        found = search.o.payload
        m.d.comb += [
            search.i.valid.eq(replay.o.valid),
            search.i.payload.first.eq(starts),
            *(search.i.payload[name].eq(replay.o.payload[name]) for name in stored.members),
            thresholds.next.eq(search.next),
            search.threshold.eq(thresholds.o.threshold),
            Value.cast(search.flags).eq(Value.cast(thresholds.o.flags)),
            output.i.valid.eq(search.o.valid),
            output.i.payload.index.eq(found.index),
            output.i.payload.score.eq(Cat(found.position[:-1], found.position[-1] ^ config.score_signed)),
            *(output.i.payload[name].eq(found[name]) for name in flags_layout(config).members),
            output_credit.take.eq(replay.o.valid & starts),
            output_credit.give.eq(self.o.valid & self.o.ready),
            replay.room.eq(output_credit.available),
        ]

        # Room for what comes in.
        m.d.comb += [
            element_credit.take.eq(element),
            element_credit.give.eq(replay.taken),
            vector_credit.take.eq(ends),
            vector_credit.give.eq(search.next),
        ]
        return m
