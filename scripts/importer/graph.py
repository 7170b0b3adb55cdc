"""An ONNX model as a graph: nodes by their tensors, constants, types and shapes. Nothing here knows what a head is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from softstream.hw.errors import UserError
from softstream.scripts.importer.packages import attribute, third_party
from softstream.scripts.importer.qonnx import without_quant

__all__ = ["STANDARD", "Graph"]

STANDARD = ("", "ai.onnx")
"""The domains of the standard operators."""
_NUMBERS = ("value_float", "value_floats", "value_int", "value_ints")
"""The attributes of a Constant that hold numbers without a tensor."""
_RESHAPING = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that keep the numbers of a constant, in their order."""
_EXAMPLE = "give a model as torch.onnx.export or tf2onnx writes it"


class Graph:
    """The graph of a model, with shapes inferred and the model's own functions written as nodes.

    Weights in other files are read only where a constant is asked for.

    Raises `UserError` where the file cannot be read, is no ONNX model, or has no nodes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = _read(path)
        self.nodes = list(self.model.graph.node)
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        self.consumers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)

    @property
    def opset(self) -> int:
        """The version of the standard operators; 1 where the model states none."""
        return next((entry.version for entry in self.model.opset_import if entry.domain in STANDARD), 1)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Name → description of the inputs that a caller gives: those without an initial value."""
        return {entry.name: entry for entry in self.model.graph.input if entry.name not in self._initialisers}

    @cached_property
    def _initialisers(self) -> dict[str, Any]:
        return {tensor.name: tensor for tensor in self.model.graph.initializer}

    @cached_property
    def standard(self) -> Any:
        """The model without QONNX's Quant, in whose place are standard operators with the same results."""
        return without_quant(self.model, self.scalar)

    @cached_property
    def _types(self) -> dict[str, Any]:
        """Name → type of a tensor, as far as it is stated or can be inferred."""
        onnx = third_party("onnx")
        try:
            inferred = onnx.shape_inference.infer_shapes(self.standard, data_prop=True).graph
        except Exception:  # a model whose shapes contradict each other, or of 2 GB: what it states itself remains
            inferred = self.model.graph
        entries = [*inferred.value_info, *inferred.output, *inferred.input]
        return {entry.name: entry.type.tensor_type for entry in entries if entry.type.HasField("tensor_type")}

    def shape(self, name: str) -> tuple[int | str | None, ...] | None:
        """The dimensions of a tensor, each an integer, the name of a dynamic one, or None; None without a known rank."""
        kind = self._types.get(name)
        if kind is None or not kind.HasField("shape"):
            array = self._initialisers.get(name)
            return None if array is None else tuple(array.dims)
        return tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in kind.shape.dim)

    def element_type(self, name: str) -> np.dtype[Any] | None:
        """The type of a tensor's elements as NumPy or ml_dtypes has it; None where it is not known, `object` for text."""
        helper = third_party("onnx.helper")
        kind = self._types.get(name)
        number = kind.elem_type if kind is not None else 0
        if not number and name in self._initialisers:
            number = self._initialisers[name].data_type
        return np.dtype(helper.tensor_dtype_to_np_dtype(number)) if number else None

    def constant(self, name: str) -> np.ndarray | None:
        """The numbers of a tensor that does not depend on the inputs, perhaps in another shape or type, or None.

        Raises `UserError` where the value is in another file that cannot be read.
        """
        if name in self._initialisers:
            return self._array(self._initialisers[name])
        node = self.producers.get(name)
        if node is None or node.domain not in STANDARD:
            return None
        if node.op_type in _RESHAPING:
            return self.constant(node.input[0])
        if node.op_type != "Constant":
            return None
        entry = node.attribute[0]
        if entry.name == "value":
            return self._array(entry.t)
        return np.asarray(attribute(node, entry.name, None)) if entry.name in _NUMBERS else None

    def scalar(self, name: str) -> float | None:
        """The value of a constant whose elements are all the same number; None for any other tensor."""
        value = self.constant(name)
        if value is None or not value.size:
            return None
        numbers = value.astype(np.float64).ravel()
        return float(numbers[0]) if (numbers == numbers[0]).all() else None

    def _array(self, tensor: Any) -> np.ndarray:
        helper = third_party("onnx.numpy_helper")
        try:
            return np.asarray(helper.to_array(tensor, base_dir=str(self.path.parent)))
        except Exception as error:  # no such file, too short, or a place outside the model's folder: each its own class
            raise self.missing_data(f"the value of {tensor.name!r} is", error) from None

    def missing_data(self, what: str, error: Exception) -> UserError:
        """The refusal of a model whose data in other files cannot be read."""
        reason = " ".join(str(error).split())[:200].rstrip(".")
        return UserError(
            f"{self.path}: {what} in another file that cannot be read ({reason}); keep that file in the folder of the model, or "
            "save the model in one file, for example by onnx.save(onnx.load(path), path)"
        )

    @property
    def external(self) -> bool:
        """Whether weights are in other files."""
        location = third_party("onnx").TensorProto.EXTERNAL
        return any(tensor.data_location == location for tensor in self.model.graph.initializer)

    def name(self, node: Any) -> str:
        """The name of a node; that of its first result where it has none."""
        return node.name or next(name for name in node.output if name)

    def ancestors(self, tensors: list[str]) -> list[Any]:
        """The nodes that tensors depend on, in the order of the graph."""
        pending, places = list(tensors), set[int]()
        while pending:
            node = self.producers.get(pending.pop())
            if node is not None and id(node) not in places:
                places.add(id(node))
                pending += _tensors_read(node)
        return [node for node in self.nodes if id(node) in places]


def _tensors_read(node: Any) -> Iterator[str]:
    """The tensors that a node reads, those of its subgraphs included."""
    yield from (name for name in node.input if name)
    for entry in node.attribute:
        for graph in [entry.g, *entry.graphs]:
            for inner in graph.node:
                yield from _tensors_read(inner)


def _names(graph: Any) -> Iterator[Any]:
    """All names in a graph but those in its subgraphs."""
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (entry.name for entry in node.attribute)
    yield from (entry.name for entry in [*graph.input, *graph.output, *graph.value_info, *graph.initializer])


def _read(path: Path) -> Any:
    onnx = third_party("onnx")
    where = f"{path}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror or error}); {_EXAMPLE}") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception:  # DecodeError of protobuf, whose implementations each have their own
        raise UserError(f"{where}: not an ONNX model; {_EXAMPLE}") from None
    if not model.graph.node:
        raise UserError(f"{where}: not an ONNX model, or one without nodes; {_EXAMPLE}")
    if not all(isinstance(name, str) for name in _names(model.graph)):  # protobuf hands over what is no text as bytes
        raise UserError(f"{where}: not an ONNX model, or a damaged one, whose names are no text; {_EXAMPLE}")
    if not model.functions:
        return model
    try:
        return third_party("onnx.inliner").inline_local_functions(model)
    except Exception as error:  # functions that call each other in a circle, or versions that contradict each other
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{where}: its functions cannot be written as nodes ({reason}); {_EXAMPLE}") from None
