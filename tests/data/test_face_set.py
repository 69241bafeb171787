import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.data import face_set, named_sets, synthetic_set
from ferbench.data.face_set import Faces
from ferbench.data.named_sets import ToySize
from ferbench.errors import UserError
from ferbench.files import locked


def make_faces(n=14, *, seed=0, units=False):
    rng = np.random.default_rng(seed)
    return Faces(
        rng.integers(0, 256, (n, 48, 48), dtype=np.uint8),
        np.arange(n, dtype=np.int64) % 7,
        np.array([f"face_{i:03d}" for i in range(n)], dtype=np.str_),
        rng.random((n, 13), dtype=np.float32) if units else None,
    )


@pytest.fixture
def written(tmp_path):
    """A set of two splits, one with action units, and one further array."""
    splits = {"train": make_faces(21, units=True), "public": make_faces(7, seed=1)}
    extras = {"clean_train": np.arange(21) > 3}
    face_set.write(
        tmp_path / "set", splits, {"name": "made"}, extras=extras, texts={"notes.txt": "Grüße\n"}
    )
    return tmp_path / "set"


def change_manifest(root, **changes):
    facts = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps(facts | changes))


# --- what is written is read ---------------------------------------------------------------------


def test_a_set_comes_back(written):
    found = face_set.read(written)
    for split, want in (("train", make_faces(21, units=True)), ("public", make_faces(7, seed=1))):
        faces = found.splits[split]
        np.testing.assert_array_equal(faces.images, want.images)
        np.testing.assert_array_equal(faces.labels, want.labels)
        np.testing.assert_array_equal(faces.names, want.names)
    np.testing.assert_array_equal(
        found.splits["train"].action_units, make_faces(21, units=True).action_units
    )
    assert found.splits["public"].action_units is None
    np.testing.assert_array_equal(found.extras["clean_train"], np.arange(21) > 3)
    assert (written / "notes.txt").read_text(encoding="utf-8") == "Grüße\n"


def test_the_manifest_says_what_is_in_the_set(written):
    manifest = face_set.read_manifest(written)
    assert manifest["name"] == "made"
    assert manifest["classes"] == list(CLASSES)
    assert manifest["counts"]["train"] == dict.fromkeys(CLASSES, 3)
    assert manifest["hashes"]["public"] == face_set.content_hash(make_faces(7, seed=1))
    assert manifest["action_units"] == ["train"]


def test_arrays_are_memory_mapped_and_read_only(written):
    images = face_set.read(written).splits["train"].images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_take_copies_the_rows_of_every_array():
    faces = make_faces(units=True)
    rows = np.array([5, 2])
    taken = faces.take(rows)
    assert taken.names.tolist() == ["face_005", "face_002"]
    np.testing.assert_array_equal(taken.images, faces.images[rows])
    np.testing.assert_array_equal(taken.action_units, faces.action_units[rows])
    assert len(faces.take(faces.labels == 3)) == 2
    taken.images[:] = 0
    assert faces.images[rows].any()


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.zeros((14, 48, 47), np.uint8)},
        {"images": np.zeros((14, 48, 48), np.float32)},
        {"labels": np.zeros(13, np.int64)},
        {"labels": np.zeros(14, np.int32)},
        {"names": np.zeros(14, np.int64)},
        {"action_units": np.zeros((13, 5), np.float32)},
    ],
)
def test_arrays_that_do_not_fit_together_are_a_bug(change):
    arrays = vars(make_faces()) | change
    with pytest.raises(AssertionError):
        Faces(**arrays)


# --- hashes --------------------------------------------------------------------------------------


def test_the_hash_is_of_pixels_and_labels_in_order():
    """Names and action units do not count; one pixel, one label or another order does."""
    faces = make_faces()
    same = Faces(faces.images, faces.labels, faces.names[::-1], make_faces(units=True).action_units)
    assert face_set.content_hash(same) == face_set.content_hash(faces)
    other_pixel, other_label = faces.images.copy(), faces.labels.copy()
    other_pixel[0, 0, 0] ^= 1
    other_label[0] = 6
    others = (
        Faces(other_pixel, faces.labels, faces.names),
        Faces(faces.images, other_label, faces.names),
        faces.take(np.arange(14)[::-1]),
    )
    hashes = {face_set.content_hash(one) for one in (faces, *others)}
    assert len(hashes) == 4


def test_the_hash_of_a_known_set():
    """SHA-256 of 2,304 zero bytes and the label 1 as eight little-endian bytes."""
    faces = Faces(np.zeros((1, 48, 48), np.uint8), np.array([1]), np.array(["a"]))
    want = "69ff78ab7589c6dd97e99678ee8cdee70c3593747e392ab3482d3a5698dccf17"
    assert face_set.content_hash(faces) == want


