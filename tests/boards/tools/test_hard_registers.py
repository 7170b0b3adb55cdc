"""Registers that move into block RAMs and multipliers: only those that do nothing but delay, and only as a whole."""

import copy
import json
from typing import Any

import pytest

from softstream.boards.tools.hard_registers import absorb

CLOCK, OTHER_CLOCK = 2, 3


def flip_flop(data: int, output: int, **changes: Any) -> dict[str, Any]:
    wires = {"CLK": [CLOCK], "DI": [data], "LSR": ["0"], "Q": [output]}
    parameters = {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"}
    wires |= {port: bits for port, bits in changes.items() if port in ("CLK", "CE", "LSR")}
    parameters |= {name: text for name, text in changes.items() if name in ("CEMUX", "CLKMUX", "REGSET")}
    directions = dict.fromkeys(wires, "input") | {"Q": "output"}
    return {"type": "TRELLIS_FF", "parameters": parameters, "connections": wires, "port_directions": directions}


def module(cells: dict[str, Any], *outputs: int) -> dict[str, Any]:
    return {"cells": cells, "ports": {"out": {"direction": "output", "bits": list(outputs)}}}


def ram(width: int, *, b: tuple[int, ...], a: tuple[int, ...] = ()) -> dict[str, Any]:
    wires: dict[str, list[Any]] = {"CLKA": [CLOCK], "CLKB": [CLOCK], "ADB5": [9]}
    wires |= {f"DOB{k}": [bit] for k, bit in enumerate(b)} | {f"DOA{k}": [bit] for k, bit in enumerate(a)}
    parameters = {"DATA_WIDTH_B": f"{width:032b}", "REGMODE_A": "NOREG", "REGMODE_B": "NOREG", "CLKBMUX": "CLKB"}
    directions = {port: "output" if port.startswith("DO") else "input" for port in wires}
    return {"type": "DP16KD", "parameters": parameters, "connections": wires, "port_directions": directions}


def memory_module(**changes: Any) -> dict[str, Any]:
    cells = {"ram": ram(18, b=(10, 11, 12)), "ff0": flip_flop(10, 20), "ff1": flip_flop(11, 21, **changes)}
    return module(cells, 20, 21)


def test_an_output_register_moves_into_the_ram() -> None:
    netlist = memory_module()
    assert absorb(netlist) == 2
    cell = netlist["cells"]["ram"]
    assert list(netlist["cells"]) == ["ram"]
    assert (cell["parameters"]["REGMODE_A"], cell["parameters"]["REGMODE_B"]) == ("NOREG", "OUTREG")
    assert [cell["connections"][f"DOB{k}"] for k in range(3)] == [[20], [21], [12]]
    assert cell["connections"]["OCEB"] == ["1"]
    assert absorb(netlist) == 0  # it has its register now


def test_a_register_with_the_enable_of_the_port_moves_into_the_ram() -> None:
    enable = {"CE": [30], "CEMUX": "CE"}
    cells = {"ram": ram(18, b=(10, 11)), "ff0": flip_flop(10, 20, **enable), "ff1": flip_flop(11, 21, **enable)}
    cells["ram"]["port_directions"]["CEB"] = "input"
    cells["ram"]["connections"]["CEB"] = [31]
    assert absorb(module(copy.deepcopy(cells), 20, 21)) == 0  # the register has another enable than the port
    cells["ram"]["connections"]["CEB"] = [30]
    inverted = copy.deepcopy(cells)
    inverted["ram"]["parameters"]["CEBMUX"] = "INV"
    assert absorb(module(inverted, 20, 21)) == 0
    netlist = module(cells, 20, 21)
    assert absorb(netlist) == 2
    assert netlist["cells"]["ram"]["connections"]["OCEB"] == [30]
    assert netlist["cells"]["ram"]["parameters"]["REGMODE_B"] == "OUTREG"


def test_both_halves_of_a_wide_read_port_move_together() -> None:
    cells = {"ram": ram(36, b=(10,), a=(11,)), "ff0": flip_flop(10, 20), "ff1": flip_flop(11, 21)}
    netlist = module(copy.deepcopy(cells), 20, 21)
    assert absorb(netlist) == 2
    parameters = netlist["cells"]["ram"]["parameters"]
    assert (parameters["REGMODE_A"], parameters["REGMODE_B"]) == ("OUTREG", "OUTREG")
    cells["ff1"] = flip_flop(11, 21, CE=[30], CEMUX="CE")
    assert absorb(module(cells, 20, 21)) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"CE": [30], "CEMUX": "CE"},
        {"LSR": [30]},
        {"REGSET": "SET"},
        {"CLK": [OTHER_CLOCK]},
        {"CLKMUX": "INV"},
    ],
)
def test_a_flip_flop_that_does_more_than_delay_stays_and_so_do_its_neighbours(changes: dict[str, Any]) -> None:
    netlist = memory_module(**changes)
    before = json.dumps(netlist)
    assert absorb(netlist) == 0
    assert json.dumps(netlist) == before


def test_data_with_another_reader_keep_their_flip_flops() -> None:
    netlist = memory_module()
    netlist["ports"]["out"]["bits"].append(10)
    assert absorb(netlist) == 0
    netlist = memory_module()
    netlist["cells"]["ff2"] = flip_flop(11, 22)
    assert absorb(netlist) == 0


