"""The configuration: what is computed (numeric keys) and how it is built (implementation keys).

Two configurations with the same numeric keys give the same bits; the golden model reads nothing else.
"""

import hashlib
import json
import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softstream.hw.config.keys import SECTIONS, Key, nearest, quoted
from softstream.hw.config.rules import check_combination
from softstream.hw.config.settings import KEYS, Settings, unknown_key
from softstream.hw.errors import UserError
from softstream.hw.notebook import html_table

__all__ = [
    "KEYS",
    "SECTIONS",
    "Config",
    "Key",
    "check_config",
    "from_sections",
    "load_toml",
    "nearest",
    "parse_setting",
]

FILE_LIMIT = 16384
"""Bytes of the largest TOML file that is read: all keys take less than a tenth."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Config(Settings):
    """One head: keys that go together. `profile` is the one that was picked, never auto (see `profiles.resolve`).

    Raises `UserError` at construction: the key, the value given, the rule, and a value that would do. What constructs has a
    plan, unless a bound, an accumulator or a table turns out too large.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        check_combination(self)

    def __repr__(self) -> str:
        """The call that gives this configuration: the keys that differ from their defaults."""
        keys = ", ".join(f"{key.name}={getattr(self, key.name)!r}" for key in self.changed_keys())
        return f"Config({keys})"

    def _repr_html_(self) -> str:
        """The keys that differ from their defaults, with their help, as a table for notebooks."""
        keys = self.changed_keys()
        rows = [
            (key.name, key.value_text(getattr(self, key.name)), key.default_text, key.unit, key.help) for key in keys
        ]
        title = f"Config: {len(keys)} of {len(KEYS)} keys differ from the default"
        return html_table(title, ("key", "value", "default", "unit", "meaning"), rows)

    def changed_keys(self) -> list[Key]:
        """The keys that differ from their defaults."""
        return [key for key in KEYS if getattr(self, key.name) != key.default]

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Config":
        """A configuration from plain values; a key that is not given has its default.

        Raises `UserError` as the constructor does; for an unknown key it names the nearest.
        """
        if not all(isinstance(name, str) for name in values):
            raise unknown_key(values)
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, in the order of `KEYS`."""
        values = {key.name: getattr(self, key.name) for key in KEYS}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def to_sections(self) -> dict[str, dict[str, Any]]:
        """Plain values by section, as a TOML file holds them."""
        values = self.to_mapping()
        return {section: {key.name: values[key.name] for key in KEYS if key.section == section} for section in SECTIONS}

    def relevant(self) -> dict[str, Any]:
        """Plain values of the keys that have an effect in this mode: the mode, then what differs from the defaults, then the
        rest."""
        values = self.to_mapping()
        keys = [key for key in KEYS if key.matters(self)]
        keys.sort(key=lambda key: (key.name != "mode", getattr(self, key.name) == key.default))
        return {key.name: values[key.name] for key in keys}

    def without_effect(self) -> dict[str, Any]:
        """Plain values of the keys that differ from the defaults and have no effect in this mode."""
        values = self.to_mapping()
        return {
            key.name: values[key.name]
            for key in KEYS
            if not key.matters(self) and getattr(self, key.name) != key.default
        }

    def replace(self, **changes: Any) -> "Config":
        """The same configuration with some keys changed."""
        return self.from_mapping({**self.to_mapping(), **changes})

    def widened(self, **changes: Any) -> "Config":
        """The configuration behind a stage whose results take the place of the score codes.

        It clips nothing: a clip that has no effect on the score codes could cut the larger results. Its zero point is 0,
        unless the changes contain it, because that of the score codes is none of the results.
        """
        ends = {"clip_minimum": Settings.clip_minimum, "clip_maximum": Settings.clip_maximum}
        return self.replace(**{**ends, "score_zero_point": 0, **changes})

    @property
    def digest(self) -> str:
        """SHA-256 over the resolved keys, as 64 hexadecimal digits: the identity of the configuration."""
        return hashlib.sha256(json.dumps(self.to_mapping(), sort_keys=True).encode()).hexdigest()


def _described(key: Key) -> str:
    """The key with its help, values and default, in lines of at most 120 characters."""
    unit = "" if key.unit == "–" else f" {key.unit}"
    text = f"{key.name}: {key.help} [{key.type_text}, {key.range_text}{unit}; default {key.default_text}]"
    return textwrap.fill(text, 120, initial_indent=" " * 8, subsequent_indent=" " * 12, break_on_hyphens=False)


Config.__doc__ = f"{Config.__doc__}\n" + "\n".join(
    f"    [{section}] {purpose}\n" + "\n".join(_described(key) for key in KEYS if key.section == section) + "\n"
    for section, purpose in SECTIONS.items()
)


def parse_setting(text: str) -> tuple[str, Any]:
    """`key=value` as on the command line: the value in TOML notation; bare words are text; a list needs no brackets.

    Raises `UserError` where there is no `=`.
    """
    name, sign, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not sign or not name or not value:
        raise UserError(f"--set {quoted(text)}: must be key=value; for example --set max_length=64")
    known = {key.name: key for key in KEYS}
    if name in known and known[name].is_list and not value.startswith("["):
        value = f"[{value}]"
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # bare words, integers of thousands of digits, lists nested too deep
        return name, value


def from_sections(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keys of a TOML document with sections, without, or with both.

    Raises `UserError`, beginning with `where`, for an unknown section, and for a key in the wrong section or given twice.
    """
    known = {key.name: key for key in KEYS}
    keys: dict[str, Any] = {}
    for name, content in values.items():
        if not isinstance(content, dict):
            if name in SECTIONS:
                raise UserError(f"{where}: {name} = {quoted(content)}: is a section; for example [{name}]")
            keys[name] = content
    for section, content in values.items():
        if not isinstance(content, dict):
            continue
        if section not in SECTIONS:
            if section in known:
                raise UserError(f"{where}: [{section}] is a key, not a section; write it in [{known[section].section}]")
            raise UserError(
                f"{where}: unknown section [{section[:80]}]{nearest(section, SECTIONS)}; the sections are {', '.join(SECTIONS)}"
            )
        for name, value in content.items():
            if name in keys:
                raise UserError(
                    f"{where}: {name} in [{section}] is given twice; once in [{known[name].section}] would do"
                )
            if name in known and known[name].section != section:
                raise UserError(
                    f"{where}: {name} in [{section}]: belongs to another section; [{known[name].section}] would do"
                )
            keys[name] = value
    return keys


