"""A classifier on a test split: predictions, scores, files and columns of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from ferbench.classes import CLASSES
from ferbench.classifiers import batches, doubts, figures
from ferbench.classifiers.prediction import predict
from ferbench.data import named_sets
from ferbench.data.face_set import FaceSet
from ferbench.files import save_arrays
from ferbench.metrics import classification
from ferbench.runs.precision import Precision

# The columns that say what was trained, how and on what; another scoring of a run repeats them.
TRAINING = (
    "data",
    "train_images",
    "synthetic_images",
    "synthetic_px",
    "data_hash",
    "selected_on",
    "model",
    "stem",
    "input_px",
    "pretrained",
    "tune",
    "recipe",
    "parameters",
    "seed",
    "epochs",
    "best_epoch",
    "precision",
    "config_hash",
    "cell",
    "seconds",
    "images_per_second",
)


@dataclass(frozen=True)
class Evaluation:
    """How a classifier is tested.

    split: private, public or kaggle; batch: images at a time; tta: views of an image whose
    predictions are averaged (none, flip or ten_crop, see `batches.views`).
    """

    split: str
    batch: int
    tta: str
    precision: Precision


@dataclass(frozen=True)
class Tested:
    """Predictions for a test split and their scores.

    names [N] str; labels [N] int64; logits [N, 7] float32; clean [N] bool (see `test_faces`).
    """

    data: str
    split: str
    tta: str
    test_hash: str
    names: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    clean: np.ndarray
    scores: dict[str, Any]


def score(model: nn.Module, faces: FaceSet, how: Evaluation, *, device: torch.device) -> Tested:
    """Predict a test split of the faces with a model on the device, and score it."""
    tested, clean, test_hash = named_sets.test_faces(faces, how.split)
    images = batches.to_device(tested.images, tested.labels, device).images
    logits = predict(
        model, images, batch=how.batch, precision=how.precision, tta=how.tta, what="scored"
    )
    return Tested(
        data=faces.manifest["name"],
        split=how.split,
        tta=how.tta,
        test_hash=test_hash,
        names=tested.names,
        labels=tested.labels,
        logits=logits,
        clean=clean,
        scores=classification.scores(tested.labels, logits, clean=clean),
    )


def write(
    folder: Path, tested: Tested, *, history: Sequence[Mapping[str, float]], best_epoch: int | None
) -> None:
    """predictions.npz and the figures; learning curves where there is a history."""
    save_arrays(
        folder / "predictions.npz",
        compress=True,
        names=tested.names,
        labels=tested.labels,
        logits=tested.logits,
        clean=tested.clean,
        classes=np.array(CLASSES),
    )
    counts = classification.confusion(tested.labels, tested.logits.argmax(1))
    title = f"{tested.data}, {tested.split}"
    figures.plot_confusion(counts, path=folder / "confusion.png", title=title)
    per_class = classification.per_class(counts)
    figures.plot_per_class(per_class, path=folder / "per_class.png", title=title)
    probabilities = softmax(tested.logits.astype(np.float64), axis=1)
    reliability = classification.reliability(tested.labels, probabilities)
    figures.plot_reliability(reliability, path=folder / "reliability.png", title=title)
    if history:
        figures.plot_learning_curves(
            history, best_epoch=best_epoch, path=folder / "learning_curves.png"
        )


def columns(tested: Tested) -> dict[str, Any]:
    """The columns of the table that say what was tested on, how, and the scores."""
    return {
        "test_data": tested.data,
        "test_split": tested.split,
        "test_hash": tested.test_hash,
        "tta": tested.tta,
        **tested.scores,
    }


def warnings(tested: Tested) -> list[str]:
    """Warnings about the predictions; most often none."""
    return doubts.of_predictions(tested.logits.argmax(1))


def summary(tested: Tested) -> str:
    """The main scores in two lines for the terminal."""
    text = {name: "-" if v is None else f"{v:.4f}" for name, v in tested.scores.items()}
    n, clean = tested.scores["n_test"], tested.scores["n_test_dedup"]
    return (
        f"{tested.data} {tested.split}: accuracy {text['accuracy']} "
        f"({text['accuracy_low']} to {text['accuracy_high']}, n={n:,}), "
        f"without copies {text['accuracy_dedup']} (n={clean:,})\n"
        f"balanced accuracy {text['balanced_accuracy']}, macro F1 {text['macro_f1']}, "
        f"AUROC {text['auroc']}, calibration error {text['ece']}"
    )
