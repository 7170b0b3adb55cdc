"""Random shapes, scales and types of scores: codes, shifts and counts are what NumPy says, computed element by element."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.scores import quantise

FLOATS = (np.float16, np.float32, np.float64, np.longdouble)
SPREADS = (0.01, 1.0, 40.0, 3000.0)
MODES = ("softmax", "argmax", "sigmoid", "exponential", "cross_entropy")


def ends(width, signed):
    """The smallest and the largest code."""
    return (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)


@st.composite
def cases(draw):
    """(configuration, scores of two to four dimensions, axis, lengths of the vectors)."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    mode, width, signed = draw(st.sampled_from(MODES)), draw(st.integers(2, 9)), draw(st.booleans())
    low, high = ends(width, signed)
    config = Config(
        mode=mode,
        max_length=4,
        score_width=width,
        score_signed=signed,
        score_scale=draw(st.floats(0.01, 1)),
        score_zero_point=draw(st.just(0) | st.integers(low, high)),
        select="largest" if mode == "sigmoid" else draw(st.sampled_from(("largest", "smallest"))),
        mask=draw(st.booleans()),
    )
    rng = np.random.default_rng(draw(st.integers(0, 1 << 31)))
    scores = rng.normal(draw(st.sampled_from((0.0, 5.0, -300.0))), draw(st.sampled_from(SPREADS)), shape)
    if config.mask:
        scores[rng.random(shape) < 0.2] = -np.inf
    lengths = rng.integers(1, shape[axis] + 1, scores.size // shape[axis])
    return config, scores.astype(draw(st.sampled_from(FLOATS))), axis, lengths


def element_by_element(config, vector, saturate):
    """Codes, shift, saturated scores, and whether the largest is among them, of the elements of one vector."""
    (low, high), zero = ends(config.score_width, config.score_signed), config.score_zero_point
    best, end = (min, low) if config.select == "smallest" else (max, high)
    present = [float(x) for x in vector if x != -np.inf]
    if not present:
        return [0] * len(vector), 0.0, 0, False
    shift = None
    steps = {x: round(x / config.score_scale) + zero for x in present}
    if (
        not saturate
        and config.mode not in ("sigmoid", "exponential")
        and any(not low <= k <= high for k in steps.values())
    ):
        shift = best(present)
        steps = {x: end + round((x - shift) / config.score_scale) for x in present}
    codes = [0 if x == -np.inf else min(max(steps[float(x)], low), high) for x in vector]
    saturated = sum(not low <= steps[x] <= high for x in present)
    lost = config.mode != "sigmoid" and not low <= steps[best(present)] <= high
    return codes, 0.0 if shift is None else shift - (end - zero) * config.score_scale, saturated, lost


@pytest.mark.parametrize("saturate", [False, True])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases())
def test_codes_and_counts_are_those_of_every_element_by_itself(saturate, case):
    config, scores, axis, lengths = case
    rows = np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis])
    expected = [element_by_element(config, row[:length], saturate) for row, length in zip(rows, lengths, strict=True)]
    lost = sum(bad for *_, bad in expected)
    if lost and not saturate:
        with pytest.raises(UserError, match=f"the {config.select} score of its vector"):
            quantise(config, scores, lengths, axis=axis)
        return
    result = quantise(config, scores, lengths, axis=axis, saturate=saturate)
    codes, shifts, saturated, _ = zip(*expected, strict=True)
    for row, length, part in zip(result.codes, lengths, codes, strict=True):
        assert row.tolist() == [*part, *[0] * (len(row) - length)]
    np.testing.assert_allclose(result.shift, shifts, rtol=1e-15)
    assert (result.saturated, result.saturated_winners) == (sum(saturated), lost)
    used = np.arange(rows.shape[1]) < lengths[:, None]
    np.testing.assert_array_equal(result.floats, np.where(used, rows, 0).astype(np.float64))
    if config.mask:
        np.testing.assert_array_equal(result.mask, used & (rows == -np.inf))
    np.testing.assert_array_equal(
        np.moveaxis(result.layout.restored(result.codes), axis, -1).reshape(rows.shape), result.codes
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cases(), st.randoms(use_true_random=False), st.sampled_from([np.nan, np.inf]))
def test_what_is_no_finite_number_is_refused_at_its_own_position(case, random, value):
    config, scores, axis, _ = case
    position = [random.randrange(size) for size in scores.shape]
    scores[tuple(position)] = value
    with pytest.raises(UserError) as caught:
        quantise(config, scores, axis=axis, saturate=True)
    assert str(caught.value).startswith(f"scores{position} = {value}: scores must be ")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cases(), st.sampled_from([np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]))
def test_integers_and_floats_that_are_codes_stay_as_they_are(case, dtype):
    config, scores, axis, lengths = case
    low, high = config.score_format.minimum, config.score_format.maximum
    info = np.iinfo(dtype)
    codes = np.clip(np.nan_to_num(np.rint(scores.astype(np.float64)), neginf=0), low, high)
    codes = np.clip(codes, info.min, min(info.max, 1 << 15)).astype(dtype)
    rows = np.moveaxis(codes, axis, -1).reshape(-1, codes.shape[axis])
    used = np.arange(rows.shape[1]) < lengths[:, None]
    whole = quantise(config, codes, lengths, axis=axis)
    np.testing.assert_array_equal(whole.codes, np.where(used, rows, 0))
    assert (whole.quantised, whole.saturated, whole.floats) == (False, 0, None)
    floats = quantise(config, codes.astype(np.float32), lengths, axis=axis, codes=True)
    np.testing.assert_array_equal(floats.codes, whole.codes)
