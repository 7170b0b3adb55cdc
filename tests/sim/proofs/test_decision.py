"""Winners are the first maximum and lists are in order, for all inputs, and a head that decides otherwise is refuted."""

import sys

import pytest
from amaranth import Cat, Const, Value
from support.contracts_once import prove_contracts_once
from support.long_cases import mostly_long

from softstream.hw import axi
from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.contracts.catalogue import contract_of
from softstream.hw.errors import UserError
from softstream.hw.modes import top_k
from softstream.hw.modes.softmax import Softmax
from softstream.hw.stages import frame, maximum
from softstream.hw.stages.insertion import Insertion
from softstream.hw.stages.maximum import SkewedMaximum
from softstream.hw.stages.ranked_store import RankedStore
from softstream.scripts import cli
from softstream.sim.proofs import counting, decision
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.proof import Proof
from softstream.sim.proofs.stores import prove_contract

SHORT = {"max_length": 5, "score_width": 4}
HEADS = {
    "argmax": Config(mode="argmax", **SHORT),
    "argmax, last of equals": Config(mode="argmax", tie="last", **SHORT),
    "argmax, smallest": Config(mode="argmax", select="smallest", **SHORT),
    "softmax": Config(probability_width=4, **SHORT),
    "softmax, divider, small": Config(probability_width=4, normaliser="divider", profile="small", **SHORT),
    "exponential": Config(mode="exponential", probability_width=4, **SHORT),
    "log-softmax": Config(mode="log_softmax", probability_width=4, **SHORT),
    "Top-K": Config(mode="top_k", top_k=3, **SHORT),
    "Top-K, masked, last of equals": Config(mode="top_k", top_k=3, mask=True, tie="last", **SHORT),
    "argmax of one element": Config(mode="argmax", max_length=1, score_width=4),
    "Top-K of fewer elements": Config(mode="top_k", top_k=3, max_length=2, score_width=4),
}
LIST = Config(mode="top_k", top_k=2, score_width=3, max_length=5)


@pytest.fixture
def uncounted(monkeypatch):
    """Leaves out the number and order of beats and ends, which have tests of their own."""
    verdict = Verdict(Property("number and order", "", False), "proved", "contracts", None, 0.0)
    monkeypatch.setattr(counting, "prove_counting", lambda config, **limits: Proof(config, (verdict,), 0.0))


@pytest.fixture
def counted(monkeypatch, uncounted):
    """Also proves a contract once, for tests that change no part."""
    prove_contracts_once(monkeypatch)


def refuted(verdicts):
    return [verdict.statement.name for verdict in verdicts if verdict.answer == "refuted"]


@pytest.mark.parametrize("name", mostly_long(HEADS, ("argmax", "softmax", "Top-K")))
def test_a_head_decides_by_the_definition(name, counted):
    config = HEADS[name]
    proof = decision.prove_decision(config)
    assert proof.answer == "proved", proof.verdicts
    which, extreme = "last" if config.last_wins else "first", "smallest" if config.selects_smallest else "largest"
    assert proof.verdicts[-1].statement.name == (
        f"m_axis gives the 3 {extreme} scores of each vector, or all where it has fewer, the {extreme} first, and of equal ones "
        f"the {which} index first{', masked ones left out, but index 0 where all are masked' * config.mask}"
        if config.mode == "top_k"
        else f"m_axis{'_best' * (config.mode != 'argmax')} names the {extreme} score of each vector, and of equal ones the "
        f"{which} index"
    )


@pytest.mark.long
def test_every_preset_is_decided_at_its_full_size_or_refused(counted):
    decided = [name for name in PRESETS if decision.is_decided(PRESETS[name])]
    assert len(decided) == 19
    assert {decision.prove_decision(PRESETS[name]).answer for name in decided} == {"proved"}


@pytest.mark.parametrize(
    ("config", "reason", "remedy"),
    [
        (Config(mode="argmax", mask=True, **SHORT), "no contract compares what it decides", {"mask": False}),
        (Config(mode="argmax", profile="small", **SHORT), "a comparison decides that stops", {"profile": "fastest"}),
        (Config(mode="sigmoid", probability_width=4, **SHORT), "no output names a largest score", {"mode": "softmax"}),
        (Config(mode="top_k", top_k=3, tkeep=True, **SHORT), "the null beats stands before", {"tkeep": False}),
    ],
    ids=["mask", "stall", "no winner", "null beats"],
)
def test_another_head_is_refused_with_a_remedy_that_holds(config, reason, remedy):
    with pytest.raises(UserError, match=r"^prove --decision: mode = .* would do$") as refusal:
        decision.prove_decision(config)
    assert reason in str(refusal.value)
    assert not decision.is_decided(config)
    assert decision.is_decided(config.replace(**remedy))


