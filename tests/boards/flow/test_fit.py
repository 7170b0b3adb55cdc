"""The check of fit: refusals before a tool starts, presets that were built, remedies that a build shows to fit, clocks."""

import json
import re

import numpy as np
import pytest
from support.board_builds import ARGMAX

from softstream.boards.flow import capacity, fit
from softstream.boards.flow.build import build
from softstream.boards.flow.capacity import built_presets
from softstream.boards.flow.fit import (
    FULL,
    check_clock,
    check_fit,
    expected_presets,
    fitting_presets,
    memory_bits,
    occupancy,
    presets_by_cells,
    what_fits,
)
from softstream.boards.flow.plan import make_plan
from softstream.boards.gateware.clock import choose
from softstream.boards.registry import BOARDS, board
from softstream.boards.tools.parts import head_on, part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS, preset
from softstream.hw.errors import UserError
from softstream.hw.plan.profiles import no_wider
from softstream.scripts.measure.recorded import recorded_pairs
from softstream.sim.data import DIGITS_SCORES

DEMO = np.load(DIGITS_SCORES)[:4].tolist()


def remedy(text):
    """The configuration of the options behind `for example`, of a message about `config`."""
    return text.rpartition("; for example ")[2]


def applied(config, options):
    """The configuration that the options give."""
    words = options.split()
    for option, value in zip(words[::2], words[1::2], strict=True):
        if option == "--preset":
            config = preset(value)
        else:
            assert option == "--set"
            key, _, text = value.partition("=")
            config = Config.from_mapping(
                {**config.to_mapping(), key: json.loads(text) if text[0] in "[0123456789" or text == "true" else text}
            )
    return config


def test_memory_that_the_part_lacks_is_refused_before_the_tools(tmp_path):
    config = preset("softmax-int8").replace(max_length=16384)
    row = board("icestick")
    assert memory_bits(config) == 16384 * 9
    with pytest.raises(
        UserError,
        match=r"max_length = 16384 on icestick: .* 81920 are missing; it holds 7281 elements; presets built for icestick: "
        r"argmax-int8, argmax-int8-small, .*digits-argmax.*; for example --preset softmax-int8-small$",
    ):
        build(config, row, tmp_path / "out")
    check_fit(config.replace(max_length=4096, profile="small"), row)
    check_fit(config.replace(mode="argmax"), row)
    two_pass = preset("softmax-int8-small").replace(max_length=16384)
    with pytest.raises(UserError, match=r"; for example --set max_length=1024$"):
        check_fit(two_pass, row)


@pytest.mark.parametrize("name", ["icestick", "icebreaker", "fomu", "tang-nano-1k"])
def test_every_remedy_is_shown_by_a_build(name):
    """No advice in circles: whatever is refused, the options that the message ends with are not refused, and give a head that is
    nowhere wider or longer than one that was built."""
    row = board(name)
    requests = [*PRESETS.values(), *(config.replace(max_length=30) for config in PRESETS.values() if not config.groups)]
    requests += [preset("softmax-int8").replace(profile=profile) for profile in ("fast", "fastest")]
    requests += [preset("softmax-int8").replace(max_length=2**n) for n in (10, 14, 16)]
    requests += [preset(name).replace(winner=False) for name in ("digits-softmax", "log-softmax-int8", "cdf-int8")]
    refused = 0
    for config in requests:
        try:
            check_fit(config, row)
        except UserError as error:
            refused += 1
            better = head_on(applied(config, remedy(str(error))), part(row.part))
            check_fit(better, row)
            known = occupancy(better, row)
            if known is not None:
                assert known.cells <= FULL * row.cells
                assert known.memory <= row.memory_bits
            built = [on_board(name, row) for name in fitting_presets(row)]
            larger = [other for other in built if other.mode == better.mode and other.max_length >= better.max_length]
            assert any(other.profile == better.profile and no_wider(better, other) for other in larger), better
    assert refused >= 3


def test_a_board_without_builds_advises_none(monkeypatch):
    row = board("icestick")
    monkeypatch.setattr(fit, "built_presets", lambda row: {})
    assert fitting_presets(row) == []
    assert set(expected_presets(row)) == set(presets_by_cells(row))
    with pytest.raises(
        UserError, match=r"; no preset is known to be built for icestick; by its cells argmax-int8 would fit: "
    ):
        check_fit(on_board("softmax-int8-log", row), row)
    with pytest.raises(UserError, match=r"; for example --set winner=true$"):
        check_fit(preset("argmax-int8").replace(winner=False), row)


def test_what_is_listed_was_built_for_the_board_or_for_one_that_stands_for_it():
    for row in BOARDS.values():
        places = built_presets(row)
        assert not set(fitting_presets(row)) & set(expected_presets(row))
        assert set(fitting_presets(row)) | set(expected_presets(row)) == set(presets_by_cells(row))
        for name in fitting_presets(row):
            record = recorded_pairs()["boards"][places[name]][name]
            assert "refused" not in record
            assert places[name] == row.name or board(places[name]).stands_for(row)
            assert record["mhz"] >= row.clock_hz / 1e6


