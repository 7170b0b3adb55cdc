"""The text of every kind of head is proved to be its description, and a fault anywhere in a text is refuted by name."""

import json
import re
import sys

import pytest
from support.long_cases import mostly_long
from support.mutants import mutants

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import ToolFailure
from softstream.hw.verilog import TOP, generated_text, text, verilog
from softstream.hw.verilog import module_text as writer
from softstream.scripts import cli
from softstream.sim.proofs import translation
from softstream.sim.proofs.translation import prove_translation

HEADS = {
    **PRESETS,
    "lanes": Config(lanes=4, max_length=64, tkeep=True, mask=True),
    "two banks": Config(max_length=65536),
    "one element": Config(mode="argmax", max_length=1),
    "last maximum": Config(mode="argmax", tie="last", score_signed=False),
    "lists of lanes": Config(mode="top_k", lanes=2, top_k=3),
    "fast": Config(profile="fast", smoothing=[1, 2, 1]),
    "small": Config(profile="small", normaliser="divider"),
    "null beats": Config(mode="entropy", tkeep=True),
    "operand without bits": Config(max_length=4, probability_floor=1e-4, winner=False),
    "one word": Config(max_length=1, accumulator="two_pass", profile="fast", normaliser="divider", winner=False),
}
SHORT = (
    "argmax-int8-small",
    "sigmoid-int8",
    "log-sum-exp-int8",
    "top-k-int8",
    "sample-int8",
    "lanes",
    "one element",
    "one word",
)


@pytest.mark.parametrize("name", mostly_long(HEADS, SHORT))
def test_the_text_is_the_description(name):
    proof = prove_translation(HEADS[name], seconds=120)
    assert proof.answer == "proved", [verdict for verdict in proof.verdicts if verdict.answer != "proved"]
    [*_, outputs] = proof.verdicts
    assert outputs.statement.name.startswith("same values: ")


@pytest.mark.parametrize("profile", ["fastest", "small"])
def test_a_text_without_initial_values_is_the_description_too(profile):
    config = Config(mode="log_sum_exp", profile=profile, max_length=64)
    bare = verilog(config, TOP, initial_values=False)
    proof = prove_translation(config, verilog=bare)
    assert proof.answer == "proved"
    assert not any("initial" in verdict.statement.name for verdict in proof.verdicts)


@pytest.mark.parametrize("tables", ["readmemh", "case"])
def test_tables_may_be_files_or_functions(tables):
    config = Config(mode="sigmoid")
    generated = generated_text(config, TOP, memory_init=tables)
    proof = prove_translation(config, verilog=generated.verilog, files=generated.files)
    expected = "proved" if tables == "readmemh" else "refuted"
    # A function is no memory, so the description has a table that the text does not have.
    assert proof.answer == expected


RING = Config(mode="log_sum_exp", max_length=16)
FAULTS = {
    "condition": (r"if \(i_valid\)", "if (~i_valid)", "same next values: "),
    "reset": (r"if \(rst\) (\w+) <=", r"if (1'b0) \1 <=", "same next values: "),
    "sum": (r"( wire \[.*\}) \+ ", r"\1 - ", "same next values: "),
    "initial value": (r"(  initial begin\n    \w+ = )1'b0", r"\g<1>1'b1", "same initial values: "),
    "table": (r"(\w+\[3\] = \d+'h)0", r"\g<1>1", "same contents: "),
    "edge": (r"@\(posedge clk\)", "@(negedge clk)", "cells: "),
    "unknown": (r"assign (\w+) = .*;", r"assign \1 = {64{1'bx}};", "same "),
    "write": (r"if \(signature_en\) scores\[", "if (1'b1) scores[", "same addresses, enables and words: "),
    "size": (r"scores \[0:1023\]", "scores [0:511]", "same sizes: "),
    "narrow address": (r"scores\[address\[9:0\]", "scores[address[8:0]", "same addresses, enables and words: "),
    "no value": (r" <= (scores\[address\[9:0\]\]);", r" <= \1 / address[7:0];", "cells: "),
    "address": (r" scores\[address", " scores[~address", "same addresses, enables and words: "),
}

IN_MEMORY = ("write", "size", "narrow address", "no value", "address")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_text_is_refuted_by_name(fault):
    pattern, replacement, statement = FAULTS[fault]
    config = HEADS["softmax-int8-small"] if fault in IN_MEMORY else RING
    honest = verilog(config, TOP)
    faulty = re.sub(pattern, replacement, honest, count=1)
    assert faulty != honest
    proof = prove_translation(config, verilog=faulty)
    assert proof.answer == "refuted"
    refuted = [verdict.statement.name for verdict in proof.verdicts if verdict.answer == "refuted"]
    assert any(name.startswith(statement) for name in refuted), refuted


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3, 4))])
def test_faults_of_all_kinds_are_refuted(seed):
    """Faults drawn from all of a text; what is left is the highest bit of a sum, which nothing reads."""
    config = PRESETS["argmax-int8-small"]
    honest = verilog(config, TOP)
    faults = mutants(honest, 12, seed)
    for fault in faults:
        # The text with statements on a line each, as the faults count them.
        lines = mutants_lines(honest)
        assert fault.original in lines[fault.line]
        lines[fault.line] = lines[fault.line].replace(fault.original, fault.fault, 1)
        proof = prove_translation(config, verilog="\n".join(lines) + "\n")
        unread = re.search(r"\[10:0\] choice = .*1'h1, index", fault.fault)
        assert proof.answer == "refuted" or unread, fault


