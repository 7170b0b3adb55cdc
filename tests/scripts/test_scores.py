"""Reading and quantising scores: accepted arrays, and refusals with the position."""

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.quantiser import saturating_codes
from softstream.scripts.scores import quantise, read_labels, read_scores
from softstream.sim.golden import golden

CONFIG = Config(max_length=8, score_width=4, score_scale=0.5)  # codes −8 to 7


def saved(tmp_path, array, name="scores.npy"):
    path = tmp_path / name
    np.save(path, array)
    return path


def test_integers_are_codes(tmp_path):
    scores = np.array([[-8, 7], [0, 1]], dtype=np.int8)
    result = read_scores(CONFIG, saved(tmp_path, scores))
    assert result.codes.dtype == np.int64
    np.testing.assert_array_equal(result.codes, scores)
    np.testing.assert_array_equal(result.lengths, [2, 2])
    assert (result.quantised, result.saturated) == (False, 0)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64])
def test_every_integer_type(dtype):
    np.testing.assert_array_equal(quantise(CONFIG, np.array([[0, 7]], dtype=dtype)).codes, [[0, 7]])
    with pytest.raises(UserError, match=r"^scores\[0, 1\] = 100: outside the score format, -8 to 7; for example 7$"):
        quantise(CONFIG, np.array([[0, 100]], dtype=dtype))


def test_uint64_beyond_int64_is_not_wrapped():
    with pytest.raises(UserError, match=r"scores\[0, 0\] = 18446744073709551615: outside"):
        quantise(CONFIG, np.array([[2**64 - 1]], dtype=np.uint64))


def test_floats_round_half_to_even_and_saturate():
    steps = np.array([[-9.0, -8.5, -8.0, -1.5, -0.5, 0.5, 1.5, 2.5]]) * CONFIG.score_scale
    result = quantise(CONFIG, steps, saturate=True)
    np.testing.assert_array_equal(result.codes, [[-8, -8, -8, -2, 0, 0, 2, 2]])
    # −8.5 rounds to −8, which is inside: one score saturates.
    assert (result.quantised, result.saturated) == (True, 1)


def test_infinities_and_overflowing_quotients_saturate():
    codes, saturated = saturating_codes(CONFIG.replace(score_scale=1e-9), np.array([[np.inf, -np.inf, 1e308, 0.0]]))
    np.testing.assert_array_equal(codes, [[7, -8, 7, 0]])
    assert saturated == 3


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nan_is_refused_with_its_position(dtype):
    scores = np.zeros((3, 4), dtype=dtype)
    scores[2, 1] = np.nan
    with pytest.raises(UserError, match=r"^scores\[2, 1\] = nan: scores must be numbers; for example -0\.5$"):
        quantise(CONFIG, scores)


def test_elements_beyond_a_length_are_neither_checked_nor_stored():
    scores = np.array([[1.0, np.nan, 99.0], [0.5, 0.5, 0.5]])
    result = quantise(CONFIG, scores, np.array([1, 3]))
    np.testing.assert_array_equal(result.codes, [[2, 0, 0], [1, 1, 1]])
    assert result.saturated == 0
    np.testing.assert_array_equal(quantise(CONFIG, np.array([[1, 99]]), np.array([1])).codes, [[1, 0]])


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (
            np.zeros(3, dtype=int),
            r"shape \(3,\); must be \[vectors, N\] with at least one of each; reshape it to \(1, 3\)",
        ),
        (np.zeros((1, 2, 3), dtype=int), r"shape \(1, 2, 3\); must be \[vectors, N\]"),
        (np.zeros((0, 3), dtype=int), r"shape \(0, 3\); must be"),
        (np.zeros((3, 0)), r"shape \(3, 0\); must be"),
        (np.array(5), r"shape \(\); must be"),
        (np.zeros((1, 2), dtype=bool), "an array of bool; must be integers"),
        (np.zeros((1, 2), dtype=complex), "an array of complex128; must be integers"),
        (np.array([["a"]]), "an array of <U1; must be integers"),
        (
            np.zeros((1, 9), dtype=int),
            "vectors of 9 elements; must be max_length = 8 at most; for example --set max_length=9",
        ),
        (np.array([[0, -9]]), r"scores\[0, 1\] = -9: outside the score format, -8 to 7; for example -8"),
    ],
)
def test_wrong_scores(scores, message):
    with pytest.raises(UserError, match=message):
        quantise(CONFIG, scores)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([2, 0], r"lengths\[1\] = 0: must be 1 to 8, max_length; for example 8"),
        ([9, 2], r"lengths\[0\] = 9: must be 1 to 8, max_length"),
        ([-1, 2], r"lengths\[0\] = -1"),
        ([1], r"shape \(1,\); must be one integer per vector, for example shape \(2,\)"),
        ([1.0, 2.0], r"an array of float64"),
        ([[1], [2]], r"shape \(2, 1\)"),
    ],
)
def test_wrong_lengths(lengths, message):
    with pytest.raises(UserError, match=message):
        quantise(CONFIG, np.zeros((2, 12), dtype=int), np.array(lengths))


