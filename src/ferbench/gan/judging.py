"""A judge's scores of a GAN run, and the weights with the best score."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import stylegan2_ada as sg
from ferbench.classifiers.judge import Judge
from ferbench.gan import score, trained
from ferbench.gan.score import Reference, Score
from ferbench.gan.setup import Training
from ferbench.gan.weights import Weights
from ferbench.progress import say


class Judging:
    """Scores the averaged generator, and keeps its weights if they are the best so far.

    judge: with its features of the real faces. best: what an earlier start of the run knew of its
    best weights, {} for nothing. Numbers of two judges do not compare, so under another judge the
    best weights are rated anew.
    """

    def __init__(
        self,
        training: Training,
        weights: Weights,
        judge: tuple[Judge, Reference],
        best: Mapping[str, Any],
    ) -> None:
        self.training, self.weights = training, weights
        self.judge, self.real = judge
        self.best = dict(best)
        if self.best and self.best["judge"] != self.judge.identity:
            self._rate_best_anew()

    def score(self) -> dict[str, float]:
        """The scores by the judge: distance, accuracy of all and of each class, and seconds."""
        began = time.perf_counter()
        result = self._ask(self.training.trainer.ema)
        numbers = {"distance": result.distance, "class_accuracy": result.accuracy}
        names = self.training.faces.names
        numbers |= {
            f"accuracy_{name}": value for name, value in zip(names, result.by_class, strict=False)
        }
        self._keep_best(self._rating(result, self.training.kimg))
        numbers["score_seconds"] = time.perf_counter() - began
        return {name: value for name, value in numbers.items() if math.isfinite(value)}

    def _ask(self, generator: sg.TwoStageGenerator) -> Score:
        return score.score(
            generator,
            self.training.faces.class_conditions,
            self.judge,
            self.real,
            per_class=self.training.recipe.score_per_class,
            dtype=self.training.trainer.options.dtype,
        )

    def _keep_best(self, rating: dict[str, Any]) -> None:
        if not self.best or rating["value"] < self.best["value"]:
            self.best = rating
            self.weights.save_light(trained.BEST, rating)

    def _rating(self, result: Score, kimg: float) -> dict[str, Any]:
        """What is kept of the best weights; the smaller the value, the better."""
        accuracy = result.accuracy if math.isfinite(result.accuracy) else None
        by_accuracy = self.training.recipe.select == "accuracy" and accuracy is not None
        return {
            "value": -result.accuracy if by_accuracy else result.distance,
            "kimg": kimg,
            "distance": result.distance,
            "class_accuracy": accuracy,
            "judge": self.judge.identity,
        }

    def _rate_best_anew(self) -> None:
        """Rate the best weights so far as this judge does; without their file there are none."""
        file = self.weights.folder / trained.BEST
        if not file.is_file():
            self.best = {}
            return
        network = trained.load(file, device=self.training.trainer.losses.device).network
        self.best = self._rating(self._ask(network), self.best["kimg"])
        say(
            f"the best weights so far, of {self.best['kimg']:.1f} kimg, have distance "
            f"{self.best['distance']:.2f} under the judge {self.judge.name}"
        )
