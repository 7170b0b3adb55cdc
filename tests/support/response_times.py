"""The worst response of a head in a simulation that fills it while no output is taken, and then takes all of them."""

import random
from itertools import chain, cycle, repeat
from typing import NamedTuple

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from softstream.hw.axi import AxiTop
from softstream.hw.plan.ports import outputs, top_ports

__all__ = ["Worst", "lengths_of", "worst_response"]

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
    random.seed(1)
    top, m, domain = AxiTop(config), Module(), ClockDomain("proof")
    m.domains.proof = domain
    m.submodules.top = top
    m.d.comb += [top.aclk.eq(domain.clk), top.aresetn.eq(~domain.rst)]
    prefixes = [output.prefix for output in outputs(config)]
    stalled = prefixes if stalled is None else stalled
    lengths = lengths_of(config, kind)
    seen = Answers(config)
    worst = {"input": 0, "released": None}
    tail = 20 * config.max_length + 4 * _FULL

    async def bench(context):
        for port in top_ports(config):
            if port.direction == "input" and port.name not in ("aclk", "aresetn"):
                context.set(getattr(top, port.name), (1 << port.width) - 1 if port.name.endswith("tkeep") else 0)
        context.set(top.s_axis_tvalid, 1)
        left, waits, cycle_now, released = next(lengths), 0, 0, None
        while released is None or cycle_now < released + tail:
            assert cycle_now < _LONGEST_FILL or released is not None, f"{config}: a head does not fill"
            full = released is None and waits >= _FULL
            if full:
                released, waits = cycle_now, 0
            for prefix in prefixes:
                ready = released is not None or cycle_now < before or prefix not in stalled
                context.set(getattr(top, f"{prefix}_tready"), int(ready))
            context.set(top.s_axis_tlast, int(left == 1))
            if context.get(top.s_axis_tready):
                if released is not None:
                    worst["input"] = max(worst["input"], waits)
                waits, left = 0, left - 1
                seen.enters(cycle_now, not left)
                left = left or next(lengths)
            else:
                waits += 1
            for prefix in prefixes:
                valid, ready = (context.get(getattr(top, f"{prefix}_{name}")) for name in ("tvalid", "tready"))
                if valid and ready:
                    last = getattr(top, f"{prefix}_tlast", None)
                    seen.leaves(cycle_now, prefix, last is not None and context.get(last))
            await context.tick("proof")
            cycle_now += 1
        worst["released"] = released

    simulator = Simulator(m)
    simulator.add_clock(1e-6, domain="proof")
    simulator.add_testbench(bench)
    simulator.run()
    released = worst["released"]
    waited = [
        answer - max(end, released)
        for prefix in prefixes
        for end, answer in zip(seen.ends, seen.answers[prefix], strict=False)
        if answer >= released
    ]
    return Worst(worst["input"], max(waited))
