"""The tests in one space: chance for held-out images, certainty for copies, smooth sets between."""

import numpy as np
import pytest

from ferbench.privacy import roles, space, statistics
from ferbench.privacy.findings import Candidates, Outcome
from ferbench.privacy.space import Members, Space
from ferbench.similarity import views
from ferbench.similarity.views import Nearest, Views

DIMENSIONS, COUNT, HELD = 8, 900, 300


def points(n, seed):
    """[n, 8] normal points: images whose distances are known by law."""
    vectors = np.random.default_rng(seed).normal(size=(n, DIMENSIONS)).astype(np.float32)
    return Views(vectors, vectors)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    labels, held_labels = np.arange(COUNT) % 7, np.arange(HELD) % 7
    parts = roles.assign(np.arange(HELD), held_labels, labels, rng)
    members = Members(points(COUNT, 1).plain, 3, rng)
    return Space(members, points(HELD, 2), parts, quantile=0.01)


def outcomes(made, synthetic):
    return made.tests(made.neighbors(synthetic), made.distances(synthetic))


def members_of(made, count):
    rows = made.members.vectors[:count]
    return Views(rows, rows)


def test_strangers_are_at_chance(made):
    """600 points of the same law: every test is near chance and none is beyond 1 in 1000."""
    found = outcomes(made, points(600, 3))
    assert abs(found["closer to training"].value - 0.5) < 0.1
    assert abs(found["nearest is training"].value - 0.75) < 0.1
    assert abs(found["membership"].value - 0.5) < 0.06
    assert abs(found["calibrated membership"].value - 0.5) < 0.06
    assert abs(found["data copying"].value) < 3
    assert all(one.p > 0.001 for one in found.values())


def test_copies_fail_every_test(made):
    """All members are in the set: AUC and TPR are 1, and no image is authentic.

    Of C_T half the sample, a sixth of the members, is too little to say so for certain.
    """
    found = outcomes(made, members_of(made, COUNT))
    assert found["membership"].value == found["membership at 1 %"].value == 1
    assert found["authenticity"].value == 0
    assert found["standing out"].value == found["nearest is training"].value == 1
    assert found["closer to training"].value > 0.65  # the sample is a third of the members
    assert all(one.excess > 0 for one in found.values())
    assert all(one.p < 1e-4 for name, one in found.items() if name != "data copying")


def test_a_smooth_set_is_near_to_everything_and_passes(made):
    """Points at the middle: far nearer to members than held-out points are, and to those as well.

    C_T and authenticity alone would call this copying.
    """
    middle = np.random.default_rng(4).normal(0, 0.3, (600, DIMENSIONS)).astype(np.float32)
    smooth = Views(middle, middle)
    found = outcomes(made, smooth)
    assert found["data copying"].value < -5
    assert made.published_c_t(made.neighbors(smooth)) < -5
    assert all(one.p > 0.001 for one in found.values())


def test_a_collapsed_set_passes(made):
    """600 points around one place: a few real points are near to all of them, by chance."""
    place = np.random.default_rng(5).normal(size=DIMENSIONS)
    spread = np.random.default_rng(6).normal(0, 0.05, (600, DIMENSIONS))
    vectors = (place + spread).astype(np.float32)
    found = outcomes(made, Views(vectors, vectors))
    assert all(one.p > 0.001 for one in found.values())


def test_a_memorized_quarter_is_found(made):
    """150 members among 600 points: what counts the extremes finds them at once."""
    strangers, copied = points(450, 7).plain, made.members.vectors[:150]
    both = np.concatenate([strangers, copied])
    found = outcomes(made, Views(both, both))
    for name in ("standing out", "membership at 1 %", "nearest is training", "authenticity"):
        assert found[name].p < 0.001, name
    assert found["standing out"].value >= 0.25


def test_mirrored_copies_count(made):
    """The set's mirror images are members, the images themselves are not."""
    copied = Views(points(COUNT, 8).plain, made.members.vectors)
    assert outcomes(made, copied)["membership"].value == 1


def test_published_c_t_of_copies_is_far_below_0(made):
    assert made.published_c_t(made.neighbors(members_of(made, 300))) < -5
    assert abs(made.published_c_t(made.neighbors(points(300, 9)))) < 3


def test_roles_are_equal_in_size_and_classes():
    labels, held_labels = np.repeat(np.arange(7), 40), np.repeat(np.arange(7), 12)
    found = roles.assign(np.arange(84), held_labels, labels, np.random.default_rng(0))
    assert (np.bincount(labels[found.sample]) == 12).all()
    assert len(found.half_sample) == len(found.reference) == 42
    assert sorted([*found.reference, *found.probe]) == list(range(84))
    assert len(set(found.sample)) == 84


def test_a_class_with_few_members_gives_all_it_has():
    held, labels = np.zeros(10, int), np.array([0] * 4 + [1] * 10)
    assert len(roles.assign(np.arange(10), held, labels, np.random.default_rng(0)).sample) == 4


def test_the_quantile_is_that_of_the_held_images():
    """100 ratios 0.01, 0.02, ...: under the 5 % quantile lie five, and five of a set like it."""
    ratios = np.arange(1, 101) / 100
    near = Nearest(np.arange(100), ratios, np.ones(100))
    found = space.standing_out(near, near, 0.05)
    assert (found.value, found.chance) == (0.05, 0.05)
    assert found.p > 0.3


def test_bias_is_taken_off_with_its_error():
    """0.1 over chance, error 0.03, less a bias of 0.06, error 0.04: 0.04 of 0.05 is 0.8 sigma."""
    mine, bias = (space.normal_outcome(0.5 + x, 0.5, x, e) for x, e in ((0.1, 0.03), (0.06, 0.04)))
    found = statistics.less_bias(mine, bias)
    assert np.isclose(found.error, 0.05)
    assert np.isclose(found.p, statistics.norm.sf(0.8))
    assert found.value == mine.value


def test_bias_away_from_memorization_gives_nothing():
    mine, bias = space.normal_outcome(0.6, 0.5, 0.1, 0.1), space.normal_outcome(0.4, 0.5, -0.1, 0.1)
    assert np.isclose(statistics.less_bias(mine, bias).excess, 0.1)


def test_exact_tests_have_no_bias():
    exact = Outcome(0.2, 0.1, 0.1, None, 0.01)
    assert statistics.less_bias(exact, space.normal_outcome(0.9, 0.5, 0.4, 0.1)) is exact


def test_the_smallest_of_several_sets():
    parts = [Candidates(np.array([1.0, 5.0]), np.array([2.0])) for _ in range(2)]
    parts.append(Candidates(np.array([3.0, 4.0]), np.array([9.0])))
    found = roles.smallest(parts)
    assert found.members.tolist() == [1.0, 4.0]
    assert found.others.tolist() == [2.0]


def test_looks_join_and_part(made):
    near = made.neighbors(points(20, 11))
    again = near.take(slice(0, 5)).then(near.take(slice(5, 20)))
    for name in ("members", "sample", "held", "half_sample", "reference"):
        assert (getattr(again, name).row == getattr(near, name).row).all()
    assert (again.cell == near.cell).all()


def test_distances_to_oneself_do_not_count():
    line = np.array([[0.0], [1.0], [5.0]], np.float32)
    assert np.allclose(space.own_distances(line), [1, 1, 4])
    assert np.allclose(views.nearest_real(Views(line, line), line).first, 0, atol=1e-3)
