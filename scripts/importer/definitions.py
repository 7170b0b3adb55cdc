"""Softmax and its logarithm written in smaller operators, as some exporters and the standard's own definition have them.

    softmax       Div(e, ReduceSum(e))                    with e = Exp(z)
    log-softmax   Sub(z, Log(ReduceSum(Exp(z))))

z is the tensor of the scores, or Sub(x, ReduceMax(x)) of scores x, which changes no result. All reductions are along one axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from softstream.scripts.importer.graph import STANDARD, Graph
from softstream.scripts.importer.packages import attribute

__all__ = ["Definition", "definition"]


@dataclass(frozen=True)
class Definition:
    """A softmax in smaller operators."""

    mode: str
    scores: str
    axis: int


def definition(graph: Graph, node: Any) -> Definition | None:
    """The softmax whose results a node writes, or None."""
    if node.domain not in STANDARD:
        return None
    if node.op_type == "Div":
        exponentials, total = node.input
        axis = _reduced(graph, "ReduceSum", total, exponentials)
        exponent = _input(graph, "Exp", exponentials)
        mode = "softmax"
    elif node.op_type == "Sub":
        exponent = node.input[0]
        total = _input(graph, "Log", node.input[1])
        producer = graph.producers.get(total or "")
        exponentials = producer.input[0] if producer is not None and producer.input else ""
        axis = _reduced(graph, "ReduceSum", total or "", exponentials)
        exponent = exponent if _input(graph, "Exp", exponentials) == exponent else None
        mode = "log_softmax"
    else:
        return None
    if exponent is None or axis is None:
        return None
    return Definition(mode, _unshifted(graph, exponent, axis), axis)


def _unshifted(graph: Graph, exponent: str, axis: int) -> str:
    """The scores in front of a subtraction of their maximum along the axis; the exponent itself where there is none."""
    producer = graph.producers.get(exponent)
    if producer is None or producer.op_type != "Sub":
        return exponent
    scores, largest = producer.input
    return scores if _reduced(graph, "ReduceMax", largest, scores) == axis else exponent


def _input(graph: Graph, operator: str, result: str) -> str | None:
    """The first input of the node that writes a result, if it is of that operator."""
    node = graph.producers.get(result)
    return node.input[0] if node is not None and node.op_type == operator and node.domain in STANDARD else None


def _reduced(graph: Graph, operator: str, result: str, tensor: str) -> int | None:
    """The axis along which a result reduces a tensor and keeps its dimensions; None for any other node or several axes."""
    if _input(graph, operator, result) != tensor:
        return None
    node = graph.producers[result]
    axes = attribute(node, "axes", None)
    if axes is None and len(node.input) > 1:
        axes = graph.constant(node.input[1])
    if axes is None or len(axes) != 1 or not attribute(node, "keepdims", 1):
        return None
    return int(axes[0])
