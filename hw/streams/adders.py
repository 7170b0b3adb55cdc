"""Pipelined sums of several terms."""

from collections.abc import Sequence

from amaranth import Module, Value

from softstream.hw.streams.registers import delay

__all__ = ["sum_tree"]


def sum_tree(m: Module, name: str, terms: Sequence[tuple[Value, bool]]) -> tuple[Value, int]:
    """(sum, latency in cycles) of terms (value, whether it is subtracted), added in pairs, one level per cycle.

    The sum must not be negative. The tree takes new terms in every cycle.
    """
    level = 0
    while len(terms) > 1:
        level += 1
        sums: list[tuple[Value, bool]] = []
        for k in range(0, len(terms) - 1, 2):
            (one, minus_one), (other, minus_other) = terms[k : k + 2]
            both = one + other if minus_one == minus_other else other - one if minus_one else one - other
            sums.append((both, minus_one and minus_other))
        if len(terms) % 2:
            sums.append(terms[-1])
        terms = [
            (delay(m, Value.cast(value), 1, f"{name}_{level}_{k}"), negative)
            for k, (value, negative) in enumerate(sums)
        ]
    return terms[0][0], level