def test_the_hash_survives_writing_and_reading(written):
    found = face_set.read(written)
    for split, faces in found.splits.items():
        assert face_set.content_hash(faces) == found.manifest["hashes"][split]


# --- all or nothing ------------------------------------------------------------------------------


def fail_at(monkeypatch, name, number):
    """Let the call of `number` of np.save or os.rename fail as a full disk does."""
    module = {"save": np, "rename": os}[name]
    real, calls = getattr(module, name), []

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) == number:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, failing)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, number):
    splits = {"train": make_faces(), "public": make_faces()}
    fail_at(monkeypatch, "save", number)
    with pytest.raises(OSError, match="No space"):
        face_set.write(tmp_path / "set", splits, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "number"), [("save", 2), ("rename", 1), ("rename", 2)])
def test_a_failure_leaves_the_older_set(written, monkeypatch, name, number):
    with monkeypatch.context() as patch:
        fail_at(patch, name, number)
        with pytest.raises(OSError, match="No space"):
            face_set.write(written, {"train": make_faces(7)}, {"name": "new"})
    assert face_set.read(written).manifest["name"] == "made"
    assert [path.name for path in written.parent.iterdir()] == ["set"]


def test_a_new_set_takes_the_place_of_the_older_one(written):
    face_set.write(written, {"private": make_faces(7)}, {"name": "new"})
    found = face_set.read(written)
    assert (found.manifest["name"], list(found.splits), found.extras) == ("new", ["private"], {})
    assert [path.name for path in written.parent.iterdir()] == ["set"]
    assert not (written / "notes.txt").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from ferbench.data import face_set
from ferbench.data.face_set import Faces

faces = Faces(np.zeros((7, 48, 48), np.uint8), np.arange(7), np.array(list("abcdefg")))
name, number = sys.argv[2], int(sys.argv[3])
module, calls = {"save": np, "rename": os}[name], []
real = getattr(module, name)

def killing(*args, **kwargs):
    calls.append(args)
    if len(calls) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

setattr(module, name, killing)
root = Path(sys.argv[1])
with face_set.at_work(root):
    face_set.write(root, {"train": faces}, {"name": "new"})
