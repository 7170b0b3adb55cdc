"""The documented formula of every mode and option, in NumPy's long double, for one result at a time.

The formulas are those of the pages `hw/modes/README.md`, `hw/options/README.md` and `hw/plan/README.md`. They read the plain
keys of the outer configuration and import nothing of `hw/numbers` or of the golden model. A fault that the hardware, its model
and the reference in float64 share shows as a distance from here.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from softstream.hw.config.config import Config

__all__ = ["Question", "largest_code", "probability_steps", "smallest_code"]

WIDEST_GUARDED = 24
"""Largest number of fraction bits of a guarded probability."""


def smallest_code(config: Config) -> int:
    return -(1 << config.score_width - 1) if config.score_signed else 0


def largest_code(config: Config) -> int:
    return smallest_code(config) + (1 << config.score_width) - 1


def probability_steps(config: Config) -> tuple[int, int, int]:
    """(code of 0, steps of 1.0, steps to the largest code): p = (code − code of 0) / steps, and 2^P − 1 is UQ0's largest."""
    steps = 1 << config.probability_width
    if config.mode not in ("softmax", "softmax_top_k", "sigmoid", "hardmax"):
        return 0, steps, steps - (config.probability_format == "UQ0")
    if config.output_levels not in (0, steps):
        return config.output_zero_point, config.output_levels, config.output_levels
    return config.output_zero_point, steps, steps - (config.probability_format == "UQ0")


