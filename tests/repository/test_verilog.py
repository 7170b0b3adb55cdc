"""The generated Verilog: same bytes, the documented ports, nothing that names a machine."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.front_ends import icarus, verilator, yosys

import softstream.hw
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP, default_name, source_lines, verilog


@pytest.mark.parametrize("name", PRESETS)
def test_ports_are_the_documented_ones(name: str) -> None:
    config = PRESETS[name]
    text = verilog(config, TOP)
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
    lines = verilog(PRESETS[name], TOP).splitlines()
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
    other = base.replace(probability_width=16, score_scale=3.0, guard_bits=2)
    assert verilog(base, TOP) == verilog(other, TOP)


def test_refuses_before_writing() -> None:
    with pytest.raises(UserError, match="1 ulp"):
        verilog(Config(guard_bits=1))


# Names ---------------------------------------------------------------------------------------------------------------


@cache
def all_presets() -> str:
    """One text with the heads of all presets, under their default names."""
    return "".join(map(verilog, PRESETS.values()))


def test_the_default_name_is_unique_and_the_prefix_of_every_module() -> None:
    modules = []
    for config in PRESETS.values():
        names = re.findall(r"^module \\?(\S+?) ?\(", verilog(config), re.MULTILINE)
        assert names[0] == default_name(config)
        assert len(names) > 1
        assert all(re.match(rf"{names[0]}\W|{names[0]}$", name) for name in names)
        modules += names
    assert len(modules) == len(set(modules))


def test_a_name_is_kept_to_itself_and_never_shortened() -> None:
    with pytest.raises(UserError, match=r"name 'module': must be letters, .* no keyword .*; for example softmax_head"):
        verilog(PRESETS["argmax-int8"], "module")
    assert "module softmax_head(" in verilog(PRESETS["argmax-int8"], "softmax_head")


def test_all_presets_elaborate_in_one_design_in_yosys(tmp_path: Path) -> None:
    assert yosys(all_presets(), tmp_path) == ""
    same_name = verilog(PRESETS["argmax-int8"], TOP) + verilog(PRESETS["top-k-int8"], TOP)
    assert "exit code 1" in yosys(same_name, tmp_path)


def test_all_presets_elaborate_in_one_design_in_icarus(tmp_path: Path) -> None:
    assert icarus(all_presets(), tmp_path) == ""


@pytest.mark.long
def test_all_presets_elaborate_in_one_design_in_verilator(tmp_path: Path) -> None:
    # Each head is a top of its own.
    assert verilator(all_presets(), tmp_path, "-Wno-lint", "-Wno-style", "-Wno-MULTITOP") == ""
