"""Figures: what stands in them is what was given, and the file is whole."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from ferbench.classes import CLASSES
from ferbench.classifiers import figures
from ferbench.metrics.classification import per_class, reliability

COUNTS = np.diag([30, 5, 20, 80, 40, 35, 50])
COUNTS[1, 0] = 15
HISTORY = [
    {
        "epoch": epoch,
        "train_loss": 2 / epoch,
        "public_loss": 2 / epoch + 0.1,
        "train_accuracy": 1 - 1 / epoch,
        "public_accuracy": 0.9 - 0.8 / epoch,
    }
    for epoch in range(1, 31)
]


def calibration(right=(1, 1, 1, 0)):
    """Four images at confidence 0.6."""
    rest = 0.4 / 6
    probabilities = np.full((4, 7), rest)
    probabilities[:, 0] = 0.6
    return reliability(1 - np.array(right), probabilities, bins=10)


def draw_all(folder):
    figures.plot_confusion(COUNTS, path=folder / "confusion.png", title="a title")
    figures.plot_reliability(calibration(), path=folder / "reliability.png", title="a title")
    figures.plot_per_class(per_class(COUNTS), path=folder / "per_class.png", title="a title")
    figures.plot_learning_curves(
        HISTORY, best_epoch=12, path=folder / "curves.png", title="a title"
    )


@pytest.fixture
def drawn(monkeypatch):
    """The figure that was drawn last, instead of a file."""
    kept = []
    monkeypatch.setattr(figures, "save", lambda figure, path: kept.append(figure))
    return kept


@pytest.mark.filterwarnings("error")
def test_figures_are_whole_pngs_of_the_stated_size(tmp_path):
    """5 to 7 inches wide at 150 dpi, more than a blank page, nothing left beside them."""
    folder = tmp_path / "deep" / "figures"
    draw_all(folder)
    names = {"confusion.png", "reliability.png", "per_class.png", "curves.png"}
    assert {path.name for path in folder.iterdir()} == names
    for name in names:
        with Image.open(folder / name) as image:
            assert image.format == "PNG"
            assert 5 * 150 <= image.width <= 7 * 150
            assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
            assert np.asarray(image.convert("L")).std() > 15


def test_a_failure_leaves_the_last_good_figure(tmp_path, monkeypatch):
    path = tmp_path / "confusion.png"
    figures.plot_confusion(COUNTS, path=path)
    before = path.read_bytes()

    def half(self, target, **options):
        Path(target).write_bytes(b"\x89PNG")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        figures.plot_confusion(COUNTS * 2, path=path)
    assert path.read_bytes() == before


def test_confusion_shows_counts_shares_and_names(drawn, tmp_path):
    """Disgust: 15 of 20 are called angry, 5 are found: 75 % and 25 %."""
    figures.plot_confusion(COUNTS, path=tmp_path / "x.png", title="cnn")
    axes = drawn[0].axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts[::2] == [str(count) for count in COUNTS.ravel()]
    assert texts[1::2][7:9] == ["75%", "25%"]
    np.testing.assert_allclose(axes.images[0].get_array()[1, :2], [0.75, 0.25])
    assert [label.get_text() for label in axes.get_xticklabels()] == list(CLASSES)
    assert axes.get_yticklabels()[1].get_text() == "disgust\n(20)"
    assert axes.get_title() == "cnn"


def test_confusion_of_a_class_without_images(drawn, tmp_path):
    counts = COUNTS.copy()
    counts[2] = 0
    figures.plot_confusion(counts, path=tmp_path / "x.png")
    texts = [text.get_text() for text in drawn[0].axes[0].texts]
    assert texts[1::2][14:21] == ["-"] * 7


def test_reliability_shows_accuracy_gap_and_error(drawn, tmp_path):
    """3 of 4 right at 0.6: bar to 0.75, gap of -0.15 on it, ECE 15 %, all images in one bin."""
    figures.plot_reliability(calibration(), path=tmp_path / "x.png")
    top, low = drawn[0].axes
    heights = np.array([bar.get_height() for bar in top.patches]).reshape(2, 10)
    place = int(np.argmax(heights[0]))
    np.testing.assert_allclose(heights[:, place], [0.75, -0.15])
    assert np.count_nonzero(heights) == 2
    assert top.texts[0].get_text() == "ECE = 15.0%"
    assert [bar.get_height() for bar in low.patches][place] == 1.0
    assert top.get_xlim() == low.get_xlim() == (0, 1)


def test_per_class_bars_are_the_scores(drawn, tmp_path):
    found = per_class(COUNTS)
    figures.plot_per_class(found, path=tmp_path / "x.png")
    axes = drawn[0].axes[0]
    heights = np.array([bar.get_height() for bar in axes.patches]).reshape(3, 7)
    np.testing.assert_allclose(heights, 100 * np.stack([found.recall, found.precision, found.f1]))
    assert axes.get_xticklabels()[1].get_text() == "disgust\n(20)"
    assert [text.get_text() for text in axes.texts][1] == "25"


def test_learning_curves_are_the_history_with_the_best_epoch(drawn, tmp_path):
    figures.plot_learning_curves(HISTORY, best_epoch=12, path=tmp_path / "x.png")
    for axes, kind in zip(drawn[0].axes, ("loss", "accuracy"), strict=True):
        train, public, best = axes.lines
        for line, split in ((train, "train"), (public, "public")):
            expected = [row[f"{split}_{kind}"] for row in HISTORY]
            np.testing.assert_allclose(line.get_ydata(), expected)
            np.testing.assert_array_equal(line.get_xdata(), range(1, 31))
        assert list(best.get_xdata()) == [12, 12]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_learning_curves_with_gaps(tmp_path, epochs):
    """A missing train accuracy, a None among the losses and no best epoch are left out."""
    history = [{k: v for k, v in row.items() if k != "train_accuracy"} for row in HISTORY[:epochs]]
    history[-1]["public_loss"] = None
    figures.plot_learning_curves(history, best_epoch=None, path=tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        image.verify()


def test_learning_curves_pass_over_epochs_that_were_not_scored(drawn, tmp_path):
    history = [
        {k: v for k, v in row.items() if row["epoch"] % 10 == 0 or not k.startswith("public")}
        for row in HISTORY
    ]
    figures.plot_learning_curves(history, best_epoch=10, path=tmp_path / "x.png")
    train, public, _ = drawn[0].axes[0].lines
    assert len(train.get_xdata()) == 30
    assert list(public.get_xdata()) == [10, 20, 30]
    assert (train.get_marker(), public.get_marker()) == ("None", "o")


def test_matplotlib_is_loaded_late_and_without_its_global_state(tmp_path):
    """Importing the module loads no matplotlib; drawing needs no pyplot and no display."""
    code = f"""
import sys
from pathlib import Path
import numpy as np
from ferbench.classifiers import figures
assert "matplotlib" not in sys.modules
figures.plot_confusion(np.eye(7, dtype=np.int64), path=Path({str(tmp_path / "x.png")!r}))
assert "matplotlib.pyplot" not in sys.modules
assert "sklearn" not in sys.modules
"""
    paths = os.pathsep.join(sys.path)
    environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"} | {"PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert (tmp_path / "x.png").exists()
