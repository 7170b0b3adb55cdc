"""`softstream network`: a digits classifier whose softmax layers are heads, compared with float and int8.

The network of `train_network`: 64 pixels → 64 hidden scores, 8 groups of 8 with a softmax in each → 10 scores → softmax. In
hardware the 64 hidden scores are a packet of groups to one head (`groups = [8]`), and the 10 scores a vector to another; both
have the given configuration, with the length and scale of their scores. The layers between compute in integers: pixels of 0 to
16 and probability codes times int8 weights, symmetric, scale = max |w| / 127, summed exactly, and rounded half to even to int8
scores.

Three networks on the digits that were held out:

* *float*: the weights as trained, float64, no rounding;
* *int8*: weights and scores of 8 bits as above, every softmax in float64, probabilities not rounded;
* *hardware*: the same with every softmax by the golden model, or by the simulated Verilog.

**Proved decisions.** A hidden probability of the hardware is within d = worst_ulp·2^−P of the exact one, for both get the same
codes. So the difference of two classes' scores a and b moves by at most d·Σ_j |w2_ja − w2_jb|, and two roundings to a score
code by a step in all: where int8's best score is ahead of every other by more, and stays within the format, the hardware
decides the same, by proof. The other vectors are counted as `close`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.texts import decimals
from softstream.scripts.measure.datasets import check_one_result_per_vector
from softstream.scripts.measure.heads import verify
from softstream.scripts.measure.statistics import percent_text
from softstream.scripts.quantiser import saturating_codes
from softstream.sim.data import DIGITS_NETWORK, NETWORK_DESCRIPTION
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import softmax_float64

if TYPE_CHECKING:
    from softstream.scripts.console import Console

__all__ = ["COLUMNS", "Layer", "Outcome", "evaluate", "heads", "network", "rows"]

_PIXEL_STEPS = 16
_WEIGHT_LIMIT = 127


@dataclass(frozen=True)
class Layer:
    """The softmax of one layer: error of the hardware against the exact softmax of the same codes."""

    name: str
    config: Config
    vectors: int
    """Softmaxes: vectors, or groups."""
    saturated: int
    """Scores outside the format."""
    largest_ulp: float
    """Largest error, with the saturation of 1.0."""
    worst_ulp: float
    """Its bound."""


@dataclass(frozen=True)
class Outcome:
    """The result of `evaluate`: the labels and the decisions of each network, [V]."""

    labels: np.ndarray
    by_float: np.ndarray
    by_int8: np.ndarray
    by_hardware: np.ndarray
    close: np.ndarray
    """Digits that the bound leaves open; all others are decided the same in hardware and int8, by proof."""
    layers: tuple[Layer, ...]

    @property
    def vectors(self) -> int:
        """Number of held-out digits."""
        return len(self.labels)

    def accuracy(self, decided: np.ndarray) -> float:
        """Fraction of the decisions that equal the label."""
        return float((decided == self.labels).mean())

    def counts(self) -> dict[str, int]:
        """Digits whose decision differs from float and from int8, and those where the bound excludes a difference from int8."""
        return {
            "differing_float": int(np.count_nonzero(self.by_hardware != self.by_float)),
            "differing_int8": int(np.count_nonzero(self.by_hardware != self.by_int8)),
            "proved": self.vectors - int(np.count_nonzero(self.close)),
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "vectors": self.vectors,
            "float_accuracy": self.accuracy(self.by_float),
            "int8_accuracy": self.accuracy(self.by_int8),
            "hardware_accuracy": self.accuracy(self.by_hardware),
            **self.counts(),
            "layers": [{**vars(layer), "config": layer.config.to_mapping()} for layer in self.layers],
        }


@dataclass(frozen=True)
class _Weights:
    """int8 weights of a layer [inputs, outputs], its bias in the same steps, and the value of a step."""

    weights: np.ndarray
    bias: np.ndarray
    step: float

    @classmethod
    def of(cls, weights: np.ndarray, bias: np.ndarray, input_step: float) -> _Weights:
        """Quantised symmetrically, for inputs in integers of `input_step`."""
        scale = float(np.abs(weights).max()) / _WEIGHT_LIMIT
        step = scale * input_step
        return cls(np.rint(weights / scale), np.rint(bias / step), step)

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Real scores, exact in float64 where the inputs are integers."""
        return (inputs @ self.weights + self.bias) * self.step


def heads(config: Config) -> tuple[Config, Config]:
    """The heads of the hidden groups and of the output, for a softmax configuration.

    Raises `UserError` for a mode or an option that the network cannot use.
    """
    check_one_result_per_vector(config)
    softmax = config.traits.normalised and config.traits.per_element
    if not softmax or config.mask:
        what = "mask" if softmax else f"mode = {config.mode!r}"
        rule = "mode = 'softmax', and mask = false"
        raise UserError(f"{what}: the network's layers are softmax of all their scores; {rule} would do")
    described = tomllib.loads(NETWORK_DESCRIPTION.read_text(encoding="utf-8"))
    int8 = {"score_width": 8, "score_signed": True}
    return (
        config.replace(
            max_length=described["group"], groups=[described["group"]], score_scale=described["hidden_scale"], **int8
        ),
        config.replace(max_length=10, score_scale=described["output_scale"], **int8),
    )


def _answered(config: Config, codes: np.ndarray, engine: str) -> np.ndarray:
    model = golden(config, codes)
    if engine == "rtl":
        from softstream.sim.simulators.runner import run_rtl

        verify(run_rtl(config, codes), model)
    return model["probabilities"]


