"""The sampling heads that draw among the best elements of a vector, behind an ordered list."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import data, wiring

from softstream.hw.config.config import Config
from softstream.hw.modes.gumbel import GumbelDraw
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.modes.inverse_cdf import InverseCdf
from softstream.hw.modes.softmax_top_k import SoftmaxTopK
from softstream.hw.modes.top_k import TopK
from softstream.hw.numbers.ranked_draw import ranked_draw
from softstream.hw.plan.modes.gumbel import BOUNDS
from softstream.hw.plan.modes.ranked_draw import bound_vectors
from softstream.hw.stages.draw_set import DrawSet, bounds_layout, ranked_layout
from softstream.hw.streams.flow import Credit, Queue, RigidPipe
from softstream.hw.streams.probes import publish

__all__ = ["RankedDraw", "RankedShare"]


class RankedDraw(HeadInterface):
    """A draw per vector among its first elements in order: index = argmax over the set of x_r + G_r.

        scores ─► Top-K, with probabilities where p bounds the set ─► draw set ─► Gumbel draw ─► skid ─► draw

    `numbers/ranked_draw.py` defines the set. Each of the K best elements takes a random word, whether it belongs to the set or
    not, so that the draws do not depend on the bounds but through the set.

    Ports: `i`, stream of scores; `o`, stream of {index, score, overlong}, one per vector, with the flag `truncated` where the
    set may reach beyond the list. Latency and interval are those of `plan(config)`: the draw follows the last of the list's
    elements, which leave in successive cycles. Cuts the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, noise = self._config, ranked_draw(self._config).noise
        ranked, draw_set = _ordered(config), DrawSet(config)
        draw = GumbelDraw(config, noise, ranked_layout(config))
        sampler = RigidPipe({"draw_set": draw_set, "draw": draw})
        _connect_list(m, platform, config, self.i, ranked, draw_set, sampler)
        wiring.connect(m, sampler.o, wiring.flipped(self.o))
        return m


class RankedShare(InverseCdf):
    """A draw per vector among its first elements in order: rank = min{r : t_1 + … + t_r > floor((u + ½)·S / 2^U)}.

        scores ─► Top-K, with probabilities where p bounds the set ─► draw set ─► skid ─► share of the sum over the set ─► draw

    t_r is the exponential of the r-th element, 0 outside of the set, and S their sum. `numbers/ranked_draw.py` defines the set.
    Each vector takes one random word.

    Ports: those of `RankedDraw`. Latency and interval are those of `plan(config)`: the list is read twice, and the draw follows
    the last of its elements. Credits and a queue cut the ready path.
    """

    @property
    def _among(self) -> Config:
        return ranked_draw(self._config).among

    def _framed(self, m: Module, platform: Any) -> Any:
        draw_set = DrawSet(self._config)
        bounded = RigidPipe({"draw_set": draw_set})
        _connect_list(m, platform, self._config, self.i, _ordered(self._config), draw_set, bounded)
        return bounded

    def _stored(self) -> data.StructLayout:
        return data.StructLayout({**super()._stored().members, "index": self._config.index_width})


def _ordered(config: Config) -> HeadInterface:
    """The head that orders the best elements."""
    return (SoftmaxTopK if config.draws_share else TopK)(ranked_draw(config).ranked)


def _connect_list(
    m: Module, platform: Any, config: Config, scores: Any, ranked: HeadInterface, draw_set: DrawSet, sampler: RigidPipe
) -> None:
    """The stream `scores` of a head's input through the list `ranked` to the `sampler`, whose first stage is `draw_set`."""
    m.submodules.ranked = ranked
    m.submodules.sampler = sampler
    if config.draw_sideband:
        _bound(m, platform, config, scores, ranked, draw_set, sampler)
    else:
        wiring.connect(m, wiring.flipped(scores), ranked.i)
    wiring.connect(m, ranked.o, sampler.i)


def _bound(
    m: Module, platform: Any, config: Config, scores: Any, ranked: HeadInterface, draw_set: DrawSet, sampler: RigidPipe
) -> None:
    """The input of the list; the bounds of a vector leave with its first beat and wait for its elements in a queue.

    A vector whose bounds find no room waits.
    """
    beat, vectors = scores.payload, bound_vectors(config)
    m.submodules.bounds = bounds = Queue(bounds_layout(config), vectors)
    m.submodules.bounds_credit = credit = Credit(vectors, 1)
    starts, enters, passes, leaves = Signal(init=1), Signal(), Signal(), Signal()
    m.d.comb += [
        passes.eq(~starts | credit.available),
        ranked.i.valid.eq(scores.valid & passes),
        scores.ready.eq(ranked.i.ready & passes),
        *(ranked.i.payload[name].eq(beat[name]) for name in ranked.i.payload.shape().members),
        enters.eq(scores.valid & scores.ready & starts),
        credit.take.eq(enters),
        bounds.i.valid.eq(enters),
        *(bounds.i.payload[name].eq(beat[name]) for name in BOUNDS),
        Value.cast(draw_set.bounds).eq(Value.cast(bounds.o.payload)),
        leaves.eq(draw_set.next & sampler.moves),
        bounds.o.ready.eq(leaves),
        credit.give.eq(leaves),
    ]
    with m.If(scores.valid & scores.ready):
        m.d.sync += starts.eq(beat.last)
    publish(platform, sampler, starts=starts)
