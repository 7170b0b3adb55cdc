"""The generated Verilog in the front ends of other people's tools: slang with all of its warnings on, and Verible's parser."""

from pathlib import Path

import pytest
from support.front_ends import slang, verible
from support.generated_files import NAME, generated
from support.hardware_check import search_hardware
from support.rtlil_hashes import CONFIGURATIONS

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.verilog import verilog

pytestmark = pytest.mark.interop

EVERYTHING = "-Weverything"
"""More than the default settings of slang warn of."""


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_front_end_complains_of_a_configuration(name: str, tmp_path: Path) -> None:
    text = verilog(CONFIGURATIONS[name])
    assert slang(text, tmp_path, EVERYTHING) == ""
    assert verible(text, tmp_path) == ""


def test_no_front_end_complains_of_random_heads(tmp_path: Path) -> None:
    """Heads of every mode with every option, as the search of `make fuzz` draws them."""

    def check(config: Config, number: int) -> None:
        text = verilog(config)
        assert slang(text, tmp_path, EVERYTHING) == "", config
        assert verible(text, tmp_path) == "", config

    search_hardware(60, 11, check)()


# Sidebands, several outputs, packets and ensembles.
BESIDE = ("argmax-int8", "softmax-int8-temperature", "softmax-int8-groups", "top-k-int8", "ensemble-logits-int8")


@pytest.mark.parametrize("name", BESIDE)
def test_no_front_end_complains_of_the_files_beside_the_head(name: str, tmp_path: Path) -> None:
    generated(tmp_path, PRESETS[name], ["testbench", "vivado"], part_name="ecp5-25k")
    for companion in ("tb", "ip"):
        text = "".join((tmp_path / f"{file}.v").read_text() for file in (NAME, f"{NAME}_{companion}"))
        assert slang(text, tmp_path, EVERYTHING) == ""
        assert verible(text, tmp_path) == ""


WRONG = {
    "constant-conversion": "wire [3:0] wrong = 12'hfff;",
    "unused-but-set-variable": "reg wrong; always @(posedge aclk) wrong <= aresetn;",
}
"""Warning of the default settings, one before and one of the analysis → a line that it is for."""


@pytest.mark.parametrize("warning", WRONG)
def test_slang_names_a_fault(warning: str, tmp_path: Path) -> None:
    text = verilog(PRESETS["argmax-int8"]).replace("endmodule", f"{WRONG[warning]}\nendmodule", 1)
    assert f"[-W{warning}]" in slang(text, tmp_path)


def test_verible_names_a_fault(tmp_path: Path) -> None:
    assert "exit code 1" in verible("module broken(input a; endmodule\n", tmp_path)
