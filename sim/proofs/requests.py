"""That a queue which is read on request has a payload for each request: what is beside the path of the beats.

The bounds of a vector enter a queue with its first beat, and the set of a draw asks for them with its last element. With e the
n-th end that arrives at the draw set,

* a path of parts with contracts leads there, through a frame and a list, so e is that of the n-th vector, whose first beat
  entered two cycles before or earlier: a list takes as many;
* each vector's first beat puts one payload in, and e is the n-th request;
* by the contract of the queue what arrived two cycles before or earlier is offered, in order, and by its room nothing is lost.

So the n-th request finds the n-th payload, which is that of its vector.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from amaranth import Mux, Value

from softstream.hw.stages.draw_set import DrawSet
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.insertion import Insertion
from softstream.hw.streams.flow import Queue, RigidPipe
from softstream.sim.proofs.inside import SETTLING, InsideHead
from softstream.sim.proofs.rooms import Link

__all__ = ["FINDS", "requested", "state_requests"]

FINDS = "each request finds a payload"
"""End of the statement about a queue that is read on request."""


def requested(head: InsideHead, links: Sequence[Link], others: Sequence[Link]) -> list[Link]:
    """The queue that a draw set asks for bounds, and its credit; `others`: links of stores on a path or beside it."""
    if not any(isinstance(part, DrawSet) and "next" in part.signature.members for part in head.parts):
        return []
    stores = [link.store for link in others]
    return [
        replace(link, on_request=True) for link in links if isinstance(link.store, Queue) and link.store not in stores
    ]


def state_requests(head: InsideHead, link: Link, path: Sequence[tuple[Any, Any]]) -> None:
    """States that each vector's first beat puts a payload in, and that each end at the draw set asks for one.

    `path`: the places before and behind each step.
    """
    kinds = [type(target.part) for _, target in path]
    framed, listed, drawn = (kinds.index(kind) for kind in (Frame, Insertion, DrawSet))
    if not framed < listed < drawn:
        raise ValueError("no list behind the frame takes its two cycles")
    (source, _), (_, target) = path[framed], path[drawn]
    [starts] = [head.probes.registers(part)["starts"] for part in head.parts if isinstance(part, RigidPipe)]
    queue, name = link.store, f"queue for {link.store.room}"
    behind = Mux(head.before(source.leaves), head.before(source.end_leaves), head.before(starts))
    ends: Value = target.arrives & target.end_arrives
    head.after(
        SETTLING,
        f"{name}: each vector's first beat puts one in, and nothing else",
        queue.i.valid == source.leaves & starts,
    )
    head.after(SETTLING, f"{name}: the first beat is the one behind an end, or behind a reset", starts == behind)
    head.after(
        SETTLING, f"{name}: each end of the list's elements asks for one, and nothing else", queue.o.ready == ends
    )
