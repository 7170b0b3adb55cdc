"""The modes on tensors: framed vectors in, the arrays of a mode's outputs out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.numbers.entropy import entropy_numerics
from softstream.hw.numbers.exact_sum import exact_sum
from softstream.hw.numbers.gumbel import FRACTION, MANTISSA, SEGMENTS, UPPER_OCTAVES, gumbel_table
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.numbers.ranked_draw import ranked_draw
from softstream.hw.numbers.sigmoid import address_width, sigmoid_codes
from softstream.hw.numbers.sink import sink_positions
from softstream.hw.numbers.softmax import numerics
from softstream.hw.numbers.two_pass import differences
from softstream.hw.numbers.unnormalised import exponential_codes
from softstream.hw.plan.modes.gumbel import BOUNDS
from softstream.sim.golden.stages.random_words import words
from softstream.sim.twin.normalisers import NORMALISERS, quotient_of
from softstream.sim.twin.stages import (
    Accumulate,
    Exponential,
    Vectors,
    insertion,
    leading_one,
    lookup,
    margin,
    maximum,
    shifted_product,
    table,
    within,
)

__all__ = ["MODES", "Arrays"]

Arrays = dict[str, Tensor]


class _Mode(nn.Module):
    """A mode of one configuration."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def summands(self, vectors: Vectors) -> tuple[Tensor, Tensor]:
        """(positions, which of them take part) of the terms of a sum, [V, N]; where vectors bring a sink, with it, [V, N + 1]."""
        positions, valid = vectors.positions, vectors.taking_part
        if not self.config.sink_per_vector:
            return positions, valid
        sinks = sink_positions(self.config, vectors.sideband["sinks"])[:, None]
        return torch.cat([positions, sinks], dim=1), torch.cat([valid, torch.ones_like(sinks, dtype=torch.bool)], dim=1)

    def winner(self, vectors: Vectors) -> Arrays:
        """Index of the winner, its code, and its margin where the head has one, [V]; the flag of fully masked vectors."""
        index, position = maximum(vectors.positions, vectors.taking_part, last_wins=self.config.last_wins)
        arrays = {"argmax": index, "best": self.config.code(position), **vectors.flags}
        if self.config.has_margin:
            arrays["margins"] = margin(vectors.positions, vectors.taking_part, self.config.score_width)
        return arrays


class Argmax(_Mode):
    """The winner alone."""

    def forward(self, vectors: Vectors) -> Arrays:
        """Index and score of the winner."""
        return self.winner(vectors)


