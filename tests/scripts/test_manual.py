"""The manual page: every verb and option, and text that man reads without a warning."""

import re
import shutil
import subprocess

import click
import pytest

from softstream.scripts.cli import _softstream


def test_it_has_every_verb_and_option(cli) -> None:
    code, out, err = cli("man")
    assert (code, err) == (0, "")
    for name, command in _softstream.commands.items():
        _, _, section = out.partition(f'.SS "{name}'.replace("-", "\\-"))
        section = section.partition("\n.S")[0]
        assert section, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0].replace("-", "\\-") in section, (name, parameter.opts)
    assert cli("man")[1] == out


def test_man_reads_it_without_a_warning(cli) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-rLL=78n"],
        input=cli("man")[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "--max-ulp ULP" in re.sub(".\b", "", done.stdout)  # bold letters are struck twice
