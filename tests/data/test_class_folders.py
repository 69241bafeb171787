"""Sets of other generators: images in folders named by class, and our own exports."""

import io
import os
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from ferbench.classes import CLASSES
from ferbench.data import class_folders, export, label_counts, synthetic_set
from ferbench.data.fer2013.image_files import decode
from ferbench.data.resize import resize
from ferbench.errors import UserError

ORIENTATION = 0x0112  # the EXIF tag


def noise(px: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (px, px), dtype=np.uint8)


def save(path, levels, mode="L", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).convert(mode).save(path, **options)


def write_set(root, px=48, per_class=2):
    """A folder of another generator: the same file names in every class."""
    for label, name in enumerate(CLASSES):
        for i in range(per_class):
            save(root / name / f"{i}.png", noise(px, 10 * label + i))
    return root


def read(root, tmp_path):
    assert class_folders.is_one(root)
    return class_folders.read(root, tmp_path / "cache")


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("px", [48, 64])
def test_an_export_is_read_as_the_set_that_it_was(tmp_path, kind, px):
    """The same images in the same order: the same content hash."""
    labels = label_counts.interleaved([5, 3, 2, 4, 1, 2, 6])
    images = np.stack([noise(px, i) for i in range(len(labels))])
    root = tmp_path / "a_set"
    written = synthetic_set.write(root, images, labels, {"generator": {"kimg": 1}})
    name, make = export.EXPORTS[kind]
    make(root, root / name, classes=CLASSES, first_seed=70)
    made = read(root / name, tmp_path)
    assert made.manifest["hash"] == written["hash"]
    assert np.array_equal(made.images, images) and np.array_equal(made.labels, labels)
    assert (made.image_px, made.root) == (px, root / name)
    assert made.name == f"a_set_{name}"
    assert not {"generator", "seeds"} & set(made.manifest)


def test_every_beginning_has_all_classes(tmp_path):
    made = read(write_set(tmp_path / "theirs"), tmp_path)
    assert made.labels.tolist() == [*range(7), *range(7)]
    assert np.array_equal(made.images[8], noise(48, 11))
    assert made.name == "theirs"


def test_words_for_the_classes_are_those_of_prepare(tmp_path):
    root = write_set(tmp_path / "theirs", per_class=1)
    for name, word in {"angry": "Anger", "happy": "happiness", "surprise": "SURPRISED"}.items():
        (root / name).rename(root / word)
    made = read(root, tmp_path)
    assert made.labels.tolist() == list(range(7))
    assert np.array_equal(made.images[3], noise(48, 30))


def test_modes_and_sizes_are_handled_as_by_prepare(tmp_path, capsys):
    """With images of several sizes, each becomes what `prepare` makes of it."""
    root = write_set(tmp_path / "theirs", per_class=1)
    color = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(color).save(root / "happy" / "1.png")
    Image.fromarray(noise(48, 5).astype(np.uint16) * 257).save(root / "sad" / "1.png")
    made = read(root, tmp_path)
    assert made.image_px == 48
    files = {"happy": root / "happy/1.png", "sad": root / "sad/1.png"}
    for name, path in files.items():
        row = np.flatnonzero(made.labels == CLASSES.index(name))[1]
        assert np.array_equal(made.images[row], decode(path.read_bytes())[0])
    printed = capsys.readouterr().out
    assert f"note: {root}: converted to 48 x 48 gray: RGB 80x60 (1), I;16 (1)\n" in printed


@pytest.mark.parametrize("px", [32, 64])
def test_squares_of_one_size_keep_it(tmp_path, px):
    """So they are resized as our own sets are."""
    made = read(write_set(tmp_path / "theirs", px), tmp_path)
    assert made.image_px == px
    assert np.array_equal(made.images[0], noise(px))
    assert not np.array_equal(resize(made.images, 48)[0], decode(png(noise(px)))[0])


def png(levels):
    data = io.BytesIO()
    Image.fromarray(levels).save(data, "PNG")
    return data.getvalue()


