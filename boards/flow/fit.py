"""What fits a board: logic cells, block RAMs and clock, from what was measured, before a tool starts.

    check_fit(config, board("icestick"))          # raises where something is surely missing
    fitting_presets(board("icestick"))            # presets that were built, and fit with a margin
    expected_presets(board("icestick"))           # presets that should fit, and were not built

Two rules, for two questions. A configuration is *refused* only where the part surely lacks something. A preset is *listed*, and
a remedy *printed*, only where a build is recorded for this board or one that stands for it, and where measured cells say that it
fits with the link and a margin: place and route fails on a part that is nearly full.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from softstream.boards.flow.capacity import (
    DOUBT,
    Occupancy,
    built_presets,
    occupancies,
    presets_without_place,
    room_of_board,
)
from softstream.boards.gateware.clock import choose
from softstream.boards.link.protocol import link_supports
from softstream.boards.registry import Board
from softstream.boards.tools.parts import Part, head_on
from softstream.boards.tools.parts import part as find_part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.plan.profiles import (
    Measured,
    Room,
    measured_profiles,
    nearest_measured,
    nearest_that_fits,
    no_wider,
)

__all__ = [
    "FULL",
    "check_clock",
    "check_fit",
    "expected_presets",
    "fitting_presets",
    "memory_bits",
    "occupancy",
    "presets_by_cells",
    "quicker_profile",
    "what_fits",
]

FULL = 0.92
"""Most of a part's logic cells that a listed preset takes. Placement on an iCE40 HX1K succeeds at 0.91 and fails at 0.93."""
_LENGTH_ALONE = 0.9
"""Least ratio of the cells of two configurations that differ in `max_length` alone: see the curve in `bench.json`."""
_REACH = 1.5
"""Multiple of the measured Fmax up to which a clock is tried: seeds and speed grades make less of a difference."""


def memory_bits(config: Config) -> int:
    """Bits of the scores that a head stores until it has their sum; 0 for a head that reads each score once."""
    return config.max_length * (config.score_width + 1 + config.mask) if config.stores_scores else 0


def occupancy(config: Config, row: Board, *, link: bool = True) -> Occupancy | None:
    """What a configuration takes on the fabric of the board's part; None for one that was not measured.

    Scale and temperature change table contents alone. On a part that is not measured the numbers are those of an ECP5, whose LUTs
    have four inputs and whose carries take their place too.
    """
    return _measured(occupancies(find_part(row.part), link=link)).get(_but_for_tables(config))


@cache
def _measured(entries: tuple[Occupancy, ...]) -> dict[Any, Occupancy]:
    """What was measured on a part, by what scale and temperature leave of a configuration."""
    return {_but_for_tables(entry.config): entry for entry in reversed(entries)}  # the first of equals counts


def _but_for_tables(config: Config) -> frozenset[tuple[str, Any]]:
    return frozenset(
        (name, value) for name, value in vars(config).items() if name not in ("score_scale", "temperature")
    )


def check_fit(config: Config, row: Board, *, link: bool = True) -> None:
    """Raises `UserError` where the part surely lacks memory or logic, and for a head that a board's link cannot serve.

    The message has what is missing, the presets that were built for the board, and a change that a build shows to fit.
    """
    if link and not config.winner:
        remedy = _remedy(config, row, link) if fitting_presets(row) else "--set winner=true"
        raise UserError(
            f"winner = false on {row.name}: a board's link sends the winner of each vector; for example {remedy}"
        )
    missing = _missing(config, row, link)
    if missing:
        raise UserError(f"{missing}; {what_fits(config, row, link=link)}")