def multiplier_module() -> dict[str, Any]:
    wires = {"A0": [10], "A1": ["0"], "B0": [11], "P0": [12], "P1": [13]}
    directions = {port: "output" if port.startswith("P") else "input" for port in wires}
    cells = {
        "product": {"type": "MULT18X18D", "parameters": {}, "connections": wires, "port_directions": directions},
        "a": flip_flop(20, 10),
        "b": flip_flop(21, 11),
        "p0": flip_flop(12, 22),
        "p1": flip_flop(13, 23),
    }
    return module(cells, 22, 23)


def test_a_multiplier_takes_the_registers_on_both_sides() -> None:
    netlist = multiplier_module()
    assert absorb(netlist) == 4
    cell = netlist["cells"]["product"]
    assert list(netlist["cells"]) == ["product"]
    assert {port: cell["connections"][port] for port in ("A0", "A1", "B0", "P0", "P1")} == {
        "A0": [20],
        "A1": ["0"],
        "B0": [21],
        "P0": [22],
        "P1": [23],
    }
    for what in ("INPUTA", "INPUTB", "OUTPUT"):
        assert cell["parameters"][f"REG_{what}_CLK"] == "CLK0"
    assert (cell["connections"]["CLK0"], cell["connections"]["CE0"], cell["connections"]["RST0"]) == (
        [CLOCK],
        ["1"],
        ["0"],
    )


def test_a_factor_with_another_reader_keeps_its_register_and_so_does_the_other() -> None:
    netlist = multiplier_module()
    netlist["ports"]["out"]["bits"].append(10)
    assert absorb(netlist) == 2
    assert set(netlist["cells"]) == {"product", "a", "b"}
    assert "REG_INPUTB_CLK" not in netlist["cells"]["product"]["parameters"]


def enabled(netlist: dict[str, Any], name: str, enable: int) -> None:
    """Gives a flip-flop of a netlist an enable."""
    data, output = (netlist["cells"][name]["connections"][port][0] for port in ("DI", "Q"))
    netlist["cells"][name] = flip_flop(data, output, CE=[enable], CEMUX="CE")


def test_a_multiplier_takes_registers_of_one_enable() -> None:
    netlist = multiplier_module()
    for name in ("a", "b", "p0", "p1"):
        enabled(netlist, name, 30)
    assert absorb(netlist) == 4
    assert netlist["cells"]["product"]["connections"]["CE0"] == [30]


def test_a_multiplier_leaves_registers_of_another_enable_outside() -> None:
    netlist = multiplier_module()
    for name, enable in (("a", 31), ("b", 31), ("p0", 30), ("p1", 30)):
        enabled(netlist, name, enable)
    assert absorb(netlist) == 2
    assert netlist["cells"]["product"]["connections"]["CE0"] == [30]
    assert "REG_INPUTA_CLK" not in netlist["cells"]["product"]["parameters"]
    different = multiplier_module()
    enabled(different, "p0", 30)
    assert absorb(different) == 2
    assert "REG_OUTPUT_CLK" not in different["cells"]["product"]["parameters"]


def test_a_square_takes_the_registers_that_both_its_factors_come_from() -> None:
    netlist = multiplier_module()
    netlist["cells"]["product"]["connections"]["B0"] = [10]
    del netlist["cells"]["b"]
    assert absorb(netlist) == 3
    cell = netlist["cells"]["product"]
    assert list(netlist["cells"]) == ["product"]
    assert (cell["connections"]["A0"], cell["connections"]["B0"]) == ([20], [20])


def test_of_two_registers_in_a_row_behind_a_multiplier_one_moves_and_the_next_feeds_another_one() -> None:
    """The pass tracks moved registers: the second multiplier finds its register although the first one has moved."""
    netlist = multiplier_module()
    second = copy.deepcopy(netlist["cells"]["product"])
    second["connections"] = {"A0": [32], "B0": [33], "P0": [42]}
    second["port_directions"] = {"A0": "input", "B0": "input", "P0": "output"}
    chained = {"c": flip_flop(22, 32), "d": flip_flop(23, 33), "second": second, "p2": flip_flop(42, 52)}
    netlist["cells"].update(chained)
    netlist["ports"]["out"]["bits"] = [52]
    assert absorb(netlist) == 4 + 3
    assert set(netlist["cells"]) == {"product", "second"}
    assert netlist["cells"]["second"]["connections"]["A0"] == netlist["cells"]["product"]["connections"]["P0"] == [22]


def test_a_register_of_a_constant_is_shared_and_each_multiplier_has_its_own() -> None:
    netlist = multiplier_module()
    cells = netlist["cells"]
    cells["a"]["connections"]["DI"] = ["1"]
    second = copy.deepcopy(cells["product"])
    second["connections"] |= {"B0": [14], "P0": [15], "P1": [16]}
    cells |= {"second": second, "b1": flip_flop(24, 14), "p2": flip_flop(15, 25), "p3": flip_flop(16, 26)}
    netlist["ports"]["out"]["bits"] += [25, 26]
    assert absorb(copy.deepcopy(netlist)) == 8
    absorb(netlist)
    assert set(cells) == {"product", "second"}
    assert [cells[name]["connections"]["A0"] for name in ("product", "second")] == [["1"], ["1"]]
    assert cells["second"]["parameters"]["REG_INPUTA_CLK"] == "CLK0"
