"""Rows of real and synthetic sets: which ones, how many, in what order, and how they are read."""

import hashlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.data import face_set, mixing, synthetic_set, training_set
from ferbench.data.face_set import Faces
from ferbench.errors import UserError

SIZES = (39, 4, 41, 72, 48, 32, 50)  # a hundredth of FER2013's, and as uneven
N = sum(SIZES)


def faces_of(labels):
    """Images that can be told apart: image i is of gray i % 251, its corner i // 251."""
    labels = np.asarray(labels, np.int64)
    rows = np.arange(len(labels))
    images = np.empty((len(labels), 48, 48), np.uint8)
    images[:] = (rows % 251)[:, None, None]
    images[:, 0, 0] = rows // 251
    return Faces(images, labels, np.array([f"face{i:05d}" for i in rows]))


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A real set as read from disk, its training split in random order."""
    rng = np.random.default_rng(0)
    train = faces_of(rng.permutation(np.repeat(np.arange(7), SIZES)))
    small = faces_of(np.arange(14) % 7)
    root = tmp_path_factory.mktemp("real") / "set"
    splits = {"train": train, "public": small, "private": small}
    clean = {"clean_train": np.arange(N) % 3 > 0, "clean_private": np.ones(14, bool)}
    face_set.write(root, splits, {"name": "fer2013"}, extras=clean)
    return face_set.read(root)


def make_pool(root, n, *, labels=None, px=48, **facts):
    """A set whose labels are interleaved, as `ferbench synth` writes them."""
    labels = np.arange(n) % 7 if labels is None else np.asarray(labels)
    images = np.random.default_rng(n).integers(100, 200, (len(labels), px, px), dtype=np.uint8)
    synthetic_set.write(root, images, labels.astype(np.int64), facts)
    return synthetic_set.read(root)


@pytest.fixture
def pool(tmp_path):
    return make_pool(tmp_path / "synthetic", 700)


def sizes_of(labels):
    return tuple(np.bincount(labels, minlength=7))


def images_of(training):
    return np.concatenate(list(training.blocks()))


# --- proportions ---------------------------------------------------------------------------------


def test_natural_counts_are_those_of_the_training_split(faces):
    assert tuple(mixing.wanted_counts(faces, N, "natural")) == SIZES
    assert tuple(mixing.wanted_counts(faces, 2 * N, "natural")) == tuple(2 * n for n in SIZES)
    assert tuple(mixing.wanted_counts(faces, 10, "equal")) == (2, 2, 2, 1, 1, 1, 1)


# --- few-shot ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fraction", "want"),
    [
        (0.1, (4, 1, 4, 7, 5, 3, 5)),  # disgust: 0.4
        (0.01, (1, 1, 1, 1, 1, 1, 1)),
        (0.5, (20, 2, 20, 36, 24, 16, 25)),  # 19.5 and 20.5: to the even one
    ],
)
def test_a_limit_keeps_the_proportions_and_at_least_one_of_a_class(faces, fraction, want):
    part = mixing.limited(faces, fraction=fraction, seed=0)
    assert sizes_of(part.splits["train"].labels) == want
    assert part.manifest["counts"]["train"] == dict(zip(CLASSES, want, strict=True))


def test_a_limited_set_is_made_of_rows_of_the_whole_one(faces):
    part = mixing.limited(faces, fraction=0.3, seed=1).splits["train"]
    rows = [int(name.removeprefix("face")) for name in part.names]
    assert rows == sorted(set(rows))
    whole = faces.splits["train"]
    np.testing.assert_array_equal(part.images, whole.images[rows])
    np.testing.assert_array_equal(part.labels, whole.labels[rows])


def test_smaller_limits_lie_in_larger_ones_and_seeds_differ(faces):
    def names(fraction, seed=0):
        return set(mixing.limited(faces, fraction=fraction, seed=seed).splits["train"].names)

    parts = [names(fraction) for fraction in np.linspace(0.01, 0.99, 50)]
    assert all(less <= more for less, more in pairwise(parts))
    assert len(parts[0]) == 7
    assert names(0.2) == names(0.2)
    assert names(0.2) != names(0.2, seed=1)


def test_a_limited_set_has_hash_masks_and_a_note_of_its_own(faces):
    part = mixing.limited(faces, fraction=0.1, seed=3)
    train, whole = part.splits["train"], faces.manifest["hashes"]
    assert part.manifest["hashes"]["train"] == face_set.content_hash(train) != whole["train"]
    assert part.manifest["hashes"]["private"] == whole["private"]
    want = {"fraction": 0.1, "seed": 3, "of": N, "hash": whole["train"]}
    assert part.manifest["limited"] == want
    assert "limited" not in faces.manifest
    rows = [int(name.removeprefix("face")) for name in train.names]
    np.testing.assert_array_equal(part.extras["clean_train"], np.array(rows) % 3 > 0)
    assert len(part.extras["clean_private"]) == 14


# --- one source ----------------------------------------------------------------------------------


def test_only_real_is_the_training_split_with_its_hash(faces):
    training = mixing.only_real(faces)
    np.testing.assert_array_equal(images_of(training), faces.splits["train"].images)
    np.testing.assert_array_equal(training.labels, faces.splits["train"].labels)
    assert training.content_hash() == faces.manifest["hashes"]["train"]
    assert (len(training.real), len(training.synthetic)) == (N, 0)


def test_a_whole_synthetic_set_has_the_hash_of_its_manifest(faces, pool):
    training = mixing.only_synthetic(faces, pool, limit=None, balance="equal")
    np.testing.assert_array_equal(images_of(training), pool.images)
    assert training.content_hash() == pool.manifest["hash"]
    assert (len(training.real), len(training.synthetic)) == (0, 700)


@pytest.mark.parametrize("limit", [7, 10, 699, 700])
def test_a_limit_of_an_interleaved_set_is_its_beginning(faces, pool, limit):
    training = mixing.only_synthetic(faces, pool, limit=limit, balance="equal")
    np.testing.assert_array_equal(images_of(training), pool.images[:limit])
    np.testing.assert_array_equal(training.labels, pool.labels[:limit])


def test_a_limit_is_balanced_where_the_set_is_not(faces, tmp_path):
    """All of a class in a row, as an edited set may have them: the first 5 of each."""
    pool = make_pool(tmp_path / "blocks", 0, labels=np.repeat(np.arange(7), 20))
    training = mixing.only_synthetic(faces, pool, limit=35, balance="equal")
    assert sizes_of(training.labels) == (5,) * 7
    want = np.concatenate([np.arange(20 * c, 20 * c + 5) for c in range(7)])
    np.testing.assert_array_equal(training.synthetic.rows, want)


def test_a_limit_can_take_the_classes_as_the_real_set_has_them(faces, pool):
    training = mixing.only_synthetic(faces, pool, limit=N, balance="natural")
    assert sizes_of(training.labels) == SIZES


# --- replace, add, augment -----------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0, 0.1, 0.3, 0.5, 1])
@pytest.mark.parametrize("balance", ["equal", "natural"])
def test_replace_keeps_the_size_and_the_real_classes(faces, pool, fraction, balance):
    training = mixing.replaced(faces, pool, real_fraction=fraction, balance=balance, seed=0)
    n_real = len(training.real)
    assert (len(training), len(training.synthetic)) == (N, N - n_real)
    kept = np.array(sizes_of(training.real.row_labels))
    assert (np.abs(kept - fraction * np.array(SIZES)) <= 0.5).all()
    assert len(set(training.real.rows)) == n_real
    drawn = np.array(sizes_of(training.synthetic.row_labels))
    share = np.full(7, 1 / 7) if balance == "equal" else np.array(SIZES) / N
    assert (np.abs(drawn - (N - n_real) * share) < 1).all()


def test_replace_without_synthetic_faces_needs_no_set(faces):
    training = mixing.replaced(faces, None, real_fraction=1, balance="equal", seed=0)
    np.testing.assert_array_equal(images_of(training), faces.splits["train"].images)


def test_replace_draws_by_its_seed_and_more_contains_less(faces, pool):
    def rows(fraction, seed=0):
        found = mixing.replaced(faces, pool, real_fraction=fraction, balance="equal", seed=seed)
        return set(found.real.rows)

    assert rows(0.1) < rows(0.3) < rows(1)
    assert rows(0.3) != rows(0.3, seed=1)


@pytest.mark.parametrize(("per_real", "extra"), [(0.5, 143), (1, 286), (2, 572)])
def test_add_keeps_all_real_faces(faces, pool, per_real, extra):
    training = mixing.added(faces, pool, synthetic_per_real=per_real, balance="equal")
    np.testing.assert_array_equal(images_of(training)[:N], faces.splits["train"].images)
    np.testing.assert_array_equal(images_of(training)[N:], pool.images[:extra])
    np.testing.assert_array_equal(training.labels[N:], pool.labels[:extra])


@pytest.mark.parametrize("balance", ["equal", "natural"])
def test_augment_has_the_classes_of_add_and_only_real_faces(faces, pool, balance):
    """The control differs from `add` in nothing but what the further images are."""
    how = {"synthetic_per_real": 2, "balance": balance}
    control = mixing.augmented(faces, **how, seed=0)
    assert sizes_of(control.labels) == sizes_of(
        mixing.added(faces, make_pool(pool.root.with_name("large"), 7 * 144), **how).labels
    )
    assert len(control.synthetic) == 0
    np.testing.assert_array_equal(control.real.rows[:N], np.arange(N))
    np.testing.assert_array_equal(faces.splits["train"].labels[control.real.rows], control.labels)


def test_augment_repeats_every_face_of_a_class_before_one_a_second_time(faces):
    """572 equal extra images are 82 or 81 a class: disgust's 4 faces 20 or 21 times more each."""
    control = mixing.augmented(faces, synthetic_per_real=2, balance="equal", seed=0)
    times = np.bincount(control.real.rows, minlength=N)
    for label in range(7):
        of_class = times[faces.splits["train"].labels == label]
        assert of_class.max() - of_class.min() <= 1
    assert times[faces.splits["train"].labels == 1].min() == 21


