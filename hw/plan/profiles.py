"""`profile = auto`: which profile a configuration gets, by what was measured on its part and by the length of its vectors.

Formula: of the profiles that were measured on the part for the same mode and normaliser, those that fit; of these the one with
the fewest logic cells whose min(Fmax, limit of the part's clock) · N / interval(N), N = `max_length`, is at most a tenth below
the largest. If none fits, `small`; without a part, or where nothing was measured, `fast`. Memory does not decide: a profile
stores the same scores as another.

A `Config` holds the profile that was picked and never `auto`, so the same configuration is the same bytes whoever picked.
What is known of a part comes in (`Room`); nothing here knows of parts or boards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan

__all__ = [
    "AUTO",
    "Measured",
    "Room",
    "measured_profiles",
    "nearest_measured",
    "nearest_that_fits",
    "no_wider",
    "resolve",
]

AUTO = "auto"
_DEFAULT, _SMALLEST = "fast", "small"
_SAME = 0.9
"""Throughput that counts as the same: placement seeds move Fmax by about a tenth."""
_IGNORED = {"profile", "score_scale"}
"""Keys that do not tell measured configurations apart here; the scale only changes what is in the tables."""


@dataclass(frozen=True)
class Measured:
    """What one configuration costs and reaches on a part."""

    config: Config
    cells: int
    """Logic cells, with what else is on the part beside the head."""
    mhz: float
    """Fmax, at most the limit of the part's clock."""


@dataclass(frozen=True)
class Room:
    """What is known of a part: its logic cells, and configurations that were measured on it."""

    name: str
    cells: int
    measured: tuple[Measured, ...]


def resolve(values: Mapping[str, Any], room: Room | None = None) -> tuple[Config, str]:
    """(configuration, sentence): the configuration of plain values, and what `profile = auto` became and why, or nothing.

    Raises `UserError` as `Config.from_mapping` and `plan` do.
    """
    if values.get("profile") != AUTO:
        return Config.from_mapping(values), ""
    if values.get("accumulator") == "two_pass":
        config = Config.from_mapping({**values, "profile": _SMALLEST})
        if config.two_pass:
            return config, f"profile = {AUTO}: {_SMALLEST}, the only one of accumulator = 'two_pass'"
    config = Config.from_mapping({**values, "profile": _DEFAULT})
    profile, why = _picked(config, room)
    return config.replace(profile=profile), f"profile = {AUTO}: {profile}, {why}"


def _picked(config: Config, room: Room | None) -> tuple[str, str]:
    if room is None:
        return _DEFAULT, "as no part is given; with one, what was measured there decides"
    found = measured_profiles(config, room)
    if not found:
        kind = f"normaliser = {config.normaliser}" if config.traits.normalised else config.mode
        return _DEFAULT, f"as nothing with {kind} was measured on {room.name}"
    flow = {}
    for profile, entry in found.items():
        interval = plan(config.replace(profile=profile)).interval_cycles(config.max_length)
        flow[profile] = entry.mhz * config.max_length / interval
    told = "; ".join(f"{profile} {flow[profile]:.1f} Melements/s, {found[profile].cells} cells" for profile in found)
    told = (
        f"on {room.name} with {room.cells} logic cells at max_length = {config.max_length} (nearest measured: {told})"
    )
    able = [profile for profile in found if found[profile].cells <= room.cells]
    if not able:
        return _SMALLEST, f"as nothing that was measured fits {told}"
    most = max(flow[profile] for profile in able)
    same = [profile for profile in able if flow[profile] >= _SAME * most]
    best = min(same, key=lambda profile: found[profile].cells)
    if len(found) == 1:
        return best, f"the only one that was measured {told}"
    if len(same) > 1:
        return best, f"the smallest of those that are as fast within a tenth {told}"
    return best, f"the fastest{' that fits' if len(able) < len(found) else ''} {told}"


def nearest_measured(config: Config, room: Room) -> Measured | None:
    """What was measured with the same mode, normaliser and profile, and has most in common with `config`; or nothing."""
    able = [entry for entry in room.measured if _kind(entry.config) == _kind(config)]
    able = [entry for entry in able if entry.config.profile == config.profile]
    return max(able, key=lambda entry: _common(entry.config, config), default=None)


def nearest_that_fits(config: Config, room: Room, longest: int | None = None) -> dict[str, Any]:
    """Keys to change so that a configuration fits: what was measured to fit the part and is no narrower; nothing where none is.

    As little is changed as may be: first the profile, which changes no bit of the result, then lanes and normaliser, then the
    mode. With `longest`, `max_length` is at most that where scores are stored.
    """
    able = []
    for entry in room.measured:
        if entry.cells > room.cells or not no_wider(config.replace(lanes=1), entry.config):
            continue
        keys: dict[str, Any] = {"profile": entry.config.profile, "lanes": min(config.lanes, entry.config.lanes)}
        if entry.config.traits.normalised:
            keys["normaliser"] = entry.config.normaliser
        if entry.config.stores_scores:
            keys["max_length"] = min(config.max_length, longest or config.max_length)
        keys["mode"] = entry.config.mode
        changed = {key: value for key, value in keys.items() if value != getattr(config, key)}
        try:
            plan(config.replace(**changed))
        except UserError:
            continue
        if changed:
            order = ("mode" in changed, "normaliser" in changed, "lanes" in changed, len(changed), entry.cells)
            able.append((order, changed))
    return min(able, key=lambda found: found[0])[1] if able else {}


def no_wider(config: Config, other: Config) -> bool:
    """Whether no width of `config` exceeds that of `other`: then it hardly takes more cells."""
    widths = ("score_width", "probability_width", "guard_bits", "lanes")
    return all(getattr(config, width) <= getattr(other, width) for width in widths)


def _kind(config: Config) -> tuple[str, str]:
    return config.mode, config.normaliser if config.traits.normalised else ""


def _common(measured: Config, config: Config) -> int:
    """How many keys two configurations have in common."""
    values, wanted = measured.to_mapping(), config.to_mapping()
    return sum(values[name] == wanted[name] for name in wanted.keys() - _IGNORED)


def measured_profiles(config: Config, room: Room) -> dict[str, Measured]:
    """Profile → what was measured of configurations that differ in nothing else: with several profiles rather than one, and of
    such groups the one that has most in common with `config`."""
    groups: dict[tuple[Any, ...], dict[str, Measured]] = {}
    for entry in room.measured:
        if _kind(entry.config) == _kind(config):
            key = tuple(getattr(entry.config, name) for name in entry.config.to_mapping() if name not in _IGNORED)
            groups.setdefault(key, {})[entry.config.profile] = entry
    return max(
        groups.values(),
        key=lambda group: (len(group) > 1, _common(next(iter(group.values())).config, config)),
        default={},
    )
