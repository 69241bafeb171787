"""Out-of-fold predictions: those of a classifier for images that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.classifiers import batches, training
from ferbench.classifiers.prediction import predict
from ferbench.errors import UserError
from ferbench.files import load_arrays, save_arrays
from ferbench.progress import epoch_line, say
from ferbench.recipes.classifier import Recipe
from ferbench.runs.precision import Precision

WATCHED = 512  # images of a fold that are scored after each epoch; nothing depends on it
VIEWS = "flip"  # predictions are averaged over each face and its mirror image


def check_folds(labels: np.ndarray, groups: np.ndarray, count: int) -> None:
    """Raise UserError if a class has fewer groups than there shall be folds."""
    for k in np.unique(labels):
        size = len(np.unique(groups[labels == k]))
        if size < count:
            raise UserError(
                f"label_noise.folds={count}: {CLASSES[k]} has {size} different images; "
                f"expected at most {size} folds, or label_noise=none"
            )


def folds(labels: np.ndarray, groups: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """[N] int64: the fold of each image; classes alike in all folds, groups never divided.

    labels, groups: [N] int64, that pass `check_folds`; count: 2 or more.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    # Before scikit-learn 1.8, shuffle=True mixes up the groups and loses the classes' balance.
    _, group = np.unique(groups, return_inverse=True)
    shuffled = np.argsort(np.random.RandomState(seed).permutation(group.max() + 1))[group]
    fold = np.empty(len(labels), np.int64)
    splits = StratifiedGroupKFold(count).split(np.zeros(len(labels)), labels, shuffled)
    for k, (_, rows) in enumerate(splits):
        fold[rows] = k
    return fold


@dataclass(frozen=True)
class Fitting:
    """How each of the classifiers is fitted. make: a new network, with random weights.

    recipe: must keep the last epoch, or a fold's own labels would choose among the epochs.
    """

    make: Callable[[], nn.Module]
    recipe: Recipe
    seed: int
    precision: Precision
    device: torch.device
    batch: int

    def __post_init__(self) -> None:
        if self.recipe.select != "last" or self.recipe.patience_epochs:
            raise UserError(
                f"train.select={self.recipe.select}, train.patience_epochs="
                f"{self.recipe.patience_epochs}: the labels of a fold would select the weights "
                "that judge them; expected train.select=last and train.patience_epochs=0"
            )


def logits(
    images: np.ndarray,
    labels: np.ndarray,
    held: np.ndarray,
    how: Fitting,
    *,
    path: Path,
    should_stop: Callable[[], bool],
) -> np.ndarray:
    """[n, 7] float32: logits of the images of the mask `held` by a classifier fitted on the others.

    images: [N, 48, 48] uint8; labels: [N] int64; held: [N] bool. path: a .npz file that the logits
    are kept in; if it exists they are read, and nothing is fitted. The state of an unfinished
    training lies beside it as .pt and is gone on from.
    Raises classifier.Stopped once the state is saved, UserError if a file does not fit.
    """
    if path.is_file():
        return _read(path, (int(held.sum()), len(CLASSES)))
    runs.seed_everything(how.seed)
    model, state = how.make().to(how.device), path.with_suffix(".pt")
    shown = batches.to_device(images[held], labels[held], how.device)
    watched = batches.DeviceFaces(shown.images[:WATCHED], shown.labels[:WATCHED])
    say_epoch = lambda history: say(epoch_line(history, how.recipe.epochs))  # noqa: E731
    fit = training.fit(
        model,
        batches.to_device(images[~held], labels[~held], how.device),
        watched,
        training.Settings(how.recipe, how.seed, how.precision),
        state=state,
        hooks=training.Hooks(on_epoch=say_epoch, should_stop=should_stop),
    )
    model.load_state_dict(fit.weights)
    held_logits = predict(
        model, shown.images, batch=how.batch, precision=how.precision, tta=VIEWS, what="judged"
    )
    save_arrays(path, logits=held_logits)
    state.unlink(missing_ok=True)
    return held_logits


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        kept = load_arrays(path, "logits")["logits"]
    except ValueError as error:
        raise UserError(f"{error}; move it away") from None
    if kept.shape != shape or kept.dtype != np.float32 or not np.isfinite(kept).all():
        raise UserError(f"{path}: not {shape[0]} predictions of this set; move it away")
    return kept
