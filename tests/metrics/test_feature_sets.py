"""Metrics against closed forms, against what is planted, and against torch-fidelity."""

import numpy as np
import pytest
import torch

from ferbench.metrics import feature_sets

RNG = np.random.default_rng(0)


def normal(n, dimensions=8, *, shift=0.0, scale=1.0, seed=1):
    """[n, dimensions] float32 normal numbers."""
    rows = np.random.default_rng(seed).normal(size=(n, dimensions))
    return (shift + scale * rows).astype(np.float32)


def covariance(dimensions, rank=None, seed=2):
    rows = np.random.default_rng(seed).normal(size=(rank or 2 * dimensions, dimensions))
    return rows.T @ rows / len(rows)


# --- Gaussians -----------------------------------------------------------------------------------


def test_isotropic_gaussians_match_the_closed_form():
    """N(0, 4 I) to N(0, 9 I) in 5 dimensions: 5 * (2 - 3)**2 = 5."""
    zero, eye = np.zeros(5), np.eye(5)
    assert feature_sets.frechet_distance(zero, 4 * eye, zero, 9 * eye) == pytest.approx(
        5, rel=1e-12
    )


def test_diagonal_gaussians_match_the_closed_form():
    """sum (m - m')^2 + sum (s - s')^2 for commuting covariances."""
    mean_a, mean_b, sd_a, sd_b = RNG.uniform(0.5, 2, size=(4, 6))
    want = ((mean_a - mean_b) ** 2).sum() + ((sd_a - sd_b) ** 2).sum()
    got = feature_sets.frechet_distance(mean_a, np.diag(sd_a**2), mean_b, np.diag(sd_b**2))
    assert got == pytest.approx(want, rel=1e-12)


def test_a_shift_alone_is_its_squared_length():
    cov, shift = covariance(7), np.arange(7.0)
    got = feature_sets.frechet_distance(np.zeros(7), cov, shift, cov)
    assert got == pytest.approx((shift**2).sum(), rel=1e-9)


@pytest.mark.parametrize("rank", [None, 3, 1])
def test_distance_of_equals_is_zero_and_the_order_plays_no_part(rank):
    """Of singular covariances, too: fewer images than features."""
    mean_a, mean_b = RNG.normal(size=(2, 6))
    one, other = covariance(6, rank), covariance(6, rank, seed=3)
    assert feature_sets.frechet_distance(mean_a, one, mean_a, one) == pytest.approx(0, abs=1e-6)
    there = feature_sets.frechet_distance(mean_a, one, mean_b, other)
    back = feature_sets.frechet_distance(mean_b, other, mean_a, one)
    assert there == pytest.approx(back, rel=1e-6)
    assert there > 0


def test_two_directions_without_overlap():
    """Rank one along x and along y, variance 1 each: nothing is shared, 1 + 1."""
    x, y = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    assert feature_sets.frechet_distance(np.zeros(2), x, np.zeros(2), y) == pytest.approx(2)


def test_a_gaussian_of_features_is_numpys():
    rows = normal(40, 6)
    mean, cov = feature_sets.gaussian_of(rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(cov, np.cov(rows.astype(np.float64), rowvar=False), rtol=1e-12)
    assert mean.dtype == cov.dtype == np.float64


# --- kernels -------------------------------------------------------------------------------------


def test_mmd_by_hand():
    """One feature, x = (0, 1), y = (2, 2): k(a, b) = (ab + 1)^3.

    Off the diagonal k(0, 1) = 1 and k(2, 2) = 125; across (1 + 1 + 27 + 27) / 4 = 14.
    """
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [2.0]])
    assert feature_sets.squared_mmd(x, y) == pytest.approx(1 + 125 - 2 * 14)


def test_mmd_has_no_bias():
    """Over many small samples of one distribution it is 0 in the mean, though a biased one is not.

    400 draws of 10 against 10: the mean is within four of its standard errors.
    """
    values = [
        feature_sets.squared_mmd(normal(10, seed=2 * i), normal(10, seed=2 * i + 1))
        for i in range(400)
    ]
    error = np.std(values) / len(values) ** 0.5
    assert abs(np.mean(values)) < 4 * error
    assert min(values) < 0


