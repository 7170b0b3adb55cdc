"""Every board yields a plan without any tool, and the refusal of an unknown board names the nearest one."""

import re
import warnings

import numpy as np
import pytest
from support.board_builds import BUILT, CASES
from support.long_cases import mostly_long

from softstream.boards.gateware.clock import choose
from softstream.boards.gateware.top import BoardTop
from softstream.boards.registry import ABSENT, BOARDS, board
from softstream.hw.config.presets import PRESETS, preset
from softstream.hw.errors import UserError
from softstream.sim.data import DIGITS_SCORES

DEMANDED = {
    "icebreaker", "icestick", "hx8k-evn", "upduino-v3", "ulx3s-12f", "ulx3s-85f", "orangecrab", "ecpix5",
    "colorlight-5a75b", "colorlight-i5", "tang-nano-9k", "tang-nano-20k", "tang-primer-20k",
    "icesugar", "icesugar-nano", "icesugar-pro", "icepi-zero", "tinyfpga-bx",
    "arty-a7-35", "nexys4-ddr", "arty-s7-50", "arty-z7-20", "pynq-z2", "crosslink-nx-evn", "colorlight-i9",
    "fomu", "tang-nano-1k", "tang-nano-4k", "de10-lite", "de0-nano", "de10-nano", "gatemate-evb",
}  # fmt: skip
SCORES = np.load(DIGITS_SCORES)[:2].tolist()
CONSTRAINTS = {
    "ice40": "top.pcf",
    "ecp5": "top.lpf",
    "gowin": "top.cst",
    "gatemate": "top.ccf",
    "vivado": "top.xdc",
    "quartus": "top.qsf",
    "radiant": "top.pdc",
}


def test_the_registry_holds_the_boards():
    assert set(BOARDS) >= DEMANDED
    assert all(row.name == name and row.preset in PRESETS for name, row in BOARDS.items())


def test_an_unknown_board_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"unknown board 'icebraker' \(did you mean 'icebreaker'\?\): must be one of "):
        board("icebraker")


# The names that a list of boards to support asked for, as people write them → what `--board` must answer.
ASKED = {
    "iCESugar": "icesugar",
    "iCESugar-nano": "icesugar-nano",
    "iCESugar-pro": "icesugar-pro",
    "iCEPi Zero": "icepi-zero",
    "Colorlight i9": "colorlight-i9",
    "ButterStick": "sigma-delta converter; for example --board orangecrab",
    "Fomu": "fomu",
    "TinyFPGA BX": "tinyfpga-bx",
    "Tang Nano 4K": "tang-nano-4k",
    "Tang Nano 1K": "tang-nano-1k",
    "Nexys A7": "former name, Nexys 4 DDR, for the part XC7A100T; for example --board nexys4-ddr",
    "nexys-a7-100t": "for example --board nexys4-ddr",
    "Arty Z7": "did you mean 'arty-z7-20'",
    "PYNQ-Z2": "pynq-z2",
    "KV260": "without its processor; for example --board pynq-z2",
    "Kria KV260": "without its processor; for example --board pynq-z2",
    "DE0-Nano": "de0-nano",
    "DE10-Nano": "de10-nano",
    "GateMate": "did you mean 'gatemate-evb'",
    "CrossLink-NX": "did you mean 'crosslink-nx-evn'",
}


@pytest.mark.parametrize("name", ASKED)
def test_a_board_that_people_ask_for_exists_or_is_answered_with_its_reason(name):
    if ASKED[name] in BOARDS:
        assert board(name).name == ASKED[name]
        return
    with pytest.raises(UserError) as refusal:
        board(name)
    assert ASKED[name] in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_a_refusal_names_instead_exists():
    assert all(re.match(r"[\w-]+", other)[0] in BOARDS for _, other in ABSENT.values())


# One board of each toolchain.
PLANNED = {row.toolchain: row.name for row in BOARDS.values()}.values()


@pytest.mark.parametrize("name", mostly_long(BOARDS, PLANNED))
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


