"""How faithful configurations are to given scores: accuracy, flips, error and calibration of each.

    by_config, refused = fidelities(configs, EvaluationSet(read_scores(config, file), labels))

Every configuration quantises given floats for itself. Decisions and results are held against those of the scores as they were
given (`family`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import sidebands
from softstream.scripts.measure.float_error import Distance
from softstream.scripts.scores import Scores
from softstream.scripts.verbs.family import MemberResult, family

__all__ = ["Fidelity", "EvaluationSet", "fidelities"]


@dataclass(frozen=True)
class EvaluationSet:
    """Scores that every point is judged on, floats or codes, with labels and the option of the quantiser."""

    scores: Scores
    labels: np.ndarray | None = None
    saturate: bool = False


@dataclass(frozen=True)
class Fidelity:
    """A point on given scores: its decisions and results against those of the scores as they were given."""

    count: int
    """Decisions; 0 where the mode names no class."""
    flips: int | None
    """Decisions that differ from the largest given score; None where the mode names no class."""
    accuracy: float | None
    """Fraction of the decisions that equal the label; None without labels."""
    given_accuracy: float | None
    """That of the largest given score."""
    calibration: float | None
    """Expected calibration error; None without labels, and where the mode has no confidence."""
    largest: float
    """Largest error of a result against that of the given scores, as a real number; 0 where the result is exact."""
    mean: float
    saturated_share: float
    """Fraction of the scores that saturate."""

    @property
    def lasting_accuracy(self) -> float:
        """The accuracy, but at most that of the given scores: more than theirs comes from lucky flips; 0 without labels."""
        return 0.0 if self.accuracy is None or self.given_accuracy is None else min(self.accuracy, self.given_accuracy)

    @property
    def flipped(self) -> float:
        """Fraction of the decisions that differ."""
        return (self.flips or 0) / max(self.count, 1)


def fidelities(
    configs: Sequence[Config], evaluation: EvaluationSet, progress: Callable[[float, str], None] | None = None
) -> tuple[dict[Config, Fidelity], dict[Config, str]]:
    """The fidelity of each configuration on the given scores, and of those that cannot take the scores the reason."""
    able: dict[Config, Fidelity] = {}
    refused: dict[Config, str] = {}
    for number, config in enumerate(configs):
        if progress:
            progress(number / len(configs), f"scores through point {number + 1} of {len(configs)}")
        sideband = {port.array: evaluation.scores.sideband.get(port.array) for port in sidebands(config)}
        arrays = {name: array for name, array in sideband.items() if array is not None}
        try:
            result = family(
                config,
                {"": config},
                evaluation.scores,
                evaluation.labels,
                sideband=arrays,
                saturate=evaluation.saturate,
                place=False,
            )
        except UserError as error:
            refused[config] = str(error).removeprefix("--modes : ")
        else:
            able[config] = _fidelity(config, result.members[0], result.given_accuracy)
    return able, refused


def _fidelity(config: Config, member: MemberResult, given_accuracy: float | None) -> Fidelity:
    decision, error = member.decision, member.error
    unit = 1.0 if error is None or error.unit != "ulp" else 1 / config.levels
    distance = Distance(0.0, 0.0)
    if error is not None:
        distance = Distance(error.worst, error.mean) if error.float_error is None else error.float_error.total
    return Fidelity(
        count=0 if decision is None else decision.count,
        flips=None if decision is None else decision.flips,
        accuracy=None if decision is None else decision.accuracy,
        given_accuracy=given_accuracy,
        calibration=None if member.calibration is None else member.calibration.error,
        largest=distance.largest * unit,
        mean=distance.mean * unit,
        saturated_share=member.scores.saturated_share,
    )
