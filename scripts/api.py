"""The functions of `import softstream` that take real scores: run, compare, explore.

    result = softstream.run(config, floats)
    result.probabilities                                    # real numbers, in the shape of the scores
    result.codes.probabilities                              # the codes that the hardware puts out
    softstream.compare(config, floats, labels).answer       # what argmax alone costs, and what the hardware adds
    softstream.explore(config, {"score_scale": [0.05, 0.1]}, floats, labels)

They are the verbs of the command line without files and console, so they give the same values and raise the same errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.hw.config.config import Config, check_config
from softstream.hw.config.keys import quoted
from softstream.hw.errors import UserError
from softstream.hw.notebook import ROWS, array_rows, html_table
from softstream.hw.plan.ports import Output, outputs
from softstream.scripts.console import settings_text
from softstream.scripts.scores import Scores, quantise, to_labels
from softstream.sim.golden import Result, golden
from softstream.sim.golden.head import NamedArrays

if TYPE_CHECKING:
    from softstream.scripts.verbs.compare import Comparison
    from softstream.scripts.verbs.explore import Exploration

__all__ = ["RunResult", "compare", "explore", "run"]

_SCORES = ("best", "score", "top_scores")
"""Arrays of score codes."""
_BAR_WIDTH, _BAR_HEIGHT, _MOST_BARS = 4, 28, 64
"""Of the plot of a row, in pixels; the further elements of a row have no bar."""


class RunResult(NamedArrays):
    """The results of a head for scores, as real numbers, and the codes that the hardware puts out.

    A mapping from the names of the arrays, each of which is also an attribute. Codes become real numbers, float64: probabilities,
    logarithms, losses, exponentials, and the scores among the results, with the shift of their vector undone. Indices and flags
    stay integers and bools. Arrays have the shape in which the scores came, with K in place of N for Top-K.
    """

    config: Config
    scores: Scores
    """The codes of the scores, and what saturated."""
    codes: Result
    """The codes of the results, [V] or [V, N]."""

    def __init__(self, config: Config, scores: Scores, codes: Result) -> None:
        self.config, self.scores, self.codes = config, scores, codes
        self._rows = _real_values(config, scores, codes)
        restored = scores.layout.restored
        super().__init__(
            {name: restored(values, len(scores.codes) // len(values)) for name, values in self._rows.items()}
        )

    def __getattr__(self, name: str) -> Any:
        """Only for names that are no array: the message lists the arrays."""
        arrays = ", ".join(vars(self).get("_arrays", {}))
        raise AttributeError(f"'RunResult' has no attribute {name!r}; its arrays are {arrays}")

    def __repr__(self) -> str:
        """Type and shape of each array, and what became of the scores."""
        return f"RunResult({self._shapes}; {self.scores.text(self.config)})"

    def _repr_html_(self) -> str:
        """The first results as a table for notebooks, with a plot of each row of results."""
        header, rows = array_rows(self._rows)
        plotted = next((name for name in self._rows if _is_plotted(self.config, name)), None)
        if plotted is not None:
            header = (*header, f"plot of {plotted}")
            bars = [_bars(values) for values in self._rows[plotted][:ROWS]]
            rows = [(*row, plot) for row, plot in zip(rows, [*bars, ""][: len(rows)], strict=True)]
        return html_table(repr(self), header, rows, trusted=(header[-1],) if plotted is not None else ())


def _real_values(config: Config, scores: Scores, codes: Result) -> dict[str, np.ndarray]:
    """The arrays of the results with real numbers in place of codes, [V] or [V, N]."""
    values = dict(codes)
    for output in outputs(config):
        for field in output.fields:
            array = codes[field.array]
            if field.array in _SCORES:
                values[field.array] = _real_scores(config, scores, array, output)
            elif field.name == "probability":
                values[field.array] = np.where(
                    _present(config, scores, output, array), config.probability_of(array), 0.0
                )
            elif field.form:
                values[field.array] = array * 2.0 ** -int(field.form.rpartition(".")[2])
    return values


def _real_scores(config: Config, scores: Scores, codes: np.ndarray, output: Output) -> np.ndarray:
    """Score codes of results as real scores; for a mean of logits the mean of the members' scores."""
    members = config.ensemble
    shift = scores.shift if members == 1 else scores.shift.reshape(-1, members).mean(axis=1)
    if output.per == "rank":
        shift = shift[:, None]
    steps = members if config.sums_scores else 1  # in a sum
    real = (codes - steps * config.score_zero_point) * (config.score_scale / steps) + shift
    return np.where(_present(config, scores, output, codes), real, 0.0)


def _present(config: Config, scores: Scores, output: Output, values: np.ndarray) -> np.ndarray:
    """Which entries of an array of results exist; beyond the end of a vector, or of its ranks, there are none."""
    if output.per == "vector":
        return np.ones(values.shape, dtype=bool)
    places = output.places(config, scores.lengths, scores.sideband.get("mask"))
    return np.arange(values.shape[1]) < places[:, None]


def _is_plotted(config: Config, name: str) -> bool:
    """Whether an array has real results for each element or rank."""
    return any(
        output.per in ("element", "rank") and field.array == name and field.form
        for output in outputs(config)
        for field in output.fields
    )


