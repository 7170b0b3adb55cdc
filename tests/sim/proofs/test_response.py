"""Heads with rings and queues answer in time, in no more cycles than are printed; one that may wait forever is not proved."""

import ast
import sys

import pytest
from amaranth import Const, Module, Signal
from amaranth.lib import data, wiring
from support.contracts_once import prove_contracts_once
from support.long_cases import mostly_long
from support.requirements import ROOT
from support.response_times import FilledHead, worst_response

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.config.presets import PRESETS
from softstream.hw.contracts.catalogue import contract_of
from softstream.hw.contracts.response import (
    CreditResponse,
    DrawLoopResponse,
    LoopResponse,
    PairResponse,
    ReplayResponse,
)
from softstream.hw.contracts.two_passes import TwoPassContract, TwoPassResponse
from softstream.hw.errors import UserError
from softstream.hw.modes import ranked_draw, softmax, top_k
from softstream.hw.modes.entropy import Entropy
from softstream.hw.modes.ranked_draw import RankedShare
from softstream.hw.modes.softmax_top_k import SoftmaxTopK
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.options.groups import PacketEnds
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.options.no_winner import NoWinner
from softstream.hw.options.null_beats import NullBeats, WithoutNullBeats
from softstream.hw.plan.modes.inverse_cdf import CdfSchedule
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import Schedule
from softstream.hw.stages import replay
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.replay import Replay
from softstream.hw.streams import flow
from softstream.hw.streams.flow import Credit, Queue, RigidPipe, Skid, Spacing
from softstream.scripts import cli
from softstream.scripts.measure import proofs
from softstream.sim.proofs import counting, stores
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.proof import Proof
from softstream.sim.proofs.response import proof as response
from softstream.sim.proofs.response.surroundings import Surroundings

