"""A head with stages around it: front stages, the head of the inner configuration, post stages, the final rounding.

    scores ─► front stages ─► inner head ─┬─► post stages ─► finish ─► skid ─► probabilities
                                          └─► winner

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
from .smoothing import Smoothing
from .streams import Stopped

__all__ = ["FRONTS", "POSTS", "Composed"]

FRONTS: dict[str, Callable[[Config, Config], Any]] = {}
"""Front stage → its component, of the configurations before and behind it: elastic streams `i` and `o` of scores."""

POSTS: dict[str, Callable[[Config, Config], Any]] = {"smoothing": Smoothing}
"""Post stage → its component, of the outer and the inner configuration: rigid streams `i` and `o` of guarded beats."""


class Composed(HeadInterface):
    """The head of an outer configuration; the ports are its own. Latency and interval are those of `plan(config)`.

    `inner` is the head of `parts.inner`.
    """

    def __init__(self, config: Config, parts: Composition, inner: HeadInterface) -> None:
        self._parts, self._inner = parts, inner
        super().__init__(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, parts = self._config, self._parts
        scores: Any = wiring.flipped(self.i)
        for front in parts.fronts:
            m.submodules[front.name] = stage = FRONTS[front.name](front.before, front.after)
            wiring.connect(m, scores, stage.i)
            scores = stage.o
        m.submodules.inner = inner = self._inner
        wiring.connect(m, scores, inner.i)
        for port in self.signature.members:
            if port not in ("i", "o"):
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
