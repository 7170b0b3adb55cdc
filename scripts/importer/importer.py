"""A head from a model file: the configuration that its graph describes, and the scores in front of it.

    head = import_onnx("model.onnx")                       # the only softmax, argmax, … of the model
    head = import_onnx("model.onnx", "/fc/Softmax", calibrate=inputs)
    head.config                                            # as `softstream.Config`
    head.scores                                            # [vectors, N], with `calibrate`: codes, or real numbers
    head.unexpressed                                       # what the configuration cannot say, in sentences

Nodes around the head say what its numbers are: DequantizeLinear, QONNX's Quant, QLinearSoftmax and QLinearSigmoid in front of
it, QuantizeLinear and Quant behind it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from softstream.hw.config.config import KEYS, Config
from softstream.hw.config.keys import quoted
from softstream.hw.config.limits import WIDEST_PROBABILITY
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
from softstream.hw.formats import ceil_log2
from softstream.hw.notebook import html_table, text_table
from softstream.hw.plan.derive import plan
from softstream.scripts.console import settings_text
from softstream.scripts.importer.calibration import Inputs, tensors
from softstream.scripts.importer.graph import Graph
from softstream.scripts.importer.operators import HeadNode, head_node
from softstream.scripts.importer.quantisation import Quantisation, quantiser_behind, quantiser_in_front
from softstream.scripts.scale import AUTO, best_scale

__all__ = ["COLUMNS", "Fact", "Imported", "import_onnx"]

COLUMNS = ("in the model", "value", "keys")
"""Headings of `Imported.rows`."""
FLOAT_ROUNDING = 2.0**-22
"""Relative distance within which a scale in float32 counts as 1/L."""
_FINE_SCALE = 2.0**-12
"""A scale that every mode takes at every width, 16 nats for 16 bits."""
_DEFAULT_SCALE = next(key.default for key in KEYS if key.name == "score_scale")


@dataclass(frozen=True)
class Fact:
    """Something that the model says, and the keys that it became."""

    name: str
    value: str
    keys: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Imported:
    """A head as a model file describes it."""

    path: Path
    node: str
    operator: str
    config: Config
    keys: dict[str, Any]
    """The keys that the model and the caller state; all others have their defaults."""
    facts: tuple[Fact, ...]
    unexpressed: tuple[str, ...]
    """What the configuration cannot say, in sentences."""
    axis: int
    """The axis of a vector's elements in the tensor of the scores, or the first of those that become one vector."""
    flattened: bool
    """Whether the axes from `axis` on are one vector."""
    scores: np.ndarray | None = None
    """The scores in front of the node, [vectors, N]: integer codes where the graph quantises them, else real numbers."""

    def rows(self) -> list[tuple[str, str, str]]:
        """The facts as a table: what the model says, its value, the keys."""
        return [(fact.name, fact.value, settings_text(fact.keys)) for fact in self.facts]

    def __repr__(self) -> str:
        """The facts, and what is not expressed, as lines of text."""
        rows = [*self.rows(), *(("not expressed", sentence, "") for sentence in self.unexpressed)]
        return f"Imported: {self.operator} {self.node} of {self.path.name}\n{text_table(COLUMNS, rows)}"

    def _repr_html_(self) -> str:
        """The same as a table for notebooks."""
        rows = [*self.rows(), *(("not expressed", sentence, "") for sentence in self.unexpressed)]
        return html_table(f"Imported: {self.operator} {self.node} of {self.path.name}", COLUMNS, rows)

    def vectors(self, tensor: np.ndarray) -> np.ndarray:
        """A tensor in the shape of the node's scores as vectors [V, N], in the order of its other axes."""
        return _vectors(tensor, self.axis, self.flattened)


def import_onnx(path: str | Path, node: str | None = None, *, calibrate: Inputs | None = None, **keys: Any) -> Imported:
    """The head that a node of an ONNX model describes: Softmax, LogSoftmax, Hardmax, ArgMax, ArgMin, TopK, Sigmoid,
    QLinearSoftmax or QLinearSigmoid.

    `node` names the node, or a tensor that it writes; without it the model has one candidate. With `calibrate`, the inputs of
    the model by name, or the array of its only input, onnxruntime computes the scores in front of the node; where the graph
    does not quantise them, they decide on `score_scale`. `keys` are configuration keys that win over those of the model.

    Raises `UserError` for a file that is no ONNX model, a node that is none or one of several, a length, a K or a type that
    the graph leaves open, and inputs that do not match; `MissingTool` without the extra `onnx`; `ToolFailure` where
    onnxruntime does not run the model.
    """
    if not isinstance(path, str | Path):
        raise UserError(f"path = {quoted(path)}: must be the path of an ONNX file; for example 'model.onnx'")
    if keys.get("score_scale") == AUTO:
        if calibrate is None:
            raise UserError(
                f"score_scale = {AUTO}: is chosen from the scores in front of the node; give inputs of the model; for example "
                "--calibrate X.npy"
            )
        del keys["score_scale"]
    graph = Graph(Path(path))
    head = head_node(graph, node)
    draft = _Draft(graph, head, dict(keys))
    draft.read(calibrate)
    return draft.imported()