@pytest.mark.parametrize(("name", "port"), [("argmax", "score"), ("Top-K, masked, last of equals", "mask")])
def test_a_frame_that_is_given_other_bits_than_the_port_has_is_refuted(name, port, monkeypatch, counted):
    honest = AxiTop.elaborate

    def other(top, platform):
        m = honest(top, platform)
        payload = m.submodules.head.i.payload
        wire = top.s_axis_tdata[: top._config.score_width] if port == "score" else top.s_axis_tuser[0]
        m.d.comb += Value.cast(payload[port]).eq(wire ^ 1)
        return m

    monkeypatch.setattr(AxiTop, "elaborate", other)
    [name] = refuted(decision.prove_decision(HEADS[name]).verdicts)
    assert name.startswith("frame: score")


@pytest.mark.parametrize("name", ["argmax", "argmax, smallest", "Top-K"])
def test_another_order_of_the_codes_is_refuted(name, monkeypatch, uncounted):
    """The proof knows the order of the scores from the configuration, not from the function that the hardware uses."""
    for module in (frame, maximum, top_k):
        for function in {"position_of", "code_of"} & set(vars(module)):
            monkeypatch.setattr(module, function, lambda config, code: Value.cast(code))
    names = refuted(decision.prove_decision(HEADS[name]).verdicts)
    assert any(name.endswith("its position") for name in names)


@pytest.mark.parametrize("name", ["argmax", "softmax"])
def test_an_index_that_depends_on_a_flag_is_refuted(name, monkeypatch, uncounted):
    honest = SkewedMaximum.elaborate

    def other(part, platform):
        m = honest(part, platform)
        m.d.comb += part.o.payload.index.eq(~part.o.payload.overlong)
        return m

    monkeypatch.setattr(SkewedMaximum, "elaborate", other)
    assert any(name.endswith("its index") for name in refuted(decision.prove_decision(HEADS[name]).verdicts))


def test_bits_above_a_field_that_are_not_its_extension_are_refuted(monkeypatch, uncounted):
    monkeypatch.setattr(axi, "extended", lambda field, value: Cat(value, Const(-1, field.bits - field.width)))
    [name] = refuted(decision.prove_decision(HEADS["argmax"]).verdicts)
    assert name == "m_axis: it offers index and score of the last part"


def test_an_index_with_too_few_bits_is_refuted(monkeypatch, uncounted):
    monkeypatch.setattr(Config, "index_width", 2)
    # Of no other test, because the ports of a configuration are remembered.
    config = Config(mode="top_k", top_k=3, max_length=7, score_width=3)
    names = refuted(decision.prove_decision(config).verdicts)
    assert "m_axis: it offers index and score of the last part" in names


def test_a_comparison_of_other_scores_is_refuted(monkeypatch, counted):
    honest = Softmax._winner

    def other(head, m, maximum, framed, element, room):
        honest(head, m, maximum, framed, element, room)
        m.d.comb += maximum.i.payload.position.eq(framed.position ^ 1)

    monkeypatch.setattr(Softmax, "_winner", other)
    [name] = refuted(decision.prove_decision(HEADS["softmax"]).verdicts)
    assert name.startswith("comparison: each beat of the frame arrives unchanged")


def test_a_store_that_is_written_something_else_is_refuted(monkeypatch, counted):
    honest = top_k.connect_lists

    def other(m, lists, read_out):
        honest(m, lists, read_out)
        m.d.comb += Value.cast(read_out.write.payload.index).eq(~lists[0].write.payload.index)

    monkeypatch.setattr(top_k, "connect_lists", other)
    names = refuted(decision.prove_decision(HEADS["Top-K"]).verdicts)
    assert names == ["ranked store: each element of the list arrives unchanged"]


def test_a_list_with_the_other_order_of_equal_scores_is_refuted(monkeypatch):
    monkeypatch.setattr(Insertion, "_carry", _carry_of_the_other_tie(Insertion._carry))
    names = refuted(prove_contract(Insertion(LIST), contract=contract_of))
    assert "slot 1: whether the next element goes before it" in {name.partition(": ")[2] for name in names}


def _carry_of_the_other_tie(honest):
    def other(insertion, *arguments):
        config = insertion.config
        insertion.config = config.replace(tie="last")
        try:
            return honest(insertion, *arguments)
        finally:
            insertion.config = config

    return other


def test_a_store_that_gives_another_entry_is_refuted(monkeypatch):
    honest = RankedStore.elaborate

    def other(store, platform):
        m = honest(store, platform)
        m.d.comb += store.o.payload.position.eq(0)
        return m

    monkeypatch.setattr(RankedStore, "elaborate", other)
    names = refuted(prove_contract(RankedStore(LIST, 4), contract=contract_of))
    assert [name.partition(": ")[2] for name in names] == [
        "the element is the entry under the tag of its place in the order"
    ]


def test_a_waveform_of_a_statement_without_a_trace_is_refused(tmp_path, capsys, monkeypatch):
    file = tmp_path / "trace.vcd"
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "--decision", "argmax-int8", "--waveform", str(file)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert f"--waveform {file}: --decision has no trace at the ports of a head; --whole would do" in (
        capsys.readouterr().err
    )
    assert not file.exists()
