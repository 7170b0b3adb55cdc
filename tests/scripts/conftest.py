"""The command line, for the tests of the verbs."""

import pytest

from softstream.scripts.cli import main


@pytest.fixture
def cli(capsys):
    """Runs the command in this process: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run
