"""The top of a board's design: clock, core, and the winner on whatever LEDs and displays the board has.

    oscillator ─► clocks ─► sync
    rx ─► core ─► tx
            └─► winner ─► LEDs, display

The top asks the platform for its resources, so a new board needs no code here.
"""

from __future__ import annotations

from typing import Any

from amaranth import ClockDomain, Elaboratable, Module, Signal
from amaranth.build import ResourceError
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from softstream.boards.gateware.clock import Clock, ClockTree
from softstream.boards.gateware.core import DemoCore, LinkCore, Scores
from softstream.boards.gateware.winner_display import display_winner
from softstream.boards.registry import Board
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError

__all__ = ["BoardTop"]

_DEMO_SECONDS = 2
"""Time from one stored vector to the next."""


class BoardTop(Elaboratable):
    """The whole design for one board. With `demo` it plays those vectors and has no link.

    Raises `UserError` for a board without a UART, or with one whose pins another resource uses.
    """

    def __init__(
        self, config: Config, row: Board, clock: Clock, *, baud: int | None = None, demo: Scores | None = None
    ) -> None:
        self._row, self._clock = row, clock
        self._core: LinkCore | DemoCore
        if demo is not None:
            self._core = DemoCore(config, demo, max(1, round(_DEMO_SECONDS * clock.hz)))
        else:
            self._core = LinkCore(config, clock_hz=clock.hz, baud=row.baud if baud is None else baud)
        self._index_width = config.index_width

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.clocks = ClockTree(self._row, self._clock)
        m.submodules.core = core = self._core
        if isinstance(core, LinkCore):
            try:
                uart = platform.request("uart", 0, dir="-")
            except ResourceError:
                raise UserError(
                    f"board {self._row.name}: has no UART for the link; for example --demo, which needs none"
                ) from None
            m.submodules.rx = rx = io.Buffer("i", uart.rx)
            m.submodules.tx = tx = io.Buffer("o", uart.tx)
            m.submodules.synchroniser = FFSynchronizer(rx.i, core.rx, init=1)
            line = Signal(init=1)  # a register, so that no glitch of the core reaches the line
            m.d.sync += line.eq(core.tx)
            m.d.comb += tx.o.eq(line)
        display_winner(m, platform, core, self._index_width, self._clock.hz)
        return m