def on_board(name, row):
    """A preset as the verbs take it for a board: with the profile of the part where it names none."""
    return head_on(preset(name), part(row.part))


def test_a_preset_whose_tables_do_not_fit_is_refused_and_not_listed():
    row = board("icestick")
    with pytest.raises(UserError, match=r"needs .*23 block RAMs, iCE40 HX1K has 16, 7 are missing;"):
        check_fit(preset("softmax-int8-log"), row)
    assert "softmax-int8-log" not in fitting_presets(row)
    with pytest.raises(UserError, match=r"needs 42 block RAMs, iCE40 UP5K has 30, 12 are missing;"):
        check_fit(on_board("softmax-int16", board("icebreaker")), board("icebreaker"))


def test_a_preset_that_fills_the_part_is_tried_and_not_listed():
    # It takes 0.94 of the cells; place and route found no place for it.
    row = board("icestick")
    check_fit(on_board("cross-entropy-int8", row), row)
    assert "cross-entropy-int8" not in fitting_presets(row)
    assert "sample-int8" in fitting_presets(row)


@pytest.mark.parametrize("name", ["tang-nano-1k", "icestick", "fomu"])
def test_the_remedy_for_a_design_without_a_place_is_smaller(name):
    """What place and route found no place for is neither listed nor advised again, nor is anything as large."""
    row = board(name)
    for refused in fitting_presets(row):
        config = on_board(refused, row)
        words = what_fits(config, row, placed=False)
        known = occupancy(config, row).cells
        if words.startswith(f"no smaller preset is known to be built for {name}"):
            continue
        names = re.match(r"presets built for \S+: (.*?); ", words)[1].split(", ")
        assert all(occupancy(on_board(other, row), row).cells < known for other in names)
        better = occupancy(head_on(applied(config, remedy(words)), part(row.part)), row)
        assert better is None or better.cells < known


def test_a_preset_without_a_place_is_not_listed(monkeypatch):
    row = board("icestick")
    assert "sample-int8" in fitting_presets(row)
    monkeypatch.setattr(fit, "presets_without_place", lambda row: ["sample-int8"])
    assert "sample-int8" not in presets_by_cells(row)
    assert "sample-int8" not in fitting_presets(row)
    assert "argmax-int8" in fitting_presets(row)


@pytest.mark.parametrize("name", BOARDS)
def test_the_preset_of_a_board_was_built_or_fits_by_its_cells_where_a_vendor_builds(name):
    row = board(name)
    assert row.preset in (presets_by_cells(row) if row.vendor else fitting_presets(row))


def nearly_full(row):
    """Listed presets that take most of a board's cells or block RAMs: the ones that could fail to place."""
    for name in fitting_presets(row):
        known = occupancy(on_board(name, row), row)
        if known.cells > 0.6 * row.cells or known.memory > 0.8 * row.memory_bits:
            yield name


MEASURED = {(row.part, row.cells): row.name for row in BOARDS.values() if row.measured}
"""One board of each part whose presets are measured."""


@pytest.mark.boards
@pytest.mark.long
@pytest.mark.parametrize("name", MEASURED.values())
def test_a_listed_preset_that_nearly_fills_a_board_is_built(name, tmp_path):
    for preset_name in nearly_full(board(name)):
        result = build(on_board(preset_name, board(name)), board(name), tmp_path / preset_name)
        assert result.report.met, preset_name
        assert all(used <= available for used, available in result.report.used.values()), preset_name


def test_streams_that_a_link_lacks_are_refused():
    check_fit(Config(mode="sample"), board("icebreaker"))
    for changes in ({"lanes": 4}, {"groups": (5,), "max_length": 5}, {"ensemble": 2}):
        assert make_plan(ARGMAX.replace(**changes), board("icebreaker"), demo=DEMO).demo
    check_fit(ARGMAX.replace(lanes=4), board("icebreaker"))
    winner = r"^winner = false on icebreaker: a board's link sends the winner of each vector; .* winner=true$"
    with pytest.raises(UserError, match=winner):
        check_fit(preset("digits-softmax").replace(winner=False), board("icebreaker"))


@pytest.mark.parametrize("mode", ["hardmax", "sigmoid"])
def test_every_mode_has_a_place_on_a_board_with_its_link_and_alone(mode):
    """With something for the lamps, and without."""
    row = board("ulx3s-12f")
    plans = [make_plan(ARGMAX.replace(mode=mode), row, demo=demo) for demo in (None, DEMO)]
    assert plans[0].digest != plans[1].digest
    assert [name for name in presets_by_cells(row) if preset(name).mode == mode]


UNCACHED = capacity.occupancies.__wrapped__


