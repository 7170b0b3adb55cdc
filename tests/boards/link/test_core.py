"""The gateware of the link in Amaranth's simulator: results equal to the model, and every fault named and got over."""

import gc

import numpy as np
import pytest
from amaranth.sim import Simulator
from support.link_frames import result_frames, run_payloads
from support.long_cases import partly_long

from softstream.boards.gateware.core import LinkCore
from softstream.boards.link.protocol import (
    BOARD_WINDOW,
    HOST_WINDOW,
    PAYLOAD_BYTES,
    Decoder,
    Fault,
    Frame,
    Info,
    Trailer,
    Type,
    arrival_delay,
    element_bytes,
    element_output,
    encode,
)
from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden
from softstream.sim.golden.modes.gumbel import words_taken
from softstream.sim.stimulus import random_sideband

DIVISOR = 4
CLOCK = 1e6
SMALL = Config(max_length=10, score_scale=0.0912, profile="small", normaliser="none")
ARGMAX = preset("digits-argmax")


class Line:
    """The far end of the wires: bytes out, frames in."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut
        self.frames = []
        self.cycle = 0

    async def send(self, wire):
        levels = [b for byte in wire for b in [0, *((byte >> k) & 1 for k in range(8)), 1]]
        for level in levels:
            self.ctx.set(self.dut.rx, level)
            await self.ctx.tick().repeat(DIVISOR)

    async def frame(self, count, patience=200_000):
        """The frames so far, at least `count`."""
        for _ in range(patience // 50):
            if len(self.frames) >= count:
                return self.frames
            await self.ctx.tick().repeat(50)
        raise AssertionError(f"only {self.frames} came")

    async def quiet(self, byte_times):
        await self.ctx.tick().repeat(byte_times * 10 * DIVISOR)


def link(config, script):
    """Runs `script(line)` against a core."""
    dut = LinkCore(config, clock_hz=CLOCK, baud=int(CLOCK / DIVISOR))
    lines = []
    winners = []

    async def drive(ctx):
        line = Line(ctx, dut)
        lines.append(line)
        await ctx.tick().repeat(5)
        await script(line)

    async def listen(ctx):
        decoder = Decoder()
        while True:
            await ctx.negedge(dut.tx)
            await ctx.tick().repeat(DIVISOR // 2)
            byte = 0
            for bit in range(8):
                await ctx.tick().repeat(DIVISOR)
                byte |= ctx.get(dut.tx) << bit
            await ctx.tick().repeat(DIVISOR)
            assert ctx.get(dut.tx) == 1, "stop bit"
            lines[0].frames += decoder.feed(bytes([byte]))

    async def watch(ctx):
        async for _, _, valid, winner in ctx.tick().sample(dut.winner_valid, dut.winner):
            if valid:
                winners.append(winner)

    simulator = Simulator(dut)
    simulator.add_clock(1 / CLOCK)
    simulator.add_testbench(listen, background=True)
    simulator.add_testbench(watch, background=True)
    simulator.add_testbench(drive)
    simulator.run()
    return winners


def run_frames(config, vector, sequence=0, acknowledge=0):
    """The frames of one vector."""
    parts = run_payloads(config, vector, random_sideband(config, np.array([vector])))
    return [
        Frame(Type.RUN_END if k == len(parts) - 1 else Type.RUN, sequence + k, acknowledge, part)
        for k, part in enumerate(parts)
    ]


def check(config, vector, frames, words=0):
    """The frames of a vector's result against the model, behind as many random words; returns its trailer and the result."""
    extra = random_sideband(config, np.array([vector]))
    model = golden(config, np.array([vector]), sideband=extra, before=words)
    results = [(frame.type, frame.payload) for frame in frames if frame.type in (Type.RESULT, Type.RESULT_END)]
    trailer = Trailer.from_bytes(config, results[-1][1])
    due = result_frames(config, model, len(vector), extra.get("mask"), trailer.cycles)
    if element_output(config) is not None:
        # How many of a vector's elements a frame holds depends on when they come.
        assert b"".join(payload for _, payload in results[:-1]) == b"".join(payload for _, payload in due[:-1])
        results, due = results[-1:], due[-1:]
    assert results == due
    return trailer, model


CONFIGS = {
    "argmax": ARGMAX,
    "softmax": preset("digits-softmax"),
    "small": SMALL,
    "narrow": Config(max_length=5, score_width=2, probability_width=2, score_signed=False),
    "wide": Config(max_length=40, score_width=16, score_scale=2.0**-11, probability_width=16, normaliser="reciprocal"),
    "widest": Config(max_length=9, score_width=16, score_scale=3.0, probability_width=24, probability_format="UQ1"),
    "long": Config(mode="argmax", max_length=100, score_width=9),
    "lanes": Config(max_length=10, score_width=10, score_scale=0.02, lanes=4, mask=True),
    "lanes_of_hardmax": Config(mode="hardmax", max_length=9, lanes=2),
    "log_softmax": Config(mode="log_softmax", max_length=9, mask=True),
    "cross_entropy": Config(mode="cross_entropy", max_length=19, mask=True, score_width=10, score_scale=0.02),
    "sigmoid": Config(mode="sigmoid", max_length=9, mask=True, score_width=6),
    "sample": Config(mode="sample", max_length=9, score_width=5, score_scale=0.3, mask=True),
    "hardmax": Config(mode="hardmax", max_length=9),
    "top_k": Config(mode="top_k", max_length=20, score_width=5, mask=True),
    "softmax_top_k": Config(
        mode="softmax_top_k", max_length=20, top_k=9, probability_width=16, normaliser="reciprocal"
    ),
}


