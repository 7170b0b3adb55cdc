"""Reading and quantising scores: accepted arrays, and refusals with the position."""

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.quantiser import saturating_codes
from softstream.scripts.scores import NO_LABEL, ScoreFile, quantise, read_labels, read_scores, to_labels
from softstream.scripts.verbs.compare import compare
from softstream.scripts.verbs.family import entries, family
from softstream.sim.golden import golden

CONFIG = Config(max_length=8, score_width=4, score_scale=0.5)  # codes −8 to 7


def saved(tmp_path, array, name="scores.npy"):
    path = tmp_path / name
    np.save(path, array)
    return path


def read(path, lengths=None, **options):
    return read_scores(CONFIG, ScoreFile(str(path), None if lengths is None else str(lengths), **options))


def test_integers_are_codes(tmp_path):
    scores = np.array([[-8, 7], [0, 1]], dtype=np.int8)
    result = read(saved(tmp_path, scores))
    assert result.codes.dtype == np.int64
    np.testing.assert_array_equal(result.codes, scores)
    np.testing.assert_array_equal(result.lengths, [2, 2])
    assert (result.quantised, result.saturated) == (False, 0)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64])
def test_every_integer_type(dtype):
    np.testing.assert_array_equal(quantise(CONFIG, np.array([[0, 7]], dtype=dtype)).codes, [[0, 7]])
    with pytest.raises(
        UserError, match=r"^scores\[0, 1\] = 100: outside the score format, -8 to 7; for example 7, or --set "
    ):
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
        ([[1, 2], [2, 1]], r"shape \(2, 2\)"),
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


def archive(tmp_path, **arrays):
    path = tmp_path / "archive.npz"
    np.savez(path, **(arrays or {"scores": np.zeros((1, 2))}))
    return path


def object_archive(tmp_path):
    return archive(tmp_path, scores=np.array([[{"a": 1}]], dtype=object))


def broken_archive(tmp_path):
    path = archive(tmp_path)
    path.write_bytes(path.read_bytes()[:40])
    return path


@pytest.mark.parametrize(
    "make", [garbage, truncated, header_alone, huge_header, empty, objects, object_archive, broken_archive]
)
def test_files_that_are_no_array(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"--scores {path}: ")
    assert "must be one array" in message
    assert "\n" not in message


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"--scores .*nothing\.npy: cannot be read \(No such file or directory\)"):
        read(tmp_path / "nothing.npy")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"^--lengths .*cannot be read"):
        read(saved(tmp_path, np.zeros((1, 2))), tmp_path / "nothing.npy")


def test_labels(tmp_path):
    scores = quantise(CONFIG, np.zeros((2, 8), dtype=int))
    path = saved(tmp_path, np.array([0, 7]))
    np.testing.assert_array_equal(read_labels(str(path), scores), [0, 7])
    with pytest.raises(
        UserError, match=r"shape \(2,\); must be one integer per vector, for example shape \(3,\), or one-hot"
    ):
        read_labels(str(path), quantise(CONFIG, np.zeros((3, 8), dtype=int)))


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
    np.testing.assert_array_equal(result.floats, scores)
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


# Files


def test_an_archive_gives_its_only_array_or_the_named_one(tmp_path):
    path = archive(tmp_path, scores=np.array([[1, 2]]))
    np.testing.assert_array_equal(read(path).codes, [[1, 2]])
    path = archive(tmp_path, scores=np.array([[1, 2]]), others=np.array([[3, 4]]))
    np.testing.assert_array_equal(read(f"{path}:others").codes, [[3, 4]])
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value) == (
        f"--scores {path}: an archive of 2 arrays, scores, others; name one; for example --scores {path}:scores"
    )
    with pytest.raises(UserError, match=r"archive\.npz:other: no array of this name \(did you mean 'others'\?\)"):
        read(f"{path}:other")


