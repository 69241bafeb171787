"""`ferbench demo`: every step once, small, on toy faces, by the commands that a user types."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ferbench import results
from ferbench.classifiers import figures
from ferbench.commands.estimates import NEWEST_GAN, NEWEST_SET, Estimator
from ferbench.commands.launcher import Launcher, command_line
from ferbench.config.commands import Demo
from ferbench.config.synth import Synth
from ferbench.config.train_gan import TrainGan
from ferbench.results.rows import ClassifierRow
from ferbench.study.ledger import in_words

SHIPPED_FACES = 700  # of the generator of real faces that ferbench ships


def run(job: Demo, other_commands: Launcher) -> None:
    """Run the steps, print the table and draw its figure; a step that was done is skipped."""
    began = time.perf_counter()
    _announce(job, other_commands)
    if job.plan:
        return
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


def _announce(job: Demo, other_commands: Launcher) -> None:
    """Say how long the steps may take here; with plan=true, each of them."""
    configs = [other_commands.check(step[0], step[1:]) for step in steps(job)]
    newest = {NEWEST_GAN: _first(configs, TrainGan), NEWEST_SET: _first(configs, Synth)}
    estimator = Estimator.of(job, may_measure=True, earlier=newest)
    seconds = [estimator.seconds(config) for config in configs]
    for step, own in zip(steps(job), seconds, strict=True):
        if job.plan and own is not None:
            print(f"{in_words(own):>8}  {command_line(step[0], step[1:])}")
    known = [own for own in seconds if own is not None]
    if known:
        print(f"{len(configs)} steps, about {in_words(sum(known))} on this machine")


def _first(configs: Sequence[Any], kind: type) -> Any:
    return next((config for config in configs if isinstance(config, kind)), None)


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
