"""Large score files: read block by block or in part, so that their size does not decide over the memory of a verb."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from support.model_board import ModelBoard

from softstream.boards.link.host import open_link
from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.hw.errors import UserError
from softstream.scripts import arrays
from softstream.scripts import scores as module
from softstream.scripts.cli import main
from softstream.scripts.scores import ScoreFile, read_blocks, read_labels, read_scores
from softstream.scripts.verbs.run_on_board import Differences, self_test

RNG = np.random.default_rng(1)
FLOATS = (RNG.standard_normal((60, 5)) * 8).astype(np.float32)
CODES = RNG.integers(-128, 128, (60, 5), dtype=np.int8)
LENGTHS = RNG.integers(1, 6, 60)
RUN = ("run", "--set", "max_length=5", "--set", "score_scale=0.1")


def command(*arguments):
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return end.value.code


CASES = {
    "codes": (["--set", "mode=argmax"], CODES),
    "floats that are shifted": ([], FLOATS),
    "lengths": (["--lengths", "lengths.npy"], CODES),
    "a mask": (["--set", "mask=true", "--sideband", "mask=mask.npy"], CODES),
    "draws, whose random sequence goes on": (["--set", "mode=sample", "--lengths", "lengths.npy"], CODES),
    "ensembles": (["--set", "ensemble=3"], CODES),
    "groups": (["--set", "groups=[2]", "--set", "max_length=2"], CODES),
    "three dimensions": ([], FLOATS.reshape(3, 20, 5)),
    "another axis": (["--axis", "0"], np.asfortranarray(CODES.T)),
}


@pytest.mark.parametrize("name", CASES)
def test_blocks_give_the_archive_of_the_whole_file(name, tmp_path, monkeypatch):
    options, scores = CASES[name]
    monkeypatch.chdir(tmp_path)
    np.save("scores.npy", scores)
    np.save("lengths.npy", LENGTHS)
    np.save("mask.npy", RNG.integers(0, 2, CODES.shape))
    words = [*RUN, *options, "--scores", "scores.npy", "--quiet", "-o"]
    assert command(*words, "whole.npz") == 0
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 35)
    assert command(*words, "blocks.npz") == 0
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "blocks.npz").read_bytes()
    with np.load("whole.npz") as whole:
        np.savez("numpy.npz", **whole)
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "numpy.npz").read_bytes()


def test_the_totals_of_blocks_are_those_of_the_file(tmp_path, monkeypatch):
    scores = FLOATS.copy()
    scores[:20] = 0  # a block without a word about its scores
    np.save(tmp_path / "scores.npy", scores)
    file = ScoreFile(str(tmp_path / "scores.npy"))
    config = Config(max_length=5, score_scale=0.1)
    whole = read_scores(config, file).totals
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 35)
    blocks = read_blocks(config, file)
    assert len(list(blocks)) == 9
    assert blocks.totals == whole
    np.save(tmp_path / "scores.npy", np.rint(scores))
    [warning] = read_blocks(config, file := ScoreFile(str(tmp_path / "scores.npy"))).totals.warnings
    assert "--codes takes them as codes" in warning
    np.save(tmp_path / "scores.npy", np.concatenate([np.rint(scores), FLOATS]))
    assert read_blocks(config, ScoreFile(file.scores)).totals.warnings == ()


def test_a_refusal_names_the_place_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 35)
    path = tmp_path / "scores.npy"

    def refusal(scores, mode="softmax"):
        np.save(path, scores)
        with pytest.raises(UserError) as refused:
            read_blocks(Config(mode=mode, max_length=5, score_scale=0.1), ScoreFile(str(path)))
        return str(refused.value)

    wrong = FLOATS.copy()
    wrong[33, 2] = np.nan
    assert f"{path}[33, 2] = nan: " in refusal(wrong)
    wrong = CODES.astype(np.int64)
    wrong[21, 1], wrong[59, 4] = 128, 4000
    assert f"{path}[21, 1] = 128: outside the score format" in (text := refusal(wrong))
    assert "score_width=13" in text, "wide enough for all codes of the file"
    wrong = np.zeros((60, 5))
    wrong[[30, 40, 50], 3] = 100, 300, 200
    text = refusal(wrong, "exponential")
    assert f"{path}[30, 3] = 100: the largest score of its vector, one of 3 of 60 vectors" in text
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 1 << 20)
    assert text == refusal(wrong, "exponential")


@pytest.mark.parametrize("members", [1, 3])
def test_of_a_large_file_evenly_spaced_vectors_are_read(members, tmp_path):
    np.save(tmp_path / "scores.npy", CODES)
    np.save(tmp_path / "labels.npy", labels := RNG.integers(0, 5, 60))
    config = Config(max_length=5, ensemble=members)
    scores = read_scores(config, ScoreFile(str(tmp_path / "scores.npy")), most=100)
    numbers = np.asarray(scores.layout.numbers)
    assert len(numbers) == 20 // members * members
    assert np.array_equal(scores.codes, CODES[numbers])
    assert np.array_equal(read_labels(str(tmp_path / "labels.npy"), scores), labels[numbers])
    first = numbers[::members]
    assert (first % members == 0).all()
    assert np.array_equal(numbers.reshape(-1, members), first[:, None] + np.arange(members))
    assert set(np.diff(first)) <= {60 // len(first) // members * members, -(-60 // len(first) // members) * members}
    assert f"{len(numbers)} of 60 vectors are read, evenly spaced" in scores.warnings[0]


def peak(words, folder):
    """Bytes of memory that a command line takes at most."""
    script = (
        "import resource, sys, softstream.scripts.cli as cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


WORDS = {
    "run": ["run", "digits-softmax", "-o", "r.npz", "--quiet", "--scores"],
    "run of floats with a chosen scale": [
        *["run", "digits-softmax", "--set", "score_scale=auto", "-o", "r.npz", "--quiet", "--scores"]
    ],
    "compare": ["compare", "digits-softmax", "--no-place", "--quiet", "--scores"],
    "explore": ["explore", "digits-softmax", "--sweep", "guard_bits=1,2", "--no-cells", "--quiet", "--scores"],
}
MEGABYTE = 1 << 20


def sparse(path, megabytes, dtype):
    """A .npy file of zeros that takes no room on the disk."""
    shape = (megabytes * MEGABYTE // 10 // np.dtype(dtype).itemsize, 10)
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    assert array.nbytes > (megabytes - 1) * MEGABYTE
    return shape[0]


@pytest.mark.parametrize(
    ("name", "small", "large"),
    [
        ("run", 4, 24),
        pytest.param("run of floats with a chosen scale", 80, 200, marks=pytest.mark.long),
        pytest.param("compare", 20, 1000, marks=pytest.mark.long),
        pytest.param("explore", 20, 1000, marks=pytest.mark.long),
    ],
)
def test_memory_does_not_grow_with_the_file(name, small, large, tmp_path):
    """Megabytes; a file that is mapped is no memory either, because its pages are given back block by block."""
    peaks = []
    for megabytes in (small, large):
        sparse(tmp_path / "scores.npy", megabytes, np.float32 if "floats" in name else np.int8)
        peaks.append(peak([*WORDS[name], "scores.npy"], tmp_path))
    assert peaks[1] - peaks[0] < 12 * MEGABYTE


def test_a_gigabyte_is_read_in_the_memory_of_a_block(tmp_path):
    """Without the verbs around it, which take minutes for so many vectors."""
    script = (
        "import resource, sys; from softstream.scripts import arrays; import numpy as np\n"
        "array = arrays.read_array('--scores', sys.argv[1]); total = 0\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for start in range(0, len(array), 1 << 20):\n"
        "    total += int(np.count_nonzero(array[start : start + (1 << 20)])); arrays.release(array)\n"
        "assert array.nbytes > 990 << 20 and total == 3, (array.nbytes, total)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    rows = sparse(tmp_path / "scores.npy", 1000, np.int8)
    mapped = np.lib.format.open_memmap(tmp_path / "scores.npy", "r+")
    mapped[[0, rows // 2, rows - 1], 3] = 1
    mapped.flush()
    done = subprocess.run(
        [sys.executable, "-c", script, "scores.npy"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 20 * 1024


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_of_an_archive_are_mapped(save, order, tmp_path, monkeypatch):
    codes, floats = np.asarray(CODES, order=order), np.asarray(FLOATS, order=order)
    save(tmp_path / "scores.npz", codes=codes, floats=floats)
    monkeypatch.setattr(arrays, "_MOST_IN_MEMORY", 100)
    for name, expected in {"codes": codes, "floats": floats}.items():
        array = arrays.read_array("--scores", f"{tmp_path / 'scores.npz'}:{name}")
        assert isinstance(array.base, np.memmap)
        assert array.dtype == expected.dtype
        assert np.array_equal(array, expected)
        arrays.release(array)
        assert np.array_equal(array, expected)


@pytest.mark.parametrize("last", ["7", "0.5", "1e3", "nan"])
def test_large_tables_are_mapped(last, tmp_path, monkeypatch):
    lines = [",".join(map(str, row)) for row in CODES]
    lines[-1] = lines[-1].rpartition(",")[0] + f",{last}"
    (tmp_path / "scores.csv").write_text("\n".join(lines))
    expected = arrays.read_array("--scores", str(tmp_path / "scores.csv"))
    monkeypatch.setattr(arrays, "_MOST_IN_MEMORY", 100)
    array = arrays.read_array("--scores", str(tmp_path / "scores.csv"))
    assert isinstance(array.base, np.memmap)
    assert array.dtype == expected.dtype
    assert np.array_equal(array, expected, equal_nan=last == "nan")


def test_a_disk_without_room_for_a_large_table_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "scores.csv").write_text("1,2\n" * 1000)
    monkeypatch.setattr(arrays, "_MOST_IN_MEMORY", 100)

    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrays.tempfile, "TemporaryFile", full)
    with pytest.raises(UserError, match=r"scores\.csv: cannot be read \(No space left on device\)"):
        arrays.read_array("--scores", str(tmp_path / "scores.csv"))


TOO_MANY = {
    "simulated Verilog": (["--engine", "rtl"], CODES, "the first 10 of the 60 vectors"),
    "packets": (["--set", "max_length=2", "--set", "groups=[2]"], CODES, "the first 10 of the 60 vectors"),
    "ensembles": (["--engine", "rtl", "--set", "ensemble=3"], CODES, "the first 9 of the 60 vectors"),
    "an axis between": (["--axis", "1"], CODES.reshape(3, 5, 20), r"numpy\.moveaxis\(scores, 1, -1\)"),
}


@pytest.mark.parametrize("name", TOO_MANY)
def test_what_would_need_the_whole_file_in_memory_is_refused_with_a_remedy(name, tmp_path, monkeypatch, capsys):
    words, scores, remedy = TOO_MANY[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "MOST_ELEMENTS", 50)
    np.save("scores.npy", scores)
    words = [*RUN, *words, "--scores", "scores.npy", "-o", "r.npz"]
    assert command(*words) == 2
    err = capsys.readouterr().err
    assert re.search(rf"scores\.npy: 300 scores; must be 50 at most for .*; for example {remedy}", err), err
    assert err.count("\n") == 1
    assert not (tmp_path / "r.npz").exists()
    if "--axis" in words:  # the others are simulated, or of a size that the limit allows
        monkeypatch.setattr(module, "BLOCK_ELEMENTS", 35)
        np.save("scores.npy", np.moveaxis(scores, 1, -1))
        assert command(*RUN, "--scores", "scores.npy", "-o", "r.npz", "--quiet") == 0
    elif "groups=[2]" in words:
        np.save("scores.npy", scores[:10])
        assert command(*words, "--quiet") == 0


def test_a_part_is_named_wherever_its_figures_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("softstream.scripts.scores.MOST_ELEMENTS", 50)
    monkeypatch.setattr("softstream.scripts.scale.MOST_ELEMENTS", 50)
    np.save("scores.npy", FLOATS)
    text = "10 of 60 vectors are read, evenly spaced"
    common = ["--set", "max_length=5", "--scores", "scores.npy", "--json"]
    assert command("compare", *common, "--no-place", "--set", "score_scale=0.1", "-o", "c.html") == 0
    assert text in json.loads(capsys.readouterr().out)["data"]["source"]
    assert text in (tmp_path / "c.html").read_text()
    assert command("explore", *common, "--sweep", "guard_bits=1,2", "--no-cells", "--set", "score_scale=0.1") == 0
    assert text in capsys.readouterr().out
    assert command("run", *common[:-1], "--set", "score_scale=auto", "-o", "r.npz") == 0
    assert text in " ".join(capsys.readouterr().out.split())


def test_the_scores_of_a_board_come_block_by_block(tmp_path, monkeypatch):
    np.save(tmp_path / "scores.npy", CODES)
    file, config = ScoreFile(str(tmp_path / "scores.npy")), preset("digits-softmax").replace(max_length=5)

    def given():
        with open_link(ModelBoard(config).port, timeout=10.0) as link:
            link.handshake(config)
            group = self_test(config, link, read_blocks(config, file), vectors=0)[-1]
        return group.name, group.vectors, group.elements, group.differences

    whole = given()
    assert whole == ("given", 60, 300, Differences())
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 35)
    assert given() == whole
