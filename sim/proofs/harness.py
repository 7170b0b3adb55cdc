"""The generated Verilog between the two edges of its streams, with a property for each port.

    source ──law assumed──► s_axis   head, generated Verilog   m_axis… ──law asserted──► any sink

The head starts from an arbitrary state: every register and memory holds anything. The first cycle is one of reset, and reset
may come again in any cycle.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, Signal, Value
from amaranth.back import rtlil
from amaranth.hdl import Assume

from softstream.hw.contracts.stream_law import StreamLaw
from softstream.hw.contracts.vector_ledger import VectorLedger
from softstream.hw.plan.ports import Port

__all__ = [
    "HEAD",
    "PROOF",
    "TRANSFER",
    "TWIN",
    "Premises",
    "Property",
    "TwinHarness",
    "harness_rtlil",
    "harness_text",
    "law_properties",
    "ledger_properties",
    "twin_properties",
    "twins_rtlil",
]

PROOF = "softstream__proof"
"""Name of the harness's module; no head has it, because the names of heads have single underscores."""

HEAD = "head"
"""Name of the head's instance in it."""

TWIN = "twin"
"""Name of the instance of a second copy, where there is one."""

TRANSFER = "transfer"
"""Input of a harness with premises of its own: 1 in each cycle in which the head takes a beat, so that a trace tells it."""

Premises = Callable[[Module, Mapping[str, Signal]], Iterable[Value]]
"""What is assumed besides, in every cycle: a function of the harness's module and of the signals at the ports."""


@dataclass(frozen=True)
class Property:
    """One statement about the head."""

    name: str
    """As a person reads it."""
    signal: str
    """Output of the harness that is 1 in a cycle that breaks the statement, or that reaches it."""
    reached: bool
    """Whether the statement is that the signal becomes 1 at some time (a cover) or that it never does (a law)."""
    at_once: bool = True
    """Whether a simulation sees it broken in the same cycle; not so where an answer is late, for it may come yet."""


def streams(ports: Sequence[Port]) -> tuple[str, ...]:
    """Prefixes of the AXI4-Stream ports: `s_axis`, then each output."""
    return tuple(port.name.removesuffix("_tvalid") for port in ports if port.name.endswith("_tvalid"))


def ledger_properties(ledger: VectorLedger) -> tuple[Property, ...]:
    """The statements of a ledger: results, time and capacity, and that every output answers a watched vector."""
    names = [rule.name for rule in ledger.rules]
    return (
        *(Property(f"results on {name}", f"wrong_{name}", False) for name in names),
        Property(f"answer and free input within {ledger.patience} cycles", "late", False, at_once=False),
        Property(f"at most {ledger.VECTORS - 1} vectors inside", "crowded", False, at_once=False),
        *(Property(f"{name} answers", f"answered_{name}", True) for name in names),
    )


def law_properties(ports: Sequence[Port]) -> tuple[Property, ...]:
    """The law of each output, and that each law has a case to judge."""
    outgoing = [name for name in streams(ports) if name.startswith("m_")]
    return (
        *(Property(f"law of {name}", f"{name}_broken", False) for name in outgoing),
        *(Property(f"{name} stalls", f"{name}_stalled", True) for name in outgoing),
    )


def twin_properties(ports: Sequence[Port]) -> tuple[Property, ...]:
    """That two copies of a head agree on every stream, and that every output of them answers."""
    names = streams(ports)
    return (
        *(Property(f"two copies agree on {name}", f"differ_{name}", False) for name in names),
        *(Property(f"{name} answers", f"answers_{name}", True) for name in names if name.startswith("m_")),
    )


class _Edges(Elaboratable):
    """What every harness has: a source that keeps the law at `s_axis`, and a reset in the first cycle."""

    def __init__(
        self, top: str, ports: Sequence[Port], items: Sequence[Property], premises: Premises | None = None
    ) -> None:
        self.top, self.ports, self.premises = top, ports, premises
        # Without a reset of its own: the head's reset is an input like any other.
        self.domain = ClockDomain("sync", reset_less=True)
        self.signals = {port.name: Signal(port.width, name=port.name) for port in ports if port.name != "aclk"}
        self.watch = Signal()
        self.transfer = Signal(name=TRANSFER)
        self.started = Signal()
        self.outputs = {item.signal: Signal(name=item.signal) for item in items}

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = self.domain
        m.submodules[HEAD] = self.instance(self.signals)
        m.d.sync += self.started.eq(1)
        m.d.comb += [
            Assume(self.started | ~self.signals["aresetn"]),
            Assume(self.law(m, "s_axis").holds),
        ]
        if self.premises is not None:
            transfer = self.signals["s_axis_tvalid"] & self.signals["s_axis_tready"]
            m.d.comb += [Assume(premise) for premise in (self.transfer == transfer, *self.premises(m, self.signals))]
        self.state(m)
        return m

    def state(self, m: Module) -> None:
        """Adds the statements."""
        raise NotImplementedError

    def instance(self, wires: Mapping[str, Signal]) -> Instance:
        """A head with these wires at its ports."""
        return Instance(
            self.top,
            i_aclk=ClockSignal(),
            **{f"{port.direction[0]}_{port.name}": wires[port.name] for port in self.ports if port.name != "aclk"},
        )

    def payload(self, stream: str, wires: Mapping[str, Signal]) -> Value:
        """The payload of a stream."""
        return Cat(*(wires[port.name] for port in self.ports if _carries(port.name, stream)))

    def law(self, m: Module, stream: str) -> StreamLaw:
        """The law of a stream."""
        payload = self.payload(stream, self.signals)
        law = StreamLaw(len(payload))
        m.submodules[f"{stream}_law"] = law
        m.d.comb += [
            law.valid.eq(self.signals[f"{stream}_tvalid"]),
            law.ready.eq(self.signals[f"{stream}_tready"]),
            law.payload.eq(payload),
            law.reset.eq(~self.signals["aresetn"]),
        ]
        return law