def record_of(monkeypatch, measured):
    """Puts other measurements in the place of those that are checked in."""
    monkeypatch.setattr(capacity, "recorded", lambda: measured)
    monkeypatch.setattr(fit, "occupancies", UNCACHED)
    monkeypatch.setattr(capacity, "occupancies", UNCACHED)


def test_measured_logic_that_the_part_lacks_is_refused(monkeypatch):
    measured = {
        "softmax-int8": {
            "hx8k": {"profile": "fast", "cells": {"LC": 900}, "fmax_mhz": 100.0, "link_cells": {"LC": 500}}
        },
        "digits-argmax": {"hx8k": {"profile": "fast", "cells": {"LC": 150}, "link_cells": {"LC": 450}}},
    }
    record_of(monkeypatch, measured)
    row = board("icestick")
    with pytest.raises(UserError, match=r"needs about 1400 logic cells, iCE40 HX1K has 1280, 120 are missing"):
        check_fit(on_board("softmax-int8", row), row)
    check_fit(on_board("softmax-int8", row), row, link=False)
    assert "softmax-int8" not in presets_by_cells(row)
    assert "digits-argmax" in presets_by_cells(row)
    assert "softmax-int8" in presets_by_cells(board("hx8k-evn"))


def test_a_part_that_is_not_measured_is_judged_by_half_of_an_ecp5(monkeypatch):
    row = board("tang-nano-9k")
    assert not row.measured
    for cells, listed, refused in ((0.9 * 8640, True, False), (2 * 8640, False, False), (2 * 8640 + 2, False, True)):
        cells = int(cells)
        measured = {
            "softmax-int8": {
                "ecp5-25k": {"profile": "fastest", "cells": {"COMB": cells - 400}, "link_cells": {"COMB": 400}}
            }
        }
        record_of(monkeypatch, measured)
        assert ("softmax-int8" in presets_by_cells(row)) is listed
        if refused:
            with pytest.raises(UserError, match="needs about 8641 logic cells"):
                check_fit(preset("softmax-int8"), row)
        else:
            check_fit(preset("softmax-int8"), row)


@pytest.mark.parametrize(
    ("name", "changes", "needed", "nearest"),
    [
        ("softmax-int8", {}, r"needs \d+ block RAMs", "--preset softmax-int8-small"),
        # Not measured with this length, but at least as wide as a measured one.
        ("softmax-int8-divider", {"max_length": 30}, r"needs about \d+ logic cells", "--preset softmax-int8-small"),
        # Of cells the part has enough, so that synthesis decides.
        pytest.param(
            *("softmax-int8", {"max_length": 30}, r"needs \d+ block RAMs", "--preset softmax-int8-small"),
            marks=pytest.mark.long,
        ),
        ("softmax-int16", {}, r"needs about \d+ logic cells", "--preset softmax-int8-small"),
        ("log-softmax-int8", {}, r"needs about \d+ logic cells", "--preset digits-argmax"),
    ],
)
def test_a_profile_or_normaliser_that_the_part_cannot_hold_is_refused_with_the_nearest_that_fits(
    name, changes, needed, nearest, tmp_path
):
    row = board("icestick")
    config = on_board(name, row).replace(**changes)
    with pytest.raises(UserError, match=rf"^this configuration on icestick: {needed}.*; for example {nearest}$"):
        build(config, row, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    check_fit(applied(config, nearest), row)


def test_a_head_narrower_than_every_measurement_is_not_refused():
    check_fit(preset("softmax-int8").replace(score_width=4, max_length=30), board("icestick"))


def test_a_clock_far_out_of_reach_is_refused_before_the_tools_with_one_that_is_reached(tmp_path):
    for asked, text in ((120e6, "120"), (400e6, "400")):
        with pytest.raises(
            UserError, match=rf"^clock {text} MHz on icebreaker: .* reaches (\d+) MHz .*; for example --clock (\d+)$"
        ) as refusal:
            build(preset("digits-softmax"), board("icebreaker"), tmp_path / "out", clock_hz=asked)
        reached, lower = map(int, re.search(r"reaches (\d+) MHz.*--clock (\d+)", str(refusal.value)).groups())
        assert 0.9 * reached < lower < reached
        choose(board("icebreaker"), lower * 1e6)
    assert not (tmp_path / "out").exists()
    # What seeds or a faster grade might reach is left to the tools.
    check_clock(preset("digits-softmax"), board("icebreaker"), 70e6)
    check_clock(preset("digits-softmax"), board("tang-nano-9k"), 900e6)


def test_a_clock_out_of_reach_names_the_profile_that_is_measured_to_be_quicker():
    with pytest.raises(UserError, match=r"or the profile that reaches \d+ MHz \(--set profile=fastest\)$"):
        make_plan(preset("softmax-int8-log"), board("colorlight-i5"), clock_hz=390e6)
    with pytest.raises(UserError, match=r"\(--set profile=fast\)$"):
        make_plan(preset("argmax-int8-small"), board("colorlight-i5"), clock_hz=390e6)
