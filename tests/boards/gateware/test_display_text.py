"""The drawing of what a board shows, against the winner's index."""

import pytest

from softstream.boards.gateware.display_text import EXAMPLES, display_text, resources_of
from softstream.boards.registry import BOARDS, board


@pytest.mark.parametrize("name", BOARDS)
def test_the_lamps_of_the_drawing_give_the_winner(name):
    _, lamps = resources_of(board(name))
    rows = [line.split() for line in display_text(board(name)) if set("●○") & set(line)]
    assert len(rows) == (len(EXAMPLES) if lamps else 0)
    for winner, (index, *lit) in zip(EXAMPLES, rows, strict=False):
        assert index == str(winner)
        if lamps >= 4:
            assert int("".join("1" if lamp == "●" else "0" for lamp in lit), 2) == winner % 2**lamps
        else:
            assert lit.count("●") == winner + 1
