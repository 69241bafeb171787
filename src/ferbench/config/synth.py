"""Config of `ferbench synth`; the values stand in conf/synth.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.sections import (
    LARGE_IMAGES,
    MANY_IMAGES,
    MOST_IMAGES,
    MOST_IN_MEMORY,
    MOST_PX,
    PRECISIONS,
    check_batch,
    check_name,
    check_seed,
)
from ferbench.errors import UserError, at_least, at_most, between, one_of
from ferbench.recipes.marks import AsTyped, Content, Neutral, Result

LABELS = ("expressions", "own")
BALANCES = ("equal", "natural")
CENTERS = ("global", "class")
NOISES = ("const", "seed", "none")
RESIZES = ("area", "bicubic")
EXPORTS = ("none", "folder", "zip")
SMALLEST_PX = 8


@dataclass(frozen=True)
class GanSource:
    """Where a trained generator is. A section, because `gan` is a group of config files, too."""

    path: Content[AsTyped[str | None]]


@dataclass(frozen=True)
class Synth:
    """ferbench synth."""

    outputs: Neutral[AsTyped[str]]
    name: Neutral[AsTyped[str | None]]
    gan: Content[GanSource]
    n: Content[int | None]
    seed: Result[int]
    labels: Result[str]
    balance: Content[str]
    counts: Content[AsTyped[str | None]]
    psi: Result[float]
    cutoff: Result[int | None]
    center: Result[str]
    center_latents: Result[int]
    noise: Result[str]
    out_px: Result[int | None]
    resize: Result[str]
    batch: Result[int]
    device: Content[str]
    precision: Content[str]
    force: Neutral[bool]
    judge: Neutral[AsTyped[str]]
    export: Neutral[str]
    grid: Neutral[bool]
    interpolate: Neutral[AsTyped[str | None]]
    style_mix: Neutral[bool]
    truncation_sheet: Neutral[bool]

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        self._check_choices()
        between("psi", self.psi, 0, 1)
        at_least("center_latents", self.center_latents, 1)
        at_most("center_latents", self.center_latents, MOST_IN_MEMORY, "a mean needs no more")
        check_batch(self.batch)
        at_most("n", self.n, MOST_IMAGES, MANY_IMAGES)
        at_most("out_px", self.out_px, MOST_PX, LARGE_IMAGES)
        at_most("cutoff", self.cutoff, 1000, "no generator has so many layers")
        for key, low in (("n", 1), ("cutoff", 0), ("out_px", SMALLEST_PX)):
            value = getattr(self, key)
            if value is not None:
                at_least(key, value, low)
        if self.counts is not None and self.n is not None:
            raise UserError(f"n={self.n}: counts says how many; expected one of the two")

    def _check_choices(self) -> None:
        one_of("labels", self.labels, LABELS)
        one_of("balance", self.balance, BALANCES)
        one_of("center", self.center, CENTERS)
        one_of("noise", self.noise, NOISES)
        one_of("resize", self.resize, RESIZES)
        one_of("export", self.export, EXPORTS)
        one_of("precision", self.precision, PRECISIONS)
