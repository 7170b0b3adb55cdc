"""Heads that draw by a search: a vector's first element takes the credit of the draw, which comes some cycles after the last one.

The search makes one draw for each vector, and no other (`draws`). Each draw is one of an element that came to the search a fixed
number of cycles before, as is stated here. So no draw comes later than that after its vector's last element. Thus the credit of
the draws, which is the room of the ring, stays available while the outputs are taken (`DrawLoopResponse`). Among a list the draw
comes with the vector's last element, as its room says.
"""

from softstream.hw.contracts.response import DrawLoopResponse
from softstream.sim.proofs.inside import SETTLING, InsideHead
from softstream.sim.proofs.rooms import Link

__all__ = ["draw_loop", "state_search"]


def _cycles(link: Link) -> int:
    """Cycles from an element at the search to its draw."""
    assert link.search is not None
    return link.search.cycles.search


def draw_loop(link: Link) -> DrawLoopResponse:
    """The contract of the credit of the draws and of their queue."""
    return DrawLoopResponse(link.credit, link.cycles if link.search is None else _cycles(link) + link.cycles)


def state_search(head: InsideHead, link: Link) -> None:
    """States that each draw is one of an element that came a fixed number of cycles before.

    That the search takes the elements of the ring, and that the draws arrive in the queue, is stated with its room.
    """
    assert link.search is not None
    cycles = _cycles(link)
    head.after(
        SETTLING + cycles,
        f"search: a draw is one of the element {cycles} cycles before",
        ~link.search.o.valid | head.before(link.search.i.valid, cycles),
    )
