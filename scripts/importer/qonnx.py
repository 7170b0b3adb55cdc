"""QONNX's Quant, an operator outside the ONNX standard that rounds to the steps of an integer and stays a real number.

Source: A. Pappalardo et al., QONNX: Representing Arbitrary-Precision Quantized Neural Networks, 2022. The formula is
(round(clip(x / scale + zero point)) − zero point) · scale, with the clip before the rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from softstream.scripts.importer.packages import attribute, third_party

__all__ = ["QUANT_DOMAINS", "code_range", "is_quant", "without_quant"]

QUANT_DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
"""The domains in which exporters put Quant."""
_ROUNDING = {"ROUND": "Round", "HALF_EVEN": "Round", "FLOOR": "Floor", "CEIL": "Ceil"}
"""Rounding modes that a standard operator has."""


def is_quant(node: Any) -> bool:
    """Whether a node is a Quant, which newer exporters call IntQuant."""
    return node.op_type in ("Quant", "IntQuant") and node.domain in QUANT_DOMAINS


def code_range(node: Any, bits: int) -> tuple[int, int]:
    """The smallest and the largest code of a Quant of so many bits."""
    narrow = bool(attribute(node, "narrow", 1))
    if attribute(node, "signed", 1):
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def without_quant(model: Any, scalar: Callable[[str], float | None]) -> Any:
    """The model with standard operators in the place of every Quant whose width is constant and whose rounding is standard.

    `scalar` reads a constant of the model. A model without Quant is returned as it is.
    """
    if not any(is_quant(node) for node in model.graph.node):
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    for number, node in enumerate(model.graph.node):
        bits = scalar(node.input[3]) if is_quant(node) else None
        rounding = _ROUNDING.get(attribute(node, "rounding_mode", "ROUND").upper()) if bits else None
        if bits is None or rounding is None:
            copy.graph.node.append(node)
            continue
        _append_quant(copy.graph, node, int(bits), rounding, f"softstream_quant_{number}")
    return copy


def _append_quant(graph: Any, node: Any, bits: int, rounding: str, prefix: str) -> None:
    helper, onnx = third_party("onnx.helper"), third_party("onnx")
    ends = [f"{prefix}_smallest", f"{prefix}_largest"]
    for name, end in zip(ends, code_range(node, bits), strict=True):
        graph.initializer.append(helper.make_tensor(name, onnx.TensorProto.FLOAT, [], [float(end)]))
    scores, scale, zero_point = node.input[:3]
    steps = (
        ("Div", [scores, scale]),
        ("Add", [f"{prefix}_0", zero_point]),
        ("Max", [f"{prefix}_1", ends[0]]),
        ("Min", [f"{prefix}_2", ends[1]]),
        (rounding, [f"{prefix}_3"]),
        ("Sub", [f"{prefix}_4", zero_point]),
        ("Mul", [f"{prefix}_5", scale]),
    )
    for place, (operator, inputs) in enumerate(steps):
        output = node.output[0] if place == len(steps) - 1 else f"{prefix}_{place}"
        graph.node.append(helper.make_node(operator, inputs, [output]))
