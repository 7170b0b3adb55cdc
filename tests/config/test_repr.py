"""What interactive Python shows of configurations, plans and results: `repr`, `help`, and the HTML of notebooks."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from softstream.hw.config.config import KEYS, SECTIONS, Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden


class Tables(HTMLParser):
    """The cells of the tables of a document, row by row; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.mark.parametrize("config", PRESETS.values(), ids=list(PRESETS))
def test_repr_is_the_call_that_gives_the_configuration(config: Config) -> None:
    assert eval(repr(config), {"Config": Config}) == config


def test_repr_holds_what_differs_from_the_default() -> None:
    assert repr(Config()) == "Config()"
    config = Config(max_length=3, groups=[2, 3], mask=True)
    assert repr(config) == "Config(max_length=3, mask=True, groups=(2, 3))"
    assert [row[:3] for row in Tables(config._repr_html_()).rows] == [
        ["key", "value", "default"],
        ["max_length", "3", "1024"],
        ["mask", "true", "false"],
        ["groups", "[2, 3]", "[]"],
    ]


def test_help_explains_every_key() -> None:
    words = " ".join(str(Config.__doc__).split())
    assert max(map(len, str(Config.__doc__).splitlines())) <= 125
    for section, purpose in SECTIONS.items():
        assert f"[{section}] {purpose}" in words
    for key in KEYS:
        entry = f"{key.name}: {key.help} [{key.type_text}, {key.range_text}"
        assert " ".join(entry.split()) in words
        assert re.search(rf"{key.name}: [^\[]*\[.*?default {re.escape(key.default_text)}\]", words)


@pytest.mark.parametrize("name", ["softmax-int8", "argmax-int8", "sample-int8", "softmax-int8-groups"])
def test_a_plan_shows_its_tables(name: str) -> None:
    derived = plan(PRESETS[name])
    text, rows = repr(derived), Tables(derived._repr_html_()).rows
    for stage in derived.stages:
        assert re.search(rf"^{stage.name} .* {stage.latency_cycles}\b", text, re.MULTILINE)
        assert any(row[0] == stage.name and row[4] == str(stage.latency_cycles) for row in rows)
    for line in [derived.cycle_text, *derived.notes()]:
        assert line in text
    if derived.bound_ulp is not None:
        assert f"{derived.bound_ulp:.4f}" in text


@pytest.mark.parametrize("mode", ["softmax", "top_k", "argmax"])
def test_a_result_shows_its_codes(mode: str) -> None:
    config = Config(mode=mode, max_length=20)
    result = golden(config, np.arange(24 * 20).reshape(24, 20) % 101)
    assert repr(result) == f"Result({', '.join(f'{n} {v.dtype} {list(v.shape)}' for n, v in result.items())})"
    rows = Tables(result._repr_html_()).rows
    assert rows[0] == ["", *result]
    assert len(rows) == 12
    assert rows[-1][0] == "… of 24"
    if mode != "top_k":
        assert rows[3][rows[0].index("argmax")] == str(result.argmax[2])
    if mode == "softmax":
        codes = rows[3][rows[0].index("probabilities")].split()
        assert codes == [*map(str, result["probabilities"][2, :12]), "…"]


def test_text_from_outside_is_escaped() -> None:
    """No value of a configuration reaches a notebook as HTML."""
    derived = plan(Config())
    assert "<" not in re.sub(r"</?(table|caption|thead|tbody|tr|th|td|ul|li)\b[^>]*>", "", derived._repr_html_())
