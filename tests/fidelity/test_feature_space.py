"""Distances and maps in a feature space, on clouds whose place is known."""

import numpy as np
import pytest

from ferbench.errors import UserError
from ferbench.fidelity import feature_space
from ferbench.fidelity.feature_space import Cells

LABELS = np.repeat(np.arange(7), 60)


def clouds(shift=0.0, seed=0):
    """One cloud a class, 20 apart from each other, all moved by `shift`."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(len(LABELS), 8))
    points[np.arange(len(LABELS)), LABELS] += 20
    points[:, 7] += shift
    return points.astype(np.float32)


def test_the_same_features_are_at_distance_zero():
    found = Cells(clouds(), LABELS, seed=0).distance(clouds(), LABELS)
    assert found.overall == 0 and found.classes == (0,) * 7


def test_other_draws_are_near_and_swapped_classes_far():
    """A class that shows another one shares no cell with itself: 1; all together stay the same."""
    cells = Cells(clouds(), LABELS, seed=0)
    other = cells.distance(clouds(seed=1), LABELS)
    assert 0 < other.overall < 0.35
    swapped = cells.distance(clouds(), (LABELS + 1) % 7)
    assert swapped.classes == pytest.approx((1,) * 7)
    assert swapped.overall == 0


def test_a_lost_class_is_seen():
    """Images of six of seven classes: JS of (1/7, ..., 1/7) and (1/6, ..., 1/6, 0)."""
    p, q = np.full(7, 1 / 7), np.array([1 / 6] * 6 + [0])
    m = (p + q) / 2
    want = ((p * np.log2(p / m)).sum() + (q[:6] * np.log2(q[:6] / m[:6])).sum()) / 2
    cells = Cells(clouds(), LABELS, seed=0)
    real = cells.distance(clouds(), LABELS)
    assert real.overall == 0
    rows = np.concatenate([np.arange(360), np.arange(360)])  # the last class is left out
    found = cells.distance(clouds()[rows], np.arange(720) % 7)  # whatever the labels
    assert found.overall == pytest.approx(np.sqrt(want), abs=1e-6)


def test_few_different_images_make_few_cells():
    features = np.repeat(np.eye(7, dtype=np.float32), 3, axis=0)
    labels = np.repeat(np.arange(7), 3)
    assert Cells(features, labels, seed=0).distance(features, labels).overall == 0


def test_a_map_keeps_clouds_apart():
    """The nearest other point in the map is of the same cloud, and equal seeds give equal maps."""
    rows = np.arange(0, len(LABELS), 6)
    xy = feature_space.plane(clouds()[rows], "tsne", seed=0)
    gaps = np.linalg.norm(xy[:, None] - xy[None], axis=2) + 1e9 * np.eye(len(rows))
    assert (LABELS[rows][gaps.argmin(axis=1)] == LABELS[rows]).mean() > 0.9
    np.testing.assert_array_equal(xy, feature_space.plane(clouds()[rows], "tsne", seed=0))


def test_umap_is_asked_for_by_its_extra(monkeypatch):
    feature_space.check_map("tsne")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'ferbench\[umap\]'"):
        feature_space.check_map("umap")


def test_a_map_by_umap():
    """Where the extra is installed: two far clouds stay apart, and equal seeds give equal maps."""
    pytest.importorskip("umap")
    features = clouds()[:120:2]
    xy = feature_space.plane(features, "umap", seed=0)
    middles = xy[:30].mean(axis=0), xy[30:].mean(axis=0)
    assert np.linalg.norm(middles[0] - middles[1]) > xy[:30].std()
    np.testing.assert_array_equal(xy, feature_space.plane(features, "umap", seed=0))
