"""The generated Verilog: same bytes, the documented ports, nothing that names a machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import softstream.hw
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP, source_lines, verilog


@pytest.mark.parametrize("name", PRESETS)
def test_ports_are_the_documented_ones(name: str) -> None:
    config = PRESETS[name]
    text = verilog(config)
    assert text.count(f"module {TOP}(") == 1
    header = re.search(rf"module {TOP}\((.*?)\);", text, re.DOTALL)
    assert header is not None
    expected = sorted(port.name for port in top_ports(config))
    assert sorted(re.split(r"[\s,]+", header.group(1).strip())) == expected
    for port in top_ports(config):
        span = f"[{port.width - 1}:0] " if port.width > 1 else ""
        assert re.search(rf"^  {port.direction} (wire )?{re.escape(span)}{port.name};$", text, re.MULTILINE), port


def test_bytes_do_not_depend_on_the_process() -> None:
    """Another process, with another hash seed and after other configurations, writes the same."""
    program = (
        "import hashlib; from softstream.hw.config.presets import PRESETS; from softstream.hw.verilog import verilog;"
        "print(hashlib.sha256((verilog(PRESETS['digits-argmax']), verilog(PRESETS['digits-softmax']))[1].encode()).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64


def test_no_paths_and_no_sources() -> None:
    text = verilog(PRESETS["digits-softmax"])
    assert "src" not in re.findall(r"\(\* (\w+)", text)
    assert ".py" not in text


@pytest.mark.parametrize("name", PRESETS)
def test_every_line_of_verilog_names_its_line_of_python(name: str) -> None:
    lines = verilog(PRESETS[name]).splitlines()
    sources = source_lines(PRESETS[name])
    assert len(sources) == len(lines)
    [text] = {source for line, source in zip(lines, sources, strict=True) if line.strip() == "reg dropping = 1'h0;"}
    file, number = text.split(":")
    # The head of three passes frames for itself.
    assert file == ("hw/modes/two_pass.py" if PRESETS[name].accumulator == "two_pass" else "hw/stages/frame.py")
    line = (Path(softstream.hw.__path__[0]) / file.removeprefix("hw/")).read_text().splitlines()[int(number) - 1]
    assert "dropping = " in line
    assert "Signal()" in line


def test_keys_that_do_not_matter_in_argmax_mode_do_not_show() -> None:
    base = Config(mode="argmax", max_length=10)
    assert verilog(base) == verilog(base.replace(probability_width=16, score_scale=3.0, guard_bits=2))


def test_refuses_before_writing() -> None:
    with pytest.raises(UserError, match="1 ulp"):
        verilog(Config(guard_bits=1))
