"""`ferbench demo`: the whole way, small, on toy faces, by the very commands that a user types."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ferbench import results
from ferbench.classifiers import figures
from ferbench.commands.launcher import Launcher
from ferbench.config.commands import Demo
from ferbench.results.rows import ClassifierRow

SHIPPED_FACES = 700  # of the generator of real faces that ferbench ships


def run(job: Demo, other_commands: Launcher) -> None:
    """Run the steps, print the table and draw its figure; a step that was done is skipped."""
    began = time.perf_counter()
    for step in steps(job):
        other_commands.call(step[0], step[1:])
    figure = Path(job.outputs) / "accuracy.png"
    rows = results.read(Path(job.outputs), ClassifierRow)
    latest = list({(row.model, row.data): row for row in rows}.values())
    labels = [f"{row.model}\n{row.data}" for row in latest]
    values = np.array([(row.accuracy, row.accuracy_low, row.accuracy_high) for row in latest])
    figures.plot_accuracy(labels, values, path=figure, title="toy faces, private split")
    other_commands.call("table", [f"outputs={job.outputs}"])
    print(f"\ndone: {job.outputs}, figure: {figure} ({time.perf_counter() - began:.0f} s)")


def steps(job: Demo) -> list[list[str]]:
    """The commands, each as the words after `ferbench`."""
    tests = [f"data.toy_{split}={job.test_faces}" for split in ("public", "private")]
    faces = [f"data.toy_train={job.train_faces}", *tests]
    common = [f"outputs={job.outputs}"]
    run = [f"seed={job.seed}", f"device={job.device}"]
    learn = ["classify", "model=cnn", "train=quick", "logger=none", *run, *common]
    return [
        ["prepare", "source=toy", *faces, *common],
        [*learn, "data=toy", *faces],
        [
            "train-gan",
            "gan=tiny",
            "data=toy",
            "logger=none",
            f"total_kimg={job.gan_kimg}",
            *run,
            *faces,
            *common,
        ],
        ["synth", f"n={job.train_faces}", "out_px=48", "grid=true", *run, *common],
        [*learn, "data=synthetic", "data.base=toy", *faces],
        [*learn, "data=mixed", "data.base=toy", "data.real_fraction=0.5", *faces],
        [
            "synth",
            "gan.path=fer48-long",
            f"n={SHIPPED_FACES}",
            "grid=true",
            "judge=none",
            *run,
            *common,
        ],
    ]
