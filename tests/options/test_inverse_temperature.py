"""Temperatures at run time: each vector its own, within the bound at every code; the winner of the raw scores."""

import numpy as np
import pytest
from support.beats import beats_of, slices
from support.configurations import score_vectors
from support.draws import chi_square_probability
from support.head_bench import check_head
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.numbers.temperature import tempered
from softstream.hw.options.inverse_temperature import InverseTemperature
from softstream.hw.plan.derive import plan
from softstream.hw.plan.options.inverse_temperature import scaling_cycles
from softstream.hw.plan.ports import outputs
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.reference.exact import Vectors, errors_ulp, exact_values
from softstream.sim.reference.law import draw_law, total_variation
from softstream.sim.reference.softmax import float64_slack_ulp

CONFIGS = {
    "int8": Config(temperature_bits=8, temperature_fraction=5, max_length=12),
    "lanes": Config(
        temperature_bits=2, temperature_fraction=1, max_length=13, lanes=4, normaliser="logarithm", score_scale=0.04
    ),
    "unsigned-reciprocal": Config(
        temperature_bits=4,
        temperature_fraction=2,
        max_length=9,
        score_width=5,
        score_signed=False,
        score_scale=0.3,
        normaliser="reciprocal",
        profile="fastest",
        mask=True,
    ),
    "two-pass": Config(
        temperature_bits=3, temperature_fraction=2, max_length=7, score_width=6, profile="small", accumulator="two_pass"
    ),
    "log": Config(mode="log_softmax", temperature_bits=5, temperature_fraction=2, max_length=9),
    "loss": Config(mode="cross_entropy", temperature_bits=5, temperature_fraction=2, max_length=9),
    "smoothed": Config(temperature_bits=4, temperature_fraction=2, max_length=9, smoothing=[1, 2, 1]),
}


def tempered_beats(
    config: Config, vectors: list[np.ndarray], codes: list[int], rng: np.random.Generator
) -> list[dict[str, int]]:
    """Input beats of one lane; a temperature is random except in the first beat of its vector."""
    noise = rng.integers(0, 1 << config.temperature_bits, sum(map(len, vectors))).tolist()
    return [
        {**beat, "temperature": noise[k] if piece.start else codes[piece.vector]}
        for k, (beat, piece) in enumerate(zip(beats_of(vectors), slices(vectors), strict=True))
    ]


@pytest.mark.parametrize("profile", ["fast", "fastest"])
@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3"), ("every3", "random")])
def test_the_product_is_exact_and_each_vectors_own(source: str, sink: str, profile: str) -> None:
    config = Config(temperature_bits=3, max_length=5, score_width=4, profile=profile)
    rng = np.random.default_rng(1)
    vectors = [np.arange(-8, 8)] * 8 + [rng.integers(-8, 8, n) for n in rng.integers(1, 4, 40)]
    codes = [*range(8), *rng.integers(0, 8, 40).tolist()]
    dut = InverseTemperature(config, tempered(config))
    beats = tempered_beats(config, vectors, codes, rng)
    trace = run_component(dut, beats, len(beats), source=source, sink=sink)
    due = [
        {"score": (int(x) + 8) * code, "last": int(i == len(v) - 1)}
        for v, code in zip(vectors, codes, strict=True)
        for i, x in enumerate(v)
    ]
    assert trace.beats == due
    if source == sink == "never":
        latencies = {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)}
        assert latencies == {scaling_cycles(config) + 1}


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3")])
def test_vectors_in_flight_do_not_share_a_temperature(source: str, sink: str) -> None:
    """The same scores again and again, short ones in a row behind long ones, the codes all different."""
    config = CONFIGS["int8"]
    rng = np.random.default_rng(7)
    whole = np.array([0, 20, -30, 20, 7, -100, 3, 3, 19, 20, 0, 1])
    vectors = [whole[:n] for n in (12, 1, 2, 1, 12, 3, 3, 3, 12, 2, 2)]
    codes = [0, 255, 1, 32, 16, 0, 255, 8, 255, 3, 0]
    count = sum(map(len, vectors))
    trace = run_component(
        Head(config), tempered_beats(config, vectors, codes, rng), count, source=source, sink=sink, drain=("o_best",)
    )
    model = golden(config, *pad_vectors(vectors, -128), sideband={"temperatures": np.array(codes)})
    due = np.concatenate([row[: len(v)] for row, v in zip(model["probabilities"], vectors, strict=True)])
    assert [beat["probability"] for beat in trace.beats] == due.tolist()
    winners = [(beat["index"], beat["score"]) for _, beat in trace.drained["o_best"]]
    assert winners == [(int(np.argmax(v)), int(max(v))) for v in vectors]
    if source == sink == "never":
        assert trace.outputs[0] == plan(config).first_output_cycle(12) + trace.inputs[0]
        assert trace.drained["o_best"][0][0] == plan(config).best_output_cycle(12) + trace.inputs[0]