def mutants_lines(honest: str) -> list[str]:
    """The lines of a text, each statement on one."""
    return re.sub(r"([=&|?:^+,{(-]|<=)\n      (?=\S)", r"\1 ", honest).splitlines()


def test_a_register_of_another_name_is_free():
    honest = verilog(RING, TOP)
    register = re.search(r"reg (?:\[\d+:0\] )?(\w*valid\w*);", honest)
    renamed = re.sub(rf"\b{register[1]}\b", "stranger", honest)
    assert prove_translation(RING, verilog=renamed).answer == "refuted"


DIFFERENTLY = {
    "directive": ("  always @(posedge clk)", "`ifdef SYNTHESIS\n`endif\n  always @(posedge clk)", "form: "),
    "obeyed comment": ("  always @(posedge clk)", "  // synthesis translate_off\n  always @(posedge clk)", "form: "),
    "delay": (" <= ", " <= #5 ", "form: "),
    "blocking": ("o_valid <= i_valid", "o_valid = i_valid", "form: "),
    "sensitivity": ("  always @(posedge clk)", "  always @(i_valid) begin end\n  always @(posedge clk)", "form: "),
    "hidden block": (
        "  always @(posedge clk)",
        "  initial begin\n    // for (\n    end always @(posedge clk) rest <= 8'h55; initial begin\n  end\n"
        "  always @(posedge clk)",
        "",
    ),
    "wider port": ("input  wire [7:0] s_axis_tdata", "input  wire [9:0] s_axis_tdata", "same ports: "),
    "further port": ("input  wire aclk,", "input  wire aclk,\n  input  wire extra,", "same ports: "),
    "missing initial value": ("    o_valid = 1'b0;\n", "", "same initial values: "),
}


@pytest.mark.parametrize("fault", DIFFERENTLY)
def test_what_tools_read_differently_is_refuted(fault):
    original, replacement, statement = DIFFERENTLY[fault]
    config = HEADS["argmax-int8-small"]
    honest = verilog(config, TOP)
    place = honest.rindex(original) if fault in ("hidden block", "blocking") else honest.index(original)
    faulty = honest[:place] + replacement + honest[place + len(original) :]
    try:
        proof = prove_translation(config, verilog=faulty)
    except ToolFailure:
        assert fault in ("hidden block", "obeyed comment")  # a register of two blocks, and a text without an end
        return
    assert proof.answer == "refuted"
    assert any(
        verdict.statement.name.startswith(statement) for verdict in proof.verdicts if verdict.answer == "refuted"
    )


def test_a_loop_over_a_table_is_read():
    config = HEADS["softmax-int8-small"]
    loop = (
        "  integer other;\n  initial begin\n"
        "    for (other = 0; other < 256; other = other + 1) exponentials[other] = 20'h00000;\n  end\n"
    )
    honest = verilog(config, TOP)
    place = honest.index("  always @(posedge clk)", honest.index("exponentials[255] = "))
    assert prove_translation(config, verilog=honest[:place] + loop + honest[place:]).answer == "refuted"


def test_a_wire_of_two_drivers_is_an_error():
    honest = verilog(RING, TOP)
    output = re.search(r"  assign (m_axis_tvalid) = .*;\n|  assign (\w+) = .*;\n", honest)
    faulty = honest.replace(output[0], output[0] + f"  assign {output[1] or output[2]} = 1'b1;\n", 1)
    with pytest.raises(ToolFailure):
        prove_translation(RING, verilog=faulty)


def test_what_the_solver_leaves_undecided_is_open(monkeypatch):
    monkeypatch.setattr(translation, "run_abc", lambda script, folder, seconds: "UNDECIDED\n")
    assert prove_translation(Config(mode="sigmoid")).answer == "open"
    monkeypatch.setattr(translation, "run_abc", lambda script, folder, seconds: None)
    assert prove_translation(Config(mode="sigmoid")).answer == "open"


@pytest.fixture
def wrong_writer(monkeypatch):
    """A writer that writes each `or` as an exclusive one."""
    text._text.cache_clear()
    monkeypatch.setitem(writer._BITWISE, "$or", "^")
    yield
    text._text.cache_clear()


def run(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    captured = capsys.readouterr()
    return end.value.code, captured.out, captured.err


def test_a_statement_about_the_parts_includes_the_translation(capsys, monkeypatch):
    code, out, _ = run(capsys, monkeypatch, "--counting", "--json", "argmax-int8-small")
    names = [row["property"] for row in json.loads(out)["properties"]]
    assert not code
    assert any(name.startswith("m_axis carries") for name in names)
    assert any(name.startswith("same next values: ") for name in names)


def test_a_fault_of_the_writer_refutes_a_statement_about_the_parts(capsys, monkeypatch, wrong_writer):
    code, out, err = run(capsys, monkeypatch, "--counting", "argmax-int8-small")
    assert code
    assert "REFUTED" in out
    assert "Number and order of beats and ends refuted" in err
