r"""Gumbel noise: the table that turns a random word into noise, and how near the law of a draw is to softmax.

The class i with the largest x_i + G_i, the G_i independent with P(G <= g) = exp(−e^−g), is drawn with probability
exp(x_i)/Σ exp(x_j): softmax without a sum and without a division (the Gumbel-max trick; E. J. Gumbel, "Statistical theory
of extreme values", NBS 1954; C. Maddison, D. Tarlow, T. Minka, "A* sampling", NIPS 2014, section 2).

**Noise.** A word (`random_words`) holds {octave bits, side, mantissa m, fraction d}, d lowest. It stands for a uniform number v
in (0, 1):

* the side tells whether v is below a half;
* the number of zeros before the first one among the octave bits is the octave of v, in the upper half that of 1 − v;
* the mantissa selects one of `SEGMENTS` equal segments of the octave.

So the segments halve towards both ends. That is needed, because the winner of N elements has a v of about 1/N, and the relative
resolution of v is the same there as anywhere. Within a segment G = −ln(−ln(1 − v)) is a straight line in d: value = base +
floor(slope·d / 2^`FRACTION`), from a table of (base, slope).

**Unit.** The unit of the noise is 2^−shift steps of the score, at most 2^−`RESOLUTION` nats; a step is score_scale / temperature
nats. The score is then shifted only, which adds no error. The classes are compared by code·2^shift + noise, and the first index
wins among equal ones.

**Distance from softmax.** Claim: for every vector of at most N scores the total variation distance between the law of the draw
and softmax is at most the sum of the three terms below.

Assumptions. Couple the noise of each element with the exact G of the v that its word stands for. Let O be the octaves of the
lower half: any v lies in the last of them with a probability below N·2^−O. Let L be the octaves of the upper half: one 1 − v
lies in the last of them with probability w = 2^−L. In all other octaves noise and G differ by at most δ, measured at both ends
of every word's interval. Then the winners are the same unless one of three events occurs.

1. A v lies in the last octave of the lower half. Probability: at most N·2^−O.
2. The two largest x_i + G_i are less than 2δ apart. If i wins, the gap exceeds 2δ with probability
   e^−2δ/(1 − p_i + p_i·e^−2δ) >= e^−2δ. Probability: at most 1 − e^−2δ.
3. An element j with 1 − v in the last octave of the upper half matters. Let g_0 be the largest exact G of that octave, g_min and
   g_max the least and the largest noise of the table there, and D the largest x_i + G_i of the others less x_j.
   * j matters only if min(G_j, g_min) − δ <= D <= U with U = max(g_0 + g_max − g_min, g_max) + δ: above U, j loses against an
     exact winner, wherever the v of that one lies; below the lower end, j wins either way.
   * D <= g has probability exp(−c·e^−g) with c = (1 − p_j)/p_j, and −ln(1 − v) is exponential beyond e^−g_0.
   * With α = e^−U, b = e^−g_min and β = e^δ·(b + e^(e^−g_0 − b)), Jensen's inequality bounds the probability for j by
     w·(e^−cα − e^−cβ).
   * Summed over all j with Σp_j = 1. Probability: at most the largest w·(1 + c)·(e^−cα − e^−cβ) over c >= 0.

**Each class.** Claim: for every vector of at most N scores, no class is drawn more often than (1 + η) times its probability, and
a class of a probability p >= 2^−O at least (1 − η)·p. So 2^−O is the smallest probability that is honoured; classes below it are
drawn too rarely, at last never. `class_error` is η.

Assumptions. F is the distribution of the noise, and y(k) = e^(−k·unit), so that the exact distribution is exp(−y(k)). Class i
with noise k wins against a class j that is d_j units ahead if the noise of j is at most k − d_j, or below that where j comes
first. With c = 1/p_i − 1 the sum of y(k − d_j) over all j ≠ i is c·y(k). Let T be the first k of the lower half's last octave,
and b the first k behind the first segment of the upper half's last octave.

1. *Ratio.* −ln F(k) >= r·y(k) for all k < T, and >= r·y(k) − z from T on. So the product of all F(k − d_j) is at most
   e^(N·z)·e^(−r·c·y(k)). Likewise −ln F(k − 1) <= R·y(k) for b <= k < T, and <= R·y(k) + Z from T on. So the product of all
   F(k − d_j − 1) is at least e^(−N·Z)·e^(−R·c·y(k)) where c·y(k) <= y(b), because no single y(k − d_j) exceeds their sum.
2. *Mean over k.* Outside of the last octaves the noise is within δ of an exact G, whose e^−G is exponential. The mean there is at
   most the integral of e^(−(1 + r·c·e^−δ)·y) in closed form, and at least that with R and e^δ. In each segment of the last
   octaves e^(−r·c·y) is convex in y: its mean is at most that of the chord, and at least the value at the mean of y.
3. *All c.* The mean falls with c, and 1/p_i = 1 + c rises. So on each interval of a grid of c the product of the mean at one end
   and of 1 + c at the other bounds P_i/p_i. The grid's step is 2^−9, relatively. It ends where every term of (1 + c)·mean falls.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.random_words import WORD

__all__ = [
    "FRACTION",
    "MANTISSA",
    "OCTAVE_BITS",
    "SEGMENTS",
    "GumbelTable",
    "gumbel_table",
]

FRACTION = 6
"""Bits of d."""
MANTISSA = 5
SEGMENTS = 1 << MANTISSA
"""Segments of an octave."""
OCTAVE_BITS = WORD - FRACTION - MANTISSA - 1

LOWER_MARGIN = 10
"""Octaves of v below a half beyond log2 N."""
UPPER_OCTAVES = 8
"""Octaves of 1 − v."""

RESOLUTION = 11

_CONTEXT = Context(prec=40, Emin=-(10**9), Emax=10**9)


@dataclass(frozen=True, eq=False)
class GumbelTable:
    """The table of one (scale, max_length). Octaves of the lower half come first, then those of the upper half."""

    shift: int
    """The score is multiplied by 2^shift."""
    unit: float
    """Nats per unit of noise: score_scale / temperature · 2^−shift."""
    lower_octaves: int
    base: np.ndarray
    """int64 [octaves·SEGMENTS], in units, above the least noise there is."""
    slope: np.ndarray
    """int64 [octaves·SEGMENTS], units over the whole segment."""
    least: int
    """What every base is reduced by, so that the least one is 0."""
    max_length: int

    @property
    def octaves(self) -> int:
        """Octaves of both halves."""
        return self.lower_octaves + UPPER_OCTAVES

    @property
    def address_width(self) -> int:
        """Bits of {octave, mantissa}."""
        return ceil_log2(len(self.base))

    @property
    def base_width(self) -> int:
        """Bits of the largest base."""
        return int(self.base.max()).bit_length()

    @property
    def slope_width(self) -> int:
        """Bits of the largest slope."""
        return int(self.slope.max()).bit_length()

    @property
    def bits(self) -> int:
        """Storage."""
        return len(self.base) * (self.base_width + self.slope_width)

    @property
    def noise_maximum(self) -> int:
        """The largest noise."""
        return int(self.values.max())

    def address(self, word: int) -> int:
        """{octave, mantissa} of a word."""
        mantissa, side, octave_bits = (
            word >> FRACTION & SEGMENTS - 1,
            word >> FRACTION + MANTISSA & 1,
            word >> WORD - OCTAVE_BITS,
        )
        last = (UPPER_OCTAVES if side else self.lower_octaves) - 1
        zeros = next((place for place in range(last) if octave_bits >> place & 1), last)
        return (zeros + self.lower_octaves * side) * SEGMENTS + mantissa

    def sum_width(self, config: Config) -> int:
        """Bits of the largest sum of a shifted position and noise, and of the bit above it that tells an element that takes
        part from one that is masked or outside of the set."""
        largest = (((1 << config.score_width) - 1) << self.shift) + self.noise_maximum
        return largest.bit_length() + (config.mask or config.ranked_draw)

    @property
    def smallest(self) -> float:
        """The smallest probability of a class that is honoured: less probable classes are drawn too rarely, or never."""
        return 2.0**-self.lower_octaves

    @cached_property
    def values(self) -> np.ndarray:
        """Noise for every address and d, int64 [octaves·SEGMENTS, 2^FRACTION]."""
        return self.base[:, None] + ((self.slope[:, None] * np.arange(1 << FRACTION)) >> FRACTION)

    @cached_property
    def law(self) -> np.ndarray:
        """P(noise = k) for k from 0 to the largest, float64, each exact: multiples of 2^-(octaves + MANTISSA + FRACTION + 1)."""
        weights = np.repeat(_octave_weights(self.lower_octaves), SEGMENTS << FRACTION) / (SEGMENTS << FRACTION)
        return np.bincount(self.values.ravel(), weights=weights)

    @cached_property
    def deviation(self) -> float:
        """δ in nats: the largest distance of noise and exact G outside of the last octaves; in float64, raised by 2^-30."""
        worst = 0.0
        parts = np.arange((1 << FRACTION) + 1) / (1 << FRACTION)
        noise = (self.values + self.least) * self.unit
        for octave in (*range(self.lower_octaves - 1), *range(self.lower_octaves, self.octaves - 1)):
            upper = octave >= self.lower_octaves
            low = 2.0 ** -((octave - self.lower_octaves if upper else octave) + 2)
            edges = low * (1 + (np.arange(SEGMENTS)[:, None] + (parts if upper else 1 - parts)) / SEGMENTS)
            exact = -np.log(-np.log(edges) if upper else -np.log1p(-edges))
            rows = noise[octave * SEGMENTS : (octave + 1) * SEGMENTS]
            worst = max(worst, float(np.abs(rows - exact[:, 1:]).max()), float(np.abs(rows - exact[:, :-1]).max()))
        return worst + 2.0**-30

    @cached_property
    def bound(self) -> float:
        """The largest total variation distance of a draw's law from softmax, over all vectors of at most max_length scores."""
        delta = self.deviation
        w = 2.0**-UPPER_OCTAVES
        tail = (self.values[-SEGMENTS:] + self.least) * self.unit
        lowest, highest = float(tail.min()), float(tail.max())
        exponential = UPPER_OCTAVES * math.log(2)  # e^-g_0
        alpha = math.exp(-(max(-math.log(exponential) + highest - lowest, highest) + delta))
        b = max(math.exp(-lowest), exponential)
        beta = math.exp(delta) * (b + math.exp(exponential - b))
        assert alpha > 1  # beyond c = 20 the product below only falls
        step = 2.0**-10
        c = np.arange(0, 20, step)
        largest = float(((1 + c) * (np.exp(-c * alpha) - np.exp(-c * beta))).max()) + step * (1 + beta)
        return self.max_length * 2.0**-self.lower_octaves + (1 - math.exp(-2 * delta)) + w * largest

    @cached_property
    def class_error(self) -> float:
        """η: the largest |P_i/p_i − 1| of a class from `smallest` on, over all vectors; in float64, raised by 2^-30."""
        y = np.exp(-(np.arange(len(self.law)) + self.least) * self.unit)
        exponent = -np.log1p(-np.append(np.cumsum(self.law[:0:-1])[::-1], 0.0))  # −ln F(k), from P(noise > k)
        tail = int(self.values[self._last_octaves[0]].min())  # T
        begin = int(self.values[-SEGMENTS].max()) + 1  # b
        least_ratio = float((exponent[:tail] / y[:tail]).min())
        largest_ratio = float((exponent[begin - 1 : tail - 1] / y[begin:tail]).max())
        shortfall = max(0.0, float((least_ratio * y[tail:] - exponent[tail:]).max()))
        excess = max(0.0, float((exponent[tail - 1 : -1] - largest_ratio * y[tail:]).max()))

        step = 1 + 2.0**-9
        c = np.append(0.0, 2.0**-9 * step ** np.arange(math.ceil(math.log(2.0**12 / (least_ratio * y[-1]), step))))
        most = math.exp(self.max_length * shortfall) * self._largest_mean(least_ratio * c, y)
        least = math.exp(-self.max_length * excess) * self._least_mean(
            largest_ratio * c, largest_ratio * float(y[begin]), y
        )
        honoured = 1 + c[:-1] <= 1 / self.smallest
        too_often = (most[:-1] * (1 + c[1:])).max() - 1
        too_rarely = 1 - (least[1:] * (1 + c[:-1]))[honoured].min()
        return float(max(too_often, too_rarely)) + 2.0**-30

    @property
    def _last_octaves(self) -> tuple[slice, slice]:
        """The addresses of the last octave of the lower and of the upper half."""
        end = self.lower_octaves * SEGMENTS
        return slice(end - SEGMENTS, end), slice(-SEGMENTS, None)

    def _largest_mean(self, factors: np.ndarray, y: np.ndarray) -> np.ndarray:
        """At least the mean of e^(−factor·y(noise)) for each of the factors."""
        mean = _exponential_mean(1 + factors * math.exp(-self.deviation), *self._between)
        for octave, weight in zip(self._last_octaves, self._last_weights, strict=True):
            cells = y[self.values[octave]]
            low, high = cells.min(axis=1), cells.max(axis=1)
            share = (cells.mean(axis=1) - low) / (high - low)
            chords = (1 - share) * np.exp(-np.outer(factors, low)) + share * np.exp(-np.outer(factors, high))
            mean += weight * chords.mean(axis=1)
        return mean

    def _least_mean(self, factors: np.ndarray, limit: float, y: np.ndarray) -> np.ndarray:
        """At most the mean of e^(−factor·y(noise)) over the noise with factor·y(noise) <= limit, for each of the factors."""
        first, last = self._between
        ends = np.clip(limit * math.exp(-self.deviation) / np.maximum(factors, 2.0**-20), first, last)
        mean = _exponential_mean(1 + factors * math.exp(self.deviation), first, ends)
        for octave, weight in zip(self._last_octaves, self._last_weights, strict=True):
            cells = y[self.values[octave]]
            counts = np.outer(factors, cells.max(axis=1)) <= limit
            mean += weight * (counts * np.exp(-np.outer(factors, cells.mean(axis=1)))).mean(axis=1)
        return mean

    @property
    def _between(self) -> tuple[float, float]:
        """The range of e^−G outside of the last octaves."""
        return -math.log1p(-self._last_weights[0]), -math.log(self._last_weights[1])

    @property
    def _last_weights(self) -> tuple[float, float]:
        """The probability of the last octave of each half."""
        return 2.0**-self.lower_octaves, 2.0**-UPPER_OCTAVES


