"""The whole board in a simulator, the top that the tools get, and the host program, as it is, at the other end of a serial
port; with faults between."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tty

import numpy as np
import pytest
from support.front_ends import verilator

from softstream.boards import registry
from softstream.boards.flow.plan import make_plan
from softstream.boards.flow.simulation import BOARD, board_verilog
from softstream.boards.link.host import open_link
from softstream.boards.link.protocol import Frame, Type, encode
from softstream.boards.link.uart import divisor
from softstream.hw.config.presets import preset
from softstream.hw.errors import LinkError, UserError
from softstream.hw.plan.derive import plan
from softstream.scripts.verbs.run_on_board import measured_cycles, self_test
from softstream.sim.data import DIGITS_SCORES
from softstream.sim.golden import golden
from softstream.sim.simulators.board import SimulatedBoard
from softstream.sim.stimulus import random_sideband

pytestmark = pytest.mark.boards

SCORES = np.load(DIGITS_SCORES)
CLOCKS_PER_BIT = 8
SILENCE = 1.5  # seconds; the simulated line makes some 2000 bytes in one
GREETING = 8  # bytes of the request for INFO, delimiter before it included
INFORMATION = 60  # bytes of the answer


def simulated(name, preset_name, clock_hz=None, simulator="verilator", **keys):
    """The board as the tools would get it, but for the rate of its link, and its configuration."""
    config, row = preset(preset_name).replace(**keys), registry.board(name)
    baud = round((clock_hz or row.clock_hz) / CLOCKS_PER_BIT)
    design = make_plan(config, row, clock_hz=clock_hz, baud=baud)
    assert divisor(design.clock.hz, design.baud) == CLOCKS_PER_BIT
    return SimulatedBoard(board_verilog(design), BOARD, divisor=CLOCKS_PER_BIT, simulator=simulator), config


@pytest.fixture(
    scope="module",
    params=[
        # All of the tests: some 20 s of one core for each board, once Verilator has built it.
        pytest.param(("hx8k-evn", "digits-softmax"), marks=pytest.mark.xdist_group("softmax")),
        pytest.param(("icestick", "digits-argmax"), marks=pytest.mark.xdist_group("argmax")),
    ],
    ids=lambda param: param[1],
)
def board(request):
    simulation, config = simulated(*request.param)
    with simulation as board:
        board.config, board.name = config, request.param[0]
        yield board
    # No byte was ever lost for want of room, whatever the hosts did.
    assert board.totals["lost"] == 0
    assert board.totals["to_board"] > 0 < board.totals["to_host"]


def command(board, *options, scores=None, timeout=5.0):
    source = ["--scores", str(scores)] if scores is not None else []
    shape = ["--board", board.name, "--vectors", "3", "--timeout", str(timeout), "--json"]
    return [sys.executable, "-m", "softstream", "run-on-board", "--port", board.port, *shape, *source, *options]


def host(board, *options, **more):
    return subprocess.run(command(board, *options, **more), capture_output=True, text=True, timeout=300)


@pytest.fixture
def digits(tmp_path):
    path = tmp_path / "digits.npy"
    np.save(path, SCORES[:15])
    return path


def test_the_host_program_finds_the_digits_scores_equal_to_the_model(board, digits):
    done = host(board, scores=digits)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["passed"] is True
    assert report["mismatches"] == []
    assert report["digest"] == board.config.digest
    assert {group["name"]: group["vectors"] for group in report["groups"] if group["name"] != "corner"} == {
        "random": 3,
        "given": 15,
    }
    assert all(group["bytes_received"] > group["elements"] for group in report["groups"])
    assert [row["length"] for row in report["first_result_cycles"]] == [1, 10]
    assert all(row["measured"] == row["planned"] for row in report["first_result_cycles"])


def test_another_configuration_on_the_board_is_one_line(board):
    done = host(board, "--set", "max_length=11")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert (
        f"the board holds another configuration ({board.config.mode}, 8-bit scores, max_length 10, digest"
        in done.stderr
    )


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (("to_board", GREETING + 4, "drop", 0), "damaged at the board"),
        (("to_host", INFORMATION + 9, "flip", 3), "damaged at the host"),
    ],
    ids=["to the board", "to the host"],
)
def test_the_host_program_tells_a_fault_in_one_line_and_succeeds_the_next_time(board, fault, says):
    board.damage(fault)
    done = host(board)
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert len(board.hits()) == 1
    board.damage()
    again = host(board)
    assert again.returncode == 0, again.stderr


def attempt(board, link, rows):
    """Whether the request succeeded; a result that is not the model's is no success and no fault, but a failure."""
    try:
        answer = link.run(SCORES[rows], sideband=random_sideband(board.config, SCORES[rows]))
    except LinkError as error:
        return str(error)
    model = golden(board.config, SCORES[rows], sideband=random_sideband(board.config, SCORES[rows]))
    assert set(answer.arrays) == set(model)
    assert all(np.array_equal(answer[name], model[name]) for name in model)
    return ""