@pytest.mark.parametrize("name", CONFIGS)
def test_within_the_bound_at_every_temperature(name: str) -> None:
    """Every code, on scores that are equal, spread over the range, within a few nats at that temperature, and far apart."""
    config = CONFIGS[name]
    fmt, rng = config.score_format, np.random.default_rng(3)
    codes = np.repeat(np.arange(1 << config.temperature_bits), 40)
    length = config.max_length
    nats = config.effective_scale * np.maximum(codes, 1)[:, None] * 2.0**-config.temperature_fraction
    near = rng.normal(0, 1.5, (len(codes), length)) / nats
    scores = np.where(np.arange(len(codes))[:, None] % 2, near, rng.uniform(fmt.minimum, fmt.maximum, near.shape))
    scores[::40] = fmt.maximum
    scores[1::40] = fmt.minimum
    scores[2::40, 1:] = fmt.minimum
    scores[2::40, 0] = fmt.maximum
    scores = np.clip(np.rint(scores), fmt.minimum, fmt.maximum).astype(np.int64)
    sideband = {"temperatures": codes}
    if config.mask:
        sideband["mask"] = (rng.random(scores.shape) < 0.3).astype(np.int64)
    if config.mode == "cross_entropy":
        sideband["labels"] = rng.integers(0, length, len(codes))
    result = golden(config, scores, sideband=sideband)
    vectors = Vectors(config, scores, np.full(len(codes), length), sideband)
    code = outputs(config)[0].fields[0]
    errors, saturated = errors_ulp(config, code, result[code.array], exact_values(code.array, vectors))
    counted = ~saturated & (vectors.valid if errors.ndim > 1 else np.ones(len(codes), dtype=bool))
    bound = plan(config).bound_ulp
    assert bound is not None
    worst = float(np.abs(errors[counted]).max())
    # The logarithms reach some hundred nats.
    assert 0.4 < worst <= bound + float64_slack_ulp(config) + 1e-9
    if "argmax" in result:
        np.testing.assert_array_equal(result.argmax, vectors.winners)


def test_an_infinite_temperature_is_uniform() -> None:
    config = CONFIGS["int8"]
    scores = np.random.default_rng(2).integers(-128, 128, (12, 12))
    lengths = np.arange(1, 13)
    result = golden(config, scores, lengths, {"temperatures": np.zeros(12, dtype=int)})
    for row, length in zip(result["probabilities"], lengths, strict=True):
        assert row[:length].tolist() == [min(255, int(256 / length + 0.5))] * length
    assert result.argmax.tolist() == [int(np.argmax(row[:n])) for row, n in zip(scores, lengths, strict=True)]


def test_temperature_one_changes_no_result() -> None:
    """u = 2^F: the same scores, so the results of two heads within their bounds, and nowhere more than a code apart."""
    config = CONFIGS["int8"]
    scores = np.random.default_rng(2).integers(-128, 128, (500, 12))
    one = golden(config, scores, sideband={"temperatures": np.full(500, 32)})["probabilities"]
    other = golden(config.replace(temperature_bits=0), scores)["probabilities"]
    assert np.abs(one - other).max() <= 1
    assert (one == other).mean() > 0.98


DRAWS = {
    "gumbel": Config(mode="sample", temperature_bits=5, temperature_fraction=3, max_length=9, seed=4),
    "inverse_cdf": Config(
        mode="sample",
        sampler="inverse_cdf",
        temperature_bits=3,
        temperature_fraction=2,
        max_length=9,
        score_width=6,
        seed=4,
    ),
    "smallest": Config(
        mode="sample",
        select="smallest",
        temperature_bits=2,
        temperature_fraction=0,
        max_length=9,
        mask=True,
        profile="fast",
    ),
}


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3")])
@pytest.mark.parametrize("name", DRAWS)
def test_draws_at_the_temperature_of_each_vector(name: str, source: str, sink: str) -> None:
    config = DRAWS[name]
    check_head(config, score_vectors(config, seed=6), source=source, sink=sink)


@pytest.mark.parametrize("name", ["gumbel", "inverse_cdf"])
def test_the_law_of_a_draw_is_softmax_at_the_temperature_of_its_vector(name: str) -> None:
    """Exactly, for every u; and the counts of the model, with all temperatures in one stream, by a chi-square for each."""
    config, count = DRAWS[name], 40_000
    scores = np.array([3, -20, 11, 30, 0, -31, 31, 29, 7])
    codes = np.arange(count) % (1 << config.temperature_bits)
    drawn = golden(config, np.tile(scores, (count, 1)), sideband={"temperatures": codes})
    distance = plan(config).distance
    assert distance is not None
    for code in range(1 << config.temperature_bits):
        exponents = scores * (config.score_scale * code * 2.0**-config.temperature_fraction)
        exact = np.exp(exponents - exponents.max())
        exact /= exact.sum()
        law = draw_law(config, scores, {"temperatures": code})
        assert total_variation(law, exact) <= distance
        index, score = drawn["sample"][codes == code], drawn["score"][codes == code]
        assert np.array_equal(score, config.position(scores)[index] * code)
        assert chi_square_probability(np.bincount(index, minlength=9), law) > 1e-6
