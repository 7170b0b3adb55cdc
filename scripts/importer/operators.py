"""The operators that become heads: a row for each, and the choice of the node where a model has several of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from softstream.hw.config.keys import nearest
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
from softstream.scripts.importer.definitions import definition
from softstream.scripts.importer.graph import STANDARD, Graph
from softstream.scripts.importer.packages import attribute

__all__ = ["FLATTENING_OPSETS", "OPERATORS", "HeadNode", "head_node"]

MICROSOFT = "com.microsoft"
"""The domain of onnxruntime's own operators."""
FLATTENING_OPSETS = 13
"""Below this opset the softmax family flattens the axes from `axis` on to one vector; from it on a vector lies along one axis."""
_SHOWN = 8
"""Candidates that a message lists."""


@dataclass(frozen=True)
class HeadNode:
    """A node that becomes a head, with what its operator says."""

    node: Any
    operator: str
    mode: str
    scores: str
    """The tensor of the scores."""
    axis: int
    """The axis of a vector's elements, or the first of those that become one vector."""
    flattened: bool = False
    """Whether the axes from `axis` on are one vector."""
    keys: dict[str, Any] = field(default_factory=dict)
    """Configuration keys that the attributes state."""
    k: str | int | None = None
    """K of a Top-K: the tensor that holds it, or its value."""
    results: str = ""
    """The tensor of the results that have a format: probabilities, logarithms or Top-K scores."""
    notes: tuple[str, ...] = ()
    reader: Any = None
    """The node that reads the scores, where it is another: the Softmax in front of an argmax of its results."""


def _softmax_family(graph: Graph, node: Any, mode: str) -> HeadNode:
    flattened = graph.opset < FLATTENING_OPSETS
    axis = int(attribute(node, "axis", 1 if flattened else -1))
    return HeadNode(node, node.op_type, mode, node.input[0], axis, flattened, results=node.output[0])


def _quantised_softmax(graph: Graph, node: Any) -> HeadNode:
    flattened = int(attribute(node, "opset", FLATTENING_OPSETS)) < FLATTENING_OPSETS
    axis = int(attribute(node, "axis", -1))
    return HeadNode(node, node.op_type, "softmax", node.input[0], axis, flattened, results=node.output[0])


def _sigmoid(graph: Graph, node: Any) -> HeadNode:
    return HeadNode(node, node.op_type, "sigmoid", node.input[0], -1, results=node.output[0])


def _arg(graph: Graph, node: Any, select: str) -> HeadNode:
    tie = "last" if attribute(node, "select_last_index", 0) else "first"
    axis = int(attribute(node, "axis", 0))
    return HeadNode(node, node.op_type, "argmax", node.input[0], axis, keys={"select": select, "tie": tie})


def _top_k(graph: Graph, node: Any) -> HeadNode:
    k = node.input[1] if len(node.input) > 1 else int(attribute(node, "k", 0))
    select = "largest" if attribute(node, "largest", 1) else "smallest"
    axis = int(attribute(node, "axis", -1))
    notes = () if attribute(node, "sorted", 1) else ("sorted = 0: the head gives its results in order all the same",)
    keys = {"select": select}
    return HeadNode(
        node, node.op_type, "top_k", node.input[0], axis, keys=keys, k=k, results=node.output[0], notes=notes
    )


OPERATORS: dict[str, tuple[tuple[str, ...], Callable[[Graph, Any], HeadNode]]] = {
    "Softmax": (STANDARD, lambda graph, node: _softmax_family(graph, node, "softmax")),
    "LogSoftmax": (STANDARD, lambda graph, node: _softmax_family(graph, node, "log_softmax")),
    "Hardmax": (STANDARD, lambda graph, node: _softmax_family(graph, node, "hardmax")),
    "ArgMax": (STANDARD, lambda graph, node: _arg(graph, node, "largest")),
    "ArgMin": (STANDARD, lambda graph, node: _arg(graph, node, "smallest")),
    "TopK": (STANDARD, _top_k),
    "Sigmoid": (STANDARD, _sigmoid),
    "QLinearSoftmax": ((MICROSOFT,), _quantised_softmax),
    "QLinearSigmoid": ((MICROSOFT,), _sigmoid),
}
"""Operator → (domains in which it has this meaning, function that reads a node of it)."""

BETWEEN = ("Cast", "DequantizeLinear", "Dropout", "Identity", "QuantizeLinear")
"""Operators that may stand between a softmax and the Top-K or argmax of its results, one of which the head computes as well."""


