"""The quantisers around a head: what a step of the scores in front of it, and of the results behind it, is worth.

A real value is (code − zero point) · scale, for DequantizeLinear, for QLinearSoftmax and for QONNX's Quant alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softstream.scripts.importer.graph import STANDARD, Graph
from softstream.scripts.importer.qonnx import code_range, is_quant

__all__ = ["Quantisation", "Search", "quantiser_behind", "quantiser_in_front"]

MOVING = ("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that move numbers and change none."""
STEPS = 64
"""Nodes between a quantiser and the head, at most."""


@dataclass(frozen=True)
class Quantisation:
    """Integer codes and their meaning."""

    origin: str
    """The node that says it."""
    scale: float | None
    """The real value of a step; None for codes that stand for nothing else."""
    zero_point: int
    low: int
    high: int
    """The smallest and the largest code."""

    @property
    def signed(self) -> bool:
        """Whether a code may be negative."""
        return self.low < 0

    @property
    def width(self) -> int:
        """Bits that hold every code."""
        return max(self.high.bit_length(), (~self.low).bit_length()) + 1 if self.signed else self.high.bit_length()


@dataclass(frozen=True)
class Search:
    """The result of a walk along the graph: a quantisation, or the reason why there is none."""

    quantisation: Quantisation | None = None
    reason: str = ""


def quantiser_in_front(graph: Graph, node: Any, tensor: str) -> Search:
    """The quantisation of a tensor that a node reads: by the node's own inputs, or by the nearest quantiser in front of it.

    Nodes that move numbers are passed, and so are products with a positive constant, which become part of the scale.
    """
    if node.op_type.startswith("QLinear"):
        return _linear(graph, node.input[0], node.input[1], node.input[2], graph.name(node))
    name, factor = tensor, 1.0
    for _ in range(STEPS):
        if _ends_of(graph, name) is not None:
            return _codes(graph, name, factor)
        source = graph.producers.get(name)
        if source is None:
            return Search()
        if is_quant(source):
            return _scaled(_quant(graph, source), factor)
        if source.domain not in STANDARD:
            return Search()
        if source.op_type == "DequantizeLinear":
            zero_point = source.input[2] if len(source.input) > 2 else ""
            return _scaled(_linear(graph, source.input[0], source.input[1], zero_point, graph.name(source)), factor)
        if source.op_type in (*MOVING, "Cast"):
            name = source.input[0]
            continue
        product = _product(graph, source)
        if product is None:
            return Search()
        name, factor = product[0], factor * product[1]
    return Search()


def quantiser_behind(graph: Graph, node: Any, tensor: str) -> Search:
    """The quantisation of the results of a node: of its own inputs, or of the only quantiser behind it."""
    if node.op_type.startswith("QLinear"):
        zero_point = node.input[4] if len(node.input) > 4 else ""
        return _linear(graph, node.output[0], node.input[3], zero_point, graph.name(node))
    for _ in range(STEPS):
        consumers = graph.consumers.get(tensor, [])
        quantisers = [user for user in consumers if is_quant(user) or _is_standard(user, "QuantizeLinear")]
        if quantisers:
            user = quantisers[0]
            if is_quant(user):
                return _quant(graph, user)
            zero_point = user.input[2] if len(user.input) > 2 else ""
            return _linear(graph, user.output[0], user.input[1], zero_point, graph.name(user))
        movers = [user for user in consumers if any(_is_standard(user, name) for name in MOVING)]
        if len(movers) != 1:
            return Search()
        tensor = movers[0].output[0]
    return Search()


def _is_standard(node: Any, operator: str) -> bool:
    return node.op_type == operator and node.domain in STANDARD


def _scaled(search: Search, factor: float) -> Search:
    codes = search.quantisation
    if codes is None or codes.scale is None or factor == 1:
        return search
    return Search(replace(codes, scale=codes.scale * factor))


def _product(graph: Graph, node: Any) -> tuple[str, float] | None:
    """(tensor, factor) of a product or a quotient with one positive constant; None for any other node."""
    if not (_is_standard(node, "Mul") or _is_standard(node, "Div")):
        return None
    constants = [graph.scalar(name) for name in node.input]
    if node.op_type == "Mul" and constants[0] is not None and constants[0] > 0:
        return node.input[1], constants[0]
    if constants[1] is None or constants[1] <= 0:
        return None
    return node.input[0], constants[1] if node.op_type == "Mul" else 1 / constants[1]


def _linear(graph: Graph, codes: str, scale: str, zero_point: str, origin: str) -> Search:
    """The quantisation that a scale and a zero point describe; the type is that of the zero point, or of the codes."""
    value = graph.scalar(scale)
    zero = graph.scalar(zero_point) if zero_point else 0.0
    if value is None or zero is None:
        axis = "one for each channel" if graph.constant(scale) is not None else "no constant"
        return Search(reason=f"the scale or the zero point of {origin!r} is {axis}, and a head has one for all scores")
    kind = (graph.element_type(zero_point) if zero_point else None) or graph.element_type(codes)
    if kind is None and (source := graph.producers.get(codes)) is not None and source.op_type == "QuantizeLinear":
        kind = graph.element_type(source.input[2]) if len(source.input) > 2 else None
    ends = _ends(kind or np.dtype(np.uint8))  # the type of the standard where nothing states another
    if ends is None:
        return Search(reason=f"the codes of {origin!r} are of type {kind}, and a head takes integers")
    if not value > 0:
        return Search(reason=f"the scale of {origin!r} is {value:g}, and must be above 0")
    return Search(Quantisation(origin, value, int(zero), *ends))


def _codes(graph: Graph, name: str, factor: float) -> Search:
    """The quantisation of an integer tensor, which a cast and a product may follow."""
    ends = _ends_of(graph, name)
    assert ends is not None  # the caller asks for integer tensors only
    source = graph.producers.get(name)
    if source is not None and _is_standard(source, "QuantizeLinear"):
        zero_point = source.input[2] if len(source.input) > 2 else ""
        return _scaled(_linear(graph, name, source.input[1], zero_point, graph.name(source)), factor)
    return Search(Quantisation(name, None if factor == 1 else factor, 0, *ends))


def _quant(graph: Graph, node: Any) -> Search:
    origin = graph.name(node)
    scale, zero, bits = (graph.scalar(name) for name in node.input[1:4])
    if scale is None or zero is None or bits is None:
        return Search(reason=f"scale, zero point and width of {origin!r} are not one constant each, and a head has one")
    if zero != int(zero) or bits != int(bits) or not scale > 0:
        return Search(
            reason=f"zero point {zero:g}, width {bits:g} and scale {scale:g} of {origin!r} must be integers and above 0"
        )
    if bits < 2:
        return Search(reason=f"the codes of {origin!r} have {bits:g} bit, and a head takes 2 at least")
    return Search(Quantisation(origin, scale, int(zero), *code_range(node, int(bits))))


def _ends_of(graph: Graph, name: str) -> tuple[int, int] | None:
    kind = graph.element_type(name)
    return None if kind is None else _ends(kind)


def _ends(kind: np.dtype[Any]) -> tuple[int, int] | None:
    """The smallest and the largest integer of a type, also of the narrow ones of ml_dtypes; None for other types."""
    if kind.kind in "iu":
        return int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    for bits in (2, 4):
        if kind.name in (f"int{bits}", f"uint{bits}"):
            return (0, (1 << bits) - 1) if kind.name.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    return None
