"""A head with stages around it: front stages, the head of the inner configuration, post stages, the final rounding.

    scores ─► front stages ─► inner head ─┬─► post stages ─► finish ─► skid ─► probabilities
                                          └─► winner

Where a front stage does not keep the order of the scores, an argmax head beside it finds the winner among those before it,
and that of the inner head is dropped.

Front stages are elastic. Post stages are rigid, each with a fixed latency, and stop all at once: the enable of all is the
ready of the skid behind them, which is a register, so no ready path runs through them and none into the inner head.
"""

from collections.abc import Callable
from typing import Any

from amaranth import Module, Value
from amaranth.lib import wiring

from .composition import Composition
from .config import Config
from .finish import Finish
from .interface import HeadInterface
from .inverse_temperature import InverseTemperature
from .smoothing import Smoothing
from .streams import Fork, Stopped, score_layout

__all__ = ["FRONTS", "POSTS", "Composed"]

FRONTS: dict[str, Callable[[Config, Config], Any]] = {"inverse_temperature": InverseTemperature}
"""Front stage → its component, of the configurations before and behind it: elastic streams `i` and `o` of scores."""

POSTS: dict[str, Callable[[Config, Config], Any]] = {"smoothing": Smoothing}
"""Post stage → its component, of the outer and the inner configuration: rigid streams `i` and `o` of guarded beats."""


class Composed(HeadInterface):
    """The head of an outer configuration; the ports are its own. Latency and interval are those of `plan(config)`.

    `head` makes the heads of other configurations, of `parts.inner` among them.
    """

    def __init__(self, config: Config, parts: Composition, head: Callable[[Config], HeadInterface]) -> None:
        self._parts, self._head = parts, head
        super().__init__(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, parts = self._config, self._parts
        scores: Any = wiring.flipped(self.i)
        for front in parts.fronts:
            if front.winner is not None:
                scores = self._winner(m, front.before, front.winner, scores)
            m.submodules[front.name] = stage = FRONTS[front.name](front.before, front.after)
            wiring.connect(m, scores, stage.i)
            scores = stage.o
        m.submodules.inner = inner = self._head(parts.inner)
        wiring.connect(m, scores, inner.i)
        for port in self.signature.members:
            if port == "o_best" and parts.winner is not None:
                m.d.comb += inner.o_best.ready.eq(1)
            elif port not in ("i", "o"):
                wiring.connect(m, getattr(inner, port), wiring.flipped(getattr(self, port)))
        if not parts.finished:
            wiring.connect(m, inner.o, wiring.flipped(self.o))
            return m
        stages = {name: POSTS[name](config, parts.inner) for name in parts.posts}
        m.submodules.post = post = Stopped({**stages, "finish": Finish(config, parts.inner)})
        wiring.connect(m, inner.o, post.i)
        m.d.comb += [
            self.o.valid.eq(post.o.valid),
            Value.cast(self.o.payload).eq(Value.cast(post.o.payload)),
            post.o.ready.eq(self.o.ready),
        ]
        return m

    def _winner(self, m: Module, before: Config, found_by: Config, scores: Any) -> Any:
        """The scores once more, beside an argmax head that takes them all and whose winner goes out."""
        m.submodules.fork = fork = Fork(score_layout(before), 2)
        m.submodules.winner = winner = self._head(found_by)
        wiring.connect(m, scores, fork.i)
        m.d.comb += [
            winner.i.valid.eq(fork.o_1.valid),
            fork.o_1.ready.eq(winner.i.ready),
            *(winner.i.payload[name].eq(fork.o_1.payload[name]) for name in score_layout(found_by).members),
        ]
        wiring.connect(m, winner.o, wiring.flipped(self.o_best))
        return fork.o_0
