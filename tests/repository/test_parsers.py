"""The generated Verilog in the front ends of other people's tools: slang without a diagnostic, and Verible's parser."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from softstream.hw.config.presets import PRESETS
from softstream.hw.verilog import verilog

pytestmark = pytest.mark.interop


def complaints(path: Path) -> int:
    """Errors and warnings of slang, all of its warnings on."""
    driver = pytest.importorskip("pyslang").driver.Driver()
    driver.addStandardArgs()
    assert driver.parseCommandLine(f"slang -Weverything -Werror {path}")
    assert driver.processOptions()
    if not driver.parseAllSources():
        return 1
    compilation = driver.createCompilation()
    driver.reportCompilation(compilation, True)
    return len(list(compilation.getAllDiagnostics()))


@pytest.mark.parametrize("name", PRESETS)
def test_slang_has_nothing_to_say(name: str, tmp_path: Path) -> None:
    path = tmp_path / "head.v"
    path.write_text(verilog(PRESETS[name]), encoding="utf-8")
    assert complaints(path) == 0


def test_slang_names_a_wrong_width(tmp_path: Path) -> None:
    path = tmp_path / "head.v"
    text = verilog(PRESETS["argmax-int8"]).replace("endmodule", "wire [3:0] wrong = aresetn;\nendmodule", 1)
    path.write_text(text.replace("aresetn;", "12'hfff;", 1) if "aresetn;" not in text else text, encoding="utf-8")
    assert complaints(path) > 0


def test_verible_parses_every_preset(tmp_path: Path) -> None:
    program = shutil.which("verible-verilog-syntax", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("verible is not installed")
    files = []
    for name, config in PRESETS.items():
        files.append(tmp_path / f"{name}.v")
        files[-1].write_text(verilog(config), encoding="utf-8")
    done = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    (tmp_path / "broken.v").write_text("module broken(input a; endmodule\n", encoding="utf-8")
    assert subprocess.run([program, tmp_path / "broken.v"], capture_output=True, check=False).returncode != 0
