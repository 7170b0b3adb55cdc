"""The winner: largest score and its first index."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import Config
from .streams import each_lane, framed_layout, winner_layout

__all__ = ["Duel", "Maximum", "contenders_layout"]


def contenders_layout(config: Config, count: int) -> data.StructLayout:
    """A framed beat of which `count` positions are left, each with the lane that it came on; at first, a framed beat."""
    if count == config.lanes:
        return framed_layout(config)
    lane_bits = (config.lanes // count - 1).bit_length()
    return data.StructLayout(
        {
            **dict.fromkeys(each_lane("position", count), config.score_width),
            **dict.fromkeys(each_lane("lane", count), lane_bits),
            "index": config.beat_width,
            "first": 1,
            "last": 1,
            "overlong": 1,
        }
    )


class Duel(wiring.Component):
    """One level of the tree over the lanes: of each two neighbours the larger position, of equal ones the lower lane.

    A lane that holds no element has position 0 and never beats the one below it.

    Ports: `i`, stream of beats of `count` contenders; `o`, of half as many. Latency 1 cycle, one beat per cycle. Passes
    the ready path from `o` to `i`.
    """

    def __init__(self, config: Config, count: int) -> None:
        self._count = count
        super().__init__(
            {
                "i": In(stream.Signature(contenders_layout(config, count))),
                "o": Out(stream.Signature(contenders_layout(config, count // 2))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        before, after = self.i.payload, self.o.payload
        positions = [before[name] for name in each_lane("position", self._count)]
        # At first, a contender's place is its lane.
        lanes = [before[name] for name in each_lane("lane", self._count) if name in before.shape().members]
        uppers = [upper > lower for lower, upper in zip(positions[::2], positions[1::2], strict=True)]
        m.d.comb += self.i.ready.eq(self.o.ready | ~self.o.valid)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
            m.d.sync += [after[name].eq(before[name]) for name in ("index", "first", "last", "overlong")]
            names = zip(each_lane("position", self._count // 2), each_lane("lane", self._count // 2), strict=True)
            for pair, (position, lane) in enumerate(names):
                lower, upper = 2 * pair, 2 * pair + 1
                chosen = [Mux(uppers[pair], lanes[upper], lanes[lower])] if lanes else []
                m.d.sync += [
                    after[position].eq(Mux(uppers[pair], positions[upper], positions[lower])),
                    after[lane].eq(Cat(*chosen, uppers[pair])),
                ]
        return m


class Maximum(wiring.Component):
    """index = min{i : x_i = max x}, on the raw scores: exact in every mode.

    A later element replaces the winner only where it is strictly larger, so the first index wins a tie (NumPy's and
    ONNX's rule): across lanes in a tree of `Duel`s, across beats in a loop behind it.

    Ports: `i`, stream of framed beats; `o`, stream of winners, one per vector. Latency `latency(config)` cycles from the
    vector's last beat, 1 for one lane and 1 more whenever the lanes double; one beat per cycle, no bubble between
    vectors. A winner that is not taken stops `i`. Passes the ready path from `o` to `i`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {"i": In(stream.Signature(framed_layout(config))), "o": Out(stream.Signature(winner_layout(config)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        best = Signal(config.score_width)
        beats: Any = self.i
        count: int = config.lanes
        while count > 1:
            m.submodules[f"duel_{count}"] = duel = Duel(config, count)
            m.d.comb += [
                duel.i.valid.eq(beats.valid),
                Value.cast(duel.i.payload).eq(Value.cast(beats.payload)),
                beats.ready.eq(duel.i.ready),
            ]
            beats, count = duel.o, count // 2
        element = beats.payload
        index = Cat(element.lane, element.index) if config.lanes > 1 else element.index
        advance = self.o.ready | ~self.o.valid
        m.d.comb += [
            beats.ready.eq(advance),
            self.o.payload.score.eq(Cat(best[:-1], best[-1] ^ config.score_signed)),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(beats.valid & element.last)
            with m.If(beats.valid):
                with m.If(element.first | (element.position > best)):
                    m.d.sync += [best.eq(element.position), self.o.payload.index.eq(index)]
                m.d.sync += self.o.payload.overlong.eq(element.overlong)
        return m