SHORT = {"max_length": 5, "score_width": 4, "probability_width": 4}
PASSES = {**SHORT, "profile": "small", "accumulator": "two_pass"}
SEARCH = {"mode": "sample", "sampler": "inverse_cdf", "max_length": 5, "score_width": 4}
HEADS = {
    "exponential": Config(mode="exponential", **SHORT),
    "exponential, two lanes, masked": Config(mode="exponential", **SHORT, lanes=2, mask=True),
    "exponential, ensemble": Config(mode="exponential", **SHORT, ensemble=2),
    "logarithm": Config(**SHORT),
    "divider": Config(**SHORT, normaliser="divider"),
    "divider, small": Config(**SHORT, normaliser="divider", profile="small"),
    "reciprocal, small": Config(**SHORT, normaliser="reciprocal", profile="small"),
    "pipelined": Config(**SHORT, per_vector="pipelined"),
    "log-softmax": Config(**SHORT, mode="log_softmax"),
    "cross-entropy": Config(mode="cross_entropy", max_length=5, score_width=4),
    "masked": Config(**SHORT, mask=True),
    "entropy": Config(**SHORT, mode="entropy"),
    "entropy, masked, small": Config(**SHORT, mode="entropy", mask=True, profile="small"),
    "entropy, null beats": Config(**SHORT, mode="entropy", tkeep=True),
    "Top-K with softmax": Config(**SHORT, mode="softmax_top_k", top_k=3),
    "Top-K with softmax, serial": Config(**SHORT, mode="softmax_top_k", top_k=3, normaliser="divider", profile="small"),
    "Top-K with softmax, masked, small": Config(**SHORT, mode="softmax_top_k", top_k=3, mask=True, profile="small"),
    "Top-K with softmax, pipelined": Config(**SHORT, mode="softmax_top_k", top_k=3, per_vector="pipelined"),
    "draw among a list": Config(mode="sample", max_length=5, score_width=4, draw_top_k=3, draw_top_p=0.9),
    "draw among a list, bounds": Config(mode="sample", max_length=5, score_width=4, draw_top_k=3, draw_sideband=True),
    "Top-K with softmax, null beats": Config(**SHORT, mode="softmax_top_k", top_k=3, tkeep=True),
    "argmax": Config(mode="argmax", max_length=5, score_width=4),
    "argmax, small": Config(mode="argmax", max_length=5, score_width=4, profile="small"),
    "sigmoid": Config(**SHORT, mode="sigmoid"),
    "sample": Config(mode="sample", max_length=5, score_width=4),
    "hardmax": Config(mode="hardmax", **SHORT),
    "Top-K": Config(mode="top_k", max_length=5, score_width=4, top_k=3),
    "exact": Config(**SHORT, sum="exact", probability_format="UQ1"),
    "two lanes": Config(**SHORT, lanes=2),
    "two passes": Config(**PASSES),
    "two passes, masked": Config(**PASSES, mask=True),
    "two passes, margin": Config(**PASSES, confidence="margin"),
    "two passes, fastest": Config(**{**PASSES, "profile": "fastest", "probability_width": 8}),
    "two passes without winners": Config(**PASSES, winner=False),
    "two passes, null beats": Config(**PASSES, tkeep=True),
    "null beats": Config(**SHORT, tkeep=True),
    "null beats, small": Config(**SHORT, tkeep=True, normaliser="divider", profile="small"),
    "exponential, two lanes": Config(mode="exponential", **SHORT, lanes=2),
    "argmax, two lanes": Config(mode="argmax", max_length=5, score_width=4, lanes=2),
    "argmax, null beats, small": Config(mode="argmax", max_length=5, score_width=4, tkeep=True, profile="small"),
    "sigmoid, null beats": Config(**SHORT, mode="sigmoid", tkeep=True),
    "sample, null beats": Config(mode="sample", max_length=5, score_width=4, tkeep=True),
    "hardmax, two lanes": Config(mode="hardmax", **SHORT, lanes=2),
    "floor": Config(**SHORT, probability_floor=0.0625),
    "floor, two lanes": Config(**SHORT, probability_floor=0.0625, lanes=2),
    "floor, null beats, small": Config(**SHORT, probability_floor=0.0625, profile="small", tkeep=True),
    "floor, reciprocal": Config(**SHORT, probability_floor=0.0625, normaliser="reciprocal"),
    "groups": Config(**SHORT, groups=[2, 5]),
    "groups, null beats": Config(**SHORT, groups=[5], tkeep=True),
    "groups, argmax": Config(mode="argmax", score_width=4, max_length=5, groups=[2, 5]),
    "smoothing": Config(**SHORT, smoothing=[1, 2, 1]),
    "smoothing, divider, floor": Config(
        **SHORT, smoothing=[1, 2, 1], normaliser="divider", profile="small", probability_floor=0.0625
    ),
    "temperature": Config(**SHORT, temperature_bits=4),
    "temperature, small, null beats": Config(**SHORT, temperature_bits=4, profile="small", tkeep=True),
    "ensemble of logits": Config(**SHORT, ensemble=3, ensemble_mean="logits"),
    "ensemble of logits, argmax": Config(mode="argmax", score_width=4, max_length=5, ensemble=2),
    "ensemble of logits, two lanes": Config(**SHORT, ensemble=3, ensemble_mean="logits", lanes=2),
    "ensemble of probabilities": Config(**SHORT, ensemble=3, ensemble_mean="probabilities"),
    "ensemble of probabilities, floor, two lanes": Config(
        **SHORT, ensemble=2, ensemble_mean="probabilities", lanes=2, probability_floor=0.0625
    ),
    "ensemble of eight": Config(max_length=9, score_width=3, probability_width=4, ensemble=8),
    "one beat": Config(max_length=1, score_width=4, probability_width=4),
    "one beat, lanes, floor": Config(
        max_length=3, score_width=4, probability_width=4, lanes=4, probability_floor=0.0625
    ),
    "levels": Config(**SHORT, output_levels=15),
    "search": Config(**SEARCH),
    "search, small": Config(**SEARCH, profile="small"),
    "search, temperature": Config(**SEARCH, temperature_bits=4),
    "search, null beats": Config(**SEARCH, tkeep=True),
    "search among a list": Config(**SEARCH, draw_top_k=3, draw_min_p=0.05),
    "search among a list, masked, small": Config(**SEARCH, draw_top_k=3, mask=True, profile="small"),
    "search among a list, null beats": Config(**SEARCH, draw_top_k=3, tkeep=True),
    "search among a list, temperature": Config(**SEARCH, draw_top_k=3, temperature_bits=4),
    "search among a list of one": Config(**SEARCH, draw_top_k=1),
    "search, one beat": Config(**SEARCH | {"max_length": 1}),
    "Top-K, two lanes": Config(mode="top_k", max_length=5, score_width=4, top_k=3, lanes=2),
    "Top-K, four lanes, masked": Config(mode="top_k", max_length=9, score_width=4, top_k=2, lanes=4, mask=True),
    "Top-K, null beats": Config(mode="top_k", max_length=5, score_width=4, top_k=3, tkeep=True),
}
PAYLOAD = data.StructLayout({"value": 2})
PARTS = {
    "credit": (lambda: Credit(1056, 2), CreditResponse),
    "credit of 2": (lambda: Credit(2), CreditResponse),
    "loop": (lambda: Credit(17, 1), lambda part: LoopResponse(part, 11)),
    "short loop": (lambda: Credit(4), lambda part: LoopResponse(part, 25)),
    "loop without a pipe": (lambda: Credit(5, 1), lambda part: LoopResponse(part, 0)),
    "loop of draws": (lambda: Credit(16, 3), lambda part: DrawLoopResponse(part, 7)),
    "short loop of draws": (lambda: Credit(5, 1), lambda part: DrawLoopResponse(part, 3)),
    "loop taken at times": (lambda: Credit(4), lambda part: LoopResponse(part, 22, 13)),
    "pair": (lambda: Queue(2, 5), PairResponse),
    "ring": (lambda: Replay(PAYLOAD, beats=20, interval=1, memory=2), ReplayResponse),
    "ring with a spacing": (lambda: Replay(PAYLOAD, beats=8, interval=7, memory=1), ReplayResponse),
    "two passes": (lambda: TwoPass(Config(**PASSES)), TwoPassResponse),
    "two passes with options": (
        lambda: TwoPass(Config(accumulator="two_pass", max_length=7, mask=True, confidence="margin", tkeep=True)),
        TwoPassResponse,
    ),
}
KINDS = (
    "long", "short", "long before short", "almost long before short", "almost long behind draws", "short before long", "random",
)  # fmt: skip


