"""The winner of a vector and the entropy of its probabilities: one result per vector."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.entropy import entropy_numerics
from softstream.hw.plan.modes.entropy import moment_segments
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, skewed
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.entropy_code import EntropyCode
from softstream.hw.stages.exponential_sum import accumulator, lane_terms, sum_to_leading_one
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.leading_one import LeadingOne
from softstream.hw.stages.maximum import maximum_of
from softstream.hw.streams.flow import Queue
from softstream.hw.streams.layouts import winner_layout

__all__ = ["Entropy"]


class Entropy(HeadInterface):
    """entropy = −Σ p_i·log2 p_i of p = softmax(s·x) in UQm.P, from 0 to log2 N bits, beside the winner.

        scores ─► frame ─┬─► terms ──────► accumulate ─┬─► leading one ─► quotient, logarithm, difference ─┬─► result
                         ├─► terms × i ──► accumulate ─┘                                                    │
                         └─► maximum ─► winner ─────────────────────────────────────────────────────────────┘

    The entropy of the predicted classes is the uncertainty by which active learning samples (Settles, "Active learning literature
    survey", 2009, section 3.1), and a score for out-of-distribution detection.

    Ports: `i`, stream of scores; `o`, stream of {index, score, entropy, overlong}, one per vector, with `confidence = margin` the
    margin, and with a mask `all_masked`. A fully masked vector has the entropy 0. Latency and interval are those of
    `plan(config)`. The head stores no element. Credits and queues cut the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cycles = self._config, schedule(self._config)
        m.submodules.frame = frame = Frame(config, indexed=not skewed(config), registered=True)
        m.submodules.maximum = maximum = maximum_of(config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        # Room for winner and entropy is assured before their vector's last element enters.
        results = -(-(cycles.vector_latency + QUEUE_LATENCY) // cycles.vector_interval) + 2
        admission = Admission(
            m,
            frame,
            interval=cycles.vector_interval,
            vectors={"result_credit": Room(results)},
            registered=True,
        )
        m.d.comb += admission.credits["result_credit"].give.eq(self.o.valid & self.o.ready)
        framed = frame.o.payload
        admission.enter(m, maximum, framed)
        m.submodules.winner = winner = Queue(winner_layout(config), results)
        if not skewed(config):
            m.d.comb += maximum.o.ready.eq(1)
        m.d.comb += [
            winner.i.valid.eq(maximum.o.valid),
            *(winner.i.payload[name].eq(maximum.o.payload[name]) for name in winner_layout(config).members),
        ]
        self._join(m, winner, self._entropy(m, framed, admission, results))
        return m

    def _entropy(self, m: Module, framed: Any, admission: Admission, results: int) -> Queue:
        """The codes of the vectors' entropies, in a queue."""
        config, numbers, cycles = self._config, entropy_numerics(self._config), schedule(self._config)
        segments = moment_segments(config)
        terms = (lane_terms(m, config, lane, framed, admission.element) for lane in range(config.lanes))
        accumulate = accumulator(m, config, terms)
        second: dict[str, Any] = {"prefix": "moment_", "widths": numbers.moment}
        products = (lane_terms(m, config, lane, framed, admission.element, **second) for lane in range(config.lanes))
        moments = accumulator(m, config, products, segments=segments, **second)
        m.submodules.leading_one = leading_one = LeadingOne(numbers.widths, cycles.segments, 1, segments)
        m.submodules.entropy_code = entropy_code = EntropyCode(numbers, cycles.memory, halves=config.profile == "fast")
        wiring.connect(m, leading_one.o, entropy_code.i)
        m.d.comb += [
            leading_one.moment.eq(moments.sum),
            *sum_to_leading_one(m, config, leading_one, accumulate, admission.ends, Signal(name="no_tag"), []),
        ]
        m.submodules.output = output = Queue(len(entropy_code.o.payload), results)
        m.d.comb += [output.i.valid.eq(entropy_code.o.valid), output.i.payload.eq(entropy_code.o.payload)]
        return output

    def _join(self, m: Module, winner: Queue, entropy: Queue) -> None:
        """The result of a vector, as soon as both parts are there."""
        code: Value = entropy.o.payload
        if self._config.mask:
            code = Mux(winner.o.payload.all_masked, 0, code)
        m.d.comb += [
            self.o.valid.eq(winner.o.valid & entropy.o.valid),
            winner.o.ready.eq(self.o.ready & entropy.o.valid),
            entropy.o.ready.eq(self.o.ready & winner.o.valid),
            *(self.o.payload[name].eq(winner.o.payload[name]) for name in winner_layout(self._config).members),
            self.o.payload.entropy.eq(code),
        ]
