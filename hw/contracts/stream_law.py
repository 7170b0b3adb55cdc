"""The law of AXI4-Stream at one port, as a circuit that says in every cycle whether the port keeps it."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamLaw"]


class StreamLaw(wiring.Component):
    """`holds`: what AXI4-Stream says of this cycle, given the one before it, is true of the port.

    Formula, with x' for the value in the cycle before:

        reset'                          → ¬valid                         (a source is silent after a reset)
        ¬reset' ∧ ¬reset ∧ valid' ∧ ¬ready' → valid ∧ payload = payload'   (a source holds what was not taken)

    Source: Arm IHI 0051B, AMBA AXI-Stream Protocol Specification, sections 2.2.1 and 2.8.2. A sink is free: `ready` may
    rise and fall at any time.

    Ports: `valid`, `ready`, `payload` and `reset` (active high) as they are at the port. `stalled` tells that the second
    line has a premise in this cycle: a proof must reach it, or it says nothing. The first cycle of all has no cycle
    before it: `holds` is 1 and `stalled` is 0. No latency; the port itself is only read.
    """

    def __init__(self, payload_width: int) -> None:
        super().__init__(
            {
                "valid": In(1),
                "ready": In(1),
                "payload": In(payload_width),
                "reset": In(1),
                "holds": Out(1),
                "stalled": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Initial values are part of the proof: nothing precedes the first cycle.
        after_reset, waiting = Signal(), Signal()
        payload = Signal.like(self.payload)
        m.d.sync += [
            after_reset.eq(self.reset),
            waiting.eq(self.valid & ~self.ready & ~self.reset),
            payload.eq(self.payload),
        ]
        m.d.comb += [
            self.stalled.eq(waiting & ~self.reset),
            self.holds.eq(~(after_reset & self.valid) & ~(self.stalled & (~self.valid | (self.payload != payload)))),
        ]
        return m