def test_augment_naturally_once_is_everything_twice(faces):
    control = mixing.augmented(faces, synthetic_per_real=1, balance="natural", seed=0)
    assert (np.bincount(control.real.rows) == 2).all()


# --- reading -------------------------------------------------------------------------------------


def test_parts_are_memory_mapped_and_blocks_are_copies_of_some_rows(faces, pool, monkeypatch):
    monkeypatch.setattr(training_set, "BLOCK", 100)
    training = mixing.added(faces, pool, synthetic_per_real=1, balance="equal")
    assert isinstance(training.real.images, np.memmap)
    assert isinstance(training.synthetic.images, np.memmap)
    assert [len(block) for block in training.blocks()] == [100, 100, 86] * 2
    assert not any(np.shares_memory(block, pool.images) for block in training.blocks())


def test_the_content_hash_does_not_depend_on_blocks(faces, pool, monkeypatch):
    """SHA-256 of all images, then of the labels as little-endian int64."""
    training = mixing.added(faces, pool, synthetic_per_real=1, balance="equal")
    want = hashlib.sha256(images_of(training).tobytes() + training.labels.astype("<i8").tobytes())
    assert training.content_hash() == want.hexdigest()
    monkeypatch.setattr(training_set, "BLOCK", 33)
    assert training.content_hash() == want.hexdigest()


