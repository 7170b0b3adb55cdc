"""Top-K: the K largest scores of each vector with their indices, in order."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring

from .config import Config
from .frame import Frame
from .insertion import Insertion
from .interface import HeadInterface
from .kept import Kept
from .streams import Credit
from .top_k_schedule import kept_vectors, top_k_vectors

__all__ = ["TopK", "code_of"]


def code_of(config: Config, position: Value) -> Value:
    """The score code of a position: in a two's complement format the sign bit is flipped."""
    return Cat(position[:-1], position[-1] ^ config.score_signed)


class TopK(HeadInterface):
    """The K largest scores of each vector, largest first, of equal ones the first index first.

        scores ─► frame ─► insertion ─► kept ─► index, score; min(K, N) beats per vector

    No score but the K best is stored: a memory of K entries per vector holds those of the vectors that wait for the output,
    so nothing grows with N but the index.

    With a mask the list holds what is not masked, so it may be shorter; where all is masked one beat stands for it.

    Ports: `i`, stream of scores; `o`, stream of {index, score, last, overlong}, `last` on a vector's last beat. Latency
    N + `top_k_latency()` cycles to the first beat, one element per cycle in, one out, and no bubble whatever the lengths of
    the vectors: for none more comes out than came in. Cuts the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        vectors = kept_vectors(top_k_vectors(config))
        m.submodules.frame = frame = Frame(config)
        m.submodules.insertion = insertion = Insertion(config)
        m.submodules.kept = kept = Kept(config, vectors)
        # One vector fewer than there is room for: the next one begins at once.
        m.submodules.credit = credit = Credit(vectors - 1, 1)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        wiring.connect(m, insertion.write, kept.write)
        wiring.connect(m, insertion.o, kept.order)
        element, found = Signal(), kept.o.payload
        m.d.comb += [
            frame.o.ready.eq(credit.available | ~frame.o.payload.last),
            element.eq(frame.o.valid & frame.o.ready),
            insertion.i.valid.eq(element),
            Value.cast(insertion.i.payload).eq(Value.cast(frame.o.payload)),
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
