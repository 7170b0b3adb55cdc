"""The registers and the AXI4-Lite wrapper: PeakRDL writes the block, and cocotbext-axi reads and writes it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.front_ends import slang
from support.generated_files import NAME, generated, head, ran

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.scripts.emit.axi_lite import commands, files, registers
from softstream.sim.simulators import toolbox
from softstream.sim.simulators.build import VerilatorBuild
from softstream.sim.simulators.job import PLUSARG, Job

TESTS = Path(__file__).parents[2]
TOP = f"{NAME}_axi_lite"
SOURCES = (f"{NAME}_registers_pkg.sv", f"{NAME}_registers.sv", f"{TOP}.sv", f"{NAME}.v")
# Verilator takes the members of an unpacked structure for one variable, which PeakRDL writes in several blocks.
WAIVER = "/* verilator lint_off MULTIDRIVEN */\n"

HEADS = {
    "softmax": Config(max_length=10, normaliser="logarithm"),
    "argmax": Config(mode="argmax", max_length=12, score_width=12, tkeep=True),
    # 64 bits of scores with a mask and a temperature, and tkeep on both sides.
    "lanes": Config(
        max_length=16,
        lanes=4,
        score_width=10,
        mask=True,
        normaliser="reciprocal",
        temperature_bits=6,
        score_scale=2**-8,
    ),
    # Sums of 40 bits, in two words.
    "exponential": PRESETS["exponential-int8"].replace(max_length=16, probability_width=16),
    "serial": Config(max_length=8, profile="small", normaliser="divider"),
}
WIDE = ("lanes", "exponential")


def test_every_register_has_a_place_of_its_own_and_every_port_is_connected() -> None:
    for config in PRESETS.values():
        described = head(config)
        texts = files(described)
        names = [register.name for register in registers(described)]
        assert len(set(names)) == len(names)
        places = re.findall(r"} (\w+) @ 0x(\w+);", texts[f"{NAME}_registers.rdl"])
        assert [(name, int(place, 16)) for name, place in places] == [
            (name, 4 * number) for number, name in enumerate(names)
        ]
        for port in described.ports:
            assert f"        .{port.name}(" in texts[f"{TOP}.sv"], port.name


def test_every_bit_of_a_stream_is_in_a_register() -> None:
    for config in PRESETS.values():
        described = head(config)
        fields = {register.name: register.fields for register in registers(described)}
        for stream in described.streams:
            for port in stream.ports:
                role = stream.role(port)
                if role in ("tvalid", "tready", "tlast") or (role == "tuser" and not stream.is_input):
                    continue
                words = [fields[name] for name in fields if re.fullmatch(rf"{port.name}(_\d+)?", name)]
                assert sum(field.width for word in words for field in word) == port.width


@pytest.mark.parametrize("name", WIDE)
def test_the_wide_heads_have_several_words(name: str) -> None:
    assert {"m_axis_best_tdata_1", "s_axis_tdata_1"} & {register.name for register in registers(head(HEADS[name]))}


def blocks(folder: Path, config: Config, verilog: str | None = None) -> Path:
    """The folder, with the files of `config` and those that PeakRDL writes; skips the test where it is not installed.

    `verilog`: in place of the head's.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if shutil.which("peakrdl", path=path) is None:
        pytest.skip("peakrdl is not installed")
    if verilog is None:
        generated(folder, config, ["axi-lite"])
    else:
        for file, text in {**files(head(config)), f"{NAME}.v": verilog}.items():
            (folder / file).write_text(text, encoding="utf-8")
    for command in commands(head(config)):
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), command
    return folder


def joined(folder: Path) -> str:
    """The sources in one text, in the order that the packages need."""
    return "".join((folder / source).read_text(encoding="utf-8") for source in SOURCES)


def stub(config: Config) -> str:
    """A module with the ports of the head."""
    ports = ", ".join(f"{port.direction} wire [{port.width - 1}:0] {port.name}" for port in head(config).ports)
    return f"/* verilator lint_off UNDRIVEN */ module {NAME} ({ports}); endmodule\n"


BY_PORTS = {tuple((port.name, port.width) for port in head(config).ports): config for config in PRESETS.values()}
"""A preset of each list of ports: the wrapper depends on nothing else."""