@pytest.fixture
def proved(monkeypatch):
    """Leaves out what has tests of its own: the number and order of beats and ends, and the contracts of the parts."""
    verdicts = [Verdict(Property("contract", "", False), "proved", "induction", None, 0.0)]
    counts = lambda config, **limits: Proof(config, tuple(verdicts), 0.0)  # noqa: E731
    monkeypatch.setattr(counting, "prove_counting", counts)
    monkeypatch.setattr(stores, "prove_contract", lambda part, **limits: verdicts)


OPTIONS = (
    {"mask": True},
    {"mask": True, "lanes": 2},
    {"groups": [2, 5]},
    {"groups": [5], "tkeep": True},
    {"temperature_bits": 4},
    {"ensemble": 2, "ensemble_mean": "logits"},
    {"ensemble": 2, "ensemble_mean": "probabilities"},
    {"profile": "small"},
    {"profile": "small", "lanes": 2, "groups": [5]},
    {"normaliser": "divider", "per_vector": "pipelined"},
    {"normaliser": "reciprocal", "ensemble": 3, "ensemble_mean": "probabilities"},
)
"""Options, each of which some modes take."""


def accepted(mode):
    """The small heads of a mode that are covered, with one row of options each."""
    defaults = Config(mode=mode).to_mapping()
    sizes = {"max_length": 5, "score_width": 4, "probability_width": 4, "top_k": 2}
    for options in OPTIONS:
        try:
            config = Config(mode=mode, **{key: size for key, size in sizes.items() if key in defaults}, **options)
        except UserError:  # the mode does not take the options
            continue
        if response.is_answered(config):
            yield config


def answers(part, contract):
    return {verdict.answer for verdict in stores.prove_contract(part, contract=contract)}


def refuted(proof):
    return [verdict.statement.name for verdict in proof.verdicts if verdict.answer == "refuted"]


@pytest.mark.parametrize("name", PARTS)
def test_the_response_of_a_part_is_proved(name):
    part, contract = PARTS[name]
    assert answers(part(), contract) == {"proved", "reached"}


