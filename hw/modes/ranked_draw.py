"""The sampling head that draws among the best elements of a vector, by Gumbel noise behind an ordered list."""

from collections.abc import Callable
from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import wiring

from softstream.hw.config.config import Config
from softstream.hw.modes.gumbel import GumbelDraw
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.ranked_draw import ranked_draw
from softstream.hw.plan.modes.gumbel import BOUNDS
from softstream.hw.plan.modes.ranked_draw import bound_vectors
from softstream.hw.stages.draw_set import DrawSet, bounds_layout, ranked_layout
from softstream.hw.streams.flow import Credit, Queue, RigidPipe

__all__ = ["RankedDraw"]


class RankedDraw(HeadInterface):
    """A draw per vector among its first elements in order: index = argmax over the set of x_r + G_r.

        scores ─► Top-K, with probabilities where p bounds the set ─► draw set ─► Gumbel draw ─► skid ─► draw

    `numbers/ranked_draw.py` defines the set. Each of the K best elements takes a random word, whether it belongs to the set or
    not, so that the draws do not depend on the bounds but through the set. `head` constructs the head that orders the elements.

    Ports: `i`, stream of scores; `o`, stream of {index, score, overlong}, one per vector, with the flag `truncated` where the
    set may reach beyond the list. Latency and interval are those of `plan(config)`: the draw follows the last of the list's
    elements, which leave in successive cycles. Cuts the ready path.
    """

    def __init__(self, config: Config, head: Callable[[Config], HeadInterface]) -> None:
        self._head = head
        super().__init__(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, numbers = self._config, ranked_draw(self._config)
        m.submodules.ranked = ranked = self._head(numbers.ranked)
        draw = GumbelDraw(config, numbers.noise, ranked_layout(config))
        draw_set = DrawSet(config)
        m.submodules.sampler = sampler = RigidPipe({"draw_set": draw_set, "draw": draw})
        if numbers.vector_bounds:
            self._bounded(m, ranked, draw_set, sampler)
        else:
            wiring.connect(m, wiring.flipped(self.i), ranked.i)
        wiring.connect(m, ranked.o, sampler.i)
        wiring.connect(m, sampler.o, wiring.flipped(self.o))
        return m

    def _bounded(self, m: Module, ranked: HeadInterface, draw_set: DrawSet, sampler: RigidPipe) -> None:
        """The input of the list; the bounds of a vector leave with its first beat and wait for its elements in a queue.

        A vector whose bounds find no room waits.
        """
        config, beat, vectors = self._config, self.i.payload, bound_vectors(self._config)
        m.submodules.bounds = bounds = Queue(bounds_layout(config), vectors)
        m.submodules.bounds_credit = credit = Credit(vectors, 1)
        starts, enters, passes, leaves = Signal(init=1), Signal(), Signal(), Signal()
        m.d.comb += [
            passes.eq(~starts | credit.available),
            ranked.i.valid.eq(self.i.valid & passes),
            self.i.ready.eq(ranked.i.ready & passes),
            *(ranked.i.payload[name].eq(beat[name]) for name in ranked.i.payload.shape().members),
            enters.eq(self.i.valid & self.i.ready & starts),
            credit.take.eq(enters),
            bounds.i.valid.eq(enters),
            *(bounds.i.payload[name].eq(beat[name]) for name in BOUNDS),
            Value.cast(draw_set.bounds).eq(Value.cast(bounds.o.payload)),
            leaves.eq(draw_set.next & sampler.moves),
            bounds.o.ready.eq(leaves),
            credit.give.eq(leaves),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += starts.eq(beat.last)