class Softmax(_Mode):
    """The winner, and the probability of each element."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.widths = numerics(config)
        self.accumulate = Accumulate(self.widths)
        self.normaliser = NORMALISERS[config.division](self.widths)
        self.register_buffer("every", torch.arange(1 << config.score_width), persistent=False)

    def probabilities(self, vectors: Vectors) -> Tensor:
        """Probability codes [V, N], 0 beyond each length."""
        positions, valid = vectors.positions, vectors.taking_part
        reference, total = self.accumulate(*self.summands(vectors))
        # No result of a fully masked vector depends on the sum; 1 stands for it.
        total = torch.where(valid.any(dim=1), total, 1)
        sum_exponent, divisor = leading_one(self.widths, reference, total)
        if positions.shape[1] > len(self.every):
            # A code depends on its vector's sum and its own position alone: each position is evaluated once and looked up.
            codes = self.normaliser(sum_exponent, divisor, self.every.expand(len(positions), -1)).gather(1, positions)
        else:
            codes = self.normaliser(sum_exponent, divisor, positions)
        return torch.where(valid, codes, 0)

    def forward(self, vectors: Vectors) -> Arrays:
        """The winner, and the codes."""
        return {**self.winner(vectors), "probabilities": self.probabilities(vectors)}


class TwoPass(Softmax):
    """The same with exponentials relative to the maximum, in fixed point."""

    def __init__(self, config: Config) -> None:
        _Mode.__init__(self, config)
        self.differences = differences(config)
        self.register_buffer("exponential", table(self.differences.exponential), persistent=False)

    def probabilities(self, vectors: Vectors) -> Tensor:
        """min(floor(2^P·(e >> c)/(S >> c) + 1/2), code of 1.0)."""
        numbers, valid = self.differences, vectors.taking_part
        _, largest = maximum(vectors.positions, valid)
        distance = torch.where(valid, largest[:, None] - vectors.positions, 0)
        exponential = torch.where(valid, lookup(self.exponential, distance), 0)
        divisor = (exponential.sum(dim=1) >> numbers.dropped).clamp(min=1)
        dividend = (exponential >> numbers.dropped) << (numbers.probability_width + 1)
        quotient = quotient_of(dividend, divisor[:, None])
        return ((quotient + 1) >> 1).clamp(max=numbers.probability_maximum)


class ExactSumSoftmax(Softmax):
    """Codes that sum to exactly 2^P: the differences of the rounded running sum."""

    def __init__(self, config: Config) -> None:
        _Mode.__init__(self, config)
        self.numbers = exact_sum(config)
        self.exponential = Exponential(self.numbers.widths.tables)
        self.normaliser = NORMALISERS[config.division](self.numbers.widths)

    def quotient(self, dividend: Tensor, divisor: Tensor) -> Tensor:
        """floor(2^T · a / m), at most 2^T − 1; or the product with the reciprocal of m."""
        numbers, widths, width = self.numbers, self.numbers.widths, self.numbers.quotient_width
        if self.config.division == "reciprocal":
            factor = self.normaliser.factor(divisor)
            product_width = widths.divisor_width + widths.reciprocal_width
            return shifted_product(dividend, factor, numbers.product_shift, product_width)
        first = width // 2
        high = quotient_of(dividend << first, divisor)
        low = quotient_of(((dividend << first) - high * divisor) << (width - first), divisor)
        return ((high << (width - first)) + low).clamp(max=(1 << width) - 1)

    def cumulative(self, vectors: Vectors) -> Tensor:
        """C_i = F·c_i + floor(K·q_i / 2^T + 1/2), [V, N]; elements beyond the last one repeat it."""
        numbers, widths, valid = self.numbers, self.numbers.widths, vectors.taking_part
        exponent, significand = self.exponential(vectors.positions)
        sums = torch.where(valid, significand << exponent, 0).cumsum(dim=1)
        total = torch.where(valid.any(dim=1), sums[:, -1], 1 << widths.significand_fraction)
        sum_exponent, divisor = leading_one(widths, torch.zeros_like(total), total)
        shift = (sum_exponent - numbers.raised)[:, None]
        cut = torch.where(shift > 0, sums >> shift.clamp(min=0), sums << (-shift).clamp(min=0))
        ratios = self.quotient(cut, divisor[:, None])
        count = valid.cumsum(dim=1)
        share = numbers.one - numbers.minimum * count[:, -1:]
        half = 1 << (numbers.quotient_width - 1)
        return numbers.minimum * count + ((share * ratios + half) >> numbers.quotient_width)

    def probabilities(self, vectors: Vectors) -> Tensor:
        """C_i − C_(i−1)."""
        codes = self.cumulative(vectors)
        return codes.diff(dim=1, prepend=torch.zeros_like(codes[:, :1]))


class Cdf(ExactSumSoftmax):
    """The winner, and the cumulative code of each element."""

    def forward(self, vectors: Vectors) -> Arrays:
        """Codes [V, N], 0 beyond each length."""
        return {**self.winner(vectors), "cumulative": torch.where(vectors.valid, self.cumulative(vectors), 0)}


def _softmax(config: Config) -> Softmax:
    if config.two_pass:
        return TwoPass(config)
    return ExactSumSoftmax(config) if config.exact_sum else Softmax(config)


class _Logarithm(_Mode):
    """The natural logarithm of a vector's sum, and the magnitude of a logarithmic result."""

    def __init__(self, config: Config, *, signed: bool) -> None:
        super().__init__(config)
        self.numbers = log_numerics(config, signed=signed)
        self.accumulate = Accumulate(self.numbers.widths)
        tables = self.numbers.tables
        self.register_buffer("octave", table(tables.octave), persistent=False)
        self.register_buffer("logarithm", table(tables.logarithm), persistent=False)
        every = np.arange(1 << config.score_width)
        self.register_buffer("position", table(tables.positions(every)), persistent=False)

    def vector_logarithm(self, vectors: Vectors) -> Tensor:
        """L of each vector, int64 [V]."""
        tables, widths = self.numbers.tables, self.numbers.widths
        valid = vectors.taking_part
        reference, total = self.accumulate(*self.summands(vectors))
        # No result of a fully masked vector depends on the sum; 2^A, the least possible sum, stands for it.
        total = torch.where(valid.any(dim=1), total, 1 << widths.accumulator_fraction)
        sum_exponent, divisor = leading_one(widths, reference, total)
        cut = divisor >> (widths.divisor_fraction - tables.fraction - 1)
        entry = lookup(self.logarithm, (cut >> 1) - (1 << tables.fraction))
        return (
            lookup(self.octave, sum_exponent) + entry + ((cut & 1) << (tables.working_fraction - tables.fraction - 1))
        )

    def magnitude(self, logarithm: Tensor, positions: Tensor) -> Tensor:
        """min(max(0, floor((L − Y) / 2^(k + 1))), what the format holds)."""
        difference = (logarithm - lookup(self.position, positions)) >> self.numbers.tables.shift
        return difference.clamp(0, self.numbers.limit)


