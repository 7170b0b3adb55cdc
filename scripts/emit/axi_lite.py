"""A register map of the head, and its AXI4-Lite wrapper, for processors without a DMA engine.

The registers are described in SystemRDL. PeakRDL-regblock writes the block that decodes them, on an AXI4-Lite bus, and
PeakRDL-cheader the header of their offsets for C. The wrapper connects the fields of that block to the streams of the head.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import softstream
from softstream.hw.plan.ports import Port
from softstream.scripts.emit.head import GeneratedHead, StreamPorts

__all__ = ["ID", "Register", "commands", "files", "registers"]

ID = 0x736F6674
"""The content of the register `id`: `soft` in ASCII."""
_WORD = 32
"""Bits of a register, and of the bus."""


@dataclass(frozen=True)
class _Field:
    """A field of a register."""

    name: str
    low: int
    width: int
    meaning: str
    """Empty for the only field of a register."""
    properties: str
    """Its access, in SystemRDL."""
    reset: int | None = None
    """Its value after a reset, and for ever where the hardware does not write it; None for a field without storage."""
    source: str = ""
    """What the wrapper drives it with: empty, or `next = …`, with the name of the port of PeakRDL's structure."""

    @property
    def text(self) -> str:
        """The field in SystemRDL."""
        value = "" if self.reset is None else f" = {self.width}'h{self.reset:x}"
        place = f"[{self.low + self.width - 1}:{self.low}]"
        described = f'desc = "{self.meaning}"; ' if self.meaning else ""
        return f"        field {{ {described}{self.properties} }} {self.name}{place}{value};"


@dataclass(frozen=True)
class Register:
    """A register of 32 bits."""

    name: str
    meaning: str
    fields: tuple[_Field, ...]
    external: bool = False
    """Whether the wrapper, not the block, takes what is written."""

    def text(self, offset: int) -> str:
        """The register in SystemRDL, at an offset in bytes."""
        kind = "external reg" if self.external else "reg"
        fields = "\n".join(field.text for field in self.fields)
        return f'    {kind} {{\n        desc = "{self.meaning}";\n{fields}\n    }} {self.name} @ 0x{offset:02x};\n'


def _constant(name: str, value: int, meaning: str) -> Register:
    return Register(name, meaning, (_Field("value", 0, _WORD, "", "sw = r; hw = na;", value),))


def _words(port: Port) -> Iterator[tuple[str, int, int]]:
    """(register, lowest bit, bits) of each register that holds a part of a port."""
    for index, low in enumerate(range(0, port.width, _WORD)):
        yield port.name + (f"_{index}" if index else ""), low, min(_WORD, port.width - low)


def _slice(port: Port, low: int, width: int) -> str:
    return port.name if width == port.width else f"{port.name}[{low + width - 1}:{low}]"


def _named(stream: StreamPorts, role: str) -> Port | None:
    return next((port for port in stream.ports if stream.role(port) == role), None)


def _known(stream: StreamPorts, role: str) -> Port:
    port = _named(stream, role)
    assert port is not None
    return port


def _score_registers(stream: StreamPorts) -> Iterator[Register]:
    for role, what in (("tuser", "with the next scores"), ("tkeep", "with the next scores; ones after a reset")):
        port = _named(stream, role)
        for name, low, width in _words(port) if port else ():
            ones = (1 << width) - 1 if role == "tkeep" else 0
            meaning = f"{name}: bits {low + width - 1} to {low} of {stream.prefix}_{role} {what}"
            yield Register(name, meaning, (_Field("value", 0, width, "", "sw = rw; hw = r;", ones),))
    data = _known(stream, "tdata")
    (first, _, width), *others = _words(data)
    for name, low, more in others:
        meaning = f"bits {low + more - 1} to {low} of the next scores"
        yield Register(name, meaning, (_Field("value", 0, more, "", "sw = rw; hw = r;", 0),))
    for name, last in ((first, "not the last"), (f"{first}_last", "the last")):
        meaning = f"a write sends a beat of scores, {last} of its vector, with these bits {width - 1} to 0"
        yield Register(name, meaning, (_Field("value", 0, width, "", "sw = w; hw = r;"),), external=True)


def _result_registers(stream: StreamPorts) -> Iterator[Register]:
    prefix = stream.prefix
    valid, user = f"{prefix}_valid", _known(stream, "tuser")
    flags = [
        _Field("tvalid", 0, 1, "a beat is there", "sw = r; hw = w;", source=f"next = {valid}"),
        _Field("tlast", 1, 1, "it is its vector's last", "sw = r; hw = w;", source=f"next = {valid} & {prefix}_tlast"),
        _Field(
            "tuser", 2, user.width, f"its {user.name}: {user.meaning}", "sw = r; hw = w;",
            source=f"next = {valid} ? {user.name} : '0",
        ),
    ]  # fmt: skip
    yield Register(f"{prefix}_flags", f"the beat of {prefix} that waits, or 0", tuple(flags))
    data = _known(stream, "tdata")
    masks = [port for port in stream.ports if stream.role(port) == "tkeep"]
    pieces = [(port, *word) for port in (*masks, data) for word in _words(port)]
    # The register that takes the beat comes last, as it is read last.
    for port, name, low, width in sorted(pieces, key=lambda piece: piece[1] == data.name):
        takes = name == data.name
        meaning = f"bits {low + width - 1} to {low} of {port.name}, or 0 without a beat"
        meaning += "; a read takes the beat" if takes else ""
        access = "sw = r; hw = w;" + (" swacc;" if takes else "")
        source = f"next = {valid} ? {_slice(port, low, width)} : '0"
        yield Register(name, meaning, (_Field("value", 0, width, "", access, source=source),))


