"""Memory and file handles of a host and its board do not grow with the vectors. `make endurance` runs it for 10^5 of them."""

import json
import os

import numpy as np
import pytest
from support.endurance import ENDURANCE, MOST_BYTES, figures, watched
from support.model_board import ModelBoard

from softstream.boards.link.host import open_link
from softstream.hw.config.presets import preset
from softstream.scripts.verbs import run_on_board
from softstream.scripts.verbs.run_on_board import self_test


def is_flat(content):
    slopes = content["host_bytes_per_vector"], content["board_bytes_per_vector"]
    handles = [content[f"{name}_handles"] for name in ("host", "board")]
    return max(slopes) < MOST_BYTES and all(first == most for first, most in handles)


@pytest.mark.long
def test_a_simulated_board_for_a_thousand_vectors():
    """A thousand are too few to tell bytes of a vector from the noise of the allocator, but not handles."""
    content = figures(watched(1000), 1000)
    assert content["host_handles"][0] == content["host_handles"][1]
    assert content["board_handles"][0] == content["board_handles"][1]


def test_the_record_is_flat():
    content = json.loads(ENDURANCE.read_text(encoding="utf-8"))
    assert content["vectors"] >= 10**5
    assert is_flat(content)


@pytest.mark.parametrize("mode", ["digits-softmax", "digits-argmax"])
def test_pieces_give_the_groups_of_the_whole(mode, monkeypatch):
    config = preset(mode)

    def groups():
        with open_link(ModelBoard(config).port) as link:
            link.handshake(config)
            return self_test(config, link, vectors=50)

    whole = groups()
    monkeypatch.setattr(run_on_board, "_PIECE", 7)
    handles = len(os.listdir("/proc/self/fd"))
    pieces = groups()
    assert len(os.listdir("/proc/self/fd")) <= handles + 2, "the pseudo-terminal of the board"
    assert [(group.name, group.vectors, group.elements, group.differences) for group in pieces] == [
        (group.name, group.vectors, group.elements, group.differences) for group in whole
    ]


def test_a_difference_has_the_number_of_its_vector(monkeypatch):
    config = preset("digits-argmax")
    monkeypatch.setattr(run_on_board, "_PIECE", 7)
    true_model = run_on_board.compared

    def compared(group, answer, model, first):
        differences = true_model(group, answer, model, first)
        if group == "random" and first == 14:
            wrong = {name: np.array(values) for name, values in model.items()}
            wrong["argmax"][3] += 1
            differences = true_model(group, answer, wrong, first)
        return differences

    monkeypatch.setattr(run_on_board, "compared", compared)
    with open_link(ModelBoard(config).port) as link:
        link.handshake(config)
        *_, random = self_test(config, link, vectors=30)
    assert random.differences.count == 1
    assert [difference.vector for difference in random.differences.first] == [17]


def test_differences_of_a_board_that_is_wrong_everywhere_are_counted_and_the_first_kept(monkeypatch):
    config = preset("digits-softmax")
    true_model = run_on_board.compared

    def wrong(group, answer, model, first):
        return true_model(group, answer, {name: values ^ 1 for name, values in model.items()}, first)

    def groups():
        with open_link(ModelBoard(config).port) as link:
            link.handshake(config)
            return self_test(config, link, vectors=30)

    monkeypatch.setattr(run_on_board, "compared", wrong)
    monkeypatch.setattr(run_on_board, "_KEPT", 10**6)
    everything = groups()
    monkeypatch.setattr(run_on_board, "_KEPT", 10)
    monkeypatch.setattr(run_on_board, "_PIECE", 7)
    for all_kept, few_kept in zip(everything, groups(), strict=True):
        assert all_kept.differences.count == len(all_kept.differences.first) >= 2 * all_kept.elements
        assert few_kept.differences.count == all_kept.differences.count
        assert few_kept.differences.first == all_kept.differences.first[:10]
