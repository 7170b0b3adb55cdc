"""The exact values of given real scores: SciPy's and NumPy's, those of codes where the scores are codes, and exact winners."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import outputs, sidebands
from softstream.sim.reference.exact import EXACT, Vectors, exact_values
from softstream.sim.reference.float_scores import FloatVectors

special = pytest.importorskip("scipy.special")

BASE = Config(max_length=9, score_scale=0.125)
RNG = np.random.default_rng(8)
LENGTHS = RNG.integers(1, 10, 60)
USED = np.arange(9) < LENGTHS[:, None]
LABELS = RNG.integers(0, LENGTHS)
KINDS = {
    "narrow": RNG.normal(0, 0.2, (60, 9)),
    "offset": RNG.normal(20, 6, (60, 9)),
    "heavy tails": RNG.standard_cauchy((60, 9)) * 3,
    "one large vector": np.concatenate([RNG.normal(0, 3, (59, 9)), RNG.normal(1e8, 1, (1, 9))]),
}
"""Real scores in nats, by what is special about them."""


def of_floats(config: Config, floats: np.ndarray, lengths: np.ndarray = LENGTHS) -> FloatVectors:
    sideband = {"labels": LABELS} if sidebands(config) else {}
    return FloatVectors.of(config, floats, np.zeros(len(floats)), lengths, sideband)


def code_array(config: Config) -> str:
    return next(field.array for output in outputs(config) for field in output.fields if field.array in EXACT)


def theirs(config: Config, row: np.ndarray) -> np.ndarray:
    """The values of one vector's real scores by SciPy, without a mask, a clip or a stage behind the probabilities."""
    nats = row / config.temperature
    reference = (config.score_format.maximum - config.reference_offset) * config.effective_scale
    return {
        "softmax": special.softmax,
        "log_softmax": special.log_softmax,
        "exponential": lambda x: np.exp(np.minimum(x - reference, 0)),
        "sigmoid": special.expit,
        "softmax_top_k": lambda x: np.sort(special.softmax(x))[::-1][: config.top_k],
        "hardmax": lambda x: (np.arange(len(x)) == np.argmax(x)).astype(float),
    }[config.mode](nats)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["softmax", "log_softmax", "exponential", "sigmoid", "softmax_top_k", "hardmax"])
def test_the_values_are_those_of_scipy_on_the_given_floats(mode, kind):
    config = BASE.replace(mode=mode, **({} if mode == "hardmax" else {"temperature": 1.5}))
    exact = exact_values(code_array(config), of_floats(config, np.where(USED, KINDS[kind], 0)))
    for row, scores, length in zip(exact, KINDS[kind], LENGTHS, strict=True):
        expected = theirs(config, scores[:length])
        # Quotients by the scale and the temperature round a few times; at 1e8 SciPy's own argument has lost digits.
        assert row[: len(expected)] == pytest.approx(
            expected, rel=1e-9, abs=1e-12 if kind != "one large vector" else 1e-7
        )


def test_losses_are_those_of_scipy():
    config = BASE.replace(mode="cross_entropy")
    exact = exact_values("losses", of_floats(config, np.where(USED, KINDS["offset"], 0)))
    expected = [-special.log_softmax(row[:n])[y] for row, n, y in zip(KINDS["offset"], LENGTHS, LABELS, strict=True)]
    assert exact == pytest.approx(expected, rel=1e-12)


OPTIONS: list[dict[str, object]] = [
    {},
    {"mode": "log_softmax", "temperature": 3},
    {"mode": "sigmoid"},
    {"mode": "exponential", "reference_offset": 20},
    {"mode": "softmax_top_k"},
    {"mode": "hardmax"},
    {"clip_minimum": -20, "clip_maximum": 40},
    {"smoothing": [1, 3, 2], "smoothing_edges": "scatter"},
    {"probability_floor": 0.01},
    {"normaliser": "none"},
    {"groups": [2, 3]},
    {"ensemble": 3},
    {"ensemble": 3, "ensemble_mean": "probabilities", "smoothing": [1, 2, 1]},
    {"temperature_bits": 8},
    {"mask": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_floats_that_are_codes_have_the_values_and_winners_of_the_codes(options):
    """So every option applies to given floats as it does to codes, shifted vectors included."""
    config = BASE.replace(**({"max_length": 3} if "groups" in options else {}), **options)
    lengths = np.repeat(LENGTHS[::3], 3) if config.ensemble > 1 else LENGTHS
    used = np.arange(9) < lengths[:, None]
    codes = np.where(used, RNG.integers(-128, 128, (60, 9)), 0)
    excluded = used & (RNG.random((60, 9)) < 0.3) & config.mask
    excluded[4] = used[4] & config.mask  # nothing is left of this vector
    available = {"mask": excluded.astype(np.int64), "temperatures": RNG.integers(0, 256, 60)}
    sideband = {port.array: available[port.array] for port in sidebands(config)}
    shift = np.zeros((60, 5) if config.groups else 60)
    if not config.groups:
        shift += RNG.integers(-3, 4, 60) * 16.0
    floats = np.where(used, codes * config.score_scale + (0 if config.groups else shift[:, None]), 0)
    if config.mode in ("sigmoid", "exponential"):
        shift, floats = shift * 0, np.where(used, codes * config.score_scale, 0)
    floats[excluded] = -np.inf
    ours = FloatVectors.of(config, floats, shift, lengths, sideband)
    known = Vectors(config, codes, lengths, sideband)
    array = code_array(config)
    exact, expected = exact_values(array, ours), exact_values(array, known)
    counted = known.head_inputs.valid if exact.shape == known.head_inputs.valid.shape else np.ones(exact.shape, bool)
    assert exact[counted] == pytest.approx(expected[counted], rel=1e-9, abs=1e-12)
    assert np.array_equal(ours.winners, known.winners)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), scale=st.floats(1e-3, 10), mode=st.sampled_from(["argmax", "softmax", "exponential"]))
def test_the_winner_is_that_of_numpy_for_any_floats(data, scale, mode):
    """Neighbouring floats, of which a quotient would merge some, and the smallest numbers of float64 among them."""
    near = st.sampled_from(
        [0.0, 5e-324, 1.5e-323, 0.1, np.nextafter(0.1, 1), 1e8, np.nextafter(1e8, 2e8), -1e308, 1e308]
    )
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 6)))
    values = data.draw(
        st.lists(near | st.floats(-1e300, 1e300), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    )
    floats = np.array(values).reshape(shape)
    config = Config(mode=mode, max_length=6, score_scale=scale)
    vectors = FloatVectors.of(config, floats, np.zeros(shape[0]), np.full(shape[0], shape[1]))
    assert np.array_equal(vectors.winners, floats.argmax(axis=1))
    if mode == "softmax":
        assert np.array_equal(vectors.softmax.max(axis=1), vectors.softmax[np.arange(shape[0]), vectors.winners])
