"""The whole head in Amaranth's simulator: equal to the golden model, to the plan's latency and to its interval."""

from typing import Any

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from support.beats import beats_of
from support.configurations import SOFTMAX, TWO_PASS, score_vectors
from support.head_beats import expected_beats
from support.stream_bench import PAUSED, run_component

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.head import Head
from softstream.hw.modes import HEADS as HEAD_OF
from softstream.hw.normalisers import NORMALISERS
from softstream.hw.plan.derive import plan
from softstream.hw.plan.modes import MODE_PLANS
from softstream.hw.plan.schedule import schedule
from softstream.hw.streams.layouts import probability_layout, score_layout, winner_layout
from softstream.sim import golden as golden_package
from softstream.sim.golden import golden
from softstream.sim.golden.modes import MODELS
from softstream.sim.golden.normalisers import NORMALISERS as GOLDEN_NORMALISERS

ARGMAX = {f"argmax-{profile}": Config(mode="argmax", max_length=16, profile=profile) for profile in ("fast", "small")}
ARGMAX |= {
    f"argmax-{profile}-{lanes}": Config(mode="argmax", max_length=limit, profile=profile, lanes=lanes, score_width=5)
    for profile, lanes, limit in (("fast", 2, 5), ("fast", 4, 16), ("fast", 16, 37), ("small", 4, 9), ("small", 8, 5))
}
HEADS = {**ARGMAX, **SOFTMAX, **TWO_PASS}