"""


@pytest.mark.parametrize(("name", "number"), [("save", 2), ("rename", 1), ("rename", 2)])
def test_a_kill_while_a_set_is_replaced_leaves_the_older_one(written, name, number):
    """While it is written, before it moves aside, and between the two renames; nothing is left."""
    words = [sys.executable, "-c", KILLED, str(written), name, str(number)]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    assert written.exists() == ((name, number) != ("rename", 2))
    assert len(list(written.parent.iterdir())) > 1
    assert named_sets.open_real(written).manifest["name"] == "made"
    with face_set.at_work(written):
        assert {path.name for path in written.parent.iterdir()} == {"set", ".set.lock"}


def test_an_old_set_goes_once_the_new_one_stands(written):
    shutil.copytree(written, written.with_name(".set.old"))
    written.with_name(".set.new-abc").mkdir()
    with face_set.at_work(written):
        assert {path.name for path in written.parent.iterdir()} == {"set", ".set.lock"}
    assert face_set.read(written).manifest["name"] == "made"


def test_only_one_process_writes_a_set_at_a_time(written):
    lock = written.with_name(".set.lock")
    with (
        face_set.at_work(written),
        pytest.raises(TimeoutError),
        locked(lock, wait_seconds=0),
    ):
        pass


# --- toy faces -----------------------------------------------------------------------------------


def test_toy_faces_of_two_sizes_stay_apart(tmp_path, capsys):
    sizes = [ToySize(14, 7, 7, 0), ToySize(7, 7, 7, 0), ToySize(14, 7, 7, 1)]
    roots = [named_sets.open_toy(tmp_path / "toy", size, workers=1).root for size in sizes]
    assert [root.name for root in roots] == ["toy", "toy_7_7_7_s0", "toy_14_7_7_s1"]
    assert capsys.readouterr().out.count("rendering") == 3
    for size, root in zip(sizes, roots, strict=True):
        again = named_sets.open_toy(tmp_path / "toy", size, workers=1)
        assert (again.root, again.manifest["size"]) == (root, vars(size))
    assert capsys.readouterr().out == ""
    named_sets.open_toy(tmp_path / "toy", sizes[1], workers=1, anew=True)
    assert capsys.readouterr().out == f"rendering 21 toy faces to {roots[1]}\n"


# --- damage --------------------------------------------------------------------------------------


def truncate(path, size):
    path.write_bytes(path.read_bytes()[:size])


def flip_last_bit(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


DAMAGES = {
    "missing array": lambda root: (root / "train_images.npy").unlink(),
    "missing extra": lambda root: (root / "clean_train.npy").unlink(),
    "half an array": lambda root: truncate(root / "train_images.npy", 5000),
    "empty array": lambda root: truncate(root / "train_labels.npy", 0),
    "half a header": lambda root: truncate(root / "train_names.npy", 20),
    "other length": lambda root: np.save(root / "train_labels.npy", np.arange(20) % 7),
    "label 7": lambda root: np.save(root / "train_labels.npy", np.arange(21) % 8),
    "negative label": lambda root: np.save(root / "train_labels.npy", np.arange(21) % 7 - 1),
    "other labels": lambda root: np.save(root / "train_labels.npy", np.zeros(21, np.int64)),
    "float images": lambda root: np.save(root / "train_images.npy", np.zeros((21, 48, 48))),
    "smaller images": lambda root: np.save(
        root / "train_images.npy", np.zeros((21, 32, 32), np.uint8)
    ),
    "short units": lambda root: np.save(
        root / "train_action_units.npy", np.zeros((20, 13), np.float32)
    ),
    "objects": lambda root: np.save(root / "train_names.npy", np.array([{}] * 21)),
    "a bit of an image": lambda root: flip_last_bit(root / "train_images.npy"),
    "a bit of a name": lambda root: flip_last_bit(root / "public_names.npy"),
    "a bit of a mask": lambda root: flip_last_bit(root / "clean_train.npy"),
    "hashes of text": lambda root: change_manifest(root, sha256="none"),
    "manifest without counts": lambda root: change_manifest(root, counts=None),
    "manifest without extras": lambda root: change_manifest(root, extras=7),
    "counts of text": lambda root: change_manifest(root, counts={"train": "many"}),
    "half a manifest": lambda root: truncate(root / "manifest.json", 100),
    "a binary manifest": lambda root: (root / "manifest.json").write_bytes(b"\xff\xfe{"),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_set_is_refused_in_one_line(written, damage):
    DAMAGES[damage](written)
    with pytest.raises(UserError, match="damaged") as refused:
        face_set.read(written)
    assert str(written) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_set_without_hashes_of_its_files_is_read(written):
    """As they were written before there were any."""
    facts = json.loads((written / "manifest.json").read_text())
    del facts["sha256"]
    (written / "manifest.json").write_text(json.dumps(facts))
    assert face_set.read(written).manifest["name"] == "made"


def test_another_order_of_classes_is_refused(written):
    change_manifest(written, classes=sorted(CLASSES, reverse=True))
    with pytest.raises(UserError, match=r"classes are \['surprise'.*expected \['angry'"):
        face_set.read(written)


@pytest.mark.parametrize("found", [{"format": 2}, {"format": None}])
def test_another_format_is_refused(written, found):
    change_manifest(written, **found)
    with pytest.raises(UserError, match="not a face set of format 1"):
        face_set.read(written)


def test_an_absent_set_is_refused(tmp_path, written):
    with pytest.raises(UserError, match="no face set here"):
        face_set.read(tmp_path / "nowhere")
    shutil.rmtree(written)
    written.write_text("a file")
    with pytest.raises(UserError):
        face_set.read(written)


# --- other folders -------------------------------------------------------------------------------


def test_a_synthetic_set_is_told_and_its_key_named(tmp_path):
    synthetic_set.write(tmp_path / "made", make_faces().images, make_faces().labels, {})
    with pytest.raises(UserError) as caught:
        face_set.read(tmp_path / "made")
    assert str(caught.value) == (
        f"data.folder={tmp_path / 'made'}: this is a synthetic set; use data.synthetic=FOLDER "
        "(data=synthetic, data=mixed) or set=FOLDER (fidelity, audit, bias, curate)"
    )


def test_prepared_faces_are_no_synthetic_set(written):
    with pytest.raises(UserError, match=r"no synthetic set; use data\.folder="):
        synthetic_set.read(written)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("images.npy", "is a synthetic set; use data.synthetic="),
        ("run.json", "is the folder of a run; expected a folder that `ferbench prepare` wrote"),
        ("train/happy/1.png", "holds no prepared faces; `ferbench prepare source=FOLDER` reads"),
    ],
)
def test_what_is_no_face_set_is_told_and_never_replaced(tmp_path, file, said):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(b"x")
    with pytest.raises(UserError, match=f"data.folder={tmp_path}: this {said}"):
        named_sets.open_real(tmp_path)
    with pytest.raises(UserError, match=f"but this {said}.*it is left alone"):
        face_set.write(tmp_path, {"train": make_faces()}, {})
    assert (tmp_path / file).exists()