def _missing(config: Config, row: Board, link: bool) -> str:
    """What the part surely lacks for a configuration, in words; empty where nothing is known to be missing."""
    stored = memory_bits(config)
    if stored > row.memory_bits:
        longest = row.memory_bits // (config.score_width + 1)
        return (
            f"max_length = {config.max_length} on {row.name}: needs {stored} bits of block RAM, {row.device} has "
            f"{row.memory_bits}, {stored - row.memory_bits} are missing; it holds {longest} elements"
        )
    known = occupancy(config, row, link=link)
    cells, memory = (_least_cells(config, row, link), 0) if known is None else (known.cells, known.memory)
    if known is not None and not row.measured:  # of a part that is not measured only a large excess is certain
        cells, memory = cells // DOUBT, memory // DOUBT
    shortages = []
    if cells > row.cells:
        shortages.append(f"about {cells} logic cells, {row.device} has {row.cells}, {cells - row.cells} are missing")
    if memory > row.memory_bits:
        block = find_part(row.part).block_bits
        used, available = -(-memory // block), row.memory_bits // block
        shortages.append(f"{used} block RAMs, {row.device} has {available}, {used - available} are missing")
    return f"this configuration on {row.name}: needs {', and '.join(shortages)}" if shortages else ""


def _least_cells(config: Config, row: Board, link: bool) -> int:
    """Logic cells that a configuration surely takes: most of those of the nearest measured one, if that is no wider."""
    nearest = nearest_measured(config, room_of_board(row, link=link))
    return int(_LENGTH_ALONE * nearest.cells) if nearest is not None and no_wider(nearest.config, config) else 0


def fitting_presets(row: Board, *, link: bool = True, below: int | None = None) -> list[str]:
    """Presets that were built for the board, with the profile of its part where they name none, and that fit with a margin.

    A build without the link is smaller than the recorded one with it. `below`: only those with fewer cells.
    """
    built = built_presets(row)
    return [name for name in presets_by_cells(row, link=link, below=below) if name in built]


def expected_presets(row: Board) -> list[str]:
    """Presets that fit by their measured cells alone: no build is recorded for the board or for one that stands for it."""
    built = built_presets(row)
    return [name for name in presets_by_cells(row) if name not in built]


def presets_by_cells(row: Board, *, link: bool = True, below: int | None = None) -> list[str]:
    """Presets whose measured cells fit the board with the margin `FULL`.

    A preset for which place and route found no place on this board is none of them.
    """
    names = []
    measured = _measured(occupancies(find_part(row.part), link=link))
    for name, kind in _presets_on(find_part(row.part)).items():
        known = measured.get(kind)
        if known is not None and link_supports(PRESETS[name]) and _fits(known, row, below):
            names.append(name)
    return names


@cache
def _presets_on(part: Part) -> dict[str, frozenset[tuple[str, Any]]]:
    """Preset, with the profile of the part where it names none → what `_but_for_tables` leaves of it."""
    return {name: _but_for_tables(head_on(config, part)) for name, config in PRESETS.items()}


def _fits(known: Occupancy, row: Board, below: int | None = None) -> bool:
    fewer = below is None or known.cells < below
    fits = known.cells <= FULL * row.cells and known.memory <= row.memory_bits
    return fewer and fits and _but_for_tables(known.config) not in _unplaced(row)


def _unplaced(row: Board) -> frozenset[frozenset[tuple[str, Any]]]:
    """The recorded presets that place and route found no place for on this board, by what `_but_for_tables` leaves."""
    kinds = _presets_on(find_part(row.part))
    return frozenset(kinds[name] for name in presets_without_place(row) if name in kinds)


def what_fits(config: Config, row: Board, *, link: bool = True, placed: bool = True) -> str:
    """The presets that were built, and a change that a build shows to fit, as a part of a message; or that none is known.

    `placed`: False where place and route found no place for the configuration, so that only smaller ones can help.
    """
    below = None
    if not placed:
        known = occupancy(config, row, link=link)
        below = (known.cells if known is not None else _least_cells(config, row, link)) or None
    names = fitting_presets(row, link=link, below=below)
    if not names:
        likely = presets_by_cells(row, link=link, below=below)
        return f"no {'smaller ' if below else ''}preset is known to be built for {row.name}" + (
            f"; by its cells {likely[0]} would fit: --preset {likely[0]}" if likely else ""
        )
    return f"presets built for {row.name}: {', '.join(names)}; for example {_remedy(config, row, link, below)}"


def _remedy(config: Config, row: Board, link: bool, below: int | None = None) -> str:
    """Options that a build shows to fit: the fewest keys to change, else a preset of the same mode, else the board's own."""
    changes: dict[str, Any] = {} if config.winner else {"winner": True}
    single = config.replace(**changes)
    if not changes or not _is_known_to_fit(single, row, link, below):
        more = _changes_that_fit(single, row, link, below)
        if not more:
            fitting = fitting_presets(row, link=link, below=below)
            names = [name for name in fitting if PRESETS[name].mode == config.mode]
            return f"--preset {(names or [name for name in fitting if name == row.preset] or fitting)[0]}"
        changes |= more
    return " ".join(f"--set {key}={_setting(value)}" for key, value in changes.items())


def _setting(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value) if isinstance(value, tuple) else value)