def test_content_hashes_tell_mixes_apart(faces, pool):
    mixes = [
        mixing.added(faces, pool, synthetic_per_real=1, balance="equal"),
        mixing.added(faces, pool, synthetic_per_real=2, balance="equal"),
        mixing.replaced(faces, pool, real_fraction=0.5, balance="equal", seed=0),
        mixing.replaced(faces, pool, real_fraction=0.5, balance="equal", seed=1),
        mixing.augmented(faces, synthetic_per_real=1, balance="equal", seed=0),
    ]
    assert len({mix.content_hash() for mix in mixes}) == len(mixes)


def test_a_set_that_is_not_its_manifest_s_is_refused(faces, pool):
    changed = np.array(pool.images)
    changed[3, 0, 0] ^= 1
    training = mixing.only_synthetic(
        faces, replace(pool, images=changed), limit=None, balance="equal"
    )
    with pytest.raises(UserError, match="not those of the set's manifest"):
        training.content_hash()


# --- normalization -------------------------------------------------------------------------------


def test_gray_statistics_are_those_of_all_pixels(faces, pool):
    part = mixing.only_synthetic(faces, pool, limit=None, balance="equal").synthetic
    mean, std = training_set.gray_statistics(part)
    assert mean == pytest.approx(pool.images.mean(dtype=np.float64), rel=1e-12)
    assert std == pytest.approx(pool.images.std(dtype=np.float64), rel=1e-12)


