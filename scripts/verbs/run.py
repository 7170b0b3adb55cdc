"""`softstream run`: scores from a file through the golden model or through the simulated Verilog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.output import check_file, written_file
from softstream.scripts.console import Console, Progress
from softstream.scripts.measure.heads import verify
from softstream.scripts.scores import ScoreFile, Scores, read_scores
from softstream.sim.golden import golden

if TYPE_CHECKING:
    from softstream.sim.simulators.runner import Simulator

__all__ = ["Run", "run"]

_ENGINES = {"golden": "model", "rtl": "simulated Verilog"}


@dataclass(frozen=True)
class Run:
    """The engine, and for `rtl` its simulator and seed."""

    engine: str
    simulator: Simulator = "auto"
    seed: int = 1


def run(config: Config, scores: ScoreFile, output: Path, how: Run, console: Console) -> None:
    """Writes `output` (.npz): the arrays of the mode's outputs, such as argmax, best, overlong [V] and in softmax mode
    probabilities [V, N], and with `rtl` first_output_cycle and last_output_cycle [V], counted from the vector's first input beat.

    Scores of more dimensions have results of their shape, with the K of Top-K or the N in place of the axis of the elements.
    Where vectors were shifted, the array `shift` has what was subtracted from their scores.

    Raises `Mismatch`, and writes nothing, where the simulated Verilog differs from the golden model.
    """
    check_file("-o", output)
    inputs = read_scores(config, scores, console)
    with console.progress(f"running {len(inputs.codes)} vectors") as progress:
        arrays = _arrays(config, inputs, how, progress)
    arrays = {name: inputs.layout.restored(array, len(inputs.codes) // len(array)) for name, array in arrays.items()}
    with written_file("-o", output) as temporary, temporary.open("wb") as archive:
        np.savez(archive, **arrays)  # type: ignore[arg-type]  # its last keyword is a bool
    summary: dict[str, Any] = {"engine": how.engine, **inputs.to_json()}
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
        f"arrays in {output}",
        ("array", "type", "shape", "smallest", "largest"),
        [
            (name, array.dtype, "×".join(map(str, array.shape)), array.min(), array.max())
            for name, array in arrays.items()
        ],
        right=("smallest", "largest"),
        drop=("type", "smallest", "largest"),
    )
    console.done(f"{len(inputs.codes)} vectors through the {_ENGINES[how.engine]}")


def _arrays(config: Config, inputs: Scores, how: Run, progress: Progress) -> dict[str, np.ndarray]:
    scores, lengths, sideband = inputs.codes, inputs.lengths, inputs.sideband
    model = golden(config, scores, lengths, sideband)
    arrays = dict(model)
    if how.engine == "rtl":
        from softstream.sim.simulators.runner import run_rtl

        measured = run_rtl(
            config,
            scores,
            lengths,
            sideband,
            simulator=how.simulator,
            seed=how.seed,
            progress=progress,
            step=lambda what: progress(0.0, what),
        )
        verify(measured, model)
        arrays = {
            **measured,
            "first_output_cycle": measured.first_output_cycle,
            "last_output_cycle": measured.last_output_cycle,
        }
    return {**arrays, "shift": inputs.shift} if inputs.shifted else arrays
