"""Signs that a GAN's training has gone wrong, from the numbers of a tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ferbench.errors import UserError
from ferbench.gan.faces import GanFaces
from ferbench.metrics.feature_sets import pixel_diversity
from ferbench.progress import say
from ferbench.recipes.gan import GanRecipe

REFERENCE_FACES = 200  # of each class, for the diversity of real faces
NEAR_BOUND = 0.999


class Warnings:
    """Prints what looks wrong, each thing once until it is over."""

    def __init__(self, recipe: GanRecipe, faces: GanFaces) -> None:
        self.recipe, self.names = recipe, faces.names
        self.real_diversity = real_diversity(faces)
        self.printed: list[str] = []

    def check(self, row: Mapping[str, Any]) -> None:
        """Look at the row of a tick; UserError at a collapse if the recipe says so."""
        recipe = self.recipe
        if row["kimg"] < recipe.collapse_from_kimg:
            return
        grave = self._grave(row)
        lines = grave + at_bound(row["augment_p"], recipe.p_max)
        subjects = [line.split(":")[0].split(" (")[0] for line in lines]
        for line, subject in zip(lines, subjects, strict=True):
            if subject not in self.printed:
                say(f"warning: {line}")
        self.printed = subjects
        if grave and recipe.stop_on_collapse:
            raise UserError(f"gan.stop_on_collapse=true: {grave[0]} (after {row['kimg']:.1f} kimg)")

    def _grave(self, row: Mapping[str, Any]) -> list[str]:
        """What ends a run if the recipe says so."""
        diversity = [row[f"diversity_{name}"] for name in self.names]
        share = self.recipe.collapse_diversity
        lines = collapsed(diversity, self.real_diversity, self.names, share=share)
        logits = {"real_logit": 0.0, "fake_logit": 0.0, **row}
        return lines + running_away(logits, limit=self.recipe.collapse_logit)


def real_diversity(faces: GanFaces) -> tuple[float, ...]:
    """How far the real faces of each class lie apart, as `stylegan2_ada.class_diversity` measures.

    The mean over pairs of the root mean square difference of pixels in [-1, 1].
    """
    values = []
    without_classes = len(faces.class_conditions) == 1
    for label in range(len(faces.class_conditions)):
        chosen = np.ones(len(faces.labels), bool) if without_classes else faces.labels == label
        rows = np.random.default_rng(0).permutation(np.flatnonzero(chosen))[:REFERENCE_FACES]
        values.append(pixel_diversity(faces.images[np.sort(rows)]) if len(rows) > 1 else 0.0)
    return tuple(values)


def collapsed(
    diversity: Sequence[float], real: Sequence[float], names: Sequence[str], *, share: float
) -> list[str]:
    """A line for each class whose samples are nearly all alike: below `share` of the real ones."""
    return [
        f"{name} has collapsed: its samples differ by {own:.3f}, real faces by {theirs:.3f}"
        for name, own, theirs in zip(names, diversity, real, strict=True)
        if own < share * theirs
    ]


def running_away(numbers: Mapping[str, float], *, limit: float) -> list[str]:
    """A line if the discriminator's mean logits are beyond `limit`."""
    real, fake = numbers["real_logit"], numbers["fake_logit"]
    if max(abs(real), abs(fake)) <= limit:
        return []
    return [
        "the discriminator's logits are diverging: mean "
        f"{real:+.1f} on real faces, {fake:+.1f} on generated ones"
    ]


def at_bound(augment_p: float, p_max: float) -> list[str]:
    """A line if the augmentation probability cannot rise further."""
    if augment_p < NEAR_BOUND * p_max or p_max == 0:
        return []
    return [f"augmentation is at its bound (p = {augment_p:.3f}): the discriminator still overfits"]
