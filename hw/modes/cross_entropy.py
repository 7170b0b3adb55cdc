"""Cross-entropy of a vector and a label: one result per vector, no ring and no second pass."""

from functools import reduce
from operator import and_, or_
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.modes.log_softmax import magnitude, position_cycles, saturated, scaled_position
from softstream.hw.normalisers.log_sum import LogSum
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.plan.modes.cross_entropy import loss_schedule
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import schedule
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.exponential_sum import accumulator, lane_terms, sum_to_leading_one
from softstream.hw.stages.frame import Frame, earlier_participant, masks
from softstream.hw.stages.leading_one import leading_one_detector
from softstream.hw.streams.flow import Queue
from softstream.hw.streams.layouts import each_lane, framed_layout, keep_names, output_layout, pulse
from softstream.hw.streams.registers import delay

__all__ = ["CrossEntropy", "Label"]


def _labelled_vector(config: Config) -> data.StructLayout:
    """A vector on its way from its last element to its loss: the position of the labelled element, and the flags."""
    flags = {flag.name: 1 for flag in outputs(config)[0].flags}
    return data.StructLayout({"position": config.score_width, "unlabelled": 1, "overlong": 1, **flags})


def label_cycles(config: Config) -> int:
    """From a vector's last framed beat to the position of its label."""
    return 0 if config.profile == "small" else 1


