"""Files that the runner and a bench exchange, in one directory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.extras import is_installed

__all__ = ["BENCHES", "PLUSARG", "TESTS", "Job", "Outcome", "usable_benches"]

PLUSARG = "softstream_job"
"""The simulator's argument `+softstream_job=PATH` names the job file."""

TESTS = {"stream": 12, "latency": 2, "axi": 3, "reset": 3, "scores": 1}
"""Bench (a module of `sim.benches`) → number of its tests; the runner refuses a run with another number of tests."""

BENCHES = tuple(name for name in TESTS if name != "scores")
"""The benches that need only a configuration."""


def usable_benches() -> tuple[str, ...]:
    """`BENCHES`, without axi where cocotbext-axi is not installed.

    That package needs scapy, which is under the GPL, so no extra for users brings it.
    """
    return tuple(bench for bench in BENCHES if bench != "axi" or is_installed("cocotbext.axi"))


@dataclass(frozen=True)
class Outcome:
    """The record of one test, passed or failed."""

    bench: str
    test: str
    vectors: int
    beats: int
    cycles: int
    message: str
    """First line of the failure; empty for a passed test."""


@dataclass(frozen=True)
class Job:
    """One run of benches in one simulator process."""

    directory: Path
    config: Config
    seed: int
    compare: bool = True
    """Whether the scores bench compares the results with the golden model, or only records them."""
    stalls: Mapping[str, str] = field(default_factory=dict)
    """Pauses of the scores bench: stream → a digit for each cycle, 1 for a pause; none where its digits end."""

    @property
    def path(self) -> Path:
        """The job file."""
        return self.directory / "job.json"

    @property
    def scores_path(self) -> Path:
        """Scores and lengths for the scores bench."""
        return self.directory / "scores.npz"

    @property
    def results_path(self) -> Path:
        """Outputs of the hardware in the scores bench."""
        return self.directory / "hardware.npz"

    def clear(self) -> None:
        """Removes the files of an earlier run in the same folder."""
        for path in (self.scores_path, self.results_path, self._outcomes_path, self._progress_path):
            path.unlink(missing_ok=True)

    def save(
        self,
        scores: np.ndarray | None = None,
        lengths: np.ndarray | None = None,
        sideband: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Writes the job file and, for a job with scores, the scores with lengths and sideband."""
        values = {
            "config": self.config.to_mapping(),
            "seed": self.seed,
            "compare": self.compare,
            "stalls": dict(self.stalls),
        }
        self.path.write_text(json.dumps(values), encoding="utf-8")
        if scores is not None and lengths is not None:
            arrays: dict[str, Any] = {"scores": scores, "lengths": lengths, **(sideband or {})}
            np.savez(self.scores_path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Job":
        """The job of a job file."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        config = Config.from_mapping(values.pop("config"))
        return cls(path.parent, config, **values)

    def record(self, outcome: Outcome) -> None:
        """Appends the outcome of a test."""
        with self._outcomes_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(outcome)) + "\n")

    def outcomes(self) -> list[Outcome]:
        """The outcomes recorded so far."""
        if not self._outcomes_path.exists():
            return []
        lines = self._outcomes_path.read_text(encoding="utf-8").splitlines()
        return [Outcome(**json.loads(line)) for line in lines]

    def tell_progress(self, fraction: float) -> None:
        """Writes the progress of the running test, 0 to 1."""
        self._progress_path.write_text(f"{fraction:.4f}", encoding="utf-8")

    def progress(self) -> float:
        """Tests finished, plus the fraction of the running one."""
        try:
            fraction = float(self._progress_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            fraction = 0.0
        return len(self.outcomes()) + fraction

    @property
    def _outcomes_path(self) -> Path:
        return self.directory / "outcomes.jsonl"

    @property
    def _progress_path(self) -> Path:
        return self.directory / "progress"
