"""Golden model of `hw/stages/exponential.py`: 2^(β·position) as an integer exponent and a significand.

The numbers are in `hw/numbers/exponential.py`: the entries of the tables, and `split_product` for wide scores.
"""

import numpy as np

from softstream.hw.numbers.exponential import ExponentialTables
from softstream.hw.numbers.softmax import Numerics

__all__ = ["exponential"]


def exponential(
    widths: Numerics, positions: np.ndarray, tables: ExponentialTables | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(E, M) with 2^(βi) ~ 2^E·M·2^-B, M an integer in [2^B, 2^(B+1)); same shape as positions, int64.

    `tables` replace those of the sum where the exponentials of the elements are scaled.
    """
    exponent, significand = (tables or widths.tables).all_positions
    return exponent[positions], significand[positions]
