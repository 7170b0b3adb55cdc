"""The model behind a proof leaves open what the registers of a head hold at the start."""

import re

import pytest
from amaranth import ClockDomain, Instance, Module, Signal
from amaranth.back import rtlil

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP, verilog
from softstream.sim.proofs import engine
from softstream.sim.proofs.engine import decide_within, prepare
from softstream.sim.proofs.harness import HEAD, PROOF, TWIN, Property, harness_rtlil

PIPE = """
module pipe(input clk, input d, output q);
  reg before = 0, after = 0, started = 0;
  always @(posedge clk) begin
    before <= d;
    after <= before;
    started <= 1;
  end
  assign q = after ^ started;
endmodule
"""


def test_registers_of_two_copies_with_the_same_input_are_two(tmp_path):
    # Yosys would merge them, and with them their contents at the start, if it saw their initial values.
    m = Module()
    m.domains.sync = domain = ClockDomain("sync", reset_less=True)
    data, started, differ, results = Signal(name="data"), Signal(), Signal(name="differ"), [Signal(), Signal()]
    for name, result in zip((HEAD, TWIN), results, strict=True):
        m.submodules[name] = Instance("pipe", i_clk=domain.clk, i_d=data, o_q=result)
    m.d.sync += started.eq(1)
    m.d.comb += differ.eq(started & (results[0] != results[1]))
    harness = rtlil.convert(m, name=PROOF, ports=[domain.clk, data, differ], emit_src=False)
    graph = prepare(PIPE, harness, tmp_path, memories=True, seconds=60)
    item = Property("two copies agree", "differ", False)
    verdict = decide_within(graph, item, 3, seconds=60)
    # Not before the second cycle: `started` of the harness begins with 0, whatever registers of the copies look like it.
    assert (verdict.answer, verdict.cycles) == ("refuted", 2)


@pytest.mark.parametrize(
    "config",
    [
        Config(max_length=5, lanes=2),
        Config(mode="softmax_top_k", top_k=2, max_length=5),
        Config(ensemble=2, max_length=1024),  # zeros of a deep memory are written in loops
    ],
)
def test_initial_values_make_no_difference_where_memories_are_left_out(config, monkeypatch, tmp_path):
    def size():
        graph = prepare(text, harness_rtlil(TOP, top_ports(config)), tmp_path, memories=False, seconds=600)
        _, _, _, latches, _, gates, *_ = graph.read_bytes().split(b"\n")[0].split()
        return latches, gates, graph.with_name("head.v").read_text(encoding="utf-8")

    text = verilog(config, TOP)
    *short, without = size()
    monkeypatch.setattr(engine, "_INITIAL", re.compile("(?!)"))
    *long, source = size()
    assert (source, "initial" in text, "initial" in without) == (text, True, False)
    assert short == long
