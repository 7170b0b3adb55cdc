"""Proof of the contracts of a head's queues, rings, registers, forks, credits and spacings, at their real size or a smaller one.

Each contract is proved by induction, for all inputs that its surroundings may give and all time: from any contents for which its
invariants hold in one cycle, or in some cycles in a row, and by a reset from any contents at all. Bounded model checking of these
cycles and the next one decides both, and of as many more as a payload travels through registers that no invariant speaks of.

Some components have a clock enable in their head. No register changes in a cycle without it, unless there is a reset. Such a
cycle says nothing new, so it is left out; in a cycle of reset the enable is free.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from amaranth import Cat, ClockDomain, Elaboratable, EnableInserter, Fragment, Module, ResetSignal, Signal, Value
from amaranth.back import rtlil
from amaranth.hdl import Assume

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.contracts.catalogue import contract_of, has_contract
from softstream.hw.contracts.contract import Contract
from softstream.hw.processes import temporary_folder
from softstream.hw.streams.probes import Probes
from softstream.sim.proofs.engine import Verdict, decide_within, none_within, prepare
from softstream.sim.proofs.harness import HEAD, PROOF, Property
from softstream.sim.proofs.proof import Progress, Proof
from softstream.sim.proofs.rooms import prove_rooms

__all__ = ["conclusion", "contracts_of", "prove_contract", "prove_contracts", "prove_stores", "summary"]

_DEEPEST = 60
"""Cycles of the longest trace to a case."""


class _ContractHarness(Elaboratable):
    """A contract from arbitrary cycles on (`induction`), or from a reset on.

    `items`: the statements, whose outputs are 1 where one does not hold; or the cases that must occur. An invariant is assumed of
    the first `steps` cycles and checked in the next one, a guarantee `settling` cycles later; both from the first reset on.
    """

    def __init__(self, contract: Contract, *, induction: bool) -> None:
        self._contract, self._induction = contract, induction
        self.memories = contract.memories
        self._inner = contract.circuit()
        if contract.clock_enable:
            enable = contract.free(1, "enable_in_reset")
            self._inner = EnableInserter(enable | ~ResetSignal())(self._inner)
        self.domain = ClockDomain("sync")
        statements = {**contract.invariants, **contract.guarantees} if induction else contract.covers
        self._values = [~value if induction else value for value in statements.values()]
        self._late = contract.guarantees.keys() if induction else ()
        self.depth = 1 + contract.steps + contract.settling if induction else _DEEPEST
        self.items = [
            Property(f"{contract.title}: {name}", f"item_{number}", not induction)
            for number, name in enumerate(statements)
        ]
        self._names = [*statements]
        self._outputs = [Signal(name=item.signal) for item in self.items]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        contract = self._contract
        m.domains.sync = self.domain
        m.submodules[HEAD] = self._inner
        started, reset_before = Signal(reset_less=True), Signal(reset_less=True)
        latest = contract.steps + contract.settling
        age = Signal(range(latest + 1), reset_less=True)
        inductive, settled = Signal(), Signal()
        invariants = Cat(*(value.bool() for value in map(Value.cast, contract.invariants.values()))).all()
        m.d.sync += [started.eq(1), reset_before.eq(reset_before | ResetSignal())]
        with m.If(age != latest):
            m.d.sync += age.eq(age + 1)
        if self._induction:
            # What is assumed of the first cycles ends with a reset, from which on everything is checked.
            premise = (age >= contract.steps) | reset_before | ResetSignal() | invariants
            m.d.comb += [
                inductive.eq((age >= contract.steps) | reset_before),
                settled.eq((age == latest) | reset_before),
            ]
        else:
            premise = started | ResetSignal()
            m.d.comb += [inductive.eq(started), settled.eq(started)]
        m.d.comb += [
            *(
                output.eq((settled if name in self._late else inductive) & ~ResetSignal() & value)
                for name, output, value in zip(self._names, self._outputs, self._values, strict=True)
            ),
            *(Assume(ResetSignal() | statement) for statement in contract.assumptions),
            Assume(premise),
        ]
        return m

    def text(self) -> str:
        """The harness as RTLIL."""
        ports = [self.domain.clk, self.domain.rst, *self._contract.inputs, *self._outputs]
        return rtlil.convert(self, name=PROOF, ports=ports, emit_src=False)


def contracts_of(configs: Iterable[Config]) -> dict[str, Any]:
    """The components of some heads that have a contract, one of each kind and size, by the contract's title."""
    components: dict[str, Any] = {}
    for config in configs:
        probes = Probes()
        Fragment.get(AxiTop(config), probes).prepare()
        for component in filter(has_contract, probes.components()):
            contract = contract_of(component)
            if probes.enable(component) is not None and not contract.clock_enable:
                raise ValueError(
                    f"{contract.title}: the component stands under a clock enable, which its contract excludes"
                )
            components.setdefault(contract.title, component)
    return dict(sorted(components.items()))


