"""Files that a simulated board and its caller exchange, in one directory."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["PLUSARG", "BoardJob"]

PLUSARG = "softstream_board"
"""The simulator's argument `+softstream_board=PATH` names the job file."""


@dataclass(frozen=True)
class BoardJob:
    """Arguments of the bench, and the paths of the shared files."""

    directory: Path
    divisor: int
    """Clock cycles per bit."""
    owner: int
    """Process with which the bench ends."""

    @property
    def path(self) -> Path:
        """The job file."""
        return self.directory / "board.json"

    @property
    def port_path(self) -> Path:
        """Holds the name of the terminal as soon as the board runs."""
        return self.directory / "port"

    @property
    def faults_path(self) -> Path:
        """Faults to inject; the bench removes the file when it has read them."""
        return self.directory / "faults.json"

    @property
    def hits_path(self) -> Path:
        """A line for each injected fault."""
        return self.directory / "hits"

    @property
    def totals_path(self) -> Path:
        """Bytes each way, and bytes lost, at the end."""
        return self.directory / "totals.json"

    @property
    def stop_path(self) -> Path:
        """Its presence ends the bench."""
        return self.directory / "stop"

    def save(self) -> None:
        """Writes the job file."""
        self.path.write_text(json.dumps({**asdict(self), "directory": str(self.directory)}), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "BoardJob":
        """The job of a job file."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "directory": Path(values["directory"])})

    def publish(self, port: str) -> None:
        """Writes the name of the terminal."""
        partial = self.port_path.with_suffix(".new")
        partial.write_text(port, encoding="utf-8")
        partial.rename(self.port_path)
