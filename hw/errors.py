"""The ways in which a request can fail, each with its exit code.

A message is one line: the value that was given, the rule, and a value that works.
"""

from pathlib import Path

__all__ = ["LinkError", "Mismatch", "MissingTool", "SoftstreamError", "ToolFailure", "UserError"]


class SoftstreamError(Exception):
    """Base class of the failures that are reported in one line, without a traceback."""

    exit_code = 1


class UserError(SoftstreamError):
    """A person's mistake: a wrong key, value, file or shape."""

    exit_code = 2


class MissingTool(SoftstreamError):
    """A program or package that is not installed; the message names the package that brings it."""

    exit_code = 3


class LinkError(SoftstreamError):
    """The link to a board failed: no port, no answer, another configuration, a frame that did not arrive intact."""

    exit_code = 4


class Mismatch(SoftstreamError):
    """The hardware and the golden model gave different results."""

    exit_code = 1


class ToolFailure(SoftstreamError):
    """A tool (simulator, synthesis, place and route) ended with an error; `log` is where it said why."""

    exit_code = 1

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log
