"""The model behind a proof leaves open what the registers of a head hold at the start."""

from amaranth import ClockDomain, Instance, Module, Signal
from amaranth.back import rtlil

from softstream.sim.proofs.engine import decide_within, prepare
from softstream.sim.proofs.harness import HEAD, PROOF, TWIN, Property

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