class _Draft:
    """The keys of a head as they are collected."""

    def __init__(self, graph: Graph, head: HeadNode, settings: dict[str, Any]) -> None:
        self.graph, self.head, self.settings = graph, head, settings
        self.name = graph.name(head.node)
        self.keys: dict[str, Any] = {}
        self.facts: list[Fact] = []
        self.unexpressed: list[str] = []
        self.scores: np.ndarray | None = None

    @property
    def where(self) -> str:
        """The beginning of a message: the file and the node."""
        return f"{self.graph.path}, node {self.name}"

    def state(self, name: str, value: str, **keys: Any) -> None:
        """Notes a fact and its keys, of which those of the caller win."""
        new = {key: number for key, number in keys.items() if key not in self.settings}
        self.keys.update(new)
        self.facts.append(Fact(name, value, new))

    def read(self, inputs: Inputs | None) -> None:
        """Reads everything, in the order in which it is shown."""
        head = self.head
        opset = "" if head.operator.startswith("QLinear") else f", opset {self.graph.opset}"
        self.state("node", f"{head.operator} {self.name}{opset}", mode=head.mode, **head.keys)
        values = self._calibrated(inputs)
        self._read_length()
        if head.k is not None:
            self._read_k(values)
        self._read_scores()
        if MODES[self.mode].has_codes:
            self._read_results()
        self.unexpressed += head.notes

    def imported(self) -> Imported:
        """The head. Raises `UserError` where the keys do not go together or have no plan."""
        config = self._config()
        try:
            plan(config)
        except UserError as error:
            raise UserError(f"{self.where}: {error}") from None
        return Imported(
            path=self.graph.path,
            node=self.name,
            operator=self.head.operator,
            config=config,
            keys={**self.keys, **self.settings},
            facts=tuple(self.facts),
            unexpressed=tuple(self.unexpressed),
            axis=self.head.axis,
            flattened=self.head.flattened,
            scores=self.scores,
        )

    def _config(self, **others: Any) -> Config:
        """The configuration of the keys so far, with others that they win over."""
        try:
            return Config.from_mapping({**others, **self.keys, **self.settings})
        except UserError as error:
            raise UserError(f"{self.where}: {error}") from None

    @property
    def mode(self) -> str:
        """The mode, which a caller may change."""
        return str(self.settings.get("mode", self.head.mode))

    # Lengths and K -------------------------------------------------------------------------------------------------------

    def _calibrated(self, inputs: Inputs | None) -> list[np.ndarray]:
        """Runs the model, keeps the scores as vectors, and answers with the values of K, if K is a tensor."""
        if inputs is None:
            return []
        names = [self.head.scores]
        if isinstance(self.head.k, str) and self.graph.constant(self.head.k) is None:
            names.append(self.head.k)
        runs = tensors(self.graph, names, inputs)
        scores = np.concatenate([self._rows(run[0]) for run in runs])
        if scores.dtype.kind not in "iuf":  # the narrow floats of ml_dtypes
            scores = scores.astype(np.float64)
        if scores.dtype.kind == "f" and np.isnan(scores).any():
            raise UserError(
                f"{self.where}: the scores contain NaN for these inputs; must be numbers; give other inputs"
            )
        self.scores = scores
        self.facts.append(Fact("calibration", f"{len(scores)} vectors of {scores.shape[1]} scores"))
        return [run[1] for run in runs if len(run) > 1]

    def _rows(self, tensor: np.ndarray) -> np.ndarray:
        if not self._has_axis(tensor.ndim):
            raise self._no_axis(str(list(tensor.shape)))
        return _vectors(tensor, self.head.axis, self.head.flattened)

    def _has_axis(self, rank: int) -> bool:
        return -rank <= self.head.axis < rank or (self.head.flattened and self.head.axis == rank)

    def _no_axis(self, shape: str) -> UserError:
        return UserError(
            f"{self.where}: axis = {self.head.axis}, and the scores have the shape {shape}; must be one of its axes; "
            "for example -1"
        )

    def _read_length(self) -> None:
        shape = self.graph.shape(self.head.scores) or self.graph.shape(self.head.node.output[0])
        text = "of unknown shape" if shape is None else "of [" + ", ".join(str(dim or "?") for dim in shape) + "]"
        axis = f"{self.head.axis} and following" if self.head.flattened else f"{self.head.axis}"
        if shape is not None and not self._has_axis(len(shape)):
            raise self._no_axis(text.removeprefix("of "))
        dims: tuple[int | str | None, ...] = (None,)
        if shape is not None:
            dims = shape[self.head.axis :] if self.head.flattened else (shape[self.head.axis],)
        sizes = [dim for dim in dims if isinstance(dim, int) and dim > 0]
        if len(sizes) == len(dims):
            self.state("axis", f"{axis} {text}", max_length=math.prod(sizes))
        elif self.scores is not None:
            self.state("axis", f"{axis} {text}; the length is that of the calibration", max_length=self.scores.shape[1])
        elif "max_length" not in self.settings:
            raise UserError(
                f"{self.where}: the length along axis {axis} {text} is dynamic; give inputs, or the longest vector; for "
                "example --calibrate X.npy, or --set max_length=1024"
            )

    def _read_k(self, values: list[np.ndarray]) -> None:
        name = self.head.k
        value = name if isinstance(name, int) else self.graph.scalar(str(name))
        if value is None and values:
            numbers = {int(number) for array in values for number in array.ravel()}
            value = numbers.pop() if len(numbers) == 1 else None
        if value is not None:
            self.state("K", f"{int(value)}", top_k=int(value))
        elif "top_k" not in self.settings:
            raise UserError(
                f"{self.where}: K is the tensor {name!r}, which depends on the inputs; give its value; for example --set top_k=5"
            )

    # Scores --------------------------------------------------------------------------------------------------------------

    def _read_scores(self) -> None:
        kind = self.graph.element_type(self.head.scores)
        if kind is not None and (kind.kind in "bcOSU"):
            raise UserError(
                f"{self.where}: the scores are of type {'string' if kind.kind == 'O' else kind}; must be integers or floats, "
                "for example float32"
            )
        search = quantiser_in_front(self.graph, self.head.reader or self.head.node, self.head.scores)
        if search.reason:
            self.unexpressed.append(f"{search.reason}: the scores count as real numbers")
        if search.quantisation is not None:
            self._read_codes(search.quantisation)
        else:
            self._read_floats("" if kind is None else f"{kind}, not quantised")

    def _read_codes(self, codes: Quantisation) -> None:
        kind = f"{'int' if codes.signed else 'uint'}{codes.width}"
        scale = {}
        if codes.scale is not None:
            scale = {"score_scale": codes.scale, "score_zero_point": codes.zero_point}
        text = f"{kind} of {codes.origin}"
        if codes.scale is not None:
            text += f", scale {codes.scale:g}, zero point {codes.zero_point}"
        if self.scores is not None:
            self.scores = _codes(self.scores, codes)
        width, signed = codes.width, codes.signed
        if not self._takes(width):
            if self.scores is None:
                raise UserError(
                    f"{self.where}: the scores are {kind}, wider than a head of mode {self.mode} takes; give inputs, "
                    "whose scores may need fewer bits; for example --calibrate X.npy"
                )
            signed = bool(self.scores.min() < 0)
            width = (
                max(int(self.scores.max()).bit_length(), int(~self.scores.min()).bit_length() if signed else 0) + signed
            )
            width = max(width, 2)
            if not self._takes(width):
                self._take_real_numbers(codes, kind)
                return
            self.unexpressed.append(f"scores are {kind}: the head takes the {width} bits that the calibration needs")
        self.state("scores", text, score_width=width, score_signed=signed, **scale)

    def _take_real_numbers(self, codes: Quantisation, kind: str) -> None:
        assert self.scores is not None
        self.scores = (self.scores - codes.zero_point) * (1.0 if codes.scale is None else codes.scale)
        self.unexpressed.append(f"scores are {kind}, wider than the head takes: they count as real numbers")
        self._read_floats(kind)

    def _takes(self, width: int) -> bool:
        """Whether a head of the mode takes scores of so many bits."""
        try:
            width = self.settings.get("score_width", width)
            Config.from_mapping({"mode": self.mode, "score_width": width, "score_scale": _FINE_SCALE})
        except UserError:
            return False
        return True

    def _read_floats(self, text: str) -> None:
        self._read_exclusions()
        if "score_scale" in self.settings:
            self.state("scores", f"{text or 'not quantised'}; the scale is that of the command")
        elif self.scores is None:
            self.state("scores", text or "not quantised")
            self.unexpressed.append(
                f"no quantiser is in front of the node: score_scale stays {_DEFAULT_SCALE}"
                + ("" if MODES[self.mode].order_only else ", and the probabilities depend on it")
                + "; give --calibrate X.npy, or --set score_scale=…"
            )
        else:
            choice = best_scale(self._config(score_scale=_FINE_SCALE), self.scores)
            self.state("scores", f"{text or 'not quantised'}; {choice.text}", score_scale=choice.scale)

    def _read_exclusions(self) -> None:
        """Scores of −inf, as attention masks write them, exclude their elements."""
        if self.scores is not None and self.scores.dtype.kind == "f" and np.isneginf(self.scores).any():
            excluded = int(np.count_nonzero(np.isneginf(self.scores)))
            self.state("mask", f"{excluded} scores of the calibration are −inf", mask=True)

    # Results -------------------------------------------------------------------------------------------------------------

    def _read_results(self) -> None:
        search = quantiser_behind(self.graph, self.head.node, self.head.results)
        codes = search.quantisation
        if search.reason:
            self.unexpressed.append(f"{search.reason}: results keep their own format")
        if codes is None or codes.scale is None:
            return
        text = (
            f"{'int' if codes.signed else 'uint'}{codes.width} of {codes.origin}, scale {codes.scale:g}, zero point "
            + str(codes.zero_point)
        )
        levels = round(1 / codes.scale) if codes.scale <= 1 else 0
        exact = levels > 0 and abs(codes.scale * levels - 1) < FLOAT_ROUNDING
        logarithmic = MODES[self.mode].logarithmic
        keys = None
        if exact:
            keys = _logarithm_keys(codes, levels) if logarithmic else _probability_keys(codes, levels)
        if keys is None:
            rule = (
                "2^−P, signed, with zero point 0" if logarithmic else "1/L for an integer L, and hold the probabilities"
            )
            self.facts.append(Fact("results", text))
            self.unexpressed.append(f"results are {text}: a step must be {rule}; the head keeps its own format")
            return
        self.state("results", text, **keys)