def _exponential_mean(rate: np.ndarray, first: float, last: float | np.ndarray) -> np.ndarray:
    """The integral of e^(−rate·y) from first to last."""
    return (np.exp(-rate * first) - np.exp(-rate * last)) / rate


def _octave_weights(lower_octaves: int) -> np.ndarray:
    """The probability of each octave, lower half first."""
    halves = []
    for count in (lower_octaves, UPPER_OCTAVES):
        halves += [2.0 ** -(octave + 2) for octave in range(count - 1)] + [2.0**-count]
    return np.array(halves)


def gumbel_table(config: Config) -> GumbelTable:
    """The table of a configuration."""
    return _gumbel_table(config.effective_scale, config.max_length)


@lru_cache(maxsize=16)
def _gumbel_table(scale: float, max_length: int) -> GumbelTable:
    shift = 0
    while scale * 2.0**-shift > 2.0**-RESOLUTION:
        shift += 1
    unit = Decimal(scale) / (1 << shift)
    lower = ceil_log2(max_length) + LOWER_MARGIN
    base, slope = [], []
    for upper, count in ((False, lower), (True, UPPER_OCTAVES)):
        for octave in range(count):
            values = [value / unit for value in _exact_edges(upper, octave, octave == count - 1)]
            for one_end, other_end in pairwise(values):
                height = _round(abs(other_end - one_end))
                # The middle of the first of the equal parts, and a half because the floor of slope·d subtracts a half on average.
                base.append(_round(min(one_end, other_end) + Decimal(height) / (2 << FRACTION) + Decimal("0.5")))
                slope.append(height)
    least = min(base)
    return GumbelTable(
        shift=shift,
        unit=scale * 2.0**-shift,
        lower_octaves=lower,
        base=np.array(base, dtype=np.int64) - least,
        slope=np.array(slope, dtype=np.int64),
        least=least,
        max_length=max_length,
    )


@lru_cache(maxsize=256)
def _exact_edges(upper: bool, octave: int, last: bool) -> tuple[Decimal, ...]:
    """G at the edges of an octave's segments, whatever the scale: a logarithm of 40 digits takes most of a table's time."""
    size = Decimal(2) ** -(octave + (1 if last else 2))
    start = Decimal(0) if last else size
    edges = [start + size * m / SEGMENTS for m in range(SEGMENTS + 1)]
    # G is infinite at the very end, so the last segment stops at its middle.
    edges[0] = edges[0] or edges[1] / 2
    return tuple(-_CONTEXT.ln(-_CONTEXT.ln(edge if upper else _CONTEXT.subtract(Decimal(1), edge))) for edge in edges)


def _round(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))