def test_a_file_whose_name_looks_like_an_array_of_an_archive_is_itself(tmp_path):
    path = saved(tmp_path, np.array([[1, 2]]), "a.npz:b.npy")
    np.testing.assert_array_equal(read(path).codes, [[1, 2]])


@pytest.mark.parametrize(
    ("text", "quantised", "codes"),
    [
        ("1,2,3\n-4,5,-6\n", False, [[1, 2, 3], [-4, 5, -6]]),
        ("cat;dog\n0.5;-1\n\n1;2\n", True, [[1, -2], [2, 4]]),
        ("\ufeffcat\tdog\n1e0\t2\n", True, [[2, 4]]),
        ("1 2\n3 4", False, [[1, 2], [3, 4]]),
        ('"1","2"', False, [[1, 2]]),
    ],
)
def test_tables_of_text(tmp_path, text, quantised, codes):
    path = tmp_path / "scores.csv"
    path.write_text(text, encoding="utf-8")
    result = read(path)
    np.testing.assert_array_equal(result.codes, codes)
    assert result.quantised == quantised


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no numbers; must be a table with a vector in each line; for example 0.5,-1.25,3"),
        (b"cat,dog\n", "no numbers"),
        (b"1,2\n3\n", ", line 2: 1 fields, and line 1 has 2; must be as many in every line"),
        (b"a,b\n1,2\n3,x\n", ", line 3: 'x' is no number; for example 0"),
        (b"1,,2\n", ", line 1: '' is no number"),
        (b"\xff\xfe1", "not UTF-8 text; must be a table of numbers"),
        (b"99999999999999999999,1\n", "integers beyond 64 bits; must be score codes; for example 0"),
    ],
)
def test_tables_that_are_none(tmp_path, content, message):
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value).startswith(f"--scores {path}")
    assert message in str(caught.value)


# More dimensions


@pytest.mark.parametrize("axis", [-1, 2, 1, 0, -3])
def test_vectors_lie_along_an_axis_of_any_array_and_results_get_its_shape(axis):
    scores = np.random.default_rng(1).integers(-8, 8, (3, 5, 4))
    result = quantise(CONFIG, scores, axis=axis)
    model = golden(CONFIG, result.codes, result.lengths)
    np.testing.assert_array_equal(result.layout.restored(model.argmax), scores.argmax(axis=axis))
    np.testing.assert_array_equal(result.layout.restored(result.codes), scores)
    assert result.layout.restored(model.probabilities).shape == scores.shape
    top = CONFIG.replace(mode="top_k", top_k=2)
    best = result.layout.restored(golden(top, result.codes)["top_scores"])
    np.testing.assert_array_equal(best, -np.sort(-scores, axis=axis).take([0, 1], axis=axis))


def test_messages_give_the_position_in_the_array_of_the_caller():
    scores = np.zeros((2, 3, 4), dtype=int)
    scores[1, 2, 3] = 99
    for axis in (0, 1, 2):
        with pytest.raises(UserError, match=r"^scores\[1, 2, 3\] = 99: outside"):
            quantise(CONFIG, scores, axis=axis)


def test_an_axis_that_is_none_is_refused():
    with pytest.raises(
        UserError, match=r"^--axis = 2: scores has the shape \(1, 2\); must be from -2 to 1; for example -1$"
    ):
        quantise(CONFIG, np.zeros((1, 2)), axis=2)


def test_the_members_of_ensembles_lie_along_the_last_outer_axis():
    ensembles = CONFIG.replace(ensemble=2)
    result = quantise(ensembles, np.random.default_rng(2).integers(-8, 8, (3, 4, 5)))
    decided = golden(ensembles, result.codes)["argmax"]
    assert result.layout.restored(decided, members=2).shape == (3, 2)
    with pytest.raises(UserError, match=r"must hold whole ensembles; for example shape \(4, 2, 5\)$"):
        quantise(ensembles, np.zeros((4, 3, 5), dtype=int))


