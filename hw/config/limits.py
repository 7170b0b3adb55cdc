"""Limits that both the rules between keys and the numbers refer to."""

__all__ = [
    "BETA_LIMIT",
    "COARSEST_SAMPLING",
    "DEFAULT_GUARD",
    "DIRECT_WIDTH",
    "EXACT_DIVISIONS",
    "FINEST_SAMPLING",
    "LARGEST_LIST",
    "LOGARITHM_GUARD",
    "LOGARITHM_LIMIT",
    "LONGEST",
    "NATURAL_RANGE",
    "NATURAL_STEP",
    "SIGMOID_WIDTH",
    "STORED_BEATS",
    "TWO_PASS_FRACTION",
    "WIDEST_PROBABILITY",
    "WIDEST_COMPARED",
    "WIDEST_SCORE",
]

DIRECT_WIDTH = 10
"""Bits of the widest score that addresses one table directly: 1024 entries."""

EXACT_DIVISIONS = ("divider", "reciprocal")
"""Normalisers whose quotient never falls while the dividend rises and is 1 where dividend and divisor are equal."""

BETA_LIMIT = 64
"""Octaves per score step beyond which the scale is capped.

One step then changes the weight by 2^64, so a score below the maximum has a probability under 2^-64: the cap moves no
result by more than N·2^-64 and keeps the exponent field finite for every positive scale.
"""

SIGMOID_WIDTH = 12
"""Bits of the widest score that addresses the table of a sigmoid by itself: 4096 entries."""

WIDEST_SCORE = 16
"""Bits of the widest score that an exponential takes."""

WIDEST_COMPARED = 32
"""Bits of the widest score that is compared only."""

WIDEST_PROBABILITY = 24
"""Largest `probability_width`."""

LOGARITHM_LIMIT = 14
"""Largest P + k: the logarithmic normaliser has a table of 2^(P + k − 1) entries, natural logarithms one of 2^(P + k − 2)."""

DEFAULT_GUARD, LOGARITHM_GUARD = 4, 5
"""Guard bits for `guard_bits = 0`: of all heads, and of those for which `normaliser = auto` takes the logarithm."""

LARGEST_LIST = 64
"""Largest K of the Top-K modes: each rank has a comparator, a score and a tag, and a store holds K elements of K vectors."""

LONGEST = 1 << 20
"""Elements of the longest vector: vocabularies of language models have up to 262 144 classes."""

STORED_BEATS = 1 << 18
"""Beats of the longest vector that a memory holds: the Verilog has a line for the initial content of each, 7 MB of them here."""

NATURAL_RANGE = 512
"""Nats that the scores of a natural logarithm may span: the table of octaves then has fewer than a thousand entries."""

NATURAL_STEP = 32
"""Nats of the largest score step of a natural logarithm: below `BETA_LIMIT` octaves, where the exponential's scale is capped."""

COARSEST_SAMPLING, FINEST_SAMPLING = 16.0, 2.0**-16
"""Nats per score step of Gumbel sampling.

Coarser, a step below the maximum is never drawn; finer, the noise needs too many bits.
"""

TWO_PASS_FRACTION = 4
"""Smallest `probability_width` in two passes.

The next element's exponential is looked up while P + 1 bits of a quotient are computed, and that takes five cycles.
"""
