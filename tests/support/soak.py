"""`make soak`: heads under random stalls and resets for 10^8 beats, in a compiled bench, against their C models.

    PYTHONPATH=tests python -m support.soak --beats 100000000 --seed 1 --write

`soak.cpp` drives the AXI4-Stream ports of the generated Verilog, which Verilator translates. Vectors have 1 to three times
`max_length` elements, null beats come between those of several lanes, and everything that a head must ignore is random. Resets of
1 to 20 cycles come at any cycle, or after the last beat, when nothing may be left. Every beat of every output equals the one of
the C model, no beat changes or goes while it is stalled, and none comes in reset or without a vector.

`SOAK` holds the counts of the last run with `--write`.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from softstream.hw import processes
from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import byte_bits, outputs, sidebands, stream_fields
from softstream.hw.verilog import verilog
from softstream.scripts.emit.c_model import header_text
from softstream.scripts.emit.head import GeneratedHead
from softstream.sim.simulators import toolbox

__all__ = ["HEADS", "SOAK", "built", "library", "soak"]

SOAK = Path(__file__).resolve().parents[2] / "boards" / "measured" / "soak.json"
HEADS = {
    "argmax": Config(mode="argmax", max_length=16),
    "softmax": Config(max_length=16),
    "softmax, small": Config(max_length=16, profile="small"),
    "softmax, four lanes": Config(max_length=16, lanes=4),
    "softmax, masked": Config(max_length=16, mask=True),
}
_BENCH = Path(__file__).with_name("soak.cpp")
_NAME = "head"
_MODULE = "Vhead"
_VERILATOR_FLAGS = ("--cc", "-O3", "--top-module", _NAME, "--prefix", _MODULE)
_DEFINES = (
    "-DVERILATOR=1",
    *(f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD")),
)
_LIBRARY = ("verilated", "verilated_threads")
_SECONDS = 3600


def _input(config: Config) -> list[str]:
    """The input as C++: a beat, an element in it, a null beat, and its ports."""
    bits, lanes = byte_bits(config.score_width), config.lanes
    names = stream_fields(config, "s_axis")
    [mask] = sidebands(config) or [None]
    lines = [
        f"static const bool HAS_KEEP = {str('tkeep' in names).lower()};",
        "struct Input { uint64_t data, keep, user; bool last; };",
        "static void place(Input &beat, size_t lane, head_score_code score, uint8_t mask) {",
        f"    const uint64_t field = {(1 << bits) - 1}u;",
        f"    beat.data = (beat.data & ~(field << lane * {bits})) | ((uint64_t)score & field) << lane * {bits};",
        f"    beat.keep |= {(1 << bits // 8) - 1}u << lane * {bits // 8};",
        "    beat.user = (beat.user & ~((uint64_t)1 << lane)) | (uint64_t)mask << lane;" if mask else "    (void)mask;",
        "}",
        "static Input null_beat(uint64_t data) { return {data, 0, data >> 7, false}; }",
        "static void drive_input(Vhead *dut, bool valid, const Input &beat) {",
        "    dut->s_axis_tvalid = valid;",
        "    dut->s_axis_tlast = beat.last;",
        f"    dut->s_axis_tdata = beat.data & {(1 << bits * lanes) - 1}u;",
    ]
    lines += [f"    dut->s_axis_tkeep = beat.keep & {(1 << lanes * bits // 8) - 1}u;"] if "tkeep" in names else []
    lines += [f"    dut->s_axis_tuser = beat.user & {(1 << lanes) - 1}u;"] if mask else []
    return [*lines, "}"]


def _outputs(config: Config) -> list[str]:
    """The outputs as C++: their ports, and the beats that a vector is due."""
    streams = outputs(config)
    sampled = ["static bool sample(Vhead *dut, int stream, Beat &beat) {"]
    ready = ["static void drive_ready(Vhead *dut, uint64_t ready) {"]
    due = [
        "static void due(const head_score_code *scores, const uint8_t *mask, size_t length, std::deque<Beat> *expected) {",
        "    head_vector vector = {};",
        "    vector.scores = scores;",
        "    vector.length = length;",
        "    vector.mask = mask;" if sidebands(config) else "    (void)mask;",
        "    head_result result;",
    ]
    codes = any(output.per == "element" for output in streams)
    due += [f"    head_code codes[{config.max_length}];"] if codes else []
    due += [
        f"    head_run(&vector, {'codes, ' if codes else ''}&result);",
        f"    const size_t elements = length < {config.max_length} ? length : {config.max_length};",
        "    (void)elements;",
    ]
    for number, output in enumerate(streams):
        prefix, names = output.prefix, stream_fields(config, output.prefix)
        ready.append(f"    dut->{prefix}_tready = ready >> {number} & 1;")
        keep = f"dut->{prefix}_tkeep" if "tkeep" in names else "0"
        user = f"dut->{prefix}_tuser" if "tuser" in names else "0"
        sampled += [
            f"    if (stream == {number}) {{",
            f"        beat = {{dut->{prefix}_tdata, 0, {keep}, dut->{prefix}_tlast, {user}}};",
            f"        return dut->{prefix}_tvalid;",
            "    }",
        ]
        flags = " | ".join(f"(uint64_t)result.{flag.array} << {bit}" for bit, flag in enumerate(output.flags)) or "0"
        if output.per == "vector":
            low, terms = 0, []
            for field in output.fields:
                terms.append(f"((uint64_t)result.{field.array} & {(1 << field.bits) - 1}u) << {low}")
                low += field.bits
            due.append(f"    expected[{number}].push_back({{{' | '.join(terms)}, ~(uint64_t)0, 0, 1, {flags}}});")
            continue
        [field] = output.fields
        lanes, bits = output.lanes(config), field.bits
        due += [
            f"    for (size_t start = 0; start < elements; start += {lanes}) {{",
            f"        Beat beat = {{0, 0, 0, start + {lanes} >= elements, 0}};",
            f"        for (size_t lane = 0; lane < {lanes} && start + lane < elements; lane++) {{",
            f"            beat.data |= ((uint64_t)codes[start + lane] & {(1 << bits) - 1}u) << lane * {bits};",
            f"            beat.data_mask |= (uint64_t){(1 << bits) - 1}u << lane * {bits};",
            f"            beat.keep |= (uint64_t){(1 << bits // 8) - 1}u << lane * {bits // 8};" if lanes > 1 else "",
            "        }",
            f"        beat.user = {'beat.last' if output.flags_at_last else 'true'} ? ({flags}) : 0;",
            f"        expected[{number}].push_back(beat);",
            "    }",
        ]
    return [*sampled, "    return false;", "}", *ready, "}", *due, "}"]


def _header(config: Config) -> str:
    fmt = config.score_format
    lines = [
        '#include "model.h"',
        f"static const size_t LANES = {config.lanes}, MAX_LENGTH = {config.max_length};",
        f"static const int64_t LOWEST = {fmt.minimum};",
        f"static const uint64_t SCORES = {fmt.maximum - fmt.minimum + 1};",
        f"static const int STREAMS = {len(outputs(config))};",
        *_input(config),
        *_outputs(config),
    ]
    return "\n".join(line for line in lines if line) + "\n"


def library(folder: Path) -> list[Path]:
    """Verilator's run-time library, compiled into a folder, for all heads."""
    tool, (compiler, _) = toolbox.verilator(), toolbox.compiler()
    objects = [folder / f"{name}.o" for name in _LIBRARY]
    for target in objects:
        source = tool.root / "include" / f"{target.stem}.cpp"
        _command([compiler, "-c", *_compiler_flags(), str(source), "-o", target.name], folder)
    return objects


