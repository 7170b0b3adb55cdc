"""The manual page, from the same verbs, options and texts as `--help`.

    text = manual(group)    # roff, for man

The same version gives the same bytes.
"""

from collections.abc import Iterator

import click

import softstream

__all__ = ["manual"]

_CODES = {
    0: "success",
    1: "a mismatch, or a failed tool",
    2: "a mistake in the input",
    3: "a missing tool",
    4: "a fault of the link to a board",
    130: "Ctrl-C",
    143: "SIGTERM",
}


def manual(group: click.Group) -> str:
    """The page of a group of commands, in the language of man."""
    root = click.Context(group, info_name=group.name or "softstream")
    lines = [
        f'.TH SOFTSTREAM 1 "" "softstream {softstream.__version__}" "User Commands"',
        ".SH NAME",
        "softstream \\- generate streaming softmax and argmax heads for FPGAs",
        ".SH SYNOPSIS",
        ".B softstream",
        _text("VERB [CONFIG] [OPTIONS]"),
        ".SH DESCRIPTION",
        *_paragraphs(group.help or ""),
        ".SH VERBS",
    ]
    for name in group.list_commands(root):
        command = group.get_command(root, name)
        assert command is not None
        lines += [f'.SS "{_text(_usage(command, name))}"', *_paragraphs(command.help or "")]
        for parameter in command.get_params(click.Context(command, info_name=name, parent=root)):
            record = parameter.get_help_record(click.Context(command)) if isinstance(parameter, click.Option) else None
            if record is not None:
                lines += [".TP", f".B {_text(record[0])}", _text(record[1])]
    lines.append(".SH EXIT STATUS")
    for code, meaning in _CODES.items():
        lines += [".TP", f".B {code}", _text(meaning)]
    lines += [
        ".SH ENVIRONMENT",
        ".TP",
        ".B NO_COLOR",
        "no colours in tables and progress bars",
        ".TP",
        ".B COLUMNS",
        "the width of tables, where it is not that of the terminal",
        ".TP",
        ".B XDG_CACHE_HOME",
        "the folder of the cache",
    ]
    return "\n".join(lines) + "\n"


def _usage(command: click.Command, name: str) -> str:
    """The verb with its arguments."""
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    return " ".join([name, *(argument.make_metavar(click.Context(command)) for argument in arguments)])


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """Text that roff prints as it is: no escapes, no hyphens for dashes, no request at the start of a line."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped
