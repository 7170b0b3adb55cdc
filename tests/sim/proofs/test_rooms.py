"""The room of the stores of whole heads is proved, and a wrong link between a credit and a store is refuted."""

import dataclasses

import pytest
from amaranth import Const
from support.requirements import ROOT

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.modes import inverse_cdf, softmax_top_k
from softstream.hw.stages import admission
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.stages.replay import FactorStore
from softstream.hw.streams.flow import Credit
from softstream.hw.streams.registers import delay
from softstream.scripts.measure.proofs import recorded, stores_proved
from softstream.sim.proofs import rooms

DRAWN = Config(mode="sample", sampler="inverse_cdf", max_length=5, score_width=4, draw_top_k=3, draw_min_p=0.05)
SOFTMAX = Config(max_length=5, score_width=4, probability_width=4)
RANKED = SOFTMAX.replace(mode="softmax_top_k", top_k=2)


def test_the_room_of_the_stores_of_a_softmax_is_proved():
    verdicts = rooms.prove_rooms(SOFTMAX)
    assert {verdict.answer for verdict in verdicts} == {"proved"}, verdicts
    kinds = {verdict.statement.name.split(" for ")[0] for verdict in verdicts}
    assert {"ring", "store of factors", "queue"} <= kinds


def test_a_pipe_of_another_length_is_refuted(monkeypatch):
    late = [dataclasses.replace(link, cycles=link.cycles + 1) for link in rooms._candidates(SOFTMAX)]
    monkeypatch.setattr(rooms, "_candidates", lambda config: late)
    refuted = [verdict.statement.name for verdict in rooms.prove_rooms(SOFTMAX) if verdict.answer == "refuted"]
    assert len([name for name in refuted if name.endswith("cycles before")]) == len(late)


def test_a_credit_with_too_small_a_margin_is_refuted(monkeypatch):
    monkeypatch.setattr(admission, "Credit", lambda limit, margin: Credit(limit))
    refuted = {v.statement.name for v in rooms.prove_rooms(SOFTMAX) if v.answer == "refuted"}
    assert refuted
    assert all(name.endswith("margin 0: taken as its contract assumes") for name in refuted), refuted


def refutations(config):
    return [verdict.statement.name for verdict in rooms.prove_rooms(config) if verdict.answer == "refuted"]


@pytest.mark.parametrize(
    ("normaliser", "lanes"), [("logarithm", 1), ("divider", 1), ("reciprocal", 1), ("logarithm", 2)]
)
def test_the_room_of_the_factors_behind_a_list_is_proved(normaliser, lanes):
    config = RANKED.replace(normaliser=normaliser, lanes=lanes)
    verdicts = rooms.prove_rooms(config)
    assert {verdict.answer for verdict in verdicts} == {"proved"}, verdicts
    assert rooms.stores_with_room(config) == (4, 4)


def too_soon(honest):
    """`elaborate` of a list's store whose vectors leave before their factors are there."""

    def elaborate(store, platform):
        free, store.free = store.free, Const(1, 1)
        m = honest(store, platform)
        store.free = free
        return m

    return elaborate


def test_the_room_of_the_factors_needs_every_place_and_each_statement(monkeypatch, forget_suggestions):
    links = rooms._candidates(RANKED)
    with monkeypatch.context() as patch:
        smaller = lambda shape, room, memory, **keys: FactorStore(shape, room - 1, memory, **keys)  # noqa: E731
        patch.setattr(softmax_top_k, "FactorStore", smaller)
        forget_suggestions()
        assert rooms.stores_with_room(RANKED) == (4, 3)
    monkeypatch.setattr(rooms, "_candidates", lambda config: links)
    with monkeypatch.context() as patch:
        patch.setattr(RankedStore, "elaborate", too_soon(RankedStore.elaborate))
        [begins] = refutations(RANKED)
        assert begins.endswith("a vector begins to leave if its factor has arrived")
    with monkeypatch.context() as patch:
        late = lambda m, value, cycles, name, **rest: delay(m, value, cycles + (name == "leaving"), name, **rest)  # noqa: E731
        patch.setattr(softmax_top_k, "delay", late)
        assert (
            "store of factors for 9: each element of the list arrives, 2 cycles later, and nothing else"
            in refutations(RANKED)
        )
    honest = rooms._ranked
    monkeypatch.setattr(rooms, "_ranked", lambda *row: dataclasses.replace(honest(*row), starts=Const(1, 1)))
    [behind, asks] = refutations(RANKED)
    assert behind.endswith("the first element is the one behind a last one, or behind a reset")
    assert "a vector's first element asks for one" in asks


@pytest.mark.long
def test_the_room_of_a_queue_of_draws_is_proved_and_needs_the_first_elements(monkeypatch):
    def refuted():
        return [verdict.statement.name for verdict in rooms.prove_rooms(DRAWN) if verdict.answer == "refuted"]

    honest, links = rooms._vectors, rooms._candidates(DRAWN)
    monkeypatch.setattr(rooms, "_candidates", lambda config: links)
    verdicts = rooms.prove_rooms(DRAWN)
    assert {verdict.answer for verdict in verdicts} == {"proved"}, verdicts
    assert sum("with their vector's first element" in verdict.statement.name for verdict in verdicts) == 2
    with monkeypatch.context() as patch:
        every = lambda head: [dataclasses.replace(row, starts=Const(1, 1)) for row in honest(head)]  # noqa: E731
        patch.setattr(rooms, "_vectors", every)
        [nothing_else, behind] = refuted()
        assert nothing_else.endswith("each vector's first element takes one, and nothing else")
        assert behind.endswith("the first element is the one behind a last one, or behind a reset")
    # A take comes two cycles after the ring has asked for room, so a vector of one element in each cycle needs a margin of 3.
    monkeypatch.setattr(inverse_cdf, "Credit", lambda limit, margin: Credit(limit, margin - 1))
    assert refuted() == ["credit of 16, margin 2: taken as its contract assumes"]


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_room_of_the_stores_of_a_preset_is_proved(name):
    verdicts = rooms.prove_rooms(PRESETS[name], seconds=200.0)
    assert {verdict.answer for verdict in verdicts} <= {"proved"}, verdicts
    if row := recorded()["presets"][name].get("rooms"):
        assert (row["stores"], row["covered"]) == rooms.stores_with_room(PRESETS[name])
    else:
        assert rooms.stores_with_room(PRESETS[name]) == (0, 0)


def test_a_queue_that_is_read_on_request_counts_where_each_request_finds_a_payload():
    statements = recorded()["presets"]["sample-int8-bounds"]
    assert stores_proved(statements) == statements["rooms"]["stores"]
    assert stores_proved({"rooms": statements["rooms"]}) == statements["rooms"]["stores"] - 1


def test_the_page_counts_the_stores_of_the_presets():
    rows = [row for row in recorded()["presets"].values() if "rooms" in row]
    page = " ".join((ROOT / "sim" / "README.md").read_text(encoding="utf-8").split())
    proved, stores = sum(map(stores_proved, rows)), sum(row["rooms"]["stores"] for row in rows)
    assert proved == stores
    assert f"All {stores} stores of the presets are proved to have room." in page
    assert {row["rooms"]["answer"] for row in rows} == {"proved"}
