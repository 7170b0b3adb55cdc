"""Large score files: read block by block or in part, so that their size does not decide over the memory of a verb."""

import subprocess
import sys

import numpy as np
import pytest

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts import scores as module
from softstream.scripts.cli import main
from softstream.scripts.scores import ScoreFile, read_blocks, read_labels, read_scores

RNG = np.random.default_rng(1)
FLOATS = (RNG.standard_normal((60, 5)) * 8).astype(np.float32)
CODES = RNG.integers(-128, 128, (60, 5), dtype=np.int8)
LENGTHS = RNG.integers(1, 6, 60)


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
    words = [
        "run",
        "--set",
        "max_length=5",
        "--set",
        "score_scale=0.1",
        *options,
        "--scores",
        "scores.npy",
        "--quiet",
        "-o",
    ]
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


VERBS = {
    "run": ["run", "digits-softmax", "-o", "r.npz", "--quiet", "--scores"],
    "compare": ["compare", "digits-softmax", "--no-place", "--quiet", "--scores"],
    "explore": ["explore", "digits-softmax", "--sweep", "guard_bits=1,2", "--no-cells", "--quiet", "--scores"],
}
SIZES = {"run": (2_000_000, 12_000_000), "compare": (18_000_000, 40_000_000), "explore": (18_000_000, 40_000_000)}
"""Bytes of two files; compare and explore read parts of both."""


@pytest.mark.parametrize(
    "verb", ["run", *(pytest.param(name, marks=pytest.mark.long) for name in ("compare", "explore"))]
)
def test_memory_grows_by_no_more_than_twice_the_file(verb, tmp_path):
    """The file is mapped, so the pages that were read count once. A gigabyte then costs two, where it took twenty."""
    peaks = []
    for size in SIZES[verb]:
        np.save(tmp_path / "scores.npy", RNG.integers(-128, 128, (size // 10, 10), dtype=np.int8))
        peaks.append(peak([*VERBS[verb], "scores.npy"], tmp_path))
    small, large = SIZES[verb]
    assert (peaks[1] - peaks[0]) / (large - small) < 2
