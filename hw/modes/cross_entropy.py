"""Cross-entropy of a vector and a label: one result per vector."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.modes.vector_logarithm import VectorLogarithm
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.plan.modes.vector_logarithm import choice_cycles
from softstream.hw.stages.admission import Admission
from softstream.hw.stages.frame import masks
from softstream.hw.streams.layouts import each_lane, framed_layout, keep_names, pulse
from softstream.hw.streams.registers import delay

__all__ = ["CrossEntropy", "Label"]


class Label(wiring.Component):
    """The position of the labelled element, captured while its vector passes.

    Ports: `i`, framed beats, no back-pressure, with the label in a vector's first beat; `position`; `hit`, whether the vector
    has such an element, unmasked. Both outputs are valid `choice_cycles(config)` cycles after the vector's last beat. One beat
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
        positions = [beat[name] for name in each_lane("position", lanes)]
        # The comparison with the label takes long, so what depends on it follows a cycle later, and four bits have a register.
        later = choice_cycles(self._config)
        hits = []
        for lane, keep in enumerate(keeps):
            place = Cat(Const(lane, lane_bits), beat.index)[: len(label)]
            equal = [label[low : low + 4] == place[low : low + 4] for low in range(0, len(label), 4)]
            hits.append(delay(m, Cat(keep, *equal), later, f"hit_{lane}").all())
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


class CrossEntropy(VectorLogarithm):
    """loss = ln Σ exp(s·x_j) − s·x_label in UQm.P: min(max(0, floor((L − Y[label]) / 2^(k + 1))), largest code).

    The bits are those of the label's log-softmax, negated. A label outside the vector's elements (its length or more, beyond
    the cut of an overlong vector, or masked) sets `unlabelled`, and its loss is the largest code of the format.

    Ports: `i`, stream of {score, last, label}, with the label in a vector's first beat; `o`, stream of {loss, overlong,
    unlabelled}, and with a mask `all_masked`, one per vector. Latency and interval are those of `plan(config)`.
    """

    def _chosen(self, m: Module, framed: Any, admission: Admission, vector: Any) -> list[Any]:
        m.submodules.label = label = Label(self._config)
        admission.enter(m, label, framed)
        return [vector.position.eq(label.position), vector.unlabelled.eq(~label.hit)]

    def _beat(self, m: Module, code: Value, tag: Any, cycles: int) -> list[tuple[str, Value]]:
        limit = log_numerics(self._config, signed=False).limit
        return [("loss", Mux(delay(m, tag.unlabelled, cycles, "loss_unlabelled"), limit, code))]
