"""Stall patterns: the clock cycles in which a source or a sink pauses, for cocotb drivers and for tests of components.

==========  ======================================================================================================
name        pauses
==========  ======================================================================================================
never       none
every``N``  every N-th cycle: ``every3`` pauses in cycles 2, 5, 8, …
first``N``  the first N cycles, none later
random      random, in phases of random length whose rates differ, because one rate alone never both fills a queue to
            the brim and drains it again
bursts      random long pauses between random long stretches without any, which fill and drain the queues of a design
            that is itself slower than the other patterns
==========  ======================================================================================================

One name and one seed always give the same pattern. `stalls_of_digits` is a pattern that a file gives.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator

__all__ = ["PATTERNS", "stall_iterator", "stalls_in_cycle", "stalls_of_digits"]

PATTERNS = ("never", "every3", "random", "bursts")
"""The patterns under which every design is tested."""


def stall_iterator(name: str, seed: int = 0) -> Iterator[bool]:
    """An endless pattern, one value for each cycle, True for a pause. Raises ValueError for an unknown name."""
    if name == "never":
        return itertools.repeat(False)
    if name == "random":
        return _random_phases(random.Random(seed))
    if name == "bursts":
        return _bursts(random.Random(seed))
    counted = re.fullmatch(r"(every|first)([1-9][0-9]*)", name)
    if counted is None:
        raise ValueError(f"stall pattern {name!r}: must be never, everyN, firstN, random or bursts; for example every3")
    count = int(counted[2])
    if counted[1] == "every":
        return itertools.cycle([False] * (count - 1) + [True])
    return itertools.chain(itertools.repeat(True, count), itertools.repeat(False))


def stalls_of_digits(digits: str) -> Iterator[bool]:
    """The pattern of a digit for each cycle, 1 for a pause; no pauses behind them."""
    return itertools.chain((digit == "1" for digit in digits), itertools.repeat(False))


def stalls_in_cycle(name: str, seed: int = 0) -> Callable[[int], bool]:
    """The same pattern by cycle number, for benches that ask about a cycle more than once or not in order."""
    pattern, known = stall_iterator(name, seed), list[bool]()

    def stalls(cycle: int) -> bool:
        known.extend(itertools.islice(pattern, max(0, cycle + 1 - len(known))))
        return known[cycle]

    return stalls


def _random_phases(rng: random.Random) -> Iterator[bool]:
    while True:
        rate = rng.choice((0.05, 0.3, 0.5, 0.9))
        for _ in range(rng.randrange(5, 60)):
            yield rng.random() < rate


def _bursts(rng: random.Random) -> Iterator[bool]:
    while True:
        yield from itertools.repeat(True, rng.randrange(20, 300))
        yield from itertools.repeat(False, rng.randrange(50, 400))
