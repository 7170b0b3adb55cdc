"""The hardware equals its golden model for random configurations of every mode and option, under random stalls."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, seed, settings
from support import fuzz, head_bench
from support.bound_check import SETTINGS, run_command, stimulus
from support.hardware_check import (
    IMPLEMENTATION,
    check_hardware,
    check_translation,
    check_verilog,
    heads,
    search_hardware,
)

from softstream.hw.config.config import KEYS, Config
from softstream.sim.golden import golden


def test_random_heads_equal_their_model() -> None:
    search_hardware(10, 1)()


@pytest.mark.long
@pytest.mark.parametrize("number", range(2, 8))
def test_more_random_heads_equal_their_model(number: int) -> None:
    search_hardware(40, number)()


@pytest.mark.long
def test_the_verilog_of_random_heads_equals_their_model() -> None:
    search_hardware(4, 9, check_verilog)()


@pytest.mark.long
def test_the_verilog_of_random_heads_is_their_description() -> None:
    search_hardware(12, 3, check_translation)()


@pytest.mark.long
def test_every_key_is_drawn() -> None:
    """The configurations of the search differ from the default in every key, each with several values where it has them."""
    values: dict[str, set[Any]] = {key.name: set() for key in KEYS}

    @seed(1)
    @settings(SETTINGS, max_examples=900)
    @given(heads())
    def collect(config: Config | None) -> None:
        for name in values if config is not None else ():
            values[name].add(getattr(config, name))

    collect()
    assert not [name for name, drawn in values.items() if len(drawn) < 2]
    assert not [name for name, drawn in IMPLEMENTATION.items() if not values[name] >= set(drawn)]


def wrong_argmax(config: Config, *inputs: Any) -> Any:
    """The golden model, with a wrong score code of the winner in mode argmax."""
    result = golden(config, *inputs)
    if config.mode == "argmax" and config.score_width > 2:
        result["best"][:] ^= 1
    return result


def test_a_difference_fails_with_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(mode="argmax", max_length=5, score_width=4)
    check_hardware(config, 1)
    monkeypatch.setattr(head_bench, "golden", wrong_argmax)
    with pytest.raises(AssertionError) as failure:
        check_hardware(config, 1)
    assert str(failure.value).splitlines()[-2:] == [
        'PYTHONPATH=tests python -c "from support.hardware_check import *; from softstream import Config; '
        "check_hardware(Config(mode='argmax', max_length=5, score_width=4), 1)\"",
        "softstream simulate --set mode=argmax --set max_length=5 --set score_width=4 --seed 1",
    ]


@pytest.mark.long
def test_a_difference_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_bench, "golden", wrong_argmax)
    with pytest.raises(AssertionError, match=r"check_hardware\(Config\(mode='argmax', ") as failure:
        search_hardware(150, 1)()
    assert str(failure.value).splitlines()[-1].count("--set") <= 6


def test_the_commands_of_a_failure_run(tmp_path: Path) -> None:
    config = Config(max_length=5, mask=True, groups=[2, 5], score_width=4)
    sent = stimulus(config, np.random.default_rng(1), 4)
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = run_command(config, sent, slice(1, 3))
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "result.npz") as result:
        model = golden(config, sent.scores, sent.lengths, sent.sidebands)
        for name, values in model.items():
            np.testing.assert_array_equal(result[name], values[1:3])


def test_fuzz_respects_the_seconds_and_tells_what_it_drew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz, "MODELS", 3)
    assert fuzz.main(["--seconds", "0", "--seed", "5"]) == 0
    assert capsys.readouterr().out.startswith("3 models, 0 heads, 0 Verilog texts, 0 proofs drawn in ")


def test_fuzz_prints_the_failure_and_returns_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(count: int, number: int) -> Any:
        def search() -> None:
            raise AssertionError(f"{count} configurations of seed {number}")

        return search

    monkeypatch.setattr(fuzz, "search", failing)
    assert fuzz.main(["--seed", "7"]) == 1
    first = capsys.readouterr().err
    assert fuzz.main(["--seed", "7"]) == 1
    assert capsys.readouterr().err == first != ""
