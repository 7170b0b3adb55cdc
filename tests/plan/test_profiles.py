"""profile = auto: the choice by part and length, its reason, and configurations that never hold the value auto."""

import json

import pytest

from softstream.boards.flow.capacity import recorded, room_of_board, room_of_part
from softstream.boards.link.protocol import link_supports
from softstream.boards.registry import BOARDS, board
from softstream.boards.tools.parts import PARTS, part
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.profiles import Measured, Room, nearest_that_fits, resolve
from softstream.scripts.cli import main

DIVIDER, LOGARITHM = Config(normaliser="divider"), Config(normaliser="logarithm")
FAST_DIVIDER = DIVIDER.replace(profile="fast")


def room(cells: int, base: Config, **measured: tuple[int, float]) -> Room:
    return Room("a part", cells, tuple(Measured(base.replace(profile=p), n, mhz) for p, (n, mhz) in measured.items()))


def picked(values: dict[str, object], space: Room | None = None) -> str:
    config, [why] = resolve({**values, "profile": "auto"}, space)
    assert why.startswith(f"profile = auto: {config.profile}, ")
    assert config == Config.from_mapping({**values, "profile": config.profile})
    return config.profile


def test_an_explicit_profile_stays_and_needs_no_reason() -> None:
    space = room(1, DIVIDER, fast=(900, 100.0), small=(500, 100.0))
    for profile in ("fast", "fastest", "small"):
        assert resolve({"profile": profile}, space) == (Config(profile=profile), [])
    assert resolve({}) == (Config(), [])


def test_without_a_part_it_is_the_default_and_without_a_measurement_fast() -> None:
    assert picked({}) == picked({"max_length": 1, "mode": "argmax"}) == Config().profile == "fastest"
    space = room(1000, DIVIDER, fast=(900, 100.0), small=(500, 100.0))
    assert picked({"normaliser": "none"}, space) == "fast"
    assert "normaliser = none" in resolve({"normaliser": "none", "profile": "auto"}, space)[1][0]


def test_with_a_part_a_profile_that_is_not_named_is_picked() -> None:
    space = room(1000, DIVIDER, fast=(900, 100.0), small=(500, 100.0))
    values = {"normaliser": "divider", "max_length": 1}
    assert resolve(values, space) == resolve({**values, "profile": "auto"}, space)
    assert resolve(values, space)[0].profile == "small"
    assert resolve(values)[0].profile == "fastest"


def test_a_reciprocal_stands_in_for_the_divider_where_there_are_multipliers() -> None:
    """The configuration then names it, because the bits differ; a normaliser that is named stays."""
    for values, reason in (
        ({"probability_width": 12}, "because P + k = 16 > 14"),
        ({"guard_bits": 3}, "because a logarithm needs at least 4"),
        ({"score_width": 12}, "because scores of 12 bits are wider than 10"),
    ):
        values = {**values, "profile": "fast"}
        for multipliers in (False, True):
            config, sentences = resolve(values, Room("a part", 1000, (), multipliers))
            assert config.division == ("reciprocal" if multipliers else "divider")
            assert config.normaliser == ("reciprocal" if multipliers else "auto")
            text = f"normaliser = auto: reciprocal, {reason}, and a part has multipliers"
            assert sentences == ([text] if multipliers else [])
    space = Room("a part", 1000, (), multipliers=True)
    for keys in (
        {},
        {"normaliser": "divider"},
        {"accumulator": "two_pass", "profile": "small"},
        {"mode": "log_softmax"},
    ):
        values = {"profile": "fast", **keys}
        assert resolve(values, space) == (Config.from_mapping(values), [])
    assert [room_of_part(name).multipliers for name in ("hx8k", "up5k", "ecp5-25k")] == [False, True, True]


def test_the_throughput_counts_and_so_does_the_length() -> None:
    """By division small takes 11 cycles an element: at N = 1 hardly more than fast needs from vector to vector."""
    divider = {"normaliser": "divider"}
    configs = [DIVIDER.replace(max_length=1, profile=profile) for profile in ("small", "fast")]
    assert [plan(config).interval_cycles(1) for config in configs] == [11, 10]
    space = room(1000, DIVIDER, fast=(900, 100.0), small=(500, 100.0))
    assert picked(divider, space) == picked({**divider, "max_length": 2}, space) == "fast"
    assert picked({**divider, "max_length": 1}, space) == "small"
    assert picked({**divider, "max_length": 1}, room(1000, DIVIDER, fast=(900, 100.0), small=(500, 90.0))) == "fast"


