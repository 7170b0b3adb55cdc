"""As many beats and ends leave heads with rings and queues as enter, in order, and a wrong path is refuted."""

import dataclasses
import sys

import pytest
from amaranth import Cat, ResetSignal, Signal, Value
from support.contracts_once import prove_contracts_once
from support.long_cases import mostly_long

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.modes import hardmax, interface, inverse_cdf, softmax_top_k, top_k
from softstream.hw.modes.sigmoid import SigmoidTable
from softstream.hw.options import mean_logits
from softstream.hw.options.groups import GroupEnds
from softstream.hw.stages import admission
from softstream.hw.stages.sum_share import SumShare
from softstream.hw.streams.flow import Credit
from softstream.hw.streams.registers import delay
from softstream.scripts import cli
from softstream.sim.proofs import counting, stores
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.harness import Property

SHORT = {"max_length": 5, "score_width": 4, "probability_width": 4}
HEADS = {
    "exponential": Config(mode="exponential", **SHORT),
    "logarithm": Config(**SHORT),
    "divider": Config(**SHORT, normaliser="divider"),
    "pipelined": Config(**SHORT, per_vector="pipelined"),
    "reciprocal": Config(**SHORT, normaliser="reciprocal"),
    "log-softmax": Config(**SHORT, mode="log_softmax"),
    "cross-entropy": Config(mode="cross_entropy", max_length=5, score_width=4),
    "masked": Config(**SHORT, mask=True),
    "two lanes": Config(**SHORT, lanes=2),
    "tkeep": Config(**SHORT, mode="exponential", tkeep=True),
    "argmax": Config(mode="argmax", max_length=5, score_width=4),
    "argmax, small": Config(mode="argmax", max_length=5, score_width=4, profile="small"),
    "argmax, 4 lanes, masked": Config(mode="argmax", max_length=5, score_width=4, lanes=4, mask=True),
    "sigmoid": Config(**SHORT, mode="sigmoid"),
    "sigmoid, small": Config(**SHORT, mode="sigmoid", profile="small"),
    "floor": Config(**SHORT, probability_floor=0.01),
    "smoothing": Config(**SHORT, smoothing=[1, 2, 1]),
    "groups": Config(**SHORT, groups=[2, 5]),
    "two passes": Config(**SHORT, accumulator="two_pass", profile="small"),
    "two passes, tkeep": Config(**SHORT, accumulator="two_pass", tkeep=True, mask=True),
    "temperature": PRESETS["softmax-int8-temperature"].replace(max_length=5, score_width=4),
    "hardmax": Config(mode="hardmax", **SHORT),
    "Top-K": Config(mode="top_k", max_length=5, score_width=4, top_k=3),
    "Top-K with softmax": Config(mode="softmax_top_k", **SHORT, top_k=3),
    "Top-K, masked": Config(mode="top_k", max_length=5, score_width=4, top_k=3, mask=True),
    "Top-K with softmax, masked": Config(mode="softmax_top_k", **SHORT, top_k=2, mask=True),
    "Top-K of two lanes": Config(mode="top_k", max_length=5, score_width=4, top_k=3, lanes=2),
    "Top-K of four lanes, masked": Config(mode="top_k", max_length=9, score_width=4, top_k=3, lanes=4, mask=True),
    "Top-K with softmax of two lanes": Config(mode="softmax_top_k", **SHORT, top_k=3, lanes=2),
    "ensemble of probabilities": Config(**SHORT, ensemble=2, ensemble_mean="probabilities"),
    "softmax of one score": Config(**SHORT | {"max_length": 1}),
    "two passes of one score": Config(**SHORT | {"max_length": 1}, accumulator="two_pass", profile="small"),
    "sample": Config(mode="sample", max_length=5, score_width=4),
    "sample by a search of one score": Config(mode="sample", sampler="inverse_cdf", max_length=1, score_width=4),
    "sample among a list of one": Config(
        mode="sample", sampler="inverse_cdf", max_length=5, score_width=4, draw_top_k=1
    ),
    "sample by a search": Config(mode="sample", sampler="inverse_cdf", max_length=5, score_width=4),
    "sample by a search, small": Config(
        mode="sample", sampler="inverse_cdf", max_length=5, score_width=4, profile="small"
    ),
    "sample among a list": Config(
        mode="sample", sampler="inverse_cdf", max_length=5, score_width=4, draw_top_k=3, draw_min_p=0.05
    ),
    "sample among a list, masked": Config(
        mode="sample", sampler="inverse_cdf", max_length=5, score_width=4, draw_top_k=3, draw_min_p=0.05, mask=True
    ),
}
AT_FULL_SIZE = PRESETS | {
    "softmax-int8 of 4 lanes": PRESETS["softmax-int8"].replace(lanes=4),
    "softmax-top-k-int8 of 2 lanes": PRESETS["softmax-top-k-int8"].replace(lanes=2),
    "top-k-int8 of 8 lanes": PRESETS["top-k-int8"].replace(lanes=8),
    "cross-entropy-int8 with tkeep": PRESETS["cross-entropy-int8"].replace(tkeep=True),
}


