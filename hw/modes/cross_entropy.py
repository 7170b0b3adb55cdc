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
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import loss_schedule, schedule
from softstream.hw.stages.exponential_sum import lane_terms, normalised, sum_of
from softstream.hw.stages.frame import Frame, masks, took_part
from softstream.hw.stages.leading_one import normalise_of
from softstream.hw.streams.flow import Credit, Queue, Spacing
from softstream.hw.streams.layouts import each_lane, framed_layout, keep_names, output_layout, pulse
from softstream.hw.streams.registers import delay

__all__ = ["CrossEntropy", "Label"]


def _labelled_vector(config: Config) -> data.StructLayout:
    """What belongs to a vector on its way from its last element to its loss: the label's position, and its flags."""
    flags = {flag.name: 1 for flag in outputs(config)[0].flags}
    return data.StructLayout({"position": config.score_width, "unlabelled": 1, "overlong": 1, **flags})


class Label(wiring.Component):
    """The position of the labelled element, caught while its vector passes.

    Ports: `i`, framed beats, no back-pressure, the label looked at in a vector's first; `position` and `found`, whether
    there was such an element and it was not masked, in the cycle of the vector's last beat. Latency 0.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(pulse(framed_layout(config))),
                "position": Out(config.score_width),
                "found": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, beat = self._config.lanes, self.i.payload
        lane_bits = ceil_log2(lanes)
        kept = Signal(self._config.index_width, reset_less=True)
        label = Signal.like(kept, name="wanted")
        m.d.comb += label.eq(Mux(beat.first, beat.label, kept))
        if self._config.mask:
            keeps = [~mask for mask in masks(self._config, beat)]
        else:
            keeps = [Const(1), *(beat[name] for name in keep_names(lanes))]
        hits = [
            (label == Cat(Const(lane, lane_bits), beat.index)[: len(label)]) & keep for lane, keep in enumerate(keeps)
        ]
        positions = [beat[name] for name in each_lane("position", lanes)]
        position = reduce(or_, (at & hit.replicate(len(at)) for at, hit in zip(positions, hits, strict=True)))
        here = reduce(or_, hits)
        caught, before = Signal(self._config.score_width, reset_less=True), Signal(reset_less=True)
        m.d.comb += [
            self.position.eq(Mux(here, position, caught)),
            self.found.eq(here | (before & ~beat.first)),
        ]
        with m.If(self.i.valid):
            m.d.sync += [kept.eq(label), caught.eq(self.position), before.eq(self.found)]
        return m


class CrossEntropy(HeadInterface):
    """loss = ln Σ exp(s·x_j) − s·x_label in UQm.P: min(max(0, floor((L − Y[label]) / 2^(k + 1))), largest code).

    The same bits as the label's log-softmax, negated. A label that is none of the vector's elements (its length or more,
    beyond the cut of an overlong vector, or masked) sets `unlabelled`, and its loss is the largest code of the format.

    Ports: `i`, stream of {score, last, label}, the label looked at in a vector's first beat; `o`, stream of {loss,
    overlong, unlabelled}, and with a mask `all_masked`, one per vector. Latency and interval are those of `plan(config)`. No
    element is stored: only the label's score is kept while its vector passes.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cycles, times = self._config, schedule(self._config), loss_schedule(self._config)
        numbers = log_numerics(config, signed=False)
        layout = output_layout(config, outputs(config)[0])
        m.submodules.frame = frame = Frame(config)
        framed = frame.o.payload
        element, ends = Signal(), Signal()
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        m.d.comb += [element.eq(frame.o.valid & frame.o.ready), ends.eq(element & framed.last)]

        # Room for the loss is assured before its vector's last element comes in.
        waiting = -(-times.vector // times.interval) + (4 if cycles.pipelined else 2)
        m.submodules.spacing = spacing = Spacing(times.interval)
        m.submodules.loss_credit = credit = Credit(waiting, int(cycles.pipelined))
        m.d.comb += [
            spacing.taken.eq(ends),
            spacing.allowed.eq(credit.available),
            frame.o.ready.eq(spacing.free | ~framed.last),
            credit.take.eq(ends),
            credit.give.eq(self.o.valid & self.o.ready),
        ]

        m.submodules.label = label = Label(config)
        ended = Signal(_labelled_vector(config))
        m.d.comb += [
            label.i.valid.eq(element),
            Value.cast(label.i.payload).eq(Value.cast(framed)),
        ]
        accumulate = sum_of(m, config, (lane_terms(m, config, k, framed, element) for k in range(config.lanes)))
        m.submodules.normalise = normalise = normalise_of(config, numbers.widths, ended.shape())
        m.submodules.log_sum = log_sum = LogSum(numbers, ended.shape(), cycles.memory, pipelined=cycles.pipelined)
        wiring.connect(m, normalise.o, log_sum.i)
        noted = [
            ended.position.eq(label.position),
            ended.unlabelled.eq(~label.found),
            ended.overlong.eq(framed.overlong),
        ]
        if config.mask:
            some = took_part(m, config, framed, element)
            noted.append(ended.all_masked.eq(reduce(and_, masks(config, framed), ~some)))
        m.d.comb += normalised(m, config, normalise, accumulate, ends, ended, noted)

        made = log_sum.o.payload
        scaled = scaled_position(m, numbers, normalise.o.payload.tag.position, cycles.memory)
        if cycles.pipelined:
            scaled = delay(m, scaled, cycles.factor - position_cycles(numbers, cycles.memory), "scaled")
        found = magnitude(numbers, Cat(made.factor, made.exponent), scaled)
        difference = Signal.like(found, reset_less=True)
        unlabelled = delay(m, made.tag.unlabelled, 1, "unlabelled")
        m.submodules.output = output = Queue(layout, waiting)
        loss = Signal(numbers.format.width, reset_less=True)
        m.d.sync += [
            difference.eq(found),
            loss.eq(Mux(unlabelled, numbers.limit, saturated(numbers, difference))),
        ]
        m.d.comb += [
            output.i.valid.eq(delay(m, log_sum.o.valid, 2, "valid", reset=True)),
            output.i.payload.loss.eq(loss),
            output.i.payload.unlabelled.eq(delay(m, unlabelled, 1, "loss_unlabelled")),
            output.i.payload.overlong.eq(delay(m, made.tag.overlong, 2, "overlong")),
        ]
        if config.mask:
            m.d.comb += output.i.payload.all_masked.eq(delay(m, made.tag.all_masked, 2, "all_masked"))
        wiring.connect(m, output.o, wiring.flipped(self.o))
        return m