def test_a_credit_whose_payloads_do_not_come_back_is_refuted(monkeypatch):
    honest = Credit.elaborate

    def lossy(credit, platform):
        returned = credit.give
        credit.give = Signal()
        try:
            return honest(credit, platform)
        finally:
            credit.give = returned

    monkeypatch.setattr(Credit, "elaborate", lossy)
    for name in ("credit", "loop", "loop of draws"):
        part, contract = PARTS[name]
        assert "refuted" in answers(part(), contract), name


def test_a_credit_that_does_not_cover_the_draws_on_the_way_is_refuted():
    class Wide(DrawLoopResponse):
        wide = True

    assert "refuted" in answers(Credit(12, 3), lambda part: Wide(part, 7))
    assert "refuted" not in answers(Credit(13, 3), lambda part: Wide(part, 7))


def test_a_ring_that_waits_for_another_address_is_refuted(monkeypatch):
    honest = replay.next_entry
    twice = lambda pointer, needed, depth: honest(honest(pointer, needed, depth), needed, depth)  # noqa: E731
    monkeypatch.setattr(replay, "next_entry", twice)
    assert "refuted" in answers(PARTS["ring"][0](), ReplayResponse)


def test_a_spacing_that_is_never_free_again_is_refuted(monkeypatch):
    # The counter looks for a state that a shift register does not have.
    monkeypatch.setattr(flow, "shifted", lambda width, steps: 0)
    assert "refuted" in answers(Spacing(12), contract_of)


@pytest.mark.parametrize("wait", mostly_long(("a cycle", "forever"), ("a cycle",)))
def test_two_passes_that_wait_longer_after_some_vectors_are_refuted(wait, monkeypatch):
    honest = TwoPass._advance

    def slow(head, m, passes, *rest):
        honest(head, m, passes, *rest)
        # Behind the third pass, of a vector whose second element is the largest; the cycle that clears the index ends the wait.
        second = ~(passes.receiving | passes.summing | passes.dividing) & (passes.index == 1)
        waited = Signal()
        m.d.sync += waited.eq(waited | second)
        with m.If(second if wait == "a cycle" else waited & ~passes.receiving):
            m.d.sync += passes.receiving.eq(0)

    monkeypatch.setattr(TwoPass, "_advance", slow)
    part, contract = PARTS["two passes"]
    assert answers(part(), TwoPassContract) == {"proved", "reached"}  # number and order are as they must be
    assert {
        verdict.statement.name.partition(": ")[2]
        for verdict in stores.prove_contract(part(), contract=contract)
        if verdict.answer == "refuted"
    } == {"behind the third pass: the input opens in time", "the input opens within the cycles of the vector"}


@pytest.mark.parametrize(
    "name",
    mostly_long(HEADS, ("logarithm", "exponential", "argmax", "two lanes", "two passes", "two passes, null beats")),
)
def test_a_head_answers_in_time(name, proved):
    proof = response.prove_response(HEADS[name])
    assert proof.answer == "proved", proof.verdicts
    bound = response.response_bound(HEADS[name])
    answer, free = [verdict.statement.name for verdict in proof.verdicts[-2:]]
    assert answer == f"answer to each complete vector within {bound.cycles} cycles in which all outputs are taken"
    assert free == f"free input within {bound.input} cycles in which all outputs are taken"


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_what_is_between_the_parts_of_an_accepted_head_is_proved(mode):
    heads = [*accepted(mode)]
    assert heads
    for config in heads:
        head = response.response_of(config)
        head.state()
        failed = [verdict.statement.name for verdict in head.head.prove(120.0) if verdict.answer != "proved"]
        assert not failed, (config.changed_keys(), failed)


