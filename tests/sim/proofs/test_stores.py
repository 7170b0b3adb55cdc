"""The contracts of stores and of flow control are proved, and a changed gate of a component breaks one."""

import re
from itertools import product

import pytest
from amaranth import Fragment, unsigned
from amaranth.lib import data
from support.long_cases import mostly_long

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.contracts.catalogue import contract_of, counting_contract_of
from softstream.hw.modes import gumbel, sigmoid
from softstream.hw.modes.gumbel import GumbelDraw
from softstream.hw.modes.hardmax import OneHot
from softstream.hw.modes.sigmoid import SigmoidTable
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.numbers.composition import composition
from softstream.hw.options import final_round, floor, inverse_temperature
from softstream.hw.options.final_round import FinalRound
from softstream.hw.options.floor import Floor, Remainder
from softstream.hw.options.groups import GroupEnds, PacketEnds
from softstream.hw.options.inverse_temperature import Product
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.options.member_sum import FLAGS, MemberSum
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.options.smoothing import Smoothing, Window
from softstream.hw.options.vector_flags import VectorFlags
from softstream.hw.plan.ports import outputs
from softstream.hw.processes import temporary_folder
from softstream.hw.stages import draw_set, maximum
from softstream.hw.stages.accumulate import Accumulate
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.draw_set import DrawSet
from softstream.hw.stages.exponential import Terms
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.insertion import Insertion
from softstream.hw.stages.lane_merge import LaneMerge
from softstream.hw.stages.maximum import maximum_of
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.stages.sum_share import SumShare
from softstream.hw.streams.flow import Credit, Fork, Hold, Queue, Skid, Spacing
from softstream.hw.streams.layouts import output_layout
from softstream.hw.streams.probes import Probes
from softstream.hw.streams.registers import delay
from softstream.sim.proofs import engine, stores
from softstream.sim.proofs.engine import Verdict, decide_within

PAYLOAD = data.StructLayout({"value": 1})

FRAMED = Config(score_width=2, max_length=5)
PASSES = Config(accumulator="two_pass", profile="small", max_length=3, score_width=2, probability_width=4)

SEARCHED = Config(mode="sample", sampler="inverse_cdf", max_length=5, score_width=4)

MERGED = Config(mode="top_k", top_k=3, score_width=3, max_length=8, lanes=2)

MASKED_LIST = Config(mode="top_k", top_k=2, score_width=3, max_length=5, mask=True)

