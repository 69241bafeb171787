"""What a GAN run prints and writes at each tick."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import stylegan2_ada as sg
from ferbench.classifiers.judge import Judge
from ferbench.gan import samples, trained
from ferbench.gan.judging import Judging
from ferbench.gan.numbers import Numbers
from ferbench.gan.score import Reference
from ferbench.gan.setup import Training
from ferbench.gan.watch import Warnings
from ferbench.gan.weights import Weights, best_of, history_of
from ferbench.runs.loggers import Logger


class Reports:
    """Called with every tick in the first process: numbers, samples, the judge, files, warnings.

    facts: what light checkpoints shall say of this run besides what a tick tells. state: what
    `save` wrote, to go on from its history and best score; None for a run from its beginning.
    """

    def __init__(
        self,
        folder: Path,
        training: Training,
        *,
        judge: tuple[Judge, Reference] | None,
        logger: Logger,
        facts: Mapping[str, Any],
        state: Mapping[str, Any] | None,
    ) -> None:
        self.folder, self.training = folder, training
        self.numbers = Numbers(folder, training, logger, history_of(state))
        self.weights = Weights(folder, training, facts, resumed=state is not None)
        self.warnings = Warnings(training.recipe, training.faces)
        best = best_of(state)
        self.judging = None if judge is None else Judging(training, self.weights, judge, best)
        self._best = best  # where nobody judges now

    @property
    def best(self) -> dict[str, Any]:
        """What is known of the best weights; {} if no judge has seen any."""
        return self._best if self.judging is None else self.judging.best

    def tick(self, tick: sg.Tick, state: dict[str, Any] | None) -> None:
        """Report one tick. state: the trainer's, where one is to be saved.

        Raises UserError at a collapse if the recipe says so, after everything is written.
        """
        recipe, row = self.training.recipe, self.numbers.row_of(tick)
        number, last = row["tick"], tick.images >= recipe.total_kimg * 1000
        if number % recipe.sample_ticks == 0 or number == 1 or last:
            samples.write(self.folder, self.training)
        if self.judging is not None and (number % recipe.score_ticks == 0 or last):
            row |= self.judging.score()
        self.numbers.add(row)
        self.weights.save_light(trained.LATEST, row)
        if state is not None:
            self.save(state)
        self.numbers.write(row)
        self.warnings.check(row)

    def save(self, state: dict[str, Any]) -> None:
        """Write everything that the run needs to go on. state: the trainer's."""
        self.weights.save_state(state, self.numbers.history, self.best)

    def last_state(self) -> str:
        """In words: where an error leaves the run."""
        return self.weights.last_state()

    def progress(self) -> None:
        """Move the progress bar to the trainer's count of images."""
        self.numbers.progress()

    def close(self) -> None:
        """End the bar and the logger."""
        self.numbers.close()