def test_a_length_beyond_the_columns_is_refused():
    with pytest.raises(UserError, match=r"lengths\[0\] = 4: must be 1 to 3, the columns of the scores; for example 3"):
        quantise(CONFIG, np.zeros((1, 3), dtype=int), np.array([4]))


def test_more_columns_than_max_length_are_accepted_with_valid_lengths():
    result = quantise(CONFIG, np.ones((1, 12), dtype=int), np.array([8]))
    np.testing.assert_array_equal(result.codes, [[1] * 8 + [0] * 4])


def garbage(tmp_path):
    path = tmp_path / "garbage.npy"
    path.write_bytes(b"not an array at all")
    return path


def truncated(tmp_path):
    path = saved(tmp_path, np.zeros((100, 10)))
    path.write_bytes(path.read_bytes()[:300])
    return path


def header_alone(tmp_path):
    path = saved(tmp_path, np.zeros((100, 10)))
    path.write_bytes(path.read_bytes()[:20])
    return path


def huge_header(tmp_path):
    path = saved(tmp_path, np.zeros((100, 10)))
    path.write_bytes(path.read_bytes().replace(b"(100, 10), }                ", b"(10000000000, 1000000000), }"))
    assert b"1000000000" in path.read_bytes()
    return path


def empty(tmp_path):
    path = tmp_path / "empty.npy"
    path.touch()
    return path


def objects(tmp_path):
    return saved(tmp_path, np.array([[{"a": 1}]], dtype=object))


def archive(tmp_path):
    path = tmp_path / "archive.npz"
    np.savez(path, scores=np.zeros((1, 2)))
    return path


def broken_archive(tmp_path):
    path = archive(tmp_path)
    path.write_bytes(path.read_bytes()[:40])
    return path


@pytest.mark.parametrize(
    "make", [garbage, truncated, header_alone, huge_header, empty, objects, archive, broken_archive]
)
def test_files_that_are_no_array(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(UserError) as caught:
        read_scores(CONFIG, path)
    message = str(caught.value)
    assert message.startswith(f"--scores {path}: ")
    assert "must be one array" in message
    assert "\n" not in message


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"--scores .*nothing\.npy: cannot be read \(No such file or directory\)"):
        read_scores(CONFIG, tmp_path / "nothing.npy")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_scores(CONFIG, tmp_path)
    with pytest.raises(UserError, match=r"^--lengths .*cannot be read"):
        read_scores(CONFIG, saved(tmp_path, np.zeros((1, 2))), tmp_path / "nothing.npy")


def test_labels(tmp_path):
    np.testing.assert_array_equal(read_labels(saved(tmp_path, np.array([0, 9])), 2, 10), [0, 9])
    with pytest.raises(UserError, match=r"\[1\] = 10: must be an index, 0 to 9; for example 0"):
        read_labels(saved(tmp_path, np.array([0, 10])), 2, 10)
    with pytest.raises(UserError, match=r"shape \(2,\); must be one integer per vector, for example shape \(3,\)"):
        read_labels(saved(tmp_path, np.array([0, 1])), 3, 10)


# Shift, saturation, exclusion

WIDE = np.array([[100.0, 99.0], [99.0, 100.0]])


