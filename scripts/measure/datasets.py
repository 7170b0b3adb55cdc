"""Scores to compare heads on: the scores of a caller with their labels, or those of the handwritten digits."""

import tomllib
from dataclasses import dataclass

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.scores import NO_LABEL, Scores, quantise, to_labels
from softstream.sim.data import DIGITS_DESCRIPTION, DIGITS_LABELS, DIGITS_SCORES, ENSEMBLE_DESCRIPTION, ENSEMBLE_SCORES

__all__ = ["DataSummary", "Dataset", "check_one_result_per_vector", "dataset", "digits"]


@dataclass(frozen=True)
class DataSummary:
    """Source and size of the scores that all heads received."""

    source: str
    vectors: int
    shortest: int
    longest: int
    """Elements of the shortest and of the longest vector."""
    saturated: int
    """Real scores outside the score format, which became its smallest or largest code."""
    labelled: bool

    @property
    def lengths_text(self) -> str:
        """`N = 10`, or `N from 3 to 10`."""
        same = self.shortest == self.longest
        return f"N = {self.longest}" if same else f"N from {self.shortest} to {self.longest}"

    @property
    def text(self) -> str:
        """Source, size, labels and saturated scores in one line."""
        labels = "with labels" if self.labelled else "without labels"
        saturated = f"; {self.saturated} scores saturated" if self.saturated else ""
        return f"{self.source}: {self.vectors} vectors, {self.lengths_text}, {labels}{saturated}"


@dataclass(frozen=True)
class Dataset:
    """Scores as the heads take them, their source, and the correct index of each vector, or `NO_LABEL`."""

    source: str
    scores: Scores
    labels: np.ndarray | None

    @property
    def summary(self) -> DataSummary:
        """The data in numbers."""
        lengths, part = self.scores.lengths, self.scores.layout.part_text
        return DataSummary(
            f"{self.source} ({part})" if part else self.source,
            len(lengths),
            int(lengths.min()),
            int(lengths.max()),
            self.scores.saturated,
            self.labels is not None,
        )


def dataset(
    config: Config,
    scores: np.ndarray | Scores | None,
    labels: np.ndarray | None,
    lengths: np.ndarray | None,
    *,
    ensemble: bool = False,
) -> Dataset:
    """Scores, labels and lengths, checked; without scores those of the digits, of one classifier or of an `ensemble`.

    Labels are those of `to_labels`, and `NO_LABEL` for a vector without one. Raises `UserError` where they do not match.
    """
    check_one_result_per_vector(config)
    source = "scores from the caller"
    if isinstance(scores, Scores):
        if lengths is not None:
            raise UserError("lengths: given twice; Scores have lengths of their own; leave lengths out")
        checked = scores
    elif scores is not None:
        checked = quantise(config, scores, lengths)
    elif labels is not None or lengths is not None:
        what = "labels" if labels is not None else "lengths"
        raise UserError(f"{what} without scores: give the scores that they belong to, or neither, for the digits")
    elif ensemble:
        source = "handwritten digits (UCI), scores of three trained classifiers, three vectors for each digit"
        checked, labels = digits(config, members=True)
    else:
        source = "handwritten digits (UCI), scores of a trained classifier"
        checked, labels = digits(config)
    truth = None if labels is None else to_labels(np.asarray(labels), checked, ignore=NO_LABEL)
    return Dataset(source, checked, truth)


def digits(config: Config, *, members: bool = False) -> tuple[Scores, np.ndarray]:
    """The stored scores of the digits classifier as codes of `config`, and their labels.

    With `members` the scores are those of an ensemble of three classifiers, three vectors for each digit.

    The scores are quantised from the real numbers that the stored codes stand for, so a configuration with the scale and
    width of the file gives the stored codes. An unsigned format gets each vector with its smallest score at 0, which
    changes neither softmax nor argmax.
    """
    scores, description = (ENSEMBLE_SCORES, ENSEMBLE_DESCRIPTION) if members else (DIGITS_SCORES, DIGITS_DESCRIPTION)
    stored = np.load(scores).astype(np.int64)
    labels = np.load(DIGITS_LABELS).astype(np.int64)
    scale = float(tomllib.loads(description.read_text(encoding="utf-8"))["score_scale"])
    if not config.score_signed:
        stored -= stored.min(axis=1, keepdims=True)
    return quantise(config, stored * scale, saturate=True, name="the digits"), np.repeat(
        labels, len(stored) // len(labels)
    )


def check_one_result_per_vector(config: Config) -> None:
    """Raises `UserError` for a head that gives one result for several vectors, or several for one packet."""
    if config.ensemble > 1:
        raise UserError(
            f"ensemble = {config.ensemble}: results are compared vector by vector, and there is one for {config.ensemble}; "
            f"ensemble = 1 would do, or softstream compare --modes softmax,softmax:ensemble={config.ensemble}"
        )
    if config.groups:
        raise UserError(
            f"groups = {list(config.groups)}: a packet has a winner for each group; for a comparison groups = [] would do, with "
            "the groups as vectors"
        )
