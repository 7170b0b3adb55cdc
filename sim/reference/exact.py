"""The real numbers that the codes of every mode stand for, in float64: one row for each output array.

    exact_values("log_probabilities", vectors)             # real numbers, in the shape of vectors.results(golden(…))
    errors_ulp(config, field, codes, exact)                # errors of the codes against them

The rows do not depend on the arithmetic of the hardware. The error bound of a mode limits the distance of the golden model from
its row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.ensemble import result_lengths, summed
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.ports import Field, outputs
from softstream.sim.reference.softmax import merits, sink_merit, softmax_float64, valid_elements, winner_index

__all__ = ["EXACT", "Vectors", "errors_ulp", "exact_values"]


@dataclass(frozen=True)
class Vectors:
    """The inputs of a head: score codes [V, N], lengths [V], and the sideband by name.

    The codes may be real numbers in float64: scores in units of `score_scale`, not rounded (`float_scores.FloatVectors`).
    """

    config: Config
    scores: np.ndarray
    lengths: np.ndarray
    sideband: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def groups(self) -> Grouping | None:
        """The groups of the packets; None for a head without groups."""
        return Grouping(self.config.groups, self.lengths) if self.config.groups else None

    @cached_property
    def head_inputs(self) -> "Vectors":
        """The inputs of the head behind the input stages, one vector for each result.

        Each group of a packet is a vector. For the mean of an ensemble's logits the vectors are the sums of the members' scores.
        """
        config, groups = self.config, self.groups
        if groups is not None:
            split = {name: groups.split(values) for name, values in self.sideband.items()}
            return Vectors(config.replace(groups=[]), groups.split(self.scores), groups.lengths, split)
        if config.ensemble == 1 or config.ensemble_mean != "logits":
            return self
        valid = valid_elements(config, self.scores, self.lengths)
        members = np.where(valid, self.scores, config.code(0)).reshape(-1, config.ensemble, valid.shape[1])
        sideband = {name: values[:: config.ensemble] for name, values in self.sideband.items()}
        return Vectors(summed(config), members.sum(axis=1), result_lengths(config, self.lengths), sideband)

    def results(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The output arrays of a head for these vectors, one row for each result (each group of a packet)."""
        groups = self.groups
        if groups is None:
            return dict(arrays)
        elements = {
            field.array for output in outputs(self.config) if output.per == "element" for field in output.fields
        }
        return {
            name: groups.split(values) if name in elements else groups.split_groups(values)
            for name, values in arrays.items()
            if name in elements or values.ndim == 2
        }

    @cached_property
    def valid(self) -> np.ndarray:
        """Which elements contribute to a result, bool [V, N]: the unmasked ones up to the cut of the vector."""
        valid = result_lengths(self.config, valid_elements(self.config, self.scores, self.lengths))
        return valid & (self.sideband["mask"] == 0) if "mask" in self.sideband else valid

    @cached_property
    def nats(self) -> np.ndarray:
        """The scores in nats after the temperature, −∞ for an element that is not valid: float64 [V, N].

        They are those of −x with `select = smallest`. The zero point counts in sigmoid alone: elsewhere it cancels.
        """
        scale = np.full((len(self.scores), 1), self.config.effective_scale)
        if "temperatures" in self.sideband:
            scale *= self.sideband["temperatures"][:, None] * 2.0**-self.config.temperature_fraction
        origin = self.config.score_zero_point if self.config.traits.independent else 0
        return np.where(self.valid, merits(self.config, self.scores - origin) * scale, -np.inf)

    @cached_property
    def winners(self) -> np.ndarray:
        """Index of the winner among the valid scores, [V]; for an ensemble, of the largest mean. `tie` decides among equal ones.

        It is the argmax of the softmax in float64, without the stages behind the probabilities.
        """
        if self.head_inputs is not self:
            return self.head_inputs.winners
        if self.config.ensemble > 1:
            plain = self.config.replace(smoothing=[])
            return winner_index(plain, softmax_float64(plain, self.scores, self.lengths), self.valid)
        return winner_index(self.config, merits(self.config, self.scores), self.valid)

    @cached_property
    def softmax(self) -> np.ndarray:
        """Softmax of the valid elements, with the stages behind the probabilities; [V, N], 0 elsewhere."""
        return softmax_float64(
            self.config, self.scores, self.lengths, *map(self.sideband.get, ("mask", "temperatures", "sinks"))
        )

    @cached_property
    def log_softmax(self) -> np.ndarray:
        """The natural logarithm of the softmax, [V, N], −∞ for elements that are not valid.

        The form x − max − ln Σ e^(x − max) avoids underflow.
        """
        sink = sink_merit(self.config, self.sideband.get("sinks")) * self.config.effective_scale
        peak = np.maximum(self.nats.max(axis=1, keepdims=True), sink)
        peak = np.where(np.isfinite(peak), peak, 0)
        shifted = self.nats - peak
        total = np.exp(shifted).sum(axis=1, keepdims=True) + np.exp(sink - peak)
        return shifted - np.log(np.where(total > 0, total, 1))  # a fully masked vector has no sum