def test_lengths_and_sidebands_follow_the_shape_of_the_scores(tmp_path):
    masked = CONFIG.replace(mask=True)
    scores = np.arange(24).reshape(2, 4, 3) % 8
    mask = np.zeros((2, 4, 3), dtype=int)
    mask[1, 3, 2] = 1
    file = ScoreFile(
        str(saved(tmp_path, scores)),
        str(saved(tmp_path, np.full((2, 3), 4), "lengths.npy")),
        (f"mask={saved(tmp_path, mask, 'mask.npy')}",),
        axis=1,
    )
    result = read_scores(masked, file)
    np.testing.assert_array_equal(result.layout.restored(result.mask), mask)
    np.testing.assert_array_equal(result.sideband["mask"], result.mask)
    assert result.lengths.tolist() == [4] * 6


# Codes


def test_floats_are_codes_where_the_caller_says_so():
    result = quantise(CONFIG, np.array([[1.0, -8.0, 7.0]]), codes=True)
    np.testing.assert_array_equal(result.codes, [[1, -8, 7]])
    assert (result.quantised, result.floats) == (False, None)
    for value, message in (
        (0.5, r"scores\[0, 1\] = 0\.5: with --codes scores must be integers; for example 0$"),
        (np.nan, r"scores\[0, 1\] = nan: with --codes scores must be integers"),
        (8.0, r"scores\[0, 1\] = 8: outside the score format, -8 to 7; for example 7, or --set "),
    ):
        with pytest.raises(UserError, match=message):
            quantise(CONFIG, np.array([[1.0, value]]), codes=True)


def test_floats_that_look_like_codes_get_a_warning():
    [warning] = quantise(CONFIG, np.array([[1.0, -3.0]])).warnings
    assert warning == (
        "scores: all floats are integers from -8 to 7, as score codes are, and were divided by score_scale = 0.5; --codes "
        "takes them as codes"
    )
    for config, scores in (
        (CONFIG, [[1.5, 1.0]]),
        (CONFIG.replace(score_scale=1.0), [[1.0, 2.0]]),
        (CONFIG, [[9.0, 1.0]]),
    ):
        assert not quantise(config, np.array(scores)).warnings
    assert not quantise(CONFIG, np.array([[1.0, -3.0]]), codes=True).warnings


def test_integers_without_a_stated_scale_get_a_warning(tmp_path):
    path = str(saved(tmp_path, np.array([[1, 2]])))
    [warning] = read(path, scale_stated=False).warnings
    assert warning == (
        f"{path}: integer codes in steps of 0.5, the default of score_scale; state the scale of these codes; for example "
        "--set score_scale=0.5"
    )
    assert not read(path).warnings
    assert not read_scores(CONFIG.replace(mode="argmax"), ScoreFile(path, scale_stated=False)).warnings
    assert not read(saved(tmp_path, np.array([[1.5, 2.0]])), scale_stated=False).warnings


# Labels


@pytest.mark.parametrize(
    "labels",
    [
        np.array([2, 0, 1], dtype=np.uint8),
        np.array([[2], [0], [1]]),
        np.eye(3)[[2, 0, 1]],
        np.eye(3, dtype=bool)[[2, 0, 1]],
    ],
)
def test_labels_in_rows_columns_and_one_hot(labels):
    np.testing.assert_array_equal(to_labels(labels, quantise(CONFIG, np.zeros((3, 3)))), [2, 0, 1])


def test_labels_of_more_dimensions():
    scores = quantise(CONFIG, np.zeros((2, 4, 3)), axis=1)
    labels = np.random.default_rng(3).integers(0, 4, (2, 3))
    np.testing.assert_array_equal(to_labels(labels, scores), labels.ravel())
    one_hot = np.moveaxis(np.eye(4)[labels], -1, 1)
    np.testing.assert_array_equal(to_labels(one_hot, scores), labels.ravel())


