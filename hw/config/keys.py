"""The declaration of a configuration key: its values, unit, section, help, and the modes and options that it belongs to.

`Settings` declares each key once, by `declare(...)` as the default of a field.
"""

import dataclasses
import difflib
import math
import numbers
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, get_origin

from softstream.hw.config.limits import LONGEST
from softstream.hw.config.modes import ModeTraits
from softstream.hw.errors import UserError

__all__ = [
    "SECTIONS",
    "Floats",
    "Integers",
    "Key",
    "Kernel",
    "Sizes",
    "declare",
    "key_of",
    "nearest",
    "nearest_key",
    "plain",
    "quoted",
]

SECTIONS: dict[str, str] = {
    "head": "what the head computes, and how long its vectors are",
    "scores": "the input: score codes and what one step is worth",
    "softmax": "exponentials, their sum and the normaliser",
    "output": "formats of the results",
    "sampling": "random draws",
    "options": "stages before and behind the head, all switched off by default",
    "implementation": "how the hardware is built; no result depends on these keys",
}
"""Section of a TOML file → its purpose."""

QUOTE_LIMIT = 80
"""Characters of a value that a message quotes."""


def nearest(word: str, known: Iterable[object]) -> str:
    """` (did you mean 'x'?)` for the known word nearest to `word`, or nothing.

    A name that has the word between its hyphens or underscores is nearest; then the shortest that begins with it, one with a
    part that begins with it, and one of similar letters.
    """
    names = [name for name in map(str, known) if name != word]
    parts = {name: re.split("[-_]", name) for name in names}
    close = [name for name in names if word in parts[name]]
    close = close or sorted((name for name in names if word and name.startswith(word)), key=len)
    close = close or [name for name in names if word and any(part.startswith(word) for part in parts[name])]
    close = close or difflib.get_close_matches(word[:QUOTE_LIMIT], names, n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


def nearest_key(word: str, keys: Iterable["Key"]) -> str:
    """`nearest` among keys; a name that other tools give to a key stands for it."""
    keys = [*keys]
    synonyms = [key.name for key in keys if word in key.synonyms]
    return f" (did you mean '{synonyms[0]}'?)" if synonyms else nearest(word, [key.name for key in keys])


def quoted(value: object) -> str:
    """A value as messages show it: in the notation of TOML, on one line, and cut where it is long."""
    if isinstance(value, bool):
        return str(value)
    try:
        text = " ".join(map(str.strip, repr(list(value) if isinstance(value, tuple) else value).splitlines()))
    except (ValueError, RecursionError):  # an integer of thousands of digits, or lists nested too deep
        return f"a {type(value).__name__} that is too long to print"
    return text if len(text) <= QUOTE_LIMIT else f"{text[: QUOTE_LIMIT - 1]}…"


def plain(value: Any) -> Any:
    """A value without the types of NumPy: its scalars and arrays become Python's numbers and lists, in lists as well."""
    convert = getattr(value, "tolist", None)
    if callable(convert):
        return convert()
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


class Values(Protocol):
    """The values that a key takes."""

    @property
    def type_text(self) -> str:
        """The type, in words."""

    @property
    def range_text(self) -> str:
        """The range, in words."""

    def checked(self, key: "Key", value: Any) -> Any:
        """The value as a configuration holds it. Raises `UserError`: key, value, rule, and a value that would do."""


@dataclass(frozen=True)
class Choices:
    """One of several values."""

    values: tuple[Any, ...]
    unresolved: str = ""
    """A word that stands for one of them until the part is known."""

    @property
    def type_text(self) -> str:
        return "text" if isinstance(self.values[0], str) else "integer"

    @property
    def range_text(self) -> str:
        return ", ".join(map(str, (self.unresolved, *self.values) if self.unresolved else self.values))

    def checked(self, key: "Key", value: Any) -> Any:
        # By type as well, because True == 1 and 4.0 == 4.
        if (type(value), value) in [(type(choice), choice) for choice in self.values]:
            return value
        if self.unresolved and value == self.unresolved:
            raise UserError(
                f"{key.name} = {value!r}: a configuration holds the {key.name} that was picked, one of "
                f"{', '.join(self.values)}; profiles.resolve picks it, for example {key.default}"
            )
        hint = nearest(value, self.values) if isinstance(value, str) else ""
        raise UserError(
            f"{key.name} = {quoted(value)}: must be one of {self.range_text}{hint}; for example {key.default}"
        )


@dataclass(frozen=True)
class Flag:
    """True or false."""

    type_text: str = "boolean"
    range_text: str = "true, false"

    def checked(self, key: "Key", value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise UserError(f"{key.name} = {quoted(value)}: must be true or false; for example {str(key.default).lower()}")


def _integer(value: Any, low: int, high: int) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and low <= int(value) <= high


@dataclass(frozen=True)
class Integers:
    """An integer from `low` to `high`."""

    low: int
    high: int
    type_text: str = "integer"

    @property
    def range_text(self) -> str:
        return f"{self.low}…{self.high}".replace("-", "−")

    def checked(self, key: "Key", value: Any) -> int:
        if _integer(value, self.low, self.high):
            return int(value)
        unit = "" if key.unit == "–" else f" {key.unit}"
        raise UserError(
            f"{key.name} = {quoted(value)}: must be an integer from {self.low} to {self.high}{unit}; "
            f"for example {key.default}"
        )


@dataclass(frozen=True)
class Floats:
    """A finite number above 0, at most `most`; or, of a share, from 0 to below 1."""

    range_text: str = "> 0"
    share: bool = False
    most: float = sys.float_info.max
    hint: str = ""
    type_text: str = "number"

    def checked(self, key: "Key", value: Any) -> float:
        number = math.nan
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
        if 0 <= number < 1 if self.share else 0 < number <= self.most:
            return number
        rule = "a number from 0 to below 1" if self.share else "a finite number above 0"
        if self.most < sys.float_info.max:
            rule = f"a number above 0, at most {self.most:g}"
        raise UserError(f"{key.name} = {quoted(value)}: must be {rule}; for example {key.default}{self.hint}")


@dataclass(frozen=True)
class Kernel:
    """The weights of a convolution: an odd number of integers, the middle one above 0."""

    most: int = 15
    highest: int = 255
    type_text: str = "list of integers"

    @property
    def range_text(self) -> str:
        return f"an odd number of 0…{self.highest}, at most {self.most}"

    def checked(self, key: "Key", value: Any) -> tuple[int, ...]:
        rule = f"an odd number of integers from 0 to {self.highest}, at most {self.most}, with the middle one above 0"
        if not isinstance(value, list) or not all(_integer(w, 0, self.highest) for w in value):
            raise UserError(f"{key.name} = {quoted(value)}: must be a list of {rule}; for example [1, 2, 1]")
        weights, middle = tuple(map(int, value)), len(value) // 2
        if weights and (len(weights) % 2 == 0 or len(weights) > self.most):
            raise UserError(f"{key.name} = {quoted(weights)}: must be {rule}; for example [1, 2, 1]")
        if weights and weights[middle] == 0:
            raise UserError(
                f"{key.name} = {list(weights)}: must be {rule}, because a vector of one element has nothing else; "
                f"{[*weights[:middle], 1, *weights[middle + 1 :]]} would do"
            )
        return weights


@dataclass(frozen=True)
class Sizes:
    """Sizes of groups."""

    most: int = 16
    longest: int = LONGEST
    type_text: str = "list of integers"

    @property
    def range_text(self) -> str:
        return f"at most {self.most} of 1…{self.longest}"

    def checked(self, key: "Key", value: Any) -> tuple[int, ...]:
        if not isinstance(value, list) or not all(_integer(size, 1, self.longest) for size in value):
            raise UserError(
                f"{key.name} = {quoted(value)}: must be a list of integers from 1 to {self.longest}, at most "
                f"{self.most}; for example [8]"
            )
        if len(value) > self.most:
            raise UserError(f"{key.name}: {len(value)} sizes; must be at most {self.most}; for example [8]")
        return tuple(map(int, value))


@dataclass(frozen=True)
class Key:
    """One configuration key."""

    name: str
    default: Any
    section: str
    """One of `SECTIONS`."""
    unit: str
    help: str
    values: Values
    modes: Callable[[ModeTraits], bool]
    """Whether a mode reads the key, whatever the other keys are."""
    options: Callable[[Any], bool]
    """Whether the key changes anything together with the other keys of some `Settings`."""
    synonyms: tuple[str, ...] = ()
    """What other tools call it."""

    @property
    def numeric(self) -> bool:
        """Whether the key changes bits of the result, or only how the hardware is built."""
        return self.section != "implementation"

    @property
    def type_text(self) -> str:
        """The type, in words."""
        return self.values.type_text

    @property
    def range_text(self) -> str:
        """The range, in words."""
        return self.values.range_text

    @property
    def default_text(self) -> str:
        """The default, in the notation of TOML, but for text, which has no quotes."""
        return self.value_text(self.default)

    def value_text(self, value: object) -> str:
        """A value of the key, likewise."""
        return str(value).lower() if isinstance(value, bool) else quoted(value).strip("'")

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self.default, tuple)

    def matters(self, settings: Any) -> bool:
        """Whether the key has an effect together with the other keys of some `Settings`."""
        return self.modes(settings.traits) and self.options(settings)

    def checked(self, value: Any) -> Any:
        """The value as a configuration holds it: of Python's types, numbers as floats, lists as tuples.

        Raises `UserError`: the key, the value given, the rule, and a value that would do.
        """
        return self.values.checked(self, plain(value))


def declare(
    default: Any,
    section: str,
    help: str,
    *,
    unit: str = "–",
    values: Values | None = None,
    unresolved: str = "",
    modes: Callable[[ModeTraits], bool] = lambda traits: True,
    options: Callable[[Any], bool] = lambda settings: True,
    synonyms: tuple[str, ...] = (),
) -> Any:
    """A field of `Settings` that declares a key. Without `values` the field's annotation gives them: a Literal's choices, true
    and false, or a number above 0."""
    declaration = {
        "section": section,
        "help": help,
        "unit": unit,
        "values": values,
        "unresolved": unresolved,
        "modes": modes,
        "options": options,
        "synonyms": synonyms,
    }
    return dataclasses.field(default=default, metadata=declaration)


def key_of(field: "dataclasses.Field[Any]", annotation: Any) -> Key:
    """The key that a field declares."""
    declaration = dict(field.metadata)
    unresolved = declaration.pop("unresolved")
    values = declaration.pop("values")
    if get_origin(annotation) is Literal:
        values = Choices(get_args(annotation), unresolved)
    elif values is None:
        values = Flag() if annotation is bool else Floats()
    return Key(name=field.name, default=field.default, values=values, **declaration)
