"""Scores of real classifiers, made by `softstream.scripts.train_digits` and `train_ensemble`; the .toml files say how."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["DIGITS_DESCRIPTION", "DIGITS_LABELS", "DIGITS_SCORES", "ENSEMBLE_DESCRIPTION", "ENSEMBLE_SCORES"]

_HERE = Path(str(files(__name__)))

DIGITS_SCORES = _HERE / "digits_scores.npy"
"""int8 [1797, 10]: score codes, one row per handwritten digit."""
DIGITS_LABELS = _HERE / "digits_labels.npy"
"""int64 [1797]: the digit that was written."""
DIGITS_DESCRIPTION = _HERE / "digits.toml"
"""The scale of one score step, and how the scores were made."""
ENSEMBLE_SCORES = _HERE / "ensemble_scores.npy"
"""int8 [5391, 10]: score codes of three weaker classifiers, three rows per handwritten digit, in the order of the labels."""
ENSEMBLE_DESCRIPTION = _HERE / "ensemble.toml"
"""The scale of one score step of all of them, and how the scores were made."""
