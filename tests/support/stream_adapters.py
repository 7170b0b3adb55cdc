"""Adapters as other people's designs have them, in front of a head and behind it, with the ports of the head itself.

A FIFO with bubbles, a skid buffer, and converters from narrow beats to wide ones and back. The wide converter ends some
packets with a null beat, and the narrow one sends a null beat for every byte that a wide beat lacks, the last one with tlast.
"""

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import Port, byte_bits, outputs, top_ports

__all__ = ["ADAPTERS", "surrounded"]

ADAPTERS = """
module adapter_fifo #(parameter WIDTH = 8, SEED = 1) (
  input clk, resetn, input [WIDTH-1:0] s, input s_valid, output s_ready,
  output reg [WIDTH-1:0] m, output reg m_valid, input m_ready);
  reg [WIDTH-1:0] store [0:7];
  reg [3:0] write, read;
  reg [15:0] lfsr;
  wire empty = write == read;
  assign s_ready = write - read != 4'd8;
  wire advance = !m_valid || m_ready;
  always @(posedge clk) begin
    lfsr <= {lfsr[14:0], lfsr[15] ^ lfsr[13] ^ lfsr[12] ^ lfsr[10]};
    if (s_valid && s_ready) begin store[write[2:0]] <= s; write <= write + 1; end
    if (advance) begin
      m_valid <= !empty && lfsr[1:0] != 0;
      m <= store[read[2:0]];
      if (!empty && lfsr[1:0] != 0) read <= read + 1;
    end
    if (!resetn) begin write <= 0; read <= 0; m_valid <= 0; lfsr <= SEED; end
  end
endmodule

module adapter_skid #(parameter WIDTH = 8) (
  input clk, resetn, input [WIDTH-1:0] s, input s_valid, output s_ready,
  output reg [WIDTH-1:0] m, output reg m_valid, input m_ready);
  reg [WIDTH-1:0] spare;
  reg full;
  assign s_ready = !full;
  always @(posedge clk) begin
    if (!m_valid || m_ready) begin
      m_valid <= full || s_valid;
      m <= full ? spare : s;
      full <= 0;
    end else if (s_valid && !full) begin
      spare <= s;
      full <= 1;
    end
    if (!resetn) begin m_valid <= 0; full <= 0; end
  end
endmodule

// Words of BITS to beats of four words. A null beat at the input adds nothing; every second packet ends in a null beat.
module adapter_widen #(parameter BITS = 8) (
  input clk, resetn, input [BITS-1:0] s_data, input s_keep, s_last, s_valid, output s_ready,
  output reg [4*BITS-1:0] m_data, output reg [3:0] m_keep, output reg m_last, m_valid, input m_ready);
  reg [2:0] count;
  reg ending, late;
  wire flush = count == 4 || ending;
  assign s_ready = !flush;
  always @(posedge clk) begin
    if (m_valid && m_ready) m_valid <= 0;
    if (s_valid && s_ready) begin
      if (s_keep) begin
        m_data[count[1:0]*BITS +: BITS] <= s_data;
        m_keep[count[1:0]] <= 1;
        count <= count + 1;
      end
      ending <= s_last;
    end
    if (flush && !m_valid) begin
      m_valid <= 1;
      m_last <= ending && !(late && count != 0);
    end
    if (m_valid && m_ready) begin
      m_keep <= 0;
      count <= 0;
      if (m_last) begin ending <= 0; late <= !late; end
    end
    if (!resetn) begin count <= 0; ending <= 0; late <= 0; m_valid <= 0; m_keep <= 0; end
  end
endmodule

// Beats of four words to single words: each beat becomes four, whatever it holds.
module adapter_narrow #(parameter BITS = 8) (
  input clk, resetn, input [4*BITS-1:0] s_data, input [3:0] s_keep, input s_last, s_valid, output s_ready,
  output [BITS-1:0] m_data, output m_keep, m_last, m_valid, input m_ready);
  reg [1:0] place;
  assign m_data = s_data[place*BITS +: BITS];
  assign m_keep = s_keep[place];
  assign m_last = s_last && place == 3;
  assign m_valid = s_valid;
  assign s_ready = m_ready && place == 3;
  always @(posedge clk)
    if (!resetn) place <= 0;
    else if (s_valid && m_ready) place <= place + 1;
endmodule
"""


def _payload(ports: tuple[Port, ...], prefix: str) -> list[Port]:
    """The ports of a stream that its beats consist of."""
    names = {f"{prefix}_{signal}" for signal in ("tdata", "tkeep", "tlast", "tuser")}
    return [port for port in ports if port.name in names]


