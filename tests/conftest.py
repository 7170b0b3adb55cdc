"""The same terminal for every test."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that stores what the verbs print now."""
    parser.addoption(
        "--rewrite-snapshots", action="store_true", help="store what the verbs print now, tests/scripts/snapshots"
    )


@pytest.fixture(autouse=True)
def no_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is folded or left out unless a test sets a width: pytest-xdist sets the variable in its workers."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("softstream.scripts.console.PIPED_COLUMNS", 1 << 16)