def _layer(name: str, config: Config, codes: np.ndarray, probabilities: np.ndarray, saturated: int) -> Layer:
    worst = plan(config).worst_ulp
    assert worst is not None  # of every softmax
    steps = probabilities - config.output_zero_point
    error = np.abs(steps - softmax_float64(config, codes) * config.levels)
    return Layer(name, config, codes.size // config.max_length, saturated, float(error.max()), worst)


def _float_scores(stored: dict[str, np.ndarray], group: int) -> np.ndarray:
    hidden = stored["pixels"] / _PIXEL_STEPS @ stored["w1"] + stored["b1"]
    weights = np.exp(hidden.reshape(len(hidden), -1, group))  # of at most about 7 nats
    p = weights / weights.sum(axis=2, keepdims=True)
    return np.asarray(p.reshape(len(hidden), -1) @ stored["w2"] + stored["b2"])


def evaluate(config: Config, engine: str = "golden") -> Outcome:
    """The three networks on the held-out digits, with the heads that `heads` derives from `config`.

    `engine` as in `run`: the model, or the simulated Verilog, which must answer as the model does. Raises `UserError` as `heads`
    does, `Mismatch` where the Verilog differs.
    """
    hidden_head, output_head = heads(config)
    with np.load(DIGITS_NETWORK, allow_pickle=False) as file:
        stored = {name: file[name].astype(np.float64) for name in file.files}
    labels = stored["labels"].astype(np.int64)
    one = float(config.levels)
    first = _Weights.of(stored["w1"], stored["b1"], 1 / _PIXEL_STEPS)
    hidden, beyond = saturating_codes(hidden_head, first.scores(stored["pixels"]))
    codes = _answered(hidden_head, hidden, engine)
    second = _Weights.of(stored["w2"], stored["b2"], 1 / one)
    exact_scores = second.scores(softmax_float64(hidden_head, hidden) * one)
    scores, beyond_output = saturating_codes(output_head, second.scores(codes - hidden_head.output_zero_point))
    exact_codes, _ = saturating_codes(output_head, exact_scores)
    result = golden(output_head, scores)
    out = _answered(output_head, scores, engine)
    layers = (
        _layer("hidden groups", hidden_head, hidden, codes, beyond),
        _layer("output", output_head, scores, out, beyond_output),
    )
    return Outcome(
        labels=labels,
        by_float=_float_scores(stored, hidden_head.max_length).argmax(axis=1),
        by_int8=exact_codes.argmax(axis=1),
        by_hardware=result["argmax"],
        close=_open(exact_scores, second, layers[0], output_head),
        layers=layers,
    )


def _open(scores: np.ndarray, weights: _Weights, hidden: Layer, output: Config) -> np.ndarray:
    """Vectors whose decision the bound leaves open, [V]; see the module's docstring."""
    best = scores.argmax(axis=1)
    ahead = np.take_along_axis(scores, best[:, None], axis=1) - scores
    # A probability code is a step of the weights' inputs, and worst_ulp counts codes.
    apart = np.abs(weights.weights[:, :, None] - weights.weights[:, None, :]).sum(axis=0) * weights.step
    reach = apart[best] * hidden.worst_ulp + output.score_scale
    others = np.arange(scores.shape[1]) != best[:, None]
    # Saturated scores tie, so the bound decides nothing about them.
    alone = np.abs(weights.weights).sum(axis=0) * weights.step * hidden.worst_ulp
    highest = scores.max(axis=1) + alone[best]
    saturates = highest > output.score_format.maximum * output.score_scale
    return np.asarray(((ahead <= reach) & others).any(axis=1) | saturates)


COLUMNS = (
    "network",
    "accuracy, %",
    "differs from float",
    "differs from int8",
    "proved equal to int8",
    "largest error, ulp",
)
"""Headings of `rows`."""


def rows(outcomes: Mapping[str, Outcome]) -> list[tuple[str, ...]]:
    """A row for float, one for int8, and one for each title → outcome of the hardware."""
    first = next(iter(outcomes.values()))
    table: list[tuple[str, ...]] = [
        ("float", percent_text(first.accuracy(first.by_float)), "", "", "", ""),
        ("int8, softmax in float64", percent_text(first.accuracy(first.by_int8)), "", "", "", ""),
    ]
    for title, outcome in outcomes.items():
        accuracy = percent_text(outcome.accuracy(outcome.by_hardware))
        errors = " and ".join(f"{decimals(layer.largest_ulp, 3)} ≤ {layer.worst_ulp:.3f}" for layer in outcome.layers)
        counts = (f"{count} of {outcome.vectors}" for count in outcome.counts().values())
        table.append((title, accuracy, *counts, errors))
    return table


def network(config: Config, engine: str, console: Console) -> None:
    """Prints the result of `evaluate`."""
    outcome = evaluate(config, engine)
    console.document({"config": config.to_mapping(), "engine": engine, **outcome.to_json()})
    console.table(
        f"{outcome.vectors} held-out digits",
        COLUMNS,
        rows({"int8, softmax in hardware": outcome}),
        right=COLUMNS[1:],
        fold=COLUMNS[:1],
        drop=("largest error, ulp", "proved equal to int8"),
    )
    for layer in outcome.layers:
        console.line(
            f"{layer.name}: {layer.vectors} vectors of {layer.config.max_length}, {layer.saturated} scores saturated; error at "
            f"most {decimals(layer.largest_ulp, 4)} ulp with the saturation of 1.0, proved: {layer.worst_ulp:.4f}"
        )
    counts = outcome.counts()
    console.done(
        f"{outcome.vectors - counts['differing_int8']} of {outcome.vectors} decisions equal those of int8",
        console.command("compare"),
    )
