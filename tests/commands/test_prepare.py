import zipfile

import numpy as np
import pytest
from PIL import Image

from ferbench.classes import CLASSES
from ferbench.commands import prepare
from ferbench.data import face_set
from ferbench.errors import UserError


@pytest.fixture
def archive(tmp_path):
    """A zip with the release's layout: two training images a class, one of each test split."""
    rng = np.random.default_rng(0)
    path = tmp_path / "fer2013.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in CLASSES:
            for k, split in enumerate(("Training", "Training", "PublicTest", "PrivateTest")):
                folder = "train" if split == "Training" else "test"
                with made.open(f"{folder}/{name}/{split}_{k}.png", "w") as file:
                    pixels = rng.integers(0, 256, (48, 48), dtype=np.uint8)
                    Image.fromarray(pixels).save(file, "PNG")
    return path


@pytest.fixture
def new(tmp_path):
    """The cache of an outputs folder where nothing is prepared yet."""
    return tmp_path / "new/data/fer2013"


def make(make_job, archive, *overrides):
    return make_job("prepare", f"source={archive}", "allow_other_counts=true", *overrides)


def make_new(make_job, archive, *overrides):
    """As `make`, with an outputs folder where nothing is prepared yet: archive's neighbor."""
    return make(make_job, archive, f"outputs={archive.parent / 'new'}", *overrides)


def test_prepare_writes_the_cache_and_prints_its_counts(make_job, archive, tmp_path, capsys):
    prepare.run(make(make_job, archive, f"outputs={tmp_path / 'new'}"))
    faces = face_set.read(tmp_path / "new/data/fer2013")
    assert {split: len(f) for split, f in faces.splits.items()} == {
        "train": 14,
        "public": 7,
        "private": 7,
    }
    printed = capsys.readouterr().out
    assert "train" in printed and "groups of identical images" in printed
    assert (tmp_path / "new/data/fer2013/duplicates.csv").exists()


def test_a_second_call_finds_the_cache_and_a_changed_source_does_not(
    make_job, archive, new, capsys
):
    prepare.run(make_new(make_job, archive))
    before = (new / "manifest.json").stat().st_mtime_ns
    prepare.run(make_new(make_job, archive))
    assert "is prepared already" in capsys.readouterr().out
    assert (new / "manifest.json").stat().st_mtime_ns == before
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("README.txt", "another archive")
    prepare.run(make_new(make_job, archive))
    assert (new / "manifest.json").stat().st_mtime_ns > before


def test_another_source_replaces_nothing_without_force(make_job, archive, outputs):
    cache = outputs / "data/fer2013"
    before = (cache / "manifest.json").read_bytes()
    with pytest.raises(UserError) as caught:
        prepare.run(make(make_job, archive))
    assert str(caught.value) == (
        f"source={archive}: {cache} holds fer2013 (280 images); "
        "force=true replaces it, outputs=FOLDER keeps both"
    )
    assert (cache / "manifest.json").read_bytes() == before
    prepare.run(make(make_job, archive, "force=true"))
    assert face_set.read(cache).manifest["name"] == "fer2013_zip"


def test_a_second_source_is_told_what_is_there(make_job, archive, new, tmp_path):
    mine = archive.rename(tmp_path / "my faces.zip")
    prepare.run(make_new(make_job, mine))
    assert face_set.read(new).manifest["name"] == "my_faces"
    other = tmp_path / "other.zip"
    other.write_bytes(mine.read_bytes() + b" ")
    with pytest.raises(UserError, match=r"holds my_faces \(28 images of my faces\.zip\)"):
        prepare.run(make_new(make_job, other))


def test_files_of_others_are_never_replaced(make_job, archive, new):
    """Raw images in the cache's own folder stay, with force=true too."""
    (new / "train").mkdir(parents=True)
    (new / "train/face.png").write_bytes(b"x")
    with pytest.raises(UserError, match="it is left alone; expected another folder"):
        prepare.run(make_new(make_job, archive, "force=true"))
    assert (new / "train/face.png").exists()


def test_a_held_out_folder_is_divided(make_job, new, tmp_path, capsys):
    for name in CLASSES:
        for k, folder in enumerate(("train", "test", "test")):
            file = tmp_path / "mine" / folder / name / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(k).integers(0, 256, (48, 48), dtype=np.uint8)
            Image.fromarray(pixels).save(file)
    prepare.run(make_new(make_job, tmp_path / "mine", "split_held_out=true"))
    faces = face_set.read(new)
    assert {split: len(f) for split, f in faces.splits.items()} == dict.fromkeys(faces.splits, 7)
    printed = capsys.readouterr().out
    assert "of each class of the 14 held-out images, the first half is the public" in printed
    assert "not the content of the FER2013 release: the set is called mine" in printed


def test_toy_faces_do_not_replace_fer2013(make_job, outputs):
    cache = outputs / "data/fer2013"
    with pytest.raises(UserError, match="holds the faces fer2013, which are left alone"):
        prepare.run(make_job("prepare", "source=toy", f"data.folder={cache}"))
    assert face_set.read(cache).manifest["name"] == "fer2013"


def test_other_counts_are_refused_and_leave_no_cache(make_job, archive, tmp_path):
    job = make_job("prepare", f"source={archive}", f"outputs={tmp_path / 'new'}")
    with pytest.raises(UserError, match="allow_other_counts=true"):
        prepare.run(job)
    assert not list((tmp_path / "new").rglob("*.npy"))


def test_a_bad_archive_leaves_the_earlier_cache(make_job, archive, new):
    prepare.run(make_new(make_job, archive))
    good = face_set.read(new).manifest["hashes"]
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("train/angry/Training_9.png", b"no image")
    with pytest.raises(UserError, match=r"Training_9\.png"):
        prepare.run(make_new(make_job, archive))
    assert face_set.read(new).manifest["hashes"] == good


def test_toy_faces_are_rendered_once(make_job, tmp_path, capsys):
    sizes = ("data.toy_train=14", "data.toy_public=7", "data.toy_private=7")
    prepare.run(make_job("prepare", "source=toy", *sizes))
    prepare.run(make_job("prepare", "source=toy", *sizes))
    assert capsys.readouterr().out.count("rendering 28 toy faces") == 1
    faces = face_set.read(tmp_path / "outputs/data/toy")
    assert faces.manifest["name"] == "toy"
    assert faces.splits["train"].action_units is not None
    prepare.run(make_job("prepare", "source=toy", *sizes, "force=true"))
    assert "rendering 28 toy faces" in capsys.readouterr().out
    prepare.run(make_job("prepare", "source=toy", *sizes, "data.toy_seed=1"))
    printed = capsys.readouterr().out
    assert "rendering 28 toy faces" in printed
    assert f"done: {tmp_path / 'outputs/data/toy_14_7_7_s1'}" in printed
    prepare.run(make_job("prepare", "source=toy", *sizes))
    assert "rendering" not in capsys.readouterr().out
