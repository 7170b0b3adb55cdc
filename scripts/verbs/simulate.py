"""`softstream simulate`: the cocotb benches against the golden model, with the verdict table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch
from softstream.scripts.console import Console
from softstream.scripts.scores import MOST_ELEMENTS, ScoreFile, read_scores

if TYPE_CHECKING:
    from softstream.sim.simulators.runner import Simulator, Verdict

__all__ = ["simulate"]


def simulate(
    config: Config, file: ScoreFile | None, simulator: Simulator, waves: bool, seed: int, console: Console
) -> None:
    """Runs every bench on the generated Verilog and prints a row per test. Raises `Mismatch` where one failed.

    The bench axi is left out, which one line says, where its package is not installed.
    """
    from softstream.sim.simulators.job import BENCHES, usable_benches
    from softstream.sim.simulators.runner import simulate as run_benches

    scores = None if file is None else read_scores(config, file, console, most=MOST_ELEMENTS)
    benches = usable_benches()
    with console.progress("simulating") as progress:
        verdicts = run_benches(
            config,
            scores=None if scores is None else scores.codes,
            lengths=None if scores is None else scores.lengths,
            sideband=None if scores is None else scores.sideband_or_random(config),
            simulator=simulator,
            waves=waves,
            seed=seed,
            benches=benches,
            progress=progress,
            step=lambda what: progress(0.0, what),
        )
    failed = [verdict for verdict in verdicts if not verdict.passed]
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            "seed": seed,
            "passed": not failed,
            "scores": None if scores is None else scores.to_json(),
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
    _print(verdicts, f"{config.mode} against the model, bit for bit; seed {seed}", console)
    if "axi" in set(BENCHES) - set(benches):
        console.line("without the bench axi: cocotbext-axi is not installed; pip install cocotbext-axi")
    if failed:
        first = failed[0]
        raise Mismatch(
            f"{len(failed)} of {len(verdicts)} tests failed, first {first.bench}.{first.test}: {first.detail}; "
            f"seed {seed}"
        )
    # The configuration that `generate` stored has its Verilog already.
    generated = Path(console.origin or "-").with_name("manifest.json").is_file()
    following = console.command("prove") if generated else console.command("generate", "-o", "build/head")
    console.done(f"{len(verdicts)} passed", following)


def _print(verdicts: Sequence[Verdict], title: str, console: Console) -> None:
    details = dict.fromkeys(verdict.detail for verdict in verdicts if verdict.detail)
    # The path of the waves is the same in every row.
    shown = len(details) > 1 or (bool(details) and len(verdicts) == 1)
    console.table(
        title,
        ("test", "verdict", "pauses", "vectors", "beats", "cycles", "s", "simulator", *(("detail",) if shown else ())),
        [
            (
                f"{v.bench}.{v.test.partition('/')[0]}",
                "pass" if v.passed else "FAIL",
                _pauses(v.test),
                v.vectors,
                v.beats,
                v.cycles,
                f"{v.seconds:.1f}",
                v.simulator,
                *((v.detail,) if shown else ()),
            )
            for v in verdicts
        ],
        right=("vectors", "beats", "cycles", "s"),
        fold=("pauses", "detail"),
        drop=("simulator", "beats", "cycles", "s", "vectors"),
    )
    if any("=" in verdict.test for verdict in verdicts):
        console.line(
            "pauses: how often the testbench stalls a stream; source never: the source is valid in every cycle"
        )
    if details and not shown:
        console.line(next(iter(details)))


def _pauses(test: str) -> str:
    """The stall patterns in a test's name: `corners/source=every3/sink=never` → `source every 3rd, sink never`."""
    settings = [text.partition("=") for text in test.split("/")[1:]]
    patterns = {"every3": "every 3rd"}
    return ", ".join(f"{side} {patterns.get(pattern, pattern)}" for side, _, pattern in settings)
