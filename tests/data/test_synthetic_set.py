"""Synthetic sets on disk: what is written is read, and nothing unfinished passes for a set."""

import errno
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.data import synthetic_set
from ferbench.data.synthetic_set import SetWriter
from ferbench.errors import UserError


def made(n=21, *, px=8, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, px, px), dtype=np.uint8)
    return images, np.arange(n, dtype=np.int64) % len(CLASSES)


@pytest.fixture
def root(tmp_path):
    synthetic_set.write(tmp_path / "set", *made(), {"generator": {"kimg": 2.0}})
    return tmp_path / "set"


def change_manifest(root, **changes):
    facts = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps(facts | changes))


# --- what is written is read ---------------------------------------------------------------------


def test_a_set_comes_back(root):
    found = synthetic_set.read(root)
    images, labels = made()
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_array_equal(found.labels, labels)
    assert (found.root, len(found), found.labels.dtype) == (root, 21, np.int64)
    assert isinstance(found.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found.images[0] = 0


def test_the_manifest_says_what_is_in_the_set(root):
    """The hash is that of the pixels, row by row, and then of the labels in 8 little bytes."""
    manifest = synthetic_set.read(root).manifest
    images, labels = made()
    want = hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    assert manifest["hash"] == want == synthetic_set.content_hash(images, labels)
    assert (manifest["format"], manifest["kind"]) == (1, "synthetic")
    assert manifest["classes"] == list(CLASSES)
    assert manifest["counts"] == dict.fromkeys(CLASSES, 3)
    assert manifest["image_px"] == 8
    assert manifest["generator"] == {"kimg": 2.0}


def test_the_hash_does_not_depend_on_blocks(monkeypatch):
    images, labels = made()
    whole = synthetic_set.content_hash(images, labels)
    monkeypatch.setattr(synthetic_set, "BLOCK_ROWS", 4)
    assert synthetic_set.content_hash(images, labels) == whole
    assert synthetic_set.content_hash(images[::-1], labels) != whole
    assert synthetic_set.content_hash(images, labels[::-1]) != whole


def test_blocks_go_through_the_set_in_order(root, monkeypatch):
    monkeypatch.setattr(synthetic_set, "BLOCK_ROWS", 8)
    parts = list(synthetic_set.blocks(root))
    assert [(first, len(images)) for first, images, _ in parts] == [(0, 8), (8, 8), (16, 5)]
    np.testing.assert_array_equal(np.concatenate([images for _, images, _ in parts]), made()[0])
    np.testing.assert_array_equal(np.concatenate([labels for *_, labels in parts]), made()[1])


def test_newest_is_the_set_that_was_finished_last(tmp_path):
    for name, moment in (("a", 300), ("b", 100), ("c", 200)):
        synthetic_set.write(tmp_path / "synth" / name, *made(), {})
        os.utime(tmp_path / "synth" / name / "manifest.json", (moment, moment))
    SetWriter(tmp_path / "synth" / "unfinished", 3, 8, resume=False)
    assert synthetic_set.newest(tmp_path) == tmp_path / "synth" / "a"


def test_no_set_at_all_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match=r"no synthetic set here; `ferbench synth` makes one"):
        synthetic_set.newest(tmp_path)


def test_reading_needs_no_torch():
    code = "import sys, ferbench.data.synthetic_set; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- a set under way -----------------------------------------------------------------------------


