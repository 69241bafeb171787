"""Copies among faces: planted ones are found, others are not, and masks say what they should."""

import csv
import io

import numpy as np
import pytest

from ferbench.classes import CLASSES, SPLITS
from ferbench.data import duplicates, face_set
from ferbench.data.face_set import Faces
from ferbench.data.fer2013 import release
from ferbench.data.fer2013 import source as fer2013
from ferbench.errors import UserError
from ferbench.similarity import near_copies


def photograph(seed: int, height: int = 48, width: int = 48) -> np.ndarray:
    """[height, width] float, 40 to 210: noise of 8 pixels' scale, a stand-in for a photograph."""
    coarse = np.random.default_rng(seed).normal(size=(height // 8 + 2, width // 8 + 2))
    y, x = np.arange(height) / 8, np.arange(width) / 8
    rows = np.stack([np.interp(y, np.arange(len(coarse)), column) for column in coarse.T], axis=1)
    smooth = np.stack([np.interp(x, np.arange(rows.shape[1]), row) for row in rows])
    return 40 + 170 * (smooth - smooth.min()) / np.ptp(smooth)


def gray(levels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def faces(images: list[np.ndarray], labels: list[int] | None = None) -> Faces:
    names = np.array([f"face_{i}" for i in range(len(images))], np.str_)
    stack = np.array([gray(image) for image in images], np.uint8).reshape(-1, 48, 48)
    return Faces(stack, np.array(labels or [0] * len(images), np.int64), names)


def find(**splits: list[np.ndarray]) -> duplicates.DuplicateReport:
    sets = {split: faces(images) for split, images in splits.items()}
    return duplicates.find(sets, near_correlation=0.95)


A, B, C, D, E = (photograph(seed) for seed in range(5))


# Identical copies


def test_distinct_photographs_are_all_clean():
    report = find(train=[A, B], public=[C], private=[D, E])
    for split in SPLITS:
        assert report.clean(split).all()
        assert report.near_clean(split).all()
    assert report.rows() == []
    assert report.to_csv() == "name,split,index,label,group,kind\n"


def test_a_copy_is_unclean_in_the_later_split_only():
    """Order train, public, private: A leaks from train, B from public, C repeats in private."""
    report = find(train=[A], public=[A, B], private=[B, C, C, A, D])
    assert report.clean("train").tolist() == [True]
    assert report.clean("public").tolist() == [False, True]
    assert report.clean("private").tolist() == [False, True, False, False, True]


def test_counts_of_identical_groups():
    """Groups A (3 copies, 3 splits), B (2, 2 splits), C (2, 1 split): 2 + 1 + 1 redundant.

    Private A is in train and public, private B in public.
    """
    summary = find(train=[A], public=[A, B], private=[B, C, C, A, D]).summary()
    assert summary["identical"] == {
        "groups": 3,
        "redundant_copies": 4,
        "groups_across_splits": 2,
        "groups_with_conflicting_labels": 0,
    }
    assert summary["splits"]["private"] == {
        "images": 5,
        "clean": 2,
        "near_clean": 2,
        "identical_to_train": 1,
        "identical_to_public": 2,
    }


def test_one_level_of_one_pixel_is_not_identical():
    other = gray(A)
    other[20, 20] += 1
    report = find(train=[A, other])
    assert report.clean("train").all()
    assert report.near_clean("train").tolist() == [True, False]


def test_conflicting_labels_are_counted_by_group():
    splits = {"train": faces([A, A, B, B, A], [0, 1, 2, 2, 0]), "private": faces([B, C], [2, 6])}
    report = duplicates.find(splits, near_correlation=None)
    assert report.summary()["identical"]["groups_with_conflicting_labels"] == 1


# Near copies


@pytest.mark.parametrize(
    "copy",
    [
        gray(A * 0.6 + 20),
        gray(A + np.random.default_rng(9).normal(0, 6, A.shape)),
        255 - gray(255 - A * 0.9),
    ],
    ids=["darker", "noise", "brighter"],
)
def test_changed_copies_are_near(copy):
    report = find(train=[B, A], private=[C, copy])
    assert report.near_pairs.tolist() == [[1, 3]]
    assert not report.mirrored.any()
    assert report.clean("private").tolist() == [True, True]
    assert report.near_clean("private").tolist() == [True, False]


@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (2, 1), (-1, 2), (3, 3)])
def test_another_crop_of_a_photograph_correlates_fully(shift):
    """Crops up to 3 pixels apart share the 42 x 42 window, whatever else they show."""
    large = photograph(7, 64, 64)
    y, x = shift
    first, second = large[8:56, 8:56], large[8 + y : 56 + y, 8 + x : 56 + x]
    measured = near_copies.aligned_correlation(first[None], second[None])
    np.testing.assert_allclose(measured, 1.0, atol=1e-9)


def test_another_crop_is_found():
    large = photograph(7, 64, 64)
    report = find(train=[A, large[8:56, 8:56]], public=[large[9:57, 7:55], B])
    assert report.near_pairs.tolist() == [[1, 2]]
    assert report.correlation[0] > 0.999


def test_mirrored_copies_are_told_apart():
    report = find(train=[A, B], private=[gray(B)[:, ::-1], C])
    assert report.near_pairs.tolist() == [[1, 2]]
    assert report.mirrored.tolist() == [True]
    assert report.near_clean("private").tolist() == [False, True]
    assert report.summary()["near"] == {
        "correlation": 0.95,
        "pairs": 0,
        "mirrored_pairs": 1,
        "pairs_across_splits": 1,
        "pairs_with_conflicting_labels": 0,
    }


def test_symmetric_pair_is_given_once():
    """A symmetric face is near its copy both ways; one pair remains."""
    symmetric = A + A[:, ::-1]
    report = find(train=[symmetric / 2, symmetric / 2.5])
    assert report.near_pairs.tolist() == [[0, 1]]


def test_near_copies_of_a_train_copy_are_unclean():
    """Private B' is near B; B stands in train first, and again in private."""
    report = find(train=[B], private=[gray(B), gray(B * 0.7), A])
    assert report.clean("private").tolist() == [False, True, True]
    assert report.near_clean("private").tolist() == [False, False, True]


def test_chains_across_splits_are_one_group():
    """A ~ A' by brightness, A' = A' in the next split: all four in one near group."""
    darker = gray(A * 0.7)
    report = find(train=[A, B], public=[darker, C], private=[darker, D, A])
    near = [row for row in report.rows() if row["kind"] == "near"]
    assert [(row["split"], row["index"], row["group"]) for row in near] == [
        ("train", 0, 1),
        ("public", 0, 1),
        ("private", 0, 1),
        ("private", 2, 1),
    ]


def test_search_in_several_blocks_finds_the_same(monkeypatch):
    images = [photograph(seed) for seed in range(20)]
    images += [gray(images[3] * 0.7), gray(images[11])[:, ::-1], gray(images[3] * 0.8)]
    stack = np.array([gray(image) for image in images])
    whole = near_copies.find_pairs(stack, near_correlation=0.95)
    monkeypatch.setattr(near_copies, "_ROWS", 6)
    monkeypatch.setattr(near_copies, "_BATCH", 1)
    parts = near_copies.find_pairs(stack, near_correlation=0.95)
    assert whole[0].tolist() == [[3, 20], [3, 22], [11, 21], [20, 22]]
    assert whole[1].tolist() == [False, False, True, False]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_aligned_correlation_of_unshifted_images_is_pearsons():
    """White noise matches nowhere but in place; there it is corrcoef of the central windows."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(48, 48))
    second = first + rng.normal(size=(48, 48))
    inner = slice(3, 45)
    want = np.corrcoef(first[inner, inner].ravel(), second[inner, inner].ravel())[0, 1]
    measured = near_copies.aligned_correlation(first[None], second[None])
    np.testing.assert_allclose(measured, [want], atol=1e-12)


def test_aligned_correlation_of_a_negative_image_is_not_near():
    assert near_copies.aligned_correlation(A[None], 255 - A[None])[0] < 0.5


def test_without_search_near_clean_is_clean():
    splits = {"train": faces([A]), "private": faces([A, A * 0.7])}
    report = duplicates.find(splits, near_correlation=None)
    assert len(report.near_pairs) == 0
    assert report.near_clean("private").tolist() == report.clean("private").tolist()
    assert report.summary()["near"]["correlation"] is None


def test_images_of_one_pattern_are_refused(monkeypatch):
    """20 variants of one image make 190 pairs."""
    monkeypatch.setattr(near_copies, "MAX_CANDIDATES", 189)
    splits = {"train": faces([A * (0.5 + i / 50) for i in range(20)])}
    with pytest.raises(UserError, match="over 189 pairs of images look alike"):
        duplicates.find(splits, near_correlation=0.95)


def test_progress_ends_with_all_unique_images():
    calls = []
    duplicates.find(
        {"train": faces([A, A, B])},
        near_correlation=0.95,
        on_progress=lambda *numbers: calls.append(numbers),
    )
    assert calls == [(2, 2)]


# Blank images


def test_blank_images_match_only_the_same_blank():
    """Black twice, white, nearly gray: one identical pair, no near ones, four blanks."""
    black, white, almost = np.zeros((48, 48)), np.full((48, 48), 255.0), np.full((48, 48), 128.0)
    almost[::2] += 3
    report = find(train=[black, A, white, almost], private=[black, B])
    assert report.blank.tolist() == [True, False, True, True, True, False]
    assert len(report.near_pairs) == 0
    assert report.clean("private").tolist() == [False, True]
    assert report.summary()["blank_images"] == 4
    assert [row["kind"] for row in report.rows()] == ["identical"] * 2 + ["blank"] * 4


@pytest.mark.parametrize(("step", "blank"), [(3, True), (4, False)])
def test_blank_is_a_standard_deviation_below_2(step, blank):
    """Half the pixels raised by s: the standard deviation is s / 2."""
    image = np.full((48, 48), 100.0)
    image[::2] += step
    assert find(train=[image]).blank.tolist() == [blank]


# The table


def test_table_holds_one_row_for_each_image_and_kind():
    splits = {"train": faces([A, B], [3, 5]), "private": faces([C, A], [2, 4])}
    rows = list(
        csv.DictReader(io.StringIO(duplicates.find(splits, near_correlation=0.95).to_csv()))
    )
    assert rows == [
        {
            "name": "face_0",
            "split": "train",
            "index": "0",
            "label": "happy",
            "group": "1",
            "kind": "identical",
        },
        {
            "name": "face_1",
            "split": "private",
            "index": "1",
            "label": "sad",
            "group": "1",
            "kind": "identical",
        },
    ]


# The real archive


def test_real_archive(fer2013_zip):
    """Identical copies are facts; near ones depend a little on the platform's rounding."""
    splits, source = fer2013.read_source(fer2013_zip, allow_other_counts=False)
    assert (source.kind, source.converted, source.messages) == ("zip", {}, ())
    assert {s: tuple(counts.values()) for s, counts in source.counts.items()} == fer2013.RELEASE
    assert {s: face_set.content_hash(faces) for s, faces in splits.items()} == release.HASHES
    assert len({name for part in splits.values() for name in part.names.tolist()}) == 35_887
    report = duplicates.find(splits, near_correlation=0.95)
    summary = report.summary()
    assert summary["identical"] == {
        "groups": 1514,
        "redundant_copies": 1851,
        "groups_across_splits": 557,
        "groups_with_conflicting_labels": 56,
    }
    assert summary["splits"]["public"]["identical_to_train"] == 280
    assert summary["splits"]["private"]["identical_to_train"] == 288
    assert [summary["splits"][split]["clean"] for split in SPLITS] == [27_475, 3_293, 3_268]
    assert summary["blank_images"] == 13
    assert summary["near"]["pairs"] == pytest.approx(2133, abs=5)
    assert summary["near"]["mirrored_pairs"] == pytest.approx(28, abs=2)
    assert summary["splits"]["private"]["near_clean"] == pytest.approx(3004, abs=5)
    kept = splits["private"].take(report.near_clean("private"))
    assert (np.bincount(kept.labels, minlength=len(CLASSES)) > 0).all()