def test_subsets_of_everything_do_not_scatter():
    """Each subset is the whole set, so all are one number: the MMD itself."""
    a, b = normal(30), normal(30, shift=0.3, seed=2)
    rng = np.random.default_rng(0)
    mean, deviation = feature_sets.kernel_distance(a, b, subsets=5, size=30, rng=rng)
    assert mean == pytest.approx(feature_sets.squared_mmd(a, b), rel=1e-12)
    assert deviation == pytest.approx(0, abs=1e-12)


def test_small_subsets_scatter_around_the_whole():
    a, b = normal(300), normal(300, shift=0.3, seed=2)
    rng = np.random.default_rng(0)
    mean, deviation = feature_sets.kernel_distance(a, b, subsets=200, size=60, rng=rng)
    assert deviation > 0
    assert mean == pytest.approx(feature_sets.squared_mmd(a, b), abs=4 * deviation / 200**0.5)


# --- torch-fidelity ------------------------------------------------------------------------------


def test_fid_is_torch_fidelitys():
    library = pytest.importorskip("torch_fidelity.metric_fid")
    a, b = normal(200, 24), normal(150, 24, shift=0.2, scale=1.3, seed=2)
    stats = [library.fid_features_to_statistics(torch.from_numpy(x).double()) for x in (a, b)]
    want = library.fid_statistics_to_metric(*stats, verbose=False)
    got = feature_sets.frechet_distance(*feature_sets.gaussian_of(a), *feature_sets.gaussian_of(b))
    assert got == pytest.approx(want["frechet_inception_distance"], rel=1e-8)


def test_kid_is_torch_fidelitys():
    """On whole sets, where no draw of subsets can differ; and on subsets within their scatter."""
    library = pytest.importorskip("torch_fidelity.metric_kid")
    a, b = normal(120, 24), normal(120, 24, shift=0.2, scale=1.3, seed=2)
    both = [torch.from_numpy(x).double() for x in (a, b)]
    want = library.kid_features_to_metric(*both, kid_subsets=3, kid_subset_size=120, verbose=False)
    rng = np.random.default_rng(0)
    got, _ = feature_sets.kernel_distance(a, b, subsets=3, size=120, rng=rng)
    assert got == pytest.approx(want["kernel_inception_distance_mean"], rel=1e-9)
    want = library.kid_features_to_metric(*both, kid_subsets=300, kid_subset_size=40, verbose=False)
    mean, deviation = feature_sets.kernel_distance(a, b, subsets=300, size=40, rng=rng)
    assert deviation == pytest.approx(want["kernel_inception_distance_std"], rel=0.15)
    assert mean == pytest.approx(want["kernel_inception_distance_mean"], abs=0.3 * deviation)


def test_inception_score_is_torch_fidelitys():
    """With one part the order of the images plays no part."""
    library = pytest.importorskip("torch_fidelity.metric_isc")
    logits = normal(100, 7, scale=3)
    want = library.isc_features_to_metric(torch.from_numpy(logits), splits=1)
    got, _ = feature_sets.inception_score(logits, splits=1, rng=np.random.default_rng(0))
    assert got == pytest.approx(want["inception_score_mean"], rel=1e-9)


# --- neighborhoods -------------------------------------------------------------------------------


def overlap(real, sample, k=3, density_k=5):
    points = feature_sets.neighborhoods(real, k, density_k)
    return feature_sets.overlap(points, sample, k=k, density_k=density_k)


def test_a_set_covers_itself():
    """Precision, recall and coverage are 1; a ball holds its own point and k more: (k + 1) / k.

    Whole numbers on a line, so that borders are exact; the two ends have fewer balls around them.
    """
    line = np.arange(200, dtype=np.float32)[:, None]
    found = overlap(line, line, k=2, density_k=2)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density == pytest.approx(3 / 2, rel=0.02)


def test_sets_far_apart_do_not_meet():
    found = overlap(normal(60), normal(60, shift=100, seed=2))
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_two_samples_of_one_distribution():
    """Density is about 1 and coverage about 1 - 2^-k = 0.97 for k = 5 (Naeem et al., lemma 2)."""
    found = overlap(normal(1500, 2), normal(1500, 2, seed=2))
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.02)
    assert min(found.precision, found.recall) > 0.95


