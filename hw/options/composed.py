"""A head with stages around it: front stages, the head of the inner configuration, post stages, the final rounding.

    scores ─► front stages ─┬─► inner head ─┬─► post stages ─► finish ─► skid ─► probabilities
                            │               └─► winner  ▲
                            └─► count of each vector ───┘ where a stage needs it

Where a front stage does not keep the order of the scores, an argmax head beside it finds the winner among those before it,
and that of the inner head is dropped.

Front stages are elastic. Post stages are rigid, each with a fixed latency, and stop all at once: the enable of all is the
ready of the skid behind them, which is a register, so no ready path runs through them and none into the inner head.
"""

from collections.abc import Callable
from typing import Any

from amaranth import Const, Module, Value
from amaranth.lib import wiring

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.composition import Composition
from softstream.hw.options.final_round import Finish
from softstream.hw.options.floor import Floor, Remainder
from softstream.hw.options.inverse_temperature import InverseTemperature
from softstream.hw.options.mean_logits import MeanLogits
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.options.smoothing import Smoothing
from softstream.hw.options.vector_flags import Beside
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.flow import Fork, RigidPipe
from softstream.hw.streams.layouts import score_layout

__all__ = ["FRONTS", "POSTS", "Composed"]

FRONTS: dict[str, Callable[[Config, Config], Any]] = {
    "mean_logits": MeanLogits,
    "inverse_temperature": InverseTemperature,
}
"""Front stage → its component, of the configurations before and behind it: elastic streams `i` and `o` of scores.

One that flags vectors has a port `ended` as well: the flags of the vector whose last beat is offered at `o`.
"""

POSTS: dict[str, Callable[[Config, Config], Any]] = {
    "mean_probabilities": MeanProbabilities,
    "smoothing": Smoothing,
    "floor": Floor,
}
"""Post stage → its component, of the outer and the inner configuration: rigid streams `i` and `o` of guarded beats.

One that has winners of its own, in the place of the inner head's, has a stream `o_best` as well.
"""


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
        flagging: list[tuple[Any, Any]] = []
        winner: Any = None
        for front in parts.fronts:
            if front.winner is not None:
                winner, scores = self._winner(m, front.before, front.winner, scores)
            m.submodules[front.name] = stage = FRONTS[front.name](front.before, front.after)
            wiring.connect(m, scores, stage.i)
            scores = stage.o
            if "ended" in stage.signature.members:
                # Behind it the flags go another way than the vector.
                scores = scores.signature.create(path=("flagged",))
                flagging.append((stage, scores))
        stages = {name: POSTS[name](config, parts.inner) for name in parts.posts}
        m.submodules.inner = inner = self._head(parts.inner)
        if "floor" in stages:
            m.submodules.remainder = remainder = Remainder(config, parts.inner)
            wiring.connect(m, scores, remainder.i)
            scores = remainder.o
        wiring.connect(m, scores, inner.i)
        made: dict[str, Any] = {output.port: getattr(inner, output.port) for output in outputs(config)}
        if winner is not None:
            m.d.comb += inner.o_best.ready.eq(1)
            made["o_best"] = winner.o
        if parts.finished:
            m.submodules.post = post = RigidPipe({**stages, "finish": Finish(config, parts.inner)})
            m.d.comb += [post.i.valid.eq(inner.o.valid), inner.o.ready.eq(post.i.ready)]
            m.d.comb += [post.i.payload[name].eq(inner.o.payload[name]) for name in inner.o.payload.shape().members]
            made["o"] = post.o
            if "floor" in stages:
                # Counted while the vector came in, so long there when its first probability is.
                m.d.comb += [
                    stages["floor"].vector.eq(remainder.vector.payload),
                    remainder.vector.ready.eq(stages["floor"].next & post.moves),
                ]
            if "o_best" in post.signature.members:
                m.d.comb += inner.o_best.ready.eq(1)
                made["o_best"] = post.o_best
        for stage, onward in flagging:
            made = self._flagged(m, stage, onward, made)
        for port, source in made.items():
            target = getattr(self, port)
            m.d.comb += [
                target.valid.eq(source.valid),
                Value.cast(target.payload).eq(Value.cast(source.payload)),
                source.ready.eq(target.ready),
            ]
        return m

    def _winner(self, m: Module, before: Config, found_by: Config, scores: Any) -> tuple[Any, Any]:
        """An argmax head that takes all scores, and the scores once more."""
        m.submodules.fork = fork = Fork(score_layout(before), 2)
        m.submodules.winner = winner = self._head(found_by)
        wiring.connect(m, scores, fork.i)
        m.d.comb += [
            winner.i.valid.eq(fork.o_1.valid),
            fork.o_1.ready.eq(winner.i.ready),
            *(winner.i.payload[name].eq(fork.o_1.payload[name]) for name in score_layout(found_by).members),
        ]
        return winner, fork.o_0

    def _flagged(self, m: Module, stage: Any, onward: Any, made: dict[str, Any]) -> dict[str, Any]:
        """The outputs with the flags that a front stage tells; `onward` is what it puts out, where room for them is assured."""
        last, offered = onward.payload.last, stage.o
        room: Value = Const(1)
        flagged: dict[str, Any] = {}
        for output in outputs(self._config):
            source = made[output.port]
            beside = Beside(
                output, stage.ended.shape(), source.payload.shape(), getattr(self, output.port).payload.shape()
            )
            m.submodules[f"beside_{output.port}"] = beside
            wiring.connect(m, source, beside.i)
            m.d.comb += [
                beside.tag.valid.eq(onward.valid & onward.ready & last),
                Value.cast(beside.tag.payload).eq(Value.cast(stage.ended)),
            ]
            room &= beside.room
            flagged[output.port] = beside.o
        m.d.comb += [
            onward.valid.eq(offered.valid & (room | ~last)),
            Value.cast(onward.payload).eq(Value.cast(offered.payload)),
            offered.ready.eq(onward.ready & (room | ~last)),
        ]
        return flagged