@dataclass(frozen=True)
class Question:
    """The inputs of one result: a vector, one group of a packet, or the members of one ensemble."""

    config: Config
    members: tuple[np.ndarray, ...]
    """Score codes of each member as they are sent; one member without an ensemble."""
    masked: np.ndarray | None = None
    """Which elements are excluded, [N]."""
    temperature_code: int = 0
    """u, where the configuration has `temperature_bits`."""
    label: int = 0
    sink_bits: int = 0
    """The bits of the code of the sink, where vectors bring it."""

    @cached_property
    def inputs(self) -> list[np.ndarray]:
        """The members cut at `max_length`."""
        return [member[: self.config.max_length].astype(np.int64) for member in self.members]

    @property
    def overlong(self) -> bool:
        """Whether a vector was cut."""
        return any(len(member) > self.config.max_length for member in self.members)

    @property
    def length(self) -> int:
        """Elements of the result: those of the first member."""
        return len(self.inputs[0])

    @cached_property
    def taking_part(self) -> np.ndarray:
        """Which elements are not excluded, [N]."""
        if self.masked is None:
            return np.ones(self.length, dtype=bool)
        return ~self.masked[: self.length].astype(bool)

    @cached_property
    def sums(self) -> np.ndarray:
        """Sums of the members' score codes, [N]; the code that wins over no other stands for an element that a member lacks."""
        sums = np.zeros(self.length, dtype=np.int64)
        for member in self.inputs:
            padded = np.full(max(self.length, len(member)), self.last_code)
            padded[: len(member)] = member
            sums += padded[: self.length]
        return sums

    @property
    def last_code(self) -> int:
        """The score code that wins over no other: the smallest, or the largest where the smallest score wins."""
        return largest_code(self.config) if self.config.select == "smallest" else smallest_code(self.config)

    @property
    def winner(self) -> int:
        """Index of the winner among the scores that take part; 0 where none does."""
        return self.ranking[0] if self.ranking else 0

    @property
    def best(self) -> int:
        """The winner's score code, or sum of codes."""
        if not self.taking_part.any():
            return len(self.members) * self.last_code
        return int(self.sums[self.winner])

    def drawn_score(self, index: int) -> int:
        """The score of a drawn element; with a temperature, position times u."""
        score = int(self.sums[index])
        return abs(score - self.last_code) * self.temperature_code if self.config.temperature_bits else score

    @property
    def margin(self) -> int:
        """The distance of the winner's score from the second best one; the largest code where one element takes part."""
        if len(self.ranking) == 1:
            return (1 << self.config.score_width + (len(self.members) - 1).bit_length()) - 1
        return abs(int(self.sums[self.ranking[0]] - self.sums[self.ranking[1]])) if self.ranking else 0

    @cached_property
    def ranking(self) -> list[int]:
        """Indices that take part, the winner first: by `select` the largest or the smallest score, by `tie` among equal scores
        the lowest or the highest index."""
        select = -1 if self.config.select == "smallest" else 1
        tie = -1 if self.config.tie == "last" else 1
        indices = (int(index) for index in np.flatnonzero(self.taking_part))
        return sorted(indices, key=lambda index: (-select * int(self.sums[index]), tie * index))

    @property
    def scale(self) -> np.longdouble:
        """Nats per code step."""
        scale = np.longdouble(self.config.score_scale / self.config.temperature)
        if self.config.temperature_bits:
            scale *= np.longdouble(self.temperature_code) / (1 << self.config.temperature_fraction)
        return scale

    def _clipped(self, codes: np.ndarray) -> np.ndarray:
        return np.clip(codes, self.config.clip_minimum, self.config.clip_maximum)

    @cached_property
    def nats(self) -> np.ndarray:
        """x_i: the mean of the members' scores in nats, [N]; of the smallest scores, −x_i."""
        mean = self._clipped(self.sums) if len(self.members) == 1 else self.sums
        return self._merits(mean - len(self.members) * self.config.score_zero_point) / len(self.members) * self.scale

    def _merits(self, codes: np.ndarray) -> np.ndarray:
        """The codes as numbers, or their opposites where the smallest score wins."""
        return codes.astype(np.longdouble) * (-1 if self.config.select == "smallest" else 1)

    @property
    def sink(self) -> np.longdouble:
        """x_s, the score of the sink in nats; −∞ without one."""
        if self.config.sink == "none":
            return np.longdouble(-np.inf)
        own = self.sink_bits - (1 << self.config.score_width) * (self.sink_bits > largest_code(self.config))
        code = self._clipped(np.asarray(own if self.config.sink == "vector" else self.config.sink_code))
        return self._merits(code - self.config.score_zero_point) * self.scale

    def _softmax(self, nats: np.ndarray, taking_part: np.ndarray) -> np.ndarray:
        if not taking_part.any():
            return np.zeros(len(nats), dtype=np.longdouble)
        peak = max(nats[taking_part].max(), self.sink)
        weights = np.where(taking_part, np.exp(nats - peak), 0)
        return weights / (weights.sum() + np.exp(self.sink - peak))

    @cached_property
    def mean_probabilities(self) -> np.ndarray:
        """Softmax of the mean, or the mean of the members' softmaxes, before smoothing and floor, [N]."""
        if len(self.members) == 1 or self.config.ensemble_mean == "logits":
            return self._softmax(self.nats, self.taking_part)
        mean = np.zeros(self.length, dtype=np.longdouble)
        for member in self.inputs:
            shared = min(len(member), self.length)
            nats = self._merits(self._clipped(member) - self.config.score_zero_point) * self.scale
            mean[:shared] += self._softmax(nats, np.ones(len(member), dtype=bool))[:shared]
        return mean / len(self.members)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Softmax with all options behind it, [N]."""
        result = self.mean_probabilities
        if len(self.config.smoothing) > 1:
            for _ in range(self.config.smoothing_passes):
                result = self._smoothed(result)
        floor = self.floor
        if floor:
            return floor + (1 - floor * self.length) * result
        # Only codes that sum to 2^P have a minimum.
        exact = self.config.mode == "softmax" and self.config.sum == "exact"
        least = np.longdouble(self.config.minimum_code if exact else 0) / (1 << self.config.probability_width)
        count = np.count_nonzero(self.taking_part)
        return np.where(self.taking_part, least + (1 - least * count) * result, 0)

    @property
    def floor(self) -> np.longdouble:
        """The probability floor in use: a multiple of the guarded unit."""
        config = self.config
        unit = 1 << min(config.probability_width + config.guard_width - 1, WIDEST_GUARDED)
        return np.floor(np.longdouble(config.probability_floor) * unit + 0.5) / unit

    def _smoothed(self, values: np.ndarray) -> np.ndarray:
        kernel, radius = self.config.smoothing, len(self.config.smoothing) // 2
        count, scatter = len(values), self.config.smoothing_edges == "scatter"
        result = np.zeros(count, dtype=np.longdouble)
        for i in range(count):
            for j in range(max(0, i - radius), min(count, i + radius + 1)):
                # The weight from source j to output i, over the weights within the vector as the output or the source sees it.
                if scatter:
                    total = sum(kernel[j - n + radius] for n in range(count) if abs(j - n) <= radius)
                else:
                    total = sum(kernel[n - i + radius] for n in range(count) if abs(n - i) <= radius)
                result[i] += kernel[j - i + radius] * values[j] / total
        return result

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """x_i − ln Σ e^(x_j) of the elements that take part, −∞ elsewhere, [N]."""
        part = self.taking_part
        if not part.any():
            return np.full(self.length, -np.inf, dtype=np.longdouble)
        peak = max(self.nats[part].max(), self.sink)
        shifted = self.nats - peak
        return np.where(part, shifted - np.log(np.exp(shifted[part]).sum() + np.exp(self.sink - peak)), -np.inf)

    @property
    def entropy(self) -> np.longdouble:
        """−Σ p_i·log2 p_i of the elements that take part; 0 where none does."""
        logs = self.log_probabilities[self.taking_part]
        return -np.sum(np.exp(logs) * logs, dtype=np.longdouble) / np.log(np.longdouble(2))

    @property
    def labelled(self) -> bool:
        """Whether the label is an element that takes part."""
        return self.label < self.length and bool(self.taking_part[self.label])

    @property
    def exponentials(self) -> np.ndarray:
        """min(1, e^(x_i − c)) with c `reference_offset` steps below the largest score, 0 where masked, [N].

        Of the smallest scores it is min(1, e^(c − x_i)) with c as many steps above the smallest score.
        """
        code = largest_code(self.config) - self.config.reference_offset
        if self.config.select == "smallest":
            code = smallest_code(self.config) + self.config.reference_offset
        reference = self._merits(np.asarray(code - self.config.score_zero_point)) * self.scale
        return np.where(self.taking_part, np.exp(np.minimum(self.nats - reference, 0)), 0)

    @property
    def sigmoids(self) -> np.ndarray:
        """1 / (1 + e^(−x_i)), 0 where masked, [N]."""
        return np.where(self.taking_part, (1 + np.tanh(self.nats / 2)) / 2, 0)
