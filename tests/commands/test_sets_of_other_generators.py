"""Images in folders named by class as a synthetic set, in every command that takes one."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ferbench import results
from ferbench.classes import CLASSES
from ferbench.commands import bias, classify, curate, fidelity
from ferbench.data import export, synthetic_set
from ferbench.errors import UserError
from ferbench.results.rows import BiasRow, ClassifierRow, CurateRow, FidelityRow

FAST = ("device=cpu", "precision=fp32")
SMALL = (
    "model.width=4",
    "train.epochs=1",
    "train.batch=16",
    "train.warmup_epochs=0",
    "logger=none",
    "train.ema_decay=0.5",
    "eval.tta=none",
    *FAST,
)
FIDELITY = (*FAST, "metrics.kid_subsets=3", "map=none")
CURATE = (*FAST, "n=35", "mismatched=keep", "confidence=null", "duplicates=false")
CURATE += ("train_copies=false", "spread=false")


@pytest.fixture
def theirs(outputs, tmp_path):
    """140 images of 64 pixels in <class>/<number>.png beside a file that is no image."""
    labels = np.arange(140) % 7
    images = np.random.default_rng(3).integers(0, 60, (140, 64, 64), dtype=np.uint8)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        image[8 * label + 3 : 8 * label + 10] += 150
        folder = tmp_path / "theirs" / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i // 7:03d}.png")
    (tmp_path / "theirs" / "notes.txt").write_text("x")
    return tmp_path / "theirs"


def printed(capsys, root):
    """What was printed, with the notes that each command prints of the set."""
    text = capsys.readouterr().out
    assert text.count(f"note: the images of {root} have 64 x 64 pixels; they are resized") == 1
    assert f"note: {root}: files that are no images, skipped: 1, the first is notes.txt" in text
    return text


def test_every_command_takes_it(outputs, finished, make_job, theirs, capsys):
    """Known by its content: no row names a generator, and each names the same hash."""
    finished("classify", *SMALL, "data=real")
    capsys.readouterr()
    fidelity.run(make_job("fidelity", *FIDELITY, f"set={theirs}"))
    assert f"reading 140 images of {theirs}\n" in printed(capsys, theirs)
    (row,) = results.read(outputs, FidelityRow)
    assert (row.set_name, row.set_images, row.set_px) == ("theirs", 140, 64)
    assert (row.generator, row.kimg) == (None, None)
    known = row.set_hash
    bias.run(make_job("bias", f"set={theirs}", "bootstrap=10"))
    assert "reading 140" not in printed(capsys, theirs)  # the files are read once
    assert results.read(outputs, BiasRow)[0].set_hash == known
    chosen = curate.run(make_job("curate", *CURATE, f"set={theirs}"), None)
    printed(capsys, theirs)
    (row,) = results.read(outputs, CurateRow)
    assert (row.pool_hash, row.pool_px) == (known, 64)
    assert synthetic_set.read(chosen).manifest["files"]["path"] == str(theirs)
    run = classify.run(make_job("classify", *SMALL, "data=synthetic", f"data.synthetic={theirs}"))
    printed(capsys, theirs)
    row = results.read(outputs, ClassifierRow)[-1]
    assert (row.synthetic_images, row.synthetic_px) == (140, 64)
    assert json.loads((run / "run.json").read_text())["inputs"]["synthetic"] == known


def test_an_export_is_the_set_itself_to_a_measurement(outputs, finished, make_job):
    """ferbench's own PNG export: the same numbers, and the same hash."""
    finished("classify", *SMALL, "data=real")
    root = outputs / "synth" / "made"
    images = np.random.default_rng(1).integers(0, 256, (140, 48, 48), dtype=np.uint8)
    synthetic_set.write(root, images, np.arange(140) % 7, {})
    export.to_folder(root, root / "png", classes=CLASSES, first_seed=0)
    for path in (root, root / "png"):
        fidelity.run(make_job("fidelity", *FIDELITY, f"set={path}"))
    one, other = results.read(outputs, FidelityRow)
    assert (one.set_name, other.set_name) == ("made", "made_png")
    assert (one.set_hash, one.fid, one.kid) == (other.set_hash, other.fid, other.kid)


def test_a_folder_that_moved_is_the_same_run(outputs, make_job, theirs, tmp_path, capsys):
    words = ("bootstrap=10", "name=mine")
    bias.run(make_job("bias", f"set={theirs}", *words))
    shutil.copytree(theirs, tmp_path / "copied", copy_function=shutil.copyfile)
    capsys.readouterr()
    bias.run(make_job("bias", f"set={tmp_path / 'copied'}", *words))
    assert "done already" in capsys.readouterr().out


def test_what_is_no_set_is_one_line_that_names_the_key(finished, make_job, theirs):
    finished("classify", *SMALL, "data=real")
    (theirs / "sad" / "000.png").write_bytes(b"GIF89a")
    with pytest.raises(UserError, match=f"^set={theirs}: sad/000.png: is not an image; expected"):
        bias.run(make_job("bias", f"set={theirs}"))
    with pytest.raises(UserError, match=r"^data.synthetic=.*theirs: sad/000.png: is not an image"):
        classify.run(make_job("classify", *SMALL, "data=synthetic", f"data.synthetic={theirs}"))
    with pytest.raises(UserError, match=r"^set=.*theirs: sad/000.png: is not an image"):
        curate.run(make_job("curate", *CURATE, f"set={theirs}"), None)
