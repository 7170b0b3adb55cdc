"""The core of a board's design: a head with its source of scores, either the link or stored vectors.

    rx ─► LinkCore: link, head ─► tx            DemoCore: stored scores ─► head
              └─► winner                                              └─► winner

Both have the ports `winner`, `winner_valid` and `busy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import Module, ResetInserter, Signal, Value, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from softstream.boards.gateware.winner_display import winner_of
from softstream.boards.link.core import Link
from softstream.boards.link.lanes import LaneGather
from softstream.boards.link.protocol import element_output, vector_output
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.head import Head
from softstream.hw.plan.ports import outputs

__all__ = ["DemoCore", "LinkCore", "Scores"]

Scores = Sequence[Sequence[int]]


class LinkCore(wiring.Component):
    """The link and the head: the whole of the board behind two wires.

    Parameters: see `Link`. Ports: `rx`, `tx`, the lines; `winner`, the index to display of a vector (`winner_of`), in the one
    cycle of `winner_valid`; `busy`, from a vector's first score until its whole result is in a frame.
    """

    def __init__(self, config: Config, *, clock_hz: float, baud: int) -> None:
        self._config = config
        self._link = Link(config, clock_hz=clock_hz, baud=baud)
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "winner": Out(config.index_width),
                "winner_valid": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.link = link = self._link
        head = Head(self._config)
        m.submodules.head = ResetInserter(link.flush)(head)
        wiring.connect(m, link.scores, head.i)
        for output, name in ((element_output(self._config), "elements"), (vector_output(self._config), "vector")):
            if output is not None:
                wiring.connect(m, getattr(head, output.port), getattr(link, name))
        winner, winner_valid = winner_of(m, self._config, head, link.flush)
        m.d.comb += [
            link.first_result.eq(head.o.valid),
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            self.winner.eq(winner),
            self.winner_valid.eq(winner_valid),
            self.busy.eq(link.busy),
        ]
        return m


class DemoCore(wiring.Component):
    """A head that plays stored vectors, one every `period` cycles, for ever.

    A head of groups takes a stored vector as a packet of groups, an ensemble as the vector of each of its members. Several lanes
    get their beats from a `LaneGather`.

    Ports: `winner` in the one cycle of `winner_valid` per result, see `winner_of`; `busy` while a vector enters the head. The
    core drops all other results; the sideband of its scores is 0.

    Raises `UserError` for scores that the configuration cannot take.
    """

    def __init__(self, config: Config, scores: Scores, period: int) -> None:
        low, high = config.score_format.minimum, config.score_format.maximum
        if not scores or not all(scores):
            raise UserError("demo: no scores; give at least one vector of one element, for example [[3, 1]]")
        longest = max(map(len, scores))
        if longest > config.max_length and not config.groups:
            raise UserError(
                f"demo: a vector of {longest} scores, max_length is {config.max_length}; for example --set max_length={longest}"
            )
        if not all(low <= code <= high for vector in scores for code in vector):
            raise UserError(
                f"demo: the stored scores are int8, the score format holds {low} to {high}; for example --set score_width=8"
            )
        self._config, self._scores, self._period = config, scores, period
        super().__init__(
            {"winner": Out(config.index_width), "winner_valid": Out(1), "busy": Out(1)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        m.submodules.head = head = Head(config)
        shape = signed(config.score_width) if config.score_signed else unsigned(config.score_width)
        mask = (1 << config.score_width) - 1
        beats = [
            (code & mask) | (last << config.score_width)
            for vector in self._scores
            for _ in range(config.ensemble)
            for code, last in zip(vector, [*[0] * (len(vector) - 1), 1], strict=True)
        ]
        m.submodules.scores = stored = memory.Memory(shape=unsigned(shape.width + 1), depth=len(beats), init=beats)
        port = stored.read_port()
        address = Signal(range(len(beats)))
        next_address = Signal.like(address)
        pause = Signal(range(self._period + 1))
        sending, fetched = Signal(), Signal()
        source = wiring.flipped(head.i)
        if config.lanes > 1:
            m.submodules.gather = gather = LaneGather(config)
            wiring.connect(m, gather.o, head.i)
            source = wiring.flipped(gather.i)
        transfer = source.valid & source.ready
        last = port.data[-1]
        m.d.comb += [
            next_address.eq(address),
            port.addr.eq(next_address),
            port.en.eq(1),
            source.valid.eq(sending & fetched),
            Value.cast(source.payload.score).eq(port.data[: config.score_width]),
            source.payload.last.eq(last),
            self.busy.eq(sending),
        ]
        m.d.sync += [address.eq(next_address), fetched.eq(1)]
        with m.If(transfer):
            m.d.comb += next_address.eq(address + 1)
            with m.If(address == len(beats) - 1):
                m.d.comb += next_address.eq(0)
            with m.If(last):
                m.d.sync += sending.eq(0)
        with m.If(pause == self._period - 1):
            m.d.sync += [pause.eq(0), sending.eq(1)]
        with m.Else():
            m.d.sync += pause.eq(pause + 1)
        winner, winner_valid = winner_of(m, config, head)
        m.d.comb += [getattr(head, output.port).ready.eq(1) for output in outputs(config)]
        m.d.comb += [self.winner.eq(winner), self.winner_valid.eq(winner_valid)]
        return m
