"""The same terminal for every test, and the command line for the tests of the verbs and pages."""

from collections.abc import Callable
from typing import Any

import pytest

from softstream.scripts.cli import main


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


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Any, str, str]]:
    """Runs the command in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run
