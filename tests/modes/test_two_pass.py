"""The head in two passes against its golden model: every short vector, every form, the largest sum."""

import itertools

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import TWO_PASS, score_vectors
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.numbers.two_pass import differences
from softstream.sim.golden.modes.two_pass import two_pass

SMALL = Config(
    max_length=3,
    score_width=3,
    score_scale=0.5,
    probability_width=4,
    profile="small",
    accumulator="two_pass",
    score_signed=False,
)


def codes_of(config: Config, vectors: list[np.ndarray]) -> list[int]:
    """Probability codes of the model, vector after vector."""
    codes: list[int] = []
    for vector in vectors:
        positions = vector[None, : config.max_length] - config.score_format.minimum
        codes += two_pass(differences(config), positions, np.ones(positions.shape, dtype=bool))[0].tolist()
    return codes


@pytest.mark.parametrize("form", ["UQ0", "UQ1"])
def test_every_short_vector(form: str) -> None:
    config = SMALL.replace(probability_format=form)
    vectors = [np.array(v) for n in (1, 2, 3) for v in itertools.product(range(8), repeat=n)]
    codes = codes_of(config, vectors)
    run = run_component(TwoPass(config), beats_of(vectors), len(codes), drain=("o_best",))
    assert [beat["probability"] for beat in run.beats] == codes
    assert [beat["index"] for _, beat in run.drained["o_best"]] == [int(v.argmax()) for v in vectors]
    assert max(codes) == config.probability_maximum


@pytest.mark.parametrize("source", ["never", "every3"])
@pytest.mark.parametrize("name", TWO_PASS)
def test_equals_golden(name: str, source: str) -> None:
    config = TWO_PASS[name]
    vectors = score_vectors(config, seed=61)
    codes = codes_of(config, vectors)
    head = TwoPass(config)
    run = run_component(head, beats_of(vectors), len(codes), source=source, sink="random", drain=("o_best",))
    assert [beat["probability"] for beat in run.beats] == codes
    assert sum(beat["last"] for beat in run.beats) == len(vectors)


def test_a_vector_of_the_largest_sum() -> None:
    """All scores equal: the sum is as large as it can be, and nothing wraps."""
    config = Config(max_length=300, profile="small", accumulator="two_pass", probability_width=12)
    vectors = [np.full(n, 5) for n in (300, 257, 256)]
    codes = codes_of(config, vectors)
    assert codes[0] == round(2**12 / 300)
    run = run_component(TwoPass(config), beats_of(vectors), len(codes), drain=("o_best",))
    assert [beat["probability"] for beat in run.beats] == codes
