"""Top-K with probabilities: the K largest scores of each vector, each with its probability among all N elements."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.normalisers import NORMALISERS
from softstream.hw.normalisers.interface import factor_layout
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.modes.softmax_top_k import softmax_top_k_vectors
from softstream.hw.plan.modes.top_k import ranked_vectors
from softstream.hw.plan.schedule import schedule
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.exponential_sum import accumulator, lane_terms, sum_to_leading_one
from softstream.hw.stages.frame import Frame, code_of
from softstream.hw.stages.lane_merge import connect_lists, insertion_lists, list_inputs
from softstream.hw.stages.leading_one import leading_one_detector
from softstream.hw.stages.replay import FactorStore
from softstream.hw.streams.flow import Credit, Queue, Spacing
from softstream.hw.streams.layouts import probability_layout
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["SoftmaxTopK"]


class SoftmaxTopK(HeadInterface):
    r"""p_i = 2^(βx_i) / Σ 2^(βx_j), the sum over all N elements, for the K elements i with the largest scores, in order.

        scores ─► frame ─┬─► exponential ─► accumulate ─► leading one ─► factor ─┐ one per vector
                         └─► insertion ─► ranked store ◄─────────────────────────┘
                                └─► emission ─► index, score, probability; min(K, N) beats per vector

    The stages are those of the softmax, but for the ring of scores: the head emits and stores the K best alone, so no memory
    grows with N. Sum, factor and emission are the same, so the codes are those of the softmax at the same indices, and so is
    the error bound, `bound.bound(config)`.

    Ports: `i`, stream of scores; `o`, stream of {index, score, probability, last, overlong}, `last` on a vector's last beat;
    the first beat is the winner. Latency N + `softmax_top_k_latency` cycles to the first beat. No bubble between vectors of
    `vector_interval` elements or more, and a serial divider takes its cycles for K elements of a vector only. With several
    lanes B beats come in, each lane has a list, and a `LaneMerge` hands out one element per cycle. Cuts the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cycles = self._config, schedule(self._config)
        vectors = ranked_vectors(softmax_top_k_vectors(config, cycles))
        m.submodules.frame = frame = Frame(config, registered=True)
        lists, read_out = insertion_lists(m, config, vectors)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        admission = Admission(
            m,
            frame,
            interval=cycles.vector_interval,
            vectors={"credit": Room(vectors - 1, 2 * cycles.pipelined)},
            registered=True,
        )
        m.d.comb += [
            admission.credits["credit"].give.eq(read_out.ends),
            *list_inputs(config, lists, frame.o.payload, admission.element),
        ]
        connect_lists(m, lists, read_out)
        # The credit comes back with the read of a vector's last element, and a factor leaves when its first one has left.
        factors, factor_valid = self._factors(m, frame.o.payload, admission, vectors - 1 + read_out.held)
        # Vectors whose factor has arrived and whose elements have not begun to leave.
        due = Signal(range(vectors))
        m.d.sync += due.eq(due + factor_valid - read_out.begins)
        if config.profile == "fast":
            # The comparison has a register of its own.
            any_due = Signal()
            m.d.sync += any_due.eq(factor_valid | (any_due & ~(read_out.begins & (due == 1))))
            m.d.comb += read_out.free.eq(any_due)
        else:
            m.d.comb += read_out.free.eq(due != 0)
        self._probabilities(m, read_out, factors)
        publish(platform, self, due=due)
        return m

    def _factors(self, m: Module, framed: Any, admission: Admission, room: int) -> tuple[FactorStore, Value]:
        """(store for `room` factors of vectors, whether one arrives): the sum, and the normaliser's factor once per vector."""
        config, widths, cycles = self._config, numerics(self._config), schedule(self._config)
        normaliser = NORMALISERS[config.division]
        factor_width = normaliser.factor_width(widths)
        terms = [lane_terms(m, config, lane, framed, admission.element) for lane in range(config.lanes)]
        accumulate = accumulator(m, config, terms)
        m.submodules.leading_one = leading_one = leading_one_detector(config, widths, 1)
        m.submodules.factor = factor = normaliser.Factor(
            widths, factor_width, 1, cycles.memory, pipelined=cycles.pipelined
        )
        m.submodules.factors = factors = FactorStore(
            factor_layout(widths, factor_width, 1), room, cycles.memory, by_gates=config.profile == "fast"
        )
        wiring.connect(m, leading_one.o, factor.i)
        overlong = Signal()
        # In `fast` a cycle later, because the end settles too late for a clock enable.
        later = int(config.profile == "fast")
        assignments = [overlong.eq(delay(m, framed.overlong, later, "overlong_later"))]
        m.d.comb += [
            *sum_to_leading_one(m, config, leading_one, accumulate, admission.ends, overlong, assignments, later),
            factors.i.valid.eq(factor.o.valid),
            Value.cast(factors.i.payload).eq(Value.cast(factor.o.payload)),
        ]
        return factors, factor.o.valid

    def _probabilities(self, m: Module, read_out: Any, factors: FactorStore) -> None:
        """Ranked elements through the emission; index, position and mask wait in a queue beside it."""
        config, cycles = self._config, schedule(self._config)
        softmax = config.replace(mode="softmax", sum="rounded", minimum_code=0, lanes=1)  # that of the emission
        in_flight = (
            2 * cycles.memory + cycles.probability + cycles.queue + 4
        )  # a credit counts two cycles late, on each side
        m.submodules.output_credit = output_credit = Credit(in_flight, 1)
        m.submodules.emission = emission = NORMALISERS[config.division].Emission(softmax, numerics(config))
        m.submodules.output = output = Queue(probability_layout(softmax), in_flight)
        masked = {"all_masked": 1} if config.mask else {}
        shape = data.StructLayout({"index": config.index_width, "position": config.score_width, **masked})
        m.submodules.indices = indices = Queue(shape, in_flight)
        ranked, leaving = read_out.o.payload, Signal()
        may_leave: Value = output_credit.available
        if cycles.quotient_interval > 1:
            m.submodules.element_spacing = element_spacing = Spacing(cycles.quotient_interval)
            m.d.comb += element_spacing.take.eq(leaving)
            may_leave = output_credit.available & element_spacing.free
        m.d.comb += [
            read_out.o.ready.eq(may_leave),
            leaving.eq(read_out.o.valid & may_leave),
            output_credit.take.eq(leaving),
            output_credit.give.eq(self.o.valid & self.o.ready),
            indices.i.valid.eq(leaving),
            Value.cast(indices.i.payload).eq(Cat(*(ranked[name] for name in shape.members))),
            emission.i.valid.eq(delay(m, leaving, cycles.memory - 1, "leaving", reset=True)),
            emission.i.payload.position.eq(delay(m, ranked.position, cycles.memory - 1, "position")),
            emission.i.payload.last.eq(delay(m, ranked.last, cycles.memory - 1, "last")),
            factors.next.eq(emission.next),
            Value.cast(emission.factor).eq(Value.cast(factors.o)),
        ]
        wiring.connect(m, emission.o, output.i)
        result, element = output.o.payload, indices.o.payload
        probability = Mux(element.all_masked, 0, result.probability) if config.mask else result.probability
        m.d.comb += [
            # The index arrives before the probability. `indices.o.valid` is here nevertheless, because the proof of the stream
            # law starts in any state of the two queues.
            self.o.valid.eq(output.o.valid & indices.o.valid),
            output.o.ready.eq(self.o.ready & indices.o.valid),
            indices.o.ready.eq(self.o.ready & output.o.valid),
            self.o.payload.index.eq(element.index),
            self.o.payload.score.eq(code_of(config, element.position)),
            self.o.payload.probability.eq(probability),
            self.o.payload.last.eq(result.last),
            self.o.payload.overlong.eq(result.overlong),
        ]
        if config.mask:
            m.d.comb += self.o.payload.all_masked.eq(element.all_masked)