class Label(wiring.Component):
    """The position of the labelled element, captured while its vector passes.

    Ports: `i`, framed beats, no back-pressure, with the label in a vector's first beat; `position`; `hit`, whether the vector
    has such an element, unmasked. Both outputs are valid `label_cycles(config)` cycles after the vector's last beat. One beat
    per cycle.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(pulse(framed_layout(config))),
                "position": Out(config.score_width),
                "hit": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, beat = self._config.lanes, self.i.payload
        lane_bits = ceil_log2(lanes)
        current_label = Signal(self._config.label_width, reset_less=True)
        label = Signal.like(current_label, name="label")
        m.d.comb += label.eq(Mux(beat.first, beat.label, current_label))
        if self._config.mask:
            keeps = [~mask for mask in masks(self._config, beat)]
        else:
            keeps = [Const(1), *(beat[name] for name in keep_names(lanes))]
        hits = [
            (label == Cat(Const(lane, lane_bits), beat.index)[: len(label)]) & keep for lane, keep in enumerate(keeps)
        ]
        positions = [beat[name] for name in each_lane("position", lanes)]
        # The comparison with the label takes long, so what depends on it follows a cycle later.
        later = label_cycles(self._config)
        hits = [delay(m, hit, later, f"hit_{lane}") for lane, hit in enumerate(hits)]
        positions = [delay(m, at, later, f"position_{lane}") for lane, at in enumerate(positions)]
        valid, first = delay(m, self.i.valid, later, "valid", reset=True), delay(m, beat.first, later, "first")
        position = reduce(or_, (at & hit.replicate(len(at)) for at, hit in zip(positions, hits, strict=True)))
        hit = reduce(or_, hits)
        captured, earlier_hit = Signal(self._config.score_width, reset_less=True), Signal(reset_less=True)
        m.d.comb += [
            self.position.eq(Mux(hit, position, captured)),
            self.hit.eq(hit | (earlier_hit & ~first)),
        ]
        with m.If(self.i.valid):
            m.d.sync += current_label.eq(label)
        with m.If(valid):
            m.d.sync += [captured.eq(self.position), earlier_hit.eq(self.hit)]
        return m


class CrossEntropy(HeadInterface):
    """loss = ln Σ exp(s·x_j) − s·x_label in UQm.P: min(max(0, floor((L − Y[label]) / 2^(k + 1))), largest code).

    The bits are those of the label's log-softmax, negated. A label outside the vector's elements (its length or more, beyond
    the cut of an overlong vector, or masked) sets `unlabelled`, and its loss is the largest code of the format.

        scores ─► frame ─┬─► exponential ─► accumulate ─► leading one ─► logarithm ─┐
                         └─► label's position ──────────────────────────────────────┴─► difference ─► loss

    Ports: `i`, stream of {score, last, label}, with the label in a vector's first beat; `o`, stream of {loss, overlong,
    unlabelled}, and with a mask `all_masked`, one per vector. Latency and interval are those of `plan(config)`. The head
    stores no element but the labelled one. Credits and a queue cut the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cycles, times = self._config, schedule(self._config), loss_schedule(self._config)
        m.submodules.frame = frame = Frame(config)
        framed = frame.o.payload
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        # Room for the loss is assured before its vector's last element enters.
        losses = -(-times.vector // times.interval) + (4 if cycles.pipelined else 2)
        admission = Admission(
            m, frame, interval=times.interval, vectors={"loss_credit": Room(losses, int(cycles.pipelined))}
        )
        m.d.comb += admission.credits["loss_credit"].give.eq(self.o.valid & self.o.ready)

        m.submodules.label = label = Label(config)
        admission.enter(m, label, framed)
        vector, later = Signal(_labelled_vector(config)), label_cycles(config)
        assignments = [
            vector.position.eq(label.position),
            vector.unlabelled.eq(~label.hit),
            vector.overlong.eq(delay(m, framed.overlong, later, "overlong_at_label")),
        ]
        if config.mask:
            earlier = earlier_participant(m, config, framed, admission.element)
            all_masked = reduce(and_, masks(config, framed), ~earlier)
            assignments.append(vector.all_masked.eq(delay(m, all_masked, later, "all_masked_at_label")))
        self._loss(m, self._logarithm(m, framed, admission, vector, assignments), losses)
        return m

    def _logarithm(
        self, m: Module, framed: Any, admission: Admission, vector: Signal, assignments: list[Any]
    ) -> tuple[LogSum, Value]:
        """(the logarithm of the sum, along with the vector; the scaled position of the label, in the same cycle)."""
        config, cycles, numbers = self._config, schedule(self._config), log_numerics(self._config, signed=False)
        terms = (lane_terms(m, config, lane, framed, admission.element) for lane in range(config.lanes))
        accumulate = accumulator(m, config, terms)
        m.submodules.leading_one = leading_one = leading_one_detector(config, numbers.widths, vector.shape())
        m.submodules.log_sum = log_sum = LogSum(numbers, vector.shape(), cycles.memory, pipelined=cycles.pipelined)
        wiring.connect(m, leading_one.o, log_sum.i)
        m.d.comb += sum_to_leading_one(
            m, config, leading_one, accumulate, admission.ends, vector, assignments, label_cycles(config)
        )
        scaled = scaled_position(m, numbers, leading_one.o.payload.tag.position, cycles.memory)
        if cycles.pipelined:
            scaled = delay(m, scaled, cycles.normaliser.factor - position_cycles(numbers, cycles.memory), "scaled")
        return log_sum, scaled

    def _loss(self, m: Module, operands: tuple[LogSum, Value], losses: int) -> None:
        """The difference, saturated, in a queue of `losses` entries."""
        config, numbers, (log_sum, scaled) = self._config, log_numerics(self._config, signed=False), operands
        result = log_sum.o.payload
        rounded = magnitude(numbers, Cat(result.factor, result.exponent), scaled)
        difference = Signal.like(rounded, name="difference", reset_less=True)
        unlabelled = delay(m, result.tag.unlabelled, 1, "unlabelled")
        m.submodules.output = output = Queue(output_layout(config, outputs(config)[0]), losses)
        loss = Signal(numbers.format.width, reset_less=True)
        m.d.sync += [
            difference.eq(rounded),
            loss.eq(Mux(unlabelled, numbers.limit, saturated(numbers, difference))),
        ]
        m.d.comb += [
            output.i.valid.eq(delay(m, log_sum.o.valid, 2, "valid", reset=True)),
            output.i.payload.loss.eq(loss),
            output.i.payload.unlabelled.eq(delay(m, unlabelled, 1, "loss_unlabelled")),
            output.i.payload.overlong.eq(delay(m, result.tag.overlong, 2, "overlong")),
        ]
        if config.mask:
            m.d.comb += output.i.payload.all_masked.eq(delay(m, result.tag.all_masked, 2, "all_masked"))
        wiring.connect(m, output.o, wiring.flipped(self.o))
