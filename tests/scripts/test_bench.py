"""The benchmark: its figures follow from the measurements, and the checked-in figures are of today's variants."""

import hashlib
import itertools
import json
from dataclasses import replace

import pytest
from support.long_cases import mostly_long

from softstream.boards.tools.measure import CriticalPath, Measurement, Placement
from softstream.boards.tools.parts import BENCH_PARTS, PARTS
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import Mismatch, ToolFailure, UserError
from softstream.hw.plan.derive import plan
from softstream.hw.verilog import synthesis_verilog, wrapped_verilog
from softstream.scripts.console import Console
from softstream.scripts.measure import model_speed
from softstream.scripts.measure.peers import PEERS
from softstream.scripts.measure.recorded import recorded as resources
from softstream.scripts.measure.variants import CURVES, VARIANTS, Goal, Variant
from softstream.scripts.reports import bench_report
from softstream.scripts.reports.bench_report import render
from softstream.scripts.verbs import bench as module
from softstream.scripts.verbs.bench import bench, chosen, located, margin_sentence, recorded, rows, run, speed_sentence

TINY = Config(mode="argmax", max_length=4, score_width=2)

# What is checked in --------------------------------------------------------------------------------------------------


def test_every_variant_and_every_preset_is_recorded():
    content = recorded()
    assert list(content["variants"]) == list(VARIANTS)
    assert set(PRESETS) <= set(VARIANTS)
    for name, variant in VARIANTS.items():
        entry = content["variants"][name]
        # A key that came later has its default.
        assert Config.from_mapping(entry["config"]) == variant.config
        assert list(entry["parts"]) == list(variant.parts)
        for part, goal in variant.parts.items():
            assert ("misses" in entry["parts"][part]) == (goal is not None)
    assert [(curve["key"], curve["values"]) for curve in content["curves"]] == [(c.key, list(c.values)) for c in CURVES]


@pytest.mark.parametrize("name", mostly_long(VARIANTS, ["softmax-int8", "argmax-int8-small"]))
def test_the_recorded_numbers_are_of_todays_verilog(name):
    today = hashlib.sha256(synthesis_verilog(VARIANTS[name].config).encode()).hexdigest()
    assert recorded()["variants"][name]["verilog_sha256"] == today, "make bench"


def test_the_two_checked_in_files_agree():
    """Place and route is deterministic, so a clock that differs is of other Verilog, even where the cells are the same."""
    content, presets = recorded(), resources()
    if content["tools"] != presets["tools"]:
        pytest.skip("measured with different tools")
    # That every variant is in the file, the first test says.
    variants = {
        (variant.config, part): content["variants"][name]["parts"][part]
        for name, variant in VARIANTS.items()
        for part in variant.parts
        if name in content["variants"]
    }
    compared = 0
    for name, parts in presets["presets"].items():
        for part, entry in parts.items():
            variant = variants.get((PRESETS[name].replace(profile=entry["profile"]), part))
            if variant is None:
                continue
            assert variant["cells"] == entry["cells"], (name, part)
            for seed, mhz in entry.get("fmax_mhz_by_seed", {}).items():
                assert variant["fmax_mhz_by_seed"][seed] == mhz, (name, part)
                compared += 1
    assert compared > len(PRESETS)


def test_the_speeds_of_the_tool_are_those_of_todays_default():
    assert Config.from_mapping(recorded()["speed"]["config"]) == module.SPEED_CONFIG


def test_every_peer_has_a_source():
    assert all(peer.source.startswith("https://") for peer in PEERS)
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def test_an_unknown_variant_is_refused_with_the_nearest_name():
    assert chosen(["argmax-int8"]) == [VARIANTS["argmax-int8"]]
    assert chosen([]) == list(VARIANTS.values())
    with pytest.raises(
        UserError, match=r"--only argmax-int: no such variant \(did you mean 'argmax-int8'\?\); must be one of"
    ):
        chosen(["argmax-int"])


# Critical paths ------------------------------------------------------------------------------------------------------


def path(*nets, start="head.maximum.rest_SB_DFF_Q.Q", lines=()):
    return CriticalPath(start, "m_axis_tdata_SB_DFF_D.D", 1.0, 1.0, nets, lines)


def test_the_page_links_to_every_peer():
    text = bench_report.render(recorded())
    assert all(f'<a href="{peer.source}">' in text for peer in PEERS)


