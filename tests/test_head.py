"""The whole head in Amaranth's simulator: equal to the golden model, to the plan's latency and to its interval."""

import numpy as np
import pytest
from configurations import SOFTMAX, beats_of, vectors
from stream_bench import run_component

from softstream.hw.config import Config
from softstream.hw.head import NORMALISERS, Head
from softstream.hw.plan import plan
from softstream.sim import golden as golden_package
from softstream.sim.golden import golden
from softstream.sim.golden.head import NORMALISERS as GOLDEN_NORMALISERS

ARGMAX = {f"argmax-{profile}": Config(mode="argmax", max_length=16, profile=profile) for profile in ("fast", "small")}
HEADS = {**ARGMAX, **SOFTMAX}


def expected_beats(config: Config, found: list[np.ndarray]) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """Probability beats and winner beats of the golden model."""
    lengths = np.array([len(vector) for vector in found])
    scores = np.full((len(found), lengths.max()), config.score_format.minimum)
    for row, vector in zip(scores, found, strict=True):
        row[: len(vector)] = vector
    result = golden(config, scores, lengths)
    winners = [
        {"index": int(i), "score": int(b), "overlong": int(o)}
        for i, b, o in zip(result.argmax, result.best, result.overlong, strict=True)
    ]
    probabilities: list[dict[str, int]] = []
    if result.probabilities is not None:
        for codes, length, flag in zip(
            result.probabilities, np.minimum(lengths, config.max_length), result.overlong, strict=True
        ):
            probabilities += [
                {"probability": int(code), "last": int(k == length - 1), "overlong": int(flag)}
                for k, code in enumerate(codes[:length])
            ]
    return probabilities, winners


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "never"), ("every third", "random")])
@pytest.mark.parametrize("name", HEADS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config = HEADS[name]
    found = vectors(config, seed=41)
    probabilities, winners = expected_beats(config, found)
    beats = beats_of(found)
    if config.mode == "argmax":
        assert run_component(Head(config), beats, len(winners), source=source, sink=sink).beats == winners
        return
    run = run_component(Head(config), beats, len(probabilities), source=source, sink=sink, drain=("o_best",))
    assert run.beats == probabilities
    assert [beat for _, beat in run.drained["o_best"]] == winners


@pytest.mark.parametrize("name", ["absolute", "small"])
def test_a_slow_taker_of_winners_loses_nothing(name: str) -> None:
    config = HEADS[name]
    found = vectors(config, seed=43)
    probabilities, winners = expected_beats(config, found)
    # The winners are out long before the last probabilities of the serial divider.
    run = run_component(Head(config), beats_of(found), len(winners), sink="random", o="o_best", drain=("o",), idle=1500)
    assert run.beats == winners
    assert [beat for _, beat in run.drained["o"]] == probabilities


@pytest.mark.parametrize("length", [1, 2, 10, 16])
@pytest.mark.parametrize("name", HEADS)
def test_latency_and_interval_are_the_plans(name: str, length: int) -> None:
    config = HEADS[name]
    if length > config.max_length:
        length = config.max_length
    promised = plan(config)
    rng = np.random.default_rng(length)
    low, high = config.score_format.minimum, config.score_format.maximum
    per_vector = 1 if config.mode == "argmax" else length
    drain = () if config.mode == "argmax" else ("o_best",)

    alone = run_component(Head(config), beats_of([rng.integers(low, high + 1, length)]), per_vector, drain=drain)
    assert alone.outputs[0] - alone.inputs[0] == promised.first_output_cycle(length)
    assert alone.outputs[-1] - alone.inputs[0] == promised.last_output_cycle(length)

    found = [rng.integers(low, high + 1, length) for _ in range(30)]
    many = run_component(Head(config), beats_of(found), 30 * per_vector, drain=drain)
    assert set(np.diff(many.outputs[::per_vector])[-10:]) == {promised.interval_cycles(length)}
    if promised.output_spacing == 1 and promised.interval_cycles(length) == length:
        # No bubble: input and output both move one element in every cycle.
        assert many.inputs == list(range(many.inputs[0], many.inputs[0] + 30 * length))

    if drain:
        assert alone.drained["o_best"][0][0] - alone.inputs[0] == promised.best_output_cycle(length)


def test_short_vectors_behind_a_long_one_are_not_lost() -> None:
    """While a long vector is emitted, hundreds of short ones could pile up behind it."""
    config = Config(max_length=64)
    rng = np.random.default_rng(9)
    found = [rng.integers(-128, 128, n) for n in (64, *[1] * 150, 64, 2, *[1] * 40)]
    probabilities, winners = expected_beats(config, found)
    for sink in ("never", "random"):
        run = run_component(Head(config), beats_of(found), len(probabilities), sink=sink, drain=("o_best",))
        assert run.beats == probabilities
        assert [beat for _, beat in run.drained["o_best"]] == winners
    run = run_component(Head(config), beats_of(found), len(winners), sink="random", o="o_best", drain=("o",))
    assert run.beats == winners


def test_every_normaliser_has_its_mirror() -> None:
    assert list(NORMALISERS) == list(GOLDEN_NORMALISERS)
    for key, module in NORMALISERS.items():
        assert module.__name__.split(".")[-1] == GOLDEN_NORMALISERS[key].__name__.split(".")[-1]
    assert golden_package.golden is golden
