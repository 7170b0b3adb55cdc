"""The softmax head whose codes sum to exactly 2^P."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value

from softstream.hw.modes.softmax import Softmax
from softstream.hw.normalisers.exact_sum import ExactEmission, share_width
from softstream.hw.numbers.exact_sum import exact_sum
from softstream.hw.stages.frame import takes_part
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.streams.flow import Queue

__all__ = ["ExactSoftmax"]


class ExactSoftmax(Softmax):
    """Codes of p_i = exp(s·x_i) / Σ exp(s·x_j) that sum to 2^P: the running sum is rounded, and each code is a difference.

    The head is that of the softmax with `ExactEmission` for all lanes together. With `minimum_code` = F the vector's sum of codes
    less F for each element that takes part is counted while the vector comes in.

    Ports, latency, interval and back-pressure are those of `Softmax`, with the numbers of `plan(config)`.
    """

    def _share_width(self) -> int:
        return share_width(self._config)

    def _share(self, m: Module, framed: Any, element: Value) -> Value:
        config, numbers = self._config, exact_sum(self._config)
        remaining, share = Signal(numbers.code_width, reset_less=True), Signal(numbers.code_width)
        count = Signal(range(config.lanes + 1))
        m.d.comb += [
            count.eq(sum((takes_part(config, framed, lane) for lane in range(config.lanes)), Const(0))),
            share.eq(Mux(framed.first, numbers.one, remaining) - numbers.minimum * count),
        ]
        with m.If(element):
            m.d.sync += remaining.eq(share)
        return share

    def _emit(self, m: Module, replay: Replay, factors: FactorStore, output: Queue) -> None:
        widths = exact_sum(self._config).widths
        m.submodules.emission = emission = ExactEmission(self._config, self._normaliser().factor_width(widths))
        m.d.comb += [
            emission.i.valid.eq(replay.o.valid),
            Value.cast(emission.i.payload).eq(Value.cast(replay.o.payload)),
            Value.cast(emission.factor).eq(Value.cast(factors.o)),
            factors.next.eq(emission.next),
            output.i.valid.eq(emission.o.valid),
            Value.cast(output.i.payload).eq(Value.cast(emission.o.payload)),
        ]
