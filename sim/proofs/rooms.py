"""Proof that the stores of a head have room for whatever arrives, at the head's full size.

The contract of a queue, a ring or a store of factors assumes room, which a credit elsewhere has to assure. With L the latency of
the stages between, this follows from three statements about the head, each proved for all inputs and all time:

* a payload arrives at the store if and only if its credit was taken L cycles before;
* the credit comes back if and only if a payload leaves the store;
* the credit is taken as the contract of the credit assumes, so that never more than its limit is out.

The payloads in the store and the ones on the way are those that are out, so the store never holds more than the limit. A short
simulation tells which credit belongs to which store, and L. The proof assumes nothing of the head's state: it shows that the
statements hold from a reset on, and some cycles after any contents at all, because the stages between lose theirs in L cycles.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from amaranth import ClockDomain, Fragment, Module, Signal, Value
from amaranth.back import rtlil
from amaranth.sim import Simulator

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import top_ports
from softstream.hw.processes import temporary_folder
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.streams.flow import Credit, Queue
from softstream.hw.streams.probes import Probes
from softstream.sim.proofs.engine import Verdict, none_within, prepare
from softstream.sim.proofs.harness import HEAD, PROOF, Property

__all__ = ["Link", "prove_rooms"]

_LONGEST = 160
"""Cycles of the longest pipe between a credit and a store that is looked for."""

_SETTLING = 8
"""Cycles after which a statement must hold from any contents, beside L: some parts of a head keep theirs for so long."""


@dataclass(frozen=True)
class Link:
    """A credit, the store whose room it assures, and the cycles from a take to the arrival."""

    credit: Credit
    store: Any
    cycles: int

    @property
    def name(self) -> str:
        """As a person reads it."""
        credit = f"a credit of {self.credit.limit}, margin {self.credit.margin}"
        return f"{_kind(self.store)} for {_capacity(self.store)}: arrivals took {credit}, {self.cycles} cycles before"


def _kind(store: Any) -> str:
    return {Queue: "queue", Replay: "ring", FactorStore: "store of factors"}[type(store)]


def _capacity(store: Any) -> int:
    """Payloads for which a store has room."""
    return int(store.room if isinstance(store, Queue) else store.beats if isinstance(store, Replay) else store.needed)


def _leaves(store: Any) -> Value:
    """Whether a payload leaves a store."""
    if isinstance(store, Queue):
        return store.o.valid & store.o.ready
    return store.leaves if isinstance(store, Replay) else store.next


def _elaborated(config: Config) -> tuple[AxiTop, Fragment, list[Credit], list[Any]]:
    """A head with its credits and its stores."""
    probes, top = Probes(), AxiTop(config)
    fragment = Fragment.get(top, probes)
    components = probes.components()
    credits = [component for component in components if isinstance(component, Credit)]
    return top, fragment, credits, [part for part in components if isinstance(part, (Queue, Replay, FactorStore))]


def _traces(config: Config, signals: Sequence[Value], top: AxiTop, head: Fragment) -> list[list[int]]:
    """Bits in each cycle of a simulation with short vectors, which pauses at both edges."""
    m = Module()
    m.domains.proof = domain = ClockDomain("proof")
    m.submodules[HEAD] = head
    m.d.comb += [top.aclk.eq(domain.clk), top.aresetn.eq(~domain.rst)]
    inputs = [port for port in top_ports(config) if port.direction == "input" and port.name not in ("aclk", "aresetn")]
    rows: list[list[int]] = []
    choice = random.Random(1)
    length = max(1, min(3, config.max_length))
    cycles = 2 * plan(config).last_output_cycle(length) + 2 * _LONGEST

    async def bench(context: Any) -> None:
        for cycle in range(cycles):
            for port in inputs:
                busy = choice.random() < (0.8 if cycle % 64 < 48 else 0.2)
                value = int(busy) if port.width == 1 else choice.getrandbits(port.width)
                value = (1 << port.width) - 1 if port.name.endswith("tkeep") else value
                context.set(getattr(top, port.name), value)
            rows.append([context.get(signal) for signal in signals])
            await context.tick("proof")

    simulator = Simulator(m)
    simulator.add_clock(1e-6, domain="proof")
    simulator.add_testbench(bench)
    simulator.run()
    return [[*column] for column in zip(*rows, strict=True)]


def _cycles_between(takes: Sequence[int], arrivals: Sequence[int]) -> int | None:
    """Cycles by which the arrivals follow the takes; None where they do not follow them."""
    for cycles in range(_LONGEST):
        if any(arrivals) and not any(arrivals[:cycles]) and [*arrivals[cycles:]] == [*takes[: len(takes) - cycles]]:
            return cycles
    return None


def _numbers(config: Config) -> list[tuple[int, int, int]]:
    """(number of a credit, number of the store whose room it seems to assure, cycles): candidates for a proof."""
    top, head, credits, stores = _elaborated(config)
    signals = [
        *(signal for credit in credits for signal in (credit.take, credit.give)),
        *(signal for store in stores for signal in (store.i.valid, _leaves(store))),
    ]
    if not credits or not stores:
        return []
    columns = _traces(config, signals, top, head)
    pairs = [*zip(columns[::2], columns[1::2], strict=True)]
    candidates = []
    for number, (credit, (takes, gives)) in enumerate(zip(credits, pairs, strict=False)):
        for place, (store, (arrivals, departures)) in enumerate(zip(stores, pairs[len(credits) :], strict=True)):
            cycles = _cycles_between(takes, arrivals) if gives == departures and any(gives) else None
            if cycles is not None and credit.limit <= _capacity(store):
                candidates.append((number, place, cycles))
    return candidates


def _statements(m: Module, domain: ClockDomain, candidates: Sequence[Link]) -> tuple[dict[Property, Signal], int]:
    """(statement → signal that is 1 where it does not hold, cycles that decide all)."""
    last = max(link.cycles for link in candidates) + _SETTLING
    age, was_reset = Signal(range(last + 2), reset_less=True), Signal(reset_less=True)
    statements: dict[Property, Signal] = {}
    with m.If(age != last + 1):
        m.d.proof += age.eq(age + 1)
    m.d.proof += was_reset.eq(was_reset | domain.rst)

    def after(cycles: int, name: str, broken: Value) -> None:
        signal = Signal(name=f"item_{len(statements)}")
        m.d.comb += signal.eq(((age == cycles) | was_reset) & ~domain.rst & broken)
        statements[Property(name, signal.name, False)] = signal

    def before(value: Value) -> Signal:
        register = Signal()
        m.d.proof += register.eq(value)
        return register

    for link in candidates:
        take: Value = link.credit.take
        for _ in range(link.cycles):
            take = before(take)
        after(link.cycles + _SETTLING, link.name, link.store.i.valid != take)
        after(1, f"{link.name}; and it comes back as they leave", link.credit.give != _leaves(link.store))
    for credit in dict.fromkeys(link.credit for link in candidates):
        take_before = before(credit.take)
        uncounted = take_before + (before(take_before) & ~credit.available)
        late = credit.take & ~credit.available & ~before(credit.available)
        title = contract_of(credit).title
        after(_SETTLING, f"{title}: taken as its contract assumes", late | (credit.take & (uncounted > credit.margin)))
    return statements, last + 1


def prove_rooms(config: Config, *, seconds: float = 60.0) -> list[Verdict]:
    """The verdicts on the room of the stores of a head, for each credit and store that belong together.

    Nothing is said of a store whose credit comes back at another time than a payload leaves it.
    """
    numbers = _numbers(config)
    if not numbers:
        return []
    # Simulation has bound the clock of the head that it ran, so the proof elaborates another one, with the same order of parts.
    top, head, credits, stores = _elaborated(config)
    links = [Link(credits[number], stores[place], cycles) for number, place, cycles in numbers]
    m = Module()
    m.domains.proof = domain = ClockDomain("proof")
    m.submodules[HEAD] = head
    m.d.comb += [top.aclk.eq(domain.clk), top.aresetn.eq(~domain.rst)]
    statements, cycles = _statements(m, domain, links)
    inputs = [
        getattr(top, port.name)
        for port in top_ports(config)
        if port.direction == "input" and port.name not in ("aclk", "aresetn")
    ]
    text = rtlil.convert(m, name=PROOF, ports=[domain.clk, domain.rst, *inputs, *statements.values()], emit_src=False)
    with temporary_folder() as folder:
        graph = prepare("", text, folder, memories=False, seconds=seconds)
        if graph is None:
            return [Verdict(item, "open", "–", None, seconds) for item in statements]
        verdicts = none_within(graph, [*statements], cycles, seconds=seconds)
    return [replace(verdict, method="induction") for verdict in verdicts]