def test_the_host_recovers_from_faults_anywhere_on_the_wire(board):
    rng = np.random.default_rng(20)
    messages = []
    with open_link(board.port, timeout=SILENCE) as link:
        link.handshake(board.config)
        for turn in range(18):
            kind = ("flip", "drop", "double")[turn % 3]
            way = ("to_board", "to_host")[turn // 3 % 2]
            # The first half of 6 requests of 17 bytes, or of what answers them.
            board.damage((way, int(rng.integers(2, 50)), kind, int(rng.integers(0, 10))))
            messages.append(attempt(board, link, slice(turn, turn + 6)))
            assert len(board.hits()) == 1, "the fault did not happen"
            board.damage()
            assert attempt(board, link, slice(40, 43)) == "", (turn, kind, way)
    assert sum(map(bool, messages)) >= 12, messages
    for words in ("damaged at the board", "damaged at the host"):
        assert any(words in text for text in messages), messages


def test_a_damaged_handshake_is_repeated(board):
    for fault in (("to_board", 3, "flip", 4), ("to_host", 20, "drop", 0)):
        board.damage(fault)
        with open_link(board.port, timeout=SILENCE) as link:
            link.handshake(board.config)
            assert len(board.hits()) == 1
            assert attempt(board, link, slice(0, 2)) == ""
    board.damage()


def test_a_host_that_leaves_in_the_middle_of_a_vector_and_of_a_frame(board):
    part = encode(Frame(Type.RUN, 0, 0, b"\x05\x06\x07"))
    for rest in (b"", part[:4]):
        line = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(line)
        os.write(line, b"\0" + encode(Frame(Type.INFO, 1, 0)) + part + rest)
        time.sleep(0.5)
        os.close(line)
        with open_link(board.port, timeout=SILENCE) as link:
            link.handshake(board.config)
            assert attempt(board, link, slice(5, 8)) == ""


def started(board, tmp_path):
    """A host program with much to do, in the middle of it."""
    path = tmp_path / "many.npy"
    np.save(path, SCORES[:60])
    board.damage(("to_host", INFORMATION + 400, "mark", 0))
    process = subprocess.Popen(
        command(board, scores=path, timeout=30.0), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 100
    while not board.hits() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert board.hits()
    assert process.poll() is None, process.communicate()
    return process


def test_a_board_that_is_unplugged_is_one_line(tmp_path):
    simulation, config = simulated("icestick", "digits-argmax")
    with simulation as board:
        board.config, board.name = config, "icestick"
        process = started(board, tmp_path)
        board.unplug()
        _, message = process.communicate(timeout=60)
        assert process.returncode == 4
        assert message.count("\n") == 1
        assert f"{board.port}: the port vanished" in message


def test_a_host_program_that_is_killed_leaves_a_board_that_works(board, tmp_path):
    process = started(board, tmp_path)
    process.kill()
    process.communicate()
    done = host(board)
    assert done.returncode == 0, done.stderr


def test_a_host_program_that_stops_reading_misses_nothing(board, tmp_path):
    process = started(board, tmp_path)
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out)["passed"] is True


@pytest.mark.parametrize(
    ("name", "clock_hz", "simulator"),
    [
        # One PLL per family, whose lock the reset waits for: iCE40 at its pad, ECP5, Gowin.
        # 2 s of one core each, once Verilator has built it.
        ("icebreaker", 24e6, "verilator"),
        ("ecpix5", None, "verilator"),
        ("tang-nano-9k", 24e6, "verilator"),
        # Where what is undriven, or read before it is written, is unknown. 3 s.
        pytest.param(
            "icestick",
            None,
            "icarus",
            marks=pytest.mark.skipif(shutil.which("iverilog") is None, reason="apt install iverilog"),
        ),
    ],
    ids=lambda value: str(value),
)
def test_every_family_answers_the_digits_scores_like_the_model(name, clock_hz, simulator):
    simulation, config = simulated(name, "digits-argmax", clock_hz, simulator)
    with simulation as board, open_link(board.port, timeout=60) as link:
        assert link.handshake(config).clock_hz == (clock_hz or registry.board(name).clock_hz)
        answer = link.run(SCORES[:10])
    model = golden(config, SCORES[:10])
    assert np.array_equal(answer["argmax"], model.argmax)
    assert np.array_equal(answer["best"], model.best)
    assert len(set(answer["argmax"].tolist())) > 5


@pytest.mark.parametrize("name", ["log-softmax-int8", "top-k-int8", "cross-entropy-int8"])
def test_every_mode_goes_over_the_link_with_its_sideband(name):
    """An element and one for each vector, one for each of the largest, and one for each vector alone; all of them masked."""
    simulation, config = simulated("hx8k-evn", name, max_length=10, mask=True)
    with simulation as board, open_link(board.port, timeout=60) as link:
        board.config = config
        link.handshake(config)
        groups = self_test(config, link, vectors=10)
        assert not sum(group.differences.count for group in groups)
        assert attempt(board, link, slice(0, 10)) == ""


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("softmax-int8", {"max_length": 16, "lanes": 4, "mask": True}),
        ("softmax-int8", {"max_length": 8, "lanes": 2, "groups": [8, 4]}),
        ("hardmax-int8", {"max_length": 9, "groups": [9, 4]}),
        ("argmax-int8", {"max_length": 10, "ensemble": 3}),
        ("softmax-int8", {"max_length": 10, "ensemble": 3, "ensemble_mean": "probabilities"}),
    ],
    ids=["lanes", "groups_of_lanes", "groups", "mean_of_scores", "mean_of_probabilities"],
)
def test_lanes_groups_and_ensembles_go_over_the_link(name, keys):
    """All results, and the cycles of the plan, which the link's own parts do not add to."""
    simulation, config = simulated("ulx3s-85f", name, **keys)
    with simulation as board, open_link(board.port, timeout=60) as link:
        link.handshake(config)
        groups = self_test(config, link, vectors=10)
        cycles = measured_cycles(config, link, seed=1)
    assert not sum(group.differences.count for group in groups)
    derived = plan(config)
    assert cycles == {length: derived.first_output_cycle(length) for length in cycles}
    assert cycles or config.ensemble > 1