COMPONENTS = {
    "queue of 4": lambda: Queue(unsigned(2), 4),
    "queue of 5": lambda: Queue(unsigned(2), 5),
    "queue of 8, by gates": lambda: Queue(unsigned(1), 8, by_gates=True),
    "queue of 9": lambda: Queue(unsigned(1), 9),
    "frame of 1 × 2 bits, up to 5 scores": lambda: Frame(FRAMED, indexed=False),
    "frame of 1 × 2 bits, up to 1 scores": lambda: Frame(FRAMED.replace(max_length=1), indexed=False),
    "indexed frame of 1 × 2 bits, up to 5 scores, mask": lambda: Frame(FRAMED.replace(mask=True)),
    "frame of 1 × 2 bits, up to 1024 scores": lambda: Frame(FRAMED.replace(max_length=1024), indexed=False),
    "frame of 1 × 2 bits, up to 9 scores, without lookahead": lambda: Frame(
        FRAMED.replace(max_length=9), indexed=False, lookahead=False
    ),
    "registered frame of 1 × 2 bits, up to 9 scores": lambda: Frame(
        FRAMED.replace(max_length=9), indexed=False, registered=True
    ),
    "registered indexed frame of 1 × 2 bits, up to 5 scores, mask": lambda: Frame(
        FRAMED.replace(mask=True), registered=True
    ),
    "indexed frame of 2 × 2 bits, up to 7 scores, gaps": lambda: Frame(FRAMED.replace(max_length=7, lanes=2)),
    "null beats of 1 × 2 bits": lambda: NullBeats(FRAMED.replace(tkeep=True)),
    "null beats of 16 × 2 bits": lambda: NullBeats(FRAMED.replace(lanes=16, max_length=32)),
    "null beats of 4 × 2 bits, mask": lambda: NullBeats(FRAMED.replace(lanes=4, mask=True)),
    "skid buffer": lambda: Skid(unsigned(2)),
    "register": lambda: Hold(unsigned(2)),
    "register with room": lambda: Hold(unsigned(2), assured=True),
    "fork to 2": lambda: Fork(unsigned(1), 2),
    "fork to 3": lambda: Fork(unsigned(1), 3),
    "ordered fork to 2": lambda: Fork(unsigned(1), 2, ordered=True),
    "credit of 4, margin 0": lambda: Credit(4),
    "credit of 5, margin 1": lambda: Credit(5, 1),
    "credit of 6, margin 2": lambda: Credit(6, 2),
    "credit of 7, margin 3": lambda: Credit(7, 3),
    "spacing of 1": lambda: Spacing(1),
    "spacing of 4": lambda: Spacing(4),
    "spacing of 9": lambda: Spacing(9),
    "ring of 6, interval 1, read in 2": lambda: Replay(PAYLOAD, beats=6, interval=1, memory=2),
    "ring of 7, interval 1, read in 2": lambda: Replay(PAYLOAD, beats=15, interval=1, memory=2, ungated=True),
    "ring of 6, interval 1, read in 2, ungated": lambda: Replay(PAYLOAD, beats=6, interval=1, memory=2, ungated=True),
    "ring of 12, interval 5, read in 1": lambda: Replay(PAYLOAD, beats=1051, interval=5, memory=1),
    "ring of 6, interval 1, read in 2, by gates": lambda: Replay(PAYLOAD, beats=6, interval=1, memory=2, by_gates=True),
    "store of 3 factors, read in 2": lambda: FactorStore(PAYLOAD, 3, 2),
    "store of 3 factors, read in 2, by gates": lambda: FactorStore(PAYLOAD, 3, 2, by_gates=True),
    "register, by gates": lambda: Hold(unsigned(2), by_gates=True),
    "maximum of 1 × 8 bits, up to 1024 scores": lambda: maximum_of(Config(mode="argmax", profile="small")),
    "maximum of 1 × 3 bits, up to 5 scores, last of equals": lambda: maximum_of(
        Config(mode="argmax", profile="small", score_width=3, max_length=5, tie="last")
    ),
    "two passes of 2 to 4 bits, up to 3 scores, 3 cycles to an exponential": lambda: TwoPass(PASSES),
    "two passes of 8 to 8 bits, up to 7 scores, mask, margin, gaps, 5 cycles to an exponential": lambda: TwoPass(
        Config(accumulator="two_pass", max_length=7, mask=True, confidence="margin", tkeep=True)
    ),
    "skewed maximum of 1 × 3 bits, up to 5 scores": lambda: maximum_of(
        Config(mode="argmax", score_width=3, max_length=5)
    ),
    "skewed maximum of 4 × 8 bits, up to 1024 scores": lambda: maximum_of(Config(mode="argmax", lanes=4)),
    "one-hot of 1 × 8 bits, up to 5 scores": lambda: OneHot(Config(mode="hardmax", max_length=5)),
    "one-hot of 2 × 8 bits, up to 6 scores": lambda: OneHot(
        Config(mode="hardmax", max_length=6, lanes=2, mask=True, tkeep=True)
    ),
    "list of 2 of up to 5 × 3 bits": lambda: Insertion(Config(mode="top_k", top_k=2, score_width=3, max_length=5)),
    "list of 3 of up to 6 × 3 bits": lambda: Insertion(
        Config(mode="top_k", top_k=3, score_width=3, max_length=6, profile="fast")
    ),
    "list of 17 of up to 1024 × 8 bits": lambda: Insertion(Config(mode="top_k", top_k=17)),
    "list of 2 of up to 5 × 3 bits, mask": lambda: Insertion(MASKED_LIST),
    "list of 1 of up to 5 × 3 bits, mask": lambda: Insertion(MASKED_LIST.replace(top_k=1)),
    "list of 16 of up to 1024 × 8 bits, mask": lambda: Insertion(Config(mode="top_k", top_k=16, mask=True)),
    "ranked store of 4 × 3, read in 2": lambda: RankedStore(Config(mode="top_k", top_k=3, max_length=5), 4),
    "ranked store of 4 × 2, read in 2": lambda: RankedStore(
        Config(mode="top_k", top_k=2, max_length=5, profile="fast"), 4
    ),
    "merge of 2 lists, 4 × 3": lambda: LaneMerge(MERGED, 4),
    "merge of 4 lists, 2 × 3, mask": lambda: LaneMerge(MERGED.replace(lanes=4, mask=True), 2),
    "merge of 8 lists, 16 × 5": lambda: LaneMerge(Config(mode="top_k", top_k=5, lanes=8), 16),
    "list of 2 of up to 2 × 3 bits, mask": lambda: Insertion(MASKED_LIST.replace(max_length=2)),
    "sums of 2 members of 2 × 2 bits, up to 3 beats, 5 cycles": lambda: MemberSum(2, 2, 3, 3, lanes=2, write=1),
    "ranked store of 2 × 1, read in 1": lambda: RankedStore(Config(mode="top_k", top_k=1, profile="small"), 2),
    "terms of 4 to 13 bits, 3 cycles": lambda: draw_part(Terms),
    "exact sum of terms of 13 bits in 8 + 8 bits, cleared": lambda: draw_part(Accumulate),
    "limited sum of terms of 13 bits in 8 + 8 bits": lambda: draw_part(Accumulate, 1),
    "share of a sum of 8 + 8 bits, 12 steps of 2 bits": lambda: draw_part(SumShare),
    "search among up to 8 × 4 bits, 5 cycles": lambda: draw_part(CdfSearch),
}
SHORT = (
    "queue of 5",
    "credit of 5, margin 1",
    "frame of 1 × 2 bits, up to 5 scores",
    "ordered fork to 2",
    "null beats of 4 × 2 bits, mask",
    "ring of 6, interval 1, read in 2",
    "skewed maximum of 1 × 3 bits, up to 5 scores",
    "one-hot of 1 × 8 bits, up to 5 scores",
    "list of 2 of up to 5 × 3 bits, mask",
    "ranked store of 4 × 3, read in 2",
)