@pytest.mark.interop
@pytest.mark.parametrize("config", BY_PORTS.values(), ids=[config.mode for config in BY_PORTS.values()])
def test_the_wrapper_of_every_preset_passes_lint(config: Config, tmp_path: Path) -> None:
    """In Verilator's default settings, around a module with the ports of the head, which has tests of its own."""
    blocks(tmp_path, config, stub(config))
    done = ran(tmp_path, f"verilator --lint-only -Wno-MULTIDRIVEN --top-module {TOP} {' '.join(SOURCES)}")
    assert (done.returncode, re.findall("%Warning.*|%Error.*", done.stderr)) == (0, [])


@pytest.mark.interop
def test_slang_has_no_complaint_of_the_wrapper(tmp_path: Path) -> None:
    blocks(tmp_path, HEADS["lanes"])
    complaints = slang(joined(tmp_path), tmp_path, "--top", TOP)
    assert [line for line in complaints.splitlines() if "error" in line] == []


def compiled(folder: Path, program: str) -> str:
    """What the compiler says of a C program, with all warnings on."""
    (folder / "main.c").write_text(program, encoding="utf-8")
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-c", "main.c"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stderr


@pytest.mark.interop
def test_the_offsets_of_the_header_are_those_of_the_registers(tmp_path: Path) -> None:
    config = HEADS["lanes"]
    blocks(tmp_path, config)
    checks = "".join(
        f'static_assert(offsetof({NAME}_registers_t, {register.name}) == {4 * place}, "place");\n'
        for place, register in enumerate(registers(head(config)))
    )
    assert compiled(tmp_path, f'#include <stddef.h>\n#include "{NAME}_registers.h"\n{checks}') == ""


@pytest.mark.interop
def test_the_program_of_the_page_is_compiled(tmp_path: Path) -> None:
    page = (TESTS.parent / "scripts" / "README.md").read_text(encoding="utf-8")
    [program] = re.findall(rf'```c\n(#include "{NAME}_registers.h".*?)```', page, re.DOTALL)
    blocks(tmp_path, PRESETS["softmax-int8"])
    assert compiled(tmp_path, program) == ""


@pytest.mark.interop
@pytest.mark.parametrize("name", HEADS)
def test_a_processor_gets_the_results_of_the_model(name: str, tmp_path: Path) -> None:
    config = HEADS[name]
    blocks(tmp_path, config)
    outcome = simulated(tmp_path, config, joined(tmp_path))
    assert {test: failure for test, failure in outcome.items() if failure} == {}
    assert len(outcome) == 9


FAULTS = {
    "resets": (".aresetn(aresetn & ~head_reset)", ".aresetn(aresetn)"),
    "overflow": ("if (input_ready) begin", "begin"),
}
"""Test of the bench → a line of the wrapper, and a wrong one in its place."""


@pytest.mark.interop
@pytest.mark.parametrize("test", FAULTS)
def test_a_faulty_wrapper_fails(test: str, tmp_path: Path) -> None:
    config = HEADS["argmax"]
    right, wrong = FAULTS[test]
    text = joined(blocks(tmp_path, config))
    assert text.count(right) == 1
    assert simulated(tmp_path, config, text.replace(right, wrong))[test]


def simulated(folder: Path, config: Config, text: str) -> dict[str, str]:
    """Test of the bench → its failure, or an empty text."""
    if "verilator" not in toolbox.installed_simulators():
        pytest.skip("verilator is not installed")
    build = VerilatorBuild(WAIVER + text, TOP).ensure(folder / "build.log")
    job = Job(folder, config, seed=1)
    job.save()
    places = {register.name: 4 * place for place, register in enumerate(registers(head(config)))}
    (folder / "registers.json").write_text(json.dumps(places), encoding="utf-8")
    spec = {
        "simulator": "verilator", "verilog": "", "top": TOP, "build": str(build), "directory": str(folder),
        "modules": ["support.axi_lite_bench"], "results": str(folder / "results.xml"), "seed": job.seed, "waves": False,
        "plusargs": [f"+{PLUSARG}={job.path}"],
    }  # fmt: skip
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "LIBPYTHON_LOC": str(toolbox.libpython()),
        "PYTHONPATH": str(TESTS),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "softstream.sim.simulators.launch", "spec.json"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    (folder / "simulation.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert (folder / "results.xml").exists(), done.stdout[-2000:] + done.stderr[-2000:]
    cases = ElementTree.parse(folder / "results.xml").iter("testcase")
    return {
        case.get("name", ""): next(
            (child.get("message") or child.tag for child in case if child.tag in ("failure", "error", "skipped")), ""
        )
        for case in cases
    }
