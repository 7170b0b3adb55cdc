"""Every node test case that the `onnx` package ships for the operators of heads: import, model, comparison."""

import importlib
from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra [onnx] is not installed")
pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")

from softstream.hw.plan.derive import plan  # noqa: E402, behind the skip
from softstream.scripts.importer.importer import import_onnx  # noqa: E402
from softstream.scripts.importer.operators import OPERATORS  # noqa: E402
from softstream.scripts.scores import quantise  # noqa: E402
from softstream.sim.golden import golden  # noqa: E402

COUNTS = {
    # operator: (one node, its definition in smaller operators)
    "Softmax": (7, 14),
    "LogSoftmax": (7, 14),
    "ArgMax": (16, 0),
    "ArgMin": (16, 0),
    "TopK": (7, 0),
    "Hardmax": (7, 0),
    "Sigmoid": (2, 0),
}
"""The cases that the package ships; a version that ships others fails here. All of them are compared, none is skipped."""

FINE = {"score_width": 16, "probability_width": 16, "guard_bits": 4}
KEYS = {
    "softmax": FINE,
    "log_softmax": {"score_width": 16, "probability_width": 10},
    "argmax": {"score_width": 16},
    "top_k": {"score_width": 16},
    "hardmax": {"score_width": 16, "probability_format": "UQ1"},
    "sigmoid": {"score_width": 12, "probability_width": 16},
}
"""Mode → keys of a fine quantisation, so that the distance from the expected outputs is small."""


def shipped():
    """The test cases, each with its operator; the modules of these operators alone, for those of all take 20 s."""
    package = importlib.import_module("onnx.backend.test.case.node")
    cases = []
    for operator in COUNTS:
        importlib.import_module(f"onnx.backend.test.case.node.{operator.lower()}")
        cases += [(operator, case) for case in package._NodeTestCases[len(cases) :]]
    return cases


CASES = shipped()


def is_expanded(case):
    """Whether the graph has the operator's definition in smaller operators in its place."""
    return not any(node.op_type in OPERATORS for node in case.model.graph.node)


def test_every_case_is_in_the_table():
    counts = {operator: [0, 0] for operator in COUNTS}
    for operator, case in CASES:
        counts[operator][is_expanded(case)] += 1
    assert {operator: tuple(config) for operator, config in counts.items()} == COUNTS
    assert max(Counter(case.name for _, case in CASES).values()) == 1


def imported(case, folder, **keys):
    path = folder / "model.onnx"
    path.write_bytes(case.model.SerializeToString())
    [(arrays, outputs)] = case.data_sets
    inputs = {entry.name: array for entry, array in zip(case.model.graph.input, arrays, strict=True)}
    return import_onnx(path, calibrate=inputs, **keys), outputs


@pytest.mark.parametrize(
    ("operator", "case"),
    [pytest.param(operator, case, id=case.name) for operator, case in CASES],
)
def test_the_model_gives_the_expected_outputs(operator, case, tmp_path):
    """Exact for decisions; for values the bound of the configuration, and what quantising the scores moves.

    Where the scores of a vector move by d_i, softmax moves by the factor e^(max d − min d) at most, its logarithm by
    max d − min d, and sigmoid, whose slope is 1/4 at most, by |d|/4. The tolerances of the case are those of its float32.
    """
    mode = {"ArgMin": "argmax", "TopK": "top_k", "LogSoftmax": "log_softmax"}.get(operator, operator.lower())
    head, outputs = imported(case, tmp_path, **KEYS[mode])
    config = head.config
    assert config.mode == mode
    scores = quantise(config, head.scores)
    result = golden(config, scores.codes)
    step = config.score_scale if scores.quantised else 1
    moved = scores.codes * step + scores.shift[:, None] - head.scores.astype(np.float64)
    assert np.abs(moved).max() <= (step / 2 * (1 + 1e-9) if scores.quantised else 0)
    if mode == "argmax":
        assert np.array_equal(result["argmax"], np.ravel(outputs[0]))
        return
    expected = [head.vectors(np.asarray(output)) for output in outputs]
    if mode == "top_k":
        assert np.array_equal(result["top_indices"], expected[1])
        values = result["top_scores"] * step + scores.shift[:, None]
        assert np.abs(values - expected[0].astype(float)).max() <= np.abs(moved).max()
    elif mode == "hardmax":
        assert np.array_equal(result["one_hot"] / 2**config.probability_width, expected[0])
    else:
        [codes] = [result[name] for name in ("probabilities", "log_probabilities") if name in result]
        spread = np.ptp(moved, axis=1, keepdims=True)
        tolerance = {"softmax": expected[0] * np.expm1(spread), "log_softmax": spread, "sigmoid": np.abs(moved) / 4}[
            mode
        ]
        own = case.atol + case.rtol * np.abs(expected[0])
        error = np.abs(codes / 2**config.probability_width - expected[0])
        assert (error <= plan(config).worst_ulp / 2**config.probability_width + tolerance + own).all()