@pytest.fixture
def alone(monkeypatch):
    """Leaves out the contracts of the parts, which have tests of their own."""
    proved = [Verdict(Property("contract", "", False), "proved", "induction", None, 0.0)]
    monkeypatch.setattr(stores, "prove_contract", lambda part, **limits: proved)


def refutations(config):
    """The statements about a head that are refuted."""
    return [v.statement.name for v in counting.prove_counting(config).verdicts if v.answer == "refuted"]


@pytest.fixture
def once(monkeypatch):
    """Proves a contract that several heads rely on once."""
    prove_contracts_once(monkeypatch)


@pytest.mark.parametrize("name", mostly_long(HEADS, ("logarithm", "exponential", "Top-K, masked")))
def test_beats_and_ends_are_counted(name, alone):
    proof = counting.prove_counting(HEADS[name])
    assert proof.answer == "proved", proof.verdicts
    results = [verdict.statement.name for verdict in proof.verdicts if verdict.method == "contracts"]
    fronts = {"temperature": "fork", "groups": "group ends → frame"}
    front = fronts.get(name, "two passes" if HEADS[name].two_pass else "frame")
    front = f"null beats → skid buffer → {front}" if HEADS[name].reads_tkeep else front
    assert all(f" in order: s_axis → {front} → " in result for result in results)
    assert all(("null beats are dropped" in result) == HEADS[name].reads_tkeep for result in results)
    assert any("→ ring → queue →" in result for result in results) == (
        name.startswith("sample among a list")
        or (
            name not in ("exponential", "cross-entropy", "tkeep")
            and not name.startswith(("argmax", "sigmoid", "hardmax", "Top-K", "sample", "two passes"))
        )
    )
    paired = any("what waits in a queue beside it leaves with it" in result for result in results)
    assert paired == name.startswith("Top-K with softmax")


@pytest.mark.long
@pytest.mark.parametrize("name", AT_FULL_SIZE)
def test_beats_and_ends_of_presets_are_counted_at_full_size(name, once):
    proof = counting.prove_counting(AT_FULL_SIZE[name])
    assert proof.answer == "proved", proof.verdicts


def test_a_path_of_other_cycles_is_refuted(monkeypatch, alone):
    honest = counting.steps_of
    late = [dataclasses.replace(step, cycles=step.cycles + (step.cycles > 0)) for step in honest(HEADS["exponential"])]
    monkeypatch.setattr(counting, "steps_of", lambda config: late)
    proof = counting.prove_counting(HEADS["exponential"])
    refuted = {verdict.statement.name for verdict in proof.verdicts if verdict.answer == "refuted"}
    assert any("each beat arrives" in name for name in refuted)
    assert any("the ends of vectors arrive" in name for name in refuted)
    assert {verdict.answer for verdict in proof.verdicts if verdict.method == "contracts"} == {"open"}


def without_enable(monkeypatch, module, kind):
    """Lets a stage of a kind move without the clock enable that a module gives it."""
    honest = module.EnableInserter
    free = lambda enable: lambda part: part if isinstance(part, kind) else honest(enable)(part)  # noqa: E731
    monkeypatch.setattr(module, "EnableInserter", free)


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "refuted"),
    [
        (lambda top: ResetSignal("sync").eq(0), "m_axis: nothing is offered in the cycle behind a reset"),
        (lambda top: top.m_axis_tlast.eq(0), "m_axis: each beat is marked as a last one"),
    ],
    ids=["reset", "tlast"],
)
def test_edges_that_are_not_those_of_the_ports_are_refuted(change, refuted, monkeypatch, alone):
    honest = AxiTop.elaborate

    def other(top, platform):
        m = honest(top, platform)
        m.d.comb += change(top)
        return m

    monkeypatch.setattr(AxiTop, "elaborate", other)
    verdicts = counting.prove_counting(Config(mode="argmax", max_length=5, score_width=4)).verdicts
    assert refuted in [verdict.statement.name for verdict in verdicts if verdict.answer == "refuted"]


def test_a_stage_that_moves_without_its_clock_enable_is_refuted(monkeypatch, alone):
    without_enable(monkeypatch, interface, SigmoidTable)
    refuted = refutations(HEADS["sigmoid"])
    assert refuted == ["table of the sigmoid: it does not change without its clock enable"]


@pytest.mark.long
def test_sums_that_move_without_their_clock_enable_are_refuted(monkeypatch, alone):
    without_enable(monkeypatch, mean_logits, mean_logits._Sums)
    # All else is proved, the arrival of the flags at both outputs among it.
    refuted = refutations(Config(**SHORT, ensemble=3, ensemble_mean="logits"))
    assert refuted == ["sums over members: it does not change without its clock enable"]


