"""Codes of onnxruntime's QLinearSoftmax: within a step of those of the model, and equal away from a rounding edge."""

from dataclasses import dataclass

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import bound
from softstream.sim.golden import golden

TYPES = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8}
SHAPE = (6, 7, 9)


@dataclass(frozen=True)
class Node:
    """A QLinearSoftmax node with the axis of opset 13."""

    dtype: str
    score_scale: float
    score_zero_point: int
    output_scale: float
    output_zero_point: int
    axis: int = -1

    @property
    def levels(self) -> int:
        """Steps from 0 to 1.0: onnxruntime truncates the float32 quotient 1 / scale to an integer."""
        return int(np.float32(1) / np.float32(self.output_scale))

    def run(self, codes: np.ndarray) -> np.ndarray:
        """The codes that onnxruntime puts out, int64."""
        kind = TYPES[self.dtype]
        scalars = {
            "xs": (TensorProto.FLOAT, self.score_scale),
            "xz": (kind, self.score_zero_point),
            "ys": (TensorProto.FLOAT, self.output_scale),
            "yz": (kind, self.output_zero_point),
        }
        names = ["x", *scalars]
        node = helper.make_node("QLinearSoftmax", names, ["y"], domain="com.microsoft", axis=self.axis, opset=13)
        ends = [helper.make_tensor_value_info(name, kind, codes.shape) for name in ("x", "y")]
        constants = [helper.make_tensor(name, type_, [], [value]) for name, (type_, value) in scalars.items()]
        graph = helper.make_graph([node], "head", ends[:1], ends[1:], constants)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": codes})[0].astype(np.int64)

    def config(self, normaliser: str) -> Config:
        """The head that stands for the node; its score zero point cancels."""
        return Config(
            max_length=max(SHAPE), score_signed=self.dtype == "int8", score_scale=float(np.float32(self.score_scale)),
            normaliser=normaliser, output_levels=self.levels, output_zero_point=self.output_zero_point,
        )  # fmt: skip


def scores(dtype: str, seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Codes over the whole range, dense ones near the top, ties, and one winner far above."""
    limits, rng = np.iinfo(dtype), np.random.default_rng(seed)
    codes = rng.integers(limits.min, limits.max, shape, endpoint=True)
    codes[2:4] = limits.max - rng.integers(0, 24, codes[2:4].shape)
    codes[4] = rng.integers(limits.min, limits.max, (*shape[1:-1], 1), endpoint=True)
    codes[5] = limits.min
    codes[5, :, 0] = limits.max
    return codes.astype(dtype)


def exact_steps(node: Node, codes: np.ndarray) -> np.ndarray:
    """L·p in long double."""
    nats = codes.astype(np.longdouble) * np.longdouble(np.float32(node.score_scale))
    weights = np.exp(nats - nats.max(axis=node.axis, keepdims=True))
    return weights / weights.sum(axis=node.axis, keepdims=True) * node.levels


def model_codes(node: Node, codes: np.ndarray, normaliser: str) -> np.ndarray:
    """The codes of the golden model along the node's axis, saturated to the type of the node as ONNX does."""
    rows = np.moveaxis(codes, node.axis, -1)
    result = golden(node.config(normaliser), rows.reshape(-1, rows.shape[-1]).astype(np.int64))
    limits = np.iinfo(node.dtype)
    return np.clip(np.moveaxis(result["probabilities"].reshape(rows.shape), -1, node.axis), limits.min, limits.max)


NODES = [
    Node(dtype, score_scale, zero, output_scale, output_zero, axis)
    for dtype, outputs in (
        ("uint8", ((1 / 256, 0), (1 / 255, 0), (1 / 127, 0), (1 / 200, 3), (1 / 256, 100), (1 / 32, 7))),
        ("int8", ((1 / 256, -128), (1 / 255, -128), (1 / 127, 0), (1 / 127, -128), (1 / 100, -50), (1 / 256, 0))),
    )
    for output_scale, output_zero in outputs
    for score_scale, zero, axis in ((0.011, 3, 0), (0.0625, 0, 1), (0.1467, -5, 2), (0.7, 11, -1))
    if zero >= np.iinfo(dtype).min
]


@pytest.mark.parametrize(
    ("normaliser", "nodes"), [("divider", NODES), ("reciprocal", NODES), ("logarithm", NODES[::7])]
)
def test_the_model_equals_onnxruntime_but_at_rounding_edges(normaliser: str, nodes: list[Node]) -> None:
    """A code that is farther from the edge than the bound exceeds half a step is equal; every node has such codes."""
    different = 0
    for number, node in enumerate(nodes):
        codes = scores(node.dtype, number)
        theirs, ours = node.run(codes), model_codes(node, codes, normaliser)
        assert np.abs(ours - theirs).max() <= 1, node
        steps = exact_steps(node, codes)
        edge = np.abs(steps - np.floor(steps) - 0.5)
        reach = float(bound(node.config(normaliser)).total) - 0.5
        assert 0 < reach < 0.5
        assert edge[ours != theirs].max(initial=0) <= reach, node
        assert (edge > reach).any()
        different += np.count_nonzero(ours != theirs)
    # Some codes do differ, so the scores reach the edges.
    assert different


def test_onnxruntime_rounds_to_the_nearest_code_of_the_levels_that_it_uses() -> None:
    """Its own error beyond half a step is below a thousandth: float32 tables, and halves to even."""
    for number, node in enumerate(NODES):
        codes, limits = scores(node.dtype, number), np.iinfo(node.dtype)
        exact = np.clip(exact_steps(node, codes) + node.output_zero_point, limits.min, limits.max)
        assert np.abs(node.run(codes) - exact).max() <= 0.501, node


@pytest.mark.parametrize(
    ("nominal", "levels"), [(256, 256), (255, 254), (127, 127), (250, 249), (240, 239), (100, 100)]
)
def test_onnxruntime_truncates_the_number_of_levels(nominal: int, levels: int) -> None:
    """1 / float32(1/255) is 254.99998, which it takes for 254: the codes of p = 1 show it."""
    node = Node("uint8", 1.0, 0, 1 / nominal, 0)
    assert node.levels == levels
    certain = np.array([[255, 0, 0]], dtype=np.uint8)
    assert node.run(certain).tolist() == [[min(levels, 255), 0, 0]]
