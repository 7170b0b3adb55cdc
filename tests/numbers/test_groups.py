"""Packets are cut into groups as a person would cut them, for every short packet and many sequences of sizes."""

import itertools

import numpy as np
import pytest

from softstream.hw.numbers.groups import Grouping, group_count

SIZES = [sizes for count in (1, 2, 3) for sizes in itertools.product((1, 2, 3, 5), repeat=count)]


def cut(sizes: tuple[int, ...], length: int) -> list[tuple[int, int, bool]]:
    """(start, elements, whether the group is complete) of each group."""
    groups, start = [], 0
    for size in itertools.cycle(sizes):
        if start >= length:
            return groups
        groups.append((start, min(size, length - start), size <= length - start))
        start += size
    raise AssertionError


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_packet_of_up_to_twelve_elements(sizes: tuple[int, ...]) -> None:
    lengths = np.arange(1, 13)
    groups = Grouping(sizes, lengths)
    expected = [(v, g, *group) for v, n in enumerate(lengths) for g, group in enumerate(cut(sizes, n))]
    assert groups.packet.tolist() == [row[0] for row in expected]
    assert groups.place.tolist() == [row[1] for row in expected]
    assert groups.lengths.tolist() == [row[3] for row in expected]
    assert groups.complete.tolist() == [row[4] for row in expected]
    assert group_count(sizes, lengths).tolist() == [len(cut(sizes, n)) for n in lengths]
    ends = [row[2] + row[3] == lengths[row[0]] for row in expected]
    assert groups.final.tolist() == ends
    values = 1 + np.arange(12)[None] + 100 * np.arange(12)[:, None]
    split = groups.split(values)
    for row, (v, _, start, count, _) in zip(split, expected, strict=True):
        assert row.tolist() == [*values[v, start : start + count], *[0] * (split.shape[1] - count)]
    inside = np.arange(12) < lengths[:, None]
    assert np.array_equal(groups.join(split, 12), np.where(inside, values, 0))
