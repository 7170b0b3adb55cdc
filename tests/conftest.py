"""The limit of a run, the same terminal for every test, and the command line for the tests of the verbs and pages."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from softstream.scripts.cli import main

START = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that stores what the verbs print now, and the limit of a run."""
    parser.addoption(
        "--rewrite-snapshots", action="store_true", help="store what the verbs print now, tests/scripts/snapshots"
    )
    parser.addoption(
        "--limit", type=float, metavar="SECONDS", help="start no test later than this after the first; skip the rest"
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Starts the clock of the limit."""
    session.stash[START] = time.monotonic()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test that would start behind the limit of the run."""
    limit: float | None = item.config.getoption("--limit")
    if limit is not None and time.monotonic() - item.session.stash[START] > limit:
        pytest.skip(f"the limit of this run, {limit:g} s, is over")


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
