"""A whole head at its full size with statements about the parts inside, which hold from any contents after some cycles.

The head is that of the generator, from which the Verilog comes. Its memories are left out: what they read is free.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from amaranth import ClockDomain, Fragment, Module, Mux, Signal, Value
from amaranth.back import rtlil
from amaranth.hdl import Assume
from amaranth.sim import Simulator

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.contracts.contract import mark_used
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import top_ports
from softstream.hw.processes import temporary_folder
from softstream.hw.stages.sum_share import SumShare
from softstream.hw.streams.probes import Probes
from softstream.sim.proofs.engine import Verdict, none_within, prepare
from softstream.sim.proofs.harness import HEAD, PROOF, Property

__all__ = ["LONGEST", "SETTLING", "InsideHead", "LatestBeat", "cycles_between", "observed"]

LONGEST = 160
"""Cycles of the longest pipe between two parts that is looked for."""

SETTLING = 8
"""Cycles after which a statement must hold from any contents, beside those of its pipe: some parts keep theirs for so long."""


class LatestBeat(NamedTuple):
    """The beat that came last."""

    place: Signal
    """In its vector, from 0."""
    single: Signal
    """Whether it is the first of its vector."""
    known: Signal
    """Whether there was one since a reset."""
    ended: Signal
    """Whether it is the last of its vector, or there was none."""


class InsideHead:
    """One elaboration of a head, to state something about (`after`, `always`, then `prove`); `observed` has one to simulate.

    Two elaborations of a configuration have the same parts in the same order, and each serves for one of the two uses.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.top, self.probes = AxiTop(config), Probes()
        self._head = Fragment.get(self.top, self.probes)
        self.parts = self.probes.components()
        self.statements: dict[Property, Signal] = {}
        self._m = m = Module()
        mark_used(m)
        m.domains.proof = self._domain = domain = ClockDomain("proof")
        m.submodules[HEAD] = self._head
        m.d.comb += [self.top.aclk.eq(domain.clk), self.top.aresetn.eq(~domain.rst)]
        self._age, self._was_reset = Signal(range(2 * LONGEST), reset_less=True), Signal(reset_less=True)
        self._at_end = Signal()
        self.behind_reset = Signal(init=1)
        """Whether a reset was in the cycle before; only `after` may look at it."""
        m.d.proof += self.behind_reset.eq(0)
        # A share counts down from whatever its counter holds, and then hands on a threshold.
        counters = [len(self.probes.registers(part)["left"]) for part in self.parts if isinstance(part, SumShare)]
        self._cycles = max(((1 << (width - 1)) + 2 * SETTLING for width in counters), default=1)
        self._free: list[Signal] = []
        self._premises: list[tuple[int, Value]] = []
        self._earlier: dict[int, tuple[Value, list[Signal]]] = {}
        self._simulator: Simulator | None = None
        self._traced: Sequence[Value] = ()
        self._stalls = True
        self._rows: list[list[int]] = []

    @property
    def _inputs(self) -> list[Any]:
        ports = [port for port in top_ports(self.config) if port.direction == "input"]
        return [port for port in ports if port.name not in ("aclk", "aresetn")]

    def before(self, value: Value, cycles: int = 1) -> Value:
        """What a value was some cycles before; behind a reset the initial value of a register, or 0."""
        # With the value itself, or another one could get its identity.
        _, chain = self._earlier.setdefault(id(value), (value, []))
        while len(chain) < cycles:
            source = chain[-1] if chain else value
            # The initial value of a register: a copy of it must agree with it from the reset on.
            register = Signal(len(value), init=value.init if isinstance(value, Signal) else 0)
            self._m.d.proof += register.eq(source)
            chain.append(register)
        return chain[cycles - 1] if cycles else value

    def after(self, cycles: int, name: str, holds: Value) -> None:
        """States that something holds from a reset on, and some cycles after any contents at all."""
        signal = Signal(name=f"item_{len(self.statements)}")
        self._m.d.comb += signal.eq((self._at_end | self._was_reset) & ~self._domain.rst & ~holds.bool())
        self.statements[Property(name, signal.name, False)] = signal
        self._cycles = max(self._cycles, cycles)

    def always(self, cycles: int, name: str, holds: Value) -> None:
        """States that something holds from a reset on, and forever if it and its like hold in earlier cycles.

        `cycles`: those before the first one in which the registers that the statement reads hold what they must.
        """
        self.after(cycles + 1, name, holds)
        self._premises.append((cycles, holds))

    def remembered(self, width: int, name: str, *, init: int = 0) -> tuple[Signal, Signal]:
        """(a value that lasts, its next value, to be set): anything at the start, as the registers of the head are."""
        register, now, following = Signal(width, init=init), Signal(width, name=name, init=init), Signal(width)
        start = Signal(width, name=f"start_{name}")
        self._free.append(start)
        self._m.d.comb += [now.eq(Mux(self._age == 0, start, register)), following.eq(now)]
        self._m.d.proof += register.eq(following)
        return now, following

    def latest_beat(self, moves: Value, ends: Value, width: int) -> LatestBeat:
        """The latest beat of a stream; `moves`: a beat comes, `ends`: it is a vector's last; `width`: bits of its place."""
        values = {
            "place": self.remembered(width, "place"),
            "single": self.remembered(1, "single"),
            "known": self.remembered(1, "known"),
            "ended": self.remembered(1, "ended", init=1),
        }
        beat = LatestBeat(**{name: now for name, (now, _) in values.items()})
        following = LatestBeat(**{name: after for name, (_, after) in values.items()})
        with self._m.If(moves):
            self._m.d.comb += [
                following.place.eq(Mux(beat.ended, 0, beat.place + 1)),
                following.single.eq(beat.ended),
                following.known.eq(1),
                following.ended.eq(ends),
            ]
        return beat

    def traces(self, signals: Sequence[Value], *, stalls: bool = True) -> list[list[int]]:
        """The values in each cycle of a simulation with short vectors, which pauses at both edges, or only at the input."""
        if self._simulator is None:
            self._simulator = Simulator(self._m)
            self._simulator.add_clock(1e-6, domain="proof")
            self._simulator.add_testbench(self._bench)
        else:
            self._simulator.reset()
        self._traced, self._stalls, self._rows = signals, stalls, []
        self._simulator.run()
        return [[*column] for column in zip(*self._rows, strict=True)]

    async def _bench(self, context: Any) -> None:
        choice = random.Random(1)
        cycles = 2 * plan(self.config).last_output_cycle(max(1, min(3, self.config.max_length))) + 2 * LONGEST
        # Of an ensemble the answer comes behind its last member, and too few of them leave wrong steps that look right.
        cycles += LONGEST * (self.config.ensemble - 1)
        for cycle in range(cycles):
            for port in self._inputs:
                busy = choice.random() < (0.8 if cycle % 64 < 48 else 0.2)
                # A mask as often as none, because one that is often set leaves vectors of one element.
                single = port.width == 1 and not port.name.endswith("tuser")
                value = int(busy) if single else choice.getrandbits(port.width)
                value = (1 << port.width) - 1 if port.name.endswith("tkeep") else value
                value = 1 if port.name.endswith("tready") and not self._stalls else value
                context.set(getattr(self.top, port.name), value)
            self._rows.append([context.get(signal) for signal in self._traced])
            await context.tick("proof")

    def _text(self, results: Sequence[Signal]) -> str:
        """The head and its statements as RTLIL; `results`: the outputs."""
        ports = [getattr(self.top, port.name) for port in self._inputs]
        inputs = [self._domain.clk, self._domain.rst, *ports, *self._free]
        return rtlil.convert(self._m, name=PROOF, ports=[*inputs, *results], emit_src=False)

    def prove(self, seconds: float) -> list[Verdict]:
        """The verdicts on the statements, which bounded model checking of some cycles decides for all time."""
        m, age, last = self._m, self._age, self._cycles
        with m.If(age != last + 1):
            m.d.proof += age.eq(age + 1)
        m.d.proof += self._was_reset.eq(self._was_reset | self._domain.rst)
        m.d.comb += self._at_end.eq(age == last)
        started = self._was_reset | self._domain.rst
        m.d.comb += [
            # No premise of the last cycle or of one after a reset: these are what is proved.
            Assume(started | (age < cycles) | (age >= last) | holds.bool())
            for cycles, holds in self._premises
        ]
        with temporary_folder() as folder:
            text = self._text([*self.statements.values()])
            graph = prepare("", text, folder, memories=False, seconds=seconds)
            if graph is None:
                return [Verdict(item, "open", "–", None, seconds) for item in self.statements]
            verdicts = none_within(graph, [*self.statements], last + 1, seconds=seconds)
        return [replace(verdict, method="induction") for verdict in verdicts]


@lru_cache(maxsize=2)
def observed(config: Config) -> InsideHead:
    """The elaboration of a head to look at and to simulate (`traces`), as often as a proof likes: nothing is stated about it."""
    return InsideHead(config)


def cycles_between(takes: Sequence[int], arrivals: Sequence[int]) -> int | None:
    """Cycles by which the arrivals follow the takes; None where they do not follow them."""
    for cycles in range(LONGEST):
        if any(arrivals) and not any(arrivals[:cycles]) and [*arrivals[cycles:]] == [*takes[: len(takes) - cycles]]:
            return cycles
    return None
