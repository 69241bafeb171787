"""Two labeled sets compared: class by class, equal seeds, no dependence between classes."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.fidelity import comparison
from ferbench.fidelity.comparison import FeatureSet, Settings
from ferbench.metrics import feature_sets

SETTINGS = Settings(
    neighbors=3,
    density_neighbors=5,
    neighbor_images=1000,
    kid_subsets=4,
    kid_images=50,
    score_splits=2,
    diversity_images=30,
    seed=0,
)


def made(per_class=40, seed=0, shift=0.0):
    """Images of noise whose features lie in one cluster a class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(7), per_class).astype(np.int64)
    features = (8 * np.eye(7)[labels] + rng.normal(size=(len(labels), 7)) + shift).astype("f4")
    images = rng.integers(0, 256, (len(labels), 48, 48), dtype=np.uint8)
    return FeatureSet(images, labels, features, 3 * features)


@pytest.fixture(scope="module")
def real():
    return comparison.reference(made(60), SETTINGS)


def test_every_class_is_compared_with_its_own(real):
    """The FID of a class is that of its images against the real ones of the class."""
    sample = made(seed=1)
    found = comparison.compare(real, sample, SETTINGS)
    for k in range(7):
        own, other = sample.labels == k, made(60).labels == k
        gaussians = (
            *feature_sets.gaussian_of(made(60).features[other]),
            *feature_sets.gaussian_of(sample.features[own]),
        )
        assert found.classes[k].fid == pytest.approx(feature_sets.frechet_distance(*gaussians))
        assert (found.classes[k].images, found.classes[k].reference_images) == (40, 60)
    assert found.intra_fid == pytest.approx(np.mean([v.fid for v in found.classes]))
    assert (found.overall.images, found.overall.reference_images) == (280, 420)


def test_a_set_against_itself_is_no_distance_away(real):
    found = comparison.compare(real, made(60), SETTINGS)
    assert found.overall.fid == pytest.approx(0, abs=1e-6)
    assert found.overall.precision == found.overall.recall == found.overall.coverage == 1
    assert found.intra_fid == pytest.approx(0, abs=1e-6)
    assert found.classes[0].diversity == pytest.approx(real.diversity[0])
    assert found.overall.pixel_diversity == pytest.approx(real.pixel_diversity[comparison.ALL])


def test_wrong_labels_show_class_by_class_alone(real):
    """The same images with their labels moved by one: overall all is well, by class nothing is."""
    sample = made(seed=1)
    moved = replace(sample, labels=(sample.labels + 1) % 7)
    right, wrong = (comparison.compare(real, side, SETTINGS) for side in (sample, moved))
    assert asdict(right.overall) == pytest.approx(asdict(wrong.overall))
    assert wrong.intra_fid > 50 * right.intra_fid
    assert max(v.precision for v in wrong.classes) == 0


def test_a_collapsed_class_shows_in_its_diversity_and_coverage(real):
    sample = made(seed=1)
    first = np.flatnonzero(sample.labels == 3)[0]
    features, images = sample.features.copy(), sample.images.copy()
    features[sample.labels == 3], images[sample.labels == 3] = features[first], images[first]
    whole = comparison.compare(real, sample, SETTINGS)
    found = comparison.compare(real, replace(sample, features=features, images=images), SETTINGS)
    assert found.classes[3].diversity == found.classes[3].pixel_diversity == 0
    assert found.classes[3].coverage < 0.3 < 0.8 < whole.classes[3].coverage
    for k in (0, 1, 2, 4, 5, 6):
        assert found.classes[k] == whole.classes[k]


def test_the_order_of_the_images_plays_no_part_without_draws(real):
    """Where every image is used: FID, neighborhoods, and a KID of one subset of all."""
    sample = made(seed=1)
    order = np.random.default_rng(5).permutation(len(sample))
    one, other = (comparison.compare(real, side, SETTINGS) for side in (sample, sample.take(order)))
    for name in ("fid", "precision", "recall", "density", "coverage"):
        assert getattr(one.overall, name) == pytest.approx(getattr(other.overall, name))


def test_equal_seeds_give_equal_numbers_and_others_do_not(real):
    sample = made(seed=1)
    first, again = (comparison.compare(real, sample, SETTINGS) for _ in range(2))
    other = comparison.compare(real, sample, replace(SETTINGS, seed=1))
    assert first == again
    assert first.overall.kid != other.overall.kid
    assert first.overall.fid == other.overall.fid


def test_subsets_fit_the_smaller_side_of_each_class(real):
    """50 are asked for: 40 of a class are there, and 50 of all."""
    found = comparison.compare(real, made(seed=1), SETTINGS)
    assert found.overall.kid_images == 50
    assert {v.kid_images for v in found.classes} == {40}


def test_neighbors_are_those_of_a_part_of_a_large_set(real):
    """The numbers of neighbors are those of the part that is drawn; the others of all images."""
    sample = made(seed=1)
    few = replace(SETTINGS, neighbor_images=100)
    part = comparison.compare(real, sample, few).overall
    drawn = np.sort(np.random.default_rng([0, 0]).choice(280, 100, replace=False))
    wanted = feature_sets.overlap(
        feature_sets.neighborhoods(made(60).features, 3, 5),
        sample.features[drawn],
        k=3,
        density_k=5,
    )
    assert (part.recall, part.coverage) == (wanted.recall, wanted.coverage)
    whole = comparison.compare(real, sample, SETTINGS).overall
    assert part.recall < whole.recall
    assert (part.fid, part.kid, part.images) == (whole.fid, whole.kid, whole.images)


def test_draws_by_class():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(7), 10))
    counts = (1, 2, 3, 4, 5, 0, 10)
    rows = comparison.draw(labels, counts, np.random.default_rng(0))
    assert comparison.class_counts(labels[rows]) == counts
    assert (np.diff(rows) > 0).all()
    assert len(CLASSES) == len(comparison.class_counts(labels[:1]))


def test_so_many_images_of_a_class_are_needed(real):
    """least_images are enough for every number, and one fewer is not."""
    assert SETTINGS.least_images == 6
    tight = replace(SETTINGS, kid_images=6)
    sample = made(per_class=6, seed=1)
    found = comparison.compare(comparison.reference(sample, tight), sample, tight)
    assert found.classes[0].coverage == 1
    with pytest.raises(ValueError, match="neighbors were asked for"):
        comparison.reference(made(per_class=5), tight)
