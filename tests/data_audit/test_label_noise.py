"""Confident learning against closed forms, folds, and planted wrong labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ferbench.classifiers.training import Stopped
from ferbench.config.yaml_files import CONF
from ferbench.data_audit import confident, label_noise, out_of_fold, pool
from ferbench.data_audit.label_noise import Search
from ferbench.data_audit.out_of_fold import Fitting
from ferbench.errors import UserError
from ferbench.recipes.classifier import Augment, Recipe
from ferbench.runs import precision

STILL = Augment(
    flip=0, rotate_degrees=0, zoom=0, shift=0, shear_degrees=0, brightness=0, contrast=0, erase=0
)
RECIPE = Recipe(
    name="made",
    epochs=2,
    batch=20,
    optimizer="adamw",
    peak_lr=0.02,
    momentum=0.9,
    weight_decay=0.0,
    schedule="constant",
    warmup_epochs=0,
    label_smoothing=0.0,
    mixup=0,
    cutmix=0,
    class_weights="none",
    sampling="natural",
    ema_decay=0,
    clip_norm=0,
    accumulate=1,
    patience_epochs=0,
    score_epochs=1,
    select="last",
    compile=False,
    graphs="auto",
    augment=STILL,
)


def sure(classes, p=0.94):
    """[N, 7] probabilities: p for the class, the rest spread evenly."""
    found = np.full((len(classes), 7), (1 - p) / 6)
    found[np.arange(len(classes)), classes] = p
    return found


# --- confident learning --------------------------------------------------------------------------


def test_a_perfect_classifier_finds_exactly_the_wrong_labels():
    """100 images a class, of which 10 of class 0 are called 1 and 20 of class 2 are called 3.

    Given label 1 has 110 images, 10 of them wrong: 10 / 110; label 3: 20 / 120; all: 30 / 700.
    """
    true = np.repeat(np.arange(7), 100)
    given = true.copy()
    given[:10], given[200:220] = 1, 3
    issues = confident.learn(given, sure(true))
    np.testing.assert_array_equal(issues.disputed, given != true)
    np.testing.assert_array_equal(issues.proposed, true)
    want = [0, 10 / 110, 0, 20 / 120, 0, 0, 0, 30 / 700]
    np.testing.assert_allclose(confident.noise(issues.joint), want, atol=1e-12)
    assert np.isclose(issues.joint.sum(), 1)
    np.testing.assert_allclose(issues.joint.sum(axis=1), np.bincount(given) / 700)


def test_thresholds_are_mean_probabilities_of_the_given_label():
    """Two images labeled 0 with p = 0.9 and 0.5: the threshold is 0.7, the second counts for none.

    The joint's row is scaled to both images all the same (equation 3).
    """
    probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    issues = confident.learn(np.array([0, 0, 1]), np.pad(probabilities, ((0, 0), (0, 5))))
    np.testing.assert_allclose(issues.thresholds[:2], [0.7, 0.8])
    assert not issues.disputed.any()
    np.testing.assert_allclose(np.diag(issues.joint)[:2], [2 / 3, 1 / 3])
    np.testing.assert_allclose(issues.margin, [0.8, 0.0, 0.6])


def test_weights_are_repetitions():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 7, 300), rng.dirichlet(np.ones(7), 300)
    counts = rng.integers(0, 4, 300)
    rows = np.repeat(np.arange(300), counts)
    weighted = confident.learn(labels, probabilities, counts.astype(float)).joint
    np.testing.assert_allclose(weighted, confident.learn(labels[rows], probabilities[rows]).joint)


def test_the_most_disputed_come_first():
    true, given = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 1, 2, 1, 2, 0])
    probabilities = sure(true)
    probabilities[3] = sure(np.array([0]), 0.99)
    issues = confident.learn(given, probabilities)
    assert issues.ranked().tolist() == [3, 4, 5]


def test_a_class_without_images_is_never_proposed():
    labels = np.array([0, 0, 1, 1])
    issues = confident.learn(labels, sure(np.array([0, 6, 1, 6])))
    assert 6 not in issues.proposed
    assert np.isnan(confident.noise(issues.joint)[6])


def test_intervals_cover_the_rate_and_copies_widen_them():
    """1,000 images of which 100 are wrong: 10 % with a standard error of 0.95 points.

    If the images are 100 photographs ten times over, the standard error is 3 points.
    """
    true = np.zeros(1000, np.int64)
    true[500:] = 1
    given = true.copy()
    given[:50], given[500:550] = 1, 0
    how = {"rounds": 300, "rng": np.random.default_rng(0)}
    low, high = confident.noise_intervals(given, sure(true), np.arange(1000), **how)[-1]
    assert low < 0.1 < high and 0.03 < high - low < 0.045
    copies = np.arange(1000) // 10
    low, high = confident.noise_intervals(given, sure(true), copies, **how)[-1]
    assert low < 0.1 < high and 0.09 < high - low < 0.15


# --- control -------------------------------------------------------------------------------------


def test_flips_are_so_many_and_never_the_own_class():
    labels = np.arange(1000) % 7
    changed = label_noise.flip(labels, 0.05, np.random.default_rng(0))
    assert (changed != labels).sum() == 50
    assert changed.min() >= 0 and changed.max() <= 6
    assert len(set(changed[changed != labels])) == 7


def test_a_made_classifier_of_known_recall():
    """Of 700 images 70 are flipped; the classifier knows the true class of 6 in 7 of all.

    The classes that it gets wrong are those of every seventh image, shifted by one: it disputes 100
    true labels of images that were not flipped, less what was flipped among them.
    """
    true = np.arange(700) % 7
    given = label_noise.flip(true, 0.1, np.random.default_rng(3))
    blind = np.arange(700) // 7 % 7 == 0
    shown = np.where(blind, (true + 1) % 7, true)
    issues = confident.learn(given, sure(shown))
    control = label_noise.score(issues, true)
    wrong = given != true
    unlucky = wrong & blind & (given == shown)  # flipped to just what the classifier takes it for
    assert (control.flipped, control.listed) == (70, int((given != shown).sum()))
    assert control.caught == 70 - unlucky.sum()
    assert control.restored == (wrong & ~blind).sum()
    assert np.isclose(control.precision, control.caught / control.listed)
    assert control.by_chance == control.listed / 700
    assert control.top == (control.ranks < 70).sum()
    assert len(control.ranks) == 70 and (np.diff(control.ranks) > 0).all()


def test_a_classifier_that_knows_nothing_finds_as_much_as_chance():
    """Random probabilities: recall is the list's share of the images, within 4 standard errors."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 7, 20_000)
    given = label_noise.flip(true, 0.1, rng)
    control = label_noise.score(confident.learn(given, rng.dirichlet(np.ones(7), 20_000)), true)
    assert abs(control.recall - control.by_chance) < 4 * np.sqrt(0.25 / control.flipped)


