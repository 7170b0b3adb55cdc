"""The table of modes: its names, and that no other module compares a mode's name with text."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES, Mode
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import outputs

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for room in ("hw", "sim", "boards", "scripts")
    for path in (ROOT / room).rglob("*.py")
    if path != ROOT / "hw" / "config" / "modes.py"
)


def test_names_are_those_of_the_type() -> None:
    assert tuple(MODES) == get_args(Mode)
    assert all(traits.name == name and traits.summary for name, traits in MODES.items())


def _names_a_mode(node: ast.expr) -> bool:
    """Whether an expression reads `mode`, as an attribute or a variable, by itself or in a tuple."""
    if isinstance(node, ast.Tuple):
        return any(map(_names_a_mode, node.elts))
    return (isinstance(node, ast.Attribute) and node.attr == "mode") or (
        isinstance(node, ast.Name) and node.id == "mode"
    )


def comparisons(source: str) -> list[int]:
    """Lines that compare a mode with a text that is the name of one, or of several."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(map(_names_a_mode, [node.left, *node.comparators]))
        and any(isinstance(part, ast.Constant) and part.value in MODES for part in ast.walk(node))
    ]


def test_no_module_compares_a_mode_with_text() -> None:
    lines = {str(path.relative_to(ROOT)): comparisons(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert not {path: numbers for path, numbers in lines.items() if numbers}


@pytest.mark.parametrize(
    "source",
    [
        'config.mode == "softmax"',
        'config.mode not in ("argmax", "sample")',
        '"sigmoid" != mode',
        '(config.mode, config.sampler) == ("sample", "gumbel")',
    ],
)
def test_comparisons_are_seen(source: str) -> None:
    assert comparisons(source) == [1]
    assert not comparisons('file.mode == "w"')


@pytest.mark.parametrize("mode", MODES)
def test_facts_agree_with_the_outputs(mode: str) -> None:
    config = Config.from_mapping({"mode": mode, "max_length": 8})
    traits, streams = config.traits, outputs(config)
    arrays = {field.array for output in streams for field in output.fields}
    assert traits.per_element == any(output.per == "element" for output in streams)
    assert traits.probabilities == bool(arrays & {"probabilities", "top_probabilities", "one_hot"})
    assert traits.logarithmic == bool(arrays & {"log_probabilities", "losses", "log_sums"})
    assert traits.entropy == ("entropies" in arrays)


@pytest.mark.parametrize("mode", MODES)
def test_groups_are_refused_with_the_reason_of_the_mode(mode: str) -> None:
    values = {"mode": mode, "max_length": 8, "groups": [8]}
    if MODES[mode].groups:
        assert Config.from_mapping(values).groups == (8,)
    else:
        with pytest.raises(UserError, match=MODES[mode].groups_refusal):
            Config.from_mapping(values)