LONG = {
    *("lanes_of_hardmax", "small", "narrow", "wide", "widest", "long"),
    *("log_softmax", "cross_entropy", "sigmoid", "hardmax", "softmax_top_k"),
}


@pytest.mark.parametrize("name", partly_long(CONFIGS, LONG))
def test_a_vector_equals_the_model_in_the_cycles_of_the_plan(name):
    config = CONFIGS[name]
    rng = np.random.default_rng(11)
    low, high = config.score_format.minimum, config.score_format.maximum
    vectors = [rng.integers(low, high + 1, n) for n in (config.max_length, 1, config.max_length + 1)]
    answers = []

    async def script(line):
        words = 0
        await line.send(encode(Frame(Type.INFO, 77, 0)))
        [info] = await line.frame(1)
        assert (info.type, info.sequence, info.acknowledge) == (Type.INFO, 77, 0)
        assert Info.from_bytes(info.payload) == Info.of(config, CLOCK)
        sequence = acknowledge = 0
        for vector in vectors:
            line.frames.clear()
            for frame in run_frames(config, vector, sequence, acknowledge):
                await line.send(encode(frame))
                sequence += 1
            while not any(frame.type == Type.RESULT_END for frame in line.frames):
                await line.frame(len(line.frames) + 1)
            results = [f for f in line.frames if f.type in (Type.RESULT, Type.RESULT_END)]
            assert [f.sequence for f in results] == list(range(acknowledge, acknowledge + len(results)))
            assert results[-1].acknowledge == sequence
            acknowledge += len(results)
            answers.append(check(config, vector, line.frames, words))
            mask = random_sideband(config, np.array([vector])).get("mask")
            words += int(words_taken(config, np.array([len(vector)]), mask)[0])

    winners = link(config, script)
    assert winners == [index for _, model in answers for index in lamps(model)]
    for vector, (trailer, _) in zip(vectors, answers, strict=True):
        count = min(len(vector), config.max_length)
        if len(vector) * element_bytes(config) <= PAYLOAD_BYTES:
            # The beat of the last element that counts holds all elements that arrive for it.
            arriving = min(len(vector), config.lanes * config.beats(count))
            slower = arrival_delay(config, arriving) * plan(config).passes
            assert trailer.cycles == plan(config).first_output_cycle(count) + slower


def lamps(model):
    """The lamps of a vector's result."""
    for name in ("argmax", "sample", "top_indices"):
        if name in model:
            return [int(model[name].ravel()[0])]
    return np.flatnonzero(model["one_hot"][0]).tolist() if "one_hot" in model else []


VECTOR = np.array([3, -7, 99, 99, 0, -128, 5, 1, 2, 4])
GOOD = b"\0" + encode(Frame(Type.INFO, 9, 0))


def faulty(faults, config=ARGMAX, quiet=60):
    """After each `wire` comes its fault once (None: nothing), and then INFO and a vector go as if nothing had been."""

    async def script(line):
        await line.send(encode(Frame(Type.INFO, 1, 0)))
        await line.frame(1)
        for name, wire, expected in faults:
            line.frames.clear()
            await line.send(wire)
            await line.quiet(quiet)
            errors = [frame for frame in line.frames if frame.type == Type.ERROR]
            assert [frame.payload[0] for frame in errors] == ([] if expected is None else [expected]), name
            await line.send(GOOD)
            while not (line.frames and (line.frames[-1].type, line.frames[-1].sequence) == (Type.INFO, 9)):
                await line.frame(len(line.frames) + 1)
            line.frames.clear()
            for frame in run_frames(config, VECTOR):
                await line.send(encode(frame))
            while not any(frame.type == Type.RESULT_END for frame in line.frames):
                await line.frame(len(line.frames) + 1)
            check(config, VECTOR, line.frames)
            await line.send(GOOD)  # the next fault meets a line that was just opened, too
            while line.frames[-1].type != Type.INFO:
                await line.frame(len(line.frames) + 1)

    link(config, script)


WHOLE = b"".join(map(encode, run_frames(SMALL, VECTOR)))
OPEN = encode(Frame(Type.RUN, 0, 0, b"\x01\x02\x03"))