# --- folds ---------------------------------------------------------------------------------------


def test_folds_never_divide_a_group_and_keep_the_classes():
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 7, 700), rng.integers(0, 350, 700)
    fold = out_of_fold.folds(labels, groups, 5, seed=0)
    assert set(fold) == set(range(5))
    for group in np.unique(groups):
        assert len(set(fold[groups == group])) == 1
    for k in range(7):
        share = np.bincount(fold[labels == k], minlength=5) / (labels == k).sum()
        assert (abs(share - 0.2) < 0.05).all()
    np.testing.assert_array_equal(fold, out_of_fold.folds(labels, groups, 5, seed=0))
    assert (fold != out_of_fold.folds(labels, groups, 5, seed=1)).any()


def test_a_class_with_too_few_images_is_one_line():
    """Three images of disgust, two of them copies, give no three folds."""
    labels = np.repeat([0, 1], [30, 3])
    groups = np.append(np.arange(30), [40, 40, 41])
    with pytest.raises(UserError, match=r"label_noise\.folds=3: disgust has 2 different images"):
        out_of_fold.check_folds(labels, groups, 3)


# --- end to end ----------------------------------------------------------------------------------


class Columns(nn.Module):
    """A linear classifier of mean rows: enough for bars."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(48, 7)

    def forward(self, images):
        return self.head(images.mean(dim=3).flatten(1))


def fitting(**changes):
    chosen = precision.choose("fp32", torch.device("cpu"))
    recipe = replace(RECIPE, **changes)
    return Fitting(Columns, recipe, 0, chosen, torch.device("cpu"), batch=64)


@pytest.fixture
def barred(make_set):
    """A bar whose place tells the class, with 3 wrong labels: the bars of 3 images are moved."""

    def plant(*splits):
        for images in splits:
            images[:] = images // 8
            per_class = len(images) // 7
            for i, image in enumerate(images):
                image[6 * (i // per_class) + 3 : 6 * (i // per_class) + 7] += 200
        train = splits[0]
        train[:3] = train[60:63, :, ::-1]  # called angry, they look neutral

    return pool.read(make_set(plant))


def find(barred, folder, how, *, flips=0.1, should_stop=lambda: False):
    """label_noise.find with small numbers; the fits that were begun."""
    begun = []
    search = Search(folds=2, control_flips=flips, bootstrap=10)
    noise = label_noise.find(
        barred, how, search, folder=folder, should_stop=should_stop, on_fit=begun.append
    )
    return noise, begun


def test_moved_labels_are_found(barred, tmp_path):
    found, begun = find(barred, tmp_path, fitting(epochs=15))
    assert begun == ["fold_1_of_2", "fold_2_of_2", "control_0.1"]
    assert set(np.flatnonzero(found.issues.disputed)) == {0, 1, 2}
    assert set(found.issues.proposed[:3]) == {6}
    assert np.isclose(found.accuracy, 137 / 140)
    assert found.control.flipped in range(3, 13)
    assert found.control.recall > 0.7


def test_a_second_run_fits_nothing(barred, tmp_path, monkeypatch):
    first, _ = find(barred, tmp_path, fitting())
    kept = sorted(path.name for path in tmp_path.glob("*.npz"))
    assert kept == ["control_0.1.npz", "fold_1_of_2.npz", "fold_2_of_2.npz"]
    monkeypatch.setattr("ferbench.classifiers.training.fit", None)
    second, _ = find(barred, tmp_path, fitting())
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_a_stopped_run_goes_on_to_the_same_numbers(barred, tmp_path):
    folder, other = tmp_path / "stopped", tmp_path / "whole"
    folder.mkdir()
    other.mkdir()
    whole, _ = find(barred, other, fitting())
    steps = iter([False] * 5 + [True])
    with pytest.raises(Stopped):
        find(barred, folder, fitting(), should_stop=lambda: next(steps))
    assert [path.name for path in folder.iterdir()] == ["fold_1_of_2.pt"]
    found, _ = find(barred, folder, fitting())
    np.testing.assert_array_equal(found.probabilities, whole.probabilities)
    assert not list(folder.glob("*.pt"))


def test_no_control_no_third_fit(barred, tmp_path):
    found, begun = find(barred, tmp_path, fitting(), flips=0.0)
    assert found.control is None and len(begun) == 2


def test_held_out_labels_may_not_choose_the_epoch():
    with pytest.raises(UserError, match=r"train\.select=accuracy.*expected train\.select=last"):
        fitting(select="accuracy")


def test_damaged_predictions_are_one_line(barred, tmp_path):
    np.savez(tmp_path / "fold_1_of_2.npz", logits=np.zeros((3, 7), np.float32))
    with pytest.raises(UserError, match=r"fold_1_of_2\.npz: not \d+ predictions of this set"):
        find(barred, tmp_path, fitting())
    (tmp_path / "fold_1_of_2.npz").write_bytes(b"x")
    with pytest.raises(UserError, match=r"damaged"):
        find(barred, tmp_path, fitting())


def test_every_option_keeps_the_last_epoch():
    """conf/labels/: an option that lets held-out labels choose would be refused by `Fitting`."""
    files = {path.stem: path.read_text("utf-8") for path in (CONF / "label_noise").glob("*.yaml")}
    assert files.keys() == {"quick", "thorough", "none"}
    assert all("select: last" in files[name] for name in ("quick", "thorough"))
