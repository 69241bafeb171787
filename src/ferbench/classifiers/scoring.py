"""A classifier on a test split: predictions, scores, files and the row of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ferbench.classes import CLASSES
from ferbench.classifiers import batches, figures
from ferbench.classifiers.prediction import predict
from ferbench.data import named_sets
from ferbench.data.face_set import FaceSet
from ferbench.files import save_arrays
from ferbench.metrics import classification as scores
from ferbench.results.rows import ClassifierRow
from ferbench.runs import now
from ferbench.runs.precision import Precision

# The columns that say what was trained, how and on what; another scoring of a run repeats them.
TRAINING = (
    "data",
    "train_images",
    "synthetic_images",
    "data_hash",
    "selected_on",
    "model",
    "stem",
    "input_px",
    "pretrained",
    "tune",
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
class Tested:
    """Predictions for a test split and what they amount to.

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


def score(
    model: nn.Module,
    faces: FaceSet,
    *,
    split: str,
    batch: int,
    tta: str,
    precision: Precision,
    device: torch.device,
) -> Tested:
    """Predict a test split (private, public or kaggle) and score it."""
    tested, clean, test_hash = named_sets.test_faces(faces, split)
    on_device = batches.to_device(tested.images, tested.labels, device)
    logits = predict(model, on_device.images, batch=batch, precision=precision, tta=tta)
    found = scores.scores(tested.labels, logits, clean=clean)
    return Tested(
        faces.manifest["name"],
        split,
        tta,
        test_hash,
        tested.names,
        tested.labels,
        logits,
        clean,
        found,
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
    counts = scores.confusion(tested.labels, tested.logits.argmax(1))
    probabilities = scores.softmax(tested.logits)
    title = f"{tested.data}, {tested.split}"
    figures.plot_confusion(counts, path=folder / "confusion.png", title=title)
    figures.plot_per_class(scores.per_class(counts), path=folder / "per_class.png", title=title)
    found = scores.reliability(tested.labels, probabilities)
    figures.plot_reliability(found, path=folder / "reliability.png", title=title)
    if history:
        figures.plot_learning_curves(
            history, best_epoch=best_epoch, path=folder / "learning_curves.png"
        )


def row(
    tested: Tested,
    *,
    run: str,
    command: str,
    training: Mapping[str, Any],
    environment: Mapping[str, Any],
) -> ClassifierRow:
    """The row of the classifiers' table.

    run: the folder below outputs; training: the columns on data, model and training (`TRAINING`);
    environment: what `ferbench.run.environment` gave for the scoring.
    """
    return ClassifierRow(
        run=run,
        command=command,
        finished=now(),
        test_data=tested.data,
        test_split=tested.split,
        test_hash=tested.test_hash,
        tta=tested.tta,
        code_version=environment["code_version"],
        device=environment["device"],
        hardware=environment["hardware"],
        torch=environment["packages"]["torch"],
        **{column: training[column] for column in TRAINING},
        **tested.scores,
    )


def summary(tested: Tested) -> str:
    """The main scores in two lines for the terminal."""
    found = {name: "-" if v is None else f"{v:.4f}" for name, v in tested.scores.items()}
    n, clean = tested.scores["n_test"], tested.scores["n_test_dedup"]
    return (
        f"{tested.data} {tested.split}: accuracy {found['accuracy']} "
        f"({found['accuracy_low']} to {found['accuracy_high']}, n={n:,}), "
        f"without copies {found['accuracy_dedup']} (n={clean:,})\n"
        f"balanced accuracy {found['balanced_accuracy']}, macro F1 {found['macro_f1']}, "
        f"AUROC {found['auroc']}, calibration error {found['ece']}"
    )