@pytest.mark.parametrize("columns", [2, 3, 8])
def test_a_vector_may_have_no_label_at_every_length(columns):
    scores = quantise(CONFIG, np.zeros((3, columns)))
    np.testing.assert_array_equal(to_labels(np.array([1, -100, 0]), scores, ignore=-100), [1, NO_LABEL, 0])
    np.testing.assert_array_equal(to_labels(np.array([1, 255, 0]), scores, ignore=255), [1, NO_LABEL, 0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [0, 3],
            "labels[1] = 3: must be an index, 0 to 2; for example 2, or --ignore-label 3 for vectors without a label",
        ),
        ([-100, 0], "labels[0] = -100: must be an index, 0 to 2; for example 2, or --ignore-label -100 for vectors"),
        ([7, 7], "labels: every label is 7, that of vectors without one; must be an index for one vector at least"),
        ([0.0, 1.0], "labels: an array of float64 with shape (2,); must be one integer per vector"),
        ([[0, 1, 0], [1, 1, 0]], "labels: vector 1 has 2 ones; must be one in every vector of one-hot labels"),
        ([[0, 1, 0], [0, 0, 0]], "labels: vector 1 has 0 ones; must be one in every vector"),
        ([[0, 1, 0], [0, 0.5, 0]], "labels[1, 1] = 0.5: one-hot labels must be 0 or 1; for example 0"),
    ],
)
def test_wrong_labels(labels, message):
    with pytest.raises(UserError) as caught:
        to_labels(np.array(labels), quantise(CONFIG, np.zeros((2, 3))), ignore=7)
    assert message in str(caught.value)


def test_vectors_without_a_label_count_neither_as_right_nor_as_wrong():
    rng = np.random.default_rng(4)
    config = Config(max_length=8)
    scores, labels = rng.normal(0, 2, (60, 8)), rng.integers(0, 8, 60)
    labels[::3] = NO_LABEL
    some = compare(config, scores, labels, place=False)
    others = compare(config, scores[labels != NO_LABEL], labels[labels != NO_LABEL], place=False)
    assert some.decisions.softmax_accuracy == others.decisions.softmax_accuracy
    assert some.decisions.given_accuracy == others.decisions.given_accuracy
    assert some.probabilities.calibration_error == pytest.approx(others.probabilities.calibration_error)
    members = entries("softmax,cross_entropy", config)
    mixed = family(config, members, scores, labels, place=False).members
    alone = family(config, members, scores[labels != NO_LABEL], labels[labels != NO_LABEL], place=False).members
    assert mixed[0].decision.accuracy == alone[0].decision.accuracy
    assert mixed[1].error.count == alone[1].error.count == 40
    assert mixed[1].error.largest == alone[1].error.largest


def test_a_label_to_ignore_reaches_cross_entropy_as_none(tmp_path):
    config = Config(mode="cross_entropy", max_length=4)
    labels = saved(tmp_path, np.array([[3], [-100]]), "labels.npy")
    file = ScoreFile(
        str(saved(tmp_path, np.zeros((2, 4), dtype=int))), sideband=(f"labels={labels}",), ignore_label=-100
    )
    scores = read_scores(config, file)
    result = golden(config, scores.codes, scores.lengths, scores.sideband)
    assert result["unlabelled"].tolist() == [False, True]


def test_lists_and_masked_arrays_of_a_caller():
    np.testing.assert_array_equal(quantise(CONFIG, [[1.0, 0.5], [0, 2]], [2, 1]).codes, [[2, 1], [0, 0]])
    with pytest.raises(UserError, match=r"^scores: rows of unequal lengths; must be an array; pad the rows"):
        quantise(CONFIG, [[1.0, 2.0], [1.0]])
    hidden = np.ma.masked_array([[1.0, 9.0, 2.0]], mask=[[False, True, False]])
    assert compare(CONFIG.replace(mask=True), hidden, place=False).decisions.softmax_flips == 0
    with pytest.raises(UserError, match=r"^scores\[0, 1\] = masked: excludes an element, and mask = false; "):
        compare(CONFIG, hidden, place=False)
