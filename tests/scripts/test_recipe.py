"""The recipe for scale, precision and temperature: its commands run as the page shows them, and say what the page says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from softstream.scripts.cli import main
from softstream.scripts.generated_tables import ROOT

PAGE = (ROOT / "hw/config/README.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Which scale, precision and temperature?\n")[2].partition("\n## ")[0]
LINES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


def run(line: str, capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line)[1:])
    output = capsys.readouterr()
    assert not ended.value.code, output.err
    return output.out


def test_the_recipe(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("sim").symlink_to(ROOT / "sim")
    Path("build").mkdir()
    floats, sweep, chosen, cells = LINES
    subprocess.run([sys.executable, *shlex.split(floats)[1:]], check=True)
    *_, answer, last = run(sweep, capsys).splitlines()
    assert last.startswith("build/recipe.html, build/recipe.csv: 54 points explored in ")
    settings = re.findall(r"--set (\S+?)(?=:? |:$)", answer)
    assert settings == ["score_scale=0.0912", "probability_width=6", "temperature=0.5"]
    assert "a scale of\n0.0912, P = 6 and T = 0.5." in SECTION
    # The page looks at that very point.
    for setting in settings:
        assert f"--set {setting} " in chosen
        assert f"--set {setting} " in cells
    assert "Argmax alone makes the same 1797 decisions as softmax and as the given floats." in run(chosen, capsys)
    page = Path("build/recipe.html").read_text(encoding="utf-8")
    for plot in re.findall(r"plots? of \*([^*]+)\*(?: and \*([^*]+)\*)?", SECTION):
        for title in filter(None, plot):
            assert f"<h3>{title}" in page, title
