"""Planted faults are counted exactly."""

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.data_audit import enlarged, faults, pool
from ferbench.errors import UserError
from ferbench.similarity import matches

ANGRY, DISGUST, FEAR, HAPPY = range(4)


def plant_copies(train, public, private):
    """Angry 0 four times (train 0, 1 and 10, private 0); fear 20 in public as fear; blanks."""
    train[1] = train[10] = private[0] = train[0]  # labels angry, angry, disgust, angry
    public[10] = train[20]  # fear and fear
    private[34] = train[30]  # neutral and happy
    train[60] = public[34] = 7  # two blank ones, identical
    private[20] = 0
    private[20, 0, 0] = 1  # blank, not of one gray level


@pytest.fixture
def found(make_set):
    return faults.find(pool.read(make_set(plant_copies)))


def test_groups_of_identical_images(found):
    """Groups {0, 1, 10 | 0}, {20 | 10}, {30 | 34} and the blank {60 | 34}."""
    groups = found.groups["identical"]
    assert (groups.groups, groups.images, groups.redundant) == (4, 10, 6)
    assert (groups.across, groups.conflicting) == (4, 2)
    want = np.zeros((7, 7), int)
    want[ANGRY, DISGUST] = want[DISGUST, ANGRY] = want[HAPPY, 6] = want[6, HAPPY] = 1
    np.testing.assert_array_equal(groups.mixed, want)
    assert found.within == {"train": 2, "public": 0, "private": 0}


def test_images_of_earlier_splits(found):
    """Private 0 has the label of train 0; private 34 (neutral) has not that of train 30."""
    leaks = {(one.split, one.earlier): (one.images, one.other_label) for one in found.leaks}
    assert leaks == {
        ("public", "train"): (2, 0),
        ("private", "train"): (2, 1),
        ("private", "public"): (0, 0),
    }
    assert found.leak("private", "train").images == 2


def test_counts_are_those_of_the_manifest(make_set):
    faces = make_set(plant_copies)
    told, found = faces.manifest["duplicates"], faults.find(pool.read(faces))
    assert told["identical"] == {
        "groups": found.groups["identical"].groups,
        "redundant_copies": found.groups["identical"].redundant,
        "groups_across_splits": found.groups["identical"].across,
        "groups_with_conflicting_labels": found.groups["identical"].conflicting,
    }
    assert told["splits"]["private"]["identical_to_train"] == found.leak("private", "train").images


def test_blank_images(found):
    assert found.blank.sum(axis=1).tolist() == [1, 1, 1]
    assert found.blank[2, CLASSES.index("sad")] == 1
    assert found.constant_blank == 2
    assert (found.blank_groups.groups, found.blank_groups.images) == (1, 2)


def test_near_and_mirrored_groups(make_set):
    """A brighter copy in public, and a mirrored one under another label in private."""

    def plant(train, public, private):
        train[:] = train // 2
        public[0] = train[0] + 20
        private[10] = train[5, :, ::-1]

    found = faults.find(pool.read(make_set(plant, near_correlation=0.95)))
    assert (found.groups["near"].groups, found.groups["near"].across) == (1, 1)
    assert found.groups["near"].conflicting == 0
    mirrored = found.groups["mirrored"]
    assert (mirrored.groups, mirrored.conflicting, mirrored.mixed[ANGRY, FEAR]) == (1, 1, 1)
    assert found.groups["identical"].groups == 0
    joined = found.groups[faults.ANY]
    assert (joined.groups, joined.images, joined.conflicting) == (2, 4, 1)


def test_equal_shares_have_no_chi_square(make_set):
    """Every split has 1/7 of each class: chi2 = 0, V = 0, p = 1; (3 - 1)(7 - 1) degrees."""
    found = faults.find(pool.read(make_set(lambda *_: None))).balance
    assert (found.chi2, found.freedom, found.cramers_v) == (0, 12, 0)
    assert found.p == 1
    assert found.largest_ratio == 1


def test_chi_square_of_a_two_by_two_table():
    """[[30, 10], [10, 30]] in two classes and two splits, nothing in the third.

    chi2 = n (ad - bc)^2 / (row and column sums) = 80 * 800^2 / 40^4 = 20; V = sqrt(20 / 80).
    """
    counts = np.zeros((2, 7), np.int64)
    counts[:, :2] = [[30, 10], [10, 30]]
    found = faults._balance(counts)
    assert np.isclose(found.chi2, 20)
    assert np.isclose(found.cramers_v, 0.5)


def test_photographs_join_copies_of_every_kind(make_set):
    """Identical {0, 1}, near {1, 70}: one photograph of three images, all others alone."""

    def plant(train, public, private):
        train[:] = train // 2
        train[1] = train[0]
        public[0] = train[0] + 20

    whole = pool.read(make_set(plant, near_correlation=0.95))
    numbers = whole.photographs()
    assert len(set(numbers)) == len(whole) - 2
    assert len(set(numbers[[0, 1, 70]])) == 1


def test_an_enlarged_training_image_is_found(make_set):
    """The middle 40 x 40 pixels of smooth train 3, enlarged, in public; noise is not found."""

    def plant(train, public, private):
        rng = np.random.default_rng(1)
        for images in (train, public, private):
            coarse = rng.integers(0, 256, (len(images), 8, 8), dtype=np.uint8)
            images[:] = np.kron(coarse, np.ones((1, 6, 6), np.uint8))
        public[3] = matches.enlarged(train[3:4], 1.2)[0].astype(np.uint8)

    faces = make_set(plant)
    measured = enlarged.find(pool.read(faces), faces)
    assert measured.tested == {"public": 35, "private": 35}
    assert measured.copies == {"public": 1, "private": 0}


# --- wrong inputs --------------------------------------------------------------------------------


def test_a_missing_table_is_one_line(make_set):
    faces = make_set(plant_copies)
    (faces.root / pool.TABLE).unlink()
    with pytest.raises(UserError, match=r"duplicates\.csv: no such file; .*force=true"):
        pool.read(faces)


@pytest.mark.parametrize(
    ("old", "new"),
    [("train_000", "train_002"), ("identical", "other"), (",0,", ",900,"), ("train,", "test,")],
)
def test_a_table_of_another_set_is_one_line(make_set, old, new):
    faces = make_set(plant_copies)
    path = faces.root / pool.TABLE
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(UserError, match="not the copies of this set"):
        pool.read(faces)
