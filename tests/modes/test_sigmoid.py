"""The sigmoid: every code is the nearest one, and the hardware gives just these, at the promised cycle."""

from decimal import Context, Decimal
from typing import Any

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import score_vectors
from support.stream_bench import PAUSES, run_component
from support.verilog_text import code

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.head import Head
from softstream.hw.numbers.sigmoid import sigmoid_codes
from softstream.hw.plan.derive import plan
from softstream.hw.plan.modes.sigmoid import sigmoid_latency
from softstream.scripts.scores import quantise
from softstream.sim.golden import golden
from softstream.sim.golden.modes.sigmoid import codes as sigmoid
from softstream.sim.golden.stages.frame import frame
from softstream.sim.reference.exact import exact_values
from softstream.sim.reference.float_scores import FloatVectors

EXACT = Context(prec=70, Emin=-(10**9), Emax=10**9)

SIGMOID = Config(mode="sigmoid")

CONFIGS = {
    "int8": SIGMOID.replace(max_length=16),
    "unsigned": Config(
        mode="sigmoid", max_length=16, score_signed=False, score_width=6, score_scale=0.3, profile="small"
    ),
    "fine": Config(
        mode="sigmoid",
        max_length=16,
        score_width=12,
        score_scale=2.0**-9,
        probability_width=16,
        probability_format="UQ1",
    ),
    "wide": SIGMOID.replace(max_length=16, score_width=16, score_scale=2.0**-8, profile="fastest"),
    "wide-unsigned": Config(
        mode="sigmoid", max_length=16, score_width=13, score_signed=False, score_scale=0.01, profile="small"
    ),
    "coarse": SIGMOID.replace(max_length=3, score_width=2, score_scale=1e300, probability_width=2),
    "lanes": SIGMOID.replace(max_length=13, lanes=4, score_scale=0.1467),
    "temperature": SIGMOID.replace(max_length=16, score_scale=0.11, temperature=3.0),
    "zero-point": SIGMOID.replace(max_length=5, score_signed=False, score_zero_point=131, score_scale=0.07),
    "lanes-small": SIGMOID.replace(max_length=5, lanes=2, score_width=14, score_scale=0.5, profile="small"),
}


def every_code(config: Config) -> np.ndarray:
    return np.arange(config.score_format.minimum, config.score_format.maximum + 1)


