"""`softstream run`: a person's own scores through the golden model or through the simulated Verilog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch
from softstream.scripts.console import Console, Progress
from softstream.scripts.output import check_file, written_file
from softstream.scripts.scores import Scores, read_beside, read_scores
from softstream.sim.golden import golden

if TYPE_CHECKING:
    from softstream.sim.simulators.runner import Simulator

__all__ = ["Run", "run", "verify"]


_ENGINES = {"golden": "model", "rtl": "simulated Verilog"}


@dataclass(frozen=True)
class Run:
    """What to run: which engine, and for `rtl` which simulator and seed."""

    engine: str
    simulator: Simulator = "auto"
    seed: int = 1


def run(
    config: Config,
    scores: Path,
    lengths: Path | None,
    beside: Sequence[str],
    output: Path,
    how: Run,
    console: Console,
) -> None:
    """Writes `output` (.npz): the arrays of the mode's outputs, such as argmax, best, overlong [V] and in softmax mode
    probabilities [V, N], and with `rtl` first_output_cycle and last_output_cycle [V], counted from the vector's first input beat.

    Raises `Mismatch`, and writes nothing, where the simulated Verilog differs from the golden model.
    """
    check_file("-o", output)
    given, others = read_scores(config, scores, lengths), read_beside(beside)
    if given.quantised:
        console.note(
            f"{scores}: {int(given.lengths.sum())} floats quantised in steps of {config.score_scale}; "
            f"{given.saturated} saturated"
        )
    with console.progress(f"running {len(given.codes)} vectors") as progress:
        arrays = _arrays(config, given, others, how, progress)
    with written_file("-o", output) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its last keyword is a bool
    summary: dict[str, Any] = {
        "engine": how.engine,
        "vectors": len(given.codes),
        "elements": int(given.lengths.sum()),
        "quantised": given.quantised,
        "saturated": given.saturated,
    }
    described = {name: {"dtype": str(value.dtype), "shape": list(value.shape)} for name, value in arrays.items()}
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            **summary,
            "output": str(output),
            "arrays": described,
        }
    )
    console.table(
        f"{output}: {len(given.codes)} vectors through the {_ENGINES[how.engine]}",
        ("array", "type", "shape", "smallest", "largest"),
        [
            (name, array.dtype, "×".join(map(str, array.shape)), array.min(), array.max())
            for name, array in arrays.items()
        ],
        right=("smallest", "largest"),
    )


def _arrays(
    config: Config, given: Scores, beside: dict[str, np.ndarray], how: Run, progress: Progress
) -> dict[str, np.ndarray]:
    model = golden(config, given.codes, given.lengths, beside)
    if how.engine == "golden":
        return dict(model)
    from softstream.sim.simulators.runner import run_rtl

    measured = run_rtl(
        config, given.codes, given.lengths, beside, simulator=how.simulator, seed=how.seed, progress=progress
    )
    verify(measured, model)
    return {
        **measured,
        "first_output_cycle": measured.first_output_cycle,
        "last_output_cycle": measured.last_output_cycle,
    }


def verify(measured: Mapping[str, np.ndarray], model: Mapping[str, np.ndarray]) -> None:
    """Raises `Mismatch` with the first difference between two results, array by array."""
    for name, expected in model.items():
        got = measured[name]
        if got.shape != expected.shape:
            raise Mismatch(f"{name}: the Verilog gave shape {got.shape}, the model {expected.shape}")
        different = np.argwhere(got != expected)
        if len(different):
            where = tuple(int(i) for i in different[0])
            raise Mismatch(
                f"{name}[{', '.join(map(str, where))}]: the Verilog gave {got[where]}, the model {expected[where]}; "
                f"{len(different)} of {got.size} differ"
            )
