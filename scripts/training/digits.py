"""Makes the sample data in sim/data: `python -m softstream.scripts.training.digits`. Needs scikit-learn.

A multinomial logistic regression on the UCI handwritten digits that ship with scikit-learn. Every score is out-of-fold:
it comes from a classifier that has not seen its digit, so the accuracy is an honest one. Quantised to int8
symmetrically: code = round_half_to_even(score / scale), scale = max |score| / 127, rounded up to four decimals so that
nothing saturates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import tomli_w

from softstream.hw.config.config import Config
from softstream.hw.output import written_file
from softstream.scripts.quantiser import saturating_codes
from softstream.sim.data import DIGITS_DESCRIPTION, DIGITS_LABELS, DIGITS_SCORES

__all__ = ["DESCRIPTION", "FOLDS", "REGULARISATION", "SEED", "Digits", "main", "out_of_fold", "to_int8", "train"]

SEED = 20
FOLDS = 10
REGULARISATION = 0.1
"""scikit-learn's C, per standardised pixel."""

DESCRIPTION = {
    "data": "UCI Optical Recognition of Handwritten Digits, test set, as in sklearn.datasets.load_digits",
    "scores": f"logits in nats, out-of-fold: {FOLDS} stratified folds, seed {SEED}",
    "quantisation": "symmetric int8, scale = max |score| / 127, rounded up to four decimals",
}
"""What is the same of all scores that are made in this way."""


@dataclass(frozen=True)
class Digits:
    """The sample data and what describes it."""

    scores: np.ndarray
    """int8 [1797, 10]."""
    labels: np.ndarray
    """int64 [1797]."""
    scale: float
    """Nats per score step."""
    float_accuracy: float
    """Fraction of digits whose largest score, before quantisation, is at the label."""


def out_of_fold(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores of the classifier, each of one that was trained without its digit, [V, 10]."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=REGULARISATION, tol=1e-6, max_iter=10000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    with threadpool_limits(1):  # matrices this small lose more to two threads than they win: 20 s instead of 4
        scores: np.ndarray = cross_val_predict(classifier, pixels, labels, cv=folds, method="decision_function")
    return scores


def to_int8(scores: np.ndarray) -> tuple[np.ndarray, float]:
    """Score codes and the scale of their steps, in nats."""
    scale = math.ceil(np.abs(scores).max() / 127 * 1e4) / 1e4
    codes, _ = saturating_codes(Config(score_width=8, score_scale=scale), scores)
    return codes.astype(np.int8), scale


def train() -> Digits:
    """Trains, scores out-of-fold and quantises; the same on every run."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    scores = out_of_fold(pixels, labels)
    codes, scale = to_int8(scores)
    accuracy = float((scores.argmax(axis=1) == labels).mean())
    return Digits(codes, labels.astype(np.int64), scale, accuracy)


def main() -> None:
    """Writes digits_scores.npy, digits_labels.npy and digits.toml."""
    digits = train()
    description = {
        "score_scale": digits.scale,
        "score_width": 8,
        "vectors": len(digits.scores),
        "classes": digits.scores.shape[1],
        "accuracy_float": round(digits.float_accuracy, 6),
        "accuracy_codes": round(float((digits.scores.argmax(axis=1) == digits.labels).mean()), 6),
        **DESCRIPTION,
        "classifier": f"standardised pixels, multinomial logistic regression, C = {REGULARISATION}",
        "made_by": "python -m softstream.scripts.training.digits",
    }
    for path, array in ((DIGITS_SCORES, digits.scores), (DIGITS_LABELS, digits.labels)):
        with written_file("sim/data", path) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    with written_file("sim/data", DIGITS_DESCRIPTION) as temporary:
        temporary.write_text(tomli_w.dumps(description), encoding="utf-8")


if __name__ == "__main__":
    main()
