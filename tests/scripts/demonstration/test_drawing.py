"""Drawings as pixels: independent of place and size, as dark as a training digit, and refused where they are none."""

import numpy as np
import pytest
from support.drawn_digits import DIGITS

from softstream.hw.errors import UserError
from softstream.scripts.demonstration.drawing import BLACK, MOST_POINTS, SIDE, checked_strokes, pixels_of
from softstream.scripts.training.network import forward
from softstream.sim.data import DIGITS_NETWORK

STORED = np.load(DIGITS_NETWORK)


@pytest.mark.parametrize(("digit", "strokes"), DIGITS)
def test_the_network_names_a_drawn_digit(digit, strokes):
    pixels = pixels_of(checked_strokes(strokes))
    _, _, scores = forward(STORED, pixels[None] / BLACK)
    assert scores.argmax() == digit


def test_place_and_size_of_a_drawing_do_not_count():
    strokes = [np.array(stroke) for stroke in DIGITS[6][1]]
    assert (pixels_of(strokes) == pixels_of([stroke / 4 + 0.125 for stroke in strokes])).all()


def test_drawings_are_as_dark_as_the_digits_held_out():
    means = [STORED["pixels"][STORED["labels"] == digit].sum(axis=1).mean() for digit in range(10)]
    for _, strokes in DIGITS:
        assert 0.9 * min(means) < pixels_of(checked_strokes(strokes)).sum() < 1.1 * max(means)


def test_a_dot_is_a_drawing():
    pixels = pixels_of(checked_strokes([[[0.2, 0.9]]])).reshape(SIDE, SIDE)
    assert pixels.max() > BLACK // 2
    assert (pixels == pixels[::-1, ::-1]).all()


@pytest.mark.parametrize(
    "content",
    [
        None,
        "line",
        [],
        [[]],
        [1],
        [[1, 2]],
        [[[0.5]]],
        [[[0.5, 0.5, 0.5]]],
        [[[0.5, "0.5"]]],
        [[[0.5, float("nan")]]],
        [[[True, 0.5]]],
        [[[0.5, 1.01]]],
        [[[0.5, -1e300]]],
        [[[0.5, 0.5]] * (MOST_POINTS + 1)],
    ],
)
def test_other_content_is_refused(content):
    with pytest.raises(UserError, match=r"^strokes: .*; for example \[\[\[0.5, 0.1\], \[0.5, 0.9\]\]\]$"):
        checked_strokes(content)
    checked_strokes([[[0.5, 0.1], [0.5, 0.9]]])
