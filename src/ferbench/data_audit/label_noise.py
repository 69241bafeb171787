"""The search for wrong labels from end to end: folds, predictions, opinion, control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferbench.classes import CLASSES
from ferbench.data_audit import confident, control, out_of_fold
from ferbench.data_audit.confident import Opinion
from ferbench.data_audit.control import Control
from ferbench.data_audit.out_of_fold import Fitting
from ferbench.data_audit.pool import Pool
from ferbench.metrics import classification

FLIPS, BOOTSTRAP = 1, 2  # streams of random numbers


@dataclass(frozen=True)
class LabelNoise:
    """What out-of-fold predictions say of the labels.

    rows: [N] int64, the images of the pool that were looked at (all but the blank ones); every
    further array is over them. probabilities: [N, 7]; noise, intervals: see `confident.noise`.
    control: None if no label was flipped.
    """

    rows: np.ndarray
    folds: int
    probabilities: np.ndarray
    opinion: Opinion
    noise: np.ndarray
    intervals: np.ndarray
    control: Control | None

    @property
    def accuracy(self) -> float:
        """Share of images whose given label is the classifiers' first choice."""
        return float((self.probabilities.argmax(axis=1) == self.opinion.labels).mean())


def check(pool: Pool, folds: int) -> None:
    """Raise UserError if the pool has too few images of a class for so many folds."""
    seen = ~pool.blank
    out_of_fold.check_folds(pool.labels[seen], pool.photographs()[seen], folds)


def find(
    pool: Pool,
    how: Fitting,
    *,
    folds: int,
    control_flips: float,
    rounds: int,
    folder: Path,
    should_stop: Callable[[], bool],
    on_fit: Callable[[str], None],
) -> LabelNoise:
    """Fit `folds` classifiers, and one more on flipped labels for the control.

    folds: a number that passes `check`.
    folder: holds the predictions of each fit; those that are there are not made again.
    on_fit gets the name of each fit before it begins. Errors as of `out_of_fold`.
    """
    rows = np.flatnonzero(~pool.blank)
    images, labels, groups = pool.images[rows], pool.labels[rows], pool.photographs()[rows]
    fold = out_of_fold.folds(labels, groups, folds, seed=how.seed)

    def logits(name: str, held: np.ndarray, given: np.ndarray) -> np.ndarray:
        on_fit(name)
        path = folder / f"{name}.npy"
        return out_of_fold.logits(images, given, held, how, path=path, should_stop=should_stop)

    found = np.empty((len(rows), len(CLASSES)), np.float32)
    for k in range(folds):
        found[fold == k] = logits(f"fold_{k + 1}_of_{folds}", fold == k, labels)
    probabilities = classification.softmax(found)
    opinion = confident.learn(labels, probabilities)
    return LabelNoise(
        rows,
        folds,
        probabilities,
        opinion,
        confident.noise(opinion.joint),
        confident.noise_intervals(
            labels,
            probabilities,
            groups,
            rounds=rounds,
            rng=np.random.default_rng([how.seed, BOOTSTRAP]),
        ),
        _control(logits, labels, fold == 0, control_flips, how.seed) if control_flips else None,
    )


def _control(
    logits: Callable[[str, np.ndarray, np.ndarray], np.ndarray],
    labels: np.ndarray,
    held: np.ndarray,
    share: float,
    seed: int,
) -> Control:
    """The same search with a share of all labels flipped, in the images of `held`."""
    given = control.flip(labels, share, np.random.default_rng([seed, FLIPS]))
    found = logits(f"control_{share:g}", held, given)
    return control.score(confident.learn(given[held], classification.softmax(found)), labels[held])
