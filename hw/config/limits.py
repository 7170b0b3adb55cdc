"""Limits that both the rules between keys and the numbers refer to."""

__all__ = ["BETA_LIMIT", "DIRECT_WIDTH", "WIDEST_SCORE"]

DIRECT_WIDTH = 10
"""Bits of the widest score that addresses one table directly: 1024 entries."""

BETA_LIMIT = 64
"""Octaves per score step beyond which the scale is capped.

One step then changes the weight by 2^64, so a score below the maximum has a probability under 2^-64: the cap moves no
result by more than N·2^-64 and keeps the exponent field finite for every positive scale.
"""

WIDEST_SCORE = 16
"""Bits of the widest score that an exponential takes."""
