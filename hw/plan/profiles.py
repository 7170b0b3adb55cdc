"""`profile = auto`: the choice of a profile by measurements on a part and by the length of the vectors.

The candidates are the profiles that were measured on the part for the same mode and normaliser. Of those that fit, the choice
is the one with the fewest logic cells whose throughput

    min(Fmax, limit of the part's clock) · N / interval(N),   N = `max_length`,

is at most a tenth below the largest. If none fits, the choice is `small`. Without a part it is `fastest`, the default, because
flip-flops are free on most parts. Without a measurement on the part it is `fast`. Memory does not decide, because all
profiles store the same scores.

A `Config` holds the chosen profile and never `auto`, so that equal configurations give equal bytes. A caller passes the facts
about a part as a `Room`; this module knows no part and no board.

On a part with multipliers `normaliser = auto` becomes the reciprocal where it would be the divider. The configuration then
holds `reciprocal`, because the bits of a result must not depend on a part that the configuration does not name.
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
_DEFAULT, _UNMEASURED, _SMALLEST = "fastest", "fast", "small"
_SAME = 0.9
"""Throughput that counts as the same: placement seeds move Fmax by about a tenth."""
_IGNORED = {"profile", "score_scale"}
"""Keys that do not distinguish measured configurations here; the scale only changes the contents of the tables."""


@dataclass(frozen=True)
class Measured:
    """Cells and clock of one configuration on a part."""

    config: Config
    cells: int
    """Logic cells, those of the link to a host included."""
    mhz: float
    """Fmax, at most the limit of the part's clock."""


@dataclass(frozen=True)
class Room:
    """Facts about a part: its logic cells, and the configurations that were measured on it."""

    name: str
    cells: int
    measured: tuple[Measured, ...]
    multipliers: bool = False
    """Whether the part has hard multipliers."""


def resolve(values: Mapping[str, Any], room: Room | None = None) -> tuple[Config, list[str]]:
    """(configuration, sentences): the configuration of plain values, and what `auto` became on the part, with the reason.

    There is a sentence for `profile = auto`, and one where `normaliser = auto` becomes a reciprocal. With a part, values
    without a profile mean `auto`.

    Raises `UserError` as `Config.from_mapping` and `plan` do.
    """
    config, profile = _with_profile(values, room)
    automatic = config.normaliser == AUTO and config.traits.normalised and not config.two_pass
    if not (automatic and config.division == "divider" and room is not None and room.multipliers):
        return config, profile
    reason = config.normaliser_text.partition(", ")[2]
    normaliser = f"normaliser = {AUTO}: reciprocal, {reason}, and {room.name} has multipliers"
    return config.replace(normaliser="reciprocal"), [*profile, normaliser]


def _with_profile(values: Mapping[str, Any], room: Room | None) -> tuple[Config, list[str]]:
    """(configuration, sentence for `profile = auto`): the choice of the profile alone, which is `auto` where a part is named."""
    if values.get("profile", _DEFAULT if room is None else AUTO) != AUTO:
        return Config.from_mapping(values), []
    if values.get("accumulator") == "two_pass":
        config = Config.from_mapping({**values, "profile": _SMALLEST})
        if config.two_pass:
            return config, [f"profile = {AUTO}: {_SMALLEST}, as accumulator = 'two_pass' is there for few cells"]
    config = Config.from_mapping({**values, "profile": _DEFAULT})
    profile, why = _picked(config, room)
    return config.replace(profile=profile), [f"profile = {AUTO}: {profile}, {why}"]


