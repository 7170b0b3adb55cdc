"""An argument of a wrong type to every public function, and a wrong word to every command that measures: one line each."""

import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

import softstream
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts import measure

CONFIG = Config(mode="argmax", max_length=4)
SCORES = np.zeros((2, 4), dtype=np.int64)
FUNCTIONS = {
    "plan": (CONFIG,),
    "verilog": (CONFIG,),
    "Head": (CONFIG,),
    "preset": ("softmax-int8",),
    "golden": (CONFIG, SCORES),
    "quantise": (CONFIG, SCORES),
    "best_scale": (CONFIG, SCORES.astype(float)),
    "run": (CONFIG, SCORES),
    "compare": (CONFIG, SCORES),
    "explore": (CONFIG, {"score_width": [4]}, SCORES),
    "import_onnx": ("model.onnx",),
}
"""Right arguments, of which one at a time is replaced."""
NO_FUNCTIONS = {"StateMerger", "merge_states"}
"""Which take what other functions return, or stand in a design."""
WRONG = {
    "mapping": {},
    "list": [],
    "mapping of a number": {1: 2},
    "nothing": None,
    "integer": 3,
    "real": 1.5,
    "text": "x",
    "bytes": b"x",
    "object": object(),
    "class": Config,
    "array of objects": np.full((2, 4), None),
    "long array": np.zeros((100, 100), dtype=object),
}
SENSIBLE = {
    ("explore", 1): {"mapping"},
    ("explore", 2): {"nothing"},
}
"""(function, number of the argument): what it takes for an argument after all, such as no scores."""


def test_every_function_is_tried():
    names = {name for name in softstream.__all__ if inspect.isroutine(getattr(softstream, name))}
    assert names - NO_FUNCTIONS == set(FUNCTIONS)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, right in FUNCTIONS.items() for number in range(len(right))]
)
def test_a_wrong_type_is_one_line(name, number, wrong):
    arguments = list(FUNCTIONS[name])
    arguments[number] = WRONG[wrong]
    if wrong in SENSIBLE.get((name, number), ()):
        getattr(softstream, name)(*arguments)
        return
    with pytest.raises(UserError) as refused:
        getattr(softstream, name)(*arguments)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 2000


COMMANDS = sorted(
    path.stem for path in Path(measure.__path__[0]).glob("*.py") if 'if __name__ == "__main__"' in path.read_text()
)
WRONG_WORDS = {
    "pairs": "no-board",
    "proofs": "no-head",
    "stock": "--presets=no-preset",
    "components": "--part=hx8k",
    "resources": "--no-option",
}


def test_every_command_is_tried():
    assert sorted(WRONG_WORDS) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_word_is_one_line_and_exit_code_2(name, capsys):
    main = importlib.import_module(f"softstream.scripts.measure.{name}").main
    try:
        code = main([WRONG_WORDS[name]])
    except SystemExit as ended:  # of argparse, which prints the usage first
        code = ended.code
    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert "error: " in lines[-1]
    assert not [line for line in lines[:-1] if not line.startswith(("usage: ", " "))]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_error_of_the_work_is_one_line(name, monkeypatch, capsys):
    module = importlib.import_module(f"softstream.scripts.measure.{name}")

    def fail(*arguments, **named):
        raise UserError("the work failed; for example not")

    monkeypatch.setattr(module, "_work", fail)
    assert module.main([]) == 2
    assert capsys.readouterr().err == "error: the work failed; for example not\n"
