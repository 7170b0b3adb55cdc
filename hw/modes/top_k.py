"""Top-K: the K largest scores of each vector with their indices, in order."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.top_k import kept_vectors, top_k_vectors
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.lane_merge import connect_lists, largest, listed
from softstream.hw.streams.flow import Credit

__all__ = ["TopK", "code_of"]


def code_of(config: Config, position: Value) -> Value:
    """The score code of a position: in a two's complement format the sign bit is flipped."""
    return Cat(position[:-1], position[-1] ^ config.score_signed)


class TopK(HeadInterface):
    """The K largest scores of each vector, largest first, of equal ones the first index first.

        scores ─► frame ─► insertion, one for each lane ─► kept ─► index, score; min(K, N) beats per vector

    No score but the K best is stored: a memory of K entries per vector holds those of the vectors that wait for the output,
    so nothing grows with N but the index.

    With a mask the list holds what is not masked, so it may be shorter; where all is masked one beat stands for it.

    Ports: `i`, stream of scores; `o`, stream of {index, score, last, overlong}, `last` on a vector's last beat. Latency
    N + `top_k_latency(config)` cycles to the first beat, one element per cycle in, one out, and no bubble whatever the lengths of
    the vectors: for none more comes out than came in. With several lanes B beats come in, and `Merged` puts out: elements one
    per cycle, with `merged_pause` between vectors, so short vectors wait for the output. Cuts the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        vectors = kept_vectors(top_k_vectors(config))
        m.submodules.frame = frame = Frame(config)
        lists, kept = largest(m, config, vectors)
        # One vector fewer than there is room for: the next one begins at once.
        m.submodules.credit = credit = Credit(vectors - 1, 1)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        connect_lists(m, lists, kept)
        element, found = Signal(), kept.o.payload
        m.d.comb += [
            frame.o.ready.eq(credit.available | ~frame.o.payload.last),
            element.eq(frame.o.valid & frame.o.ready),
            *listed(config, lists, frame.o.payload, element),
            credit.take.eq(element & frame.o.payload.last),
            credit.give.eq(kept.ends),
            self.o.valid.eq(kept.o.valid),
            kept.o.ready.eq(self.o.ready),
            self.o.payload.index.eq(found.index),
            self.o.payload.score.eq(code_of(config, found.position)),
            self.o.payload.last.eq(found.last),
            self.o.payload.overlong.eq(found.overlong),
        ]
        if config.mask:
            m.d.comb += self.o.payload.all_masked.eq(found.all_masked)
        return m
