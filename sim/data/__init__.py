"""Real scores: handwritten digits of a classifier, of an ensemble, of a network with softmax inside and as ONNX; attention.

`digits`, `ensemble`, `network`, `classifier` and `attention` of `softstream.scripts.training` make them; the .toml files say how.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = [
    "ATTENTION_DESCRIPTION",
    "ATTENTION_SCORES",
    "CLASSIFIER",
    "CLASSIFIER_DESCRIPTION",
    "DIGITS_DESCRIPTION",
    "DIGITS_LABELS",
    "DIGITS_NETWORK",
    "DIGITS_SCORES",
    "ENSEMBLE_DESCRIPTION",
    "ENSEMBLE_SCORES",
    "NETWORK_DESCRIPTION",
]

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
DIGITS_NETWORK = _HERE / "digits_network.npz"
"""float32 weights w1 [64, 64], b1 [64], w2 [64, 10], b2 [10], and the digits held out: pixels uint8 [600, 64], labels [600]."""
NETWORK_DESCRIPTION = _HERE / "digits_network.toml"
"""The scales of hidden and output scores, and how the network was trained."""
ATTENTION_SCORES = _HERE / "attention_scores.npz"
"""float16 scores [128, 1024] in nats, causal rows of 8 heads of a transformer, 0 behind the last key; int64 lengths [128]."""
ATTENTION_DESCRIPTION = _HERE / "attention.toml"
"""The range of the scores, and how the transformer was trained."""
CLASSIFIER = _HERE / "digits_classifier.onnx"
"""A quantised model in ONNX: pixels uint8 [V, 64], softmax of int8 scores, probabilities uint8 [V, 10]."""
CLASSIFIER_DESCRIPTION = _HERE / "digits_classifier.toml"
"""The scale and the zero point of its scores, and how it was trained. `DIGITS_NETWORK` holds digits that it has not seen."""
