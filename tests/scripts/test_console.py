"""Lines of the terminal: sentences are folded, commands are not."""

import pytest

from softstream.scripts.console import Console


def test_a_sentence_is_folded_to_the_terminal_and_a_command_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    sentence, command = "word " * 20 + "end", "next: softstream generate --preset softmax-int8 -o DIR"
    Console().line(sentence)
    Console().line("  " + sentence)
    Console().line(command)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == command
    assert all(len(line) <= 40 for line in lines[:-1])
    assert " ".join(lines[:-1]).split() == (sentence + " " + sentence).split()
    Console(wide=True).line(sentence)
    assert capsys.readouterr().out == sentence + "\n"
