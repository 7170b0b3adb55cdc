"""What `softstream generate` writes, in a folder, and the commands of other people's tools that run there."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.scripts.emit.head import GeneratedHead
from softstream.scripts.verbs.generate import texts
from softstream.sim.simulators.toolbox import installed_simulators, verilator

__all__ = ["NAME", "generated", "head", "ran"]

NAME = "my_head"
"""The module of the tests."""


def head(config: Config, name: str = NAME) -> GeneratedHead:
    return GeneratedHead(plan(config), name, f"{name}.v")


def generated(folder: Path, config: Config, artefacts: Sequence[str], name: str = NAME, **options: Any) -> Path:
    """The folder, with the files of these artefacts and the Verilog. `options`: those of `texts`."""
    for file, text in texts(config, artefacts, name, **options).items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def ran(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command of an artefact, run in its folder; the test is skipped where its simulator is not installed.

    The Verilator of the Python package is a program without the Perl wrapper of its name.
    """
    simulator = "icarus" if command.startswith("iverilog") else "verilator"
    if simulator not in installed_simulators():
        pytest.skip(f"{simulator} is not installed")
    environment = dict(os.environ)
    if simulator == "verilator":
        environment["VERILATOR_ROOT"] = str(verilator().root)
        command = command.replace("verilator", shlex.quote(str(verilator().program)), 1)
    return subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
