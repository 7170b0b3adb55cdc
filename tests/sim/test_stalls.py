"""Stall patterns follow their names, and repeat for the same seed."""

from itertools import islice

import pytest

from softstream.sim.stalls import PATTERNS, stall_iterator, stalls_in_cycle

CYCLES = 5000


def first(name: str, seed: int = 0, count: int = CYCLES) -> list[bool]:
    return list(islice(stall_iterator(name, seed), count))


def test_counted_patterns():
    assert not any(first("never"))
    assert first("every3", count=7) == [False, False, True, False, False, True, False]
    assert first("every1", count=3) == [True] * 3
    assert first("first2", count=5) == [True, True, False, False, False]


def runs(pattern: list[bool], value: bool) -> list[int]:
    """Lengths of the runs of a value."""
    text = "".join("x" if pause == value else " " for pause in pattern)
    return [len(run) for run in text.split()]


@pytest.mark.parametrize("name", ["random", "bursts"])
def test_random_patterns_depend_on_the_seed_alone(name):
    assert first(name, 1) == first(name, 1) != first(name, 2)
    assert 0.2 < sum(first(name, 1)) / CYCLES < 0.8


def test_bursts_are_longer_than_a_queue_and_random_pauses_are_mixed():
    assert min(runs(first("bursts"), True)[:-1]) >= 20
    assert min(runs(first("random"), True)) == 1
    assert max(runs(first("random"), True)) > 8
    assert max(runs(first("random"), False)) > 8


@pytest.mark.parametrize("name", [*PATTERNS, "first7"])
def test_by_cycle_in_any_order(name):
    due, stalls = first(name, 3, 200), stalls_in_cycle(name, 3)
    assert [stalls(cycle) for cycle in reversed(range(200))] == due[::-1]
    assert [stalls(cycle) for cycle in range(200)] == due


@pytest.mark.parametrize("name", ["sometimes", "every0", "every", "first-1", "every 3"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match="must be never, everyN, firstN, random or bursts"):
        stall_iterator(name)
