"""A picture of a GAN run at a tick: samples of every class, always of the same seeds."""

from __future__ import annotations

from pathlib import Path

import stylegan2_ada as sg
from ferbench.gan.setup import Training
from ferbench.report import sheets

SAMPLES = "samples.png"
COLUMNS = 10  # samples of each class


def write(folder: Path, training: Training) -> None:
    """samples.png, and a copy in samples/ that has the images shown so far in its name."""
    trainer, faces = training.trainer, training.faces
    classes = len(faces.class_conditions)
    conditions = faces.class_conditions.repeat_interleave(COLUMNS, 0)
    seeds = list(range(COLUMNS)) * classes
    images = sg.sample(trainer.ema, seeds, conditions, dtype=trainer.options.dtype)
    pixels = sg.to_uint8(images.float()).cpu().numpy()
    sheet = sheets.sheet(pixels.reshape(classes, COLUMNS, *pixels.shape[1:]), rows=faces.names)
    sheets.save(sheet, folder / SAMPLES)
    sheets.save(sheet, folder / "samples" / f"{training.kimg:010.3f}_kimg.png")
