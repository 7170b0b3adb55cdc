"""Admission: a framed beat enters the rigid stages only where credits assure room for its results."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from amaranth import Module, Signal, Value

from softstream.hw.stages.frame import Frame
from softstream.hw.streams.flow import Credit, Spacing

__all__ = ["Admission", "Room"]


class Room(NamedTuple):
    """Room behind the rigid stages: `limit` payloads, and the `margin` of its `Credit`."""

    limit: int
    margin: int = 0


class Admission:
    """The gate between `frame` and the rigid stages, which it adds to the module `m` of a head.

        frame ─► gate ─► rigid stages ─► queues
                  └── spacing, element credit, vector credits ◄── gives

    A beat takes an element credit, where there is one, and a vector's last beat takes one of each vector credit. A last beat
    also waits until `interval` cycles have passed since that of the vector before, because the stages that work once per
    vector take that long. `interval` 0 stands for stages that take a vector in every cycle, without a spacing.

    Members: `element`, set where a beat enters; `ends`, set where it is its vector's last; `credits`, by the name of their
    submodules. The head connects each credit's `give` to the event that frees the room. Latency 0; passes the ready path.

    With `registered` the decision comes from a register, a cycle after the credits and in time for the beat that `frame`
    announces by `ending`; every margin then has to be larger by 1.
    """

    def __init__(
        self,
        m: Module,
        frame: Frame,
        *,
        interval: int,
        elements: Room | None = None,
        vectors: Mapping[str, Room],
        registered: bool = False,
    ) -> None:
        self.element, self.ends = Signal(name="element"), Signal(name="ends")
        self.credits: dict[str, Credit] = {}
        if interval:
            m.submodules.spacing = spacing = Spacing(interval)
        rooms = {**({"element_credit": elements} if elements else {}), **vectors}
        for name, room in rooms.items():
            m.submodules[name] = self.credits[name] = Credit(room.limit, room.margin)
        element_credit = self.credits["element_credit"] if elements else None
        vector_credits = [self.credits[name] for name in vectors]

        room_for_vector: Value = vector_credits[0].available
        for credit in vector_credits[1:]:
            room_for_vector = room_for_vector & credit.available
        may_end = room_for_vector
        if interval:
            m.d.comb += [spacing.take.eq(self.ends), spacing.allowed.eq(room_for_vector)]
            may_end = spacing.ready if registered else spacing.free
        gate: Value = may_end | ~(frame.ending if registered else frame.o.payload.last)
        if element_credit is not None:
            gate = element_credit.available & gate
        if registered:
            is_open = Signal(name="open")
            m.d.sync += is_open.eq(gate)
            gate = is_open
        m.d.comb += [
            frame.o.ready.eq(gate),
            self.element.eq(frame.o.valid & frame.o.ready),
            self.ends.eq(self.element & frame.o.payload.last),
            *(credit.take.eq(self.ends) for credit in vector_credits),
        ]
        if element_credit is not None:
            m.d.comb += element_credit.take.eq(self.element)

    def enter(self, m: Module, stage: Any, framed: Any) -> None:
        """Feeds a stage without back-pressure with the beats that enter."""
        m.d.comb += [stage.i.valid.eq(self.element), Value.cast(stage.i.payload).eq(Value.cast(framed))]
