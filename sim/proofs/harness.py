"""The generated Verilog between the two edges of its streams, with a property for each port.

    source ──law assumed──► s_axis   head, generated Verilog   m_axis… ──law asserted──► any sink

The head starts from an arbitrary state: every register and memory holds anything. The first cycle is one of reset, and reset
may come again in any cycle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, Signal
from amaranth.back import rtlil
from amaranth.hdl import Assume

from softstream.hw.contracts.stream_law import StreamLaw
from softstream.hw.contracts.vector_ledger import VectorLedger
from softstream.hw.plan.ports import Port

__all__ = ["HEAD", "PROOF", "Property", "harness_rtlil", "law_properties", "ledger_properties"]

PROOF = "softstream_proof"
"""Name of the harness's module."""

HEAD = "head"
"""Name of the head's instance in it."""


@dataclass(frozen=True)
class Property:
    """One statement about the head."""

    name: str
    """As a person reads it."""
    signal: str
    """Output of the harness that is 1 in a cycle that breaks the statement, or that reaches it."""
    reached: bool
    """Whether the statement is that the signal becomes 1 at some time (a cover) or that it never does (a law)."""


def streams(ports: Sequence[Port]) -> tuple[str, ...]:
    """Prefixes of the AXI4-Stream ports: `s_axis`, then each output."""
    return tuple(port.name.removesuffix("_tvalid") for port in ports if port.name.endswith("_tvalid"))


def ledger_properties(ledger: VectorLedger) -> tuple[Property, ...]:
    """The statements of a ledger: results, time and capacity, and that every output answers a watched vector."""
    names = [rule.name for rule in ledger.rules]
    return (
        *(Property(f"results on {name}", f"wrong_{name}", False) for name in names),
        Property(f"answer and free input within {ledger.patience} cycles", "late", False),
        Property(f"at most {ledger.VECTORS - 1} vectors inside", "crowded", False),
        *(Property(f"{name} answers", f"answered_{name}", True) for name in names),
    )


def law_properties(ports: Sequence[Port]) -> tuple[Property, ...]:
    """The law of each output, and that each law has a case to judge."""
    outgoing = [name for name in streams(ports) if name.startswith("m_")]
    return (
        *(Property(f"law of {name}", f"{name}_broken", False) for name in outgoing),
        *(Property(f"{name} stalls", f"{name}_stalled", True) for name in outgoing),
    )


class _Harness(Elaboratable):
    def __init__(self, top: str, ports: Sequence[Port], ledger: VectorLedger | None) -> None:
        self._top, self._ports, self._ledger = top, ports, ledger
        # Without a reset of its own: the head's reset is an input like any other.
        self.domain = ClockDomain("sync", reset_less=True)
        self.signals = {port.name: Signal(port.width, name=port.name) for port in ports if port.name != "aclk"}
        self.watch = Signal()
        items = law_properties(ports) if ledger is None else ledger_properties(ledger)
        self.outputs = {item.signal: Signal(name=item.signal) for item in items}

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = self.domain
        wires = self.signals
        m.submodules[HEAD] = Instance(
            self._top,
            i_aclk=ClockSignal(),
            **{f"{port.direction[0]}_{port.name}": wires[port.name] for port in self._ports if port.name != "aclk"},
        )
        started = Signal()
        m.d.sync += started.eq(1)
        m.d.comb += Assume(started | ~wires["aresetn"])
        # Without a ledger the laws of the outputs are the statements; the law of the input is an assumption in any case.
        for name in streams(self._ports) if self._ledger is None else streams(self._ports)[:1]:
            valid, ready = f"{name}_tvalid", f"{name}_tready"
            payload = Cat(*(wires[p.name] for p in self._ports if _carries(p.name, name)))
            law = StreamLaw(len(payload))
            m.submodules[f"{name}_law"] = law
            m.d.comb += [
                law.valid.eq(wires[valid]),
                law.ready.eq(wires[ready]),
                law.payload.eq(payload),
                law.reset.eq(~wires["aresetn"]),
            ]
            if f"{name}_broken" in self.outputs:
                m.d.comb += [
                    self.outputs[f"{name}_broken"].eq(~law.holds),
                    self.outputs[f"{name}_stalled"].eq(law.stalled),
                ]
            else:
                m.d.comb += Assume(law.holds)
        if self._ledger is not None:
            self._account(m, self._ledger)
        return m

    def _account(self, m: Module, ledger: VectorLedger) -> None:
        """Connects the ledger to the ports."""
        wires = self.signals
        m.submodules.ledger = ledger
        code = wires["s_axis_tdata"][: ledger.width - len(wires.get("s_axis_tuser", []))]
        m.d.comb += [
            ledger.watch.eq(self.watch),
            ledger.reset.eq(~wires["aresetn"]),
            ledger.valid.eq(wires["s_axis_tvalid"]),
            ledger.ready.eq(wires["s_axis_tready"]),
            ledger.element.eq(Cat(code, wires.get("s_axis_tuser", Const(0, 0)))),
            ledger.last.eq(wires["s_axis_tlast"]),
            *(signal.eq(getattr(ledger, name)) for name, signal in self.outputs.items()),
        ]
        for rule in ledger.rules:
            name = rule.name
            m.d.comb += [
                getattr(ledger, f"valid_{name}").eq(wires[f"{name}_tvalid"]),
                getattr(ledger, f"ready_{name}").eq(wires[f"{name}_tready"]),
                getattr(ledger, f"payload_{name}").eq(
                    Cat(*(wires[port.name] for port in self._ports if _carries(port.name, name)))
                ),
            ]


def _carries(port: str, stream: str) -> bool:
    """Whether a port is part of a stream's payload."""
    prefix, _, signal = port.rpartition("_")
    return prefix == stream and signal not in ("tvalid", "tready")


def harness_rtlil(top: str, ports: Sequence[Port], ledger: VectorLedger | None = None) -> str:
    """The harness as RTLIL text, around a module `top` with these ports that is read from elsewhere.

    Its outputs are the signals of `law_properties(ports)`, or with a ledger those of `ledger_properties(ledger)`.
    """
    harness = _Harness(top, ports, ledger)
    inputs = [harness.signals[port.name] for port in ports if port.direction == "input" and port.name != "aclk"]
    return rtlil.convert(
        harness,
        name=PROOF,
        ports=[harness.domain.clk, harness.watch, *inputs, *harness.outputs.values()],
        emit_src=False,
    )
