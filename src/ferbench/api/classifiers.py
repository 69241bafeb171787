"""Classifiers: train one, and apply it to images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferbench.api import keywords
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class TrainedRun:
    """A trained classifier on the disk.

    folder: weights, predictions and figures. row: its line in the table of results, by column; an
    empty cell is None. history: a line an epoch, from the first: epoch, train_loss,
    public_accuracy, ...
    """

    folder: Path
    row: dict[str, Any]
    history: list[dict[str, float]]


def train(**keys: object) -> TrainedRun:
    """Train a classifier and score it on the real test split, as `ferbench classify` does.

    keys: data ("real", "toy", "synthetic", "mixed"), model, train (groups of conf/), seed, outputs,
    and all that `ferbench classify --help` lists.
    Raises UserError for a key or value that the command refuses, and for data that are not there.

    >>> run = ferbench.train(data="toy", model="cnn", train="quick", **{"train.epochs": 2})
    >>> run.row["accuracy"]
    """
    folder = keywords.run("classify", keys)
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return TrainedRun(folder, keywords.row_of(folder), [json.loads(line) for line in lines])


def predict(run: TrainedRun | str | Path, images: np.ndarray, **keys: object) -> np.ndarray:
    """Probabilities [N, 7] float32 of images, in the order of `CLASSES`; rows sum to 1.

    run: what `train` returned, or the folder of a complete run. images: gray, [N, H, W] uint8;
    other sizes than 48 x 48 are resized. keys: device, precision, eval.batch (images at once) and
    eval.tta (views of an image whose probabilities are averaged) of `ferbench evaluate`.
    Raises UserError if the folder holds no such run or the images are something else.

    >>> probabilities = ferbench.predict(run, faces.splits["private"].images)
    >>> ferbench.CLASSES[probabilities[0].argmax()]
    """
    import numpy as np
    import torch

    from ferbench.classifiers import prediction
    from ferbench.cli.composition import job_of
    from ferbench.commands import inputs
    from ferbench.data.resize import resize
    from ferbench.metrics.classification import softmax
    from ferbench.runs import Compute

    job = job_of("evaluate", keywords.words_of({**keys, "run": run}))
    inputs.trained_row(Path(job.run))
    pixels = np.asarray(images)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise UserError(f"images: {pixels.dtype} {list(pixels.shape)}; expected uint8 [N, H, W]")
    if not len(pixels):
        return np.empty((0, len(CLASSES)), np.float32)
    compute = Compute.choose(job.device, job.precision)
    model = inputs.load_classifier(Path(job.run)).to(compute.device)
    logits = prediction.predict(
        model.to(memory_format=torch.channels_last),
        torch.from_numpy(np.array(resize(pixels, IMAGE_PX)))[:, None].to(compute.device),
        batch=job.eval.batch,
        precision=compute.precision,
        tta=job.eval.tta,
    )
    return softmax(logits).astype(np.float32)
