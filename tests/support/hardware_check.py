"""Random configurations of the model and of the hardware: the golden model against the hardware under random stalls.

    PYTHONPATH=tests python -m support.fuzz --seconds 60 --seed 1      # make fuzz

`check_hardware` simulates the top in Amaranth's simulator, a second for each configuration. `check_verilog` runs the stream bench
on the generated Verilog, and `check_translation` proves that it is its description, some seconds for each. A failure names the
configuration in a command line that reproduces it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from support.bound_check import SETTINGS, configurations, vectors
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.scripts.console import settings_text
from softstream.sim.proofs.translation import prove_translation
from softstream.sim.simulators.runner import simulate
from softstream.sim.stalls import PATTERNS

__all__ = ["check_hardware", "check_translation", "check_verilog", "heads", "search_hardware", "settings_options"]

RESULTS = 6
"""Results of a head in one check: each costs time in Amaranth's simulator."""

IMPLEMENTATION: dict[str, tuple[Any, ...]] = {
    "profile": ("fast", "fastest", "small"),
    "lanes": (1, 1, 2, 4),
    "per_vector": ("serial", "serial", "pipelined"),
    "tkeep": (False, False, True),
    "winner": (True, True, False),
    "padded_outputs": (False, True),
}
"""Keys that change the hardware alone, and their values as often as they are drawn."""


@st.composite
def heads(draw: st.DrawFn) -> Config | None:
    """A configuration that can be planned, with keys of the implementation; None where the product refuses the drawn keys."""
    config = draw(configurations())
    changes = {key: draw(st.sampled_from(values)) for key, values in IMPLEMENTATION.items()}
    for key, value in changes.items():
        if config is None:
            return None
        try:
            changed = config.replace(**{key: value})
            plan(changed)
        except UserError:
            continue
        config = changed
    return config


def settings_options(config: Config) -> str:
    """The options of a command line that give a configuration."""
    values = config.to_mapping()
    return " ".join(f"--set {settings_text({key.name: values[key.name]})}" for key in config.changed_keys())


def check_hardware(config: Config, number: int) -> None:
    """Raises AssertionError where the hardware in Amaranth's simulator differs from the golden model, with a command line."""
    rng = np.random.default_rng(number)
    source, sink = (str(rng.choice(PATTERNS[:-1])) for _ in range(2))
    rows = vectors(config, rng, RESULTS * config.ensemble)
    try:
        check_head(config, rows, source=source, sink=sink, seed=number)
    except AssertionError as failure:
        raise AssertionError(
            f"{failure}\nwith source = {source}, sink = {sink}\nPYTHONPATH=tests python -c "
            f'"from support.hardware_check import *; from softstream import Config; check_hardware({config!r}, {number})"\n'
            f"softstream simulate {settings_options(config)} --seed {number}"
        ) from failure


def check_verilog(config: Config, number: int) -> None:
    """Raises AssertionError where the stream bench fails on the generated Verilog, with a command line."""
    for verdict in simulate(config, benches=["stream"], seed=number):
        assert verdict.passed, (
            f"{verdict.bench}.{verdict.test} on {verdict.simulator}: {verdict.detail}\n"
            f"softstream simulate {settings_options(config)} --seed {number}"
        )


def check_translation(config: Config, number: int) -> None:
    """Raises AssertionError where the generated Verilog is not proved to be its description, with a command line.

    `number`: unused, for the proof is for all stimuli.
    """
    wrong = [verdict.statement.name for verdict in prove_translation(config).verdicts if verdict.answer != "proved"]
    assert not wrong, f"{wrong[0]}\nsoftstream prove --translation {settings_options(config)}"


def search_hardware(
    examples: int, number: int, check: Callable[[Config, int], None] = check_hardware
) -> Callable[[], None]:
    """A search through so many random heads."""

    @seed(number)
    @settings(SETTINGS, max_examples=examples, report_multiple_bugs=False)
    @given(heads(), st.integers(0, 1 << 31))
    def hardware_equals_model(config: Config | None, stimulus: int) -> None:
        if config is not None:
            check(config, stimulus)

    return hardware_equals_model