def files_of(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_batch_by_batch_gives_the_same_files(root, tmp_path):
    images, labels = made()
    with SetWriter(tmp_path / "parts", 21, 8, resume=False) as writer:
        for start in range(0, 21, 5):
            writer.append(images[start : start + 5])
            writer.save_progress()
        writer.finish(labels, {"generator": {"kimg": 2.0}})
    assert files_of(tmp_path / "parts") == files_of(root)


def test_resuming_goes_on_behind_what_is_safe(root, tmp_path):
    """Images behind the last saved progress may be torn, so they are drawn again."""
    images, labels = made()
    parts = tmp_path / "parts"
    with SetWriter(parts, 21, 8, resume=False) as writer:
        writer.append(images[:10])
        writer.save_progress()
        writer.append(np.full((5, 8, 8), 99, np.uint8))
    with pytest.raises(UserError, match="the set is unfinished"):
        synthetic_set.read(parts)
    with SetWriter(parts, 21, 8, resume=True) as writer:
        assert writer.done == 10
        writer.append(images[10:])
        writer.finish(labels, {"generator": {"kimg": 2.0}})
    assert files_of(parts) == files_of(root)


@pytest.mark.parametrize(
    "progress",
    [None, "{", '{"images": 10, "shape": [21, 8, 9]}', '{"images": 22, "shape": [21, 8, 8]}', "[]"],
)
def test_a_progress_that_does_not_fit_starts_again(root, progress):
    (root / "manifest.json").unlink()
    if progress is not None:
        (root / "progress.json").write_text(progress)
    with SetWriter(root, 21, 8, resume=True) as writer:
        assert writer.done == 0
    assert not synthetic_set.np.load(root / "images.npy").any()


def test_a_set_that_is_written_again_is_none_until_it_is_whole(root, monkeypatch):
    def fail(*args):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(synthetic_set, "_hash", fail)
    with pytest.raises(OSError, match="broken"):
        synthetic_set.write(root, *made(seed=1), {})
    with pytest.raises(UserError, match="the set is unfinished"):
        synthetic_set.read(root)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def no_room(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(OSError, match="No space"):
        synthetic_set.write(tmp_path / "set", *made(), {})
    assert list((tmp_path / "set").iterdir()) == []


def test_the_room_of_all_images_is_taken_at_the_start(tmp_path):
    with SetWriter(tmp_path / "set", 1000, 48, resume=False):
        assert (tmp_path / "set" / "images.npy").stat().st_blocks * 512 >= 1000 * 48**2
        assert synthetic_set.bytes_needed(tmp_path / "set", 1000, 48) < 1000 * 8
    assert synthetic_set.bytes_needed(tmp_path / "other", 1000, 48) == 1000 * (48**2 + 8)


# --- what is refused -----------------------------------------------------------------------------


def test_what_is_no_set_is_refused(root, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        synthetic_set.read(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no synthetic set here \(manifest.json is missing\)"):
        synthetic_set.read(tmp_path / "empty")
    with pytest.raises(UserError, match="no such folder"):
        synthetic_set.read(root / "images.npy")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "not a synthetic set of format 1"),
        ({"kind": "real"}, "not a synthetic set of format 1"),
        ({"classes": list(reversed(CLASSES))}, "its classes are"),
        ({"classes": ["cat", "dog"]}, "its classes are"),
        ({"counts": dict.fromkeys(CLASSES, 2)}, "damaged"),
        ({"counts": {"angry": 21}}, "damaged"),
        ({"counts": None}, "damaged"),
        ({"image_px": 48}, "damaged"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(root, changes, reason):
    change_manifest(root, **changes)
    with pytest.raises(UserError, match=reason):
        synthetic_set.read(root)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\xff"])
def test_a_manifest_that_is_none_is_refused(root, text):
    (root / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"manifest is damaged|not a synthetic set"):
        synthetic_set.read(root)


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_a_changed_byte_is_refused(root, name):
    """A pixel, or two labels in each other's place."""
    content = np.load(root / name)
    if name == "images.npy":
        content[3, 4, 5] ^= 1
    else:
        content[:2] = content[1::-1]
    np.save(root / name, content)
    with pytest.raises(UserError, match=r"damaged .*not the content of the manifest's hash"):
        synthetic_set.read(root)


def test_arrays_that_do_not_fit_are_refused(root):
    path = root / "images.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        synthetic_set.read(root)
    np.save(path, made()[0].astype(np.int16))
    with pytest.raises(UserError, match="int16"):
        synthetic_set.read(root)
    path.unlink()
    with pytest.raises(UserError, match="damaged"):
        synthetic_set.read(root)


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_a_pickle_inside_is_not_opened(root, name):
    class Hostile:
        def __reduce__(self):
            return (os.mkdir, (str(root / "pwned"),))

    np.save(root / name, np.array([Hostile()], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="damaged"):
        synthetic_set.read(root)
    assert not (root / "pwned").exists()


def test_labels_of_no_class_are_refused(root):
    labels = made()[1]
    labels[3] = 7
    np.save(root / "labels.npy", labels)
    with pytest.raises(UserError, match="damaged"):
        synthetic_set.read(root)
    np.save(root / "labels.npy", labels - 5)
    with pytest.raises(UserError, match="damaged"):
        synthetic_set.read(root)
