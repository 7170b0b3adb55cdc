"""What fits a board: logic cells, block RAMs and clock, from what was measured, before a tool starts.

    check_fit(config, board("icestick"))          # raises where something is surely missing
    fitting_presets(board("icestick"))            # presets that fit with a margin

Two rules, for two questions. A configuration is *refused* only where the part surely lacks something. A preset is *listed*, and
a remedy *printed*, only where measured cells say that it fits with the link and a margin: place and route fails on a part that
is nearly full.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from softstream.boards.flow.capacity import DOUBT, Occupancy, occupancies, presets_without_place, room_of_board
from softstream.boards.gateware.clock import choose
from softstream.boards.link.protocol import link_supports
from softstream.boards.registry import Board
from softstream.boards.tools.parts import head_on
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
    "fitting_presets",
    "memory_bits",
    "occupancy",
    "quicker_profile",
    "what_fits",
]

FULL = 0.9
"""Most of a part's logic cells that a listed preset takes. Placement on an iCE40 HX1K succeeds at 0.89 and fails at 0.94."""
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

    The message has what is missing, the presets that fit, and a change that was measured to fit.
    """
    if link and not config.winner:
        raise UserError(
            f"winner = false on {row.name}: a board's link sends the winner of each vector; for example "
            f"{_remedy(config, row, link)}"
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
    """Presets whose measured cells fit the board with the margin `FULL`, with the profile of its part where they name none.

    A preset for which place and route found no place on this board is none of them. `below`: only those with fewer cells.
    """
    names = []
    measured = _measured(occupancies(find_part(row.part), link=link))
    for name, config in PRESETS.items():
        known = measured.get(_but_for_tables(head_on(config, find_part(row.part))))
        if known is not None and link_supports(config) and _fits(known, row, below):
            names.append(name)
    return names


def _fits(known: Occupancy, row: Board, below: int | None = None) -> bool:
    fewer = below is None or known.cells < below
    fits = known.cells <= FULL * row.cells and known.memory <= row.memory_bits
    return fewer and fits and _but_for_tables(known.config) not in _unplaced(row)


def _unplaced(row: Board) -> frozenset[frozenset[tuple[str, Any]]]:
    """The recorded presets that place and route found no place for on this board, by what `_but_for_tables` leaves."""
    presets = [PRESETS[name] for name in presets_without_place(row) if name in PRESETS]
    return frozenset(_but_for_tables(head_on(config, find_part(row.part))) for config in presets)


def what_fits(config: Config, row: Board, *, link: bool = True, placed: bool = True) -> str:
    """The presets that fit, and a change that is known to fit, as a part of a message.

    `placed`: False where place and route found no place for the configuration, so that only smaller ones can help.
    """
    below = None
    if not placed:
        known = occupancy(config, row, link=link)
        below = (known.cells if known is not None else _least_cells(config, row, link)) or None
    names = fitting_presets(row, link=link, below=below)
    return f"presets that fit: {', '.join(names)}; for example {_remedy(config, row, link, below)}"


def _remedy(config: Config, row: Board, link: bool, below: int | None = None) -> str:
    """Options that are known to fit: the fewest keys to change, else a preset of the same mode, else the board's own."""
    changes: dict[str, Any] = {} if config.winner else {"winner": True}
    single = config.replace(**changes)
    if not changes or not _is_known_to_fit(single, row, link, below):
        more = _changes_that_fit(single, row, link, below)
        changed = occupancy(single.replace(**more), row, link=link)
        if not more or (changed is not None and not _fits(changed, row, below)):
            fitting = fitting_presets(row, link=link, below=below)
            names = [name for name in fitting if PRESETS[name].mode == config.mode]
            return f"--preset {(names or ([row.preset] if below is None else fitting) or [row.preset])[0]}"
        changes |= more
    return " ".join(f"--set {key}={_setting(value)}" for key, value in changes.items())


def _setting(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value) if isinstance(value, tuple) else value)


def _is_known_to_fit(config: Config, row: Board, link: bool, below: int | None) -> bool:
    entries = occupancies(find_part(row.part), link=link)
    return any(_fits(entry, row, below) and _is_shown_by(config, entry, row) for entry in entries)


def _changes_that_fit(config: Config, row: Board, link: bool, below: int | None) -> dict[str, Any]:
    """Keys to change, the mode excepted, so that a measured configuration shows that the result fits; empty if none does.

    `max_length` beyond the memory is cut to a quarter of it, which leaves room for the tables.
    """
    longest = config.max_length
    if memory_bits(config) > row.memory_bits:
        longest = 1 << ((row.memory_bits // (4 * (config.score_width + 1))).bit_length() - 1)
    room = room_of_board(row, link=link)
    proofs = []
    for entry in occupancies(find_part(row.part), link=link):
        if entry.config.mode != config.mode or entry.mhz is None or not _fits(entry, row, below):
            continue
        measured = Measured(entry.config, entry.cells, entry.mhz)
        changes = nearest_that_fits(config, Room(room.name, entry.cells, (measured,)), longest)
        if changes and _is_shown_by(config.replace(**changes), entry, row):
            proofs.append(measured)
    return nearest_that_fits(
        config, Room(room.name, max((entry.cells for entry in proofs), default=0), tuple(proofs)), longest
    )


def _is_shown_by(config: Config, entry: Occupancy, row: Board) -> bool:
    """Whether a measured configuration that fits shows that `config` fits: it has the same keys, but for scale and temperature,
    and is no narrower; longer vectors need room for their scores and their counters."""
    free = {
        name: getattr(config, name)
        for name in ("score_scale", "temperature", "score_width", "probability_width", "guard_bits", "max_length")
    }
    try:
        same = entry.config.replace(**free) == config
    except UserError:  # the measured configuration has a key that does not go with these
        return False
    if not same or not no_wider(config, entry.config):
        return False
    if config.max_length <= entry.config.max_length:
        return True
    # Block RAMs have widths of powers of two, so the scores may take up to twice their bits.
    spare = row.memory_bits - entry.memory
    return 2 * memory_bits(config) <= spare and entry.cells <= FULL * _LENGTH_ALONE * row.cells


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
