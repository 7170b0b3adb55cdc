"""The generated Verilog: same bytes, the documented ports, nothing that names a machine."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.front_ends import icarus, verilator, yosys
from support.long_cases import mostly_long
from support.rtlil_hashes import CONFIGURATIONS
from support.verilog_text import code

import softstream.hw
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP, default_name, source_lines, synthesis_verilog, verilog
from softstream.hw.verilog.names import is_keyword


@pytest.mark.parametrize("name", PRESETS)
def test_ports_are_the_documented_ones(name: str) -> None:
    config = PRESETS[name]
    text = verilog(config, TOP)
    assert text.count(f"module {TOP} (") == 1
    header = re.search(rf"module {TOP} \((.*?)\n\);", text, re.DOTALL)
    assert header is not None
    spans = {port.name: f"[{port.width - 1}:0] " if port.width > 1 else "" for port in top_ports(config)}
    expected = sorted(f"  {port.direction:<6} wire {spans[port.name]}{port.name}" for port in top_ports(config))
    assert sorted(header.group(1).strip("\n").split(",\n")) == expected


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


def test_no_paths_of_a_machine_and_no_lines_of_source() -> None:
    text = verilog(PRESETS["digits-softmax"])
    assert "src" not in re.findall(r"\(\* (\w+)", text)
    assert str(Path(softstream.hw.__path__[0]).resolve().parent) not in text
    assert not re.search(r"\.py:\d", text)
    assert text.isascii()


# One head of each way to frame and to compose; make test-long has the other presets.
LOCATED = ("digits-argmax", "digits-softmax", "softmax-int8-small", "softmax-int8-groups", "ensemble-logits-int8")


@pytest.mark.parametrize("name", mostly_long(PRESETS, LOCATED))
def test_every_line_of_verilog_names_its_line_of_python(name: str) -> None:
    lines = synthesis_verilog(PRESETS[name]).splitlines()
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
    assert code(base) == code(other)


def test_refuses_before_writing() -> None:
    with pytest.raises(UserError, match="1 ulp"):
        verilog(Config(guard_bits=1))


# Names ---------------------------------------------------------------------------------------------------------------


@cache
def all_presets() -> str:
    """One text with the heads of all presets, under their default names."""
    return "".join(map(verilog, PRESETS.values()))


@pytest.mark.long
def test_the_default_name_is_unique_and_the_prefix_of_every_module() -> None:
    modules = []
    for config in PRESETS.values():
        names = re.findall(r"^module (\w+) \(", verilog(config), re.MULTILINE)
        assert names[0] == default_name(config)
        assert len(names) > 1
        assert all(name.startswith(f"{names[0]}_") for name in names[1:])
        modules += names
    assert len(modules) == len(set(modules))


def test_a_name_is_kept_to_itself_and_never_shortened() -> None:
    with pytest.raises(UserError, match=r"name 'module': must be letters, .* no keyword .*; for example softmax_head"):
        verilog(PRESETS["argmax-int8"], "module")
    assert "module softmax_head (" in verilog(PRESETS["argmax-int8"], "softmax_head")


@pytest.mark.long
def test_all_presets_elaborate_in_one_design_in_yosys(tmp_path: Path) -> None:
    assert yosys(all_presets(), tmp_path) == ""
    same_name = verilog(PRESETS["argmax-int8"], TOP) + verilog(PRESETS["top-k-int8"], TOP)
    assert "exit code 1" in yosys(same_name, tmp_path)


@pytest.mark.long
def test_all_presets_elaborate_in_one_design_in_icarus(tmp_path: Path) -> None:
    assert icarus(all_presets(), tmp_path) == ""


@pytest.mark.long
def test_all_presets_elaborate_in_one_design_in_verilator_without_a_warning(tmp_path: Path) -> None:
    # Each head is a top of its own.
    assert verilator(all_presets(), tmp_path, "-Wall", "-Wno-MULTITOP") == ""


# Text ----------------------------------------------------------------------------------------------------------------

REPRESENTATIVE = {
    name: CONFIGURATIONS[name]
    for name in ("member/temperature-lanes-4", "two-pass/two-pass-tiny", "member/exponential-split-2", "member/floor")
}
"""Configurations with vectors without bits, memories of one word, signed sums and partial assignments."""


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_no_tool_warns_of_a_configuration(name: str, tmp_path: Path) -> None:
    text = verilog(REPRESENTATIVE[name])
    assert verilator(text, tmp_path, "-Wall") == ""
    assert yosys(text, tmp_path) == ""


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_verilator_does_not_warn_of_any_configuration(name: str, tmp_path: Path) -> None:
    assert verilator(verilog(CONFIGURATIONS[name]), tmp_path, "-Wall") == ""


def test_every_name_is_a_plain_identifier_and_no_keyword() -> None:
    code = re.sub(r"//.*|/\*.*?\*/", "", all_presets())
    assert "\\" not in code
    assert "[-1:0]" not in code
    names = set(re.findall(r"^\s*(?:input|output)?\s*(?:wire|reg) +(?:\[\d+:0\] )?(\w+)", code, re.MULTILINE))
    names |= set(re.findall(r"^(?:module|  \w+) (\S+) \($", code, re.MULTILINE))
    assert len(names) > 500
    assert not [name for name in names if is_keyword(name) or not re.fullmatch(r"[a-zA-Z]\w*", name)]


def test_combinational_logic_waits_for_no_event() -> None:
    """A testbench may initialise its inputs in their declarations, without an event that `always @*` would wait for."""
    assert set(re.findall(r"always[^;\n]*?@ ?\(?(\w+|\*)", all_presets())) == {"posedge"}


def unread_registers(text: str) -> list[str]:
    """Registers and memories, not ports, that stand in no expression of their module."""
    unread = []
    for module in re.split(r"^module ", re.sub(r"//.*", "", text), flags=re.MULTILINE):
        for name in re.findall(r"^  (?:\(\* .* \*\) )?reg +(?:\[\d+:0\] )?(\w+)", module, re.MULTILINE):
            written = rf"(?:^ *|\) |else |begin |; ){name}(?:\[[^]]*\])? <?= "
            if len(re.findall(rf"\b{name}\b", module)) == 1 + len(re.findall(written, module, re.MULTILINE)):
                unread.append(name)
    return unread


def test_every_register_is_read() -> None:
    """Front ends warn of a register that is only written: slang does in its default settings."""
    assert unread_registers(all_presets()) == []
    text = verilog(PRESETS["argmax-int8"])
    assert unread_registers(
        text.replace("endmodule", "  reg a;\n  always @(posedge aclk) a <= 1'b0;\nendmodule", 1)
    ) == ["a"]


def test_the_header_says_how_to_use_the_head() -> None:
    config = PRESETS["softmax-int8"]
    header = verilog(config).partition("\nmodule ")[0]
    derived = plan(config)
    for port in derived.ports:
        assert re.search(rf"^//   {port.direction} {port.name}\b", header, re.MULTILINE)
    for fact in (
        "N + ",
        "Interval: ",
        f"Error bound: {derived.bound_ulp:.4f} ulp for every input",
        "s_axis_tlast must",
        "aresetn low at one",
    ):
        assert fact in header
    assert "All outputs must be taken: m_axis, m_axis_best." in header


@pytest.mark.parametrize("name", ["softmax-int8", "top-k-int8"])
def test_every_module_has_a_comment_that_names_its_file(name: str) -> None:
    text = verilog(PRESETS[name], "head")
    modules = re.findall(r"^// (\S+) - (\w+) in (hw/\S+\.py)\n// .+(?:\n// .*)*\nmodule (\w+) \(", text, re.MULTILINE)
    assert len(modules) == text.count("\nmodule ")
    for place, component, file, module in modules:
        assert re.fullmatch("head" if place == "top" else rf"head_{place.replace('.', '_')}(_\d+)?", module)
        source = Path(softstream.hw.__path__[0]).joinpath(file.removeprefix("hw/")).read_text()
        assert re.search(rf"^(?:class|def) {component}\(", source, re.MULTILINE)
