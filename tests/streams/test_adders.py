"""Trees of additions and subtractions, and products, over every combination of small operands, and their latency."""

import itertools
from typing import Literal

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from support.stream_bench import run_cycles

from softstream.hw.config.config import Config
from softstream.hw.plan.stage_cycles import product_cycles
from softstream.hw.streams.adders import product, sum_tree

WIDTH = 2


class Tree(wiring.Component):
    """The tree of terms of two bits, some of them subtracted."""

    def __init__(self, signs: tuple[bool, ...]) -> None:
        self._signs = signs
        super().__init__({f"term_{k}": In(WIDTH) for k in range(len(signs))} | {"sum": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        register = Signal()
        m.d.sync += register.eq(~register)  # a tree of one term has no register, and the bench needs a clock
        terms = [(getattr(self, f"term_{k}"), sign) for k, sign in enumerate(self._signs)]
        total, self.latency = sum_tree(m, "tree", terms)
        m.d.comb += self.sum.eq(total)
        return m


@pytest.mark.parametrize("signs", [signs for n in range(1, 5) for signs in itertools.product((False, True), repeat=n)])
def test_every_combination_of_terms(signs: tuple[bool, ...]) -> None:
    """A new combination in every cycle; those whose sum is negative are left out."""
    combinations = [
        terms
        for terms in itertools.product(range(1 << WIDTH), repeat=len(signs))
        if sum(-t if s else t for t, s in zip(terms, signs, strict=True)) >= 0
    ]
    tree = Tree(signs)
    rows = run_cycles(
        tree,
        len(combinations) + 4,
        lambda rows, now: {
            f"term_{k}": value for k, value in enumerate(combinations[min(len(rows), len(combinations) - 1)])
        },
        ["sum"],
    )
    latency = (len(signs) - 1).bit_length()
    assert tree.latency == latency
    sums = [sum(-t if s else t for t, s in zip(terms, signs, strict=True)) for terms in combinations]
    assert [row["sum"] for row in rows[latency : latency + len(sums)]] == sums


class Product(wiring.Component):
    """A product of three bits and of `bits` bits."""

    def __init__(self, bits: int, cycles: int) -> None:
        self._cycles = cycles
        super().__init__({"one": In(3), "other": In(bits), "product": Out(3 + bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.product.eq(product(m, "product", self.one, self.other, self._cycles))
        return m


@pytest.mark.parametrize("profile", ["fast", "fastest"])
@pytest.mark.parametrize("bits", range(1, 9))
def test_every_product(bits: int, profile: Literal["fast", "fastest"]) -> None:
    """By a multiplier in one cycle, and by digits of two bits in a tree of adders, one product in every cycle."""
    cycles = product_cycles(Config(profile=profile, normaliser="divider"), bits)
    assert cycles == (1 if profile == "fastest" else 1 + ((bits + 1) // 2 - 1).bit_length())
    pairs = list(itertools.product(range(8), range(1 << bits)))
    rows = run_cycles(
        Product(bits, cycles),
        len(pairs) + cycles,
        lambda rows, now: dict(zip(("one", "other"), pairs[min(len(rows), len(pairs) - 1)], strict=True)),
        ["product"],
    )
    assert [row["product"] for row in rows[cycles : cycles + len(pairs)]] == [one * other for one, other in pairs]


def test_a_normaliser_with_multipliers_keeps_the_other_products_in_them() -> None:
    assert product_cycles(Config(profile="fast", normaliser="reciprocal"), 8) == 1
