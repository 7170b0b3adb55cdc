"""The argmax head: the winner alone, exact, from the raw scores."""

from typing import Any

from amaranth import EnableInserter, Module, Value
from amaranth.lib import wiring

from .frame import Frame
from .interface import HeadInterface
from .maximum import Maximum, SkewedMaximum
from .schedule import skewed
from .streams import Skid, winner_layout

__all__ = ["Argmax"]


class Argmax(HeadInterface):
    """Streaming argmax. `o`: stream of {index, score, overlong}, one per vector. Latency and interval are those of
    `plan(config)`.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        frame = Frame(config, indexed=not skewed(config))
        if skewed(config):
            self._skewed(m, frame, SkewedMaximum(config))
            return m
        m.submodules.frame = frame
        m.submodules.maximum = maximum = Maximum(config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        wiring.connect(m, frame.o, maximum.i)
        wiring.connect(m, maximum.o, wiring.flipped(self.o))
        return m

    def _skewed(self, m: Module, frame: Frame, maximum: SkewedMaximum) -> None:
        m.submodules.skid = skid = Skid(winner_layout(self._config))
        # One register stops all of it at once, and no ready path runs through the stages.
        m.submodules.frame = EnableInserter(skid.i.ready)(frame)
        m.submodules.maximum = EnableInserter(skid.i.ready)(maximum)
        m.d.comb += [
            self.i.ready.eq(skid.i.ready),
            frame.i.valid.eq(self.i.valid),
            Value.cast(frame.i.payload).eq(Value.cast(self.i.payload)),
            frame.o.ready.eq(1),
            maximum.i.valid.eq(frame.o.valid),
            Value.cast(maximum.i.payload).eq(Value.cast(frame.o.payload)),
            skid.i.valid.eq(maximum.o.valid),
            Value.cast(skid.i.payload).eq(Value.cast(maximum.o.payload)),
        ]
        wiring.connect(m, skid.o, wiring.flipped(self.o))
