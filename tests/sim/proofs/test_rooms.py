"""The room of the stores of whole heads is proved, and a wrong link between a credit and a store is refuted."""

import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.stages import admission
from softstream.hw.streams.flow import Credit
from softstream.sim.proofs import rooms

SOFTMAX = Config(max_length=5, score_width=4, probability_width=4)


def test_the_room_of_the_stores_of_a_softmax_is_proved():
    verdicts = rooms.prove_rooms(SOFTMAX)
    assert {verdict.answer for verdict in verdicts} == {"proved"}, verdicts
    kinds = {verdict.statement.name.split(" for ")[0] for verdict in verdicts}
    assert {"ring", "store of factors", "queue"} <= kinds


def test_a_pipe_of_another_length_is_refuted(monkeypatch):
    numbers = [(credit, store, cycles + 1) for credit, store, cycles in rooms._numbers(SOFTMAX)]
    monkeypatch.setattr(rooms, "_numbers", lambda config: numbers)
    refuted = [verdict.statement.name for verdict in rooms.prove_rooms(SOFTMAX) if verdict.answer == "refuted"]
    assert len([name for name in refuted if name.endswith("cycles before")]) == len(numbers)


def test_a_credit_with_too_small_a_margin_is_refuted(monkeypatch):
    monkeypatch.setattr(admission, "Credit", lambda limit, margin: Credit(limit))
    refuted = {v.statement.name for v in rooms.prove_rooms(SOFTMAX) if v.answer == "refuted"}
    assert refuted
    assert all(name.endswith("margin 0: taken as its contract assumes") for name in refuted), refuted


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_room_of_the_stores_of_a_preset_is_proved(name):
    verdicts = rooms.prove_rooms(PRESETS[name])
    assert {verdict.answer for verdict in verdicts} <= {"proved"}, verdicts
