"""The search for wrong labels from end to end: folds, predictions, confident learning, control.

The control shows whether the search can be trusted: some labels are made wrong on purpose, and it
is counted how many of them are on the list of disputed images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferbench.classes import CLASSES
from ferbench.data_audit import confident, out_of_fold
from ferbench.data_audit.findings import Control, LabelIssues, LabelNoise
from ferbench.data_audit.out_of_fold import Fitting
from ferbench.data_audit.pool import Pool
from ferbench.metrics import classification

FLIPS, BOOTSTRAP = 1, 2  # streams of random numbers


@dataclass(frozen=True)
class Search:
    """How wrong labels are sought.

    folds: as many classifiers; a number that passes `check`. control_flips: share of the labels
    that the control makes wrong, 0 for no control. bootstrap: rounds behind the intervals.
    """

    folds: int
    control_flips: float
    bootstrap: int


def check(pool: Pool, folds: int) -> None:
    """Raise UserError if the pool has too few images of a class for so many folds."""
    shown = ~pool.blank
    out_of_fold.check_folds(pool.labels[shown], pool.photographs()[shown], folds)


def find(
    pool: Pool,
    fitting: Fitting,
    search: Search,
    *,
    folder: Path,
    should_stop: Callable[[], bool],
    on_fit: Callable[[str], None],
) -> LabelNoise:
    """Fit a classifier for each fold, and one more on flipped labels for the control.

    folder: holds the predictions of each fit; those that are there are not made again.
    on_fit gets the name of each fit before it begins. Errors as of `out_of_fold`.
    """
    rows = np.flatnonzero(~pool.blank)
    labels, groups = pool.labels[rows], pool.photographs()[rows]
    fold = out_of_fold.folds(labels, groups, search.folds, seed=fitting.seed)
    fits = _Fits(pool.images[rows], fitting, folder, should_stop, on_fit)
    probabilities = np.empty((len(rows), len(CLASSES)))
    for k in range(search.folds):
        name = f"fold_{k + 1}_of_{search.folds}"
        probabilities[fold == k] = fits.probabilities(name, labels, fold == k)
    issues = confident.learn(labels, probabilities)
    rng = np.random.default_rng([fitting.seed, BOOTSTRAP])
    intervals = confident.noise_intervals(
        labels, probabilities, groups, rounds=search.bootstrap, rng=rng
    )
    control = _control(fits, labels, fold == 0, search) if search.control_flips else None
    noise = confident.noise(issues.joint)
    return LabelNoise(rows, search.folds, probabilities, issues, noise, intervals, control)


@dataclass(frozen=True)
class _Fits:
    """The classifiers of one search: each is fitted on some images and judges the others."""

    images: np.ndarray
    fitting: Fitting
    folder: Path
    should_stop: Callable[[], bool]
    on_fit: Callable[[str], None]

    def probabilities(self, name: str, labels: np.ndarray, held: np.ndarray) -> np.ndarray:
        """[n, 7] float64 of the images of the mask `held` [N], by a classifier of the others."""
        self.on_fit(name)
        path, stop = self.folder / f"{name}.npz", self.should_stop
        logits = out_of_fold.logits(
            self.images, labels, held, self.fitting, path=path, should_stop=stop
        )
        return classification.softmax(logits)


# --- the control ---------------------------------------------------------------------------------


def _control(fits: _Fits, labels: np.ndarray, held: np.ndarray, search: Search) -> Control:
    """The same search with a share of all labels flipped, in the images of `held`."""
    share, rng = search.control_flips, np.random.default_rng([fits.fitting.seed, FLIPS])
    changed = flip(labels, share, rng)
    probabilities = fits.probabilities(f"control_{share:g}", changed, held)
    return score(confident.learn(changed[held], probabilities), labels[held])


def flip(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """[N] int64: the labels, of which a share (rounded) are replaced by another class at random."""
    rows = rng.permutation(len(labels))[: round(share * len(labels))]
    changed = labels.copy()
    changed[rows] = (labels[rows] + rng.integers(1, len(CLASSES), len(rows))) % len(CLASSES)
    return changed


def score(issues: LabelIssues, labels: np.ndarray) -> Control:
    """The issues of changed labels against the labels as they were, [N] int64."""
    wrong, listed = issues.labels != labels, issues.disputed
    order = np.argsort(issues.margin, kind="stable")
    caught = wrong & listed
    return Control(
        images=len(labels),
        flipped=int(wrong.sum()),
        listed=int(listed.sum()),
        caught=int(caught.sum()),
        restored=int((issues.proposed == labels)[caught].sum()),
        ranks=np.flatnonzero(wrong[order]),
    )