def prove_contract(
    component: Any, *, seconds: float = 60.0, contract: Callable[[Any], Contract] = contract_of
) -> list[Verdict]:
    """The verdicts on the contract of a component: its statements, by induction, and that each of its cases occurs."""
    verdicts: list[Verdict] = []
    for induction in (True, False):
        harness = _ContractHarness(contract(component), induction=induction)
        with temporary_folder() as folder:
            graph = prepare("", harness.text(), folder, memories=harness.memories, seconds=seconds)
            if graph is None:
                verdicts += [Verdict(item, "open", "–", None, seconds) for item in harness.items]
            elif induction:
                answers = none_within(graph, harness.items, harness.depth, seconds=seconds)
                verdicts += [replace(verdict, method="induction") for verdict in answers]
            else:
                verdicts += [decide_within(graph, item, harness.depth, seconds=seconds) for item in harness.items]
    return verdicts


def prove_stores(
    config: Config,
    *,
    verilog: str | None = None,
    seconds: float = 60.0,
    reading_seconds: float | None = None,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Proves the contract of every component of a head that has one, and the room of its stores.

    Arguments and errors are those of a `Prover`.

    `verilog` is not read: the components are those of the generator, from which the text comes.
    """
    began = time.monotonic()
    contracts = {title: (component, contract_of) for title, component in contracts_of([config]).items()}
    verdicts = prove_contracts(contracts, seconds=seconds, progress=lambda part, what: progress(0.9 * part, what))
    progress(0.9, "room of the stores")
    verdicts += prove_rooms(config, seconds=seconds)
    return Proof(config, tuple(verdicts), time.monotonic() - began)


def prove_contracts(
    contracts: Mapping[str, tuple[Any, Callable[[Any], Contract]]],
    *,
    seconds: float,
    progress: Progress,
) -> list[Verdict]:
    """The summaries of the contracts of some components, by title: (component, its contract)."""
    verdicts: list[Verdict] = []
    for number, (title, (component, contract)) in enumerate(contracts.items()):
        progress(number / len(contracts), title)
        verdicts += summary(title, prove_contract(component, seconds=seconds, contract=contract))
    return verdicts


def conclusion(config: Config, verdicts: Sequence[Verdict], texts: Iterable[str], began: float) -> Proof:
    """A proof: some verdicts, and the statements that follow if all of them are proved. `began`: when it did."""
    holds = all(verdict.answer == "proved" for verdict in verdicts)
    spent = time.monotonic() - began
    results = (
        Verdict(Property(text, "", False), "proved" if holds else "open", "contracts", None, spent) for text in texts
    )
    return Proof(config, (*verdicts, *results), spent)


def summary(title: str, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """One verdict for a contract that is proved and whose cases occur; else those that are not so."""
    bad = [verdict for verdict in verdicts if verdict.answer not in ("proved", "reached")]
    seconds = sum(verdict.seconds for verdict in verdicts)
    return bad or [Verdict(Property(f"contract of {title}", "", False), "proved", "induction", None, seconds)]