def _picked(config: Config, room: Room | None) -> tuple[str, str]:
    if room is None:
        return _DEFAULT, "as no part is given; with one, what was measured there decides"
    measured = measured_profiles(config, room)
    if not measured:
        kind = f"normaliser = {config.division}" if config.traits.normalised else config.mode
        return _UNMEASURED, f"as nothing with {kind} was measured on {room.name}"
    flow = {}
    for profile, entry in measured.items():
        interval = plan(config.replace(profile=profile)).interval_cycles(config.max_length)
        flow[profile] = entry.mhz * config.max_length / interval
    figures = "; ".join(
        f"{profile} {entry.mhz:.0f} MHz in {entry.cells} cells, so {flow[profile]:.0f} Melements/s here"
        for profile, entry in measured.items()
    )
    basis = f"on {room.name} with {room.cells} logic cells at max_length = {config.max_length} (nearest head measured: {figures})"
    fitting = [profile for profile, entry in measured.items() if entry.cells <= room.cells]
    if not fitting:
        return _SMALLEST, f"as nothing that was measured fits {basis}"
    most = max(flow[profile] for profile in fitting)
    fastest = [profile for profile in fitting if flow[profile] >= _SAME * most]
    best = min(fastest, key=lambda profile: measured[profile].cells)
    if len(measured) == 1:
        return best, f"the only one that was measured {basis}"
    if len(fastest) > 1:
        return best, f"the smallest of those that are as fast within a tenth {basis}"
    return best, f"the fastest{' that fits' if len(fitting) < len(measured) else ''} {basis}"


def nearest_measured(config: Config, room: Room) -> Measured | None:
    """The measurement of the same mode, normaliser and profile that has most keys in common with `config`, or None."""
    alike = [entry for entry in room.measured if _kind(entry.config) == _kind(config)]
    alike = [entry for entry in alike if entry.config.profile == config.profile]
    return max(alike, key=lambda entry: _common(entry.config, config), default=None)


def nearest_that_fits(config: Config, room: Room, longest: int | None = None) -> dict[str, Any]:
    """Changes of keys after which a configuration fits the part, by a measurement that is no narrower; empty without one.

    The changes are as few as possible: first the profile, which changes no bit of the result, then lanes and normaliser, then
    the mode. `longest` limits `max_length` of heads that store scores.
    """
    remedies = []
    for entry in room.measured:
        if entry.cells > room.cells or not no_wider(config.replace(lanes=1), entry.config):
            continue
        keys: dict[str, Any] = {"profile": entry.config.profile, "lanes": min(config.lanes, entry.config.lanes)}
        if entry.config.traits.normalised:
            keys["normaliser"] = entry.config.division
        if entry.config.stores_scores:
            keys["max_length"] = min(config.max_length, longest or config.max_length)
        keys["mode"] = entry.config.mode
        present = {**config.to_mapping(), "normaliser": config.division}
        changed = {key: value for key, value in keys.items() if value != present[key]}
        try:
            plan(config.replace(**changed))
        except UserError:
            continue
        if changed:
            order = ("mode" in changed, "normaliser" in changed, "lanes" in changed, len(changed), entry.cells)
            remedies.append((order, changed))
    return min(remedies, key=lambda remedy: remedy[0])[1] if remedies else {}


def no_wider(config: Config, other: Config) -> bool:
    """Whether no width of `config` exceeds that of `other`; `config` then takes hardly more cells."""
    widths = ("score_width", "probability_width", "guard_width", "lanes")
    return all(getattr(config, width) <= getattr(other, width) for width in widths)


def _kind(config: Config) -> tuple[str, str, bool]:
    """What two configurations share whose clocks say something about each other; a head in two passes is another circuit."""
    return config.mode, config.division if config.traits.normalised else "", config.two_pass


def _common(measured: Config, config: Config) -> int:
    """Number of keys that two configurations have in common."""
    one, other = measured.to_mapping(), config.to_mapping()
    return sum(one[name] == other[name] for name in other.keys() - _IGNORED)


def measured_profiles(config: Config, room: Room) -> dict[str, Measured]:
    """Profile → measurement, of configurations that differ in the profile alone.

    Where this very configuration was measured, its group decides. Else a group with several profiles is preferred to one with
    a single profile; among such groups, the one with most keys in common with `config`.
    """
    groups: dict[tuple[Any, ...], dict[str, Measured]] = {}
    for entry in room.measured:
        if _kind(entry.config) == _kind(config):
            key = tuple(getattr(entry.config, name) for name in entry.config.to_mapping() if name not in _IGNORED)
            groups.setdefault(key, {})[entry.config.profile] = entry
    keys = len(config.to_mapping().keys() - _IGNORED)

    def rank(group: dict[str, Measured]) -> tuple[bool, bool, int]:
        common = _common(next(iter(group.values())).config, config)
        return common == keys, len(group) > 1, common

    return max(groups.values(), key=rank, default={})