@pytest.mark.parametrize(("source", "sink"), PAUSED)
@pytest.mark.parametrize("name", HEADS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config = HEADS[name]
    vectors = score_vectors(config, seed=41)
    probabilities, winners = expected_beats(config, vectors)
    beats = beats_of(vectors, config.lanes)
    if config.mode == "argmax":
        assert run_component(Head(config), beats, len(winners), source=source, sink=sink).beats == winners
        return
    run = run_component(Head(config), beats, len(probabilities), source=source, sink=sink, drain=("o_best",))
    assert run.beats == probabilities
    assert [beat for _, beat in run.drained["o_best"]] == winners


@pytest.mark.parametrize("accumulator", ["absolute", "two_windows", "reference"])
@pytest.mark.parametrize("profile", ["fast", "small"])
@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_every_combination(normaliser: str, profile: str, accumulator: str) -> None:
    config = Config(
        max_length=5,
        score_width=4,
        score_scale=1.1,
        probability_width=4,
        normaliser=normaliser,
        profile=profile,
        accumulator=accumulator,
    )
    vectors = score_vectors(config, seed=42)
    probabilities, winners = expected_beats(config, vectors)
    run = run_component(Head(config), beats_of(vectors), len(probabilities), sink="random", drain=("o_best",))
    assert run.beats == probabilities
    assert [beat for _, beat in run.drained["o_best"]] == winners
    # From an idle pipe: the first vector has one element.
    assert run.drained["o_best"][0][0] - run.inputs[0] == plan(config).best_output_cycle(1)


@pytest.mark.parametrize("name", ["absolute", "small", "two-pass"])
def test_a_slow_taker_of_winners_loses_nothing(name: str) -> None:
    config = HEADS[name]
    vectors = score_vectors(config, seed=43)
    probabilities, winners = expected_beats(config, vectors)
    # The winners are out long before the last probabilities of the serial divider.
    run = run_component(
        Head(config), beats_of(vectors), len(winners), sink="random", o="o_best", drain=("o",), idle=1500
    )
    assert run.beats == winners
    assert [beat for _, beat in run.drained["o"]] == probabilities


class Joined(wiring.Component):
    """A head whose winner leaves in the same cycle as its vector's last probability, neither without the other."""

    def __init__(self, config: Config) -> None:
        self._config = config
        both = data.StructLayout({"element": probability_layout(config), "winner": winner_layout(config)})
        super().__init__({"i": In(stream.Signature(score_layout(config))), "o": Out(stream.Signature(both))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.head = head = Head(self._config)
        wiring.connect(m, wiring.flipped(self.i), head.i)
        last = head.o.payload.last
        m.d.comb += [
            self.o.valid.eq(head.o.valid & (~last | head.o_best.valid)),
            self.o.payload.element.eq(head.o.payload),
            self.o.payload.winner.eq(head.o_best.payload),
            head.o.ready.eq(self.o.ready & (~last | head.o_best.valid)),
            head.o_best.ready.eq(self.o.ready & head.o.valid & last),
        ]
        return m


@pytest.mark.parametrize("sink", ["never", "random"])
@pytest.mark.parametrize("name", ["absolute", "logarithm", "small", "small-reciprocal", "two-pass"])
def test_a_winner_that_leaves_with_the_last_probability_blocks_nothing(name: str, sink: str) -> None:
    config = HEADS[name]
    vectors = score_vectors(config, seed=47)
    probabilities, winners = expected_beats(config, vectors)
    run = run_component(Joined(config), beats_of(vectors), len(probabilities), sink=sink)
    assert [beat["element"] for beat in run.beats] == probabilities
    assert [beat["winner"] for beat in run.beats if beat["element"]["last"]] == winners


def test_two_winners_may_wait_so_long_vectors_come_without_a_bubble() -> None:
    """While the probabilities of one vector go out, its successor comes in to its end."""
    config = Config(max_length=64)
    assert plan(config).fixed_latency_cycles < 64
    run = run_component(Joined(config), beats_of([np.arange(64)] * 4), 256)
    assert run.inputs == list(range(run.inputs[0], run.inputs[0] + 256))
    assert run.outputs == list(range(run.outputs[0], run.outputs[0] + 256))


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_a_full_ring_of_complete_vectors_runs_on(normaliser: str) -> None:
    """The output waits until the input has stopped; where it stops, a vector has just ended."""
    base = Config(normaliser=normaliser)
    rings = {n: schedule(base.replace(max_length=n)).replay_entries(n) for n in range(20, 120)}
    longest = next(n for n, ring in rings.items() if ring & (ring + 1) == 0)
    config = base.replace(max_length=longest)
    cycles = schedule(config)
    fill = cycles.replay_entries(longest) + cycles.emission_latency + 4  # the ring, and the credits of the output queue
    lengths = [longest] * (fill // longest) + [fill % longest] * (fill % longest > 0)
    if lengths[-1] < cycles.vector_interval:
        lengths[-2:] = [lengths[-2] - cycles.vector_interval, lengths[-1] + cycles.vector_interval]
    rng = np.random.default_rng(48)
    vectors = [rng.integers(-128, 128, n) for n in [*lengths, *lengths]]
    probabilities, _ = expected_beats(config, vectors)
    run = run_component(Head(config), beats_of(vectors), len(probabilities), sink="first400", drain=("o_best",))
    assert run.beats == probabilities
    # The input stopped exactly there.
    assert [cycle < 400 for cycle in run.inputs].count(True) - fill in (0, 1)


@pytest.mark.parametrize("name", HEADS)
def test_latency_and_interval_are_the_plans(name: str) -> None:
    """For lengths from one to the longest: a vector through the idle pipe, then many of them back to back."""
    config = HEADS[name]
    promised = plan(config)
    low, high = config.score_format.minimum, config.score_format.maximum
    drain = () if config.mode == "argmax" else ("o_best",)
    lengths = sorted({min(length, config.max_length) for length in (1, 10, 16)})
    beats: list[dict[str, int]] = []
    waits: dict[int, int] = {}  # before these input beats the pipe runs empty: so many outputs have to be there
    due, groups = 0, []
    for length in lengths:
        rng = np.random.default_rng(length)
        for count in (1, 30):
            waits[len(beats)] = due
            groups.append((length, count, len(beats), due))
            beats += beats_of([rng.integers(low, high + 1, length) for _ in range(count)], config.lanes)
            due += count * (1 if config.mode == "argmax" else config.beats(length))
    run = run_component(Head(config), beats, due, drain=drain, waits=waits)
    vectors_before = 0
    for length, count, first_in, first_out in groups:
        sent = config.beats(length)
        per_vector = 1 if config.mode == "argmax" else sent
        inputs, outputs = run.inputs[first_in:][: count * sent], run.outputs[first_out:][: count * per_vector]
        assert outputs[0] - inputs[0] == promised.first_output_cycle(length)
        assert outputs[per_vector - 1] - inputs[0] == promised.last_output_cycle(length)
        if drain:
            assert run.drained["o_best"][vectors_before][0] - inputs[0] == promised.best_output_cycle(length)
        if count > 1:
            assert set(np.diff(outputs[::per_vector])[-10:]) == {promised.interval_cycles(length)}
            if promised.output_spacing == 1 and promised.interval_cycles(length) == sent:
                # No bubble: input and output both move one beat in every cycle.
                assert inputs == list(range(inputs[0], inputs[0] + count * sent))
        vectors_before += count


def test_short_vectors_behind_a_long_one_are_not_lost() -> None:
    """While a long vector is emitted, hundreds of short ones could pile up behind it."""
    config = Config(max_length=64)
    rng = np.random.default_rng(9)
    vectors = [rng.integers(-128, 128, n) for n in (64, *[1] * 150, 64, 2, *[1] * 40)]
    probabilities, winners = expected_beats(config, vectors)
    for sink in ("never", "random"):
        run = run_component(Head(config), beats_of(vectors), len(probabilities), sink=sink, drain=("o_best",))
        assert run.beats == probabilities
        assert [beat for _, beat in run.drained["o_best"]] == winners
    run = run_component(Head(config), beats_of(vectors), len(winners), sink="random", o="o_best", drain=("o",))
    assert run.beats == winners


def test_every_normaliser_has_its_mirror() -> None:
    assert list(HEAD_OF) == list(MODELS) == list(MODE_PLANS) == list(MODES)
    assert list(NORMALISERS) == list(GOLDEN_NORMALISERS)
    for key, module in NORMALISERS.items():
        assert module.__name__.split(".")[-1] == GOLDEN_NORMALISERS[key].__name__.split(".")[-1]
    assert golden_package.golden is golden


@pytest.mark.parametrize(
    ("keys", "interval"),
    [
        ({"profile": "fastest", "score_width": 5}, 5),
        ({"profile": "fastest", "score_width": 4}, 5),
        ({"profile": "small", "normaliser": "none"}, 5),
        ({"profile": "small", "normaliser": "none", "lanes": 4}, 7),
        ({"profile": "small", "normaliser": "logarithm", "lanes": 4}, 7),
    ],
)
def test_short_vectors_follow_each_other_as_their_winners_allow(keys: dict[str, Any], interval: int) -> None:
    """Few bits make all other stages quick, so the places of the winners decide."""
    narrow: dict[str, Any] = {"max_length": 4, "score_width": 4, "probability_width": 2, "guard_bits": 3}
    config = Config(**{**narrow, "score_scale": 0.08, "probability_format": "UQ1", **keys})
    run = run_component(Head(config), beats_of([np.array([1])] * 30, config.lanes), 30, drain=("o_best",))
    assert plan(config).interval_cycles(1) == interval
    assert set(np.diff(run.outputs)[-20:]) == {interval}
