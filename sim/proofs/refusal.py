"""Refusals of heads that a proof does not cover, with a change of the configuration that makes it one that is covered."""

from collections.abc import Callable

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError

__all__ = ["Uncovered", "refusal"]


class Uncovered(UserError):
    """A head that a proof does not cover, and the reason. `refusal` adds what would do."""


def refusal(error: Uncovered, config: Config, covers: Callable[[Config], bool]) -> UserError:
    """The error for a person: the reason, and a change after which `covers` is true."""
    return UserError(f"{error}; {_remedy(config, covers)} would do")


def _remedy(config: Config, covers: Callable[[Config], bool]) -> str:
    """A key whose default makes the head one that is covered; else the default of all keys."""
    for key in sorted(config.changed_keys(), key=lambda key: key.name == "mode"):
        try:
            changed = config.replace(**{key.name: key.default})
        except UserError:  # the key is needed by another one
            continue
        if covers(changed):
            return (
                f"{key.name} = {key.default!r}" if isinstance(key.default, str) else f"{key.name} = {key.default_text}"
            )
    return "mode = 'softmax' with the defaults"
