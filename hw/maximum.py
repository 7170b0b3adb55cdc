"""The winner: largest score and its first index."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import Config
from .streams import framed_layout, winner_layout

__all__ = ["Maximum"]


class Maximum(wiring.Component):
    """index = min{i : x_i = max x}, on the raw scores: exact in every mode.

    A later element replaces the winner only where it is strictly larger, so the first index wins a tie (NumPy's and
    ONNX's rule).

    Ports: `i`, stream of framed elements; `o`, stream of winners, one per vector. Latency 1 cycle from the vector's last
    element, one element per cycle, no bubble between vectors. A winner that is not taken stops `i`. Passes the ready
    path from `o` to `i`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {"i": In(stream.Signature(framed_layout(config))), "o": Out(stream.Signature(winner_layout(config)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        best = Signal(self._config.score_width)
        element = self.i.payload
        advance = self.o.ready | ~self.o.valid
        m.d.comb += [
            self.i.ready.eq(advance),
            self.o.payload.score.eq(Cat(best[:-1], best[-1] ^ self._config.score_signed)),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(self.i.valid & element.last)
            with m.If(self.i.valid):
                with m.If(element.first | (element.position > best)):
                    m.d.sync += [best.eq(element.position), self.o.payload.index.eq(element.index)]
                m.d.sync += self.o.payload.overlong.eq(element.overlong)
        return m