@pytest.mark.parametrize("title", mostly_long(COMPONENTS, SHORT))
def test_the_contract_of_a_component_is_proved(title):
    verdicts = stores.prove_contract(COMPONENTS[title]())
    assert {verdict.answer for verdict in verdicts} == {"proved", "reached"}, verdicts
    assert all(verdict.statement.name.startswith(f"{title}: ") for verdict in verdicts)


SMOOTHED = Config(score_width=4, max_length=5, smoothing=[1, 2, 1])
FLOORED = Config(score_width=4, max_length=5, probability_floor=0.01)
AVERAGED = Config(score_width=4, max_length=5, ensemble=3, ensemble_mean="logits")
PARTS = {
    "skewed winners": lambda: maximum_of(Config(mode="argmax", score_width=3, max_length=5)),
    "skewed winners of masked lanes": lambda: maximum_of(
        Config(mode="argmax", lanes=2, mask=True, confidence="margin", max_length=64)
    ),
    "winners of 1 × 8 bits": lambda: maximum_of(Config(mode="argmax", profile="small")),
    "winners of 4 × 8 bits": lambda: maximum_of(Config(mode="argmax", profile="small", lanes=4)),
    "table of the sigmoid": lambda: SigmoidTable(Config(mode="sigmoid")),
    "product with the temperature": lambda: part_of(PRESETS["softmax-int8-temperature"], Product),
    "floor": lambda: part_of(FLOORED, Floor),
    "floor of a multiplier": lambda: part_of(FLOORED.replace(normaliser="reciprocal"), Floor),
    "final rounding": lambda: part_of(FLOORED, FinalRound),
    "Gumbel draw": lambda: part_of(PRESETS["sample-int8"], GumbelDraw),
    "Gumbel draw from a list": lambda: part_of(PRESETS["sample-int8-top-p"], GumbelDraw),
    "draw set": lambda: part_of(PRESETS["sample-int8-bounds"], DrawSet),
    "window": lambda: Window(4, 2, 3),
    "smoothing that gathers": lambda: part_of(SMOOTHED, Smoothing),
    "smoothing that scatters": lambda: part_of(
        SMOOTHED.replace(smoothing_edges="scatter", smoothing_passes=2), Smoothing
    ),
    "remaining mass": lambda: part_of(FLOORED, Remainder),
    "remaining mass of members": lambda: part_of(
        FLOORED.replace(ensemble=3, ensemble_mean="probabilities", lanes=2, max_length=6), Remainder
    ),
    "group ends": lambda: GroupEnds(Config(max_length=3, score_width=2, groups=[2, 3, 1])),
    "group ends in lanes": lambda: GroupEnds(Config(max_length=6, score_width=2, lanes=2, groups=[6])),
    "two passes": lambda: TwoPass(PASSES),
    "packet ends of beats": lambda: packet_ends(0),
    "packet ends of winners": lambda: packet_ends(1),
}
ENSEMBLES = {
    "sums": lambda: MemberSum(2, 3, 4, 2),
    "vector flags": lambda: vector_flags(0),
    "means of members": lambda: part_of(AVERAGED.replace(ensemble_mean="probabilities"), MeanProbabilities),
}
"""Parts whose contracts are proved with those of the presets."""


def packet_ends(number):
    """The stage that ends packets at an output of a head with groups."""
    config = Config(max_length=3, score_width=2, groups=[2, 3])
    return PacketEnds(config, outputs(config)[number], outputs(config.replace(groups=[]))[number], 4)