def registers(head: GeneratedHead) -> tuple[Register, ...]:
    """The registers, in the order of their addresses, four bytes apart from 0 on."""
    scores, *results = head.streams
    major, minor, patch = (int(number) for number in softstream.__version__.split(".")[:3])
    status = [
        _Field("input_ready", 0, 1, "a beat of scores that is written now is taken", "sw = r; hw = w;",
               source="next = input_ready"),
        *(_Field(f"{stream.prefix}_tvalid", 1 + place, 1, f"a beat of {stream.prefix} waits", "sw = r; hw = w;",
                 source=f"next = {stream.prefix}_valid") for place, stream in enumerate(results)),
    ]  # fmt: skip
    sticky = "sw = rw; onwrite = woclr; hw = na; hwset;"
    errors = [
        _Field("input_overflow", 0, 1, "a beat of scores was written while input_ready was 0, and is lost", sticky, 0,
               source="hwset = push & ~input_ready"),
        *(_Field(f"{stream.prefix}_underflow", 1 + place, 1, f"{stream.prefix}_tdata was read without a beat, as 0",
                 sticky, 0, source=f"hwset = {stream.prefix}_tready & ~{stream.prefix}_valid")
          for place, stream in enumerate(results)),
    ]  # fmt: skip
    reset = _Field(
        "head_reset",
        0,
        1,
        "1 resets the head, in one cycle, and drops what is in it",
        "sw = w; hw = r; singlepulse;",
        0,
    )
    return (
        _constant("id", ID, "soft in ASCII"),
        _constant("version", major << 16 | minor << 8 | patch, f"softstream {softstream.__version__}: major, minor and patch"),
        _constant("digest", int(head.config.digest[:8], 16), "the first 32 bits of the digest of the configuration"),
        Register("control", "commands", (reset,)),
        Register("status", "what can be written and read now", tuple(status)),
        Register("errors", "what was lost; a write clears the bits that are 1 in it", tuple(errors)),
        *_score_registers(scores),
        *(register for stream in results for register in _result_registers(stream)),
    )  # fmt: skip


def files(head: GeneratedHead) -> dict[str, str]:
    """`MODULE_registers.rdl`, the registers in SystemRDL, and `MODULE_axi_lite.sv`, the wrapper."""
    return {f"{head.module}_registers.rdl": _description(head), f"{head.module}_axi_lite.sv": _wrapper(head)}


def commands(head: GeneratedHead) -> list[str]:
    """The commands of PeakRDL that write the block of registers, and their offsets for C."""
    name = f"{head.module}_registers"
    return [
        f"peakrdl regblock {name}.rdl --cpuif axi4-lite-flat --default-reset rst_n -o .",
        f"peakrdl c-header {name}.rdl -o {name}.h",
    ]


def _description(head: GeneratedHead) -> str:
    rows = "".join(register.text(4 * place) for place, register in enumerate(registers(head)))
    return (
        f"// Registers of the {head.origin}.\n"
        "// This file belongs to whoever generated it; no condition is attached to its use.\n"
        f"addrmap {head.module}_registers {{\n"
        f'    name = "{head.module}";\n'
        f"    default regwidth = {_WORD};\n"
        f"    default accesswidth = {_WORD};\n"
        f"{rows}}};\n"
    )