def _probabilities(vectors: Vectors) -> np.ndarray:
    """Probabilities of softmax or sigmoid."""
    if not vectors.config.traits.normalised:
        # 1/(1 + e^−x) = (1 + tanh(x/2))/2, and tanh never overflows.
        return (1 + np.tanh(vectors.nats / 2)) / 2
    return vectors.softmax


def _exponentials(vectors: Vectors) -> np.ndarray:
    config = vectors.config
    code = config.code((1 << config.score_width) - 1 - config.reference_offset)
    reference = merits(config, np.asarray(code)) * config.effective_scale
    return np.exp(np.minimum(vectors.nats - reference, 0))


def _largest(vectors: Vectors) -> np.ndarray:
    """The K largest probabilities in descending order, padded with 0."""
    ranked = -np.sort(-vectors.softmax, axis=1)[:, : vectors.config.top_k]
    return np.pad(ranked, ((0, 0), (0, vectors.config.top_k - ranked.shape[1])))


def _one_hot(vectors: Vectors) -> np.ndarray:
    return (np.arange(vectors.nats.shape[1]) == vectors.winners[:, None]).astype(np.float64)


def _losses(vectors: Vectors) -> np.ndarray:
    labels = vectors.sideband["labels"]
    inside = labels < vectors.log_softmax.shape[1]
    logarithms = np.take_along_axis(vectors.log_softmax, np.where(inside, labels, 0)[:, None], axis=1)[:, 0]
    return np.where(inside, -logarithms, np.inf)


def _log_sums(vectors: Vectors) -> np.ndarray:
    """ln Σ e^(x − largest), 0 where every element is masked: the winner's log-softmax, negated."""
    return -np.where(vectors.valid.any(axis=1), vectors.log_softmax.max(axis=1), 0)


def _entropies(vectors: Vectors) -> np.ndarray:
    """−Σ p·log2 p of the valid elements, 0 where every element is masked."""
    logarithms = np.where(vectors.valid, vectors.log_softmax, 0)
    return -np.where(vectors.valid, np.exp(logarithms) * logarithms, 0).sum(axis=1) / np.log(2)


def _cumulative(vectors: Vectors) -> np.ndarray:
    return np.cumsum(vectors.softmax, axis=1)


EXACT: dict[str, Callable[[Vectors], np.ndarray]] = {
    "probabilities": _probabilities,
    "cumulative": _cumulative,
    "log_probabilities": lambda vectors: vectors.log_softmax,
    "exponentials": _exponentials,
    "top_probabilities": _largest,
    "one_hot": _one_hot,
    "losses": _losses,
    "log_sums": _log_sums,
    "entropies": _entropies,
}
"""Name of an array of codes → function for the real numbers in its shape; values beyond a vector's end have no meaning."""


def exact_values(array: str, vectors: Vectors) -> np.ndarray:
    """The real numbers that the codes of an array stand for, one row for each result."""
    return EXACT[array](vectors.head_inputs)


def errors_ulp(config: Config, code: Field, codes: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors in ulp, code − value·2^P, and which codes are saturated because the value exceeds the format.

    For probabilities it is code − output_zero_point − value·L, with L steps from 0 to 1.0 (`Config.levels`).
    """
    zero = config.output_zero_point if config.traits.probabilities else 0
    ideal = exact * config.levels + zero
    low, high = (-(1 << code.width - 1), (1 << code.width - 1) - 1) if code.signed else (0, (1 << code.width) - 1)
    if config.traits.probabilities:
        low, high = config.probability_codes
    return codes - ideal, ((codes == high) & (ideal > high + 0.5)) | ((codes == low) & (ideal < low - 0.5))