@pytest.fixture
def once(monkeypatch):
    """Leaves out the number and order of beats and ends of presets, which `test_counting` proves, and proves a contract once."""
    verdict = Verdict(Property("number and order", "", False), "proved", "contracts", None, 0.0)
    monkeypatch.setattr(counting, "prove_counting", lambda config, **limits: Proof(config, (verdict,), 0.0))
    prove_contracts_once(monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_answers_in_time_at_its_full_size(name, once):
    assert response.prove_response(PRESETS[name]).answer == "proved"


@pytest.mark.parametrize(
    "name",
    mostly_long(HEADS, ("logarithm", "pipelined", "argmax", "hardmax", "Top-K", "two lanes", "two passes", "search")),
)
def test_no_response_in_a_simulation_is_later(name):
    bound, head = response.response_bound(HEADS[name]), FilledHead(HEADS[name])
    for kind in KINDS:
        for stalled in (None, ["m_axis"])[: len(outputs(HEADS[name]))]:  # with one output both are the same
            worst = head.worst_response(kind, stalled=stalled)
            assert worst.input <= bound.input, kind
            assert worst.answer <= bound.cycles, kind


def test_the_cycles_are_near_those_of_a_full_head():
    config = PRESETS["softmax-int8"]
    bound = response.response_bound(config)
    # The ring is full of elements, and of vectors so short that their credits are used up.
    answer = worst_response(config, "long before short", stalled=["m_axis"]).answer
    free = worst_response(config, "almost long before short", stalled=["m_axis"]).input
    assert answer <= bound.cycles <= 1.1 * answer
    assert free <= bound.input <= 1.25 * free
    page = " ".join((ROOT / "sim" / "README.md").read_text(encoding="utf-8").split())
    assert f"they are {bound.cycles} to an answer and {bound.input} to a free input" in page
    assert f"waits {answer} cycles for an answer and {free} for a free input" in page


@pytest.mark.parametrize(
    ("name", "longest"),
    [("entropy-int8", "short"), pytest.param("softmax-top-k-int8", "long", marks=pytest.mark.long)],
    ids=["entropy", "list"],
)
def test_the_cycles_of_queues_beside_each_other_are_near_those_of_a_full_head(name, longest):
    config = PRESETS[name]
    bound = response.response_bound(config)
    # A list is full of vectors of K elements, or its credits are used up by vectors of one.
    answer = worst_response(config, longest, stalled=["m_axis"]).answer
    free = worst_response(config, "short", stalled=["m_axis"]).input
    assert answer <= bound.cycles <= 1.3 * answer
    assert free <= bound.input <= 1.3 * free
    page = " ".join((ROOT / "sim" / "README.md").read_text(encoding="utf-8").split())
    first = f"answers within {bound.cycles} cycles and frees its input within {bound.input}"
    assert first in page or f"these are {bound.cycles} and {bound.input} cycles" in page
    first = f"a simulation with the same stall waits {answer} and {free} cycles"
    assert first in page or f"and {answer} and {free} in the simulation" in page


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (PRESETS["softmax-int8-small"], "long"),
        (PRESETS["softmax-int8-small"].replace(tkeep=True), "long before short"),
    ],
    ids=["preset", "preset behind null beats"],
)
def test_the_cycles_of_two_passes_are_near_those_of_a_head_that_was_stopped(config, kind):
    bound = response.response_bound(config)
    worst = worst_response(config, kind, stalled=["m_axis"])
    assert worst.answer <= bound.cycles <= 1.01 * worst.answer
    assert worst.input <= bound.input <= 1.01 * worst.input
    if config in PRESETS.values():
        page = " ".join((ROOT / "sim" / "README.md").read_text(encoding="utf-8").split())
        assert f"they are {bound.cycles} to an answer and {bound.input} to a free input" in page
        assert f"waits {worst.answer} cycles for an answer and {worst.input} for a free input" in page


def test_the_cycles_of_two_passes_are_those_of_a_head_that_is_never_stopped():
    bound = response.response_bound(HEADS["two passes"])
    worst = worst_response(HEADS["two passes"], "long")
    # The beat that waits is taken in the cycle behind those in which it waits.
    assert (worst.answer, worst.input + 1) == (bound.cycles, bound.input)


def test_the_cycles_are_near_those_of_a_full_head_that_draws_by_a_search():
    config = PRESETS["sample-int8-cdf"]
    bound = response.response_bound(config)
    # The output queue is full of draws, and the ring of a vector that has begun to leave, with short ones behind it.
    free = worst_response(config, "almost long behind draws").input
    answer = worst_response(config, "short before long").answer
    assert answer <= bound.cycles <= 1.1 * answer
    assert free <= bound.input <= 1.1 * free
    page = " ".join((ROOT / "sim" / "README.md").read_text(encoding="utf-8").split())
    assert f"`sample-int8-cdf` the bounds are {bound.cycles} and {bound.input}" in page
    assert f"the simulation waits {answer} and {free} cycles" in page


