"""A head whose winners nobody takes."""

from typing import Any

from amaranth import Module
from amaranth.lib import wiring

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.ports import outputs

__all__ = ["NoWinner"]


class NoWinner(HeadInterface):
    """The head `inner` without `o_best`: each winner is dropped at once, so none ever stops the head.

    Synthesis removes what only the winner needs. Latency and interval are those of `inner`.
    """

    def __init__(self, config: Config, inner: HeadInterface) -> None:
        self._inner = inner
        super().__init__(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = inner = self._inner
        wiring.connect(m, wiring.flipped(self.i), inner.i)
        m.d.comb += inner.o_best.ready.eq(1)
        for output in outputs(self._config):
            wiring.connect(m, getattr(inner, output.port), wiring.flipped(getattr(self, output.port)))
        return m