class _LawHarness(_Edges):
    def state(self, m: Module) -> None:
        for name in streams(self.ports)[1:]:
            law = self.law(m, name)
            m.d.comb += [
                self.outputs[f"{name}_broken"].eq(~law.holds),
                self.outputs[f"{name}_stalled"].eq(law.stalled),
            ]


class TwinHarness(_Edges):
    """Two copies of a head on the same inputs."""

    def state(self, m: Module) -> None:
        twin = self.twin_wires()
        m.submodules[TWIN] = self.instance(twin)
        ready = self.signals["s_axis_tready"], twin["s_axis_tready"]
        m.d.comb += self.outputs["differ_s_axis"].eq(self.started & (ready[0] != ready[1]))
        for name in streams(self.ports)[1:]:
            valid = [wires[f"{name}_tvalid"] for wires in (self.signals, twin)]
            payload = [self.payload(name, wires) for wires in (self.signals, twin)]
            m.d.comb += [
                self.outputs[f"differ_{name}"].eq(
                    self.started & ((valid[0] != valid[1]) | (valid[0] & (payload[0] != payload[1])))
                ),
                self.outputs[f"answers_{name}"].eq(self.started & valid[0] & valid[1]),
            ]

    def twin_wires(self) -> dict[str, Signal]:
        """The wires at the ports of the second copy: the inputs of the first one, and outputs of its own."""
        outputs = (port for port in self.ports if port.direction == "output")
        return self.signals | {port.name: Signal(port.width, name=f"{TWIN}_{port.name}") for port in outputs}


class _LedgerHarness(_LawHarness):
    def __init__(self, top: str, ports: Sequence[Port], ledger: VectorLedger, premises: Premises | None = None) -> None:
        super().__init__(top, ports, (*law_properties(ports), *ledger_properties(ledger)), premises)
        self._ledger = ledger

    def state(self, m: Module) -> None:
        super().state(m)
        ledger, wires = self._ledger, self.signals
        m.submodules.ledger = ledger
        code = wires["s_axis_tdata"][: ledger.width - len(wires.get("s_axis_tuser", []))]
        m.d.comb += [
            ledger.watch.eq(self.watch),
            ledger.reset.eq(~wires["aresetn"]),
            ledger.valid.eq(wires["s_axis_tvalid"]),
            ledger.ready.eq(wires["s_axis_tready"]),
            ledger.element.eq(Cat(code, wires.get("s_axis_tuser", Const(0, 0)))),
            ledger.last.eq(wires["s_axis_tlast"]),
            ledger.null.eq(~wires["s_axis_tkeep"].any() if ledger.null_beats else 0),
            *(self.outputs[item.signal].eq(getattr(ledger, item.signal)) for item in ledger_properties(ledger)),
        ]
        for rule in ledger.rules:
            name = rule.name
            m.d.comb += [
                getattr(ledger, f"valid_{name}").eq(wires[f"{name}_tvalid"]),
                getattr(ledger, f"ready_{name}").eq(wires[f"{name}_tready"]),
                getattr(ledger, f"payload_{name}").eq(self.payload(name, wires)),
            ]


def _carries(port: str, stream: str) -> bool:
    """Whether a port is part of a stream's payload."""
    prefix, _, signal = port.rpartition("_")
    return prefix == stream and signal not in ("tvalid", "tready")


def harness_rtlil(
    top: str, ports: Sequence[Port], ledger: VectorLedger | None = None, *, premises: Premises | None = None
) -> str:
    """The harness as RTLIL text, around a module `top` with these ports that is read from elsewhere.

    Its outputs are the signals of `law_properties(ports)`, and with a ledger those of `ledger_properties(ledger)` too.
    """
    if ledger is None:
        return harness_text(_LawHarness(top, ports, law_properties(ports), premises))
    return harness_text(_LedgerHarness(top, ports, ledger, premises))


def twins_rtlil(top: str, ports: Sequence[Port]) -> str:
    """Two copies of a module `top` on the same inputs as RTLIL text; its outputs are the signals of `twin_properties`."""
    return harness_text(TwinHarness(top, ports, twin_properties(ports)))


def harness_text(harness: _Edges) -> str:
    """A harness as RTLIL text."""
    inputs = [harness.signals[port.name] for port in harness.ports if port.direction == "input" and port.name != "aclk"]
    if harness.premises is not None:
        inputs.append(harness.transfer)
    return rtlil.convert(
        harness,
        name=PROOF,
        ports=[harness.domain.clk, harness.watch, *inputs, *harness.outputs.values()],
        emit_src=False,
    )