def _compiler_flags() -> list[str]:
    include = toolbox.verilator().root / "include"
    return ["-O1", "-w", *_DEFINES, "-I.", f"-I{include}", f"-I{include / 'vltstd'}"]


def built(folder: Path, config: Config, objects: Sequence[Path], text: str | None = None) -> Path:
    """The bench of a head, compiled in a folder; `text` is another Verilog than that of the configuration."""
    tool, (compiler, _) = toolbox.verilator(), toolbox.compiler()
    head = GeneratedHead(plan(config), _NAME, f"{_NAME}.v")
    (folder / f"{_NAME}.v").write_text(verilog(config, _NAME) if text is None else text, encoding="utf-8")
    (folder / "model.h").write_text(header_text(head), encoding="ascii")
    (folder / "head.h").write_text(_header(config), encoding="ascii")
    shutil.copy(_BENCH, folder)
    _command([str(tool.program), *_VERILATOR_FLAGS, "-Mdir", ".", f"{_NAME}.v"], folder, tool.root)
    # One unit, because the headers take longer to compile than the model.
    parts = sorted(path.name for path in folder.glob("*.cpp"))
    (folder / "unit.cc").write_text("".join(f'#include "{name}"\n' for name in parts), encoding="ascii")
    _command([compiler, *_compiler_flags(), "unit.cc", *map(str, objects), "-pthread", "-o", "soak"], folder)
    return folder / "soak"


def _command(command: Sequence[str], folder: Path, root: Path | None = None) -> str:
    """Output of a program in a folder, with the root of Verilator in its environment.

    Raises `RuntimeError` with the output where the program fails.
    """
    log = folder / "log"
    environment = None if root is None else {**os.environ, "VERILATOR_ROOT": str(root)}
    code = processes.run(command, folder, log, _SECONDS, environment)
    output = log.read_text(encoding="utf-8", errors="replace")
    if code != 0:
        raise RuntimeError(f"{command[0]} ended with {code}: {output[-2000:]}")
    return output


def soak(program: Path, beats: int, seed: int) -> dict[str, Any]:
    """The counts of a run. Raises `RuntimeError` for the first beat that is not right."""
    counts: dict[str, Any] = json.loads(_command([str(program), str(beats), str(seed)], program.parent))
    return counts


def main() -> int:
    """Runs every head for its share of the beats; 1 where one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beats", type=int, default=100_000_000, help="transfers on all streams of all heads together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"store the counts in {SOAK.name}")
    arguments = parser.parse_args()
    counts: dict[str, Any] = {}
    with processes.temporary_folder() as place:
        objects = library(place)
        for number, (name, config) in enumerate(HEADS.items()):
            folder = place / str(number)
            folder.mkdir()
            counts[name] = soak(built(folder, config, objects), -(-arguments.beats // len(HEADS)), arguments.seed)
            print(f"{name}: {json.dumps(counts[name])}", flush=True)
    total = {key: sum(head[key] for head in counts.values()) for key in next(iter(counts.values()))}
    print(f"{len(HEADS)} heads: {json.dumps(total)}; nothing lost, no beat wrong")
    if arguments.write:
        content = {"seed": arguments.seed, "heads": counts, "total": total}
        SOAK.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
