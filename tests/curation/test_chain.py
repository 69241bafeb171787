"""Every step alone, with what it leaves to the image, and all of them together."""

from dataclasses import replace

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.curation import chain, judged, near_duplicates, report, training_copies
from ferbench.curation.chain import Pool, RealFaces, Settings
from ferbench.curation.training_copies import Strictness
from ferbench.data.face_set import Faces
from ferbench.errors import UserError

OFF = Settings(
    mismatched="keep",
    mismatch_confidence=0.5,
    confidence=None,
    keep_share=None,
    train_copies=None,
    duplicate_correlation=None,
    cells=None,
    n=None,
    balance="equal",
    short="accept",
    seed=0,
)
POOL = 105  # 15 a class


@pytest.fixture
def train(photos, write_verdicts):
    """140 real images: the classes' features are 0 and 100, half each; more happy ones."""
    labels = np.repeat(np.arange(7), [20, 10, 20, 40, 20, 10, 20]).astype(np.int64)
    images = write_verdicts(photos(140, 0), labels, 99, np.arange(140) % 2 * 100)
    return Faces(images, labels, np.array([f"train_{i}" for i in range(140)]))


@pytest.fixture
def pool(photos, write_verdicts):
    """Images that all show their class with 0.80 and have features of 0."""
    labels = np.arange(POOL) % 7
    return write_verdicts(photos(POOL, 5), labels, 80, 0), labels


@pytest.fixture
def curate(judge, train, photos, write_verdicts):
    """curate(pool, setting=value, ...): what is taken, with every other step off."""

    held = write_verdicts(photos(100, 1), np.arange(100) % 7, 90)

    def run(pool, **settings):
        return chain.run(
            Pool(*pool),
            RealFaces(train, held),
            judge,
            replace(OFF, **settings),
            batch=16,
            on_step=lambda text: None,
        )

    return run


def dropped(found):
    return sorted(set(range(POOL)) - set(found.rows.tolist()))


def test_without_steps_all_are_taken_classes_alternating(curate, pool):
    found = curate(pool)
    assert found.rows.tolist() == list(range(POOL))
    np.testing.assert_array_equal(found.labels, np.arange(POOL) % 7)
    assert [step.name for step in found.steps] == ["pool", "drawn"]
    assert found.missing == {}


def mismatch(pool, write_verdicts):
    """Image 3 (happy) looks sad with 0.90, image 10 (happy) looks sad with 0.45."""
    images, labels = pool
    rows = [3, 10]
    images[rows] = write_verdicts(images[rows], 4, [90, 45])
    return images, labels


def test_mismatched_images_are_dropped(curate, pool, write_verdicts):
    found = curate(mismatch(pool, write_verdicts), mismatched="drop", n=POOL)
    assert dropped(found) == [3]
    assert found.missing == {"happy": 1}
    assert found.steps[1].facts["images"] == 1
    assert found.steps[1].counts == {**dict.fromkeys(CLASSES, 15), "happy": 14}


def test_mismatched_images_are_relabeled(curate, pool, write_verdicts):
    found = curate(mismatch(pool, write_verdicts), mismatched="correct", n=POOL)
    assert found.steps[1].counts == {**dict.fromkeys(CLASSES, 15), "happy": 14, "sad": 16}
    corrected = curate(mismatch(pool, write_verdicts), mismatched="correct", seed=3)
    assert corrected.labels.tolist() == (np.arange(98) % 7).tolist()
    taken = dict(zip(found.rows.tolist(), found.labels.tolist(), strict=True))
    assert taken.get(3, 4) == 4 and taken[10] == 3


def test_their_own_confidence_decides_what_is_mismatched(curate, pool, write_verdicts):
    found = curate(
        mismatch(pool, write_verdicts), mismatched="drop", mismatch_confidence=0.4, n=POOL
    )
    assert dropped(found) == [3, 10]


def test_confidence_is_of_the_own_class(curate, pool, write_verdicts):
    images, labels = pool
    images[:7] = write_verdicts(images[:7], labels[:7], 60)
    assert dropped(curate(pool, confidence=0.7, n=POOL)) == list(range(7))
    assert dropped(curate(pool, confidence=0.5, n=POOL)) == []


def test_a_share_of_each_class_lets_no_class_vanish(curate, pool, write_verdicts):
    """Disgust is weak: none passes 0.5, but a third of it is kept by share, the best third."""
    images, labels = pool
    weak = np.flatnonzero(labels == 1)
    images[weak] = write_verdicts(images[weak], 1, 20 + np.arange(15))
    assert curate(pool, confidence=0.5, n=POOL).missing == {"disgust": 15}
    found = curate(pool, keep_share=1 / 3, confidence=0.99, n=35)
    assert found.missing == {}
    assert sorted(found.rows[found.labels == 1]) == weak[10:].tolist()
    assert found.steps[1].facts["lowest_probability"]["disgust"] == pytest.approx(0.3, abs=1e-6)


