"""The range of the scores beside the range of the score code: how many saturate, and a histogram of both."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.groups import Grouping
from softstream.scripts.scores import Scores

__all__ = ["ScoreRange", "score_range", "share_text"]

_BINS = 24
_BARS = "▁▂▃▄▅▆▇█"
_EMPTY = "·"


@dataclass(frozen=True)
class ScoreRange:
    """The scores as real values, behind the shift of their vector, and the score code."""

    kind: str
    """`floats` or `codes`: what the person gave."""
    count: int
    """Scores that take part; excluded ones are left out."""
    excluded: int
    minimum: float
    maximum: float
    """Smallest and largest score, 0 where none takes part."""
    code_minimum: float
    code_maximum: float
    """Real values of the smallest and the largest code."""
    score_scale: float
    saturated: int
    """Scores beyond the code after the shift."""
    saturated_winners: int
    """Vectors, or groups, whose largest score is among them."""
    shifted: int
    """Vectors, or groups, that a constant was subtracted from, so that they fit the code."""
    edges: tuple[float, ...]
    """Edges of the histogram's bins; the first and the last bin also count everything beyond their edge."""
    counts: tuple[int, ...]

    @property
    def saturated_share(self) -> float:
        """Fraction of the scores that saturate."""
        return self.saturated / max(self.count, 1)

    @property
    def saturated_text(self) -> str:
        """How many scores saturate, with the share: `349 of 200000 scores (0.17 %) saturate`."""
        share = f" ({share_text(self.saturated_share)})" if self.saturated else ""
        winners = f", {self.saturated_winners} of them the largest of their vector" if self.saturated_winners else ""
        return f"{self.saturated} of {self.count} scores{share} saturate{winners}"

    @property
    def line(self) -> str:
        """The histogram in one line, with brackets around the bins of the score code."""
        most = max(self.counts)
        # The square root keeps a bin of few scores visible beside one of many.
        bars = [_BARS[min(7, int(8 * (count / most) ** 0.5))] if count else _EMPTY for count in self.counts]
        first, last = self.code_bins
        inside = f"[{''.join(bars[first:last])}]"
        histogram = f"{''.join(bars[:first])}{inside}{''.join(bars[last:])}"
        return (
            f"scores {self.minimum:.3g} {histogram} {self.maximum:.3g}, codes {self.code_minimum:.3g} to "
            f"{self.code_maximum:.3g}"
        )

    @property
    def code_bins(self) -> tuple[int, int]:
        """The first bin of the score code, and the one behind its last."""
        width = self.edges[1] - self.edges[0]
        half = self.score_scale / 2
        first = round((self.code_minimum - half - self.edges[0]) / width)
        return first, round((self.code_maximum + half - self.edges[0]) / width)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        lists = {"edges": list(self.edges), "counts": list(self.counts)}
        return {**vars(self), **lists, "saturated_share": self.saturated_share}


def share_text(fraction: float) -> str:
    """A share in per cent, with a digit that is not 0: `0.17 %`."""
    percent = 100 * fraction
    return f"{percent:.2f} %" if percent >= 0.1 or not percent else f"{percent:.1g} %"


def score_range(config: Config, scores: Scores) -> ScoreRange:
    """Range and histogram of the scores, as the quantiser of `config` receives them behind the shift."""
    low, high = config.score_format.minimum, config.score_format.maximum
    present = np.arange(scores.codes.shape[1]) < scores.lengths[:, None]
    everything = int(np.count_nonzero(present))
    if scores.mask is not None:
        present &= ~scores.mask.astype(bool)
    if scores.floats is None:
        values = config.real_value(scores.codes)
    else:
        with np.errstate(over="ignore"):
            values = np.where(present, scores.floats, 0) - _shift_of_elements(config, scores)
    values = values[present]
    smallest, largest = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not values.size:
        smallest = largest = 0.0
    code_minimum, code_maximum = config.real_value(low), config.real_value(high)
    edges, counts = _histogram(values, smallest, largest, code_minimum, code_maximum, config.score_scale)
    return ScoreRange(
        kind="codes" if scores.floats is None else "floats",
        count=int(values.size),
        excluded=everything - int(values.size),
        minimum=smallest,
        maximum=largest,
        code_minimum=code_minimum,
        code_maximum=code_maximum,
        score_scale=config.score_scale,
        saturated=scores.saturated,
        saturated_winners=scores.saturated_winners,
        shifted=scores.shifted,
        edges=edges,
        counts=counts,
    )


def _shift_of_elements(config: Config, scores: Scores) -> np.ndarray:
    """What was subtracted from each score, [V, N] or [V, 1]."""
    if not config.groups:
        return scores.shift[:, None]
    groups = Grouping(config.groups, scores.lengths)
    shift = np.broadcast_to(
        groups.split_groups(scores.shift)[:, None], (len(groups.lengths), int(groups.lengths.max()))
    )
    return groups.join(shift, scores.codes.shape[1])


def _histogram(
    values: np.ndarray, smallest: float, largest: float, code_minimum: float, code_maximum: float, scale: float
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Bins that contain the score code and, up to its width on each side, the scores beyond it; the code ends at edges.

    What rounds to a code of the format lies in the bins of the code.
    """
    start, end = code_minimum - scale / 2, code_maximum + scale / 2
    width = end - start
    below = min(max(start - smallest, 0.0) / width, 1.0)
    above = min(max(largest - end, 0.0) / width, 1.0)
    inner = max(4, round(_BINS / (1 + below + above)))
    before, after = (int(np.ceil(part * inner)) for part in (below, above))
    edges = start + width / inner * np.arange(-before, inner + after + 1)
    places = np.floor((np.clip(values, edges[0], edges[-1]) - start) / (width / inner)).astype(np.int64) + before
    counts = np.bincount(np.clip(places, 0, len(edges) - 2), minlength=len(edges) - 1)
    return tuple(map(float, edges)), tuple(map(int, counts))
