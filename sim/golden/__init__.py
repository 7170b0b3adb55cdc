"""The golden model: pure integers in NumPy, one file per stage at the same path as in `hw/`.

The model is the control flow of a head: which operation follows which, on whole arrays of vectors. The entries of all tables come
from `hw/numbers`, and so does the arithmetic of six stages, because hardware and model must hold the same numbers:

==========================  ========================================================================================
stage                       its numbers
==========================  ========================================================================================
`stages/exponential`        `numbers/exponential`: the tables, and `split_product`, the product of two entries
`normalisers/reciprocal`    `numbers/reciprocal`: the chords, and `ReciprocalTables.reciprocal`; `numbers/wide`: products
`normalisers/logarithm`     `numbers/logarithm`: the entries of the three tables
`normalisers/log_sum`       `numbers/natural_logarithm`: the entries, and `LnTables.positions`
`stages/entropy_code`       `numbers/entropy`: the table, the weights and the offset
`modes/gumbel`              `numbers/gumbel`: `GumbelTable.values`, the noise of every address
==========================  ========================================================================================

So agreement of hardware and model does not check these numbers. Tests do: `tests/numbers` recomputes tables with independent
arithmetic and bounds, and `tests/sim/test_golden.py` recomputes the documented formulas in Python's integers.
"""

from softstream.sim.golden.head import Result, golden

__all__ = ["Result", "golden"]
