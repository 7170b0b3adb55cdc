r"""Smoothing: the constants at the edges, the tables that multiply by them, and the error of the result.

With weights w_k, k = −r … r, a vector's probabilities p_0 … p_(N−1), and sums over what lies within the vector only,

    gather:   out_i = Σ_k w_k·p_(i+k) / D_i          D_i = Σ_k w_k over 0 <= i + k < N
    scatter:  out_i = Σ_k w_k·p_(i+k) / D_(i+k)      D_j = Σ_k w_k over 0 <= j − k < N

Gather is a local average: Σ_k w_k/D_i = 1 for each output. Scatter distributes: the weights of each source sum to 1, so that
Σ out = Σ p. D depends on the number of neighbours up to r on the left and on the right. So it has few values; inside the vector
it is Σw. As w_0 > 0, none of them is 0.

Codes are guarded ones, units of 2^−P'. The division by D is a sum of table entries: the dividend x is cut into digits x_d,
and T_d[D, x_d] is x_d·2^(s_d)·2^v/D rounded to an integer. So there is no multiplier, and the sum is off from x·2^v/D by
at most t_D = Σ_d (largest rounding of an entry of T_d for this D), measured entry by entry; 0 where all entries are exact.

* gather: x = Σ w_k·p_(i+k), exact, and out = floor(Σ_d T_d·2^−v + 1/2): with codes that are off by e at most,
  |out − exact| <= e + 1/2 + t·2^−v, t the largest t_D.
* scatter: y_j = Σ_d T_d for x = p_j, v = v' + ceil(log2 Σw), and out = floor(Σ w_k·y_(i+k)·2^−v + 1/2):
  |out − exact| <= a·e + 1/2 + Σw·t·2^−v, a = the largest Σ_k w_k/D_(i+k) over every i and N, which may exceed 1.

Each pass takes the codes of the one before. Exact results never exceed 1, so codes exceed 2^P' by the error at most, for
which UQ1.P' has room.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2

__all__ = ["SmoothingTables", "places", "smoothing_error", "smoothing_tables"]

FINE = 3
"""v of gather, v' of scatter: bits below a guarded unit."""

ADDRESS = 8
"""Address bits of a table where the constants leave room for digits of `DIGIT` bits."""

DIGIT = 3


@dataclass(frozen=True, eq=False)
class SmoothingTables:
    """The tables of one kernel."""

    weights: tuple[int, ...]
    scatter: bool
    passes: int
    probability_width: int
    """P': a code stands for code·2^−P'."""
    sums: tuple[int, ...]
    """The values of D, that of the inside first."""
    choice: dict[tuple[int, int], int]
    """(places on the left, on the right), each up to r → which of `sums`; those that occur."""
    dividend_width: int
    digits: tuple[int, ...]
    """Bits of each digit of the dividend, lowest first."""
    fraction: int
    """v: fraction bits of the tables' entries, in guarded units."""
    entries: tuple[tuple[int, ...], ...]
    """T_d at {which D, digit}; in gather the highest digit's with the half that rounds."""
    rounding: Fraction
    """t, in units of an entry."""
    gain: Fraction
    """a: the largest factor by which a pass multiplies an error before it."""

    @property
    def radius(self) -> int:
        """r."""
        return len(self.weights) // 2

    @property
    def total(self) -> int:
        """Σw."""
        return sum(self.weights)

    @property
    def quotient_width(self) -> int:
        """Bits of the sum of a table's entries."""
        return sum(max(table) for table in self.entries).bit_length()

    @property
    def bits(self) -> int:
        """Storage of the tables of one pass, in bits."""
        return sum(len(table) * max(table).bit_length() for table in self.entries)

    @property
    def error(self) -> Fraction:
        """Error that a pass adds, in guarded units."""
        share = self.total * self.rounding if self.scatter else self.rounding
        return Fraction(1, 2) + share / (1 << self.fraction)


def places(radius: int, length: int, index: int) -> tuple[int, int]:
    """(places on the left, on the right) of an element, each up to `radius`."""
    return min(index, radius), min(length - 1 - index, radius)


def _in_range(weights: tuple[int, ...], left: int, right: int, scatter: bool) -> int:
    """D of an element with so many places."""
    radius = len(weights) // 2
    low, high = (right, left) if scatter else (left, right)
    return sum(weights[radius - low : radius + high + 1])


def _gain(weights: tuple[int, ...], max_length: int) -> Fraction:
    """Largest Σ_k w_k/D_(i+k); in vectors of more than 4r + 1 elements no output sees anything new."""
    radius, largest = len(weights) // 2, Fraction(1)
    for length in range(1, min(max_length, 4 * radius + 1) + 1):
        sums = [_in_range(weights, *places(radius, length, j), True) for j in range(length)]
        for i in range(length):
            seen = range(max(0, i - radius), min(length, i + radius + 1))
            largest = max(largest, sum((Fraction(weights[j - i + radius], sums[j]) for j in seen), Fraction(0)))
    return largest


@lru_cache(maxsize=64)
def _tables(
    weights: tuple[int, ...], scatter: bool, passes: int, probability_width: int, max_length: int
) -> SmoothingTables:
    radius, total = len(weights) // 2, sum(weights)
    pairs = sorted(
        {places(radius, n, i) for n in range(1, min(max_length, 2 * radius + 1) + 1) for i in range(n)},
        key=lambda pair: (-sum(pair), pair),
    )
    divisors = {pair: _in_range(weights, *pair, scatter) for pair in pairs}
    sums = tuple(dict.fromkeys(divisors.values()))
    # A pass may leave codes a little above that of 1.0.
    largest = (1 << (probability_width + 1)) - 1
    width = (largest if scatter else total * largest).bit_length()
    size = max(DIGIT, ADDRESS - ceil_log2(len(sums)))
    count = -(-width // size)
    digits = tuple(width * (d + 1) // count - width * d // count for d in range(count))
    fraction = FINE + (ceil_log2(total) if scatter else 0)
    entries, errors, start = [], [Fraction(0)] * len(sums), 0
    for digit in digits:
        rows: list[int] = []
        for which, divisor in enumerate(sums):
            exact = [Fraction(x << (start + fraction), divisor) for x in range(1 << digit)]
            rounded = [int(x + Fraction(1, 2)) for x in exact]
            errors[which] += max(abs(a - b) for a, b in zip(rounded, exact, strict=True))
            rows += rounded
        start += digit
        entries.append(rows)
    if not scatter:
        entries[-1] = [entry + (1 << (fraction - 1)) for entry in entries[-1]]
    return SmoothingTables(
        weights=weights,
        scatter=scatter,
        passes=passes,
        probability_width=probability_width,
        sums=sums,
        choice={pair: sums.index(divisor) for pair, divisor in divisors.items()},
        dividend_width=width,
        digits=digits,
        fraction=fraction,
        entries=tuple(map(tuple, entries)),
        rounding=max(errors),
        gain=_gain(weights, max_length) if scatter else Fraction(1),
    )


def smoothing_tables(config: Config, inner: Config) -> SmoothingTables:
    """The tables of a configuration whose probabilities come from the guarded `inner`."""
    return _tables(
        config.smoothing,
        config.smoothing_edges == "scatter",
        config.smoothing_passes,
        inner.probability_width,
        config.max_length,
    )


def smoothing_error(config: Config, inner: Config, error: Fraction) -> Fraction:
    """Absolute error behind all passes for an error of at most `error` before them."""
    tables = smoothing_tables(config, inner)
    for _ in range(tables.passes):
        error = tables.gain * error + tables.error / (1 << inner.probability_width)
    return error