class LogSoftmax(_Logarithm):
    """The winner, and the logarithm of each probability."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, signed=True)

    def forward(self, vectors: Vectors) -> Arrays:
        """Codes [V, N], the most negative where masked, 0 beyond each length."""
        codes = -self.magnitude(self.vector_logarithm(vectors)[:, None], vectors.positions)
        codes = torch.where(vectors.taking_part, codes, self.numbers.format.minimum)
        return {**self.winner(vectors), "log_probabilities": torch.where(vectors.valid, codes, 0)}


class CrossEntropy(_Logarithm):
    """The loss of each vector against its label."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, signed=False)

    def forward(self, vectors: Vectors) -> Arrays:
        """Loss codes [V], the largest one for a label that names no element or a masked one, and the flag of such a label."""
        labels = vectors.sideband["labels"]
        index = torch.where(labels < vectors.lengths, labels, 0)[:, None]
        labelled = (labels < vectors.lengths) & vectors.taking_part.gather(1, index)[:, 0]
        position = vectors.positions.gather(1, index)[:, 0]
        losses = self.magnitude(self.vector_logarithm(vectors), position)
        return {"losses": torch.where(labelled, losses, self.numbers.limit), "unlabelled": ~labelled, **vectors.flags}


class LogSumExp(_Logarithm):
    """The logarithm of the sum of each vector relative to its largest score."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, signed=False)

    def forward(self, vectors: Vectors) -> Arrays:
        """Codes [V] of the logarithm, 0 where every element is masked, and of the largest score."""
        peak = torch.where(vectors.taking_part, vectors.positions, 0).max(dim=1).values
        codes = self.magnitude(self.vector_logarithm(vectors), peak)
        codes = torch.where(vectors.taking_part.any(dim=1), codes, 0)
        return {"log_sums": codes, "best": self.config.code(peak), **vectors.flags}


class Entropy(_Mode):
    """The winner, and the entropy of the probabilities in bits."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.numbers = entropy_numerics(config)
        self.accumulate, self.moment = Accumulate(self.numbers.widths), Accumulate(self.numbers.moment)
        self.register_buffer("logarithm", table(self.numbers.logarithm), persistent=False)

    def forward(self, vectors: Vectors) -> Arrays:
        """The arrays of the winner, and the codes [V], 0 where every element is masked."""
        numbers, widths, valid = self.numbers, self.numbers.widths, vectors.taking_part
        exists = valid.any(dim=1)
        reference, total = self.accumulate(vectors.positions, valid)
        _, moment = self.moment(vectors.positions, valid)
        # No result of a fully masked vector depends on the sum; 2^A, the least possible sum, stands for it.
        exponent, divisor = leading_one(widths, reference, torch.where(exists, total, 1 << widths.accumulator_fraction))
        scale = widths.divisor_fraction - widths.accumulator_fraction - exponent
        moment = torch.where(scale < 0, moment >> (-scale).clamp(min=0), moment << scale.clamp(min=0))
        rest, mean = moment >> numbers.position_bits, torch.zeros_like(moment)
        for step, weight in enumerate(numbers.weights):
            below = numbers.position_bits - 1 - step
            rest = (rest << 1) + ((moment >> below) & 1 if below >= 0 else 0)
            bit = (rest >= divisor).long()
            rest, mean = rest - divisor * bit, mean + weight * bit
        cut = divisor >> (widths.divisor_fraction - numbers.fraction - 1)
        entry = lookup(self.logarithm, (cut >> 1) - (1 << numbers.fraction))
        entry = entry + ((cut & 1) << (numbers.logarithm_fraction - numbers.fraction - 1))
        bits = ((exponent << numbers.logarithm_fraction) + entry) << (
            numbers.working_fraction - numbers.logarithm_fraction
        )
        codes = ((bits + numbers.offset - mean) >> numbers.shift).clamp(min=0)
        return {**self.winner(vectors), "entropies": torch.where(exists, codes, 0)}


