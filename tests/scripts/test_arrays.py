"""Tables of text: the numbers, the places in errors, and memory in proportion to the array."""

import tracemalloc

import numpy as np
import pytest

from softstream.hw.errors import UserError
from softstream.scripts import arrays
from softstream.scripts.arrays import read_array


def read(tmp_path, text):
    path = tmp_path / "scores.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_array("--scores", str(path))


@pytest.mark.parametrize("last", ["7,-8,9", "0.5,-8,1e3"])
def test_memory_is_that_of_the_array(tmp_path, last):
    """The text of 30 000 numbers as Python's objects takes 60 bytes and more for each; a file of 1 GB would cost tens of GB.

    A fraction in the last line is the worst case, because integers that were read are converted then.
    """
    lines = 10_000
    text = "12,-7,100\n" * lines + last + "\n"
    read(tmp_path, text)  # what is loaded once
    tracemalloc.start()
    try:
        table = read(tmp_path, text)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert table.shape == (lines + 1, 3)
    assert held < 1.2 * table.nbytes + 100_000
    # Two copies while integers are converted, the spare room of a growing array, and the text of the test.
    assert peak < 2.5 * table.nbytes + len(text) + 200_000


@pytest.mark.parametrize(
    ("text", "numbers", "kind"),
    [
        ("a,b\n1,2\n3,4\n", [[1, 2], [3, 4]], np.int64),
        ("1,2\n3,4.5\n", [[1, 2], [3, 4.5]], np.float64),
        ("1;2\r3;4\r\n", [[1, 2], [3, 4]], np.int64),
        ("\ufeff1\t2\n\n3\t4", [[1, 2], [3, 4]], np.int64),
        (f"{10**30},1\n0.5,2\n", [[1e30, 1], [0.5, 2]], np.float64),
        (f"1,2\n{'9' * 5000},2\n0.5,2\n", [[1, 2], [np.inf, 2], [0.5, 2]], np.float64),
        ("9007199254740993,1\n0.5,1\n", [[9007199254740992, 1], [0.5, 1]], np.float64),
    ],
)
def test_numbers_of_a_table(tmp_path, text, numbers, kind):
    table = read(tmp_path, text)
    assert table.dtype == kind
    np.testing.assert_array_equal(table, np.array(numbers, kind))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n\n3\n", ", line 3: 1 fields, and line 1 has 2; "),
        ("x,y\n1,2\n3,z\n", ", line 3: 'z' is no number; "),
        ("1,2\x0c3,4\x0c5,z\n", ", line 3: 'z' is no number; "),
        (f"1,2\n{10**30},3\n", ": integers beyond 64 bits; "),
        (f"1,2\n{'9' * 5000},3\n", ": integers beyond 64 bits; "),
        (b"1,2\n\xff\xfe\n", ": not UTF-8 text; "),
        ("x,y\n", ": no numbers; "),
        ("", ": no numbers; "),
    ],
)
def test_errors_name_the_place(tmp_path, text, message):
    with pytest.raises(UserError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"--scores {tmp_path / 'scores.csv'}{message}")


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_LONGEST_LINE", 20)
    assert read(tmp_path, "1,2,3,4,5,6,7,8,9,0\n").shape == (1, 10)
    with pytest.raises(
        UserError, match=r"line 2: more than 20 characters; must be one vector; for example 0\.5,-1\.25,3$"
    ):
        read(tmp_path, "1,2\n" + "1,2," * 100)