@pytest.mark.long
def test_the_cycles_of_a_search_among_a_list_are_above_those_of_a_full_head():
    bound = response.response_bound(PRESETS["sample-int8-min-p"])
    worst = worst_response(PRESETS["sample-int8-min-p"], "short")
    assert worst.answer <= bound.cycles
    assert worst.input <= bound.input
    page = " ".join((ROOT / "sim" / "README.md").read_text(encoding="utf-8").split())
    assert f"they are {bound.cycles} to an answer and {bound.input} to a free input. A simulation" in page
    assert f"waits {worst.answer} and {worst.input} cycles" in page


def test_a_ring_that_may_fill_before_a_vector_is_complete_is_refused(monkeypatch):
    monkeypatch.setattr(Schedule, "replay_entries", lambda cycles, beats: 8)
    with pytest.raises(UserError, match="the ring is shorter than a vector, so it may fill before one is complete"):
        response.response_bound(Config(**SHORT | {"max_length": 9}))


@pytest.mark.long
def test_a_credit_of_factors_that_never_comes_back_is_refused(monkeypatch, proved):
    honest = softmax.Admission

    def lossy(*arguments, **keys):
        admission = honest(*arguments, **keys)
        vectors = {**admission.credits, "vector_credit": Credit(4)}
        vectors["vector_credit"]._MustUse__used = True
        admission.credits = vectors
        return admission

    monkeypatch.setattr(softmax, "Admission", lossy)
    with pytest.raises(UserError, match=r"no store is known whose room the credit of .* assures"):
        response.prove_response(HEADS["logarithm"])


def test_a_queue_that_is_shorter_than_the_way_of_the_draws_is_refused(monkeypatch):
    monkeypatch.setattr(CdfSchedule, "draws", 8)
    with pytest.raises(UserError, match="the queue behind the ring is shorter than the way to it"):
        response.response_bound(HEADS["search"])


def test_a_search_whose_draws_come_late_is_refuted(monkeypatch, proved):
    honest = CdfSearch._of_vector

    def late(search, m, platform, over):
        register = Signal()
        m.d.sync += register.eq(over)
        return honest(search, m, platform, register)

    monkeypatch.setattr(CdfSearch, "_of_vector", late)
    proof = response.prove_response(HEADS["search"])
    [name] = refuted(proof)
    assert name.startswith("search: a draw is one of the element")
    assert proof.answer == "refuted"


@pytest.mark.long
def test_a_gate_that_waits_for_more_than_its_credits_is_refuted(monkeypatch, proved):
    honest = response.GatedHead

    def other(config, paths):
        # The statements leave out the credit of the elements.
        head = honest(config, paths)
        head.gate = head.gate[1:]
        return head

    monkeypatch.setattr(response, "GatedHead", other)
    assert "gate: it opens where all credits are available" in refuted(response.prove_response(HEADS["logarithm"]))


def _in_every_other_cycle(m, *signals):
    """Lets signals of a head be set in every other cycle only."""
    odd = Signal()
    m.d.sync += odd.eq(~odd)
    with m.If(odd):
        m.d.comb += [signal.eq(0) for signal in signals]


def test_two_queues_that_leave_in_every_other_cycle_are_refuted(monkeypatch, proved):
    honest = Entropy._join

    def slow(head, m, winner, entropy):
        honest(head, m, winner, entropy)
        _in_every_other_cycle(m, head.o.valid, winner.o.ready, entropy.o.ready)

    monkeypatch.setattr(Entropy, "_join", slow)
    [name, *_] = refuted(response.prove_response(HEADS["entropy"]))
    assert name == "queue of 4: what it offers is taken, 4 cycles after the outputs, with the earlier one"


def test_a_queue_that_may_offer_later_than_the_one_beside_it_is_refuted(monkeypatch):
    honest = Queue.elaborate

    def late(queue, platform):
        # A payload enters a cycle later than the other queue expects.
        arrives, delayed = queue.i.valid, Signal()
        queue.i.valid = delayed
        try:
            m = honest(queue, platform)
        finally:
            queue.i.valid = arrives
        m.d.sync += delayed.eq(arrives)
        return m

    monkeypatch.setattr(Queue, "elaborate", late)
    assert "refuted" in answers(PARTS["pair"][0](), PairResponse)


