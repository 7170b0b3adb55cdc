"""Every board yields a plan without any tool, and the refusal of an unknown board names the nearest one."""

import warnings

import numpy as np
import pytest
from support.board_builds import BUILT, CASES

from softstream.boards.gateware.clock import choose
from softstream.boards.gateware.top import BoardTop
from softstream.boards.registry import BOARDS, board
from softstream.hw.config.presets import PRESETS, preset
from softstream.hw.errors import UserError
from softstream.sim.data import DIGITS_SCORES

DEMANDED = {
    "icebreaker", "icestick", "hx8k-evn", "upduino-v3", "ulx3s-12f", "ulx3s-85f", "orangecrab", "ecpix5",
    "colorlight-5a75b", "colorlight-i5", "tang-nano-9k", "tang-nano-20k", "tang-primer-20k",
    "icesugar", "icesugar-nano", "icesugar-pro", "icepi-zero", "tinyfpga-bx",
    "arty-a7-35", "nexys4-ddr", "arty-s7-50", "arty-z7-20", "de10-lite", "de0-nano", "de10-nano",
}  # fmt: skip
SCORES = np.load(DIGITS_SCORES)[:2].tolist()
CONSTRAINTS = {"ice40": "top.pcf", "ecp5": "top.lpf", "gowin": "top.cst", "vivado": "top.xdc", "quartus": "top.qsf"}


def test_the_registry_holds_the_boards():
    assert set(BOARDS) >= DEMANDED
    assert all(row.name == name and row.preset in PRESETS for name, row in BOARDS.items())


def test_an_unknown_board_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"unknown board 'icebraker' \(did you mean 'icebreaker'\?\): must be one of "):
        board("icebraker")


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_yields_a_plan_without_tools(name, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    row = board(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        top = BoardTop(preset(row.preset), row, choose(row), demo=SCORES)
        plan = row.make_platform().build(top, do_build=False, **row.options)
    text = plan.files[CONSTRAINTS[row.toolchain]]
    assert row.oscillator in text
    # The winner is shown on every board.
    assert any(lamp in text for lamp in ("led_", "display_7seg"))
    assert "build_top.sh" in plan.files


@pytest.mark.parametrize("name", BOARDS)
def test_a_row_agrees_with_its_platform(name):
    row = board(name)
    platform = row.make_platform()
    assert platform.lookup(row.oscillator).clock.frequency == row.oscillator_hz
    uart = platform.lookup("uart", 0)
    assert {"rx", "tx"} <= {signal.name for signal in uart.ios}


def test_verified_agrees_with_the_boards_that_the_tests_cover():
    said = {name: row.verified for name, row in BOARDS.items()}
    assert {name for name, far in said.items() if far != "plan"} == set(BUILT)
    assert {name for name, far in said.items() if far == "decoded bitstream"} == set(CASES)