def test_a_vector_beyond_the_codes_is_shifted_to_the_largest_code():
    result = quantise(CONFIG, np.array([[100.0, 99.0, 50.0], [3.5, 3.0, -4.0]]))
    np.testing.assert_array_equal(result.codes, [[7, 5, -8], [7, 6, -8]])
    np.testing.assert_array_equal(result.shift, [100 - 3.5, 0])
    assert (result.saturated, result.saturated_winners, result.shifted) == (1, 0, 1)


def test_a_quantiser_without_a_shift_saturates_and_counts_the_winners():
    result = quantise(CONFIG, WIDE, saturate=True)
    np.testing.assert_array_equal(result.codes, [[7, 7], [7, 7]])
    assert (result.saturated, result.saturated_winners, result.shifted) == (4, 2, 0)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG.replace(mode="exponential"),
        CONFIG.replace(clip_maximum=6),
        CONFIG.replace(normaliser="none"),
    ],
)
def test_a_largest_score_that_saturates_is_refused_where_a_shift_changes_results(config):
    with pytest.raises(UserError) as caught:
        quantise(config, np.vstack([WIDE[:, ::-1], [[1.0, 0.5]]]))
    assert str(caught.value) == (
        "scores[0, 1] = 100: the largest score of its vector, one of 2 of 3 vectors, must be within the score codes, -4 to "
        "3.5 at score_scale = 0.5; for example --set score_scale=14.4, or --saturate"
    )
    assert quantise(config.replace(score_scale=14.4), WIDE).saturated_winners == 0
    assert quantise(config, WIDE, saturate=True).saturated_winners == 2


def test_a_sigmoid_has_no_winner_and_counts_what_saturates():
    result = quantise(CONFIG.replace(mode="sigmoid"), WIDE)
    assert (result.saturated, result.saturated_winners, result.shifted) == (4, 0, 0)


def test_minus_infinity_and_masked_elements_are_excluded():
    masked = CONFIG.replace(mask=True)
    scores = np.array([[1.0, -np.inf, 2.0], [-np.inf, -np.inf, -np.inf]])
    result = quantise(masked, scores)
    np.testing.assert_array_equal(result.mask, [[False, True, False], [True, True, True]])
    np.testing.assert_array_equal(result.given, scores)
    np.testing.assert_array_equal(result.codes, [[2, 0, 4], [0, 0, 0]])
    assert result.saturated == 0
    hidden = quantise(masked, np.ma.masked_array([[1.0, np.nan], [2.0, 3.0]], mask=[[False, True], [False, False]]))
    np.testing.assert_array_equal(hidden.mask, [[False, True], [False, False]])
    codes = quantise(masked, np.ma.masked_array([[1, 99], [2, 3]], mask=[[False, True], [False, False]]))
    np.testing.assert_array_equal(codes.mask, [[False, True], [False, False]])
    assert golden(masked, result.codes, result.lengths, result.sideband)["all_masked"].tolist() == [False, True]


def test_excluded_elements_are_refused_with_the_key_that_takes_them():
    with pytest.raises(UserError) as caught:
        quantise(CONFIG, np.array([[1.0, -np.inf]]))
    assert (
        str(caught.value) == "scores[0, 1] = -inf: excludes an element, and mask = false; for example --set mask=true"
    )
    with pytest.raises(UserError, match=r"^scores\[0, 1\] = masked: excludes an element, and mask = false; "):
        quantise(CONFIG, np.ma.masked_array([[1, 2]], mask=[[False, True]]))
    with pytest.raises(UserError, match=r"and mask = false; for example -4\.0, the smallest score$"):
        quantise(CONFIG.replace(ensemble=2), np.array([[1.0, -np.inf], [1.0, 2.0]]))


def test_plus_infinity_is_refused_with_its_position():
    with pytest.raises(UserError, match=r"^scores\[0, 1\] = inf: scores must be finite; for example -0\.5$"):
        quantise(CONFIG, np.array([[1.0, np.inf]]))


def test_each_group_of_a_packet_is_shifted_by_itself():
    groups = CONFIG.replace(groups=[2, 3], max_length=3)
    result = quantise(groups, np.array([[100.0, 99.0, 1.0, 2.0, 3.0, -50.0]]))
    np.testing.assert_array_equal(result.codes, [[7, 5, 2, 4, 6, 7]])
    np.testing.assert_array_equal(result.shift, [[96.5, 0.0, -53.5]])