def head_node(graph: Graph, name: str | None) -> HeadNode:
    """The node of that name, or that writes the tensor of that name; without a name the only candidate of the model.

    A Softmax and a TopK of its results are one candidate, the head `softmax_top_k`, and so are a Softmax and an ArgMax of
    its results, because a softmax head names the winner as well.

    Raises `UserError` for a node that does not exist or is no candidate, and for several candidates.
    """
    heads = [head for node in graph.nodes if (head := _read(graph, node)) is not None]
    if name is not None:
        return _named(graph, name, heads)
    if not heads:
        counts = ", ".join(dict.fromkeys(node.op_type for node in graph.nodes[-_SHOWN:]))
        raise UserError(
            f"{graph.path}: no node that becomes a head; must have one of {', '.join(OPERATORS)}; its last operators are {counts}"
        )
    behind = {id(head.node): source for head in heads if (source := _softmax_in_front(graph, head, heads)) is not None}
    if len(heads) - len(behind) == 1 and len(behind) <= 1:
        first = next(head for head in heads if id(head.node) not in behind)
        return _joined(first, next((head for head in heads if id(head.node) in behind), None))
    raise UserError(
        f"{graph.path}: {len(heads)} nodes could become a head, {_listed(graph, heads)}; name one; "
        f"for example --node {graph.name(heads[-1].node)}"
    )


def _named(graph: Graph, name: str, heads: list[HeadNode]) -> HeadNode:
    matches = [node for node in graph.nodes if name in node.output] or [
        node for node in graph.nodes if node.name == name
    ]
    listed = _listed(graph, heads)
    example = f"; for example --node {graph.name(heads[-1].node)}" if heads else ""
    if not matches:
        names = [graph.name(head.node) for head in heads]
        raise UserError(
            f"--node {name}: no node of {graph.path}{nearest(name, names)}; candidates are {listed}{example}"
        )
    if len(matches) > 1:
        results = matches[0].output[0]
        raise UserError(
            f"--node {name}: the name of {len(matches)} nodes of {graph.path}; the name of a result is another; for example "
            f"--node {results}"
        )
    head = next((head for head in heads if head.node is matches[0]), None)
    if head is None:
        raise UserError(
            f"--node {name}: is a {matches[0].op_type}; must be one of {', '.join(OPERATORS)}; candidates are {listed}{example}"
        )
    softmax = _softmax_in_front(graph, head, heads)
    if softmax is None:
        return head
    if MODES[head.mode].top_k:
        return _joined(softmax, head)
    note = f"the winner of {softmax.operator} {graph.name(softmax.node)!r} is that of the scores in front of it"
    return replace(
        head, scores=softmax.scores, axis=softmax.axis, flattened=softmax.flattened, notes=(*head.notes, note)
    )


def _read(graph: Graph, node: Any) -> HeadNode | None:
    """A node as a head; None where it is no candidate."""
    domains, reader = OPERATORS.get(node.op_type, ((), None))
    if reader is not None and node.domain in domains:
        return reader(graph, node)
    softmax = definition(graph, node)
    if softmax is None:
        return None
    operator = f"{softmax.mode} in smaller operators"
    return HeadNode(node, operator, softmax.mode, softmax.scores, softmax.axis, results=node.output[0])


def _listed(graph: Graph, heads: list[HeadNode]) -> str:
    texts = [f"{graph.name(head.node)} ({head.operator})" for head in heads[:_SHOWN]]
    return (", ".join(texts) + (", …" if len(heads) > _SHOWN else "")) or "none"


def _softmax_in_front(graph: Graph, head: HeadNode, heads: list[HeadNode]) -> HeadNode | None:
    """The softmax whose results are the scores of an argmax or of the K largest, along the same axis."""
    if head.node.op_type not in ("ArgMax", "TopK") or head.keys.get("select") != "largest":
        return None
    name = head.scores
    while (node := graph.producers.get(name)) is not None and node.op_type in BETWEEN:
        name = node.input[0]
    softmax = next((other for other in heads if node is not None and other.node is node), None)
    if softmax is None or not MODES[softmax.mode].softmax or softmax.flattened:
        return None
    rank = len(graph.shape(softmax.scores) or graph.shape(head.scores) or ())
    one_axis = softmax.axis == head.axis or (rank and softmax.axis % rank == head.axis % rank)
    return softmax if one_axis else None


def _joined(softmax: HeadNode, behind: HeadNode | None) -> HeadNode:
    """One head for a softmax and the argmax or Top-K of its results."""
    if behind is None:
        return softmax
    if MODES[behind.mode].top_k:
        keys, operator = {**softmax.keys, **behind.keys}, f"{softmax.operator} and TopK"
        notes = (*softmax.notes, *behind.notes)
        return replace(
            softmax, operator=operator, mode="softmax_top_k", keys=keys, k=behind.k, results=behind.results, notes=notes
        )
    note = "ArgMax of the results: the head gives the winner as well, on the stream m_axis_best"
    return replace(
        softmax,
        operator=f"{softmax.operator} and ArgMax",
        keys={"tie": behind.keys["tie"]},
        notes=(*softmax.notes, note),
    )
