"""The README says what is true today: its tables are current, its commands exist, its Python runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from softstream.scripts.generated_tables import PLOT, SECTIONS, rewritten
from softstream.scripts.reports.bench_report import throughput_plot
from softstream.scripts.verbs import bench

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("softstream")
]
QUICK = ("describe", "presets", "generate", "run")
BOARDS = ("boards", "build", "flash", "run-on-board", "doctor")


def test_generated_sections_are_current() -> None:
    assert rewritten(TEXT) == TEXT, "make tables"
    assert set(re.findall(r"<!-- begin (\w+): make tables -->", TEXT)) == set(SECTIONS)
    assert PLOT.read_text(encoding="utf-8") == throughput_plot(bench.recorded()), "make tables"


def test_there_are_commands_for_every_verb() -> None:
    assert {shlex.split(line)[1] for line in COMMANDS} == {
        *QUICK,
        *BOARDS,
        "simulate",
        "compare",
        "network",
        "explore",
        "gallery",
        "bench",
    }


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str, tmp_path: Path) -> None:
    """Quick commands are run as they stand; of the long ones the options are checked by asking for help behind them."""
    words = shlex.split(line)[1:]
    if words[0] not in QUICK or "rtl" in words:
        words.append("--help")
    (tmp_path / "sim").symlink_to(ROOT / "sim")
    (tmp_path / "build").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "softstream", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_python(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 0.5 < float(done.stdout) < 1


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("https://") or (ROOT / target).exists(), target
