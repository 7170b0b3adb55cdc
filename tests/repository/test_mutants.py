"""Faults in the Verilog of a head: one text holds them all, and the testbench finds what is no mere name."""

import re
import shutil

import pytest
from support.mutants import SELECTOR, mutants, schema
from support.mutation import Premise, _module_agrees, examine

from softstream.hw.config.config import Config
from softstream.hw.verilog import TOP, verilog

SMALL = Config(mode="argmax", max_length=3, score_width=2, profile="small")


def test_each_fault_changes_one_statement_and_has_its_number():
    text = verilog(SMALL, TOP)
    faults = mutants(text, 30, seed=1)
    assert [fault.number for fault in faults] == list(range(1, 31))
    assert all(fault.fault != fault.original for fault in faults)
    assert {"operator", "inversion", "condition", "reset", "reset value"} <= {fault.kind for fault in faults}
    numbers = re.findall(rf"\({SELECTOR} == 12'd(\d+)\)", schema(text, faults))
    assert sorted(map(int, numbers)) == list(range(1, 31))


def test_without_faults_the_text_is_the_head_with_one_input_more():
    text = verilog(SMALL, TOP)
    more = [line for line in schema(text, []).splitlines() if SELECTOR in line]
    assert len(more) == 2 * text.count("\nmodule ") - 1  # a port of each module, a connection of each instance
    assert "\n".join(line for line in schema(text, []).splitlines() if SELECTOR not in line).split() == text.split()


@pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog: apt install iverilog")
def test_the_testbench_finds_most_changes_of_a_head():
    rows = examine(SMALL, 12, seed=2, proofs=False)
    assert sum(row["simulation"] for row in rows) >= 8


TOY = """\
// head.toy - a module with three faults
module toy (
  input  wire clk,
  input  wire [1:0] a,
  output reg  [1:0] b
);
  always @(posedge clk) begin
    b <= a & 2'b01;
  end
endmodule
"""


@pytest.mark.parametrize(
    ("premise", "equivalent"),
    [
        (None, set()),
        (Premise("", "", "", "", "a == 0"), {"b <= a & 2'h2;", "b <= a & 2'h0;"}),
        (
            Premise("", "", "", "", seen={"b": "original_b == 3"}),
            {"b <= a & 2'h2;", "b <= a & 2'h0;", "b <= a | 2'b01;"},
        ),
    ],
    ids=["any input", "a premise", "an output that nobody reads"],
)
def test_a_change_is_no_fault_where_the_module_alone_agrees(tmp_path, premise, equivalent):
    faults = mutants(TOY, 10, seed=1)
    assert {fault.fault for fault in faults} == {"b <= a & 2'h2;", "b <= a & 2'h0;", "b <= a | 2'b01;"}
    text = schema(TOY, faults)
    assert {fault.fault for fault in faults if _module_agrees(text, fault, premise, tmp_path)} == equivalent