_TEXT = """\
// {module}_axi_lite: registers on an AXI4-Lite bus in front of the
// {origin}.
// Sources: {registers}_pkg.sv and {registers}.sv, which PeakRDL writes, this file, {verilog}:
//   $ {command}
// Send: read status until input_ready is 1, then write s_axis_tdata, and s_axis_tdata_last for the last beat of a vector.
// Receive: read the flags of a stream until tvalid is 1, the registers of its beat, and its tdata last: that read takes the beat.
// A beat that is written while input_ready is 0 is lost, and input_overflow of errors says so.
// A tdata that is read without a beat is 0, and the underflow of its stream says so.
// This file belongs to whoever generated it; no condition is attached to its use.

module {module}_axi_lite (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire [{address}:0]  s_axil_awaddr,
    input  wire [2:0]  s_axil_awprot,
    input  wire        s_axil_awvalid,
    output wire        s_axil_awready,
    input  wire [31:0] s_axil_wdata,
    input  wire [3:0]  s_axil_wstrb,
    input  wire        s_axil_wvalid,
    output wire        s_axil_wready,
    output wire [1:0]  s_axil_bresp,
    output wire        s_axil_bvalid,
    input  wire        s_axil_bready,
    input  wire [{address}:0]  s_axil_araddr,
    input  wire [2:0]  s_axil_arprot,
    input  wire        s_axil_arvalid,
    output wire        s_axil_arready,
    output wire [31:0] s_axil_rdata,
    output wire [1:0]  s_axil_rresp,
    output wire        s_axil_rvalid,
    input  wire        s_axil_rready
);
    {registers}_pkg::{registers}__in_t to_registers;
    {registers}_pkg::{registers}__out_t from_registers;

    wire head_reset = from_registers.control.head_reset.value;

    // A beat of scores waits here until the head takes it. A byte that is written without its strobe is 0, and a write without
    // the strobe of the lowest byte sends nothing.
    wire push_more = from_registers.s_axis_tdata.req & from_registers.s_axis_tdata.wr_biten.value[0];
    wire push_last = from_registers.s_axis_tdata_last.req & from_registers.s_axis_tdata_last.wr_biten.value[0];
    wire push = push_more | push_last;
    wire [{first_high}:0] pushed = push_last
        ? from_registers.s_axis_tdata_last.wr_data.value & from_registers.s_axis_tdata_last.wr_biten.value
        : from_registers.s_axis_tdata.wr_data.value & from_registers.s_axis_tdata.wr_biten.value;
    reg s_axis_tvalid = 1'b0;
    reg s_axis_tlast;
{beat}
    wire s_axis_tready;
    wire input_ready = head_reset | ~s_axis_tvalid | s_axis_tready;
    always @(posedge aclk) begin
        if (input_ready) begin
            s_axis_tvalid <= push;
            s_axis_tlast <= push_last;
{capture}
        end
        if (~aresetn) s_axis_tvalid <= 1'b0;
    end

    // What is read of a stream is 0 where no beat waits, and while the head is in reset.
{results}

{inputs}
    // Taken in the next cycle.
    reg ack_more = 1'b0, ack_last = 1'b0;
    always @(posedge aclk) begin
        ack_more <= aresetn & from_registers.s_axis_tdata.req;
        ack_last <= aresetn & from_registers.s_axis_tdata_last.req;
    end
    assign to_registers.s_axis_tdata.wr_ack = ack_more;
    assign to_registers.s_axis_tdata_last.wr_ack = ack_last;

    {registers} registers (
        .clk(aclk),
        .rst_n(aresetn),
{bus},
        .hwif_in(to_registers),
        .hwif_out(from_registers)
    );

    {module} head (
        .aclk(aclk),
        .aresetn(aresetn & ~head_reset),
{streams}
    );
endmodule
"""


def _wrapper(head: GeneratedHead) -> str:
    scores, *results = head.streams
    rows = registers(head)
    data = _known(scores, "tdata")
    ports = [port for role in ("tuser", "tkeep", "tdata") if (port := _named(scores, role))]
    capture = []
    for port in ports:
        parts = [
            "pushed" if (port, low) == (data, 0) else f"from_registers.{name}.value.value"
            for name, low, _ in _words(port)
        ]
        capture.append(f"            {port.name} <= {{{', '.join(reversed(parts))}}};")
    wires = []
    for stream in results:
        wires += [f"    wire {_range(port)}{port.name};" for port in stream.ports]
        wires.append(f"    assign {stream.prefix}_tready = from_registers.{stream.prefix}_tdata.value.swacc;")
        wires.append(f"    wire {stream.prefix}_valid = {stream.prefix}_tvalid & ~head_reset;")
    channels = {
        "aw": ("addr", "prot"),
        "w": ("data", "strb"),
        "b": ("resp",),
        "ar": ("addr", "prot"),
        "r": ("data", "resp"),
    }
    bus = [f"s_axil_{channel}{name}" for channel, names in channels.items() for name in (*names, "valid", "ready")]
    return _TEXT.format(
        module=head.module,
        registers=f"{head.module}_registers",
        origin=head.origin,
        verilog=head.verilog_file,
        command=commands(head)[0],
        address=(4 * len(rows) - 1).bit_length() - 1,
        first_high=min(_WORD, data.width) - 1,
        beat="\n".join(f"    reg {_range(port)}{port.name};" for port in ports),
        capture="\n".join(capture),
        results="\n".join(wires),
        inputs="\n".join(
            f"    assign to_registers.{register.name}.{field.name}.{field.source};"
            for register in rows
            for field in register.fields
            if field.source
        ),
        bus=",\n".join(f"        .{name}({name})" for name in bus),
        streams=",\n".join(f"        .{port.name}({port.name})" for stream in head.streams for port in stream.ports),
    )


def _range(port: Port) -> str:
    return f"[{port.width - 1}:0] " if port.width > 1 else ""
