"""Counters without a carry: every state but 0, in hardware the same as in the model."""

from collections.abc import Callable

import pytest
from amaranth import Module, Signal, Value
from amaranth.sim import Simulator, SimulatorContext

from softstream.hw.streams.counters import TAPS, following, following_of_all, shifted


@pytest.mark.parametrize("width", TAPS)
def test_the_shift_register_goes_through_every_state_but_0(width: int) -> None:
    states, state = set(), 1
    while state not in states:
        states.add(state)
        state = (state << 1 | sum(state >> bit & 1 for bit in TAPS[width]) % 2) & ((1 << width) - 1)
        assert width > 8 or state == shifted(width, len(states))
    assert len(states) == (1 << width) - 1
    assert 0 not in states


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize(("step", "count"), [(following, -1), (following_of_all, 0)], ids=["all but 0", "all"])
def test_the_hardware_counter_takes_the_steps_of_the_model(
    width: int, step: Callable[[Value], Value], count: int
) -> None:
    state = Signal(width, init=1)
    m = Module()
    m.d.sync += state.eq(step(state))
    states: list[int] = []

    async def watch(ctx: SimulatorContext) -> None:
        for _ in range((1 << width) + count):
            states.append(ctx.get(state))
            await ctx.tick()
        assert ctx.get(state) == 1

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(watch)
    simulator.run()
    assert len(set(states)) == (1 << width) + count
    if step is following:
        assert states == [shifted(width, steps) for steps in range(len(states))]