def _bars(values: np.ndarray) -> str:
    """A row of values as bars, in SVG: from 0, or from the smallest value where one is negative."""
    shown = values[:_MOST_BARS].astype(float)
    low, high = min(0.0, float(shown.min())), max(float(shown.max()), 0.0)
    span = (high - low) or 1.0
    heights = np.rint((shown - low) / span * _BAR_HEIGHT).astype(int).tolist()
    width = _BAR_WIDTH * len(shown)
    bars = "".join(
        f'<rect x="{_BAR_WIDTH * column}" y="{_BAR_HEIGHT - height}" width="{_BAR_WIDTH - 1}" height="{height}"/>'
        for column, height in enumerate(heights)
    )
    return f'<svg width="{width}" height="{_BAR_HEIGHT}" fill="currentColor" role="img">{bars}</svg>'


def run(
    config: Config,
    scores: Any,
    lengths: Any = None,
    sideband: Mapping[str, Any] | None = None,
    *,
    axis: int = -1,
    codes: bool = False,
    saturate: bool = False,
) -> RunResult:
    """The results of a head for scores, as the golden model gives them, bit for bit those of the hardware.

    `scores`, `lengths`, `axis`, `codes` and `saturate` are those of `softstream.quantise`: floats are real scores, integers are
    codes, an array of more dimensions holds its vectors along `axis`, and −inf excludes an element of a head with a mask.
    `sideband` is that of `softstream.golden`, with the arrays in the shape of the scores or of the vectors.

    Raises `UserError` as these two do.
    """
    check_config(config)
    array = scores if isinstance(scores, np.ndarray) else np.asarray(scores)
    arrays = {name: np.asarray(values) for name, values in (sideband or {}).items()}
    mask = arrays.pop("mask", None) if config.mask else None  # the model refuses it in its own words
    inputs = quantise(
        config,
        array,
        None if lengths is None else np.asarray(lengths),
        mask=mask,
        axis=axis,
        codes=codes,
        saturate=saturate,
    )
    layout = inputs.layout
    for name, values in arrays.items():
        arrays[name] = layout.rows(values) if values.shape == layout.shape else layout.per_vector(values)
    inputs = replace(inputs, sideband={**arrays, **inputs.sideband})
    return RunResult(config, inputs, golden(config, inputs.codes, inputs.lengths, inputs.sideband))


def compare(
    config: Config, scores: Any = None, labels: Any = None, *, place: bool = False, **options: Any
) -> Comparison:
    """A comparison of the argmax and the softmax head of a configuration: its `answer`, its `rows()`, its `to_json()`.

    `scores` and `labels` are arrays or lists; without both the scores of the digits classifier. With `place` both heads are
    placed and routed, which takes a minute. `options` are those of `softstream.scripts.verbs.compare.compare`.
    """
    from softstream.scripts.verbs.compare import compare as compare_heads

    check_config(config)
    if scores is not None and not isinstance(scores, np.ndarray | Scores):
        scores = np.asarray(scores)
    return compare_heads(config, scores, None if labels is None else np.asarray(labels), place=place, **options)


def explore(
    config: Config,
    sweep: Mapping[str, Sequence[Any]],
    scores: Any = None,
    labels: Any = None,
    *,
    part: str = "hx8k",
    synthesise: bool = False,
    place: bool = False,
    seeds: int = 1,
    jobs: int = 0,
    saturate: bool = False,
    fmax_mhz: float | None = None,
    max_ulp: float | None = None,
    max_cells: int | None = None,
    max_flips: float | None = None,
    max_error: float | None = None,
    min_accuracy: float | None = None,
) -> Exploration:
    """Every combination of the values of some keys: the error bound, with scores also flips and errors, and the Pareto front.

    `sweep` maps a key to its values. `scores` and `labels` are arrays or lists; every point quantises floats for itself, where
    `saturate` lets the largest scores saturate. `synthesise` counts the cells of each point on the `part`. `place` also places
    and routes, which takes up to a minute for each point. `jobs` is the number of processes, 0 works in this one; a script that
    sets `jobs` needs `if __name__ == "__main__":`. The last six arguments are limits that the answer must meet, flips and
    accuracy in per cent.

    Raises `UserError` for keys, limits and scores that will not do.
    """
    check_config(config)
    from softstream.scripts.verbs.explore import How, Wish, explored
    from softstream.scripts.verbs.fidelity import EvaluationSet

    evaluation = None
    if scores is None and labels is not None:
        raise UserError("labels without scores: give the scores that they belong to, or neither")
    if scores is not None:
        inputs = scores if isinstance(scores, Scores) else quantise(config, np.asarray(scores), saturate=True)
        truth = None if labels is None else to_labels(np.asarray(labels), inputs)
        evaluation = EvaluationSet(inputs, truth, saturate)
    if not isinstance(sweep, Mapping) or any(
        isinstance(values, str) or not np.iterable(values) for values in sweep.values()
    ):
        raise UserError(
            f"sweep = {quoted(sweep)}: must map keys to lists of values; for example {{'score_width': [4, 8]}}"
        )
    settings = [f"{key}={','.join(_value_text(key, value) for value in values)}" for key, values in sweep.items()]
    how = How(seeds, place, synthesise or place, jobs)
    wish = Wish(fmax_mhz, max_ulp, max_cells, max_flips, max_error, min_accuracy)
    exploration, _ = explored(config.to_mapping(), settings, part, wish, how, evaluation)
    return exploration


def _value_text(key: str, value: Any) -> str:
    """A value as `--sweep` takes it."""
    plain = value.item() if isinstance(value, np.generic) else value
    return settings_text({key: plain}).partition("=")[2]
