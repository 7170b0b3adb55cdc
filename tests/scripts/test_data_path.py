"""The data path of every kind of head: each stage once, wires between equal formats, a picture and text that fit."""

import itertools
import re

import pytest
from support.html_page import Page
from support.rtlil_hashes import CONFIGURATIONS

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.derive import plan
from softstream.scripts.reports.datapath import datapath
from softstream.scripts.reports.plan_report import render
from softstream.scripts.verbs.data_path import data_path

MORE = (Config(tkeep=True), Config(winner=False), Config(lanes=4, mode="top_k"))


@pytest.fixture(scope="module")
def cases() -> list[Config]:
    """One configuration for each list of stages. Plans of all take seconds, which collecting the tests must not."""
    every = (*CONFIGURATIONS.values(), *MORE)
    return [*{tuple(stage.name for stage in plan(config).stages): config for config in every}.values()]


def test_every_stage_stands_in_one_branch(cases: list[Config]) -> None:
    for config in cases:
        derived = plan(config)
        assert sorted(map(id, data_path(derived).stages())) == sorted(map(id, derived.stages))


def test_a_stage_takes_the_format_that_the_one_before_it_gives(cases: list[Config]) -> None:
    for config in cases:
        path = data_path(plan(config))
        # The store of Top-K changes tags into scores; a stage that takes positions subtracts the smallest code itself.
        for branch in (path.sums, path.out):
            for before, after in itertools.pairwise(branch):
                outgoing = re.findall(r"UQ-?\d+\.\d+|Q-?\d+\.\d+|tags", before.output_format)
                incoming = re.findall(r"UQ-?\d+\.\d+|Q-?\d+\.\d+|tags", after.input_format)
                # A draw among the best elements reads their list again once the share of their sum is there.
                again = (before.name, after.name) == ("sum_share", "replay")
                assert set(outgoing) & set(incoming) or after.name == "random_words" or again, (before, after)
        if path.sums:
            joined = path.out[path.join].input_format.rpartition(", ")[2]
            assert joined in (path.sums[-1].output_format.rpartition(" ")[2], "–")


def test_text_and_picture_show_every_stage_and_output(cases: list[Config]) -> None:
    for config in cases:
        derived = plan(config)
        path, lines = data_path(derived), data_path(derived).lines()
        assert len(lines) == 1 + len(derived.stages)
        assert all(len(line) <= 80 for line in lines)
        assert sum(line.count("──▶") for line in lines) == 1 + bool(path.best) + len(path.sources)
        picture = datapath(config)
        page = Page(picture)
        assert page.tags["g"] == len(derived.stages)
        for stage in derived.stages:
            assert f"{stage.name}: {stage.computes}" in page.text
        width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', picture).groups())
        boxes = [tuple(map(int, box)) for box in re.findall(r'<rect x="(\d+)" y="(\d+)" width="132"', picture)]
        assert len(set(boxes)) == len(boxes)
        assert all(x + 132 < width and y + 84 < height for x, y in boxes)


@pytest.mark.parametrize("name", ["softmax-int8", "argmax-int8", "sample-int8", "softmax-int8-small"])
def test_the_page_has_the_plan_and_needs_no_network(name: str) -> None:
    text = render(PRESETS[name], name)
    page = Page(text)
    assert "http" not in text.replace("http://www.w3.org/", "")
    derived = plan(PRESETS[name])
    assert derived.latency_text in page.text
    assert derived.config.digest in page.text
    assert text == render(PRESETS[name], name)
    # A rule of the picture applies to the whole page unless it names the class of the picture.
    style = text.partition("<svg ")[2].partition("<style>")[2].partition("</style>")[0]
    assert all(".path" in rule for rule in re.findall(r"([^{}]+)\{[^{}]*\}", style))


def test_every_bar_of_a_chart_leaves_room_for_its_value() -> None:
    for name in ("softmax-int16", "cdf-int8"):
        text = render(PRESETS[name], name)
        for bar, value in re.findall(r'<text x="(\d+\.\d)"[^>]*>([\d ]+[^<]*)</text>', text):
            assert float(bar) + 6.5 * len(value) <= 360
