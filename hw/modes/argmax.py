"""The argmax head: the winner alone, exact, from the raw scores."""

from typing import Any

from amaranth import C, Module
from amaranth.lib import wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.stage_cycles import skewed
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.streams.flow import Skid
from softstream.hw.streams.layouts import winner_layout
from softstream.hw.streams.probes import publish_enable

__all__ = ["Argmax"]


class Argmax(HeadInterface):
    """index = min{i : x_i = max x}, with that score, from the raw scores: exact.

    Ports: `i`, stream of scores; `o`, stream of {index, score, overlong}, one per vector. Latency and interval are those of
    `plan(config)`. Passes the ready path from `o` to `i`, or cuts it where the comparison is `skewed`: then everything stops
    by one clock enable, the ready of a skid buffer.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        frame = Frame(config, indexed=not skewed(config))
        if skewed(config):
            self._skewed(m, platform, frame, SkewedMaximum(config))
            return m
        m.submodules.frame = frame
        m.submodules.maximum = maximum = Maximum(config)
        publish_enable(platform, maximum, C(1, 1))
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        wiring.connect(m, frame.o, maximum.i)
        wiring.connect(m, maximum.o, wiring.flipped(self.o))
        return m

    def _skewed(self, m: Module, platform: Any, frame: Frame, maximum: SkewedMaximum) -> None:
        m.submodules.skid = skid = Skid(winner_layout(self._config))
        # One register stops all of it at once.
        self._under_enable(m, platform, skid.i.ready, frame, "maximum", maximum, skid.i)
        wiring.connect(m, skid.o, wiring.flipped(self.o))
