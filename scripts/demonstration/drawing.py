"""Strokes of a pen to the pixels that the digits network was trained on.

The training digits are bitmaps of 32 × 32 that were fitted to their frame; a pixel counts the black dots in a block of 4 × 4,
0 to 16 (E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998). A drawing is fitted in the same way: its
strokes are moved and scaled to the frame with their proportions. So neither the place nor the size of a drawing counts. The
digits of every class have the same number of black dots on average, so the pen gets the width that gives a drawing this number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from softstream.hw.errors import UserError

__all__ = ["BLACK", "MOST_POINTS", "SIDE", "checked_strokes", "pixels_of"]

SIDE = 8
"""Pixels along one side of a digit."""
BLACK = 16
"""Value of a pixel whose dots are all black."""
MOST_POINTS = 2000
"""Points of a drawing: a minute with a quick pen."""
_DOTS = 32
_INK = 311
"""Black dots of a digit: the mean of the digits held out, which differs by 4 % at most between the classes."""
_PEN = (1.5, 4.5)
"""Least and most half width of the pen, in dots."""
_MARGIN = 2.2
"""Dots between the frame and the middle of the outermost stroke."""
_BLOCK = 512
"""Segments whose distances are computed at once."""

Strokes = Sequence[np.ndarray]


def checked_strokes(content: object) -> list[np.ndarray]:
    """Strokes as they come from a page: lists of points [x, y] from 0 to 1, as arrays [points, 2].

    Raises `UserError` for anything else, for a drawing without a point and for one of more than `MOST_POINTS` points.
    """
    example = "for example [[[0.5, 0.1], [0.5, 0.9]]]"
    if not isinstance(content, list) or not all(isinstance(stroke, list) for stroke in content):
        raise UserError(f"strokes: must be a list of lists of points; {example}")
    points = [point for stroke in content for point in stroke]
    if not 1 <= len(points) <= MOST_POINTS:
        raise UserError(f"strokes: {len(points)} points; must be 1 to {MOST_POINTS}; {example}")
    for point in points:
        if not isinstance(point, list) or len(point) != 2 or not all(map(_coordinate, point)):
            raise UserError(f"strokes: a point must be two numbers from 0 to 1; {example}")
    return [np.asarray(stroke, dtype=np.float64) for stroke in content if stroke]


def _coordinate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def pixels_of(strokes: Strokes) -> np.ndarray:
    """Pixels of a drawing, uint8 [SIDE²], 0 to `BLACK`."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    room = _DOTS - 2 * _MARGIN
    # A dot has no size, so the pen alone draws it.
    scale = room / max(float((high - low).max()), 1e-9)
    fitted = [(stroke - (low + high) / 2) * scale + _DOTS / 2 for stroke in strokes]
    # A stroke of one point is a segment of length 0.
    starts = np.concatenate([stroke if len(stroke) == 1 else stroke[:-1] for stroke in fitted])
    ends = np.concatenate([stroke if len(stroke) == 1 else stroke[1:] for stroke in fitted])
    centres = np.arange(_DOTS) + 0.5
    dots = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    distances = np.full(len(dots), np.inf)
    for first in range(0, len(starts), _BLOCK):
        block = slice(first, first + _BLOCK)
        distances = np.minimum(distances, _distances(dots, starts[block], ends[block]).min(axis=1))
    black = distances <= np.clip(np.sort(distances)[_INK - 1], *_PEN)
    blocks = black.reshape(SIDE, _DOTS // SIDE, SIDE, _DOTS // SIDE)
    return blocks.sum(axis=(1, 3)).astype(np.uint8).ravel()


def _distances(dots: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Distance of each dot to each segment, [dots, segments]."""
    along = ends - starts
    squared = np.maximum((along**2).sum(axis=1), 1e-12)
    offsets = dots[:, None] - starts
    share = np.clip((offsets * along).sum(axis=2) / squared, 0, 1)
    return np.asarray(np.hypot(*np.moveaxis(offsets - share[..., None] * along, 2, 0)))
