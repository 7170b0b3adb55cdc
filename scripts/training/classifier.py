"""Makes the quantised ONNX model in sim/data: `python -m softstream.scripts.training.classifier`. Needs scikit-learn and onnx.

A multinomial logistic regression on the UCI handwritten digits that ship with scikit-learn, without those that
`training.network` holds out. The graph is in the QDQ form that quantisers of ONNX write: pixels uint8, weights int8, scores
int8 with a scale and a zero point that hold every training digit, softmax, probabilities uint8 in steps of 1/256.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tomli_w

from softstream.hw.output import written_file
from softstream.scripts.training.digits import REGULARISATION
from softstream.scripts.training.network import HELD_OUT, SEED
from softstream.sim.data import CLASSIFIER, CLASSIFIER_DESCRIPTION

__all__ = ["PIXEL_SCALE", "Classifier", "graph", "main", "train"]

PIXEL_SCALE = 1 / 16
"""The value of a pixel step: pixels run from 0 to 16."""
_WEIGHT_LIMIT = 127
_CODES = (-128, 127)


@dataclass(frozen=True)
class Classifier:
    """The quantised weights, and the quantisation of the scores."""

    weights: np.ndarray
    """int8 [64, 10]."""
    weight_scale: float
    bias: np.ndarray
    """int32 [10], in steps of weight_scale · PIXEL_SCALE."""
    score_scale: float
    score_zero_point: int
    accuracy: float
    """Fraction of the held-out digits that the weights in float64 are right on."""


def train() -> Classifier:
    """Trains and quantises; the same on every run."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(pixels))
    held, seen = order[:HELD_OUT], order[HELD_OUT:]
    with threadpool_limits(1):  # matrices this small lose more to two threads than they win
        scaler = StandardScaler().fit(pixels[seen])
        regression = LogisticRegression(C=REGULARISATION, tol=1e-6, max_iter=10000)
        regression.fit(scaler.transform(pixels[seen]), labels[seen])
    # The standardisation of a pixel is part of its weights.
    weights = regression.coef_.T / scaler.scale_[:, None]
    bias = regression.intercept_ - scaler.mean_ @ weights
    scores = pixels[seen] @ weights + bias
    accuracy = float(((pixels[held] @ weights + bias).argmax(axis=1) == labels[held]).mean())
    weights /= PIXEL_SCALE
    weight_scale = float(np.float32(np.abs(weights).max() / _WEIGHT_LIMIT))
    score_scale = float(np.float32((scores.max() - scores.min()) / (_CODES[1] - _CODES[0])))
    return Classifier(
        weights=np.rint(weights / weight_scale).astype(np.int8),
        weight_scale=weight_scale,
        bias=np.rint(bias / (weight_scale * PIXEL_SCALE)).astype(np.int32),
        score_scale=score_scale,
        score_zero_point=int(np.rint(_CODES[0] - scores.min() / score_scale)),
        accuracy=accuracy,
    )


def graph(classifier: Classifier) -> Any:
    """The model as onnx has it."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "pixel_scale": np.float32(PIXEL_SCALE),
        "pixel_zero_point": np.uint8(0),
        "weights": classifier.weights,
        "weight_scale": np.float32(classifier.weight_scale),
        "weight_zero_point": np.int8(0),
        "bias": classifier.bias,
        "bias_scale": np.float32(classifier.weight_scale * PIXEL_SCALE),
        "bias_zero_point": np.int32(0),
        "score_scale": np.float32(classifier.score_scale),
        "score_zero_point": np.int8(classifier.score_zero_point),
        "probability_scale": np.float32(1 / 256),
        "probability_zero_point": np.uint8(0),
    }
    nodes = [
        _linear("DequantizeLinear", "pixels", "pixel", "real_pixels"),
        _linear("DequantizeLinear", "weights", "weight", "real_weights"),
        _linear("DequantizeLinear", "bias", "bias", "real_bias"),
        helper.make_node("MatMul", ["real_pixels", "real_weights"], ["products"], name="MatMul"),
        helper.make_node("Add", ["products", "real_bias"], ["sums"], name="Add"),
        _linear("QuantizeLinear", "sums", "score", "scores"),
        _linear("DequantizeLinear", "scores", "score", "real_scores"),
        helper.make_node("Softmax", ["real_scores"], ["real_probabilities"], name="Softmax", axis=-1),
        _linear("QuantizeLinear", "real_probabilities", "probability", "probabilities"),
    ]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["vectors", 64])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.UINT8, ["vectors", 10])]
    initialisers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    content = helper.make_graph(nodes, "digits", inputs, outputs, initialisers)
    # Versions that every onnxruntime of the last years reads, and that do not change with the package.
    return helper.make_model(
        content, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="softstream"
    )


def _linear(operator: str, tensor: str, quantity: str, output: str) -> Any:
    """A QuantizeLinear or DequantizeLinear with the scale and the zero point of a quantity."""
    from onnx import helper

    return helper.make_node(operator, [tensor, f"{quantity}_scale", f"{quantity}_zero_point"], [output], name=output)


def main() -> None:
    """Writes digits_classifier.onnx and digits_classifier.toml."""
    classifier = train()
    description = {
        "score_scale": classifier.score_scale,
        "score_zero_point": classifier.score_zero_point,
        "accuracy_float": round(classifier.accuracy, 6),
        "data": "UCI Optical Recognition of Handwritten Digits, test set, as in sklearn.datasets.load_digits",
        "held_out": f"{HELD_OUT} digits, those of digits_network.npz",
        "classifier": f"standardised pixels, multinomial logistic regression, C = {REGULARISATION}, weights int8",
        "quantisation": "scores: int8, the range of the training digits",
        "made_by": "python -m softstream.scripts.training.classifier",
    }
    with written_file("sim/data", CLASSIFIER) as temporary:
        temporary.write_bytes(graph(classifier).SerializeToString(deterministic=True))
    with written_file("sim/data", CLASSIFIER_DESCRIPTION) as temporary:
        temporary.write_text(tomli_w.dumps(description), encoding="utf-8")


if __name__ == "__main__":
    main()
