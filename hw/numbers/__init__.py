"""The numbers of a configuration: widths, table contents, the arithmetic on tables, and the proofs of the error bounds.

Hardware and golden model both read these modules. The arithmetic of five stages is here, next to the tables that it belongs to:
`exponential.split_product`, `reciprocal.ReciprocalTables.reciprocal`, `gumbel.GumbelTable.values`,
`natural_logarithm.LnTables.positions`, and the entries of all tables.
"""

__all__: list[str] = []
