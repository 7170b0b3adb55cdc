"""Top-K: the K largest scores of each vector with their indices, in order."""

from typing import Any

from amaranth import Module
from amaranth.lib import wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.modes.top_k import ranked_vectors, top_k_vectors
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.frame import Frame, code_of
from softstream.hw.stages.lane_merge import connect_lists, insertion_lists, list_inputs

__all__ = ["TopK"]


class TopK(HeadInterface):
    """The K largest scores of each vector, largest first, of equal ones the first index first.

        scores ─► frame ─► insertion, one for each lane ─► ranked store ─► index, score; min(K, N) beats per vector

    The head stores the K best scores alone: a memory of K entries per vector holds those of the vectors that wait for the
    output, so nothing grows with N but the index.

    With a mask the list holds the unmasked elements, so it may be shorter; a fully masked vector yields one beat.

    Ports: `i`, stream of scores; `o`, stream of {index, score, last, overlong}, `last` on a vector's last beat. Latency
    N + `top_k_latency(config)` cycles to the first beat, one element per cycle in and one out, without a bubble whatever the
    lengths of the vectors, because no vector yields more elements than it has. With several lanes B beats come in and a
    `LaneMerge` hands out one element per cycle, with `merged_pause` between vectors, so short vectors wait for the output.
    Cuts the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        vectors = ranked_vectors(top_k_vectors(config))
        m.submodules.frame = frame = Frame(config)
        lists, read_out = insertion_lists(m, config, vectors)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        # One credit fewer than there is room, because the next vector begins to enter at once.
        admission = Admission(m, frame, interval=0, vectors={"credit": Room(vectors - 1, 1)})
        connect_lists(m, lists, read_out)
        ranked = read_out.o.payload
        m.d.comb += [
            *list_inputs(config, lists, frame.o.payload, admission.element),
            admission.credits["credit"].give.eq(read_out.ends),
            self.o.valid.eq(read_out.o.valid),
            read_out.o.ready.eq(self.o.ready),
            self.o.payload.index.eq(ranked.index),
            self.o.payload.score.eq(code_of(config, ranked.position)),
            self.o.payload.last.eq(ranked.last),
            self.o.payload.overlong.eq(ranked.overlong),
        ]
        if config.mask:
            m.d.comb += self.o.payload.all_masked.eq(ranked.all_masked)
        return m
