"""The data path of a softmax head as an SVG picture, with formats and cycles from the plan.

The picture follows the reader's light or dark scheme and has a background of its own, so it is legible on any page.
"""

from dataclasses import dataclass
from html import escape

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.records import StagePlan

__all__ = ["datapath"]

_WIDTH, _HEIGHT, _RIGHT = 1060, 336, 954
_BOX_WIDTH, _BOX_HEIGHT = 132, 66
_STYLE = (
    "svg{--paper:#ffffff;--ink:#1b2026;--muted:#57606a;--line:#8c959f;--fill:#eef4fb;--edge:#1f63b5;--end:#9a5a0c}"
    "@media (prefers-color-scheme:dark){svg{--paper:#15191e;--ink:#e8eaed;--muted:#aab3bc;--line:#7d8590;--fill:#1c2a3a;"
    "--edge:#75aef0;--end:#e5a04b}}"
    "text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif;fill:var(--ink);font-size:15px}"
    ".name{font-weight:600}.small{font-size:12.5px;fill:var(--muted)}.end{font-weight:600;fill:var(--end)}"
    ".box{fill:var(--fill);stroke:var(--edge);stroke-width:1.5}.wire{fill:none;stroke:var(--line);stroke-width:1.8}"
    ".tip{fill:var(--line)}"
)


@dataclass(frozen=True)
class _Place:
    """Where a stage of the plan is drawn: the left edge and the middle of its box, and the formula of the stage."""

    stage: str
    x: int
    y: int
    formula: str

    @property
    def right(self) -> int:
        return self.x + _BOX_WIDTH


_TOP, _MIDDLE, _BOTTOM = 50, 154, 258
_PLACES = (
    _Place("frame", 96, _MIDDLE, "cut into vectors"),
    _Place("maximum", 276, _TOP, "largest, first index"),
    _Place("exponential", 276, _MIDDLE, "2^(βx)"),
    _Place("accumulate", 446, _MIDDLE, "Σ 2^(βx)"),
    _Place("leading_one", 616, _MIDDLE, "Σ = 2^n · m"),
    _Place("replay", 276, _BOTTOM, "scores of the vector"),
    _Place("exponential", 446, _BOTTOM, "2^E · M"),
    _Place("divider", 616, _BOTTOM, "M / m"),
    _Place("round", 786, _BOTTOM, "shift, round once"),
)
"""Stages in the order of the plan of a softmax head with the normaliser divider."""


def datapath(config: Config) -> str:
    """The picture of a softmax head with `normaliser = divider`, the only one whose stages it places.

    Raises `ValueError` if the stages of the plan are not those of the picture.
    """
    stages = plan(config).stages
    if [stage.name for stage in stages] != [place.stage for place in _PLACES]:
        raise ValueError(f"the picture places other stages: {', '.join(stage.name for stage in stages)}")
    frame, maximum, first, total, divisor, ring, second, quotient, result = _PLACES
    entry = (frame.right + maximum.x) // 2
    wires = [
        _wire(_text_end("scores"), _MIDDLE, frame.x),
        _wire(frame.right, _MIDDLE, first.x),
        _bend(entry, _MIDDLE, _TOP, maximum.x),
        _bend(entry, _MIDDLE, _BOTTOM, ring.x),
        _wire(maximum.right, _TOP, _RIGHT - 6),
        _wire(first.right, _MIDDLE, total.x),
        _wire(total.right, _MIDDLE, divisor.x),
        _drop(divisor.x + _BOX_WIDTH // 2, _MIDDLE, _BOTTOM),
        _wire(ring.right, _BOTTOM, second.x),
        _wire(second.right, _BOTTOM, quotient.x),
        _wire(quotient.right, _BOTTOM, result.x),
        _wire(result.right, _BOTTOM, _RIGHT - 6),
    ]
    texts = [
        _text(18, _MIDDLE + 5, "scores", "end"),
        _text(_RIGHT, _TOP + 5, "winner", "end"),
        _text(_RIGHT, _TOP + 23, "index, score", "small"),
        _text(_RIGHT, _BOTTOM + 5, "probabilities", "end"),
        _text(divisor.x + _BOX_WIDTH // 2 + 10, (_MIDDLE + _BOTTOM) // 2 + 4, "once per vector", "small"),
        _text(18, _BOTTOM + 62, _caption(config), "small"),
    ]
    boxes = [_box(place, stage) for place, stage in zip(_PLACES, stages, strict=True)]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Data path of a softmax head" '
        f'xmlns="http://www.w3.org/2000/svg"><style>{_STYLE}</style>\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="var(--paper)"/>\n'
        + "\n".join([*wires, *boxes, *texts])
        + "\n</svg>\n"
    )


def _caption(config: Config) -> str:
    derived = plan(config)
    return (
        f"One score per clock cycle. Vector of N scores: first probability after {derived.latency_text} cycles, "
        f"next vector after {derived.interval_formula}."
    )


def _text_end(text: str) -> int:
    return 18 + 9 * len(text)


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'


def _box(place: _Place, stage: StagePlan) -> str:
    middle, top = place.x + _BOX_WIDTH // 2, place.y - _BOX_HEIGHT // 2
    form = stage.output_format if len(stage.output_format) <= 8 else ""
    cycles = f"{stage.latency_cycles} cycles"
    lines = (("name", stage.name), ("small", place.formula), ("small", f"{form} · {cycles}" if form else cycles))
    texts = "".join(
        f'<text x="{middle}" y="{top + 21 + 18 * row}" class="{kind}" text-anchor="middle">{escape(text)}</text>'
        for row, (kind, text) in enumerate(lines)
    )
    return f'<rect x="{place.x}" y="{top}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" class="box"/>{texts}'


def _arrow(path: str, x: int, y: int, *, down: bool = False) -> str:
    """A wire along `path` to its tip at (x, y)."""
    tip = f"{x},{y} {x - 5},{y - 8} {x + 5},{y - 8}" if down else f"{x},{y} {x - 8},{y - 5} {x - 8},{y + 5}"
    return f'<path d="{path}" class="wire"/><polygon points="{tip}" class="tip"/>'


def _wire(x: int, y: int, end: int) -> str:
    return _arrow(f"M{x} {y}H{end - 6}", end - 1, y)


def _bend(x: int, y: int, level: int, end: int) -> str:
    return _arrow(f"M{x} {y}V{level}H{end - 6}", end - 1, level)


def _drop(x: int, y: int, level: int) -> str:
    return _arrow(
        f"M{x} {y + _BOX_HEIGHT // 2}V{level - _BOX_HEIGHT // 2 - 6}", x, level - _BOX_HEIGHT // 2 - 1, down=True
    )