def surrounded(config: Config, name: str, inner: str) -> str:
    """A module `name` with the ports of the head: adapters around the module `inner`, which is the head.

    One lane passes through beats of four words, and four lanes through single words. `config` has `tkeep`, one or four lanes,
    and no sideband.
    """
    ports, word = top_ports(config), byte_bits(config.score_width)
    assert config.tkeep
    assert config.lanes in (1, 4)
    lines = [f"module {name}({', '.join(port.name for port in ports)});"]
    lines += [f"  {port.direction} [{port.width - 1}:0] {port.name};" for port in ports]
    width = sum(port.width for port in _payload(ports, "s_axis"))
    of_lanes = ", ".join(f"keep[{lane * word // 8}]" for lane in reversed(range(config.lanes)))
    lines += [
        f"  wire [{config.lanes * word - 1}:0] queued_data; wire [{config.lanes * word // 8 - 1}:0] keep;",
        f"  wire [{config.lanes - 1}:0] queued_keep = {{{of_lanes}}}; wire queued_last, queued_valid, queued_ready;",
        f"  adapter_fifo #(.WIDTH({width}), .SEED(9)) front(.clk(aclk), .resetn(aresetn),",
        "    .s({s_axis_tdata, s_axis_tkeep, s_axis_tlast}), .s_valid(s_axis_tvalid), .s_ready(s_axis_tready),",
        "    .m({queued_data, keep, queued_last}), .m_valid(queued_valid), .m_ready(queued_ready));",
    ]
    order = ("widen", "narrow") if config.lanes == 1 else ("narrow", "widen")
    for source, adapter in zip(("queued", *order), order, strict=False):
        words = 4 if adapter == "widen" else 1
        lines += [
            f"  wire [{words * word - 1}:0] {adapter}_data; wire [{words - 1}:0] {adapter}_keep;",
            f"  wire {adapter}_last, {adapter}_valid, {adapter}_ready;",
            f"  adapter_{adapter} #(.BITS({word})) {adapter}_adapter(.clk(aclk), .resetn(aresetn),",
            f"    {_connected('s', source)}, {_connected('m', adapter)});",
        ]
    bytes_kept = ", ".join(f"{{{word // 8}{{{order[-1]}_keep[{lane}]}}}}" for lane in reversed(range(config.lanes)))
    connections = [".aclk(aclk)", ".aresetn(aresetn)", f".s_axis_tkeep({{{bytes_kept}}})"]
    connections += [f".s_axis_t{signal}({order[-1]}_{signal})" for signal in ("data", "last", "valid", "ready")]
    for output in outputs(config):
        lines += _behind(_payload(ports, output.prefix), output.prefix)
        connections += [f".{port.name}(of_{port.name})" for port in _payload(ports, output.prefix)]
        connections += [f".{output.prefix}_t{signal}(of_{output.prefix}_t{signal})" for signal in ("valid", "ready")]
    lines += [f"  {inner} head({', '.join(connections)});", "endmodule"]
    return "\n".join(lines) + "\n"


def _connected(port: str, wires: str) -> str:
    """The ports of one side of a converter, connected to wires of one name."""
    signals = ("data", "keep", "last", "valid", "ready")
    return ", ".join(f".{port}_{signal}({wires}_{signal})" for signal in signals)


def _behind(payload: list[Port], prefix: str) -> list[str]:
    """A skid buffer and a FIFO between an output of the head, whose wires begin with `of_`, and that of the module."""
    width = sum(port.width for port in payload)
    return [
        *(f"  wire [{port.width - 1}:0] of_{port.name};" for port in payload),
        f"  wire of_{prefix}_tvalid, of_{prefix}_tready;",
        f"  wire [{width - 1}:0] {prefix}_middle; wire {prefix}_valid, {prefix}_ready;",
        f"  adapter_skid #(.WIDTH({width})) {prefix}_skid(.clk(aclk), .resetn(aresetn),",
        f"    .s({{{', '.join(f'of_{port.name}' for port in payload)}}}), .s_valid(of_{prefix}_tvalid),",
        f"    .s_ready(of_{prefix}_tready), .m({prefix}_middle), .m_valid({prefix}_valid), .m_ready({prefix}_ready));",
        f"  adapter_fifo #(.WIDTH({width}), .SEED(77)) {prefix}_fifo(.clk(aclk), .resetn(aresetn), .s({prefix}_middle),",
        f"    .s_valid({prefix}_valid), .s_ready({prefix}_ready), .m({{{', '.join(port.name for port in payload)}}}),",
        f"    .m_valid({prefix}_tvalid), .m_ready({prefix}_tready));",
    ]
