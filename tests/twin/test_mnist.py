"""The files of MNIST: what is read, and what is refused."""

import pytest

torch = pytest.importorskip("torch")

from softstream.hw.errors import UserError  # noqa: E402
from softstream.scripts.twin.experiments import compared  # noqa: E402
from softstream.scripts.twin.mnist import samples  # noqa: E402

pytestmark = pytest.mark.torch


def written(folder, *, images: int = 6, labels: int = 6) -> None:
    """Files of digits whose pixels are 0 and 255 in turn."""
    head = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in (images, 28, 28))
    (folder / "train-images-idx3-ubyte").write_bytes(head + bytes([0, 255]) * (images * 392))
    head = bytes([0, 0, 8, 1]) + labels.to_bytes(4, "big")
    (folder / "train-labels-idx1-ubyte").write_bytes(head + bytes(range(labels)))


def test_the_pixels_and_labels_of_a_folder(tmp_path):
    written(tmp_path)
    digits = samples(tmp_path, "train")
    assert digits.inputs.shape == (6, 784)
    assert digits.inputs[2, :4].tolist() == [0, 1, 0, 1]
    assert digits.labels.tolist() == [0, 1, 2, 3, 4, 5]
    results = compared(digits, digits, 4, 0, 1e-3)
    assert len(results) == 24
    assert {one.flips for one in results if one.training == "float"} <= {share / 6 for share in range(7)}


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(UserError, match="train-images-idx3-ubyte: No such file or directory; must be a file of MNIST"):
        samples(tmp_path, "train")


@pytest.mark.parametrize("text", [b"", b"\x1f\x8b\x08\x00packed", bytes([0, 0, 8, 1, 0, 0, 0, 9, 1])])
def test_a_file_that_is_no_array_is_refused(tmp_path, text):
    written(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(text)
    with pytest.raises(UserError, match=f"{len(text)} bytes that are no array of bytes in the IDX format"):
        samples(tmp_path, "train")


def test_images_without_labels_are_refused(tmp_path):
    written(tmp_path, labels=5)
    with pytest.raises(UserError, match="6 images and 5 labels of train"):
        samples(tmp_path, "train")