def load_toml(path: Path) -> dict[str, Any]:
    """The keys of a TOML file, with sections or without.

    Raises `UserError` where it cannot be read, is not TOML, or has a key in the wrong place.
    """
    where = f"--config {path}"
    try:
        with path.open("rb") as file:  # a device may have no end, so it is never read to its end
            text = file.read(FILE_LIMIT + 1)
        if len(text) > FILE_LIMIT:
            raise UserError(f"{where}: too long; must be a TOML file of at most {FILE_LIMIT} bytes")
        values = tomllib.loads(text.decode())
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror}); give a TOML file of configuration keys") from None
    except UnicodeDecodeError:
        raise UserError(f"{where}: not UTF-8 text; give a TOML file of configuration keys") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where}: not TOML ({error}); for example: max_length = 64") from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, or lists nested too deep
        raise UserError(
            f"{where}: a value is too long ({type(error).__name__}); for example: max_length = 64"
        ) from None
    return from_sections(values, where)


def check_config(config: object) -> None:
    """Raises `UserError` for an argument that is no `Config`, such as the name of a preset."""
    if isinstance(config, Config):
        return
    from softstream.hw.config.presets import PRESETS  # which imports this module

    if isinstance(config, str):
        remedy = f"softstream.preset({config if config in PRESETS else next(iter(PRESETS))!r})"
    else:
        remedy = "softstream.Config()"
    raise UserError(f"config = {quoted(config)}: must be a Config; {remedy} would do")
