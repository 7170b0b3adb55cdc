"""That a search among all elements of a vector makes one draw: what is between the parts whose contracts it follows from.

With t_i the terms of a vector's elements, C_i = t_1 + … + t_i, N their number and τ its threshold, the search draws the first i
for which C_i > τ. There is one, and one only, because

* both passes look up the same terms: the ring gives the positions that the first pass has summed, in the same vectors, and both
  tables have the same entries, none of which is 0;
* the first pass sums them exactly, because the sum has room for max_length terms, and hands the sum on;
* τ is a share of this sum, at least 0 and below C_N;
* the store gives each vector its own τ, in turn: one is stored as the ring learns that its vector is complete, no element of the
  vector leaves the ring before, and its first one asks for τ;
* the running sum begins at the complement of τ, so that it overflows with the first C_i > τ, and not again below 2^(W+1).

The contracts say so of each part (`hw/contracts/draws.py`); here the head is shown to connect them as they assume.
"""

from typing import Any

from amaranth import Cat, Value

from softstream.hw.config.config import Config
from softstream.hw.contracts.draws import terms_in
from softstream.hw.stages.accumulate import Accumulate
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.exponential import Terms
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.stages.sum_share import SumShare
from softstream.hw.streams.flow import Spacing
from softstream.sim.proofs.inside import SETTLING, InsideHead
from softstream.sim.proofs.refusal import Uncovered

__all__ = ["state_draw"]


def _only(head: InsideHead, kind: type) -> Any:
    """The part of a kind, of which the head has one."""
    [part] = [part for part in head.parts if isinstance(part, kind)]
    return part


def state_draw(head: InsideHead, config: Config, search: CdfSearch, framed: Any) -> list[Any]:
    """States what makes a search draw once per vector, and returns the parts whose contracts it relies on.

    `framed`: the beats of the frame. Raises `Uncovered` for a head whose sums or tables are others.
    """
    ring, thresholds, share, spacing = (_only(head, kind) for kind in (Replay, FactorStore, SumShare, Spacing))
    tables = [part for part in head.parts if isinstance(part, Terms)]
    sums = [part for part in head.parts if isinstance(part, Accumulate)]
    if (
        len(tables) != 2
        or tables[0].entries != tables[1].entries
        or not all(tables[0].entries)
        or [total.limited for total in sums] != [False, True]
        or any(terms_in(total) < config.max_length for total in sums)
        or spacing.interval < share.latency
    ):
        raise Uncovered(
            f"prove --counting: mode = {config.mode!r}; the draw of a search is counted where both passes read terms from a "
            "table and sum them exactly"
        )
    table, first_sum = tables[0], sums[0]
    summed, stored, looked_up = first_sum.i, ring.i, table.i
    marks = looked_up.payload.tag
    statements = {
        "the first pass looks up what the ring stores, and nothing else": _same(
            looked_up, stored, looked_up.payload.position == stored.payload.position
        ),
        "with the marks of the frame": ~stored.valid
        | (Cat(marks.first, marks.last, stored.payload.last) == Cat(framed.first, framed.last, framed.last)),
        "the first pass sums these terms": _same(
            summed,
            table.o,
            Cat(summed.payload.term, summed.payload.edges) == Cat(table.o.payload.term, table.o.payload.tag),
        ),
        "a share is taken of each sum": Cat(share.sum, share.ends) == Cat(first_sum.sum, first_sum.ends),
        "the sums are as far apart as the share needs": (spacing.take == (stored.valid & stored.payload.last))
        & (~spacing.take | spacing.free),
        "each threshold is stored": _same(
            thresholds.i, share.o, thresholds.i.payload.threshold == share.o.payload.threshold
        ),
        "as its vector becomes complete": thresholds.i.valid == ring.complete.valid,
        "the search asks the store for the threshold of each vector": (thresholds.next == search.next)
        & (search.threshold == thresholds.o.threshold),
        "the search looks at what leaves the ring": _same(
            search.i, ring.o, search.i.payload.position == ring.o.payload.position
        ),
    }
    for name, holds in statements.items():
        head.after(SETTLING, f"draw: {name}", holds)
    return [*tables, *sums, share, thresholds, spacing]


def _same(target: Any, source: Any, payload: Value) -> Value:
    """Whether a payload arrives exactly when one leaves, and with it what `payload` compares."""
    return (target.valid == source.valid) & (~target.valid | payload)