# openFPGALoader 1.1: src/board.hpp names the cable of a board, src/cable.hpp the USB ids of a cable; it has the ids of a board
# with a DFU boot loader itself. apio's definitions/boards.jsonc has the others.
CABLES = {
    "digilent": (0x0403, 0x6010),
    "ft2232": (0x0403, 0x6010),
    "ecpix5-debug": (0x0403, 0x6010),
    "ft231X": (0x0403, 0x6015),
    "ft232": (0x0403, 0x6014),
    "cmsisdap": (0x0D28, 0x0204),
    "gatemate_evb_jtag": (0x0403, 0x6010),
}
LOADER_BOARDS = {
    **dict.fromkeys(("arty_a7_35t", "arty_s7_50", "arty_z7_20", "nexys_a7_100"), "digilent"),
    **dict.fromkeys(
        ("tangnano1k", "tangnano4k", "tangnano9k", "tangprimer20k", "pynq_z2", "crosslinknx_evn"), "ft2232"
    ),
    **dict.fromkeys(("colorlight-i5", "colorlight-i9"), "cmsisdap"),
    **dict.fromkeys(("icepi-zero", "ulx3s"), "ft231X"),
    "ecpix5": "ecpix5-debug",
    "gatemate_evb_jtag": "gatemate_evb_jtag",
}
OTHER_IDS = {
    "icestick": (0x0403, 0x6010),
    "hx8k-evn": (0x0403, 0x6010),
    "icebreaker": (0x0403, 0x6010),
    "upduino-v3": (0x0403, 0x6014),
    "icesugar": (0x1D50, 0x602B),
    "icesugar-nano": (0x1D50, 0x602B),
    "tinyfpga-bx": (0x1D50, 0x6130),
    "fomu": (0x1209, 0x5BF0),
    "orangecrab": (0x1209, 0x5AF0),
    "de0-nano": (0x09FB, 0x6001),
    "de10-lite": (0x09FB, 0x6001),
    "de10-nano": (0x09FB, 0x6810),
}


@pytest.mark.parametrize("name", BOARDS)
def test_programmer_and_usb_ids_are_those_of_public_tables(name):
    row = board(name)
    options = dict(zip(row.programmer.arguments, row.programmer.arguments[1:], strict=False))
    if row.programmer.tool == "openFPGALoader":
        if "--vid" in options:  # a probe of another maker
            assert row.usb == (int(options["--vid"], 16), int(options["--pid"], 16))
        else:
            assert row.usb == CABLES[options["-c"] if "-c" in options else LOADER_BOARDS[options["-b"]]]
    else:
        assert row.usb == OTHER_IDS[name]
        if row.programmer.tool == "dfu-util":
            assert options["-d"] == f"{row.usb[0]:04x}:{row.usb[1]:04x}"


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


DATABASES = {
    "iCE40LP1K": "1k", "iCE40HX1K": "1k", "iCE40LP8K": "8k", "iCE40HX8K": "8k", "iCE40UP5K": "5k",
    "CCGM1A1": "CCGM1A1",
    "LFE5U-12F": "25k", "LFE5U-25F": "25k", "LFE5U-45F": "45k", "LFE5U-85F": "85k", "LFE5UM5G-85F": "85k 5G",
}  # fmt: skip
"""Device → the chip database that nextpnr takes for it; the 5G parts have the timing of their higher voltage."""


def test_boards_of_one_die_have_the_same_database_of_place_and_route():
    kinds = {}
    for row in BOARDS.values():
        if not row.vendor:
            platform = row.make_platform()
            gowin = row.toolchain == "gowin"
            database = platform._chipdb_device if gowin else DATABASES[platform.device]
            kinds.setdefault(row.die or row.device, set()).add((row.toolchain, database))
            if row.toolchain == "ecp5":
                assert row.speed == int(platform.speed), row.name
            if row.toolchain == "ice40":
                assert row.speed == platform.device.startswith("iCE40HX"), row.name
    assert all(len(databases) == 1 for databases in kinds.values()), kinds


def test_a_build_stands_for_a_board_of_its_die_that_is_no_slower_and_has_no_higher_clock():
    def stands(one, other):
        return board(one).stands_for(board(other))

    assert stands("icepi-zero", "orangecrab")  # 50 MHz at speed 6, 48 MHz at speed 8
    assert not stands("orangecrab", "icesugar-pro")  # a faster part shows nothing of a slower one
    assert not stands("icesugar-pro", "icepi-zero")  # 25 MHz show nothing of 50 MHz
    assert not stands("ulx3s-85f", "colorlight-i9")  # another die
    assert stands("fomu", "icebreaker")
    assert not stands("icebreaker", "fomu")