def test_matched_levels_have_the_statistics_of_the_real_images(faces, tmp_path):
    """Synthetic grays of mean 120, sd 5 become the real ones' 70 or so, sd 50: rounding apart."""
    rng = np.random.default_rng(1)
    images = rng.normal(120, 5, (70, 48, 48)).round().astype(np.uint8)
    synthetic_set.write(tmp_path / "dull", images, np.arange(70) % 7, {})
    pool = synthetic_set.read(tmp_path / "dull")
    real = training_set.Part(
        rng.normal(110, 30, (50, 48, 48)).round().clip(0, 255).astype(np.uint8),
        np.arange(50) % 7,
        np.arange(50),
    )
    mixed = replace(mixing.only_synthetic(faces, pool, limit=None, balance="equal"), real=real)
    found = mixing.match_levels(mixed, faces)
    want, got = map(training_set.gray_statistics, (found.real, found.synthetic))
    assert got == pytest.approx(want, abs=0.3)
    assert images_of(found)[50:].mean() == pytest.approx(110, abs=0.5)
    np.testing.assert_array_equal(images_of(found)[:50], real.images)
    np.testing.assert_array_equal(found.labels, mixed.labels)


def test_matching_is_one_rising_map_of_grays(faces, pool):
    found = mixing.match_levels(
        mixing.only_synthetic(faces, pool, limit=None, balance="equal"), faces
    )
    levels = found.synthetic.levels
    assert levels.dtype == np.uint8
    assert (np.diff(levels.astype(int)) >= 0).all()
    np.testing.assert_array_equal(images_of(found), levels[pool.images])
    want = training_set.gray_statistics(mixing.only_real(faces).real)
    assert training_set.gray_statistics(found.synthetic)[0] == pytest.approx(want[0], abs=3)


def test_matching_a_set_with_the_same_statistics_changes_nothing(faces, tmp_path):
    train = faces.splits["train"]
    synthetic_set.write(tmp_path / "same", np.array(train.images), np.array(train.labels), {})
    training = mixing.only_synthetic(
        faces, synthetic_set.read(tmp_path / "same"), limit=None, balance="equal"
    )
    found = mixing.match_levels(training, faces)
    np.testing.assert_array_equal(found.synthetic.levels, np.arange(256))
    assert found.content_hash() == training.content_hash()


def test_matching_leaves_real_faces_alone_and_refuses_blank_ones(faces, tmp_path):
    real = mixing.only_real(faces)
    assert mixing.match_levels(real, faces) is real
    synthetic_set.write(tmp_path / "blank", np.full((7, 48, 48), 9, np.uint8), np.arange(7), {})
    blank = mixing.only_synthetic(
        faces, synthetic_set.read(tmp_path / "blank"), limit=None, balance="equal"
    )
    with pytest.raises(UserError, match=r"data\.normalize=source: every synthetic pixel is 9"):
        mixing.match_levels(blank, faces)


# --- sets that do not do -------------------------------------------------------------------------


def test_a_class_without_synthetic_images_is_refused(faces, tmp_path):
    pool = make_pool(tmp_path / "six", 0, labels=np.arange(60) % 6)
    with pytest.raises(UserError, match=r"six: too few images \(neutral 0 of 1\)"):
        mixing.only_synthetic(faces, pool, limit=None, balance="equal")


def test_too_few_synthetic_images_are_told_in_numbers(faces, pool):
    """858 equal ones are 123, 123, 123, 123, 122, 122, 122 of 100 there are."""
    want = (
        r"angry 100 of 123, .*neutral 100 of 122\); expected 858 in all \(ferbench synth n=858 has"
    )
    with pytest.raises(UserError, match=want):
        mixing.added(faces, pool, synthetic_per_real=3, balance="equal")
    want = r"too few images \(happy 100 of 144\); expected 572 in all \(ferbench synth n=1008 has"
    with pytest.raises(UserError, match=want):
        mixing.added(faces, pool, synthetic_per_real=2, balance="natural")