def test_training_copies_are_dropped(curate, pool, train, write_verdicts):
    images, labels = pool
    images[5], images[9] = train.images[0], train.images[1][:, ::-1]
    found = curate((images, labels), train_copies=Strictness(0.95, 0.9, 0.0), n=POOL)
    assert {5, 9} <= set(dropped(found))
    facts = found.steps[1].facts
    assert facts["found"]["identical"] == 2
    assert set(facts["limits"]) == {"pixels", "gradients", "judge", "hashes"}
    assert len(dropped(found)) == sum(found.missing.values()) < 9


def test_near_duplicates_leave_the_surest(curate, pool, write_verdicts):
    """Images 12 and 40 show what 5 (80 %) shows; 40 is surest."""
    images, labels = pool
    images[12] = images[5]
    images[40] = write_verdicts(images[5:6], labels[40], 95)[0]
    found = curate((images, labels), duplicate_correlation=0.95, n=POOL)
    assert dropped(found) == [5, 12]
    assert found.missing == {"surprise": 2}


def test_a_dropped_mode_is_made_up_for(curate, pool, write_verdicts):
    """Of 15 candidates of a class 12 are of one kind and 3 of another; the real ones half and half.

    6 are taken: 3 and 3. By chance they would be 5 and 1.
    """
    images, labels = pool
    rare = np.arange(84, POOL)
    images[rare] = write_verdicts(images[rare], labels[rare], 80, 100)
    found = curate((images, labels), cells=2, n=42)
    for k in range(7):
        assert np.isin(found.rows[found.labels == k], rare).sum() == 3
    facts = found.steps[-1].facts["classes"]["happy"]
    assert facts["candidates_likeness"] == pytest.approx(0.5 + 0.2)
    assert facts["chosen_likeness"] == pytest.approx(1)
    assert found.steps[-1].name == "spread"


def test_balance(curate, pool):
    """Natural: 1/7, 1/14, 1/7, 2/7, ... of the real images; without n as many as that allows."""
    found = curate(pool, n=28, balance="natural")
    assert np.bincount(found.labels).tolist() == [4, 2, 4, 8, 4, 2, 4]
    found = curate(pool, balance="natural")
    assert np.bincount(found.labels).sum() == 52  # 15 happy ones are 2/7 of 52.5
    assert np.bincount(curate(pool, n=24).labels).tolist() == [4, 4, 4, 3, 3, 3, 3]


def test_too_few_of_a_class(curate, pool, write_verdicts):
    images, labels = pool
    images[:70] = write_verdicts(images[:70], labels[:70], 30)
    assert curate(pool, confidence=0.5, n=42).missing == dict.fromkeys(CLASSES, 1)
    with pytest.raises(UserError, match=r"short=refuse: .*\(angry 5 of 6, disgust 5 of 6,"):
        curate(pool, confidence=0.5, n=42, short="refuse")
    with pytest.raises(UserError, match="no image of the pool is left"):
        curate(pool, confidence=0.9, n=42)
    with pytest.raises(UserError, match=r"n=null: too little is left for all classes \(angry 0"):
        curate(pool, confidence=0.9)


def all_on(pool, photos, write_verdicts):
    rng = np.random.default_rng(0)
    images, labels = pool
    images = write_verdicts(
        images,
        np.where(rng.random(POOL) < 0.8, labels, 3),
        rng.integers(40, 99, POOL),
        rng.integers(0, 2, POOL) * 100,
    )
    images[60:66] = images[:6]
    return images, labels


ON = {
    "mismatched": "correct",
    "confidence": 0.45,
    "train_copies": Strictness(0.95, 0.9, 0.01),
    "duplicate_correlation": 0.95,
    "cells": 3,
    "n": 42,
}


def test_the_same_seed_and_any_block_give_the_same(
    curate, pool, photos, write_verdicts, monkeypatch
):
    given = all_on(pool, photos, write_verdicts)
    first, other = curate(given, **ON), curate(given, **ON, seed=1)
    for module in (judged, near_duplicates, training_copies):
        monkeypatch.setattr(module, "BLOCK", 11)
    again = curate(given, **ON)
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.steps == again.steps
    assert first.rows.tolist() != other.rows.tolist()
    assert [step.name for step in first.steps] == [
        "pool",
        "mismatched",
        "confidence",
        "training copies",
        "near-duplicates",
        "spread",
    ]


def test_the_pool_is_not_changed(curate, pool, photos, write_verdicts):
    images, labels = all_on(pool, photos, write_verdicts)
    images.flags.writeable = labels.flags.writeable = False
    curate((images, labels), **ON)


def test_the_table_shows_what_each_step_changed(curate, pool, write_verdicts):
    found = curate(mismatch(pool, write_verdicts), mismatched="correct", n=70)
    lines = [line.split() for line in report.summary(found).splitlines()]
    assert lines[0] == [*CLASSES, "all"]
    assert lines[1] == ["pool", *["15"] * 7, "105"]
    assert lines[2] == ["mismatched", "+0", "+0", "+0", "-1", "+1", "+0", "+0", "+0"]
    assert lines[3] == ["drawn", "-5", "-5", "-5", "-4", "-6", "-5", "-5", "-35"]
    assert lines[4] == ["set", *["10"] * 7, "70"]
