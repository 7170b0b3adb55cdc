"""Heads without a gate: argmax, sigmoid and draws with Gumbel noise are stages under a clock enable."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of
from softstream.hw.contracts.response import CreditResponse
from softstream.hw.options.floor import Remainder
from softstream.hw.streams.flow import Credit
from softstream.sim.proofs import counting
from softstream.sim.proofs.inside import SETTLING, InsideHead
from softstream.sim.proofs.response.bound import TAKES, Bound, parts_of, uncovered
from softstream.sim.proofs.response.clock_enable import EnabledStages
from softstream.sim.proofs.response.surroundings import check_tag_latency, surroundings_of
from softstream.sim.proofs.rooms import Link, room_links, state_rooms

__all__ = ["UngatedHead"]


class UngatedHead:
    """Stages under a clock enable from a frame to every output, and what stands around them."""

    def __init__(self, config: Config, paths: Sequence[Sequence[Any]]) -> None:
        self.config = config
        self.surroundings = surroundings = surroundings_of(config, paths)
        # A beat that is offered to the frame leaves the input, or the skid buffer of the row before it.
        source = surroundings.rows[-1].skid if surroundings.rows else 0
        self._stages = EnabledStages(config, paths, source)
        self.head = head = InsideHead(config)
        self.places = counting.places_of(head)
        credits = parts_of(head, Credit)
        links = {credits.index(link.credit): link for link in room_links(config, head)}
        entries = {entry.credit: entry for entry in surroundings.entries}
        for number, credit in enumerate(credits):
            if number not in entries or number not in links:
                raise uncovered(config, f"no event is known at which the {contract_of(credit).title} is taken")
            check_tag_latency(config, entries[number], links[number])
        self.links: dict[int, Link] = links

    @property
    def bound(self) -> Bound:
        """The cycles of the response: of the stages, of the frame, and of skid buffers that were full."""
        return self.surroundings.total_bound(Bound(TAKES, 0, 0, 0, 0, self._stages.latency + 2), self.places)

    def contracts(self) -> dict[str, tuple[Any, Callable[[Any], Any]]]:
        """What the response relies on beside number and order: title → (component, its contract)."""
        rows: list[tuple[Any, Callable[[Any], Any]]] = [(link.credit, CreditResponse) for link in self.links.values()]
        rows += [(part, contract_of) for part in parts_of(self.head, Remainder)]
        return {contract(part).title: (part, contract) for part, contract in rows}

    def state(self) -> None:
        """States that the frame takes what it is offered, and what the stages behind it and around them do."""
        self.surroundings.state(self.head, self.places, self.links)
        outputs_ready = partial(self.surroundings.ready, self.head, self.places, self.links)
        free = ~outputs_ready(TAKES - 1) | self.surroundings.frame_ready(self.places)
        self.head.after(SETTLING + TAKES, "frame: it takes what it is offered", free)
        self._stages.state(self.head, self.places, outputs_ready)
        state_rooms(self.head, [*self.links.values()])