def test_auto_picks_the_smallest_of_profiles_within_a_tenth_of_the_fastest() -> None:
    for mhz, profile in ((91.0, "small"), (89.0, "fast")):
        space = room(1000, LOGARITHM, fast=(700, 100.0), fastest=(900, 100.0), small=(500, mhz))
        assert picked({"normaliser": "logarithm"}, space) == profile
    space = room(1000, LOGARITHM, fast=(700, 100.0), fastest=(900, 120.0), small=(500, 100.0))
    assert picked({"normaliser": "logarithm"}, space) == "fastest"


def test_auto_picks_a_profile_that_fits_or_else_small() -> None:
    measured = {"fast": (900, 100.0), "small": (500, 60.0)}
    assert [picked({"normaliser": "divider"}, room(cells, DIVIDER, **measured)) for cells in (900, 899, 500, 499)] == [
        "fast",
        "small",
        "small",
        "small",
    ]
    automatic = {"normaliser": "divider", "profile": "auto"}
    assert "nothing that was measured fits" in resolve(automatic, room(499, DIVIDER, **measured))[1][0]
    assert "that fits" in resolve(automatic, room(899, DIVIDER, **measured))[1][0]


def test_the_nearest_that_was_measured_decides() -> None:
    space = Room(
        "a part",
        1000,
        (
            *room(0, DIVIDER, fast=(900, 100.0), small=(500, 99.0)).measured,
            *room(0, DIVIDER.replace(max_length=10), fast=(2000, 100.0), small=(600, 99.0)).measured,
        ),
    )
    assert picked({"normaliser": "divider", "max_length": 10}, space) == "small"
    assert picked({"normaliser": "divider", "max_length": 1024}, space) == "fast"


def test_a_configuration_never_holds_auto() -> None:
    with pytest.raises(UserError, match=r"^profile = 'auto': .* picked.* for example fastest$"):
        Config(profile="auto")  # type: ignore[arg-type]
    config, _ = resolve({"profile": "auto"})
    assert config.digest == Config().digest


@pytest.mark.parametrize("name", PARTS)
def test_the_room_of_a_part_holds_its_measurements(name: str) -> None:
    space = room_of_part(name)
    logic = PARTS[name].cell("logic").name  # type: ignore[union-attr]
    entry = recorded()["softmax-int8-divider"][name]
    divider = FAST_DIVIDER.replace(profile=entry["profile"])
    [fast] = [measured for measured in space.measured if measured.config == divider]
    assert (fast.cells, space.cells) == (entry["cells"][logic], entry["available"][logic])
    assert fast.mhz == min(entry["fmax_mhz"], PARTS[name].limit(entry["cells"]).mhz)
    assert all(measured.mhz <= PARTS[name].limit({}).mhz for measured in space.measured)


