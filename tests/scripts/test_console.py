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


@pytest.mark.parametrize("options", [{"as_json": True}, {"quiet": True}])
def test_the_last_line_is_for_a_person_alone(options, capsys):
    Console(**options).done("verdict", "softstream boards")
    assert capsys.readouterr().out == ""


def test_a_command_of_the_last_line_has_the_configuration_and_stays_in_one_line(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    console = Console(configuration="softmax-int8 --set 'groups=[4,2]'")
    console.done("verdict", console.command("generate", "-o", "a folder"))
    [line] = capsys.readouterr().out.splitlines()
    assert line.endswith("; next: softstream generate softmax-int8 --set 'groups=[4,2]' -o 'a folder'")
    assert Console().command("boards") == "softstream boards"
