"""The hardware of every preset and test configuration equals the stored hashes; `make hashes` stores new ones."""

import sys

import pytest
from support.rtlil_hashes import CONFIGURATIONS, rtlil_hash, stored_hashes


def test_every_configuration_is_stored():
    assert list(stored_hashes()) == list(CONFIGURATIONS)


# Python 3.13 loses names of signals in Amaranth 0.5.
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Amaranth 0.5 names signals otherwise under Python 3.13")
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_hardware_is_the_stored_one(name):
    assert rtlil_hash(CONFIGURATIONS[name]) == stored_hashes()[name], "make hashes, if the change is meant"