class Exponentials(_Mode):
    """The winner, the exponential of each score relative to a constant, and their sum."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.numbers = exponential_codes(config)
        if self.numbers.codes is not None:
            self.register_buffer("codes", table(self.numbers.codes), persistent=False)
        else:
            self.exponential = Exponential(self.numbers.widths.tables)

    def emit(self, positions: Tensor) -> Tensor:
        """min(1, exp(s·(x − c))) as codes."""
        numbers = self.numbers
        if numbers.codes is not None:
            return lookup(self.codes, positions)
        exponent, significand = self.exponential(positions.clamp(max=numbers.reference))
        quotient = (significand << 1) >> (numbers.widths.significand_fraction - numbers.widths.probability_width)
        return (((quotient >> (numbers.octaves - exponent)) + 1) >> 1).clamp(max=numbers.widths.probability_maximum)

    def forward(self, vectors: Vectors) -> Arrays:
        """Codes [V, N], 0 beyond each length and where masked, and their exact sums [V]."""
        codes = torch.where(vectors.taking_part, self.emit(vectors.positions), 0)
        return {**self.winner(vectors), "exponentials": codes, "sums": codes.sum(dim=1)}


class Sigmoid(_Mode):
    """Each score to the code of its own logistic function."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.register_buffer("codes", table(sigmoid_codes(config)), persistent=False)
        entries = 1 << address_width(config)
        self.lowest = (1 << (config.score_width - 1)) - entries // 2 if config.score_signed else 0

    def forward(self, vectors: Vectors) -> Arrays:
        """Codes [V, N]: that of 0 where masked, and 0 beyond each length."""
        address = (vectors.positions - self.lowest).clamp(0, len(self.codes) - 1)
        codes = torch.where(vectors.taking_part, lookup(self.codes, address), self.config.output_zero_point)
        return {"probabilities": torch.where(vectors.valid, codes, 0), **vectors.flags}


class Hardmax(_Mode):
    """1.0 at the winner, 0 elsewhere."""

    def forward(self, vectors: Vectors) -> Arrays:
        """Codes [V, N]."""
        index = self.winner(vectors)["argmax"]
        column = torch.arange(vectors.positions.shape[1], device=index.device)
        wins = vectors.taking_part & (column == index[:, None])
        zero, one = self.config.probability_codes
        codes = torch.where(wins, one, zero)
        return {"one_hot": torch.where(vectors.valid, codes, 0), **vectors.flags}


class TopK(_Mode):
    """The K largest scores in order."""

    def ranks(self, vectors: Vectors) -> tuple[Arrays, Tensor]:
        """Indices and score codes [V, K], and which ranks an element has, without the substitute of a fully masked vector."""
        config, valid = self.config, vectors.taking_part
        indices, positions = insertion(vectors.positions, valid, config.top_k, last_wins=config.last_wins)
        elements = valid.sum(dim=1)
        scores = torch.where(within(elements.clamp(min=1), config.top_k), config.code(positions), 0)
        return {"top_indices": indices, "top_scores": scores, **vectors.flags}, within(elements, config.top_k)

    def forward(self, vectors: Vectors) -> Arrays:
        """Indices and score codes."""
        return self.ranks(vectors)[0]


