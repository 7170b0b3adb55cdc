"""The Verilog for ECP5: its block RAMs and multipliers do what the portable text says, and hold the same registers."""

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pyosys import libyosys
from support.front_ends import icarus, icarus_run, verilator
from support.long_cases import mostly_long

from softstream.boards.tools.hard_registers import absorb
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import verilog

CELLS = (Path(__file__).parents[1] / "support" / "ecp5_cells.v").read_text()


HEADS = {**PRESETS, "softmax-int8-x8": PRESETS["softmax-int8-fastest"].replace(lanes=8, max_length=64)}
"""The presets, and a head whose lanes share tables."""


def names(*short: str) -> list[Any]:
    """The heads, of which all but the named ones are tried by make test-long."""
    return mostly_long(HEADS, short)


@cache
def texts(name: str) -> tuple[str, str]:
    return verilog(HEADS[name], "portable"), verilog(HEADS[name], "hard", technology="ecp5")


def bench(config: Config, cycles: int, seed: int) -> str:
    """Both heads under the same scores, pauses and resets; prints each output that differs, or is unknown while it is valid."""
    ports = [port for port in top_ports(config) if port.name not in ("aclk", "aresetn")]
    inputs = [port for port in ports if port.direction == "input"]
    outputs = [port for port in ports if port.direction == "output"]
    lines = ["module bench;", "  reg aclk = 0, aresetn = 0;", f"  integer cycle, beats = 0, seed = {seed};"]
    lines += [f"  reg [{port.width - 1}:0] {port.name} = 0;" for port in inputs]
    for head in ("portable", "hard"):
        lines += [f"  wire [{port.width - 1}:0] {head}_{port.name};" for port in outputs]
        pins = [f".{port.name}({port.name})" for port in inputs] + [f".{p.name}({head}_{p.name})" for p in outputs]
        lines.append(f"  {head} {head}_head (.aclk(aclk), .aresetn(aresetn), {', '.join(pins)});")
    lines += ["  initial begin", f"    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin"]
    lines += ["      #1 aresetn = cycle > 2 && cycle % 1000 != 999;"]
    for port in inputs:
        stream, _, signal = port.name.rpartition("_")
        value = "{" + ", ".join(["$random(seed)"] * -(-port.width // 32)) + "}"
        value = {
            "tready": "($random(seed) & 7) != 0",
            "tvalid": "($random(seed) & 7) != 0",
            "tlast": "!($random(seed) & 15)",
        }.get(signal, value)
        # A beat waits until it is taken.
        waits = f"portable_{stream}_tready" in {f"portable_{output.name}" for output in outputs}
        held = f"if (!({stream}_tvalid && !portable_{stream}_tready && aresetn)) " if waits else ""
        lines.append(f"      {held}{port.name} <= {value};")
    lines += ["      #1;"]
    for port in outputs:
        stream, _, signal = port.name.rpartition("_")
        when = "1" if signal in ("tvalid", "tready") else f"portable_{stream}_tvalid"
        wrong = f"portable_{port.name} !== hard_{port.name} || ^hard_{port.name} === 1'bx"
        lines.append(
            f"      if (cycle > 3 && ({when}) && ({wrong}))"
            f' $display("cycle %0d: {port.name} %h, %h", cycle, portable_{port.name}, hard_{port.name});'
        )
        if signal == "tvalid":
            lines.append(f"      if (portable_{port.name} === 1'b1) beats = beats + 1;")
    lines += ["      #3 aclk = 1;", "      #5 aclk = 0;", "    end"]
    lines += ['    $display("%0d beats", beats);', "    $finish;", "  end", "endmodule", ""]
    return "\n".join(lines)


@pytest.mark.parametrize("name", names("softmax-int8-dsp", "softmax-int8-temperature"))
def test_the_blocks_do_what_the_portable_text_says(name: str, tmp_path: Path) -> None:
    portable, hard = texts(name)
    said = icarus_run(f"`define SYNTHESIS\n{CELLS}{portable}{hard}{bench(HEADS[name], 1200, 1)}", tmp_path, "bench")
    beats = re.fullmatch(r"(\d+) beats\n", said)
    assert beats is not None, said[:2000]
    # A head with one beat per vector, a vector being 16 beats on average, gives the fewest: about 40.
    assert int(beats[1]) > 30


def test_the_comparison_sees_a_wrong_bit_of_a_table_and_a_missing_register_or_enable(tmp_path: Path) -> None:
    portable, hard = texts("softmax-int8-dsp")
    table = re.search(r"INITVAL_03\(320'h(\w+)\)", hard)
    assert table is not None
    digits = f"{int(table[1], 16) ^ 0x3FFFF << 60:080x}"
    wrong = [
        ("softmax-int8-dsp", hard.replace(table[1], digits)),
        ("softmax-int8-dsp", hard.replace('.REGMODE_B("OUTREG")', '.REGMODE_B("NOREG")', 1)),
        ("softmax-int8-temperature", texts("softmax-int8-temperature")[1].replace(".CE0(enable)", ".CE0(1'b1)")),
    ]
    for name, text in wrong:
        portable, hard = texts(name)
        assert text != hard
        said = icarus_run(f"`define SYNTHESIS\n{CELLS}{portable}{text}{bench(HEADS[name], 300, 1)}", tmp_path)
        assert "cycle" in said


def synthesised(text: str, top: str, folder: Path) -> dict[str, Any]:
    """The top module of the netlist that synthesis makes of a text up to the flip-flops."""
    (folder / "text.v").write_text(text)
    design = libyosys.Design()
    for command in ("read_verilog text.v", f"synth_ecp5 -top {top}", "write_json netlist.json"):
        libyosys.run_pass(f"tee -q -o yosys.log {command}", design)
    return json.loads((folder / "netlist.json").read_text())["modules"][top]


def with_registers(module: dict[str, Any]) -> Counter[tuple[str, int]]:
    """Kind and used outputs of the blocks with a register."""
    blocks: Counter[tuple[str, int]] = Counter()
    for cell in module["cells"].values():
        if "OUTREG" in cell["parameters"].values() or cell["parameters"].get("REG_OUTPUT_CLK") == "CLK0":
            blocks[cell["type"], "REG_INPUTA_CLK" in cell["parameters"]] += 1
    return blocks


MORE_BLOCKS = {"softmax-int8-smoothed": Counter({("DP16KD", False): 2})}
"""Small memories that the text places in blocks with registers, and synthesis of the portable text makes of cells."""


@pytest.mark.parametrize("name", names("sample-int8"))
def test_stock_synthesis_gets_every_register_that_the_flow_here_moves(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    portable, hard = texts(name)
    ours, stock = synthesised(portable, "portable", tmp_path), synthesised(hard, "hard", tmp_path)
    absorb(ours)
    assert with_registers(stock) == with_registers(ours) + MORE_BLOCKS.get(name, Counter())
    assert absorb(stock) == 0


def test_without_the_macro_the_text_is_portable_and_clean(tmp_path: Path) -> None:
    _, hard = texts("softmax-int8-dsp")
    assert "// This text is for ECP5" in hard
    assert icarus(hard, tmp_path) == ""
    assert verilator(hard, tmp_path, "-Wall") == ""
    assert "DP16KD" not in texts("softmax-int8-dsp")[0]


def test_lanes_that_share_tables_read_them_through_both_ports_of_a_block() -> None:
    _, hard = texts("softmax-int8-x8")
    lanes = HEADS["softmax-int8-x8"].lanes
    shared = re.findall(r"// \S+\.(\w+)_block - .* with a register behind each of two read ports\n", hard)
    assert sorted(shared) == ["antilogarithm"] * (lanes // 2) + ["position"] * (lanes // 2)
    # Both registers of each port A that reads are inside.
    assert hard.count('.REGMODE_A("OUTREG")') >= len(shared)


def test_an_unknown_technology_is_refused() -> None:
    with pytest.raises(UserError, match="technology 'xc7': must be one of ecp5"):
        verilog(PRESETS["argmax-int8"], technology="xc7")
