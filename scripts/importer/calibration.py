"""The scores in front of a head: a model runs in onnxruntime on inputs of a person, up to that node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from softstream.hw.errors import ToolFailure, UserError
from softstream.scripts.arrays import read_array
from softstream.scripts.importer.graph import Graph
from softstream.scripts.importer.packages import third_party

__all__ = ["Inputs", "read_inputs", "tensors"]

Inputs = Mapping[str, np.ndarray] | np.ndarray
"""The inputs of a model by name; or one array, for a model with one input."""


def read_inputs(text: str) -> Inputs:
    """The inputs in a file: the arrays of a .npz archive by name, or one array as `read_array` reads it.

    Raises `UserError` where it cannot be read or holds something else.
    """
    if not text.lower().endswith(".npz"):
        return read_array("--calibrate", text)
    try:
        with np.load(text, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise UserError(
            f"--calibrate {text}: cannot be read ({error.strerror or error}); must be an archive with the names of the inputs; "
            "for example numpy.savez('inputs.npz', x=array)"
        ) from None
    except Exception:  # a broken archive surfaces as whatever error its parser ran into
        raise UserError(
            f"--calibrate {text}: not an archive of numbers; must have the names of the inputs; for example "
            "numpy.savez('inputs.npz', x=array)"
        ) from None


def tensors(graph: Graph, names: Sequence[str], inputs: Inputs) -> list[list[np.ndarray]]:
    """The values of tensors, for each run of the model a list in the order of the names.

    A model whose first dimension is fixed to b runs once for every b rows of its inputs; any other runs once.

    Raises `UserError` for inputs that do not match the model, `ToolFailure` where onnxruntime refuses or fails.
    """
    nodes = graph.ancestors(list(names))
    names_read = {*names, *(name for node in nodes for name in node.input)}
    entries = {name: entry for name, entry in graph.inputs.items() if name in names_read}
    arrays = _matched(graph, entries, inputs)
    if not nodes:  # the scores are the inputs themselves
        return [[arrays[name] for name in names]]
    batches = _batches(graph, arrays)
    run = _session(graph, nodes, names, list(entries))
    return [run(batch) for batch in batches]


def _matched(graph: Graph, entries: Mapping[str, Any], inputs: Inputs) -> dict[str, np.ndarray]:
    """The arrays of the inputs that are needed, in their types."""
    listed = ", ".join(f"{name} {_shape_text(graph, name)}" for name in entries)
    if isinstance(inputs, np.ndarray):
        if len(entries) != 1:
            raise UserError(
                f"--calibrate: one array, and {graph.path} needs {len(entries)} inputs, {listed or 'none'}; must be an archive "
                f"with their names; for example numpy.savez('inputs.npz', {', '.join(f'{name}=…' for name in entries)})"
            )
        inputs = {next(iter(entries)): inputs}
    missing = [name for name in entries if name not in inputs]
    if missing:
        raise UserError(
            f"--calibrate: no array {missing[0]!r} among {', '.join(inputs) or 'none'}; {graph.path} needs the inputs {listed}; "
            f"for example numpy.savez('inputs.npz', {', '.join(f'{name}=…' for name in entries)})"
        )
    return {name: _converted(graph, name, np.asarray(inputs[name])) for name in entries}


def _converted(graph: Graph, name: str, array: np.ndarray) -> np.ndarray:
    kind, shape = graph.element_type(name), graph.shape(name)
    if kind is not None and array.dtype != kind:
        fits = array.dtype.kind in "biuf" and (kind.kind == "f" or kind.name == "bfloat16")
        if not fits and not (array.dtype.kind in "iu" and kind.kind in "iu" and (array == array.astype(kind)).all()):
            raise UserError(
                f"--calibrate: {name} is an array of {array.dtype}, and the model takes {kind}; for example .astype('{kind}')"
            )
        array = array.astype(kind)
    if shape is not None and not _fits(array.shape, shape):
        raise UserError(
            f"--calibrate: {name} has the shape {list(array.shape)}, and the model takes {_shape_text(graph, name)}; "
            f"for example {_example(shape)}"
        )
    return array


def _fits(sizes: tuple[int, ...], shape: tuple[int | str | None, ...]) -> bool:
    """Whether dimensions match; the first may be a multiple of a fixed one, for several runs."""
    if len(sizes) != len(shape) or 0 in sizes:
        return False
    rest = all(not isinstance(dim, int) or dim == size for dim, size in zip(shape[1:], sizes[1:], strict=True))
    first = not shape or not isinstance(shape[0], int) or (shape[0] > 0 and sizes[0] % shape[0] == 0)
    return rest and first


def _shape_text(graph: Graph, name: str) -> str:
    shape = graph.shape(name)
    return "of any shape" if shape is None else "[" + ", ".join(str(dim or "?") for dim in shape) + "]"


def _example(shape: tuple[int | str | None, ...]) -> str:
    return str([dim if isinstance(dim, int) else 100 if place == 0 else 1 for place, dim in enumerate(shape)])


def _batches(graph: Graph, arrays: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The inputs of each run: `_fits` has checked that the rows are a multiple of a fixed first dimension."""
    counts = {}
    for name, array in arrays.items():
        shape = graph.shape(name)
        if shape and isinstance(shape[0], int) and array.shape[0] != shape[0]:
            counts[name] = array.shape[0] // shape[0]
    if not counts:
        return [dict(arrays)]
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} for {count}" for name, count in counts.items())
        raise UserError(f"--calibrate: rows for different numbers of runs, {listed}; must be the same, for example 1")
    runs = next(iter(counts.values()))
    parts = {name: np.split(array, runs) if name in counts else [array] * runs for name, array in arrays.items()}
    return [{name: part[run] for name, part in parts.items()} for run in range(runs)]


def _session(graph: Graph, ancestors: Sequence[Any], names: Sequence[str], inputs: Sequence[str]) -> Any:
    """A function that runs the ancestors of tensors: inputs → values of the tensors."""
    onnx, runtime = third_party("onnx"), third_party("onnxruntime")
    model = type(graph.model)()
    model.CopyFrom(graph.standard)
    results = {name for node in ancestors for name in node.output}
    nodes = [
        node for node in model.graph.node if set(node.output) & results or node.output[0].startswith("softstream_")
    ]
    for content, rest in (
        (model.graph.node, nodes),
        (model.graph.input, [entry for entry in model.graph.input if entry.name in inputs]),
        (model.graph.output, [onnx.helper.make_empty_tensor_value_info(name) for name in names]),
    ):
        copies = [type(entry).FromString(entry.SerializeToString()) for entry in rest]
        del content[:]
        content.extend(copies)
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its warnings would stand between the lines of this command
    # Fused operators round otherwise than the graph says.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if graph.external:
        try:
            onnx.load_external_data_for_model(model, str(graph.path.parent))
        except Exception as error:  # no such file, too short, or a place outside the model's folder: each its own class
            raise graph.missing_data("weights are", error) from None
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        session_inputs = {entry.name for entry in session.get_inputs()}
    except Exception as error:  # each fault of a model has a class of its own
        raise _failure(graph, error) from None

    def run(batch: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        feeds = {name: array for name, array in batch.items() if name in session_inputs}
        try:
            return [np.asarray(value) for value in session.run(list(names), feeds)]
        except Exception as error:
            raise _failure(graph, error) from None

    return run


def _failure(graph: Graph, error: Exception) -> ToolFailure:
    reason = " ".join(str(error).split())[:400]
    return ToolFailure(f"{graph.path}: onnxruntime does not run it up to the head: {reason}")
