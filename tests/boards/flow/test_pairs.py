"""Pairs of a board and a preset that is listed for it: the record of the builds, and the builds."""

import pytest

from softstream.boards.flow.build import build
from softstream.boards.flow.fit import fitting_presets
from softstream.boards.registry import BOARDS, board
from softstream.scripts.measure import pairs as module
from softstream.scripts.measure.pairs import main, missing, on_board, pairs
from softstream.scripts.measure.recorded import recorded_pairs

LISTED = [(name, preset) for name, row in BOARDS.items() for preset in pairs(row)]


def test_the_listed_pairs_are_those_of_the_command():
    assert not {name for name, _ in LISTED} & {name for name, row in BOARDS.items() if row.vendor}
    for row in BOARDS.values():
        assert row.vendor or set(pairs(row)) == set(fitting_presets(row))


def test_every_recorded_pair_met_its_clock_within_the_part():
    for name, presets in recorded_pairs()["boards"].items():
        for preset, entry in presets.items():
            if "refused" in entry:
                assert "found no place" in entry["refused"]
                continue
            assert entry["mhz"] >= entry["asked_mhz"], (name, preset)
            assert all(used <= available for used, available in entry["used"].values()), (name, preset)


def test_the_fullest_pair_of_each_measured_part_is_recorded():
    # Of an iCEstick and an iCESugar-nano, which sample-int8 fills to nine tenths.
    record = recorded_pairs()["boards"]
    assert all("sample-int8" in record[name] for name in ("icestick", "icesugar-nano"))


@pytest.mark.boards
@pytest.mark.pairs
@pytest.mark.parametrize(("name", "preset"), LISTED)
def test_a_listed_pair_is_built(name, preset, tmp_path):
    """A build on one core takes half a minute, and there are hundreds: `make test-pairs`."""
    report = build(on_board(preset, board(name)), board(name), tmp_path / "out").report
    assert report.met
    assert all(used <= available for used, available in report.used.values())


def test_what_is_missing_is_named_once_for_boards_that_stand_for_each_other(monkeypatch):
    monkeypatch.setattr(module, "expected_presets", lambda row: ["argmax-int8"])
    named = [name for name, _ in missing()]
    rows = [row for row in BOARDS.values() if not row.vendor]
    assert all(any(board(name).stands_for(row) for name in named) for row in rows)
    assert not any(board(one).stands_for(board(other)) for one in named for other in named if one != other)
    assert len(named) < len(rows)


def test_the_command_lists_builds_and_records(monkeypatch, capsys):
    largest = "sample-int8"
    monkeypatch.setattr(module, "expected_presets", lambda row: [largest])
    assert main(["icestick"]) == 0
    assert capsys.readouterr().out == f"icestick {largest}: not built\n"

    def refused(*_):
        raise module.SoftstreamError("no place")

    monkeypatch.setattr(module, "build", refused)
    assert main(["--write", "icestick"]) == 1
    assert capsys.readouterr().out == f"icestick {largest}: no place\n"
    written = {}
    monkeypatch.setattr(module, "_add", lambda name, preset, entry: written.update({(name, preset): entry}))

    def full(*_):
        raise module.UserError("this configuration on icestick: found no place, 99 of 100 LUTs; presets built for it")

    monkeypatch.setattr(module, "build", full)
    assert main(["--write", "icestick"]) == 0
    assert capsys.readouterr().out == f"icestick {largest}: found no place, 99 of 100 LUTs\n"
    assert written == {("icestick", largest): {"refused": "found no place, 99 of 100 LUTs"}}
    assert main(["icestik"]) == 2
    assert "unknown board 'icestik' (did you mean 'icestick'?)" in capsys.readouterr().err
