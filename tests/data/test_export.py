"""Sets as PNG files: the layout of the FER2013 download, whole or absent."""

import errno
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from ferbench.classes import CLASSES
from ferbench.data import export, synthetic_set
from ferbench.data.fer2013 import archive, image_files

FIRST = 50


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A set of 30 images of 48 pixels, read in blocks of 8."""
    monkeypatch.setattr(synthetic_set, "BLOCK_ROWS", 8)
    images = np.random.default_rng(0).integers(0, 256, (30, 48, 48), dtype=np.uint8)
    labels = np.arange(30, dtype=np.int64) % 7
    synthetic_set.write(tmp_path / "set", images, labels, {})
    return tmp_path / "set"


def export_as(kind, root):
    name, write = export.EXPORTS[kind]
    count = write(root, root / name, classes=CLASSES, first_seed=FIRST)
    return root / name, count


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_export_is_read_as_fer2013_is(root, kind):
    """By the reader of the download: split, class by name, and the same pixels."""
    target, count = export_as(kind, root)
    assert count == 30
    found = synthetic_set.read(root)
    with archive.open_files(target) as files:
        layout = image_files.find_layout(files)
        assert layout.outside == []
        records = list(image_files.records(files, layout.members))
    assert len(records) == 30
    for record in records:
        i = int(record.name.rpartition("_")[2].removesuffix(".png")) - FIRST
        assert (record.split, record.label, record.converted) == ("train", found.labels[i], None)
        np.testing.assert_array_equal(record.image, found.images[i])


def test_names_carry_class_and_seed(root):
    folder, _ = export_as("folder", root)
    packed, _ = export_as("zip", root)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    assert "train/happy/happy_0000000053.png" in names
    with zipfile.ZipFile(packed) as file:
        assert sorted(file.namelist()) == names
        for name in names[:3]:
            assert file.read(name) == (folder / name).read_bytes()


def test_the_same_set_gives_the_same_zip(root):
    first = export_as("zip", root)[0].read_bytes()
    assert export_as("zip", root)[0].read_bytes() == first


def test_an_older_folder_is_replaced(root):
    folder, _ = export_as("folder", root)
    (folder / "train" / "happy" / "old.png").write_bytes(b"")
    left = root / ".png-killed"
    left.mkdir()
    export_as("folder", root)
    assert not (folder / "train" / "happy" / "old.png").exists()
    assert not left.exists()


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_full_disk_leaves_no_export(root, kind, monkeypatch):
    calls = iter(range(100))
    encode = export.png

    def fail(image):
        if next(calls) == 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return encode(image)

    before = sorted(root.iterdir())
    monkeypatch.setattr(export, "png", fail)
    with pytest.raises(OSError, match="No space"):
        export_as(kind, root)
    assert sorted(root.iterdir()) == before


def test_png_keeps_every_level():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with Image.open(io.BytesIO(export.png(image))) as found:
        assert found.mode == "L"
        np.testing.assert_array_equal(np.asarray(found), image)