@pytest.mark.long
def test_a_number_of_beats_that_comes_a_cycle_early_is_refuted(monkeypatch, alone):
    early = lambda m, value, cycles, name, **rest: delay(m, value, cycles - (name == "counted"), name, **rest)  # noqa: E731
    monkeypatch.setattr(hardmax, "delay", early)
    refuted = refutations(HEADS["hardmax"])
    assert refuted == ["frame to queue: with the number of beats since the end before"]


@pytest.mark.long
def test_an_index_that_is_not_that_of_its_element_is_refuted(monkeypatch, alone):
    monkeypatch.setattr(softmax_top_k, "Cat", lambda *parts: Cat(*reversed(parts)))
    refuted = refutations(HEADS["Top-K with softmax"])
    assert refuted == ["queue of 32 beside the queue of 32: index and position as they left the ranked store"]


@pytest.mark.long
def test_marks_of_groups_that_arrive_late_are_refuted(monkeypatch, alone):
    def late(head, packets):
        [ends] = [part for part in head.parts if isinstance(part, GroupEnds)]
        head.after(8, "packet ends: the marks arrive late", packets.marks.valid == head.before(ends.marks.valid))

    monkeypatch.setattr(counting, "_state_marks", late)
    proof = counting.prove_counting(HEADS["groups"])
    refuted = {verdict.statement.name for verdict in proof.verdicts if verdict.answer == "refuted"}
    assert "packet ends: the marks arrive late" in refuted


@pytest.mark.long
def test_a_first_pass_that_sums_other_scores_is_refuted(monkeypatch, alone):
    honest = inverse_cdf.lane_terms

    def other(m, config, lane, framed, element):
        beat = Signal(framed.shape())
        m.d.comb += [Value.cast(beat).eq(Value.cast(framed)), beat.position.eq(~framed.position)]
        return honest(m, config, lane, beat, element)

    monkeypatch.setattr(inverse_cdf, "lane_terms", other)
    refuted = refutations(HEADS["sample by a search"])
    assert refuted == ["draw: the first pass looks up what the ring stores, and nothing else"]


@pytest.mark.long
def test_sums_that_come_too_soon_for_the_share_are_refused(monkeypatch):
    monkeypatch.setattr(SumShare, "elaborate", hurried(SumShare.elaborate))
    with pytest.raises(UserError, match="both passes read terms from a table and sum them exactly"):
        counting.prove_counting(HEADS["sample by a search"])


def hurried(honest):
    """`elaborate` of a share that takes longer than its head allows."""

    def elaborate(share, platform):
        m = honest(share, platform)
        share.latency += 1
        return m

    return elaborate


@pytest.mark.long
def test_a_list_of_a_lane_that_takes_other_numbers_is_refuted(monkeypatch, alone):
    honest = top_k.list_inputs

    def other(config, lists, framed, element):
        return [*honest(config, lists, framed, element), lists[1].i.payload.index.eq(~framed.index)]

    monkeypatch.setattr(top_k, "list_inputs", other)
    refuted = refutations(HEADS["Top-K of two lanes"])
    assert refuted == ["frame to list of lane 1: each beat arrives, with its number and its marks"]


@pytest.mark.long
def test_an_order_of_a_lane_that_comes_late_is_refuted(monkeypatch, alone):
    honest = top_k.connect_lists

    def late(m, lists, merge):
        honest(m, lists, merge)
        m.d.comb += merge.order_1.valid.eq(delay(m, lists[1].o.valid, 1, "late", reset=True))

    monkeypatch.setattr(top_k, "connect_lists", late)
    refuted = refutations(HEADS["Top-K of two lanes"])
    assert refuted == ["list of lane 1 to lane merge: each order arrives with that of the first lane, unchanged"]


@pytest.mark.long
def test_a_credit_with_too_small_a_margin_is_refuted(monkeypatch, alone):
    monkeypatch.setattr(admission, "Credit", lambda limit, margin: Credit(limit))
    assert counting.prove_counting(HEADS["logarithm"]).answer == "refuted"


@pytest.mark.parametrize("max_length", [5, 1])
def test_a_search_with_a_mask_is_refused_with_a_remedy_that_holds(max_length):
    searched = HEADS["sample by a search"].replace(mask=True, max_length=max_length)
    reason = "no contract states when a search with a mask draws; sampler = 'gumbel' would do"
    with pytest.raises(UserError, match=f"^prove --counting: mode = 'sample'; {reason}$"):
        counting.prove_counting(searched)
    assert not counting.is_covered(searched)
    assert counting.is_covered(searched.replace(sampler="gumbel"))


@pytest.mark.long
def test_the_verb_prints_the_path(capsys, monkeypatch):
    keys = [argument for key, value in SHORT.items() for argument in ("--set", f"{key}={value}")]
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "--counting", *keys])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code in (0, None)
    words = capsys.readouterr().out
    assert "Number and order of beats and ends proved" in words
