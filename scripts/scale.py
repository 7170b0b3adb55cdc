"""`score_scale = auto`: the scale with which the quantised scores change the probabilities least.

The measure of a scale is the mean over the vectors of the largest error of a probability: |p(x) − p(x̂)|, where x̂ are the scores
as their codes state them, and p is softmax with the temperature of the configuration. Sigmoid has its own values, and so has the
exponential, relative to the largest score of each vector; argmax, hardmax and Top-K are measured by softmax, too. The mean is
robust against single outliers, and it counts saturated scores for what they change. No vector is shifted, because the network
in front of the hardware knows no shift either; but where scores of one sign have no code, as in an unsigned format, all are.

The candidates begin with the scale that holds the largest magnitude, and fall by octaves; then by eighths of an octave around the
best, each rounded up to three digits. A further candidate is the step of scores that are multiples of one step, as those of a
dequantised file are. Of equal scales the largest is taken.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.groups import Grouping
from softstream.scripts.quantiser import quantised
from softstream.scripts.scores import MOST_ELEMENTS, ScoreFile, Scores, quantise, read_scores
from softstream.sim.reference.softmax import merits

__all__ = ["AUTO", "ScaleChoice", "best_scale", "scale_of_file", "scale_of_scores"]

AUTO = "auto"
_OCTAVES = 40
"""Octaves below the scale of the largest magnitude, for single scores that are as much larger than all others."""
_EIGHTHS = 8
_SAMPLE = 1 << 18
"""Elements that a scale is measured on; of larger files evenly spaced vectors, and those with extreme maxima."""
_TRIALS = tuple(2.0**-exponent for exponent in (4, 0, 8, 12, 16, 20))
"""Scales of a configuration before one is chosen: the first that its rules accept."""


@dataclass(frozen=True)
class ScaleChoice:
    """The scale that was chosen, and why."""

    scale: float
    error: float
    """The mean over the measured vectors of the largest error of a probability."""
    candidates: int
    saturated: int
    """Measured scores that saturate without a shift."""
    elements: int
    """Measured scores."""
    lost: int
    """Measured vectors that `quantise` would refuse, because their largest score saturates and no shift is allowed."""
    part: str = ""
    """Which vectors of a large file were read, in words."""

    @property
    def text(self) -> str:
        """The choice in one line."""
        text = (
            f"score_scale = {AUTO}: {self.scale:g}, of {self.candidates} scales the one with the smallest mean error of the "
            f"probabilities, {self.error:.2g}; {self.saturated} of {self.elements} scores saturate without a shift"
        )
        return f"{text}; {self.part}" if self.part else text


def best_scale(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None = None,
    *,
    axis: int = -1,
    saturate: bool = False,
) -> ScaleChoice:
    """The `score_scale` that suits real scores, whatever that of `config` is; the arrays are those of `quantise`.

    Raises `UserError` as `quantise` does, for integers, and where the configuration accepts none of the scales.
    """
    trial = quantise(config, scores, lengths, axis=axis, saturate=True)
    return scale_of_scores(trial, lambda scale: config.replace(score_scale=scale), "scores", saturate=saturate)


def scale_of_file(file: ScoreFile | None, config_of: Callable[[float], Config]) -> ScaleChoice:
    """The best scale for the floats in a file; `config_of` gives the configuration with a scale.

    Raises `UserError` without a file, and as `read_scores` and `scale_of_scores` do.
    """
    if file is None:
        raise UserError(
            f"score_scale = {AUTO}: is chosen from float scores, and there are none; for example softstream run --scores F.npy, "
            "or --set score_scale=0.0625"
        )
    scores = read_scores(_trial(config_of), replace(file, saturate=True), most=MOST_ELEMENTS)
    choice = scale_of_scores(scores, config_of, file.scores, saturate=file.saturate)
    return replace(choice, part=scores.layout.part_text)


def _trial(config_of: Callable[[float], Config]) -> Config:
    """A configuration with any scale that its rules accept. Raises the refusal of the first scale where there is none."""
    refusals = []
    for scale in _TRIALS:
        try:
            return config_of(scale)
        except UserError as refusal:
            refusals.append(refusal)
    raise refusals[0]


def scale_of_scores(
    scores: Scores, config_of: Callable[[float], Config], name: str, *, saturate: bool = False
) -> ScaleChoice:
    """The best scale for scores that were quantised with any other; `config_of` gives the configuration with a scale.

    Without `saturate` no largest score saturates where no shift is allowed.
    """
    if scores.floats is None:
        raise UserError(
            f"score_scale = {AUTO}: {name} holds integer codes, whose scale is that of their quantiser; must be floats; "
            "for example --set score_scale=0.0625"
        )
    vectors = _Vectors.of(_trial(config_of), scores)
    measured: dict[float, ScaleChoice] = {}

    def measure(scales: Iterator[float]) -> None:
        for scale in scales:
            if scale in measured or not 0 < scale < np.inf:
                continue
            try:
                config = config_of(scale)
            except UserError:  # too fine or too coarse for the mode
                continue
            measured[scale] = vectors.measured(config, saturate)

    def best() -> float:
        return min(measured, key=lambda scale: (measured[scale].lost, round(measured[scale].error, 12), -scale))

    full = vectors.full_scale(_trial(config_of))
    measure(_rounded_up(full * 2.0**-octave) for octave in range(_OCTAVES + 1))
    if not measured:
        config_of(_rounded_up(full))  # raises the refusal
    around = best()
    measure(_rounded_up(around * 2.0 ** (eighth / _EIGHTHS)) for eighth in range(-_EIGHTHS + 1, _EIGHTHS))
    measure(iter([vectors.step()]))
    return replace(measured[best()], candidates=len(measured))


def _rounded_up(scale: float) -> float:
    """To three digits; half a unit of the last digit is at most half a per cent."""
    return float(f"{scale * 1.005:.2e}")


@dataclass(frozen=True)
class _Vectors:
    """Real scores [V, N], of which those of `present` take part."""

    scores: np.ndarray
    present: np.ndarray
    _kept: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, scores: Scores) -> "_Vectors":
        """A sample of the vectors, of groups one by one."""
        assert scores.floats is not None
        floats, lengths = scores.floats, scores.lengths
        every = max(1, -(-floats.size // _SAMPLE))
        largest = floats.max(axis=1)
        rows = np.unique([*range(0, len(floats), every), largest.argmin(), largest.argmax()])
        floats, lengths = floats[rows], lengths[rows]
        present = (np.arange(floats.shape[1]) < lengths[:, None]) & np.isfinite(floats)
        floats = np.where(present, floats, 0)
        if config.groups:
            groups = Grouping(config.groups, lengths)
            floats, present = groups.split(floats), groups.split(present).astype(bool)
        return cls(floats, present)

    def full_scale(self, config: Config) -> float:
        """The smallest scale with which no score saturates, or no difference where scores of one sign have no code."""
        low, high = (
            end - config.score_zero_point for end in (config.score_format.minimum, config.score_format.maximum)
        )
        if self._shifts(config):
            present = np.where(self.present, self.scores, np.nan)[self.present.any(axis=1)]
            spans = np.nanmax(present, axis=1) - np.nanmin(present, axis=1) if len(present) else np.zeros(1)
            full = float(spans.max()) / (high - low)
        else:
            full = max(float(self.scores.max()) / high if high else 0.0, float(self.scores.min()) / low if low else 0.0)
        return full if 0 < full < np.inf else config.score_scale

    def step(self) -> float:
        """The step of scores that are all multiples of one; 0 where there is none."""
        sizes = np.unique(np.abs(self.scores[self.present]))
        if not sizes.size or not sizes[-1]:
            return 0.0
        apart = np.diff(np.append(0.0, sizes))
        apart = apart[apart > 1e-6 * sizes[-1]]
        step = float(sizes[-1] / np.rint(sizes[-1] / apart.min()))
        multiples = sizes / step
        return float(f"{step:.7g}") if np.abs(multiples - np.rint(multiples)).max() < 0.01 else 0.0

    def measured(self, config: Config, saturate: bool) -> ScaleChoice:
        """The measure of the scale of a configuration, as a choice of one."""
        result = quantised(config, self.scores, self.present, saturate=not self._shifts(config))
        restored = config.real_value(result.codes) + result.shift[:, None]
        errors = np.abs(self._values(config, restored) - self._exact(config))
        return ScaleChoice(
            scale=config.score_scale,
            error=float(errors.max(axis=1).mean()),
            candidates=1,
            saturated=int(np.count_nonzero(result.saturated)),
            elements=int(np.count_nonzero(self.present)),
            lost=0 if saturate or config.shift_invariant else int(np.count_nonzero(result.lost)),
        )

    def _shifts(self, config: Config) -> bool:
        """Whether scores are measured behind a shift, because the format has no code for those of one sign."""
        negative = config.score_zero_point == config.score_format.minimum and bool((self.scores < 0).any())
        positive = config.score_zero_point == config.score_format.maximum and bool((self.scores > 0).any())
        return config.shift_invariant and (negative or positive)

    def _exact(self, config: Config) -> np.ndarray:
        """The values of the scores themselves, which no scale changes; kept after the first call."""
        if "exact" not in self._kept:
            self._kept["exact"] = self._values(config, self.scores)
        return self._kept["exact"]

    def _values(self, config: Config, scores: np.ndarray) -> np.ndarray:
        """Softmax of the scores, or the values of a mode that has no softmax, 0 where no element takes part."""
        with np.errstate(over="ignore"):
            if config.traits.independent:  # a sigmoid of each score
                return np.where(self.present, 1 / (1 + np.exp(-scores / config.temperature)), 0)
            basis = merits(config, self.scores if config.traits.exponentials else scores)
            largest = np.where(self.present, basis, -np.inf).max(axis=1, keepdims=True)
            exponents = np.where(self.present, merits(config, scores) - largest, -np.inf) / config.temperature
            exponentials = np.exp(exponents)
        if config.traits.exponentials:
            return np.asarray(exponentials)
        total = exponentials.sum(axis=1, keepdims=True)
        return np.asarray(exponentials / np.where(total == 0, 1, total))