def vector_flags(number):
    """The stage that adds flags at an output of a head with an ensemble."""
    inner = composition(AVERAGED).inner
    output, before = outputs(AVERAGED)[number], outputs(inner)[number]
    return VectorFlags(output, FLAGS, output_layout(inner, before), output_layout(AVERAGED, output))


def draw_part(kind, number=0):
    """One of the parts of a kind in a head that draws by a search."""
    probes = Probes()
    Fragment.get(AxiTop(SEARCHED), probes).prepare()
    return [part for part in probes.components() if type(part) is kind][number]


def part_of(config, kind):
    """The part of a kind that a head has."""
    probes = Probes()
    Fragment.get(AxiTop(config), probes).prepare()
    [part] = [part for part in probes.components() if type(part) is kind]
    return part


@pytest.mark.parametrize(
    "title", mostly_long(PARTS, ("winners of 1 × 8 bits", "final rounding", "window", "packet ends of beats"))
)
def test_what_a_part_keeps_of_number_and_order_is_proved(title):
    verdicts = stores.prove_contract(PARTS[title](), contract=counting_contract_of)
    assert {verdict.answer for verdict in verdicts} == {"proved", "reached"}, verdicts


@pytest.mark.long
@pytest.mark.parametrize(("title", "module", "register"), [
    ("skewed winners", maximum, "ends"),
    ("table of the sigmoid", sigmoid, "valid"),
    ("product with the temperature", inverse_temperature, "valid"),
    ("floor", floor, "last"),
    ("final rounding", final_round, "valid"),
    ("Gumbel draw", gumbel, "last_later"),
    ("draw set", draw_set, "valid"),
    ("draw set", draw_set, "first"),
])  # fmt: skip
def test_a_mark_that_comes_a_cycle_early_breaks_the_contract(title, module, register, monkeypatch):
    part = PARTS[title]()
    early = lambda m, value, cycles, name, **rest: delay(m, value, cycles - (name == register), name, **rest)  # noqa: E731
    monkeypatch.setattr(module, "delay", early)
    answers = {verdict.answer for verdict in stores.prove_contract(part, contract=counting_contract_of)}
    assert "refuted" in answers


def test_frames_of_different_hardware_have_different_titles():
    """Each title is proved once for all presets."""
    kinds = [
        dict(zip(("indexed", "registered", "lookahead"), row, strict=True)) for row in product((False, True), repeat=3)
    ]
    titles = {contract_of(Frame(FRAMED.replace(max_length=9), **kind)).title for kind in kinds}
    assert len(titles) == len(kinds)


def test_the_presets_have_components_with_contracts():
    titles = stores.contracts_of([PRESETS["softmax-int8"], PRESETS["hardmax-int8"]])
    kinds = {title.split(" of ")[0] for title in titles}
    assert {"queue", "credit", "spacing", "ring", "store"} <= kinds


@pytest.mark.long
def test_the_contract_of_every_component_of_the_presets_is_proved():
    for title, component in stores.contracts_of(PRESETS.values()).items():
        [verdict] = stores.summary(title, stores.prove_contract(component))
        assert verdict.answer == "proved", verdict


OTHER_CELL = {"$and": "$or", "$or": "$and", "$eq": "$ne", "$ne": "$eq", "$xor": "$and", "$not": "$pos"}


def module_of_component(text: str) -> range:
    """Place of the component in the RTLIL of a harness."""
    begin = re.search(r"^module \\softstream__proof\.head\.component$", text, re.MULTILINE).start()
    return range(begin, text.index("\nend\n", begin))


def gates_that_matter(module: str) -> list[re.Match]:
    """The gates of a module from which a memory, an output or a register that is read can be reached.

    Amaranth writes every element of an array or of a `Cat` that is indexed, and components have registers whose only reader is in
    another configuration: some gates drive a wire that nothing reads, and no statement can depend on them.
    """
    cells = [*re.finditer(r"^  cell (\$\w+) .*?^  end$", module, re.MULTILINE | re.DOTALL)]
    ports = set(re.findall(r"^  wire .* (?:input|output|inout) \d+ +(\S+)$", module, re.MULTILINE))
    results = {cell: re.search(r"^    connect \\[YQ] (\S+)$", cell[0], re.MULTILINE) for cell in cells}
    private = {cell: result[1] for cell, result in results.items() if result and result[1] not in ports}
    readers = re.sub(r"^  wire .*$|^    connect \\[YQ] .*$", "", module, flags=re.MULTILINE)
    dead: set[re.Match] = set()
    while True:
        idle = {
            cell
            for cell in private.keys() - dead
            if not re.search(rf"(?<!\S){re.escape(private[cell])}(?!\S)", readers)
        }
        if not idle:
            return [cell for cell in cells if cell not in dead and cell[1] in OTHER_CELL]
        dead |= idle
        for cell in idle:
            readers = readers.replace(re.sub(r"^    connect \\[YQ] .*$", "", cell[0], flags=re.MULTILINE), "")


