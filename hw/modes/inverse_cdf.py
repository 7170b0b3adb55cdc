"""The sampling head by the inverse of the cumulative distribution: one random number per vector.

    scores ─► frame ─┬─► exponential ─► accumulate ─► sum share: a random share of the sum ─┐ one per vector
                     └─► replay ◄───────────────────────────────────────────────────────────┘
                           └─► CDF search: exponential ─► running sum over the threshold? ─► draw

The edges are elastic and the stages between are rigid, as in the softmax head.
"""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import data, wiring

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.inverse_cdf import cdf_law, exact_sum
from softstream.hw.plan.modes.inverse_cdf import inverse_cdf_schedule
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.cdf_search import CdfSearch, flags_layout
from softstream.hw.stages.exponential_sum import accumulator, lane_terms
from softstream.hw.stages.frame import Frame, code_of, earlier_participant
from softstream.hw.stages.replay import FactorStore, Replay, end_layout, stored_layout
from softstream.hw.stages.sum_share import SumShare
from softstream.hw.streams.flow import Credit, Queue
from softstream.hw.streams.probes import publish

__all__ = ["InverseCdf"]


class InverseCdf(HeadInterface):
    """A draw per vector: index = min{i : t_1 + … + t_i > floor((u + ½)·S / 2^U)}, t_i the exponentials, S their sum.

    The n-th vector after reset has the n-th word of `seed`, whatever the stalls and the lengths of the vectors, so that the
    draws are those of the golden model and the same after every reset.

    Ports: `i`, stream of scores; `o`, stream of {index, score, overlong}, one per vector, with the score of the drawn class.
    Latency and interval are those of `plan(config)`; each element before the drawn one adds a cycle to the latency. Credits
    and a queue cut the ready path.
    """

    @property
    def _among(self) -> Config:
        """The configuration of the sum and of the draw."""
        return self._config

    def _framed(self, m: Module, platform: Any) -> Any:
        """The component whose `o` is the stream of elements."""
        m.submodules.frame = frame = Frame(self._config, indexed=False, registered=True)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        return frame

    def _stored(self) -> data.StructLayout:
        """What the ring stores of an element."""
        return stored_layout(cdf_law(self._among).widths, mask=self._among.mask)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cycles, longest = inverse_cdf_schedule(self._among), self._config.drawn_length
        elements, vectors = cycles.elements(longest), cycles.vectors(longest)
        frame = self._framed(m, platform)
        admission = Admission(
            m,
            frame,
            interval=cycles.vector_interval,
            elements=Room(elements, 1),
            vectors={"vector_credit": Room(vectors)},
        )
        stored = self._stored()
        thresholds, replay = self._threshold(m, frame.o.payload, admission, elements, vectors, stored)
        search = self._draw(m, platform, replay, thresholds, stored)
        m.d.comb += [
            admission.credits["element_credit"].give.eq(replay.leaves),
            admission.credits["vector_credit"].give.eq(search.next),
        ]
        return m

    def _threshold(
        self, m: Module, framed: Any, admission: Admission, elements: int, vectors: int, stored: data.StructLayout
    ) -> tuple[FactorStore, Replay]:
        """First pass: the sum and a share of it, once per vector, and the ring of scores."""
        config, law, cycles = self._config, cdf_law(self._among), inverse_cdf_schedule(self._among)
        inner, sums = exact_sum(self._among), cycles.sums
        accumulate = accumulator(m, inner, [lane_terms(m, inner, 0, framed, admission.element)])
        m.submodules.replay = replay = Replay(
            stored, beats=elements, interval=1, memory=sums.ring, ungated=True, by_gates=config.profile == "fast"
        )
        tag = data.StructLayout({"flags": flags_layout(config), "end": end_layout(elements)})
        vector = Signal(tag, reset_less=True)
        with m.If(admission.ends):
            m.d.sync += [
                *(vector.flags[name].eq(framed[name]) for name in vector.flags.shape().members if name != "all_masked"),
                vector.end.last.eq(replay.address),
                vector.end.single.eq(framed.first),
            ]
        if config.mask:
            earlier = earlier_participant(m, self._among, framed, admission.element)
            with m.If(admission.ends):
                m.d.sync += vector.flags.all_masked.eq(framed.mask & ~earlier)
        m.submodules.sum_share = sum_share = SumShare(law, cycles, config.seed, vector.shape())
        shape = data.StructLayout({"threshold": law.widths.accumulator_width, "flags": flags_layout(config)})
        m.submodules.thresholds = thresholds = FactorStore(
            shape, vectors, sums.memory, by_gates=config.profile == "fast"
        )
        share = sum_share.o.payload
        m.d.comb += [
            replay.i.valid.eq(admission.element),
            *(replay.i.payload[name].eq(framed[name]) for name in stored.members),
            sum_share.sum.eq(accumulate.sum),
            sum_share.ends.eq(accumulate.ends),
            Value.cast(sum_share.tag).eq(Value.cast(vector)),
            thresholds.i.valid.eq(sum_share.o.valid),
            thresholds.i.payload.threshold.eq(share.threshold),
            Value.cast(thresholds.i.payload.flags).eq(Value.cast(share.tag.flags)),
            replay.complete.valid.eq(sum_share.o.valid),
            Value.cast(replay.complete.payload).eq(Value.cast(share.tag.end)),
        ]
        return thresholds, replay

    def _draw(
        self, m: Module, platform: Any, replay: Replay, thresholds: FactorStore, stored: data.StructLayout
    ) -> CdfSearch:
        """Second pass: the draw. A vector leaves the ring only if the output queue has room for its draw."""
        config, law, cycles = self._config, cdf_law(self._among), inverse_cdf_schedule(self._among)
        m.submodules.cdf_search = search = CdfSearch(config, self._among, law, cycles)
        m.submodules.output = output = Queue(self.o.payload.shape(), cycles.draws)
        m.submodules.output_credit = output_credit = Credit(cycles.draws, cycles.margin)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        starts = Signal(init=1)
        with m.If(replay.o.valid):
            m.d.sync += starts.eq(replay.o.payload.last)
        draw = search.o.payload
        m.d.comb += [
            search.i.valid.eq(replay.o.valid),
            search.i.payload.first.eq(starts),
            *(search.i.payload[name].eq(replay.o.payload[name]) for name in stored.members),
            thresholds.next.eq(search.next),
            search.threshold.eq(thresholds.o.threshold),
            Value.cast(search.flags).eq(Value.cast(thresholds.o.flags)),
            output.i.valid.eq(search.o.valid),
            output.i.payload.index.eq(draw.index),
            output.i.payload.score.eq(code_of(config, draw.position)),
            *(output.i.payload[name].eq(draw[name]) for name in flags_layout(config).members),
            output_credit.take.eq(replay.o.valid & starts),
            output_credit.give.eq(self.o.valid & self.o.ready),
            replay.room.eq(output_credit.available),
        ]
        publish(platform, self, starts=starts)
        return search