def test_a_board_adds_its_link_to_the_head_and_an_unmeasured_part_is_derated() -> None:
    row = board("icestick")
    alone, linked = room_of_board(row, link=False), room_of_board(row)
    assert alone.cells == linked.cells == row.cells
    pairs = [(a, b) for a, b in zip(alone.measured, linked.measured, strict=True) if link_supports(a.config)]
    assert pairs
    assert all(a.cells < b.cells for a, b in pairs)
    gowin, ecp5 = room_of_board(board("tang-nano-9k"), link=False), room_of_part("ecp5-25k")
    assert [entry.cells for entry in gowin.measured] == [entry.cells // 2 for entry in ecp5.measured]


def test_the_divider_is_small_on_the_smallest_board_and_fast_on_every_other() -> None:
    """As measured: together with the link only the small profile fits 1280 logic cells."""
    for name, row in BOARDS.items():
        profile = "small" if row.part == "hx8k" and row.cells == 1280 else part(row.part).profile
        assert picked({"normaliser": "divider"}, room_of_board(row)) == profile, name


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    output = capsys.readouterr()
    return int(ended.value.code or 0), output.out, output.err


def test_describe_and_generate_name_the_picked_profile_and_write_only_it(capsys, tmp_path) -> None:
    part = ("--preset", "softmax-int8-log", "--set", "profile=auto", "--part", "ecp5-25k")
    expected, [why] = resolve({**LOGARITHM.to_mapping(), "profile": "auto"}, room_of_part("ecp5-25k"))
    code, out, _ = run(capsys, "describe", *part)
    assert code == 0
    assert " ".join(why.split()) in " ".join(out.split())
    code, out, _ = run(capsys, "describe", *part, "--json")
    assert json.loads(out)["config"]["profile"] == expected.profile
    code, out, _ = run(capsys, "generate", *part, "-o", str(tmp_path / "auto"))
    assert code == 0
    assert out.count("profile = auto") == 1
    code, _, _ = run(
        capsys,
        "generate",
        "--preset",
        "softmax-int8-log",
        "--set",
        f"profile={expected.profile}",
        "--part",
        "ecp5-25k",
        "-o",
        str(tmp_path / "given"),
    )
    assert code == 0
    for path in (tmp_path / "given").iterdir():
        assert path.read_bytes() == (tmp_path / "auto" / path.name).read_bytes()


def test_an_unknown_part_is_refused_whether_it_decides_or_not(capsys) -> None:
    for setting in ("profile=auto", "profile=fast"):
        code, _, err = run(capsys, "describe", "--set", setting, "--part", "ecp5-25")
        assert code == 2
        assert err.startswith("error: unknown part 'ecp5-25' (did you mean 'ecp5-25k'?)")


def test_explore_picks_for_every_point() -> None:
    from softstream.scripts.verbs.explore import sweep

    space = room(1000, DIVIDER, fast=(900, 100.0), small=(500, 100.0))
    asked = sweep({"normaliser": "divider", "profile": "auto"}, ["max_length=1,64"], space)
    assert [(config.max_length, config.profile) for config in asked.configs] == [(1, "small"), (64, "fast")]
    asked = sweep(DIVIDER.to_mapping(), ["profile=auto,fast"], space)
    assert [config.profile for config in asked.configs] == ["fast"]


def test_build_names_the_profile_picked_for_its_board(capsys, tmp_path) -> None:
    arguments = ("--set", "profile=auto", "--set", "max_length=64", "--plan-only", "-o", str(tmp_path))
    code, out, _ = run(capsys, "build", "--board", "icestick", "--preset", "softmax-int8-divider", *arguments)
    assert code == 0
    assert "profile = auto: small, " in out
    assert json.loads((tmp_path / "build.json").read_text())["config"]["profile"] == "small"


def test_the_nearest_configuration_that_fits_changes_the_fewest_keys() -> None:
    measured = (
        *room(0, DIVIDER, fast=(1800, 100.0), small=(1200, 60.0)).measured,
        *room(0, LOGARITHM, fast=(1250, 100.0), small=(1100, 90.0)).measured,
        *room(0, Config(mode="argmax"), fast=(700, 200.0)).measured,
    )

    def nearest(cells: int, config: Config, longest: int | None = None) -> dict[str, object]:
        return nearest_that_fits(config, Room("a part", cells, measured), longest)

    assert nearest(1280, FAST_DIVIDER) == {"profile": "small"}
    assert nearest(1280, FAST_DIVIDER, 256) == {"profile": "small", "max_length": 256}
    assert nearest(1280, Config(normaliser="reciprocal", profile="fast")) == {"normaliser": "logarithm"}
    assert nearest(1150, FAST_DIVIDER) == {"profile": "small", "normaliser": "logarithm"}
    assert nearest(1280, FAST_DIVIDER.replace(lanes=4)) == {"profile": "small", "lanes": 1}
    assert nearest(1000, FAST_DIVIDER) == {"mode": "argmax"}
    # Wider than all that was measured: nothing is known to fit.
    assert nearest(1280, FAST_DIVIDER.replace(score_width=9)) == {}
    assert nearest(600, FAST_DIVIDER) == {}