def test_the_command_simulates_the_board_and_says_so(tmp_path):
    options = ["--board", "icestick", "--simulated", "--baud", "1500000", "--vectors", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "softstream", "run-on-board", *options], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    design = make_plan(preset("digits-argmax"), registry.board("icestick"), baud=1_500_000)
    assert f"SIMULATED, nothing is attached: the plan {design.digest[:12]} of icestick" in done.stdout
    assert "simulated board against the model" in done.stdout


@pytest.mark.parametrize("name", [name for name, row in registry.BOARDS.items() if not row.vendor])
def test_verilator_does_not_warn_of_a_board(name, tmp_path):
    """The writer of Yosys cannot avoid some warnings; the text switches off those alone."""
    row = registry.board(name)
    text = board_verilog(make_plan(preset(row.preset), row))
    assert verilator(text, tmp_path, "--top-module", BOARD) == ""
    assert "WIDTH" in verilator(text.replace("lint_off WIDTH", "lint_on WIDTH"), tmp_path, "--top-module", BOARD)


def test_boards_without_stand_ins_or_link_are_not_simulated():
    config = preset("digits-argmax")
    with pytest.raises(UserError, match="arty-a7-35 simulated: its plan is for a vendor's tools; for example"):
        board_verilog(make_plan(config, registry.board("arty-a7-35")))
    with pytest.raises(UserError, match="icestick simulated: the stand-alone demo has no link; for example"):
        board_verilog(make_plan(config, registry.board("icestick"), demo=[[1, 2]]))