def _probability_keys(codes: Quantisation, levels: int) -> dict[str, Any] | None:
    """Keys of probability codes in steps of 1 / levels; None where the codes do not hold them."""
    fraction = max(ceil_log2(levels), 2)
    room = codes.high - codes.zero_point
    if codes.zero_point < codes.low or room < levels - 1 or fraction > WIDEST_PROBABILITY:
        return None
    power = levels == 1 << fraction
    if not power and room < levels:
        return None
    keys: dict[str, Any] = {"probability_width": fraction}
    if power:
        keys["probability_format"] = "UQ1" if room >= levels else "UQ0"
    else:
        keys["output_levels"] = levels
    if codes.zero_point:
        keys["output_zero_point"] = codes.zero_point
    return keys


def _logarithm_keys(codes: Quantisation, levels: int) -> dict[str, Any] | None:
    """Keys of logarithms in steps of 2^−P; None where the codes are others."""
    fraction = ceil_log2(levels)
    if levels != 1 << fraction or codes.zero_point or not codes.signed or codes.width <= fraction or fraction < 2:
        return None
    return {"probability_width": fraction, "integer_bits": codes.width - fraction}


def _vectors(tensor: np.ndarray, axis: int, flattened: bool) -> np.ndarray:
    if flattened:
        axis = axis + tensor.ndim if axis < 0 else axis
        return tensor.reshape(math.prod(tensor.shape[:axis]), -1)
    moved = np.moveaxis(tensor, axis, -1)
    return moved.reshape(-1, moved.shape[-1])


def _codes(scores: np.ndarray, codes: Quantisation) -> np.ndarray:
    """Scores as integer codes: integers are codes, real numbers are multiples of the scale up to the rounding of float32."""
    if scores.dtype.kind in "iu":
        return scores
    assert codes.scale is not None  # of real numbers
    numbers = np.rint(scores.astype(np.float64) / codes.scale) + codes.zero_point
    return np.clip(numbers, codes.low, codes.high).astype(np.int64)