def test_every_mark_of_the_plot_is_legible():
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figure = Figure(figsize=(5.0, bench_report._THROUGHPUT_HEIGHT), dpi=288, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    bench_report._draw_throughput(figure, recorded())
    canvas.draw()
    marks, names = figure.axes
    points = bench_report._points(recorded())
    boxes = [
        Text.get_window_extent(text) for text in marks.texts if text.get_text() in {point.mark for point in points}
    ]
    assert len(boxes) == len(points)
    assert not [(one, other) for one, other in itertools.combinations(boxes, 2) if one.overlaps(other)]
    # The list has every mark with its name, within the picture.
    assert [text.get_text() for text in names.texts] == [text for point in points for text in (point.mark, point.name)]
    assert all(figure.bbox.contains(*text.get_window_extent().max) for text in names.texts)


def source(line):
    file, number = line.split(":")
    from importlib import resources as files

    room, _, name = file.partition("/")
    return files.files(f"softstream.{room}").joinpath(name).read_text(encoding="utf-8").splitlines()[int(number) - 1]


def test_a_path_is_located_by_stage_and_by_line_of_python():
    config = PRESETS["argmax-int8-small"]
    # Placement reads the wrapped text, so a path has its line numbers.
    [number] = [n for n, line in enumerate(wrapped_verilog(config).splitlines(), 1) if line.endswith("+ rest;")]
    stages, lines = located(config, path("head.frame.index[3]", lines=(number,)))
    assert stages == ("maximum", "frame", "edge")
    assert len(lines) == 1
    assert "+ rest" in source(lines[0])


def test_the_signal_locates_a_path_whose_line_synthesis_lost():
    stages, lines = located(
        PRESETS["argmax-int8-small"], path("head.maximum.rest_LUT4_A_Z[3]", "head.frame.index_CCU2C_S0[1]")
    )
    assert stages == ("maximum", "frame", "edge")
    assert ["rest" in source(line) for line in lines] == [True, False]
    assert "index" in source(lines[1])


def test_the_stage_locates_a_path_without_a_signal():
    stages, lines = located(PRESETS["argmax-int8-small"], path("head.maximum._0_[3]", start="head.maximum._1_.Q"))
    assert stages == ("maximum", "edge")
    assert [source(line).strip() for line in lines] == ["m.submodules.maximum = maximum = Maximum(config)"]


# Numbers -------------------------------------------------------------------------------------------------------------


def measurement(*speeds, comb=50):
    cells = {"COMB": comb, "FF": 40, "RAMW": 0, "DP16KD": 0, "MULT18": 0}
    placed = tuple(Placement(seed, mhz, path()) for seed, mhz in enumerate(speeds, 1))
    return Measurement("ecp5-25k", cells, {"COMB": 24288}, placed)


def placed(result, goal=None, interval=4):
    entry = {"cycles": [{"length": 4, "first_output": 9, "interval": interval}]}
    return module._placed(Variant("tiny", TINY, {}), entry, PARTS["ecp5-25k"], goal, result)


def test_throughput_is_the_median_clock_over_the_measured_interval():
    entry = placed(measurement(90.0, 120.0, 100.0), interval=8)
    assert entry["fmax_mhz"] == {"minimum": 90.0, "median": 100.0, "maximum": 120.0}
    assert entry["elements_per_cycle"] == 0.5
    assert entry["megaelements_per_second"] == 50.0
    assert entry["kiloelements_per_second_per_cell"] == 1000.0
    assert entry["margin_mhz"] == 0
    assert entry["critical_path"]["seed"] == 1


def test_fmax_above_the_limit_of_the_part_is_margin():
    limit = PARTS["ecp5-25k"].limit({"COMB": 50})
    entry = placed(measurement(limit.mhz + 50.0))
    assert (entry["clock_mhz"], entry["margin_mhz"]) == (limit.mhz, 50.0)
    assert entry["megaelements_per_second"] == limit.mhz
    sentence = margin_sentence("a head", "ecp5-25k", entry)
    assert (
        f"50 MHz of Fmax are margin above the device limit of {limit.mhz} MHz, that of the primary clock tree"
        in sentence
    )
    assert "FPGA-DS-02012" in sentence


@pytest.mark.parametrize("name", PARTS)
def test_a_hard_block_sets_a_limit_only_where_it_is_used(name):
    part = PARTS[name]
    [network] = [limit for limit in part.limits if limit.cell is None]
    assert part.limit({}) == part.limit(dict.fromkeys((cell.name for cell in part.cells), 0)) == network
    known = {cell.name for cell in part.cells}
    for limit in part.limits:
        assert limit.cell is None or limit.cell in known
        used = part.limit({} if limit.cell is None else {limit.cell: 1})
        assert used.mhz == min(limit.mhz, network.mhz)


def test_the_recorded_clocks_are_within_the_limits_of_their_parts():
    for entry in recorded()["variants"].values():
        for name, figures in entry["parts"].items():
            limit = BENCH_PARTS[name].limit(figures["cells"]).mhz
            median = figures["fmax_mhz"]["median"]
            assert figures["clock_mhz"] == min(median, limit)
            assert figures["margin_mhz"] == round(median - figures["clock_mhz"], 2)


def test_a_missed_goal_is_reported_with_both_numbers():
    goal = Goal(fmax_mhz=110, cells={"COMB": 45, "FF": 40}, first_output=8)
    assert placed(measurement(100.0), goal, interval=5)["misses"] == [
        "Fmax 100.0 of 110 MHz",
        "50 of 45 COMB",
        "0.8 of 1 elements/cycle",
        "first output after 9 of 8 cycles",
    ]
    assert placed(measurement(120.0, comb=45), replace(goal, first_output=9))["misses"] == []
    assert placed(measurement(comb=30000), goal)["misses"][0] == "Fmax none of 110 MHz"


# A whole run ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny(monkeypatch):
    variants = {"tiny": Variant("tiny", TINY, {"hx8k": None, "ecp5-25k": Goal(fmax_mhz=1, cells={"COMB": 1000})})}
    monkeypatch.setattr(module, "VARIANTS", variants)
    return list(variants.values())


def test_a_run_measures_writes_and_prints(tiny, tmp_path, capsys):
    run([], 1, True, 2, tmp_path / "out", render, Console())
    content = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    page = (tmp_path / "out" / "bench.html").read_text(encoding="utf-8")
    assert page == render(content)
    assert page.count("<svg") == 3  # throughput, and the seeds of each family
    entry = content["variants"]["tiny"]
    derived = plan(TINY)
    assert entry["cycles"] == [
        {
            "length": 4,
            "first_output": derived.first_output_cycle(4),
            "interval": derived.interval_cycles(4),
            "simulator": entry["cycles"][0]["simulator"],
        }
    ]
    assert entry["parts"]["ecp5-25k"]["misses"] == []
    for figures in entry["parts"].values():
        assert list(figures["fmax_mhz_by_seed"]) == ["1"]
        # A path between ports alone has no line of a stage.
        path = figures["critical_path"]
        assert path["lines"] or path["stages"] == ["edge"]
    assert [row[:2] for row in rows(content)] == [("tiny", "hx8k"), ("tiny", "ecp5-25k")]
    out = capsys.readouterr().out
    assert "tiny on ecp5-25k, goal: reached" in out
    assert "bench.html" in out


def test_cycles_that_are_not_the_plans_are_a_mismatch(tiny, monkeypatch):
    late = replace(plan(TINY), fixed_latency_cycles=99)
    monkeypatch.setattr(module, "plan", lambda config: late)
    with pytest.raises(Mismatch, match=r"first_output at length 4: \d+ cycles simulated, 103 planned"):
        bench(tiny, ())


def test_curves_count_cells_and_place_with_every_seed(monkeypatch):
    jobs = []
    path = CriticalPath("a", "b", 1.0, 2.0, ())

    def counted(variants, **_):
        jobs.extend(variants)
        placed = tuple(Placement(seed, 100.0 + seed, path) for seed in (1, 2))
        return [Measurement("hx8k", {"LC": len(jobs)}, {}, placed) for _ in variants]

    monkeypatch.setattr(module, "measure", counted)
    curve = replace(CURVES[0], key="max_length", config=TINY, values=(2, 4))
    [content] = bench([], (1, 2), curves=[curve])["curves"]
    assert [job.seeds for job in jobs] == [(1, 2), (1, 2)]
    assert (content["values"], content["cells"]) == ([2, 4], [{"LC": 2}, {"LC": 2}])
    assert content["fmax_mhz"] == [{"minimum": 101.0, "median": 101.5, "maximum": 102.0}] * 2


def test_the_speeds_of_the_c_model_and_of_onnxruntime_are_told_beside_that_of_the_golden_model():
    speed = recorded()["speed"] | {"golden_scores_per_second": 80e6, "onnxruntime_scores_per_second": {}}
    assert "C model" not in speed_sentence({k: v for k, v in speed.items() if k != "c_model_scores_per_second"})
    sentence = speed_sentence(speed | {"c_model_scores_per_second": 264e6})
    assert sentence.endswith("model 80 million scores per second on one core, C model 264 million, 3.3 times as many")
    others = {"QLinearSoftmax": 349e6, "float32 Softmax": 2160e6}
    sentence = speed_sentence(speed | {"onnxruntime_scores_per_second": others})
    assert sentence.endswith("; onnxruntime computes 349 million in QLinearSoftmax and 2160 million in float32 Softmax")


def test_the_c_model_is_compiled_and_timed(monkeypatch):
    monkeypatch.setattr(model_speed, "_VECTORS", 1000)
    monkeypatch.setattr(model_speed, "_LENGTH", 100)
    assert model_speed.c_model_speed(Config(max_length=100)) > 0
    assert model_speed.golden_speed(Config(max_length=100)) > 0
    monkeypatch.setattr(model_speed, "header_text", lambda head: "no C")
    with pytest.raises(ToolFailure, match="refuses the C model: "):
        model_speed.c_model_speed(Config(max_length=10))
    monkeypatch.setenv("PATH", "")
    assert model_speed.c_model_speed(Config(max_length=10)) is None


def test_onnxruntime_is_timed_on_its_two_operators(monkeypatch):
    pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")
    monkeypatch.setattr(model_speed, "_VECTORS", 100)
    speeds = model_speed.onnxruntime_speeds(Config(max_length=10))
    assert list(speeds) == ["QLinearSoftmax", "float32 Softmax"]
    assert all(speed > 0 for speed in speeds.values())
    monkeypatch.setattr(model_speed, "is_installed", lambda module: module != "onnx")
    assert model_speed.onnxruntime_speeds(Config(max_length=10)) == {}
