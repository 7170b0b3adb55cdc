"""All that accompanies the Verilog: options, manifest, pages, and text that is the same everywhere."""

import json
from pathlib import Path

import pytest
from support.generated_files import NAME, head

import softstream.scripts.emit
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.cli import main
from softstream.scripts.emit import ARTEFACTS, artefact_files
from softstream.scripts.verbs.generate import texts

SMALL = Config(mode="argmax", max_length=4, score_width=2)
FOLDER = Path(softstream.scripts.emit.__path__[0])


def test_every_module_of_the_folder_has_a_row() -> None:
    modules = {path.stem for path in FOLDER.iterdir() if path.stem not in ("__init__", "__pycache__", "head")}
    assert modules == {artefact.module for artefact in ARTEFACTS.values()}


def test_every_artefact_has_an_option_and_a_row_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    text = capsys.readouterr().out
    page = (Path(__file__).parents[3] / "scripts" / "README.md").read_text(encoding="utf-8")
    for name in ARTEFACTS:
        assert f"--{name} " in text
        assert f"| `--{name}` |" in page


def test_all_of_them_are_written_and_listed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(
            [
                "generate",
                "--set",
                "mode=argmax",
                "--set",
                "max_length=4",
                "--all",
                "--name",
                NAME,
                "--quiet",
                "-o",
                str(tmp_path),
            ]
        )
    assert end.value.code == 0
    listed = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["artefacts"]
    assert list(listed) == list(ARTEFACTS)
    names = [file for files in listed.values() for file in files]
    assert len(set(names)) == len(names)
    always = {f"{NAME}.v", f"{NAME}.veo", "config.toml", "manifest.json"}
    assert {path.name for path in tmp_path.iterdir()} == always | set(names)
    assert not always & set(names)


def test_none_is_written_unasked() -> None:
    assert json.loads(texts(SMALL, name=NAME)["manifest.json"])["artefacts"] == {}


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_files_carry_the_name_and_are_the_same_every_time(artefact: str) -> None:
    files = artefact_files(head(SMALL), [artefact])[artefact]
    assert files == artefact_files(head(SMALL), [artefact])[artefact]
    for file, text in files.items():
        assert file.startswith(NAME) or NAME in text
        assert "/tmp" not in text
        assert text.endswith("\n")
        assert not [line for line in text.splitlines() if line != line.rstrip()]
        assert text.isascii()


def test_nothing_is_written_where_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softstream.scripts.emit.c_model.header.COVERED", frozenset({"mode"}))
    with pytest.raises(UserError, match="--c-model with max_length = 4"):
        texts(SMALL, ["c-model"], NAME)
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        main(["generate", "--set", "max_length=4", "--c-model", "-o", str(out)])
    assert end.value.code == 2
    assert not out.exists()
