"""Small ONNX models for tests: the nodes of a line, their constants, and the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["node", "saved"]


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    """A node; `name` and `domain` are attributes like others here."""
    from onnx import helper

    return helper.make_node(operator, list(inputs), list(outputs), **attributes)


def saved(
    path: Path,
    nodes: Sequence[Any],
    shape: Sequence[int | str] | None,
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = 13,
    kind: str = "float32",
    inputs: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = (),
) -> Path:
    """Writes a model whose input `x` has a shape and a type, and whose outputs are those of the last node."""
    import onnx
    from onnx import helper, numpy_helper

    number = helper.np_dtype_to_tensor_dtype(np.dtype(kind)) if kind != "string" else onnx.TensorProto.STRING
    entries = [helper.make_tensor_value_info("x", number, shape), *(inputs or {}).values()]
    results = [helper.make_empty_tensor_value_info(name) for name in outputs or nodes[-1].output]
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "model", entries, results, values)
    domains = {entry.domain for entry in nodes} - {""}
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in sorted(domains))]
    path.write_bytes(helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString())
    return path
