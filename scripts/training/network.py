"""Makes the network in sim/data: `python -m softstream.scripts.training.network`. Needs scikit-learn.

A classifier of the UCI handwritten digits that ship with scikit-learn, whose hidden layer is softmax in groups: 64 pixels →
64 hidden scores, as 8 groups of 8 with a softmax in each → 10 scores → softmax. Adam (D. Kingma, J. Ba, ICLR 2015) on the
cross-entropy of all training digits at once, with weight decay, in plain NumPy, a few seconds. What is held out by the seed
is weights32 beside the weights, so that the network's accuracy needs neither scikit-learn nor the training digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import tomli_w

from softstream.hw.output import written_file
from softstream.sim.data import DIGITS_NETWORK, NETWORK_DESCRIPTION

__all__ = ["GROUP", "HELD_OUT", "SEED", "Network", "forward", "main", "train"]

SEED = 20
HELD_OUT = 600
"""Digits of 1797 that are not trained on."""
GROUP = 8
"""Scores of a group, of 64."""
STEPS = 300
RATE = 0.05
DECAY = 1e-3
_MOMENTS = (0.9, 0.999)


@dataclass(frozen=True)
class Network:
    """The weights, the digits that they have not seen, and the scales of the scores."""

    weights: dict[str, np.ndarray]
    """float32: w1 [64, 64] from pixels (0 to 1) to hidden scores, b1 [64], w2 [64, 10], b2 [10]."""
    pixels: np.ndarray
    """uint8 [held out, 64], 0 to 16."""
    labels: np.ndarray
    """uint8 [held out]."""
    hidden_scale: float
    """Nats per step of a hidden score code of 8 bits, so that no training digit saturates."""
    output_scale: float
    accuracy: float
    """Fraction of the held-out digits that the network in float64 is right on."""


def _softmax(x: np.ndarray) -> np.ndarray:
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def forward(weights: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(hidden scores, hidden probabilities, output scores) of pixels [V, 64] from 0 to 1."""
    hidden = x @ weights["w1"] + weights["b1"]
    groups = _softmax(hidden.reshape(len(x), -1, GROUP)).reshape(len(x), -1)
    return hidden, groups, groups @ weights["w2"] + weights["b2"]


def _gradients(weights: dict[str, np.ndarray], x: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """Of the mean cross-entropy, with the decay of the weights; `right` [V, 10] is one-hot."""
    _, groups, scores = forward(weights, x)
    of_scores = (_softmax(scores) - right) / len(x)
    of_groups = (of_scores @ weights["w2"].T).reshape(len(x), -1, GROUP)
    p = groups.reshape(of_groups.shape)
    # Through softmax: dx_i = p_i·(dp_i − Σ p_j·dp_j).
    of_hidden = (p * (of_groups - (p * of_groups).sum(axis=2, keepdims=True))).reshape(len(x), -1)
    return {
        "w1": x.T @ of_hidden + DECAY * weights["w1"],
        "b1": of_hidden.sum(axis=0),
        "w2": groups.T @ of_scores + DECAY * weights["w2"],
        "b2": of_scores.sum(axis=0),
    }


def _scale(scores: np.ndarray) -> float:
    return math.ceil(float(np.abs(scores).max()) / 127 * 1e4) / 1e4


def train() -> Network:
    """Trains; the same on every run."""
    from sklearn.datasets import load_digits
    from threadpoolctl import threadpool_limits

    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(pixels))
    held, seen = order[:HELD_OUT], order[HELD_OUT:]
    x, right = pixels[seen] / 16, np.eye(10)[labels[seen]]
    weights = {
        "w1": rng.normal(0, 1 / 8, (64, 64)),
        "b1": np.zeros(64),
        "w2": rng.normal(0, 1 / 8, (64, 10)),
        "b2": np.zeros(10),
    }
    mean, square = ({name: np.zeros_like(array) for name, array in weights.items()} for _ in range(2))
    with threadpool_limits(1):  # matrices this small lose more to two threads than they win
        for step in range(1, STEPS + 1):
            for name, gradient in _gradients(weights, x, right).items():
                mean[name] = _MOMENTS[0] * mean[name] + (1 - _MOMENTS[0]) * gradient
                square[name] = _MOMENTS[1] * square[name] + (1 - _MOMENTS[1]) * gradient**2
                unbiased = mean[name] / (1 - _MOMENTS[0] ** step)
                weights[name] -= RATE * unbiased / (np.sqrt(square[name] / (1 - _MOMENTS[1] ** step)) + 1e-8)
        weights32 = {name: array.astype(np.float32) for name, array in weights.items()}
        hidden, _, scores = forward(weights32, x)
        _, _, unseen = forward(weights32, pixels[held] / 16)
    accuracy = float((unseen.argmax(axis=1) == labels[held]).mean())
    held_out = pixels[held].astype(np.uint8), labels[held].astype(np.uint8)
    return Network(weights32, *held_out, _scale(hidden), _scale(scores), accuracy)


def main() -> None:
    """Writes digits_network.npz and digits_network.toml."""
    network = train()
    description = {
        "hidden_scale": network.hidden_scale,
        "output_scale": network.output_scale,
        "group": GROUP,
        "accuracy_float": round(network.accuracy, 6),
        "held_out": len(network.pixels),
        "data": "UCI Optical Recognition of Handwritten Digits, test set, as in sklearn.datasets.load_digits",
        "network": f"64 pixels, 64 hidden scores with a softmax in each group of {GROUP}, 10 scores, softmax",
        "training": f"Adam, {STEPS} steps of {RATE} on all training digits, weight decay {DECAY}, seed {SEED}",
        "quantisation": "scores: symmetric int8, scale = max |score| of the training digits / 127, rounded up to four decimals",
        "made_by": "python -m softstream.scripts.training.network",
    }
    with written_file("sim/data", DIGITS_NETWORK) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **network.weights, pixels=network.pixels, labels=network.labels)  # type: ignore[arg-type]  # its last keyword is a bool
    with written_file("sim/data", NETWORK_DESCRIPTION) as temporary:
        temporary.write_text(tomli_w.dumps(description), encoding="utf-8")


if __name__ == "__main__":
    main()
