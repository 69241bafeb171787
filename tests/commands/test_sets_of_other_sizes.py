"""Synthetic sets whose images are not 48 pixels: resized, said in a line, kept in the row."""

import numpy as np
import pytest

from ferbench import results
from ferbench.classes import IMAGE_PX
from ferbench.commands import bias, classify, curate, fidelity
from ferbench.data import synthetic_set
from ferbench.data.resize import resize
from ferbench.results.rows import BiasRow, ClassifierRow, CurateRow, FidelityRow

SMALL = (
    "model.width=4",
    "train.epochs=1",
    "train.batch=16",
    "train.warmup_epochs=0",
    "logger=none",
    "train.ema_decay=0.5",
    "eval.tta=none",
    "device=cpu",
    "precision=fp32",
)
FAST = ("device=cpu", "precision=fp32")


@pytest.fixture
def large(outputs):
    """140 images of 64 pixels, a bright bar whose place tells the class."""
    labels = np.arange(140) % 7
    images = np.random.default_rng(3).integers(0, 60, (140, 64, 64), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[8 * label + 3 : 8 * label + 10] += 150
    root = outputs / "synth" / "large"
    synthetic_set.write(root, images, labels, {})
    return root


def said(capsys, root):
    note = f"note: the images of {root} have 64 x 64 pixels; they are resized to 48 x 48"
    return capsys.readouterr().out.count(note) == 1


@pytest.mark.parametrize(
    "words", [["data=synthetic"], ["data=mixed", "mix=add", "synthetic_per_real=1"]]
)
def test_a_classifier_learns_from_resized_images(
    outputs, make_job, large, capsys, words, monkeypatch
):
    """It gets what `resize` makes of the set, and the row keeps the size on disk."""
    seen = []
    stream = classify.batches.stream_to_device

    def kept(blocks, *arguments, **options):
        blocks = list(blocks)
        seen.extend(blocks)
        return stream(iter(blocks), *arguments, **options)

    monkeypatch.setattr(classify.batches, "stream_to_device", kept)
    classify.run(make_job("classify", *SMALL, *words))
    row = results.read(outputs, ClassifierRow)[-1]
    assert (row.synthetic_images, row.synthetic_px) == (140, 64)
    want = resize(np.load(large / "images.npy"), IMAGE_PX)
    assert np.array_equal(np.concatenate(seen)[-140:], want)
    assert said(capsys, large)


def test_real_faces_have_no_synthetic_size(outputs, finished):
    finished("classify", *SMALL, "data=real")
    assert results.read(outputs, ClassifierRow)[-1].synthetic_px is None


def test_fidelity_bias_and_curate_resize(outputs, finished, make_job, large, capsys):
    finished("classify", *SMALL, "data=real")
    fidelity.run(make_job("fidelity", *FAST, f"set={large}", "metrics.kid_subsets=3", "map=none"))
    assert said(capsys, large)
    assert results.read(outputs, FidelityRow)[-1].set_px == 64
    classify.run(make_job("classify", *SMALL, "data=synthetic"))
    capsys.readouterr()
    again = ("map=none", "force=true", "metrics.kid_subsets=3")
    fidelity.run(make_job("fidelity", *FAST, f"set={large}", *again))
    accuracy = results.read(outputs, ClassifierRow)[-1].accuracy
    assert results.read(outputs, FidelityRow)[-1].trained_accuracy == accuracy
    capsys.readouterr()
    bias.run(make_job("bias", f"set={large}", "bootstrap=10"))
    assert said(capsys, large)
    assert results.read(outputs, BiasRow)[-1].set_images == 140
    loose = ("mismatched=keep", "confidence=null", "duplicates=false", "train_copies=false")
    words = ("n=35", f"set={large}", *loose, "spread=false")
    root = curate.run(make_job("curate", *FAST, *words), None)
    assert said(capsys, large)
    assert results.read(outputs, CurateRow)[-1].pool_px == 64
    chosen = synthetic_set.read(root)
    assert chosen.image_px == IMAGE_PX
    assert chosen.manifest["resized"] == {"from_px": 64, "method": "bicubic"}
    rows = np.load(root / "pool_index.npy")
    assert np.array_equal(chosen.images, resize(np.load(large / "images.npy"), IMAGE_PX)[rows])
