"""The hardware of every preset and test configuration equals the stored hashes; `make hashes` stores new ones."""

import pytest
from support.rtlil_hashes import CONFIGURATIONS, rtlil_hash, stored_hashes


def test_every_configuration_is_stored():
    assert list(stored_hashes()) == list(CONFIGURATIONS)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_hardware_is_the_stored_one(name):
    assert rtlil_hash(CONFIGURATIONS[name]) == stored_hashes()[name], "make hashes, if the change is meant"