FAULTS = {
    "wire": [
        ("flipped", WHOLE[:5] + bytes([WHOLE[5] ^ 0x10]) + WHOLE[6:], Fault.CORRUPT),
        ("dropped", WHOLE[:5] + WHOLE[6:], Fault.CORRUPT),
        ("doubled", WHOLE[:5] + WHOLE[4:], Fault.CORRUPT),
        ("noise", bytes(range(1, 255)) + b"\0", Fault.CORRUPT),
        ("zeros", b"\x01" * 300 + b"\0", Fault.CORRUPT),
        ("delimiters", b"\0\0\0", None),
    ],
    "host": [
        ("frame twice", WHOLE + WHOLE, Fault.SEQUENCE),
        ("frame missing", encode(Frame(Type.RUN, 1, 0, b"abc")) + WHOLE, Fault.SEQUENCE),
        ("empty", encode(Frame(Type.RUN_END, 0, 0)), Fault.LENGTH),
        ("type", encode(Frame(Type.RESULT, 0, 0, b"x")), Fault.TYPE),
        ("left in the middle of a frame", WHOLE[:7], None),
        ("left in the middle of a vector", OPEN, None),
    ],
}


@pytest.mark.long
@pytest.mark.parametrize("of", FAULTS)
def test_faults_are_named_once_and_the_link_recovers(of):
    faulty(FAULTS[of], quiet=25)


def test_a_softmax_head_forgets_half_a_vector_too():
    faulty([("half a vector", OPEN, None)], SMALL, quiet=25)


@pytest.mark.long
def test_info_at_any_moment_begins_anew_and_no_frame_is_ever_cut():
    config = SMALL
    rng = np.random.default_rng(8)
    waits = rng.permutation(np.arange(1, 12 * 40 * DIVISOR, 263))

    async def script(line):
        for turn, wait in enumerate(waits):
            line.frames.clear()
            await line.send(encode(Frame(Type.INFO, turn, 0)))
            while not (line.frames and line.frames[-1].type == Type.INFO and line.frames[-1].sequence == turn):
                await line.frame(len(line.frames) + 1)
            # What was on its way arrives whole, and nothing of it after INFO.
            assert all(isinstance(frame, Frame) and frame.type != Type.ERROR for frame in line.frames), line.frames
            line.frames.clear()
            for frame in run_frames(config, VECTOR):
                await line.send(encode(frame))
            await line.ctx.tick().repeat(int(wait))
            model = golden(config, np.array([VECTOR]))
            for frame in line.frames:
                if frame.type == Type.RESULT:
                    assert list(frame.payload) == model.probabilities[0].tolist()

    link(config, script)


def test_half_a_score_is_refused():
    config = Config(mode="argmax", max_length=10, score_width=12)
    faulty([("half a score", encode(Frame(Type.RUN_END, 0, 0, b"abc")), Fault.LENGTH)], config, quiet=25)


def test_a_host_that_disregards_its_window_gets_an_error():
    # Nothing of the results is acknowledged, so the head stops, then the store is full.
    wire = b"".join(encode(Frame(Type.RUN_END, k, 0, b"\x07")) for k in range(24))
    wire += b"".join(encode(Frame(Type.RUN, 24 + k, 0, b"\x07" * 60)) for k in range(6))
    faulty([("no window", wire, Fault.OVERFLOW)])


def test_the_board_stops_at_its_window_and_nothing_is_lost():
    rng = np.random.default_rng(2)
    vectors = [rng.integers(-128, 128, 2) for _ in range(2 * BOARD_WINDOW)]

    async def script(line):
        await line.send(encode(Frame(Type.INFO, 1, 0)))
        await line.frame(1)
        line.frames.clear()
        acknowledgement = 0
        done = lambda: [f for f in line.frames if f.type == Type.RESULT_END]  # noqa: E731
        for sequence, vector in enumerate(vectors):
            while sequence - acknowledgement >= HOST_WINDOW:
                before = len(line.frames)
                await line.quiet(40)
                acknowledgement = line.frames[-1].acknowledge
                if len(line.frames) == before:
                    # Not a byte, and the host may not send: the board waits for its credits.
                    assert len(done()) % BOARD_WINDOW == 0
                    await line.send(encode(Frame(Type.ACK, 0, len(done()))))
            await line.send(encode(run_frames(ARGMAX, vector, sequence, len(done()) // BOARD_WINDOW * BOARD_WINDOW)[0]))
        while len(done()) < len(vectors):
            await line.send(encode(Frame(Type.ACK, 0, len(done()))))
            await line.quiet(40)
        for vector, frame in zip(vectors, done(), strict=True):
            check(ARGMAX, vector, [frame])

    link(ARGMAX, script)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_a_rate_that_the_clock_does_not_make_is_refused_at_construction():
    with pytest.raises(UserError, match="for example --baud") as error:
        LinkCore(ARGMAX, clock_hz=12e6, baud=12_000_000)
    del error  # its traceback holds the core; Amaranth complains of unused ones when they go
    gc.collect()