def _is_known_to_fit(config: Config, row: Board, link: bool, below: int | None) -> bool:
    return any(_is_shown_by(config, entry) for entry in _built(row, link, below))


def _built(row: Board, link: bool, below: int | None) -> list[Occupancy]:
    """What was measured of the presets that were built for the board and fit it."""
    names = fitting_presets(row, link=link, below=below)
    built = {_presets_on(find_part(row.part))[name] for name in names}
    entries = occupancies(find_part(row.part), link=link)
    return [entry for entry in entries if _but_for_tables(entry.config) in built and entry.mhz is not None]


def _changes_that_fit(config: Config, row: Board, link: bool, below: int | None) -> dict[str, Any]:
    """Keys to change, the mode excepted, so that a build shows that the result fits; empty if none does."""
    room = room_of_board(row, link=link)
    built = [entry for entry in _built(row, link, below) if entry.config.mode == config.mode]
    longest = min(config.max_length, max((entry.config.max_length for entry in built), default=config.max_length))
    proofs = []
    for entry in built:
        measured = Measured(entry.config, entry.cells, entry.mhz or 0.0)
        changes = nearest_that_fits(config, Room(room.name, entry.cells, (measured,)), longest)
        if changes and _is_shown_by(config.replace(**changes), entry):
            proofs.append(measured)
    cells = max((entry.cells for entry in proofs), default=0)
    return nearest_that_fits(config, Room(room.name, cells, tuple(proofs)), longest)


def _is_shown_by(config: Config, entry: Occupancy) -> bool:
    """Whether a configuration that was built shows that `config` fits: it has the same keys, but for scale and temperature, and
    is nowhere narrower or shorter."""
    free = {
        name: getattr(config, name)
        for name in ("score_scale", "temperature", "score_width", "probability_width", "guard_bits", "max_length")
    }
    try:
        same = entry.config.replace(**free) == config
    except UserError:  # the configuration that was built has a key that does not go with these
        return False
    return same and no_wider(config, entry.config) and config.max_length <= entry.config.max_length


def check_clock(config: Config, row: Board, clock_hz: float | None) -> None:
    """Raises `UserError` for a clock far beyond what the nearest measured configuration reaches, with one that it reaches."""
    nearest = nearest_measured(config, room_of_board(row)) if row.measured else None
    if clock_hz is None or nearest is None or clock_hz <= _REACH * nearest.mhz * 1e6:
        return
    lower = int(nearest.mhz * 0.95)
    try:
        choose(row, lower * 1e6)
    except UserError:  # the PLL cannot make it
        lower = row.oscillator_hz // 1_000_000
    raise UserError(
        f"clock {clock_hz / 1e6:g} MHz on {row.name}: the nearest configuration measured reaches {nearest.mhz:.0f} MHz on "
        f"{find_part(row.part).title}; for example --clock {lower}{quicker_profile(config, row)}"
    )


def quicker_profile(config: Config, row: Board) -> str:
    """The profile with the highest measured clock, as an addition to a message; empty if the configuration has it."""
    profiles = measured_profiles(config, room_of_board(row)) if row.measured else {}
    best = max(profiles, key=lambda profile: profiles[profile].mhz, default=config.profile)
    if config.profile not in profiles or profiles[best].mhz <= profiles[config.profile].mhz:
        return ""
    return f", or the profile that reaches {profiles[best].mhz:.0f} MHz (--set profile={best})"
