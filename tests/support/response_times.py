"""The worst response of a head in a simulation that fills it while no output is taken, and then takes all of them."""

import random
from itertools import chain, cycle, repeat
from typing import NamedTuple

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from softstream.hw.axi import AxiTop
from softstream.hw.plan.ports import outputs, top_ports

__all__ = ["FilledHead", "Worst", "lengths_of", "worst_response"]

_FULL = 64
"""Cycles in a row in which the input waits, after which a head is full."""

_LONGEST_FILL = 50_000
"""Cycles within which a head whose outputs are not taken is full. Without a limit, a head that never fills would run forever."""


class Answers:
    """Cycles at which vectors are complete, and at which an output gives the answer to each.

    A vector is the last one of an ensemble, or a group. An output marks the ends of packets alone, so a group's last beat there
    is the one with the number of its last beat at the input.
    """

    def __init__(self, config):
        self._config = config
        self._beats, self._place, self._size, self._members = 0, 0, 0, 0
        self.ends, self._last_beats = [], []
        self.answers = {output.prefix: [] for output in outputs(config)}
        self._given = dict.fromkeys(self.answers, 0)
        self._per_vector = {output.prefix for output in outputs(config) if output.per in ("vector", "group")}

    def enters(self, cycle, last):
        """A beat has been taken at the input."""
        self._beats, self._place = self._beats + 1, self._place + 1
        groups = self._config.groups
        if groups and self._place == self._config.beats(groups[self._size]):
            self._size = (self._size + 1) % len(groups)
        elif not last:
            return
        self._place, self._size = 0, 0 if last else self._size
        self._members = (self._members + 1) % self._config.ensemble
        if self._members == 0:
            self.ends.append(cycle)
            self._last_beats.append(self._beats)

    def leaves(self, cycle, prefix, last):
        """A beat has been taken at an output."""
        self._given[prefix] += 1
        answers = self.answers[prefix]
        if prefix in self._per_vector:
            last = True
        elif self._config.groups:
            last = self._last_beats[len(answers)] == self._given[prefix]
        if last:
            answers.append(cycle)


class Worst(NamedTuple):
    """Cycles, counted from the first one in which all outputs are taken."""

    input: int
    answer: int


def lengths_of(config, kind):
    """An endless row of lengths: vectors that are long, short, or a long one before short ones."""
    longest = config.max_length
    rows = {
        "long": repeat(longest),
        "short": repeat(1),
        "long before short": chain([longest], repeat(1)),
        "almost long before short": chain([max(1, 9 * longest // 10)], repeat(1)),
        # As many draws wait as the credit of the preset for draws by a search counts, so that it closes behind the next vector.
        "almost long behind draws": chain(repeat(1, 12), [longest - longest // 100], repeat(1)),
        "short before long": cycle([1, 1, 1, longest]),
        "random": iter(lambda: random.randint(1, longest), 0),
    }
    return rows[kind]


def worst_response(config, kind, *, stalled=None, before=0):
    """The longest wait of a beat at the input, and of a complete vector for its last answer, after the outputs are taken.

    `stalled`: the outputs that are not taken until the head is full, all of them by default; `before`: cycles in which all are
    taken before that.
    """
    return FilledHead(config).worst_response(kind, stalled=stalled, before=before)


class FilledHead:
    """A simulation of a head that begins anew for each response: the simulator takes longer to compile than to run."""

    def __init__(self, config):
        self._config, self._top, self._run = config, AxiTop(config), None
        m, domain = Module(), ClockDomain("proof")
        m.domains.proof = domain
        m.submodules.top = self._top
        m.d.comb += [self._top.aclk.eq(domain.clk), self._top.aresetn.eq(~domain.rst)]
        self._simulator = Simulator(m)
        self._simulator.add_clock(1e-6, domain="proof")
        self._simulator.add_testbench(self._bench)

    async def _bench(self, context):
        await self._run.bench(context)

    def worst_response(self, kind, *, stalled=None, before=0):
        """As `worst_response` of a configuration."""
        if self._run is not None:
            self._simulator.reset()
        random.seed(1)
        prefixes = [output.prefix for output in outputs(self._config)]
        self._run = _Run(self._config, self._top, prefixes, kind, prefixes if stalled is None else stalled, before)
        self._simulator.run()
        return self._run.worst()


class _Run:
    """One run of the simulation: the head fills, and then all outputs are taken."""

    def __init__(self, config, top, prefixes, kind, stalled, before):
        self._config, self._top, self._prefixes = config, top, prefixes
        self._lengths, self._stalled, self._before = lengths_of(config, kind), stalled, before
        self._seen, self._input, self._released = Answers(config), 0, None

    async def bench(self, context):
        """Fills the head, then takes all outputs until its longest vectors have left."""
        top, lengths = self._top, self._lengths
        tail = 20 * self._config.max_length + 4 * _FULL
        for port in top_ports(self._config):
            if port.direction == "input" and port.name not in ("aclk", "aresetn"):
                context.set(getattr(top, port.name), (1 << port.width) - 1 if port.name.endswith("tkeep") else 0)
        context.set(top.s_axis_tvalid, 1)
        left, waits, now = next(lengths), 0, 0
        while self._released is None or now < self._released + tail:
            assert now < _LONGEST_FILL or self._released is not None, f"{self._config}: a head does not fill"
            if self._released is None and waits >= _FULL:
                self._released, waits = now, 0
            for prefix in self._prefixes:
                ready = self._released is not None or now < self._before or prefix not in self._stalled
                context.set(getattr(top, f"{prefix}_tready"), int(ready))
            context.set(top.s_axis_tlast, int(left == 1))
            if context.get(top.s_axis_tready):
                if self._released is not None:
                    self._input = max(self._input, waits)
                waits, left = 0, left - 1
                self._seen.enters(now, not left)
                left = left or next(lengths)
            else:
                waits += 1
            for prefix in self._prefixes:
                valid, ready = (context.get(getattr(top, f"{prefix}_{name}")) for name in ("tvalid", "tready"))
                if valid and ready:
                    last = getattr(top, f"{prefix}_tlast", None)
                    self._seen.leaves(now, prefix, last is not None and context.get(last))
            await context.tick("proof")
            now += 1

    def worst(self):
        """The longest waits of the run."""
        waited = [
            answer - max(end, self._released)
            for prefix in self._prefixes
            for end, answer in zip(self._seen.ends, self._seen.answers[prefix], strict=False)
            if answer >= self._released
        ]
        return Worst(self._input, max(waited))