class SoftmaxTopK(TopK):
    """The K largest scores with their probabilities."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.softmax = _softmax(config)

    def forward(self, vectors: Vectors) -> Arrays:
        """The arrays of Top-K, and the probability codes [V, K]."""
        arrays, present = self.ranks(vectors)
        codes = self.softmax.probabilities(vectors).gather(1, arrays["top_indices"])
        return {**arrays, "top_probabilities": torch.where(present, codes, 0)}


class Contenders(NamedTuple):
    """The elements that a draw compares, [V, L]: all of a vector, or those of its ordered list."""

    indices: Tensor
    """Index of each in its vector."""
    positions: Tensor
    belongs: Tensor
    """Whether the draw may be this one."""
    takes_word: Tensor
    """Whether it consumes a random word."""
    flags: Arrays
    """The flags of the list, [V]."""


class Gumbel(_Mode):
    """A draw: the largest sum of score and Gumbel noise, which the random words of the hardware determine."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.table = ranked_draw(config).noise if config.ranked_draw else gumbel_table(config)
        self.register_buffer("values", table(self.table.values), persistent=False)

    def noise(self, valid: Tensor, words_before: int) -> Tensor:
        """Noise in units of the table, int64 [V, N], 0 where not valid: a word for each valid element in order."""
        stream = table(words(self.config.seed, int(valid.sum()), words_before)).to(valid.device)
        fraction, rest = stream & ((1 << FRACTION) - 1), stream >> FRACTION
        mantissa, rest = rest & (SEGMENTS - 1), rest >> MANTISSA
        upper, rest = rest & 1, rest >> 1
        lowest = (rest & -rest).to(torch.float64)
        zeros = torch.where(rest == 0, 63, torch.frexp(lowest).exponent.to(torch.int64) - 1)
        lower_octave = zeros.clamp(max=self.table.lower_octaves - 1)
        upper_octave = zeros.clamp(max=UPPER_OCTAVES - 1) + self.table.lower_octaves
        octave = torch.where(upper == 1, upper_octave, lower_octave)
        noise = torch.zeros(valid.shape, dtype=torch.int64, device=valid.device)
        noise[valid] = self.values[octave * SEGMENTS + mantissa, fraction]
        return noise

    def contenders(self, vectors: Vectors) -> Contenders:
        """The elements that a draw is among: all that take part."""
        valid = vectors.taking_part
        indices = torch.arange(valid.shape[1], device=valid.device).expand_as(valid)
        return Contenders(indices, vectors.positions, valid, valid, {})

    def draw(self, contenders: Contenders, noise: Tensor) -> Tensor:
        """The place of the largest sum of score and noise, int64 [V]."""
        return maximum((contenders.positions << self.table.shift) + noise, contenders.belongs)[0]

    def forward(self, vectors: Vectors) -> Arrays:
        """The class drawn for each vector and its score code, [V]."""
        among = self.contenders(vectors)
        place = self.draw(among, self.noise(among.takes_word, vectors.words_before))[:, None]
        index, drawn = (values.gather(1, place)[:, 0] for values in (among.indices, among.positions))
        return {"sample": index, "score": self.config.code(drawn), **vectors.flags, **among.flags}


class RankedGumbel(Gumbel):
    """A draw among the first elements of the ordered list of the best, as `softstream.sim.golden.modes.ranked_draw`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.numbers = ranked_draw(config)
        self.ranked = (SoftmaxTopK if config.draws_share else TopK)(self.numbers.ranked)

    def _bounds(self, vectors: Vectors) -> tuple[Tensor | int, Tensor | int | None, Tensor | int | None]:
        """(K, share, distance): those of the configuration, or [V, 1] those that each vector brings."""
        numbers = self.numbers
        if not numbers.vector_bounds:
            return numbers.count, numbers.share, numbers.distance
        count, share, distance = (vectors.sideband[f"{name}s"][:, None] for name in BOUNDS)
        return count.clamp(min=1), share, distance

    def contenders(self, vectors: Vectors) -> Contenders:
        """The elements of the list, of which those within the bounds belong to the set."""
        arrays = self.ranked(vectors)
        positions = self.config.position(arrays["top_scores"])
        present = within(vectors.taking_part.sum(dim=1), positions.shape[1])
        ranks = torch.arange(positions.shape[1], device=positions.device)
        count, share, distance = self._bounds(vectors)
        belongs = present
        if distance is not None:
            belongs = belongs & (positions[:, :1] - positions <= distance)
        if share is not None:
            codes = arrays["top_probabilities"]
            belongs = belongs & ((codes.cumsum(dim=1) - codes < share) | (ranks == 0))
        beyond = (belongs & (ranks >= count)).any(dim=1)
        flags = {"truncated": beyond} if self.config.may_truncate else {}
        takes_word = present & (ranks < self.numbers.count)
        return Contenders(arrays["top_indices"], positions, belongs & (ranks < count), takes_word, flags)


def _sample(config: Config) -> Gumbel:
    """A draw among all elements, or among the best."""
    return (RankedGumbel if config.ranked_draw else Gumbel)(config)


MODES = {
    "argmax": Argmax,
    "softmax": _softmax,
    "log_softmax": LogSoftmax,
    "cross_entropy": CrossEntropy,
    "exponential": Exponentials,
    "sigmoid": Sigmoid,
    "sample": _sample,
    "hardmax": Hardmax,
    "top_k": TopK,
    "softmax_top_k": SoftmaxTopK,
    "cdf": Cdf,
    "log_sum_exp": LogSumExp,
    "entropy": Entropy,
}
"""Mode → the constructor of its module from a configuration; without the inverse-CDF sampler, which has no gradient."""
