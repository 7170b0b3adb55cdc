"""Heads start in a simulator: with inputs from their declarations, with unknown memories, with tables in every form.

The testbench of `generate --testbench` initialises its inputs in their declarations and resets the head for one clock edge. It
compares all results with the model and complains of unknown values.
"""

import re
from itertools import cycle, pairwise
from pathlib import Path

import pytest
from support.generated_files import NAME, generated, head, ran
from support.long_cases import mostly_long, partly_long
from support.rtlil_hashes import CONFIGURATIONS

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.verilog import generated_text, verilog
from softstream.hw.verilog.module_text import TABLES
from softstream.scripts.emit.testbench import commands
from softstream.scripts.verbs.generate import texts

ICARUS, _ = commands(head(Config()))

HEADS = {mode: Config(mode=mode, max_length=6) for mode in MODES} | {
    "lanes": Config(mode="softmax", max_length=8, lanes=4),
    "top-k-lanes": Config(mode="top_k", max_length=8, lanes=2),
    "two-pass": Config(mode="softmax", max_length=6, accumulator="two_pass"),
    "temperature-lanes": CONFIGURATIONS["member/temperature-lanes-4"],
    "small": Config(mode="softmax", max_length=6, profile="small"),
}
QUICK = ("argmax", "top_k", "temperature-lanes", "small")
LONG = ("lanes", "softmax_top_k", "log_sum_exp", "log_softmax", "cdf")
"""Heads whose registers and memories another head has as well."""


def verdict(folder: Path) -> str:
    return ran(folder, ICARUS).stdout


def constant_ready(folder: Path) -> None:
    """Makes the testbench take every result at once, so that its `tready` never changes."""
    bench = folder / f"{NAME}_tb.v"
    text = re.sub(r"^ +m_axis\w*_tready <= .*\n", "", bench.read_text(), flags=re.MULTILINE)
    bench.write_text(text.replace("_tready = 0;", "_tready = 1;"))


def unknown_start(folder: Path, config: Config, memory_init: str) -> str:
    """What the testbench says of a head without initial values.

    Top-K with several lanes reads words of its memory that hold no element. Their bits decide nothing, but `>` of Verilog has an
    unknown result for an unknown operand, so the memory gets random contents here.
    """
    generated(folder, config, ["testbench"], initial_values=False, memory_init=memory_init)
    if config.traits.top_k and config.lanes > 1:
        file = folder / f"{NAME}.v"
        fill = r"\g<0>\n  integer \1_row; initial for (\1_row = 0; \1_row <= \2; \1_row = \1_row + 1) \1[\1_row] = $random;"
        text, count = re.subn(r"^  .*\breg .*\b(\w+) \[0:(\d+)\];$", fill, file.read_text(), flags=re.MULTILINE)
        assert count
        file.write_text(text)
    return verdict(folder)


@pytest.mark.parametrize("name", mostly_long(HEADS, QUICK))
def test_every_mode_starts_with_inputs_from_their_declarations(name: str, tmp_path: Path) -> None:
    generated(tmp_path, HEADS[name], ["testbench"])
    constant_ready(tmp_path)
    assert "PASS: " in verdict(tmp_path)


@pytest.mark.parametrize("name", partly_long(HEADS, LONG))
def test_every_mode_starts_from_unknown_registers_and_memories(name: str, tmp_path: Path) -> None:
    assert "PASS: " in unknown_start(tmp_path, HEADS[name], "case")


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_tables_are_read_from_files(name: str, tmp_path: Path) -> None:
    assert "PASS: " in unknown_start(tmp_path, HEADS[name], "readmemh")
    [file, *_] = sorted(tmp_path.glob("*.mem"))
    words = file.read_text().splitlines()
    file.write_text("".join(f"{int(word, 16) ^ 1:x}\n" for word in words))
    assert "FAIL: " in verdict(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(("name", "memory_init"), list(zip(CONFIGURATIONS, cycle(TABLES), strict=False)))
def test_every_configuration_starts_from_unknown_registers_and_memories(
    name: str, memory_init: str, tmp_path: Path
) -> None:
    assert "PASS: " in unknown_start(tmp_path, CONFIGURATIONS[name], memory_init)


def with_always_blocks(text: str) -> str:
    """The text with an `always @*` block in place of each continuous assignment of a wire."""
    return re.sub(
        r"^  wire ((?:\[\d+:0\] )?)(\w+) = (.*?);$",
        r"  reg \1\2;\n  always @* \2 = \3;",
        text,
        flags=re.MULTILINE | re.DOTALL,
    )


@pytest.mark.parametrize("name", ["argmax", "sample"])
def test_blocks_that_wait_for_an_event_would_be_noticed(name: str, tmp_path: Path) -> None:
    """Icarus evaluates no `always @*` block whose inputs have not changed: the tests above fail on such a text."""
    generated(tmp_path, HEADS[name], ["testbench"])
    file = tmp_path / f"{NAME}.v"
    file.write_text(with_always_blocks(file.read_text()))
    assert "FAIL: " in verdict(tmp_path)


@pytest.mark.parametrize("name", ["argmax-int8-small", "softmax-int8-small", "sigmoid-int8"])
def test_only_tables_have_initial_values(name: str) -> None:
    config = PRESETS[name]
    inline = verilog(config, initial_values=False)
    assert inline.count("initial begin") == len(re.findall(r"^  function ", verilog(config, memory_init="case"), re.M))
    assert "initial" not in verilog(config, initial_values=False, memory_init="case").partition("\nmodule ")[2]
    text = generated_text(config, memory_init="readmemh")
    assert re.findall(r'\$readmemh\("(.*?)"', text.verilog) == list(text.files)
    assert inline.count("initial begin") == len(text.files)


def test_the_files_of_the_tables_are_written_and_listed() -> None:
    contents = texts(HEADS["softmax"], ["fusesoc", "vivado", "quartus", "templates"], NAME, memory_init="readmemh")
    files = [file for file in contents if file.endswith(".mem")]
    assert files
    for file in files:
        others = [f"{NAME}.core", "component.xml", f"{NAME}_package_ip.tcl", f"{NAME}_hw.tcl", f"{NAME}_amaranth.py"]
        for other in ("manifest.json", f"{NAME}.v", *(name for name in others if name in contents)):
            assert file in contents[other], other


def test_mistakes() -> None:
    with pytest.raises(UserError, match="memory_init 'rom': must be one of inline, readmemh, case; for example case"):
        verilog(HEADS["softmax"], memory_init="rom")
    with pytest.raises(UserError, match=r"--litex with --memory-init readmemh: .* use --memory-init case"):
        texts(HEADS["softmax"], ["litex"], memory_init="readmemh")


def test_a_deep_memory_starts_in_short_blocks() -> None:
    """Every word of a memory of more than 4096 has its initial value, in loops of 512 words with an index of their own."""
    text = verilog(Config(max_length=5000, profile="small"))  # other profiles divide the store into banks
    [depth] = [int(number) + 1 for number in re.findall(r"reg \[\d+:0\] ring \[0:(\d+)\]", text)]
    loops = re.findall(r"for \((\w+) = (\d+); \1 < (\d+); \1 = \1 \+ 1\) ring\[\1\]", text)
    edges = [int(low) for _, low, _ in loops] + [depth]
    assert depth > 5000
    assert [int(high) for _, _, high in loops] == edges[1:]
    assert edges[0] == 0
    assert max(high - low for low, high in pairwise(edges)) == 512
    assert len({index for index, _, _ in loops}) == len(loops)
