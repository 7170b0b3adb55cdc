"""Each request to a queue of bounds finds a payload, and a request at another time is refuted."""

import pytest
from amaranth import Const, Signal

from softstream.hw.config.config import Config
from softstream.hw.stages.draw_set import DrawSet
from softstream.sim.proofs import counting, requests, rooms, stores
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.harness import Property

BOUNDED = Config(mode="sample", max_length=5, score_width=4, draw_top_k=3, draw_sideband=True)


@pytest.fixture
def alone(monkeypatch):
    """Leaves out the contracts of the parts, which have tests of their own."""
    proved = [Verdict(Property("contract", "", False), "proved", "induction", None, 0.0)]
    monkeypatch.setattr(stores, "prove_contract", lambda part, **limits: proved)


def answers(config):
    return {verdict.statement.name: verdict.answer for verdict in counting.prove_counting(config).verdicts}


def finds(config):
    """The answers on the queues in which each request must find a payload."""
    return [answer for name, answer in answers(config).items() if name.endswith(requests.FINDS)]


def refuted(config):
    return {name.split(": ")[1] for name, answer in answers(config).items() if answer == "refuted"}


def test_each_request_finds_the_bounds_of_its_vector(alone):
    assert finds(BOUNDED) == ["proved"]


@pytest.mark.long
@pytest.mark.parametrize("changes", [{"sampler": "inverse_cdf"}, {"mask": True}])
def test_each_request_of_another_draw_finds_its_bounds(changes, alone):
    assert finds(BOUNDED.replace(**changes)) == ["proved"]


def each_element_asks(honest):
    """`elaborate` of a draw set that asks for bounds with every element."""

    def elaborate(draw_set, platform):
        asks, draw_set.next = draw_set.next, Signal()
        m = honest(draw_set, platform)
        m.d.comb += asks.eq(draw_set.i.valid)
        draw_set.next = asks
        return m

    return elaborate


def test_a_request_with_each_element_is_refuted(alone, monkeypatch, forget_suggestions):
    links = rooms._candidates(BOUNDED)
    monkeypatch.setattr(DrawSet, "elaborate", each_element_asks(DrawSet.elaborate))
    forget_suggestions()
    assert finds(BOUNDED) == []
    monkeypatch.setattr(rooms, "_candidates", lambda config: links)
    assert "each end of the list's elements asks for one, and nothing else" in refuted(BOUNDED)


def test_another_first_beat_is_refuted(alone, monkeypatch):
    honest = requests.state_requests

    def every_beat(head, link, path):
        registers = head.probes.registers
        monkeypatch.setattr(
            head.probes,
            "registers",
            lambda part: {"starts": Const(1, 1)} if isinstance(part, requests.RigidPipe) else registers(part),
        )
        honest(head, link, path)

    monkeypatch.setattr(counting, "state_requests", every_beat)
    assert refuted(BOUNDED) == {
        "each vector's first beat puts one in, and nothing else",
        "the first beat is the one behind an end, or behind a reset",
    }


def test_a_path_without_a_list_is_refused_by_its_premise(alone, monkeypatch):
    honest = requests.state_requests
    without = lambda head, link, path: honest(head, link, [row for row in path if row[1].name != "list"])  # noqa: E731
    monkeypatch.setattr(counting, "state_requests", without)
    with pytest.raises(ValueError, match="Insertion"):
        counting.prove_counting(BOUNDED)


def test_no_other_queue_is_taken_for_one_of_bounds():
    head = counting.InsideHead(BOUNDED.replace(draw_sideband=False, draw_min_p=0.1))
    assert requests.requested(head, counting.room_links(head.config, head), []) == []
