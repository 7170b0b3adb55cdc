"""Scores to beats and back."""

import numpy as np
import pytest

from softstream.hw.config import Config
from softstream.sim.beats import due_beats, output_streams, pad_vectors, score_words, unpack_winner
from softstream.sim.golden import Result, golden


def test_words_are_extended_to_bytes():
    assert score_words(Config(score_width=4), np.array([-8, -1, 7])) == [0xF8, 0xFF, 0x07]
    assert score_words(Config(score_width=12, score_signed=False), np.array([0, 4095])) == [0, 0x0FFF]
    assert score_words(Config(score_width=9), np.array([-1])) == [0xFFFF]


def test_ignored_bits_may_hold_anything():
    config = Config(score_width=4)
    codes = np.array([-8, -1, 7] * 20)
    words = np.array(score_words(config, codes, np.random.default_rng(0)))
    np.testing.assert_array_equal(words & 15, codes & 15)
    assert len(set((words >> 4).tolist())) > 8
    assert words.max() < 256
    full = Config(score_width=8)
    assert score_words(full, codes, np.random.default_rng(0)) == score_words(full, codes)


@pytest.mark.parametrize(("signed", "score", "word"), [(True, -3, 0xFFFD_0105), (False, 3, 0x0003_0105)])
def test_winner_is_index_below_score(signed, score, word):
    config = Config(mode="argmax", max_length=300, score_width=12, score_signed=signed)
    result = Result(np.array([0x105]), np.array([score]), np.array([True]), None)
    assert due_beats(config, result, np.array([400])) == {"m_axis": [(word, 1, 1)]}
    index, found = unpack_winner(config, np.array([word]))
    assert (index[0], found[0]) == (0x105, score)


def test_probabilities_end_where_the_vector_ends_or_is_cut():
    config = Config(max_length=3, probability_width=4)
    scores, lengths = pad_vectors([np.array([1, 2]), np.array([3]), np.array([0, 0, 0, 9])], -128)
    assert scores.tolist() == [[1, 2, -128, -128], [3, -128, -128, -128], [0, 0, 0, 9]]
    result = golden(config, scores, lengths)
    due = due_beats(config, result, lengths)
    assert tuple(due) == output_streams(config) == ("m_axis", "m_axis_best")
    assert [(last, flag) for _, last, flag in due["m_axis"]] == [(0, 0), (1, 0), (1, 0), (0, 1), (0, 1), (1, 1)]
    assert [code for code, _, _ in due["m_axis"]] == [
        int(p) for row, n in zip(result.probabilities, (2, 1, 3), strict=False) for p in row[:n]
    ]
    assert [flag for _, _, flag in due["m_axis_best"]] == [0, 0, 1]
