"""Proofs of changed hardware: what a simulation suggests of a head is not that of the hardware before the change."""

from collections.abc import Callable

import pytest

from softstream.sim.proofs import counting, inside, rooms

SUGGESTIONS = (inside.observed, counting.steps_of, counting.registers_behind, rooms._candidates)


@pytest.fixture(autouse=True)
def forget_suggestions() -> Callable[[], None]:
    """Forgets them, once before each test: a configuration does not tell that a test replaced a part of the hardware."""

    def forget() -> None:
        for suggestion in SUGGESTIONS:
            suggestion.cache_clear()

    forget()
    return forget
