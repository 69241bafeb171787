"""Config of `ferbench audit`; the values stand in conf/audit.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.data import SomeFacesConfig
from ferbench.config.sections import (
    IN_MEMORY,
    LONG,
    MANY_CELLS,
    MOST_CELLS,
    MOST_IN_MEMORY,
    MOST_STEPS,
    PRECISIONS,
    check_batch,
    check_figures,
    check_name,
    check_seed,
)
from ferbench.config.synth import GanSource
from ferbench.errors import UserError, at_least, at_most, between, one_of
from ferbench.recipes.marks import AsTyped, Content, Neutral, Result

INVERSION_LOSSES = ("pixels", "judge")
LARGEST_PERCENT = 50.0  # of planted copies: more than that is no set with copies in it


@dataclass(frozen=True)
class PrivacyConfig:
    """How strict the privacy audit is: see ferbench.privacy.audit.Options."""

    near_correlation: Result[float]
    drop_correlation: Result[float]
    quantile: Result[float]
    alpha: Result[float]
    cells: Result[int]
    bootstrap: Result[int]
    control_images: Result[int]
    control_percents: Result[AsTyped[str]]

    def __post_init__(self) -> None:
        between("privacy.near_correlation", self.near_correlation, 0.8, 1)
        between("privacy.drop_correlation", self.drop_correlation, 0.8, self.near_correlation)
        between("privacy.quantile", self.quantile, 0, 0.1)
        between("privacy.alpha", self.alpha, 1e-9, 0.1)
        at_least("privacy.cells", self.cells, 1)
        at_most("privacy.cells", self.cells, MOST_CELLS, MANY_CELLS)
        between("privacy.bootstrap", self.bootstrap, 10, 100_000)
        at_least("privacy.control_images", self.control_images, 20)
        at_most("privacy.control_images", self.control_images, MOST_IN_MEMORY, IN_MEMORY)
        assert self.percents

    @property
    def percents(self) -> tuple[float, ...]:
        """control_percents as numbers, ascending."""
        key = f"privacy.control_percents={self.control_percents}"
        try:
            found = sorted({float(word) for word in self.control_percents.split(",")})
        except ValueError:
            raise UserError(f"{key}: expected numbers with commas, such as 0.1,1,10") from None
        if not 0 < found[0] <= found[-1] <= LARGEST_PERCENT:
            raise UserError(f"{key}: expected numbers over 0 and at most {LARGEST_PERCENT:g}")
        return tuple(found)


@dataclass(frozen=True)
class InversionConfig:
    """The inversion attack: how the generator reconstructs training and held-out images."""

    images: Result[int]
    steps: Result[int]
    rate: Result[float]
    loss: Result[str]
    batch: Result[int]

    def __post_init__(self) -> None:
        if self.images:
            at_least("inversion.images", self.images, 20)
        at_most("inversion.images", self.images, MOST_IN_MEMORY, IN_MEMORY)
        at_least("inversion.steps", self.steps, 1)
        at_most("inversion.steps", self.steps, MOST_STEPS, LONG)
        between("inversion.rate", self.rate, 1e-6, 10)
        one_of("inversion.loss", self.loss, INVERSION_LOSSES)
        check_batch(self.batch, "inversion.batch")


@dataclass(frozen=True)
class Audit:
    """ferbench audit."""

    outputs: Neutral[AsTyped[str]]
    name: Neutral[AsTyped[str | None]]
    set: Content[AsTyped[str | None]]
    gan: Content[GanSource]
    judge: Content[AsTyped[str]]
    seed: Result[int]
    batch: Neutral[int]
    device: Neutral[str]
    precision: Content[str]
    force: Neutral[bool]
    figures: Neutral[str]
    show_real: Result[bool]
    data: Content[SomeFacesConfig]
    privacy: Result[PrivacyConfig]
    inversion: Result[InversionConfig]

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        check_figures(self.figures)
        one_of("precision", self.precision, PRECISIONS)
        check_batch(self.batch)
