"""The comments of the generated Verilog: what the head does, its ports and rules, and what each module computes."""

from __future__ import annotations

import ast
import inspect
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import Plan, plan
from softstream.hw.plan.paths import port_paths

__all__ = ["component_comment", "head_comment"]

_WIDTH = 100
_ASCII = str.maketrans(
    {
        "·": "*", "×": "x", "–": "-", "−": "-", "…": "..", "≤": "<=", "≥": ">=", "≠": "!=", "→": "->", "←": "<-", "Σ": "sum ",
        "²": "^2", "½": "1/2", "’": "'", "ρ": "rho", "ε": "eps", "α": "alpha", "β": "beta", "δ": "delta", "Δ": "delta",
        "⌈": "ceil(", "⌉": ")", "⌊": "floor(", "⌋": ")", "∈": "in", "∞": "infinity", "√": "sqrt ", "±": "+-", "≈": "about ",
        "τ": "tau", "λ": "lambda", "μ": "mu", "σ": "sigma", "⊕": "xor", "Π": "product of ", "∨": "or", "∧": "and", "¬": "not ",
    }
)  # fmt: skip


def _ascii(text: str) -> str:
    """A text in ASCII, which all tools read the same way."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_ASCII))
    return decomposed.encode("ascii", "ignore").decode()


def _paragraph(text: str, first: str = "", later: str = "") -> Iterator[str]:
    """The lines of a comment; `first` and `later` stand before the first line and before the others."""
    words = " ".join(_ascii(text).replace("`", "").split())
    body = textwrap.fill(words, _WIDTH, initial_indent=first, subsequent_indent=later)
    yield from (f"// {line}" for line in body.splitlines())


def component_comment(place: str, source: str) -> Iterator[str]:
    """What a module of the hierarchy computes, and the file that describes it. `source` is a line of its component."""
    path, _, number = source.rpartition(":")
    file, name, text = _component(path, int(number)) if path else ("", "", "")
    yield from _paragraph(" - ".join(filter(None, (place or "top", f"{name} in {file}" if file else ""))))
    yield from _paragraph(text)


@lru_cache(maxsize=512)
def _component(path: str, number: int) -> tuple[str, str, str]:
    """File, below the package, name and first paragraph of the class that a line belongs to."""
    here = Path(__file__).resolve().parents[1]
    place = Path(path).resolve()
    if not place.is_relative_to(here):
        return "", "", ""
    tree = ast.parse(place.read_text(encoding="utf-8"))
    nodes = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.lineno <= number <= (node.end_lineno or 0)
    ]
    node = nodes[0] if nodes else tree
    text = inspect.cleandoc(ast.get_docstring(node) or "").partition("\n\n")[0]
    return f"{here.name}/{place.relative_to(here).as_posix()}", getattr(node, "name", ""), text


def head_comment(config: Config, name: str, files: Sequence[str]) -> Iterator[str]:
    """What the head computes, how fast and how exactly, its keys and ports, and the rules of its use.

    `files`: those that the text reads.
    """
    derived = plan(config)
    yield from _paragraph(f"{name}: {config.traits.summary}")
    yield "//"
    yield "// Data path:"
    for stage in derived.stages:
        yield from _paragraph(f"{stage.name}: {stage.computes}; {stage.output_format}", "  ", "    ")
    yield "//"
    yield from _paragraph(
        f"Latency: {derived.latency_text} cycles from a vector's first score to its first result, unstalled."
    )
    yield from _paragraph(f"Interval: {derived.interval_formula} cycles from vector to vector.")
    if derived.bound_text:
        yield from _paragraph(f"Error bound: {derived.bound_text}.")
    for text in derived.law_texts:
        yield from _paragraph(f"{text[0].upper()}{text[1:]}.")
    yield "//"
    yield "// Keys that matter in this mode:"
    for key, value in config.relevant().items():
        yield from _paragraph(f"{key} = {value}", "  ", "    ")
    yield "//"
    yield "// Ports:"
    for port in derived.ports:
        bits = f"[{port.width - 1}:0]" if port.width > 1 else ""
        yield from _paragraph(f"{port.direction} {port.name}{bits}: {port.meaning}", "  ", "    ")
    yield "//"
    yield "// Rules:"
    for rule in _rules(derived):
        yield from _paragraph(rule, "  - ", "    ")
    if files:
        text = f"Tools read {', '.join(files)} from the folder in which they run, or from that of this file."
        yield from _paragraph(text, "  - ", "    ")


def _rules(derived: Plan) -> Iterator[str]:
    config = derived.config
    streams = sorted({port.name.rpartition("_")[0] for port in derived.ports if port.name.startswith("m_axis")})
    yield "aresetn low at one rising edge of aclk is enough. Nothing of an interrupted vector comes out afterwards."
    yield "s_axis_tlast must mark the last score of every vector. A longer vector is cut and flagged as overlong."
    yield (
        f"The head uses the first {config.max_length} elements of a vector. The result of an overlong vector may come before "
        "its tlast."
    )
    if len(streams) > 1:
        yield f"All outputs must be taken: {', '.join(streams)}. Tie tready of an unused one to 1; its results are then lost."
    for path in port_paths(config):
        yield f"{path.source} reaches {path.target} in the same cycle, without a register between them."
    yield "A stream holds tdata, tlast and tuser from tvalid until tready."