def test_large_images_become_squares_of_48(tmp_path, capsys):
    root = write_set(tmp_path / "theirs", class_folders.MAX_PX + 1, per_class=1)
    made = read(root, tmp_path)
    assert made.image_px == 48
    assert np.array_equal(made.images[0], decode(png(noise(257)))[0])
    assert "converted to 48 x 48 gray: 257x257 (7)\n" in capsys.readouterr().out


def test_pictures_that_lie_are_turned_upright(tmp_path, capsys):
    root = write_set(tmp_path / "theirs", 64, per_class=1)
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    save(root / "angry" / "0.png", noise(64), exif=exif)
    made = read(root, tmp_path)
    assert np.array_equal(made.images[0], noise(64)[::-1, ::-1])
    assert "converted to 64 x 64 gray: turned (1)\n" in capsys.readouterr().out


def test_what_is_left_out_is_counted_and_named(tmp_path, capsys):
    root = write_set(tmp_path / "theirs", per_class=1)
    (root / "README.md").write_text("x")
    (root / "angry" / "list.txt").write_text("x")
    (root / "angry" / ".DS_Store").write_text("x")
    save(root / "contempt" / "0.png", noise(48))
    assert len(read(root, tmp_path)) == 7
    printed = capsys.readouterr().out
    text = "1 images outside the folders of the seven classes were not read, the first is"
    assert f"note: {root}: {text} contempt/0.png\n" in printed
    assert f"{root}: files that are no images, skipped: 3, the first is README.md" in printed


def test_files_are_read_once_and_notes_printed_each_time(tmp_path, capsys, monkeypatch):
    root = write_set(tmp_path / "theirs", per_class=1)
    (root / "README.md").write_text("x")
    first = read(root, tmp_path)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(class_folders.image_files, "gray_image", None)
        assert read(root, tmp_path).manifest == first.manifest
    assert "README.md" in capsys.readouterr().out
    save(root / "angry" / "0.png", noise(48, 99))  # the files are others now
    os.utime(root / "angry" / "0.png", ns=(1, 1))
    assert np.array_equal(read(root, tmp_path).images[0], noise(48, 99))


def test_the_same_images_elsewhere_have_the_same_hash(tmp_path):
    """In a zip, in another folder and under other dates."""
    one, other = write_set(tmp_path / "one"), write_set(tmp_path / "other" / "train")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for file in sorted(one.rglob("*.png")):
            packed.write(file, file.relative_to(tmp_path))
    roots = (one, other.parent, tmp_path / "set.zip")
    assert len({read(root, tmp_path).manifest["hash"] for root in roots}) == 1


def test_what_is_no_set_is_one_line(tmp_path):
    twice = tmp_path / "twice"
    write_set(twice / "train"), write_set(twice / "test")
    text = f"{re.escape(str(twice))}: class folders in 'test' and 'train'; expected one of these"
    with pytest.raises(UserError, match=f"^{text}$"):
        read(twice, tmp_path)
    web = write_set(tmp_path / "web")
    (web / "sad" / "x.webp").write_bytes(b"x")
    with pytest.raises(UserError, match=r"web: sad/x.webp: expected images as .jpg, .jpeg, .png"):
        read(web, tmp_path)
    broken = write_set(tmp_path / "broken")
    (broken / "sad" / "0.png").write_bytes(png(noise(48))[:200])
    with pytest.raises(UserError, match=r"broken: sad/0.png: is not a readable image .*expected"):
        read(broken, tmp_path)
    with pytest.raises(UserError, match=r"broken: sad/0.png: is not a readable image"):
        read(broken, tmp_path)  # nothing half-made was kept
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as packed:
        packed.writestr("a.txt", "x")
    with pytest.raises(UserError, match="no images in folders named angry, disgust, fear"):
        read(tmp_path / "other.zip", tmp_path)
    assert not class_folders.is_one(tmp_path / "cache")
    assert not class_folders.is_one(tmp_path / "nowhere")
