"""Pipelined sums of several terms, and products."""

from collections.abc import Sequence
from functools import reduce

from amaranth import C, Cat, Module, Mux, Signal, Value

from softstream.hw.streams.registers import delay

__all__ = ["add", "digit_products", "product", "sum_tree"]


def add(one: Value, other: Value) -> Value:
    """one + other, whose top bit is more than the carry alone: the carry, where a top bit of the longer number is set.

    That changes nothing but may keep the bit in the carry chain of an iCE40. A bare carry passes through two cells more.
    """
    total = one + other
    longer = max(len(one), len(other))
    return Cat(total[:-1], total[-1] & Cat(number[-1] for number in (one, other) if len(number) == longer).any())


def sum_tree(m: Module, name: str, terms: Sequence[tuple[Value, bool]], *, chained: bool = False) -> tuple[Value, int]:
    """(sum, latency in cycles) of terms (value, whether it is subtracted), added in pairs, one level per cycle.

    The sum must not be negative. The tree takes new terms in every cycle. With `chained` it adds by `add`.
    """
    level = 0
    while len(terms) > 1:
        level += 1
        sums: list[tuple[Value, bool]] = []
        for k in range(0, len(terms) - 1, 2):
            (one, minus_one), (other, minus_other) = terms[k : k + 2]
            if minus_one == minus_other:
                both = add(one, other) if chained else one + other
            else:
                both = other - one if minus_one else one - other
            sums.append((both, minus_one and minus_other))
        if len(terms) % 2:
            sums.append(terms[-1])
        terms = [
            (delay(m, Value.cast(value), 1, f"{name}_{level}_{k}"), negative)
            for k, (value, negative) in enumerate(sums)
        ]
    return terms[0][0], level


def digit_products(m: Module, name: str, one: Value, other: Value) -> list[Value]:
    """Terms whose sum is one·other, a cycle later: the product of each digit of two bits of `other`, shifted to its place."""
    terms = []
    for low in range(0, len(other), 2):
        shares: list[Value] = [Cat(C(0, place), Mux(bit, one, 0)) for place, bit in enumerate(other[low : low + 2])]
        term = Signal(len(one) + len(shares), name=f"{name}_{low}", reset_less=True)
        m.d.sync += term.eq(reduce(add, shares))
        terms.append(term << low)
    return terms


def product(m: Module, name: str, one: Value, other: Value, cycles: int) -> Value:
    """one·other after `cycles` of `product_cycles`: that of a multiplier, or those of a tree of adders.

    The tree implies no multiplier, which a part without any would build as one long path.
    """
    width = len(one) + len(other)
    if cycles == 1:
        whole = Signal(width, name=name, reset_less=True)
        m.d.sync += whole.eq(one * other)
        return whole
    total, levels = sum_tree(m, name, [(term, False) for term in digit_products(m, name, one, other)], chained=True)
    assert 1 + levels == cycles
    return total[:width]
