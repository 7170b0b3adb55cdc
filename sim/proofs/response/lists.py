"""Softmax of a list, and draws among one: a store gives the elements of one vector after the other, and each takes a credit.

A vector begins to leave as soon as its factor has arrived and the last element of the one before it is read, as the contract of
the store says. A factor counts a cycle after it has arrived, and the queue of orders offers one two cycles after it has arrived.
So V cycles after the end of a vector, only the vectors before it are waited for.

The store reads an element in each cycle in which its output is free: nothing is offered, or an element leaves. Once the outputs
were taken for so long that the credit behind the list is always available, an element leaves when the spacing is free. That is
r cycles after the element before it has left. So of r cycles in a row the output is free in one at least, and while vectors are
there that may leave, one of their elements is read. A vector has K elements at most, and gives its credit back as its last one is
read.

At most q vectors have entered within V cycles, because their ends are apart. While more are out than the credit allows, and it
allows q or more, one of them may leave. So with δ cycles until the credit behind the list stays available, and x vectors by which
the limit of the credit exceeds what may be out while it is available, it is available two cycles after δ + r·K·x, and the gate
may have a register. The spacing of the gate counts from the last end on, whether the outputs are taken or not.

    input      max(δ + r·K·x + 3, I + 2)                        I of the spacing of the gate
    answer     max(δ + r·K·(E + 1), V + r·K·(i + 1) − I·(i − 1), input + V + r·K) + r·M + Q

The answer: of the vectors inside, E at most, all but the last q may leave. If elements are read without a pause from δ on, the
vector whose end waited at the gate is read with those inside. Else the last pause ends as a vector becomes ready. This may be
the waiting vector, V cycles after it has entered; or the i-th from the last of those inside, which had entered I·(i − 1) cycles
before the last one, with i from 1 to q. An element whose read takes M cycles leaves once the output of the store has been free M
times more, and is at the output Q cycles later. Where q exceeds what the credit allows, the input waits for max(δ, V) in the
place of δ.

Beats in front of the frame may each end a vector, and wait for the gate anew: for its spacing, or for a vector to be read and
its credit to come back.
"""

from dataclasses import dataclass
from typing import Any

from softstream.hw.config.config import Config
from softstream.hw.contracts.response import LoopResponse, settled_credit
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.streams.flow import Credit, Spacing
from softstream.sim.proofs.inside import SETTLING, InsideHead, observed
from softstream.sim.proofs.response.bound import RETURN, TAKES, Bound, name_of, parts_of, uncovered
from softstream.sim.proofs.rooms import Link, Ranked

__all__ = ["ServedList", "served_list"]


@dataclass(frozen=True)
class ListBound(Bound):
    """The cycles within which a head with a list answers: E counts vectors, and r those of the elements of one."""

    needed: int = 0
    reopening: int = 0
    end_interval: int = 1
    """I: cycles between two ends that enter, at least."""
    ready: bool = True
    """Whether a vector may leave whenever the gate is closed for the credit."""

    @property
    def _opens(self) -> int:
        begins = self.takes if self.ready else max(self.takes, self.complete)
        return max(begins + self.interval * self.needed + self.gate, self.reopening)

    @property
    def _inside(self) -> int:
        late = -(-self.complete // self.end_interval)
        pauses = [self.complete + self.interval * (i + 1) - self.end_interval * (i - 1) for i in range(1, late + 1)]
        read = max(
            self.takes + self.interval * (self.elements + 1),
            *pauses,
            self._opens + self.complete + self.interval,
        )
        return self._front + read + self.leaves + self.tail + self._pauses


class ServedList:
    """The store of a list, the credits that its vectors and its elements take, and what keeps the elements apart."""

    def __init__(self, config: Config, head: InsideHead, orders: Link, factors: Link, ranked: Ranked) -> None:
        self._config, self._head = config, head
        self.orders, self.factors, self._ranked = orders, factors, ranked
        self.store = ranked.store
        self.behind, spacing = _events(config)
        self.credit = parts_of(head, Credit)[self.behind]
        self.spacing = None if spacing is None else parts_of(head, Spacing)[spacing]

    def bound(self, loop: LoopResponse, spacing: int) -> Bound:
        """The cycles of the response.

        `loop`: that of the queues behind the list; `spacing`: cycles between the ends that enter, at least. Raises `UserError`
        where the queues do not cover what is on the way.
        """
        if not loop.wide:
            raise uncovered(self._config, "the queue behind the list is shorter than the way to it")
        credit, settled = self.orders.credit, settled_credit(self.orders.credit)
        interval = 1 if self.spacing is None else self.spacing.interval
        complete = max(self.orders.cycles + QUEUE_LATENCY, self.factors.cycles + 1)
        end_interval = max(1, spacing)
        ready = settled >= -(-complete // end_interval)
        reopening = RETURN + 1 + (0 if ready else complete)
        return ListBound(
            TAKES + loop.opens,
            complete,
            credit.limit,
            interval * self.store.config.top_k,
            RETURN + 1,
            interval * self.store.cycles + loop.passes,
            credit.limit - settled,
            reopening=max(reopening, spacing + RETURN),
            end_interval=end_interval,
            ready=ready,
        )

    def state(self) -> None:
        """States when a vector begins to leave, and when an element leaves."""
        head, store, due = self._head, self.store, self._ranked.due
        leaves = store.o.valid & store.o.ready
        head.after(SETTLING, "list: a vector may begin to leave where its factor has arrived", store.free == due.any())
        behind = name_of(self.credit)
        head.after(SETTLING, f"list: each element takes {behind}", self.credit.take == leaves)
        may_leave, where = self.credit.available, f"{behind} is available"
        if self.spacing is not None:
            may_leave, where = may_leave & self.spacing.free, f"{where} and the spacing is free"
            counts = (self.spacing.take == leaves) & self.spacing.allowed
            head.after(SETTLING, "list: the spacing counts elements, and waits for nothing else", counts)
        head.after(SETTLING, f"list: an element leaves where {where}", store.o.ready == may_leave)


def served_list(config: Config, head: InsideHead, links: list[Link]) -> ServedList | None:
    """The list of a head whose vectors wait for factors; None where there is none."""
    factors = next((link for link in links if link.ranked is not None), None)
    if factors is None or factors.ranked is None:
        return None
    if parts_of(head, MeanProbabilities):
        raise uncovered(config, "no contract states for how long means pause a list")
    if not isinstance(factors.ranked.store, RankedStore):
        raise uncovered(config, "no contract states when the lane merge answers")
    orders = next(link for link in links if link.store is factors.ranked.store)
    return ServedList(config, head, orders, factors, factors.ranked)


def _events(config: Config) -> tuple[int, int | None]:
    """(number of the credit, number of the spacing) that each element of a list takes, as a simulation suggests."""
    head = observed(config)
    [store] = parts_of(head, RankedStore)
    credits, spacings = parts_of(head, Credit), parts_of(head, Spacing)
    takes: list[Any] = [part.take for part in (*credits, *spacings)]
    leaves, *columns = head.traces([store.o.valid & store.o.ready, *takes])
    same = [column == leaves for column in columns]
    if not any(same[: len(credits)]):
        raise uncovered(config, "no credit is known that each element takes as it leaves the list")
    spaced = same[len(credits) :]
    return same.index(True), spaced.index(True) if any(spaced) else None
