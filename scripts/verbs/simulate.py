"""`softstream simulate`: the cocotb benches against the golden model, with the verdict table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch
from softstream.scripts.console import Console
from softstream.scripts.scores import read_scores

if TYPE_CHECKING:
    from softstream.sim.simulators.runner import Simulator

__all__ = ["simulate"]


def simulate(
    config: Config, scores: Path | None, simulator: Simulator, waves: bool, seed: int, console: Console
) -> None:
    """Runs every bench on the generated Verilog and prints a row per test. Raises `Mismatch` where one failed."""
    from softstream.sim.simulators.runner import simulate as run_benches

    codes = None
    if scores is not None:
        given = read_scores(config, scores)
        codes = given.codes
        if given.quantised:
            console.note(f"{scores}: quantised in steps of {config.score_scale}; {given.saturated} saturated")
    with console.progress("simulating") as progress:
        verdicts = run_benches(config, scores=codes, simulator=simulator, waves=waves, seed=seed, progress=progress)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            "seed": seed,
            "passed": not failed,
            "verdicts": [
                {
                    "bench": verdict.bench,
                    "test": verdict.test,
                    "passed": verdict.passed,
                    "simulator": verdict.simulator,
                    "vectors": verdict.vectors,
                    "beats": verdict.beats,
                    "cycles": verdict.cycles,
                    "seconds": round(verdict.seconds, 3),
                    "detail": verdict.detail,
                }
                for verdict in verdicts
            ],
        }
    )
    console.table(
        f"{config.mode} against the model, bit for bit; seed {seed}",
        ("bench", "test", "simulator", "verdict", "vectors", "beats", "cycles", "s", ""),
        [
            (
                v.bench,
                v.test,
                v.simulator,
                "pass" if v.passed else "FAIL",
                v.vectors,
                v.beats,
                v.cycles,
                f"{v.seconds:.1f}",
                v.detail,
            )
            for v in verdicts
        ],
        right=("vectors", "beats", "cycles", "s"),
    )
    if failed:
        first = failed[0]
        raise Mismatch(
            f"{len(failed)} of {len(verdicts)} tests failed, first {first.bench}.{first.test}: {first.detail}; "
            f"seed {seed}"
        )