@pytest.mark.long
def test_a_list_that_begins_in_every_other_cycle_is_refuted(monkeypatch, proved):
    honest = SoftmaxTopK._probabilities

    def slow(head, m, read_out, factors):
        honest(head, m, read_out, factors)
        _in_every_other_cycle(m, read_out.free)

    monkeypatch.setattr(SoftmaxTopK, "_probabilities", slow)
    name = "list: a vector may begin to leave where its factor has arrived"
    assert name in refuted(response.prove_response(HEADS["Top-K with softmax"]))


@pytest.mark.long
def test_a_list_whose_spacing_waits_for_something_else_is_refuted(monkeypatch, proved):
    honest = SoftmaxTopK._probabilities

    def slow(head, m, read_out, factors):
        honest(head, m, read_out, factors)
        m.d.comb += m.submodules.element_spacing.allowed.eq(1)
        _in_every_other_cycle(m, m.submodules.element_spacing.allowed)

    monkeypatch.setattr(SoftmaxTopK, "_probabilities", slow)
    name = "list: the spacing counts elements, and waits for nothing else"
    assert name in refuted(response.prove_response(HEADS["Top-K with softmax, serial"]))


@pytest.mark.long
def test_a_list_before_a_gate_that_waits_for_something_else_is_refuted(monkeypatch, proved):
    honest = ranked_draw._connect_list

    def slow(m, platform, config, scores, ranked, draw_set, sampler):
        honest(m, platform, config, scores, ranked, draw_set, sampler)
        # The list offers an element, and the draw set takes it, in every other cycle.
        _in_every_other_cycle(m, sampler.i.valid, ranked.o.ready)

    monkeypatch.setattr(ranked_draw, "_connect_list", slow)
    assert refuted(response.prove_response(HEADS["search among a list"])) == [
        "ranked store: it is that of the draw set",
        "ranked store: its beat is offered to the draw set",
    ]


@pytest.mark.long
def test_a_second_gate_that_waits_for_something_else_is_refuted(monkeypatch, proved):
    honest = RankedShare._threshold

    def slow(head, m, framed, admission, *rest):
        _in_every_other_cycle(m, m.submodules.sampler.o.ready)
        return honest(head, m, framed, admission, *rest)

    monkeypatch.setattr(RankedShare, "_threshold", slow)
    names = refuted(response.prove_response(HEADS["search among a list"]))
    assert names == ["gate: it opens where all credits are available"]


@pytest.mark.long
def test_a_first_gate_that_waits_for_something_else_is_refuted(monkeypatch, proved):
    honest = top_k.connect_lists

    def slow(m, lists, read_out):
        honest(m, lists, read_out)
        _in_every_other_cycle(m, m.submodules.frame.o.ready)

    monkeypatch.setattr(top_k, "connect_lists", slow)
    names = refuted(response.prove_response(HEADS["search among a list"]))
    assert names == ["gate of the list: it opens where a credit of 15, margin 1 is available"]


@pytest.mark.long
def test_a_queue_that_waits_for_more_than_the_outputs_is_refuted(monkeypatch, proved):
    monkeypatch.setattr(Surroundings, "ready", lambda *arguments: Const(1, 1))
    assert any("what it offers is taken" in name for name in refuted(response.prove_response(HEADS["logarithm"])))


@pytest.mark.long
@pytest.mark.parametrize(("head", "behind"), [("two lanes", "frame"), ("two passes, null beats", "two passes")])
def test_a_head_that_does_not_take_from_the_skid_buffer_is_refuted(head, behind, monkeypatch, proved):
    def slow(stage, platform):
        # The frame, or the two passes, may take in every other cycle.
        m, takes = Module(), Signal()
        m.submodules.front = front = RigidPipe({"null_beats": NullBeats(stage._config)})
        m.submodules.inner = inner = stage._inner
        wiring.connect(m, wiring.flipped(stage.i), front.i)
        m.d.sync += takes.eq(~takes)
        m.d.comb += [
            inner.i.valid.eq(front.o.valid & takes),
            inner.i.payload.eq(front.o.payload),
            front.o.ready.eq(inner.i.ready & takes),
        ]
        for port in ("o", "o_best"):
            wiring.connect(m, getattr(inner, port), wiring.flipped(getattr(stage, port)))
        return m

    monkeypatch.setattr(WithoutNullBeats, "elaborate", slow)
    assert f"skid buffer 1: it is that of the {behind}" in refuted(response.prove_response(HEADS[head]))


