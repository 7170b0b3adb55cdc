"""Log-sum-exp of a vector relative to its largest score: one result per vector."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.modes.vector_logarithm import VectorLogarithm
from softstream.hw.plan.modes.vector_logarithm import choice_cycles
from softstream.hw.stages.admission import Admission
from softstream.hw.stages.frame import code_of, takes_part
from softstream.hw.streams.layouts import each_lane, framed_layout, pulse
from softstream.hw.streams.registers import delay

__all__ = ["LogSumExp", "Peak"]


class Peak(wiring.Component):
    """The position of the largest score of a vector, 0 where every element is masked.

    Ports: `i`, framed beats, no back-pressure; `position`, valid `choice_cycles(config)` cycles after the vector's last beat. A
    level of the tree over the lanes takes a cycle, as it does in the sum. One beat per cycle.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__({"i": In(pulse(framed_layout(config))), "position": Out(config.score_width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, beat = self._config, self.i.payload
        positions: list[Value] = [
            Mux(takes_part(config, beat, lane), beat[name], 0) if lane or config.mask else beat[name]
            for lane, name in enumerate(each_lane("position", config.lanes))
        ]
        later = choice_cycles(config)
        level = 0
        while len(positions) > 1:
            level += 1
            pairs = zip(positions[::2], positions[1::2], strict=True)
            positions = [delay(m, _larger(*pair), 1, f"larger_{level}_{place}") for place, pair in enumerate(pairs)]
        [position] = positions
        position = delay(m, position, later - level, "position")
        valid, first = delay(m, self.i.valid, later, "valid", reset=True), delay(m, beat.first, later, "first")
        largest = Signal(config.score_width, reset_less=True)
        m.d.comb += self.position.eq(Mux(first | (position > largest), position, largest))
        with m.If(valid):
            m.d.sync += largest.eq(self.position)
        return m


def _larger(one: Value, other: Value) -> Value:
    return Mux(one > other, one, other)


class LogSumExp(VectorLogarithm):
    """log_sum = ln Σ exp(s·(x_j − x_max)) in UQm.P, from 0 to ln N, and the score x_max.

    ln Σ exp(s·x_j) is s·x_max + log_sum: the energy score of a vector (Liu et al., "Energy-based out-of-distribution
    detection", NeurIPS 2020, section 3). Two vectors merge as partial states of one (Milakov and Gimelshein, "Online
    normalizer calculation for softmax", 2018, section 3.1), for example the tiles of a row of attention.

    Ports: `i`, stream of scores; `o`, stream of {log_sum, score, overlong}, and with a mask `all_masked`, one per vector. A fully
    masked vector has log_sum 0 and the code of position 0. Latency and interval are those of `plan(config)`.
    """

    def _chosen(self, m: Module, framed: Any, admission: Admission, vector: Any) -> list[Any]:
        m.submodules.peak = peak = Peak(self._config)
        admission.enter(m, peak, framed)
        return [vector.position.eq(peak.position)]

    def _beat(self, m: Module, code: Value, tag: Any, cycles: int) -> list[tuple[str, Value]]:
        if self._config.mask:
            code = Mux(delay(m, tag.all_masked, cycles, "sum_all_masked"), 0, code)
        return [("log_sum", code), ("score", code_of(self._config, delay(m, tag.position, cycles, "peak")))]
