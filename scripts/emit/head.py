"""The generated head that the artefacts describe."""

from dataclasses import dataclass

import softstream
from softstream.hw.config.config import Config
from softstream.hw.plan.derive import Plan

__all__ = ["GeneratedHead"]


@dataclass(frozen=True)
class GeneratedHead:
    """A configuration's plan, and the names of its Verilog."""

    plan: Plan
    module: str
    """Name of the top module, and the prefix of all names that an artefact defines."""
    verilog_file: str
    """Name of the Verilog file, in the folder of the artefacts."""

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.plan.config

    @property
    def origin(self) -> str:
        """What the file describes and where it comes from, in one line."""
        return f"{self.config.mode} head, configuration {self.config.digest[:16]}, made by softstream {softstream.__version__}"