def exact(config: Config, code: int) -> Decimal:
    """2^P·σ((code − zero point) · score_scale), to 70 digits."""
    x = EXACT.multiply(Decimal(config.effective_scale), Decimal(int(code) - config.score_zero_point))
    x = max(Decimal(-(10**6)), min(Decimal(10**6), x))
    sigma = EXACT.divide(Decimal(1), EXACT.add(Decimal(1), EXACT.exp(-x)))
    return EXACT.multiply(sigma, Decimal(1 << config.probability_width))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_code_is_the_nearest(name: str) -> None:
    config = CONFIGS[name]
    scores = every_code(config)
    codes = sigmoid(config, scores - config.score_format.minimum)
    # Of a wide score's flat ends some are enough.
    shown = np.unique(np.concatenate([np.arange(0, len(scores), 1 + len(scores) // 3000), [0, 1, len(scores) - 1]]))
    top = config.probability_maximum
    for place in shown:
        value = exact(config, scores[place])
        assert abs(int(codes[place]) - value) <= Decimal("0.5") or (codes[place] == top and value > top)
    assert (np.diff(codes) >= 0).all()


@pytest.mark.parametrize("name", CONFIGS)
def test_close_to_float64(name: str) -> None:
    """By another way: float64 carries some roundings of 2^-53, a table of P bits is off by half a step."""
    config = CONFIGS[name]
    scores = every_code(config)
    x = np.clip((scores - config.score_zero_point) * config.effective_scale, -700, 700)
    expected = np.minimum(2.0**config.probability_width / (1 + np.exp(-x)), config.probability_maximum)
    codes = sigmoid(config, scores - config.score_format.minimum)
    assert np.abs(codes - expected).max() <= 0.5 + 2.0 ** (config.probability_width - 40)


def test_mirrored_scores_add_up_to_one() -> None:
    """σ(−x) = 1 − σ(x), also of the codes, where 1.0 has a code."""
    config = Config(mode="sigmoid", probability_format="UQ1", score_scale=0.0371)
    codes = sigmoid_codes(config)
    middle = 128
    assert codes[middle] == 128
    assert (codes[middle:] + codes[middle:0:-1] == 256).all()


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("width", [2, 8])
def test_every_score_through_the_hardware(width: int, signed: bool, lanes: int) -> None:
    config = Config(
        mode="sigmoid", max_length=256, score_width=width, score_signed=signed, score_scale=0.11, lanes=lanes
    )
    scores = every_code(config)
    trace = run_component(Head(config), beats_of([scores], lanes), len(scores) // lanes)
    names = ["probability", "probability_1"][:lanes]
    codes = [beat[name] for beat in trace.beats for name in names]
    assert codes == sigmoid(config, scores - config.score_format.minimum).tolist()


def test_every_wide_score_about_the_ends_of_the_table() -> None:
    for signed, ends in ((True, (-2048, 2048)), (False, (0, 4096))):
        config = Config(mode="sigmoid", max_length=1024, score_width=14, score_signed=signed, score_scale=0.004)
        low, high = config.score_format.minimum, config.score_format.maximum
        scores = np.concatenate([np.arange(end - 20, end + 20) for end in (*ends, low + 20, high - 20, 0)])
        scores = scores[(scores >= low) & (scores <= high)]
        trace = run_component(Head(config), beats_of([scores]), len(scores))
        assert [beat["probability"] for beat in trace.beats] == sigmoid(config, scores - low).tolist()


def expected_beats(config: Config, vectors: list[np.ndarray]) -> list[dict[str, int]]:
    """Beats of the golden model: vectors framed, each beat's lanes, the flag in the last beat."""
    beats = []
    for vector in vectors:
        positions, lengths, overlong = frame(config, vector[None], np.array([len(vector)]))
        codes = sigmoid(config, positions)[0]
        count = config.beats(int(lengths[0]))
        for k in range(count):
            held = codes[k * config.lanes : (k + 1) * config.lanes]
            beat = {"probability": int(held[0]), "last": int(k == count - 1)}
            beat["overlong"] = int(overlong[0] and k == count - 1)
            for lane in range(1, config.lanes):
                beat[f"keep_{lane}"] = int(lane < len(held))
                if lane < len(held):
                    beat[f"probability_{lane}"] = int(held[lane])
            beats.append(beat)
    return beats


def held(beat: dict[str, int]) -> dict[str, int]:
    """A beat without the fields of its empty lanes."""
    return {
        name: value
        for name, value in beat.items()
        if not name.startswith("probability_") or beat["keep" + name.removeprefix("probability")]
    }


@pytest.mark.parametrize("sink", PAUSES)
@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str, source: str, sink: str) -> None:
    config = CONFIGS[name]
    vectors = score_vectors(config, seed=71)
    expected = expected_beats(config, vectors)
    trace = run_component(Head(config), beats_of(vectors, config.lanes), len(expected), source=source, sink=sink)
    assert [held(beat) for beat in trace.beats] == expected


@pytest.mark.parametrize("profile", ["small", "fast", "fastest"])
def test_latency_is_constant_and_there_is_no_bubble(profile: str) -> None:
    config = Config(mode="sigmoid", max_length=40, profile=profile)
    beats = beats_of([np.arange(n) for n in (1, 1, 33, 2, 40, 1)])
    trace = run_component(Head(config), beats, len(beats))
    latency = {"small": 2, "fast": 4, "fastest": 5}[profile]
    assert sigmoid_latency(config) == latency
    assert trace.inputs == list(range(trace.inputs[0], trace.inputs[0] + len(beats)))
    assert trace.outputs == [cycle + latency for cycle in trace.inputs]


@pytest.mark.parametrize(
    ("values", "would_do"),
    [
        ({"score_width": 13, "score_scale": 2.0**-9}, 2.0**-8),
        ({"score_width": 16, "score_scale": 2.0**-11, "probability_width": 16}, 2.0**-7),
        ({"score_width": 14, "score_scale": 2.0**-12, "score_signed": False}, 2.0**-9),
    ],
)
def test_scores_too_wide_and_too_fine_are_refused_with_a_remedy(values: dict[str, object], would_do: float) -> None:
    config = Config.from_mapping({"mode": "sigmoid", **values})
    text = (
        rf"score_width = {config.score_width}, score_scale = .*; score_width = 12 would do, or score_scale = {would_do}"
    )
    with pytest.raises(UserError, match=text):
        sigmoid_codes(config)
    with pytest.raises(UserError, match=text):
        plan(config)
    sigmoid_codes(config.replace(score_width=12))
    sigmoid_codes(config.replace(score_scale=would_do))


def test_the_zero_point_moves_the_table_alone() -> None:
    """int8 codes from −128 are uint8 codes with zero point 128, and the mean of three members has three times the zero point."""
    codes = np.arange(256)[None]
    unsigned = SIGMOID.replace(score_signed=False, score_zero_point=128)
    due = golden(SIGMOID, codes - 128)["probabilities"]
    assert np.array_equal(golden(unsigned, codes)["probabilities"], due)
    mean = golden(unsigned.replace(ensemble=3), np.repeat(codes, 3, axis=0))["probabilities"]
    assert np.array_equal(mean, due)


@pytest.mark.parametrize("mode", ["softmax", "argmax", "exponential", "log_softmax"])
def test_the_zero_point_costs_nothing_elsewhere(mode: str) -> None:
    config = Config.from_mapping({"mode": mode, "max_length": 4, "score_width": 4})
    assert code(config) == code(config.replace(score_zero_point=-3))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"score_zero_point": 128}, "score_zero_point = 128: must be one of the score codes, -128 to 127"),
        (
            {"score_signed": False, "score_zero_point": -1},
            "score_zero_point = -1: must be one of the score codes, 0 to 255",
        ),
        (
            {"score_zero_point": 1, "score_width": 13},
            "score_zero_point = 1 with score_width = 13: a sigmoid of more than 12",
        ),
    ],
)
def test_zero_points_that_do_not_fit(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=rf"^{text}.*; score_zero_point = \d+ would do$"):
        Config(mode="sigmoid", **keys)


def test_floats_are_quantised_as_by_onnx() -> None:
    """QuantizeLinear: saturate(round half to even (x / scale) + zero point)."""
    config = SIGMOID.replace(score_signed=False, score_zero_point=100, score_scale=0.5, max_length=6)
    floats = np.array([[0.0, 0.25, 0.75, -50.0, -50.25, 77.5]])
    scores = quantise(config, floats)
    assert scores.codes.tolist() == [[100, 100, 102, 0, 0, 255]]
    assert scores.saturated == 0
    np.testing.assert_array_equal(config.real_value(scores.codes), [[0, 0, 1, -50, -50, 77.5]])
    vectors = FloatVectors.of(config, floats, scores.shift, scores.lengths)
    np.testing.assert_allclose(exact_values("probabilities", vectors), 1 / (1 + np.exp(-floats)), rtol=0, atol=1e-15)
