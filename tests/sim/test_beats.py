"""Scores to beats and back."""

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import outputs
from softstream.sim.beats import due_beats, pad_vectors, score_beats, unpack
from softstream.sim.golden import golden


def words(config, codes, rng=None):
    """tdata of the codes as one vector."""
    codes = np.asarray(codes)
    return [beat[0] for beat in score_beats(config, codes[None], np.array([len(codes)]), rng)]


def test_words_are_extended_to_bytes():
    assert words(Config(score_width=4), [-8, -1, 7]) == [0xF8, 0xFF, 0x07]
    assert words(Config(score_width=12, score_signed=False), [0, 4095]) == [0, 0x0FFF]
    assert words(Config(score_width=9), [-1]) == [0xFFFF]


def test_ignored_bits_may_hold_anything():
    config = Config(score_width=4)
    codes = np.array([-8, -1, 7] * 20)
    bits = np.array(words(config, codes, np.random.default_rng(0)))
    np.testing.assert_array_equal(bits & 15, codes & 15)
    assert len(set((bits >> 4).tolist())) > 8
    assert bits.max() < 256
    full = Config(score_width=8)
    assert words(full, codes, np.random.default_rng(0)) == words(full, codes)


def test_lanes_share_a_beat_and_the_last_may_hold_fewer():
    config = Config(score_width=12, lanes=4, max_length=6)
    scores, lengths = np.array([[1, 2, 3, 4, -1, 0], [5, 6, 7, 8, 0, 0], [9, 0, 0, 0, 0, 0]]), np.array([5, 4, 1])
    assert score_beats(config, scores, lengths) == [
        (0x0004_0003_0002_0001, 0xFF, 0),
        (0x07FF_07FF_07FF_FFFF, 0x03, 1),
        (0x0008_0007_0006_0005, 0xFF, 1),
        (0x07FF_07FF_07FF_0009, 0x03, 1),
    ]


def test_unused_lanes_of_a_beat_may_hold_anything():
    config = Config(score_width=12, lanes=4, max_length=40)
    scores, lengths = np.zeros((200, 7), dtype=np.int64), np.arange(200) % 7 + 1
    beats = score_beats(config, scores, lengths, np.random.default_rng(3))
    assert len(beats) == sum(-(-length // 4) for length in lengths)
    held = [min(4, length - start) for length in lengths for start in range(0, length, 4)]
    seen = [set(), set()]
    for (data, keep, last), count in zip(beats, held, strict=True):
        assert all(data >> 16 * lane & 0xFFF == 0 for lane in range(count))
        assert keep == (1 << 2 * count) - 1
        seen[last].add(data >> 16 * int(count))
    assert seen[0] == {0}
    assert len(seen[1]) > 20


@pytest.mark.parametrize(("signed", "score", "word"), [(True, -3, 0xFFFD_0105), (False, 3, 0x0003_0105)])
def test_winner_is_index_below_score(signed, score, word):
    config = Config(mode="argmax", max_length=300, score_width=12, score_signed=signed)
    result = {"argmax": np.array([0x105]), "best": np.array([score]), "overlong": np.array([True])}
    assert due_beats(config, result, np.array([400])) == {"m_axis": [(word, 1, 1)]}
    index, scores = unpack(outputs(config)[0], [word])
    assert (index, scores) == ([[0x105]], [[score]])


def test_probabilities_end_where_the_vector_ends_or_is_cut():
    config = Config(max_length=3, probability_width=4)
    scores, lengths = pad_vectors([np.array([1, 2]), np.array([3]), np.array([0, 0, 0, 9])], -128)
    assert scores.tolist() == [[1, 2, -128, -128], [3, -128, -128, -128], [0, 0, 0, 9]]
    result = golden(config, scores, lengths)
    due = due_beats(config, result, lengths)
    assert tuple(due) == ("m_axis", "m_axis_best")
    assert [(last, flag) for _, last, flag in due["m_axis"]] == [(0, 0), (1, 0), (1, 0), (0, 1), (0, 1), (1, 1)]
    assert [code for code, _, _ in due["m_axis"]] == [
        int(p) for row, n in zip(result.probabilities, (2, 1, 3), strict=False) for p in row[:n]
    ]
    assert [flag for _, _, flag in due["m_axis_best"]] == [0, 0, 1]


def test_probabilities_of_lanes_come_in_beats():
    config = Config(max_length=5, probability_width=10, lanes=2, probability_format="UQ1")
    scores, lengths = pad_vectors([np.arange(5), np.array([3]), np.arange(7)], -128)
    result = golden(config, scores, lengths)
    due = due_beats(config, result, lengths)
    assert [beat[1:] for beat in due["m_axis"]] == [
        (0xF, 0, 0), (0xF, 0, 0), (0x3, 1, 0), (0x3, 1, 0), (0xF, 0, 1), (0xF, 0, 1), (0x3, 1, 1)
    ]  # fmt: skip
    [fields] = unpack(outputs(config)[0], [data for data, *_ in due["m_axis"]], config.lanes)
    expected = [[*row[:4].reshape(2, 2), (row[4], 0)] for row in result.probabilities[:, :5]]
    np.testing.assert_array_equal(fields, [*expected[0], (1024, 0), *expected[2]])
