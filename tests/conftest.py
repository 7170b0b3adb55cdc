"""The same terminal for every test."""

import pytest


@pytest.fixture(autouse=True)
def no_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are not folded unless a test sets a width: pytest-xdist sets the variable in its workers."""
    monkeypatch.delenv("COLUMNS", raising=False)
