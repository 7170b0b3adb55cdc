"""The UART: divisors, bytes through both sides at any clock, rates that are off, glitches and breaks."""

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator

from softstream.boards.link.uart import MAXIMUM_ERROR, MINIMUM_DIVISOR, Receiver, Transmitter, divisor
from softstream.hw.errors import UserError

BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, *np.random.default_rng(3).integers(0, 256, 20).tolist()]


@pytest.mark.parametrize(
    ("clock", "baud", "cycles"), [(12e6, 115200, 104), (12e6, 1_000_000, 12), (25e6, 115200, 217), (8, 1, 8)]
)
def test_divisors(clock, baud, cycles):
    assert divisor(clock, baud) == cycles
    assert abs(clock / cycles / baud - 1) <= MAXIMUM_ERROR


@pytest.mark.parametrize(
    ("clock", "baud", "says"),
    [
        (12e6, 2_100_000, "off by -4.8 %, must be within 2 %; for example --baud 2000000"),
        (12e6, 12_000_000, "needs 4 clock cycles per bit at least; for example --baud 3000000"),
        (12e6, 0, "must be 1 bit/s at least"),
        (0, 115200, "must be above 0"),
    ],
)
def test_rates_that_cannot_be_met_are_refused_with_one_that_can(clock, baud, says):
    with pytest.raises(UserError) as error:
        divisor(clock, baud)
    assert says in str(error.value)
    if "--baud" in str(error.value).partition("for example")[2]:
        divisor(clock, int(str(error.value).rpartition(" ")[2]))


def receive(levels, cycles_per_bit):
    """The receiver's output for (level, clock cycles) pairs: data, or None for a broken byte."""
    dut = Receiver(cycles_per_bit)
    output = []

    async def drive(ctx):
        for level, cycles in levels:
            ctx.set(dut.rx, level)
            for _ in range(cycles):
                _, _, valid, broken, data = await ctx.tick().sample(dut.valid, dut.broken, dut.data)
                assert not (valid and broken)
                if valid or broken:
                    output.append(data if valid else None)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return output


def line(data, bit):
    """Start bit, data and stop bit of bytes back to back, each edge at the nearest cycle."""
    levels = [level for byte in data for level in [0, *((byte >> k) & 1 for k in range(8)), 1]]
    edges = np.round(np.arange(len(levels) + 1) * bit).astype(int)
    return [*zip(levels, np.diff(edges).tolist(), strict=True), (1, 40)]


@pytest.mark.parametrize("cycles", [MINIMUM_DIVISOR, 5, 8, 13])
def test_bytes_go_through_both_sides(cycles):
    m = Module()
    m.submodules.sender = sender = Transmitter(cycles)
    m.submodules.receiver = receiver = Receiver(cycles)
    clocks = Signal(32)
    m.d.sync += clocks.eq(clocks + 1)
    m.d.comb += receiver.rx.eq(sender.tx)
    output, ends = [], []

    async def send(ctx):
        for byte in BYTES:
            ctx.set(sender.i.payload, byte)
            ctx.set(sender.i.valid, 1)
            await ctx.tick().until(sender.i.ready)
        ctx.set(sender.i.valid, 0)
        await ctx.tick().repeat(cycles * 14)

    async def take(ctx):
        while True:
            _, _, valid, broken, data, now = await ctx.tick().sample(
                receiver.valid, receiver.broken, receiver.data, clocks
            )
            assert not broken
            if valid:
                output.append(data)
                ends.append(now)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send)
    simulator.add_testbench(take, background=True)
    simulator.run()
    assert output == BYTES
    # Back to back: ten bits each, and at most one cycle between two of them.
    assert set(np.diff(ends)) <= {10 * cycles, 10 * cycles + 1}


@pytest.mark.parametrize("off", [-0.03, -0.02, 0, 0.02, 0.03])
def test_a_sender_whose_clock_is_off_is_understood(off):
    assert receive(line(BYTES, 16 * (1 + off)), 16) == BYTES


def test_a_glitch_is_no_start_bit():
    assert receive([(1, 20), (0, 3), (1, 40), *line([0x5A], 16)], 16) == [0x5A]


def test_a_low_stop_bit_and_a_break_are_broken_bytes_and_the_next_one_arrives():
    broken = line([0x33], 16)[:9]
    assert receive([*broken, (0, 16), (1, 20), *line([0x44], 16)], 16) == [None, 0x44]
    assert receive([(0, 16 * 50), (1, 20), *line([0x44], 16)], 16) == [None, 0x44]
