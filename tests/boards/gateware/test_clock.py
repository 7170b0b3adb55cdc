# amaranth: UnusedElaboratable=no
"""PLL settings within their limits, refused clocks, the reset until lock, and the lamps."""

import pytest
from amaranth.sim import Simulator

from softstream.boards.gateware.clock import TOLERANCE, ResetHold, choose
from softstream.boards.gateware.core import DemoCore
from softstream.boards.gateware.winner_display import BlinkCode
from softstream.boards.registry import BOARDS, board
from softstream.hw.config.presets import preset
from softstream.hw.errors import UserError

WITH_PLL = ("icebreaker", "ulx3s-85f", "ecpix5", "tang-nano-9k", "tang-nano-20k", "gatemate-evb")


def simulate(component, testbench, cycles=100000):
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    done = []

    async def bench(ctx):
        await testbench(ctx)
        done.append(True)

    simulator.add_testbench(bench)
    simulator.run_until(cycles * 1e-6)
    assert done, "the bench did not come to its end"


def frequency(row, pll):
    """The frequency from the dividers, by the data sheet's formula."""
    values = dict(pll.parameters)
    f = row.oscillator_hz
    if row.toolchain == "ice40":
        vco = f / (values["DIVR"] + 1) * (values["DIVF"] + 1)
        assert 533e6 <= vco <= 1066e6
        return vco / 2 ** values["DIVQ"]
    if row.toolchain == "ecp5":
        vco = f / values["CLKI_DIV"] * values["CLKOP_DIV"]
        assert 400e6 <= vco <= 800e6
        return vco / values["CLKOS_DIV"]
    if row.toolchain == "gatemate":
        assert 1250e6 <= 2 * f * values["N"] <= 2000e6
        return f * values["N"] / (2 * values["M"])
    hz = f / (values["IDIV_SEL"] + 1) * (values["FBDIV_SEL"] + 1)
    assert 500e6 <= hz * values["ODIV_SEL"] <= 1200e6
    return hz / (values["SDIV"] or 1)


@pytest.mark.parametrize("name", BOARDS)
def test_the_oscillator_needs_no_pll(name):
    row = board(name)
    clock = choose(row, row.oscillator_hz)
    assert (clock.hz, clock.pll) == (row.oscillator_hz, None)


@pytest.mark.parametrize("name", WITH_PLL)
@pytest.mark.parametrize("mhz", [16, 18.4, 20, 24, 33.33, 48, 75])
def test_a_pll_reaches_the_requested_frequency(name, mhz):
    row = board(name)
    clock = choose(row, mhz * 1e6)
    assert clock.pll is not None
    assert abs(clock.hz - mhz * 1e6) <= TOLERANCE * mhz * 1e6
    assert frequency(row, clock.pll) == pytest.approx(clock.hz)


def test_a_known_setting_of_the_ice40():
    # icepll -i 12 -o 48
    clock = choose(board("icebreaker"), 48e6)
    assert dict(clock.pll.parameters) == {"DIVR": 0, "DIVF": 63, "DIVQ": 4, "FILTER_RANGE": 1}


@pytest.mark.parametrize(
    ("name", "mhz", "example"),
    [
        ("icebreaker", 8, "--clock 12"),
        ("icebreaker", 500, r"--clock 2\d\d"),
        ("ulx3s-12f", 1, "--clock 3.125"),
        ("tang-nano-9k", 1000, r"--clock 4\d\d"),
        ("arty-a7-35", 50, "--clock 100"),
        ("icebreaker", 15, "--clock 16"),
        ("icebreaker", float("nan"), "--clock"),
    ],
)
def test_a_clock_that_cannot_be_made_is_refused_with_one_that_can(name, mhz, example):
    with pytest.raises(UserError, match=rf"clock .* on {name}: .*for example {example}"):
        choose(board(name), mhz * 1e6)


def test_reset_is_held_until_lock_and_comes_back_when_lock_is_lost():
    hold = ResetHold(5)

    async def bench(ctx):
        for _ in range(20):
            assert ctx.get(hold.reset)
            await ctx.tick()
        ctx.set(hold.good, 1)
        held = 0
        while ctx.get(hold.reset):
            held += 1
            await ctx.tick()
            assert held < 20
        assert held == 2 + 5 + 1
        for _ in range(10):
            assert not ctx.get(hold.reset)
            await ctx.tick()
        ctx.set(hold.good, 0)
        await ctx.tick().repeat(4)
        assert ctx.get(hold.reset)
        # A lock that comes and goes does not end the reset.
        for _ in range(5):
            ctx.set(hold.good, 1)
            await ctx.tick().repeat(4)
            ctx.set(hold.good, 0)
            await ctx.tick().repeat(4)
            assert ctx.get(hold.reset)

    simulate(hold, bench)


@pytest.mark.parametrize("number", [0, 1, 3, 15])
def test_the_lamp_flashes_once_more_than_the_index(number):
    flash = BlinkCode(4, 3)

    async def bench(ctx):
        ctx.set(flash.number, number)
        ctx.set(flash.valid, 1)
        await ctx.tick()
        ctx.set(flash.valid, 0)
        runs, dark, before = 0, 0, 0
        for _ in range(2000):
            await ctx.tick()
            lamp = ctx.get(flash.lamp)
            if lamp and not before and runs and dark > 4 * 3:
                break
            runs += lamp and not before
            dark = 0 if lamp else dark + 1
            before = lamp
        assert runs == number + 1

    simulate(flash, bench)


@pytest.mark.parametrize("name", ["digits-argmax", "digits-softmax"])
def test_the_demo_plays_its_scores_in_turn(name):
    scores = [[1, 5, -3], [9, 2], [-128, -127, 0, 127], [4]]
    demo = DemoCore(preset(name), scores, period=60)

    async def bench(ctx):
        winners = []
        while len(winners) < 6:
            *_, valid, winner = await ctx.tick().sample(demo.winner_valid, demo.winner)
            if valid:
                winners.append(winner)
        assert winners == [1, 0, 3, 0, 1, 0]

    simulate(demo, bench, 1000)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lanes": 2}, [1, 0, 3, 0, 1]),
        ({"lanes": 4}, [1, 0, 3, 0, 1]),
        ({"groups": (2,), "max_length": 2}, [1, 0, 0, 1, 1, 0, 1]),  # each packet's groups in turn
        ({"ensemble": 2}, [1, 0, 3, 0, 1]),  # each vector is that of both members
    ],
)
def test_the_demo_feeds_lanes_groups_and_ensembles(changes, expected):
    demo = DemoCore(
        preset("digits-argmax").replace(**changes), [[1, 5, -3], [9, 2], [-128, -127, 0, 127], [4]], period=60
    )

    async def bench(ctx):
        winners = []
        while len(winners) < len(expected):
            *_, valid, winner = await ctx.tick().sample(demo.winner_valid, demo.winner)
            if valid:
                winners.append(winner)
        assert winners == expected

    simulate(demo, bench, 1000)


@pytest.mark.parametrize(
    ("changes", "scores", "text"),
    [
        ({}, [], "no scores"),
        ({"max_length": 2}, [[1, 2, 3]], "for example --set max_length=3"),
        ({"score_width": 4}, [[100, 2]], "for example --set score_width=8"),
    ],
)
def test_scores_that_the_head_cannot_take_are_refused(changes, scores, text):
    with pytest.raises(UserError, match=text):
        DemoCore(preset("digits-softmax").replace(**changes), scores, 10)
