"""Statistics in closed form: counts, attacks, paired differences, C_T."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ferbench.privacy import statistics
from ferbench.privacy.statistics import Bootstrap


def rng():
    return np.random.default_rng(0)


# --- counts --------------------------------------------------------------------------------------


def test_nothing_found_has_p_one():
    assert statistics.excess_p(0, 100, 0, 100) == 1


def test_the_most_extreme_are_all_of_one_group():
    """k of n beyond all others of as many: (n choose k) / (2n choose k), here for n = 5, k = 2."""
    p = statistics.excess_p(2, 5, 0, 5)
    assert np.isclose(p, math.comb(5, 2) / math.comb(10, 2))


def test_excess_p_is_uniform_for_equal_groups():
    """Over 2000 draws a p-value under 0.05 comes in 5 %, or a little less, as counts are whole."""
    generator, low = rng(), 0
    for _ in range(2000):
        mine, others = generator.random(200), generator.random(100)
        found = int((mine < np.sort(others)[4]).sum())
        low += statistics.excess_p(found, 200, 4, 100) < 0.05
    assert 0.03 < low / 2000 < 0.06


def test_share_p_is_binomial():
    """All 3 of 3 with a share of 0.8: 0.512."""
    assert np.isclose(statistics.share_p(3, 0, 0.8), 0.512)


# --- attacks -------------------------------------------------------------------------------------


def test_auc_is_that_of_scikit_learn():
    """With ties, too."""
    members, others = rng().integers(0, 9, 300), rng().integers(0, 8, 200)
    truth = np.repeat([1, 0], [300, 200])
    expected = roc_auc_score(truth, np.concatenate([members, others]))
    assert np.isclose(statistics.attack(members, others).auc, expected)


def test_members_above_all_others():
    """AUC and TPR are 1, and so are both ends of their intervals."""
    found = statistics.attack(
        np.arange(10.0) + 100, np.arange(100.0), bootstrap=Bootstrap(50, rng())
    )
    assert (found.auc, found.tpr) == (1, 1)
    assert found.auc_interval == found.tpr_interval == (1, 1)
    assert found.p_auc < 1e-6 and found.p_tpr < 1e-6


def test_equal_scores_are_chance():
    """AUC 1/2; nobody can be taken for a member at 1 % false positives."""
    found = statistics.attack(np.ones(50), np.ones(50))
    assert (found.auc, found.tpr, found.p_tpr) == (0.5, 0, 1)
    assert found.p_auc == 0.5


def test_tpr_is_taken_at_one_percent():
    """200 others: two may be passed. The limit is the 198th, and 30 of 100 members lie above."""
    others = np.arange(200.0)
    members = np.concatenate([np.full(30, 197.5), np.full(70, -1.0)])
    assert statistics.attack(members, others).tpr == 0.3


def test_under_a_hundred_others_none_may_be_passed():
    found = statistics.attack(np.array([8.5, 9.5]), np.arange(10.0))
    assert found.tpr == 0.5


def test_the_bootstrap_interval_covers():
    """Normal scores a distance d apart: AUC = Phi(d / sqrt(2)). Of 60 intervals, about 57 hold."""
    generator, shift = rng(), 0.5
    truth = 0.5 * (1 + math.erf(shift / 2))
    hits = 0
    for _ in range(60):
        members, others = generator.normal(shift, 1, 150), generator.normal(0, 1, 120)
        low, high = statistics.attack(
            members, others, bootstrap=Bootstrap(200, generator)
        ).auc_interval
        hits += low <= truth <= high
    assert 51 <= hits <= 60


def test_p_values_of_an_attack_are_valid_by_chance():
    generator, auc_low, tpr_low = rng(), 0, 0
    for _ in range(1000):
        found = statistics.attack(generator.random(150), generator.random(200))
        auc_low, tpr_low = auc_low + (found.p_auc < 0.05), tpr_low + (found.p_tpr < 0.05)
    assert 0.03 < auc_low / 1000 < 0.07
    assert 0.01 < tpr_low / 1000 < 0.07


def test_roc_ends_and_area():
    members, others = rng().normal(1, 1, 100), rng().normal(0, 1, 80)
    false, true = statistics.roc(members, others)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    area = np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2)
    assert np.isclose(area, statistics.attack(members, others).auc)


# --- nearest neighbors ---------------------------------------------------------------------------


def test_authenticity_by_hand():
    """Real images at 0, 1 and 9: their next ones are 1, 1 and 8 away.

    A synthetic image at 0.5 is 0.5 from 0: not authentic. One at 14 is 5 from 9, under 8: not
    authentic either. One at -2 is 2 from 0: authentic.
    """
    own = np.array([1.0, 1.0, 8.0])
    found = statistics.authentic(np.array([0.5, 5.0, 2.0]), np.array([0, 2, 0]), own)
    assert found.tolist() == [False, False, True]


def test_copies_are_not_authentic():
    assert not statistics.authentic(np.zeros(3), np.arange(3), np.ones(3)).any()


def test_independent_differences_have_the_usual_error():
    """N images, each with references of its own: the root of the mean square over N."""
    values = rng().choice([-1.0, 1.0], 400)
    error = statistics.paired_error(values, np.arange(400), np.arange(400))
    assert np.isclose(error, 1 / np.sqrt(400))


def test_images_around_one_reference_count_once():
    """All images share a nearest reference: the error is as large as the mean."""
    error = statistics.paired_error(np.ones(100), np.zeros(100, int), np.arange(100))
    assert error == 1


def test_design_effect_by_hand():
    """Groups of 3 and 1: (9 + 1) / 4."""
    assert statistics.design_effect(np.array([4, 4, 4, 7])) == 2.5


def test_mann_whitney_by_hand():
    """Values 1, 2 against 3, 4, 5: U = 0, mean 3, variance 2 * 3 * 6 / 12 = 3."""
    z = statistics.mann_whitney_z(np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    assert np.isclose(z, -3 / np.sqrt(3))
    assert statistics.mann_whitney_z(np.ones(4), np.ones(5)) == 0


@pytest.mark.parametrize(("shift", "low", "high"), [(0, -2, 2), (-1, -60, -10), (1, 10, 60)])
def test_c_t_of_equal_distances_is_about_0_and_of_copies_far_below(shift, low, high):
    generator = rng()
    held, synthetic = generator.normal(3, 1, 3000), generator.normal(3 + shift, 1, 3000)
    cells = [generator.integers(0, 5, 3000) for _ in range(2)]
    found = statistics.c_t(held, cells[0], synthetic, cells[1], least=20)
    assert low < found < high


def test_c_t_leaves_small_regions_out():
    """Region 1 has too few images; region 0 decides."""
    held, cells = np.arange(30.0), np.repeat([0, 1], [25, 5])
    found = statistics.c_t(held, cells, held - 100, cells, least=20)
    assert found == statistics.mann_whitney_z(held[:25] - 100, held[:25])
    assert statistics.c_t(held, cells, held, cells, least=26) is None