def with_one_cell_changed(text: str, number: int) -> str:
    """The RTLIL of a harness in which one gate of the component is another one; empty if it has fewer gates."""
    place = module_of_component(text)
    gates = gates_that_matter(text[place.start : place.stop])
    if number >= len(gates):
        return ""
    gate = gates[number]
    return text[: place.start + gate.start(1)] + OTHER_CELL[gate[1]] + text[place.start + gate.end(1) :]


def refuted_with(component, number, monkeypatch, contract=stores.contract_of) -> bool | None:
    """Whether a contract is refuted with a changed gate; None where the component has fewer gates."""
    with monkeypatch.context() as patch:
        # The clock enable of the harness adds gates of its own, which make a difference only during a reset.
        patch.setattr(stores, "EnableInserter", lambda enable: lambda part: part)
        harness = stores._ContractHarness(contract(component()), induction=True)
        text = with_one_cell_changed(harness.text(), number)
    if not text:
        return None
    refutations = []

    def until_refuted(graph, item, cycles, *, seconds):
        if refutations:
            return Verdict(item, "open", "–", None, 0.0)
        verdict = decide_within(graph, item, cycles, seconds=seconds)
        refutations.extend([verdict] if verdict.answer == "refuted" else [])
        return verdict

    with temporary_folder() as folder, monkeypatch.context() as patch:
        # The search for all statements at once, then one by one up to the first that is broken.
        patch.setattr(engine, "decide_within", until_refuted)
        graph = engine.prepare("", text, folder, memories=harness.memories, seconds=60.0)
        engine.none_within(graph, harness.items, harness.depth, seconds=60.0)
    return bool(refutations)


@pytest.mark.parametrize(
    "title",
    [
        pytest.param(title, marks=pytest.mark.long)
        for title in (
            "queue of 4",
            "queue of 5",
            "null beats of 4 × 2 bits, mask",
            "skid buffer",
            "credit of 5, margin 1",
            "credit of 7, margin 3",
            "spacing of 9",
            "fork to 2",
            "frame of 1 × 2 bits, up to 5 scores",
            "ring of 6, interval 1, read in 2",
            "store of 3 factors, read in 2",
            "skewed maximum of 1 × 3 bits, up to 5 scores",
            "one-hot of 1 × 8 bits, up to 5 scores",
            "limited sum of terms of 13 bits in 8 + 8 bits",
        )
    ],
)
def test_every_changed_gate_breaks_the_contract(title, monkeypatch):
    number = 0
    while (refuted := refuted_with(COMPONENTS[title], number, monkeypatch)) is not None:
        assert refuted, f"gate {number}"
        number += 1
    assert number


@pytest.mark.long
def test_every_changed_gate_of_a_ranked_store_breaks_its_contract(monkeypatch):
    number, survivors = 0, []
    while (refuted := refuted_with(COMPONENTS["ranked store of 4 × 3, read in 2"], number, monkeypatch)) is not None:
        survivors += [] if refuted else [number]
        number += 1
    assert number
    assert not survivors


def test_a_changed_gate_of_a_credit_breaks_its_contract(monkeypatch):
    assert refuted_with(COMPONENTS["credit of 5, margin 1"], 0, monkeypatch)


@pytest.mark.parametrize(
    "title",
    mostly_long(
        (
            "winners of 1 × 8 bits",
            "window",
            "remaining mass",
            "group ends",
            "packet ends of beats",
            "two passes",
            "merge of 2 lists, 4 × 3",
            "list of 2 of up to 5 × 3 bits",
            "list of 2 of up to 5 × 3 bits, mask",
            "exact sum of terms of 13 bits in 8 + 8 bits, cleared",
            "share of a sum of 8 + 8 bits, 12 steps of 2 bits",
            "search among up to 8 × 4 bits, 5 cycles",
            *ENSEMBLES,
        ),
        ("window",),
    ),
)
def test_a_changed_gate_breaks_what_a_part_keeps_of_number_and_order(title, monkeypatch):
    # The first gates of a stage that ends packets make flags, of which its contract says nothing.
    component = (PARTS | COMPONENTS | ENSEMBLES)[title]
    assert any(refuted_with(component, number, monkeypatch, counting_contract_of) for number in range(8))