def test_winners_that_nobody_takes_and_that_wait_are_refuted(monkeypatch, proved):
    def waiting(stage, platform):
        # The winner of the last vector is taken when the next one's comes.
        m = Module()
        m.submodules.inner = inner = stage._inner
        wiring.connect(m, wiring.flipped(stage.i), inner.i)
        wiring.connect(m, inner.o, wiring.flipped(stage.o))
        return m

    monkeypatch.setattr(NoWinner, "elaborate", waiting)
    assert refuted(response.prove_response(HEADS["two passes without winners"])) == ["two passes: the winner is taken"]


@pytest.mark.long
def test_stages_that_stop_behind_a_queue_are_refuted(monkeypatch, proved):
    honest = Skid.elaborate

    def slow(skid, platform):
        # It takes in every other cycle.
        m, takes = honest(skid, platform), Signal()
        m.d.sync += takes.eq(~takes)
        m.d.comb += skid.i.ready.eq(takes)
        return m

    monkeypatch.setattr(Skid, "elaborate", slow)
    assert any("it moves" in name for name in refuted(response.prove_response(HEADS["floor"])))


@pytest.mark.long
def test_means_that_pause_a_queue_for_another_reason_are_refuted(monkeypatch, proved):
    honest = MeanProbabilities.elaborate

    def slow(means, platform):
        m, takes = honest(means, platform), Signal()
        m.d.sync += takes.eq(~takes)
        m.d.comb += means.hold.o.ready.eq(means.member_sum.i.ready & takes)
        return m

    monkeypatch.setattr(MeanProbabilities, "elaborate", slow)
    assert any(
        "what it offers is taken" in name
        for name in refuted(response.prove_response(HEADS["ensemble of probabilities"]))
    )


@pytest.mark.long
def test_a_credit_of_entry_that_never_comes_back_is_refused(monkeypatch, proved):
    honest = PacketEnds.elaborate

    def lossy(stage, platform):
        m = honest(stage, platform)
        m.d.comb += m.submodules.credit.give.eq(0)
        return m

    monkeypatch.setattr(PacketEnds, "elaborate", lossy)
    with pytest.raises(UserError, match=r"no event is known at which the credit of .* is taken"):
        response.prove_response(HEADS["groups"])


@pytest.mark.parametrize(
    ("config", "reason", "remedy"),
    [
        (
            Config(**PASSES, groups=[2, 5]),
            "no contract states when the group ends answers",
            "accumulator = 'auto'",
        ),
        (
            Config(**SEARCH, draw_top_k=3, draw_top_p=0.9),
            "no contract states when the queue answers",
            "sampler = 'gumbel'",
        ),
        (
            Config(**SEARCH, draw_top_k=3, lanes=2),
            "no contract states when the lane merge answers",
            "sampler = 'gumbel'",
        ),
    ],
    ids=lambda value: value.mode if isinstance(value, Config) else None,
)
def test_a_head_with_other_parts_on_a_path_is_refused_with_a_remedy_that_holds(config, reason, remedy):
    with pytest.raises(UserError, match=r"^prove --response: mode = ") as refusal:
        response.prove_response(config)
    assert reason in str(refusal.value)
    assert str(refusal.value).endswith(f"; {remedy} would do")
    assert not response.is_answered(config)
    key, _, value = remedy.partition(" = ")
    assert response.is_answered(config.replace(**{key: ast.literal_eval(value)}))


def test_open_statements_are_listed_one_per_line(capsys, monkeypatch):
    title = "a part whose title takes more than the width of a terminal of eighty columns"
    names = [f"statement {number} of {title}" for number in range(18)]
    open_ones = tuple(Verdict(Property(name, "", False), "open", "–", None, 1.0) for name in names)
    monkeypatch.setitem(proofs.STATEMENTS, "response", lambda config, **limits: Proof(config, open_ones, 1.0))
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "--response", "--timeout", "2", "softmax-int8"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.startswith("  statement") for line in lines) == 5
    assert lines[-2:] == [
        "  and 13 more",
        "error: open after 2 s for a step: 18 of 18 statements; --timeout 8 allows more",
    ]
