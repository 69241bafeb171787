"""Figures of fidelity: what is drawn is what was given."""

import numpy as np
import pytest
from PIL import Image

from ferbench.classes import CLASSES
from ferbench.fidelity.figures import CLASS_COLORS, Panel, Points, plot_panels, plot_points
from ferbench.report import drawing


@pytest.fixture
def drawn(monkeypatch):
    """The figures, instead of their files."""
    kept = []
    monkeypatch.setattr(drawing, "save", lambda figure, path: kept.append(figure))
    return kept


def test_bars_are_the_values_class_by_class(drawn, tmp_path):
    values = {"set": [1, 2, 3, 4, 5, 6, 7], "floor": [7, 6, 5, 4, 3, 2, 1]}
    plot_panels([Panel("FID", values), Panel("gate", {"set": [0.5] * 7})], path=tmp_path / "x.png")
    (figure,) = drawn
    first, second = figure.axes
    assert [bar.get_height() for bar in first.patches] == [*values["set"], *values["floor"]]
    assert [bar.get_height() for bar in second.patches] == [0.5] * 7
    assert [label.get_text() for label in first.get_xticklabels()] == list(CLASSES)
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["set", "floor"]
    assert first.patches[0].get_facecolor() == second.patches[0].get_facecolor()
    assert first.patches[0].get_hatch() != first.patches[7].get_hatch()


def test_points_are_colored_and_named_by_class(drawn, tmp_path):
    """Both groups share the axes; a class without a point has no name."""
    rng = np.random.default_rng(0)
    groups = [
        Points("real", rng.normal(size=(70, 2)), np.arange(70) % 7),
        Points("set", rng.normal(size=(6, 2)), np.full(6, 3)),
    ]
    plot_points(groups, path=tmp_path / "x.png", title="t", axis_names=("a", "b"))
    (figure,) = drawn
    real, sample = figure.axes
    np.testing.assert_array_equal(real.collections[0].get_offsets(), groups[0].xy)
    assert [text.get_text() for text in real.texts] == list(CLASSES)
    assert [text.get_text() for text in sample.texts] == ["happy"]
    assert real.get_xlim() == sample.get_xlim()
    assert real.get_ylim() == sample.get_ylim()
    assert real.texts[3].xy == pytest.approx(np.median(groups[0].xy[3::7], axis=0))
    assert sample.texts[0].get_position() == pytest.approx(np.median(groups[1].xy, axis=0))
    assert len(set(CLASS_COLORS)) == len(CLASSES)


def test_one_more_panel_has_all_groups(drawn, tmp_path):
    """Told apart by color and by marker; axes without names have no ticks."""
    rng = np.random.default_rng(0)
    groups = [Points(t, rng.normal(size=(14, 2)), np.arange(14) % 7) for t in ("real", "set")]
    plot_points(groups, path=tmp_path / "x.png", title="t", axis_names=("", ""), together="both")
    (figure,) = drawn
    both = figure.axes[2]
    real, sample = both.collections
    np.testing.assert_array_equal(real.get_offsets(), groups[0].xy)
    np.testing.assert_array_equal(sample.get_offsets(), groups[1].xy)
    assert real.get_paths()[0].vertices.shape != sample.get_paths()[0].vertices.shape
    assert not np.array_equal(real.get_facecolor(), sample.get_edgecolor())
    assert [text.get_text() for text in both.get_legend().get_texts()] == ["real", "set"]
    assert both.get_title() == "both" and len(both.get_xticks()) == 0


def test_they_are_whole_pngs(tmp_path):
    plot_panels([Panel("FID", {"matched": [1.0] * 7})], path=tmp_path / "bars.png")
    xy = np.random.default_rng(0).normal(size=(20, 2))
    points = [Points("one", xy, np.arange(20) % 7)]
    plot_points(points, path=tmp_path / "xy.png", title="t", axis_names=("a", "b"))
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            image.verify()
    assert {path.name for path in tmp_path.iterdir()} == {"bars.png", "xy.png"}