@pytest.fixture
def modes():
    """Eight clusters on a circle, 100 points each, and the same drawn again."""
    angle = np.repeat(np.arange(8), 100) * np.pi / 4
    centers = 20 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return [(centers + normal(800, 2, seed=s)).astype(np.float32) for s in (1, 2)]


def test_a_dropped_mode_lowers_recall_and_coverage_alone(modes):
    """Half of the clusters are missing: every image is fine, half of the real ones are not met."""
    real, again = modes
    whole, half = overlap(real, again), overlap(real, again[:400])
    assert (whole.precision, whole.recall, whole.coverage) == pytest.approx((1, 1, 0.97), abs=0.04)
    assert half.precision == pytest.approx(whole.precision, abs=0.02)
    assert half.recall == pytest.approx(0.5, abs=0.02)
    assert half.coverage < 0.52


def test_noise_lowers_precision_and_density_alone(modes):
    """Half of the sample lies between the clusters; the other half still meets most real ones."""
    real, again = modes
    noisy = again.copy()
    noisy[::2] = normal(400, 2, scale=0.5, seed=3)  # the middle of the circle
    whole, found = overlap(real, again), overlap(real, noisy)
    assert found.precision == pytest.approx(0.5, abs=0.02)
    assert found.density == pytest.approx(whole.density / 2, abs=0.1)
    assert found.recall > 0.93
    assert found.coverage > 0.8


def test_outliers_spoil_recall_but_not_coverage():
    """Where two of four points lie far away, every ball is large; coverage has real balls only."""
    real = normal(200, 2)
    far = np.full((1, 2), 50, np.float32)
    found = overlap(real, np.concatenate([real[:2] * 0.01, far, -far]))
    assert found.recall == 1
    assert found.coverage < 0.4


# --- variety -------------------------------------------------------------------------------------


def test_inception_score_has_two_ends():
    """Uniform verdicts score 1; sure verdicts, all classes equally often, score their number."""
    rng = np.random.default_rng(0)
    assert feature_sets.inception_score(np.zeros((70, 7)), splits=5, rng=rng) == pytest.approx(
        (1, 0)
    )
    sure = 1000 * np.eye(7)[np.arange(70) % 7]
    assert feature_sets.inception_score(sure, splits=1, rng=rng) == pytest.approx((7, 0))
    one = 1000 * np.eye(7)[np.zeros(70, int)]
    assert feature_sets.inception_score(one, splits=2, rng=rng) == pytest.approx((1, 0))


def test_parts_of_the_inception_score_are_random():
    """A set sorted by class would score 1 in each part if the parts were cut in order."""
    sorted_by_class = 1000 * np.eye(7)[np.repeat(np.arange(7), 100)]
    rng = np.random.default_rng(0)
    score, deviation = feature_sets.inception_score(sorted_by_class, splits=7, rng=rng)
    assert 6 < score < 7
    assert deviation > 0


def test_diversity_of_a_simplex():
    """Unit vectors are sqrt(2) apart; a collapsed class is 0 apart."""
    assert feature_sets.diversity(np.eye(5, dtype=np.float32)) == pytest.approx(2**0.5, rel=1e-6)
    assert feature_sets.diversity(np.ones((5, 3), np.float32)) == 0


def test_pixel_diversity_in_the_units_of_the_generator():
    """Black and white are 2 apart in [-1, 1]; two of each in four: 4 of 6 pairs differ."""
    images = np.zeros((4, 48, 48), np.uint8)
    images[2:] = 255
    assert feature_sets.pixel_diversity(images) == pytest.approx(2 * 4 / 6, rel=1e-6)


def test_the_principal_plane_finds_the_two_widest_directions():
    """Variances 9, 4 and 1 along the axes: shares 9/14 and 4/14, whatever the sign."""
    plane = feature_sets.principal_plane(np.ones(3), np.diag([4.0, 1.0, 9.0]))
    assert plane.shares == pytest.approx((9 / 14, 4 / 14))
    np.testing.assert_allclose(plane.project(np.array([[1.0, 1.0, 3.0]])), [[2, 0]], atol=1e-12)
    np.testing.assert_allclose(plane.project(np.array([[6.0, 1.0, 1.0]])), [[0, 5]], atol=1e-12)
