"""Top-K with probabilities: the K largest scores of each vector, each with its probability among all N elements."""

from functools import partial
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.modes.softmax import NORMALISERS
from softstream.hw.modes.top_k import code_of
from softstream.hw.normalisers.interface import factor_layout
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.top_k import kept_vectors, softmax_top_k_vectors
from softstream.hw.stages.exponential_sum import lane_terms, normalised, sum_of
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.lane_merge import connect_lists, largest, listed
from softstream.hw.stages.leading_one import normalise_of
from softstream.hw.stages.replay import Factors
from softstream.hw.streams.flow import Credit, Queue, Spacing
from softstream.hw.streams.layouts import probability_layout
from softstream.hw.streams.registers import delay

__all__ = ["SoftmaxTopK"]


class SoftmaxTopK(HeadInterface):
    r"""p_i = 2^(βx_i) / Σ 2^(βx_j), the sum over all N elements, for the K elements i with the largest scores, in order.

        scores ─► frame ─┬─► exponential ─► accumulate ─► normalise ─► factor ─┐ one per vector
                         └─► insertion ─► kept ◄───────────────────────────────┘
                                └─► emission ─► index, score, probability; min(K, N) beats per vector

    The stages of the softmax, but for the ring of scores: only the K best are emitted, so only they are stored, and no memory
    grows with N. Sum, factor and emission are the same, so the codes are those that the softmax has at the same indices,
    and so is the error bound, `bound.bound(config)`.

    Ports: `i`, stream of scores; `o`, stream of {index, score, probability, last, overlong}, `last` on a vector's last beat;
    the first beat is the winner. Latency N + `softmax_top_k_latency` cycles to the first beat. No bubble between vectors of
    `vector_interval` elements or more, and a serial divider takes its cycles for K elements of a vector only. With several lanes
    B beats come in, each lane has a list, and `Merged` gives out one element per cycle.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        widths, cycles = numerics(config), schedule(config)
        normaliser = NORMALISERS[config.normaliser]
        factor_width = normaliser.factor_width(widths)
        vectors = kept_vectors(softmax_top_k_vectors(config, cycles))
        m.submodules.frame = frame = Frame(config)
        lists, kept = largest(m, config, vectors)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        framed = frame.o.payload
        element, ends = Signal(), Signal()

        # What works once per vector may take its time, and a vector's last element waits where it would come too soon.
        m.submodules.spacing = spacing = Spacing(cycles.vector_interval)
        m.submodules.credit = credit = Credit(vectors - 1, int(cycles.pipelined))
        m.d.comb += [
            frame.o.ready.eq(spacing.free | ~framed.last),
            element.eq(frame.o.valid & frame.o.ready),
            ends.eq(element & framed.last),
            spacing.taken.eq(ends),
            spacing.allowed.eq(credit.available),
            credit.take.eq(ends),
            credit.give.eq(kept.ends),
            *listed(config, lists, framed, element),
        ]
        connect_lists(m, lists, kept)

        # The sum, and once per vector what the normaliser makes of it.
        of_lane = partial(lane_terms, m, config, framed=framed, element=element)
        accumulate = sum_of(m, config, [*map(of_lane, range(config.lanes))])
        m.submodules.normalise = normalise = normalise_of(config, widths, 1)
        m.submodules.factor = factor = normaliser.Factor(
            widths, factor_width, 1, cycles.memory, pipelined=cycles.pipelined
        )
        m.submodules.factors = factors = Factors(factor_layout(widths, factor_width, 1), vectors, cycles.memory)
        wiring.connect(m, normalise.o, factor.i)
        overlong = Signal()
        m.d.comb += [
            *normalised(m, config, normalise, accumulate, ends, overlong, [overlong.eq(framed.overlong)]),
            factors.i.valid.eq(factor.o.valid),
            Value.cast(factors.i.payload).eq(Value.cast(factor.o.payload)),
        ]
        # Vectors whose factors are there and whose elements are not yet on their way.
        due = Signal(range(vectors))
        m.d.sync += due.eq(due + factor.o.valid - kept.begins)
        m.d.comb += kept.free.eq(due != 0)

        # The elements that were kept, once more: what the emission does not need waits in a queue of its own.
        in_flight = (
            2 * cycles.memory + cycles.probability + cycles.queue + 4
        )  # credits are counted two cycles late, on either side
        m.submodules.room = room = Credit(in_flight, 1)
        softmax = config.replace(mode="softmax", lanes=1)  # whose emission it is
        m.submodules.emission = emission = normaliser.Emission(softmax, widths)
        m.submodules.output = output = Queue(probability_layout(softmax), in_flight)
        masked = {"all_masked": 1} if config.mask else {}
        named = data.StructLayout({"index": config.index_width, "position": config.score_width, **masked})
        m.submodules.names = names = Queue(named, in_flight)
        found = kept.o.payload
        taken = Signal()
        spaced: Value = room.available
        if cycles.quotient_interval > 1:
            m.submodules.pace = pace = Spacing(cycles.quotient_interval)
            m.d.comb += pace.taken.eq(taken)
            spaced = room.available & pace.free
        m.d.comb += [
            kept.o.ready.eq(spaced),
            taken.eq(kept.o.valid & spaced),
            room.take.eq(taken),
            room.give.eq(self.o.valid & self.o.ready),
            names.i.valid.eq(taken),
            Value.cast(names.i.payload).eq(Cat(*(found[name] for name in named.members))),
            emission.i.valid.eq(delay(m, taken, cycles.memory - 1, "taken", reset=True)),
            emission.i.payload.position.eq(delay(m, found.position, cycles.memory - 1, "position")),
            emission.i.payload.last.eq(delay(m, found.last, cycles.memory - 1, "last")),
            factors.next.eq(emission.next),
            Value.cast(emission.factor).eq(Value.cast(factors.o)),
        ]
        wiring.connect(m, emission.o, output.i)
        made, name = output.o.payload, names.o.payload
        m.d.comb += [
            # The names are there before the probabilities.
            self.o.valid.eq(output.o.valid),
            output.o.ready.eq(self.o.ready),
            names.o.ready.eq(self.o.ready & output.o.valid),
            self.o.payload.index.eq(name.index),
            self.o.payload.score.eq(code_of(config, name.position)),
            self.o.payload.probability.eq(
                Mux(name.all_masked, 0, made.probability) if config.mask else made.probability
            ),
            self.o.payload.last.eq(made.last),
            self.o.payload.overlong.eq(made.overlong),
        ]
        if config.mask:
            m.d.comb += self.o.payload.all_masked.eq(name.all_masked)
        return m
