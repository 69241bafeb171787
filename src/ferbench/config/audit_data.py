"""Config of `ferbench audit-data`; the values stand in conf/audit_data.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.data import FacesConfig
from ferbench.config.sections import (
    PRECISIONS,
    ModelConfig,
    check_batch,
    check_figures,
    check_name,
    check_seed,
)
from ferbench.errors import between, one_of
from ferbench.recipes.classifier import Recipe
from ferbench.recipes.marks import AsTyped, Content, Neutral, Result


@dataclass(frozen=True)
class LabelNoiseConfig:
    """How wrong labels are searched for: values in conf/label_noise/."""

    folds: Result[int | None]
    control_flips: Result[float]
    bootstrap: Result[int]

    @property
    def off(self) -> bool:
        """Whether the search for wrong labels is off."""
        return self.folds is None

    def __post_init__(self) -> None:
        if self.folds is not None:
            between("label_noise.folds", self.folds, 2, 100)
        between("label_noise.control_flips", self.control_flips, 0, 0.5)
        between("label_noise.bootstrap", self.bootstrap, 10, 100_000)


@dataclass(frozen=True)
class AuditData:
    """ferbench audit-data."""

    outputs: Neutral[AsTyped[str]]
    name: Neutral[AsTyped[str | None]]
    seed: Result[int]
    batch: Neutral[int]
    device: Neutral[str]
    precision: Content[str]
    force: Neutral[bool]
    figures: Neutral[str]
    show_real: Result[bool]
    zoom: Result[bool]
    data: Content[FacesConfig]
    model: Result[ModelConfig]
    train: Result[Recipe]
    label_noise: Result[LabelNoiseConfig]

    @property
    def unread(self) -> tuple[str, ...]:
        """Keys that change nothing where no classifier is trained."""
        return ("seed", "precision", "show_real", "model", "train") if self.label_noise.off else ()

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        check_figures(self.figures)
        one_of("precision", self.precision, PRECISIONS)
        check_batch(self.batch)
