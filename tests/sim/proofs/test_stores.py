"""The contracts of queues, registers, forks, credits and spacings are proved, and a changed cell of a component breaks one."""

import re

import pytest
from amaranth import unsigned

from softstream.hw.config.presets import PRESETS
from softstream.hw.streams.flow import Credit, Fork, Hold, Queue, Skid, Spacing
from softstream.sim.proofs import stores

COMPONENTS = {
    "queue of 5": lambda: Queue(unsigned(2), 4),
    "queue of 9": lambda: Queue(unsigned(1), 8),
    "skid buffer": lambda: Skid(unsigned(2)),
    "register": lambda: Hold(unsigned(2)),
    "fork to 2": lambda: Fork(unsigned(1), 2),
    "fork to 3": lambda: Fork(unsigned(1), 3),
    "ordered fork to 2": lambda: Fork(unsigned(1), 2, ordered=True),
    "credit of 4, margin 0": lambda: Credit(4),
    "credit of 5, margin 1": lambda: Credit(5, 1),
    "credit of 6, margin 2": lambda: Credit(6, 2),
    "spacing of 1": lambda: Spacing(1),
    "spacing of 4": lambda: Spacing(4),
    "spacing of 9": lambda: Spacing(9),
}
SHORT = ("queue of 5", "credit of 5, margin 1", "ordered fork to 2")


@pytest.mark.parametrize(
    "title", [title if title in SHORT else pytest.param(title, marks=pytest.mark.long) for title in COMPONENTS]
)
def test_the_contract_of_a_component_is_proved(title):
    verdicts = stores.prove_contract(COMPONENTS[title]())
    assert {verdict.answer for verdict in verdicts} == {"proved", "reached"}, verdicts
    assert all(verdict.statement.name.startswith(f"{title}: ") for verdict in verdicts)


def test_the_presets_have_components_with_contracts():
    titles = stores.contracts_of([PRESETS["softmax-int8"], PRESETS["hardmax-int8"]])
    kinds = {title.split(" of ")[0] for title in titles}
    assert {"queue", "credit", "spacing"} <= kinds


@pytest.mark.long
def test_the_contract_of_every_component_of_the_presets_is_proved():
    for title, component in stores.contracts_of(PRESETS.values()).items():
        [verdict] = stores.summary(title, stores.prove_contract(component))
        assert verdict.answer == "proved", verdict


OTHER_CELL = {"$and": "$or", "$or": "$and", "$eq": "$ne", "$ne": "$eq", "$xor": "$and", "$not": "$pos"}


def with_one_cell_changed(text: str, number: int) -> str:
    """The RTLIL of a harness in which one gate of the component is another one; empty if it has fewer gates."""
    begin = re.search(r"^module \\softstream_proof\.head\.component$", text, re.MULTILINE).start()
    end = text.index("\nend\n", begin)
    gates = [
        hit
        for hit in re.finditer(r"^  cell (\$\w+) ", text, re.MULTILINE)
        if begin < hit.start() < end and hit[1] in OTHER_CELL
    ]
    if number >= len(gates):
        return ""
    gate = gates[number]
    return text[: gate.start(1)] + OTHER_CELL[gate[1]] + text[gate.end(1) :]


def refuted_with(component, number, monkeypatch) -> bool | None:
    """Whether a contract is refuted with a changed gate; None where the component has fewer gates."""
    honest = stores._ContractHarness.text
    if not with_one_cell_changed(
        honest(stores._ContractHarness(stores.contract_of(component()), induction=True)), number
    ):
        return None
    with monkeypatch.context() as patch:
        patch.setattr(stores._ContractHarness, "text", lambda self: with_one_cell_changed(honest(self), number))
        return any(verdict.answer == "refuted" for verdict in stores.prove_contract(component()))


@pytest.mark.parametrize(
    "title",
    [
        pytest.param(title, marks=pytest.mark.long)
        for title in ("queue of 5", "skid buffer", "credit of 5, margin 1", "spacing of 9", "fork to 2")
    ],
)
def test_every_changed_gate_breaks_the_contract(title, monkeypatch):
    number = 0
    while (refuted := refuted_with(COMPONENTS[title], number, monkeypatch)) is not None:
        assert refuted, f"gate {number}"
        number += 1
    assert number


def test_a_changed_gate_of_a_credit_breaks_its_contract(monkeypatch):
    assert refuted_with(COMPONENTS["credit of 5, margin 1"], 0, monkeypatch)
