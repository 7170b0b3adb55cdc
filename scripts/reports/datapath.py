"""The data path of a head as an SVG picture, with formats and cycles from the plan.

The picture follows the reader's light or dark scheme and has a background of its own, so it is legible on any page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.records import StagePlan
from softstream.scripts.verbs.data_path import DataPath, data_path

__all__ = ["datapath"]

_BOX_WIDTH, _BOX_HEIGHT = 132, 84
_PITCH, _LEFT, _FORK, _ROW = 170, 96, 10, 116
_LETTER = 9
"""Units that a letter of a label takes, at the most."""
_FITTING = 19
"""Letters of the small font that fit a box; longer texts are condensed to its width."""
_STYLE = (
    ".path{--paper:#ffffff;--ink:#1b2026;--muted:#57606a;--line:#8c959f;--fill:#eef4fb;--edge:#1f63b5;--end:#9a5a0c}"
    "@media screen and (prefers-color-scheme:dark){.path{--paper:#15191e;--ink:#e8eaed;--muted:#aab3bc;"
    "--line:#7d8590;--fill:#1c2a3a;"
    "--edge:#75aef0;--end:#e5a04b}}"
    ".path text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif;fill:var(--ink);font-size:15px}"
    ".path .name{font-weight:600}.path .small{font-size:12.5px;fill:var(--muted)}"
    ".path .end{font-weight:600;fill:var(--end)}.path .box{fill:var(--fill);stroke:var(--edge);stroke-width:1.5}"
    ".path .wire{fill:none;stroke:var(--line);stroke-width:1.8}.path .tip{fill:var(--line)}"
    "@media print{.path{min-width:0!important}}"
)
"""Every rule names the class of the picture, because the rules of a picture inside a page apply to the whole page."""

_FORMULAS = {
    "accumulate": "Σ 2^(βx)",
    "cdf_search": "first C above u",
    "cross_entropy": "ln Σ − x of the label",
    "divider": "M / m",
    "entropy_code": "log2 Σ − mean",
    "exact_sum": "differences of C",
    "final_round": "round once",
    "floor": "at least f",
    "frame": "cut into vectors",
    "groups": "cut into groups",
    "gumbel": "largest βx + noise",
    "hardmax": "1.0 for the winner",
    "insertion": "K largest, sorted",
    "inverse_temperature": "x · u",
    "lane_merge": "lists of the lanes",
    "leading_one": "Σ = 2^n · m",
    "log_softmax": "x − ln Σ",
    "log_sum": "ln Σ",
    "log_sum_exp": "ln Σ − largest x",
    "maximum": "largest, first index",
    "mean_logits": "mean of the scores",
    "mean_probabilities": "mean of the members",
    "null_beats": "drop empty beats",
    "power_of_two": "M · 2^−n",
    "random_words": "random bits",
    "ranked_store": "scores by rank",
    "replay": "scores of the vector",
    "round": "shift, round once",
    "running_sum": "Σ up to each element",
    "sigmoid": "1 / (1 + e^−x)",
    "skid": "output register",
    "smoothing": "weights of neighbours",
    "sum_share": "u · Σ",
    "unnormalised": "e^x",
}
"""Stage → what it computes, in as few letters as a box holds. A stage without one is drawn without it."""
_OF_BRANCH = {
    ("exponential", "sums"): "2^(βx)",
    ("exponential", "out"): "2^E · M",
    ("logarithm", "sums"): "log2 m",
    ("logarithm", "out"): "2^(βx − log2 Σ)",
    ("reciprocal", "sums"): "1 / m",
    ("reciprocal", "out"): "M · 1/m",
    ("two_pass", "sums"): "Σ 2^(βd)",
    ("two_pass", "out"): "2^(βd) / Σ, bit by bit",
}
"""The same of stages whose formula differs between the branches."""


@dataclass(frozen=True)
class _Place:
    """Where a stage of the plan is drawn: the left edge and the middle of its box, and the formula of the stage."""

    stage: StagePlan
    x: int
    y: int
    formula: str

    @property
    def right(self) -> int:
        return self.x + _BOX_WIDTH

    @property
    def middle(self) -> int:
        return self.x + _BOX_WIDTH // 2


@dataclass(frozen=True)
class _Drawing:
    """The boxes of a data path, branch by branch, and the size of the picture."""

    front: tuple[_Place, ...]
    winner: tuple[_Place, ...]
    sums: tuple[_Place, ...]
    out: tuple[_Place, ...]
    sources: tuple[_Place, ...]
    entry: int
    """Height of the scores."""
    right: int
    """Where the labels of the outputs begin."""

    @classmethod
    def of(cls, path: DataPath) -> "_Drawing":
        top = bool(path.winner or path.sources)
        levels = [0, _ROW * top, _ROW * (top + bool(path.sums))]
        high, middle, low = (50 + _BOX_HEIGHT // 2 - 33 + level for level in levels)
        entry = middle if path.sums else low
        fork = len(path.front)

        def row(stages: Sequence[StagePlan], columns: Sequence[int], y: int, branch: str) -> tuple[_Place, ...]:
            return tuple(
                _Place(
                    stage,
                    _LEFT + _PITCH * column + _FORK * (column >= fork),
                    y,
                    _OF_BRANCH.get((stage.name, branch), _FORMULAS.get(stage.name, "")),
                )
                for stage, column in zip(stages, columns, strict=True)
            )

        # The stage that takes the sum stands below the last stage of the sum, or farther right.
        join = max(path.join, len(path.sums) - 1)
        columns = [fork + place + (join - path.join) * (place >= path.join) for place in range(len(path.out))]
        sums = row(path.sums, range(fork, fork + len(path.sums)), middle, "sums")
        out = row(path.out, columns, low, "out")
        by_stage = {id(place.stage): place for place in (*sums, *out)}
        return cls(
            front=row(path.front, range(fork), entry, "front"),
            winner=row([path.winner] if path.winner else [], [fork] * bool(path.winner), high, "winner"),
            sums=sums,
            out=out,
            sources=tuple(
                _Place(source, by_stage[id(target)].x, by_stage[id(target)].y - _ROW, _FORMULAS.get(source.name, ""))
                for source, target in path.sources
            ),
            entry=entry,
            right=max(place.right for place in (*sums, *out)) + 36,
        )

    def boxes(self) -> list[_Place]:
        return [*self.front, *self.winner, *self.sums, *self.sources, *self.out]

    def wires(self, path: DataPath) -> Iterator[str]:
        """The wires of the branches, from the left to the right."""
        start = _text_end("scores")
        for place in self.front:
            yield _wire(start, self.entry, place.x)
            start = place.right
        bend = start + 24
        for branch in (self.winner, self.sums, self.out):
            if branch and branch[0].y == self.entry:
                yield _wire(start, self.entry, branch[0].x)
            elif branch:
                yield _bend(start, bend, self.entry, branch[0].y, branch[0].x)
            for before, after in pairwise(branch):
                yield _wire(before.right, before.y, after.x)
        if self.sums:
            # Boxes of the sum may end left of the stage that takes it.
            last, target = self.sums[-1], self.out[path.join]
            yield _drop(target.middle, last, target)
        for source in self.sources:
            yield _drop(
                source.middle, source, next(box for box in self.boxes() if box.x == source.x and box.y > source.y)
            )
        for place in self.winner if path.best else ():
            yield _wire(place.right, place.y, self.right - 6)
        yield _wire(self.out[-1].right, self.out[-1].y, self.right - 6)

    def labels(self, path: DataPath) -> Iterator[str]:
        """The names of what enters and leaves, and the note at the sum."""
        yield _text(18, self.entry + 5, "scores", "end")
        yield _text(18, self.entry + 23, path.scores.partition(",")[0], "small")
        for place in self.winner if path.best else ():
            yield _text(self.right, place.y + 5, path.best, "end")
            yield _text(self.right, place.y + 23, "index, score", "small")
        yield _text(self.right, self.out[-1].y + 5, path.output, "end")
        if self.sums:
            last, target = self.sums[-1], self.out[path.join]
            yield _text(target.middle + 10, (last.y + target.y) // 2 + 4, "once per vector", "small")


def datapath(config: Config, *, alone: bool = True) -> str:
    """The picture of a head: every stage of its plan, the branches and the outputs.

    A picture that stands alone has a background, and a caption with latency and interval.
    """
    path = data_path(plan(config))
    drawing = _Drawing.of(path)
    texts = list(drawing.labels(path))
    low = max(place.y for place in drawing.boxes()) + _BOX_HEIGHT // 2
    width = drawing.right + 16 + max(_LETTER * len(path.output), _LETTER * len(path.best), 90)
    if alone:
        sentence = _caption(config)
        texts.append(_text(18, low + 29, sentence, "small"))
        width = max(width, 36 + 7 * len(sentence))
    height = low + (47 if alone else 17)
    boxes = [_box(place) for place in drawing.boxes()]
    paper = f'<rect width="{width}" height="{height}" rx="8" fill="var(--paper)"/>\n' if alone else ""
    label = f"Data path: {path.scores} to {path.output}, in {len(boxes)} stages"
    return (
        f'<svg class="path" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg"><style>{_STYLE}</style>\n'
        + paper
        + "\n".join([*drawing.wires(path), *boxes, *texts])
        + "\n</svg>\n"
    )


def _caption(config: Config) -> str:
    derived = plan(config)
    scores = "One score" if config.lanes == 1 else f"{config.lanes} scores"
    return (
        f"{scores} per clock cycle. Vector of N scores: first result after "
        f"{derived.latency_text} cycles, next vector after {derived.interval_formula}."
    )


def _text_end(text: str) -> int:
    return 18 + _LETTER * len(text)


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'


def _box(place: _Place) -> str:
    stage, top = place.stage, place.y - _BOX_HEIGHT // 2
    cycles = f"{stage.latency_cycles} cycle{'s' * (stage.latency_cycles != 1)}"
    lines = (("name", stage.name), ("small", place.formula), ("small", stage.output_format), ("small", cycles))
    texts = "".join(
        f'<text x="{place.middle}" y="{top + 20 + 18 * row}" class="{kind}" text-anchor="middle"'
        f"{_condensed(text, _FITTING if kind == 'small' else _FITTING - 4)}>{escape(text)}</text>"
        for row, (kind, text) in enumerate(lines)
    )
    return (
        f"<g><title>{escape(f'{stage.name}: {stage.computes}')}</title>"
        f'<rect x="{place.x}" y="{top}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" class="box"/>{texts}</g>'
    )


def _condensed(text: str, fitting: int) -> str:
    """The attributes that fit a long text to a box."""
    return f' textLength="{_BOX_WIDTH - 10}" lengthAdjust="spacingAndGlyphs"' if len(text) > fitting else ""


def _arrow(path: str, x: int, y: int, *, down: bool = False) -> str:
    """A wire along `path` to its tip at (x, y)."""
    tip = f"{x},{y} {x - 5},{y - 8} {x + 5},{y - 8}" if down else f"{x},{y} {x - 8},{y - 5} {x - 8},{y + 5}"
    return f'<path d="{path}" class="wire"/><polygon points="{tip}" class="tip"/>'


def _wire(x: int, y: int, end: int) -> str:
    return _arrow(f"M{x} {y}H{end - 6}", end - 1, y)


def _bend(x: int, bend: int, y: int, level: int, end: int) -> str:
    return _arrow(f"M{x} {y}H{bend}V{level}H{end - 6}", end - 1, level)


def _drop(x: int, above: _Place, below: _Place) -> str:
    """A wire from a box to one of a lower row; where the upper one ends left of x, it leaves at its right side."""
    tip = below.y - _BOX_HEIGHT // 2 - 1
    start = f"M{x} {above.y + _BOX_HEIGHT // 2}" if above.x <= x <= above.right else f"M{above.right} {above.y}H{x}"
    return _arrow(f"{start}V{tip - 5}", x, tip, down=True)
