"""A head with stages around it: front stages, an inner head, post stages, the final rounding.

    scores ─► front stages ─┬─► inner head ─┬─► post stages ─► final round ─► skid ─► probabilities
                            │               └─► winner  ▲
                            └─► count of each vector ───┘ where a stage needs it

A front stage that does not preserve the order of the scores has an argmax head in parallel, which finds the winner among
the scores before that stage; the winner of the inner head is then dropped.

Front stages are elastic. Post stages are rigid, each with a fixed latency, under one clock enable. The enable is the ready
of the skid buffer behind them, a register, so no ready path runs through them and none into the inner head.
"""

from collections.abc import Callable
from typing import Any

from amaranth import Const, Module, Value
from amaranth.lib import wiring

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.composition import Composition
from softstream.hw.options import FRONTS, POSTS
from softstream.hw.options.final_round import FinalRound
from softstream.hw.options.floor import REMAINING_MASS, Remainder
from softstream.hw.options.vector_flags import VectorFlags
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.stage_cycles import skewed
from softstream.hw.streams.flow import Fork, RigidPipe
from softstream.hw.streams.layouts import each_lane, score_layout

__all__ = ["Composed"]


class Composed(HeadInterface):
    """The head of the outer configuration `config`, with the ports of that configuration.

    `parts` lists the stages, and `head` constructs the heads of other configurations, such as `parts.inner`. Latency and
    interval are those of `plan(config)`. Every front stage, the inner head and the skid buffer cut the ready path.
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
            if front.argmax is not None:
                winner, scores = self._winner(m, front.before, front.argmax, scores)
            m.submodules[front.name] = stage = FRONTS[front.name](front.before, front.after)
            wiring.connect(m, scores, stage.i)
            scores = stage.o
            if "ended" in stage.signature.members:
                # The flags travel around the inner head, the vector through it.
                scores = scores.signature.create(path=("flagged",))
                flagging.append((stage, scores))
        stages = {name: POSTS[name](config, parts.inner) for name in parts.posts}
        m.submodules.inner = inner = self._head(parts.inner)
        counting = [stage for stage in stages.values() if getattr(stage, "needs", None) == REMAINING_MASS]
        if counting:
            m.submodules.remainder = remainder = Remainder(config, parts.inner)
            wiring.connect(m, scores, remainder.i)
            scores = remainder.o
        wiring.connect(m, scores, inner.i)
        results: dict[str, Any] = {output.port: getattr(inner, output.port) for output in outputs(config)}
        if winner is not None:
            m.d.comb += inner.o_best.ready.eq(1)
            results["o_best"] = winner.o
        if parts.finished:
            m.submodules.post = post = RigidPipe({**stages, "final_round": FinalRound(config, parts.inner)})
            m.d.comb += [post.i.valid.eq(inner.o.valid), inner.o.ready.eq(post.i.ready)]
            m.d.comb += [post.i.payload[name].eq(inner.o.payload[name]) for name in inner.o.payload.shape().members]
            results["o"] = post.o
            for stage in counting:
                # The count happens as the vector enters, so it arrives long before the vector's first probability.
                m.d.comb += [
                    stage.vector.eq(remainder.vector.payload),
                    remainder.vector.ready.eq(stage.next & post.moves),
                ]
            if "o_best" in post.signature.members:
                m.d.comb += inner.o_best.ready.eq(1)
                results["o_best"] = post.o_best
        for stage, onward in flagging:
            results = self._flagged(m, stage, onward, results)
        for port, source in results.items():
            target = getattr(self, port)
            m.d.comb += [
                target.valid.eq(source.valid),
                self._shifted(target.payload, source.payload)
                if parts.shifted and port == "o"
                else Value.cast(target.payload).eq(Value.cast(source.payload)),
                source.ready.eq(target.ready),
            ]
        return m

    def _shifted(self, target: Any, source: Any) -> list[Any]:
        """The fields of a beat, with the zero point added to its probability codes."""
        lanes, zero = outputs(self._config)[0].lanes(self._config), self._config.output_zero_point
        codes = each_lane("probability", lanes)
        return [
            target[name].eq(source[name] + zero if name in codes else source[name]) for name in target.shape().members
        ]

    def _winner(self, m: Module, before: Config, argmax: Config, scores: Any) -> tuple[Any, Any]:
        """(an argmax head that takes all scores, the stream of the same scores)."""
        # The ready of the front stage is low in the first cycle after reset. A winner that is not skewed passes its ready path
        # and would come a cycle earlier than planned if it took the first score before that stage.
        m.submodules.fork = fork = Fork(score_layout(before), 2, ordered=not skewed(argmax))
        m.submodules.winner = winner = self._head(argmax)
        wiring.connect(m, scores, fork.i)
        m.d.comb += [
            winner.i.valid.eq(fork.o_1.valid),
            fork.o_1.ready.eq(winner.i.ready),
            *(winner.i.payload[name].eq(fork.o_1.payload[name]) for name in score_layout(argmax).members),
        ]
        return winner, fork.o_0

    def _flagged(self, m: Module, stage: Any, onward: Any, results: dict[str, Any]) -> dict[str, Any]:
        """The outputs with the flags of a front stage; `onward` takes the stage's beats where the flag queues have room."""
        last, offered = onward.payload.last, stage.o
        room: Value = Const(1)
        flagged: dict[str, Any] = {}
        for output in outputs(self._config):
            source = results[output.port]
            vector_flags = VectorFlags(
                output, stage.ended.shape(), source.payload.shape(), getattr(self, output.port).payload.shape()
            )
            m.submodules[f"vector_flags_{output.port}"] = vector_flags
            wiring.connect(m, source, vector_flags.i)
            m.d.comb += [
                vector_flags.tag.valid.eq(onward.valid & onward.ready & last),
                Value.cast(vector_flags.tag.payload).eq(Value.cast(stage.ended)),
            ]
            room &= vector_flags.room
            flagged[output.port] = vector_flags.o
        m.d.comb += [
            onward.valid.eq(offered.valid & (room | ~last)),
            Value.cast(onward.payload).eq(Value.cast(offered.payload)),
            offered.ready.eq(onward.ready & (room | ~last)),
        ]
        return flagged
